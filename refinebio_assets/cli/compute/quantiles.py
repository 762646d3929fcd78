"""``refinebio compute qn-target`` and ``quantile-normalize``: a matrix in, a distribution or a matrix out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option

if TYPE_CHECKING:
    from refinebio_assets.matrix_reading import GeneTable

BLOCK_GENES = 4096
MATRIX_HELP = "Genes in rows for .tsv, .tsv.gz and .parquet; AnnData for .h5ad and .zarr."
_layer_option = click.option("--layer", metavar="NAME", help="Layer of an AnnData to read; its X if not given.")
_matrix_argument = click.argument("matrix", type=click.Path(path_type=Path))


@click.command(name="qn-target")
@_matrix_argument
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="One number per line.")
@_layer_option
@json_option
def qn_target(matrix: Path, out: Path, layer: str | None, as_json: bool) -> None:
    """The distribution of MATRIX for quantile normalisation: the mean of its samples' sorted values.

    Equal to preprocessCore's normalize.quantiles.determine.target. As many numbers as genes, ascending, no header.
    """
    started = time.perf_counter()
    from refinebio_assets.compendia.quantile_normalization import quantile_target
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.matrix_files import replacing
    from refinebio_assets.matrix_reading import read_matrix

    table = read_matrix(matrix, layer=layer)
    _refuse_nothing(matrix, table)
    if not out.absolute().parent.is_dir():
        message = "The folder for the output does not exist."
        raise InputError(message, path=out, remedy=f"Create it: mkdir -p {out.parent}")
    target = quantile_target([table.matrix])
    with replacing(out) as temporary:
        temporary.write_text("".join(f"{number!r}\n" for number in target.tolist()), encoding="ascii")
    summary = {
        "samples": len(table.samples),
        "genes": len(table.genes),
        "out": str(out),
        "seconds": round(time.perf_counter() - started, 3),
    }
    emit(summary, as_json, text="{out}: target of {samples} samples, {genes} values".format(**summary))


@click.command(name="quantile-normalize")
@_matrix_argument
@click.option(
    "--target", required=True, type=click.Path(path_type=Path), metavar="FILE", help="One number per line, no header."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help=MATRIX_HELP)
@_layer_option
@json_option
def quantile_normalize(matrix: Path, target: Path, out: Path, layer: str | None, as_json: bool) -> None:
    """Give all samples of MATRIX the distribution of a target.

    Equal to preprocessCore's normalize.quantiles.use.target: ties share the value at their mean rank, missing values
    stay missing, a target of another length is interpolated.
    """
    started = time.perf_counter()
    from refinebio_assets import matrix_files
    from refinebio_assets.compendia.quantile_normalization import quantile_normalize as normalize
    from refinebio_assets.matrix_reading import read_matrix, read_numbers

    matrix_files.matrix_format(out)
    distribution = read_numbers(target)
    table = read_matrix(matrix, layer=layer)
    _refuse_nothing(matrix, table)
    normalize(table.matrix, distribution, out=table.matrix)
    _write(out, table)
    summary: dict[str, Any] = {
        "samples": len(table.samples),
        "genes": len(table.genes),
        "target_values": len(distribution),
        "interpolated": len(distribution) != len(table.genes),
        "out": str(out),
        "seconds": round(time.perf_counter() - started, 3),
    }
    emit(summary, as_json, text="{out}: {genes} genes x {samples} samples".format(**summary))


def _refuse_nothing(path: Path, table: GeneTable) -> None:
    from refinebio_assets.domain.errors import InputError

    if not table.genes or not table.samples:
        message = f"The matrix has {len(table.genes)} genes and {len(table.samples)} samples."
        raise InputError(message, path=path, remedy="Give a matrix of at least one gene and one sample.")


def _write(out: Path, table: GeneTable) -> None:
    from refinebio_assets import matrix_files

    if matrix_files.matrix_format(out).has_layers:
        import anndata
        import pandas as pd

        names = {"obs": pd.DataFrame(index=list(table.samples)), "var": pd.DataFrame(index=list(table.genes))}
        matrix_files.write_anndata(out, anndata.AnnData(X=table.matrix, **names))
        return
    starts = range(0, len(table.genes), BLOCK_GENES)
    blocks = (table.matrix[:, start : start + BLOCK_GENES].T for start in starts)
    matrix_files.write_matrix(out, rows=table.genes, columns=table.samples, blocks=blocks)
