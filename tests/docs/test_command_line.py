"""docs/command_line.md speaks of every command and every option that exists, and of no other command."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from refinebio_assets.cli.main import COMMANDS, refinebio

PAGE = Path(__file__).parents[2] / "docs/command_line.md"


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def sections() -> dict[str, str]:
    parts = re.split(r"^### (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def existing() -> dict[str, click.Command]:
    return dict(commands(refinebio, "refinebio"))


def test_every_command_has_a_section_and_no_section_is_about_another(existing):
    assert set(sections()) == set(existing)
    assert {name.split()[1] for name in existing} == set(COMMANDS)


def test_every_option_is_mentioned(existing):
    missing = []
    for name, command in existing.items():
        options = [option for option in command.params if isinstance(option, click.Option)]
        for option in options:
            longest = max(option.opts, key=len)
            if longest != "--help" and f"`{longest}" not in sections()[name]:
                missing.append(f"{name} {longest}")
    assert missing == []
