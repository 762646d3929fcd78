"""A command group that answers ``--help`` from a table: a command's module is imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """Where a command is (``module:attribute``, below the group's package), and what it does."""

    location: str
    summary: str


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on use.

    Args:
        package: The package that locations are below.
        table: Command by name, in the order in which they are listed.
        attributes: What else click's group takes.
    """

    def __init__(self, *, package: str, table: Mapping[str, LazyCommand], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._package = package
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The names, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import the command called ``cmd_name``."""
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name].location.partition(":")
        command = getattr(import_module(f"{self._package}.{module}"), attribute)
        if not isinstance(command, click.Command):
            message = f"{self._package}.{module}.{attribute} is no click command"
            raise TypeError(message)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in self._table.items()])
