"""``refinebio metadata``: ontologies and metadata from elsewhere, and harmonising anew."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "import": ("metadata_import:import_", "Ontologies, and attributes and keywords that others gave to samples."),
    "harmonize": ("metadata_harmonize:harmonize", "Harmonise the metadata of surveyed samples anew."),
}
"""Command -> where it is (module:attribute of this package), and what it does. Imported when it is called."""


class LazyCommands(click.Group):
    """A group whose commands live in modules that are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import the command called ``cmd_name``."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(f"refinebio_assets.cli.{module}"), attribute)
        if not isinstance(command, click.Command):
            message = f"{COMMANDS[cmd_name][0]} is no click command"
            raise TypeError(message)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyCommands)
def metadata() -> None:
    """Ontologies and metadata from elsewhere, and harmonised metadata."""
