"""``refinebio compute``: every method on its own, file in, file out, without a catalog."""

from __future__ import annotations

import click

from refinebio_assets.cli.lazy_group import LazyCommand, LazyGroup

METHODS: dict[str, LazyCommand] = {
    "tximport": LazyCommand("tximport:tximport", "Sum transcript estimates per gene, as Bioconductor's tximport does."),
    "qn-target": LazyCommand("quantiles:qn_target", "The distribution that quantile normalisation gives to samples."),
    "quantile-normalize": LazyCommand("quantiles:quantile_normalize", "Give all samples of a matrix one distribution."),
    "scan": LazyCommand("scan:scan", "Affymetrix CEL files to genes: SCAN and UPC, one array at a time."),
    "convert-genes": LazyCommand(
        "convert_genes:convert_genes", "Values of probes, symbols … become values of Ensembl genes."
    ),
    "agilent": LazyCommand(
        "agilent:agilent", "Two-colour and one-colour arrays (Feature Extraction, GenePix), limma's way."
    ),
    "illumina": LazyCommand(
        "illumina:illumina", "Illumina BeadArray tables to genes: columns found out, background, SCAN."
    ),
    "compendium": LazyCommand(
        "compendium:compendium", "Arrays and RNA-seq in one matrix: filtered, imputed, normalised."
    ),
}


@click.group(cls=LazyGroup, package=__name__, table=METHODS)
def compute() -> None:
    """Every method on its own: file in, file out, no catalog.

    Formats by extension: .tsv, .tsv.gz, .parquet (genes in rows), .h5ad, .zarr (AnnData).
    """
