"""``refinebio compute``: every method on its own, file in, file out, without a catalog."""

from __future__ import annotations

import click

from refinebio_assets.cli.compute.tximport import tximport


@click.group()
def compute() -> None:
    """Every method on its own: file in, file out, no catalog.

    Formats by extension: .tsv, .tsv.gz, .parquet (genes in rows), .h5ad, .zarr (AnnData).
    """


compute.add_command(tximport)
