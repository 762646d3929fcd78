"""``refinebio metadata``: ontologies and metadata from elsewhere, and harmonising anew."""

from __future__ import annotations

import click

from refinebio_assets.cli.lazy_group import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "import": LazyCommand(
        "metadata_import:import_", "Ontologies, and attributes and keywords that others gave to samples."
    ),
    "harmonize": LazyCommand("metadata_harmonize:harmonize", "Harmonise the metadata of surveyed samples anew."),
}


@click.group(cls=LazyGroup, package="refinebio_assets.cli", table=COMMANDS)
def metadata() -> None:
    """Ontologies and metadata from elsewhere, and harmonised metadata."""
