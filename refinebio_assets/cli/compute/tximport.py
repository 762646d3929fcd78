"""``refinebio compute tximport``: quant.sf files in, a gene matrix out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, say
from refinebio_assets.cli.compute.several_values import SeveralValuesCommand, SeveralValuesOption

if TYPE_CHECKING:
    from refinebio_assets.rna_seq.gene_matrix import GeneMatrix
    from refinebio_assets.rna_seq.tximport import GeneExpression

MODES = ("lengthScaledTPM", "scaledTPM", "no")
VALUES = ("counts", "abundance", "length")


@click.command(cls=SeveralValuesCommand)
@click.option(
    "--quant",
    "quant",
    cls=SeveralValuesOption,
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR|FILE...",
    help="quant.sf files, or folders of one folder per sample; plain, .gz, .bz2 or .xz.",
)
@click.option(
    "--tx2gene",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Table of genes and transcripts, two columns; a header such as transcript_id, gene_id is understood.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Written as its extension says: .tsv, .tsv.gz, .parquet, .h5ad or .zarr.",
)
@click.option(
    "--counts-from-abundance",
    "mode",
    type=click.Choice(MODES),
    default="lengthScaledTPM",
    show_default=True,
    help="How counts are made: from TPM and gene length, from TPM, or as Salmon estimated them.",
)
@click.option(
    "--value",
    type=click.Choice(VALUES),
    default="counts",
    show_default=True,
    help="The matrix to write; .h5ad and .zarr have it as X, and all others as layers.",
)
@click.option("--ignore-tx-version", is_flag=True, help="Look transcripts up without what follows the first dot.")
@json_option
def tximport(**options: Any) -> None:
    """Sum transcript estimates per gene, as Bioconductor's tximport does.

    Samples are called after the folders of their files, or after the files where several share a folder.
    """
    started = time.perf_counter()
    as_json = options.pop("as_json")
    result = _run(**options, as_json=as_json)
    summary = {
        "samples": len(result.samples),
        "genes": len(result.genes),
        "transcripts": result.transcripts,
        "dropped_transcripts": result.dropped_transcripts,
        "mode": options["mode"],
        "value": options["value"],
        "out": str(options["out"]),
        "seconds": round(time.perf_counter() - started, 3),
    }
    if result.dropped_transcripts:
        say(
            f"{result.dropped_transcripts} of {result.transcripts} transcripts are not in the map: left out.",
            as_json=as_json,
        )
    emit(summary, as_json, text="{out}: {genes} genes x {samples} samples in {seconds} s".format(**summary))


def _run(
    *, quant: tuple[Path, ...], tx2gene: Path, out: Path, mode: str, value: str, ignore_tx_version: bool, as_json: bool
) -> GeneExpression | GeneMatrix:
    """Check the arguments, import, write."""
    from refinebio_assets import matrix_files
    from refinebio_assets.rna_seq.gene_map import GeneMap
    from refinebio_assets.rna_seq.gene_matrix import tximport_matrix
    from refinebio_assets.rna_seq.quant_sf import find_quant_files
    from refinebio_assets.rna_seq.tximport import CountsFromAbundance, Quantity
    from refinebio_assets.rna_seq.tximport import tximport as import_quant_files

    kind = matrix_files.matrix_format(out)
    counts, quantity = CountsFromAbundance(mode), Quantity(value)
    sources, gene_map = find_quant_files(quant), GeneMap.read(tx2gene)
    with progress("Reading quant files", total=len(sources), as_json=as_json) as bar:
        settings: dict[str, Any] = {"ignore_tx_version": ignore_tx_version, "on_sample": lambda _sample: bar.advance()}
        if kind.has_layers:
            expression = import_quant_files(sources, gene_map, **settings)
            matrix_files.write_anndata(out, expression.to_anndata(counts, quantity))
            return expression
        settings |= {"scratch": out.absolute().parent, "mode": counts, "quantity": quantity}
        with tximport_matrix(sources, gene_map, **settings) as matrix:
            matrix_files.write_matrix(out, rows=matrix.genes, columns=matrix.samples, blocks=matrix.blocks())
            return matrix
