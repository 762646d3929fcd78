"""``refinebio compute``: every method on its own, file in, file out, without a catalog."""

from __future__ import annotations

from importlib import import_module

import click

METHODS: dict[str, tuple[str, str]] = {
    "tximport": ("tximport:tximport", "Sum transcript estimates per gene, as Bioconductor's tximport does."),
    "qn-target": ("quantiles:qn_target", "The distribution that quantile normalisation gives to samples."),
    "quantile-normalize": ("quantiles:quantile_normalize", "Give all samples of a matrix one distribution."),
    "scan": ("scan:scan", "Affymetrix CEL files to genes: SCAN and UPC, one array at a time."),
    "convert-genes": ("convert_genes:convert_genes", "Values of probes, symbols … become values of Ensembl genes."),
    "agilent": ("agilent:agilent", "Two-colour and one-colour arrays (Feature Extraction, GenePix), limma's way."),
    "illumina": ("illumina:illumina", "Illumina BeadArray tables to genes: columns found out, background, SCAN."),
    "compendium": ("compendium:compendium", "Arrays and RNA-seq in one matrix: filtered, imputed, normalised."),
}
"""Command -> where it is (module:attribute below this package), and what it does. Imported when it is called."""


class LazyMethods(click.Group):
    """A group whose commands live in modules that are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The names, in the order of the table."""
        return list(METHODS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import the command called ``cmd_name``."""
        if cmd_name not in METHODS:
            return None
        module, _, attribute = METHODS[cmd_name][0].partition(":")
        command = getattr(import_module(f"{__name__}.{module}"), attribute)
        if not isinstance(command, click.Command):
            message = f"{METHODS[cmd_name][0]} is no click command"
            raise TypeError(message)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in METHODS.items()])


@click.group(cls=LazyMethods)
def compute() -> None:
    """Every method on its own: file in, file out, no catalog.

    Formats by extension: .tsv, .tsv.gz, .parquet (genes in rows), .h5ad, .zarr (AnnData).
    """
