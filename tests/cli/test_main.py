"""The ``refinebio`` group: lazy, quick, and complete."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from refinebio_assets.cli.main import COMMANDS, main, refinebio

PROJECT = Path(__file__).parents[2]
# What only a chosen command may import.
HEAVY = {
    "alembic", "anndata", "boto3", "dagster", "h5py", "httpx", "matplotlib", "numpy", "orjson", "pandas", "pyarrow",
    "pydantic", "resources", "rich", "scipy", "sqlalchemy", "starlette", "strawberry", "structlog",
}  # fmt: skip


def modules_after(arguments: list[str]) -> set[str]:
    """Top-level modules that a process has imported when it ends."""
    script = (
        "import json, sys; from refinebio_assets.cli.main import main; main(sys.argv[1:]);"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["no-such-command"]])
def test_nothing_heavy_is_imported_before_a_command_is_chosen(arguments):
    assert modules_after(arguments) & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_imports_nothing_heavy(name):
    assert modules_after([name, "--help"]) & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_explains_itself(name):
    command = refinebio.get_command(click.Context(refinebio), name)

    assert command is not None
    assert command.name == name
    assert command.help


def test_help_lists_every_command_with_its_summary(capsys):
    assert main(["--help"]) == 0

    shown = " ".join(capsys.readouterr().out.split())
    for name, command in COMMANDS.items():
        assert f"{name} {command.summary}" in shown


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "refinebio 0.1.0\n"


def test_an_unknown_command_is_bad_usage(capsys):
    assert main(["nonsense"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_every_module_named_in_the_table_exists():
    for command in COMMANDS.values():
        assert find_spec(f"refinebio_assets.cli.{command.location.partition(':')[0]}") is not None


def test_a_table_entry_that_is_no_command_is_a_defect_and_not_an_unknown_command(monkeypatch):
    monkeypatch.setitem(COMMANDS, "broken", COMMANDS["config"]._replace(location="common:table"))

    with pytest.raises(TypeError, match="is no click command"):
        refinebio.get_command(click.Context(refinebio), "broken")


def test_python_dash_m_is_the_same_program():
    command = [sys.executable, "-m", "refinebio_assets", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT, timeout=60)
    assert done.stdout == "refinebio 0.1.0\n"
