"""``refinebio compute compendium``: an array matrix and an RNA-seq matrix in, one imputed, normalised matrix out."""

from __future__ import annotations

import io
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, say

if TYPE_CHECKING:
    from refinebio_assets.compendia.compendium import CompendiumRecipe, PreparedCompendium
    from refinebio_assets.compendia.expression_store import Part
    from refinebio_assets.domain.vocabulary import Technology

ALGORITHMS = ("arpack", "randomized", "none")
METHODS = ("refinebio-2", "refinebio-1")


@click.command()
@click.option("--microarray", type=click.Path(path_type=Path), metavar="FILE", help="Arrays, log2 scale.")
@click.option("--rna-seq", type=click.Path(path_type=Path), metavar="FILE", help="RNA-seq, linear lengthScaledTPM.")
@click.option("--qn-target", type=click.Path(path_type=Path), metavar="FILE", help="Quantile-normalise to it.")
@click.option("--rank", type=click.IntRange(min=1), default=10, show_default=True, help="Rank of the imputation.")
@click.option(
    "--svd-algorithm",
    type=click.Choice(ALGORITHMS),
    default="arpack",
    show_default=True,
    help="How exact the decompositions are; none leaves missing values missing.",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="refinebio-2",
    show_default=True,
    help="refinebio-1 repeats the original's order and its second logarithm.",
)
@click.option("--memory", default="2GiB", show_default=True, metavar="SIZE", help="Refuse to start if more is needed.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Genes in rows for .tsv, .tsv.gz and .parquet; .h5ad and .zarr have samples in rows and all layers.",
)
@json_option
def compendium(**options: Any) -> None:
    """Combine arrays and RNA-seq: filter, impute, quantile-normalise.

    In a .h5ad or .zarr, X is the result, layer before_qn the same before quantile normalisation, and layer imputed says
    which cells were imputed.
    """
    started = time.perf_counter()
    as_json = options.pop("as_json")
    out: Path = options["out"]
    with tempfile.TemporaryDirectory(prefix=".compendium.", dir=_folder_of(out)) as scratch:
        prepared = _prepare(Path(scratch), as_json=as_json, **options)
        _write(out, prepared, as_json=as_json)
    summary = prepared.summary() | {"out": str(out), "seconds": round(time.perf_counter() - started, 3)}
    for sample, share in prepared.filtered.dropped.items():
        say(f"{sample} is left out: it has {share:.0%} of the genes.", as_json=as_json)
    text = "{out}: {genes} genes x {samples} samples, {share_imputed:.1%} imputed in {iterations} iterations"
    emit(summary, as_json, text=text.format(**summary))


def _folder_of(out: Path) -> Path:
    from refinebio_assets.matrix_files import matrix_format

    matrix_format(out)
    return out.absolute().parent


def _prepare(
    scratch: Path,
    *,
    microarray: Path | None,
    rna_seq: Path | None,
    qn_target: Path | None,
    rank: int,
    svd_algorithm: str,
    method: str,
    memory: str,
    out: Path,
    as_json: bool,
) -> PreparedCompendium:
    from refinebio_assets.compendia.compendium import CompendiumRecipe, Progress, SvdAlgorithm, prepare_compendium
    from refinebio_assets.compendia.expression_store import ExpressionStore
    from refinebio_assets.compendia.filters import CompendiumMethod, FilterOptions
    from refinebio_assets.compendia.watching import in_words
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.domain.vocabulary import Technology
    from refinebio_assets.matrix_reading import read_numbers

    given = {Technology.MICROARRAY: microarray, Technology.RNA_SEQ: rna_seq}
    if not any(given.values()):
        message = "Give --microarray, --rna-seq or both."
        raise InputError(message)
    target = None if qn_target is None else read_numbers(qn_target)
    parts = [part for kind, path in given.items() if path is not None for part in _parts(path, kind)]
    store = ExpressionStore.of(parts)
    _refuse_shared_samples(parts, store)
    recipe = CompendiumRecipe(
        filters=FilterOptions(method=CompendiumMethod(method)), rank=rank, svd_algorithm=SvdAlgorithm(svd_algorithm)
    )
    _refuse_too_much(store, recipe, memory)
    with progress("Filtering", as_json=as_json) as bar:

        def report(now: Progress) -> None:
            most = "at most " if now.step == "imputing" else ""
            left = "" if now.seconds_left is None else f", {in_words(now.seconds_left)} left"
            bar.describe(f"{now.step}: {now.done}" + (f" of {most}{now.total}" if now.total else "") + left)

        try:
            return prepare_compendium(store, recipe, scratch, target=target, report=report)
        except ValueError as error:
            message = f"No compendium can be made: {error}."
            remedy = "Give samples that share genes, or a lower --rank."
            raise InputError(message, path=out, remedy=remedy) from error


def _parts(path: Path, technology: Technology) -> list[Part]:
    from refinebio_assets.compendia.expression_store import Part, make_parts
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.domain.vocabulary import Technology as Kind
    from refinebio_assets.matrix_reading import read_matrix

    table = read_matrix(path)
    linear = technology is Kind.RNA_SEQ
    if linear and (table.matrix < 0).any():
        message = "RNA-seq values must be linear and not negative; these seem to be logarithms."
        raise InputError(message, path=path, remedy="Give lengthScaledTPM as it comes from tximport.")
    made = make_parts(
        table.matrix,
        experiment=technology.value,
        organism="",
        technology=technology,
        scale="linear" if linear else "log2",
        genes=table.genes,
        samples=table.samples,
        platforms=[""] * len(table.samples),
    )
    return [Part(info, partial(io.BytesIO, content)) for info, content in made]


def _refuse_shared_samples(parts: list[Part], store: Any) -> None:
    from refinebio_assets.domain.errors import InputError

    if sum(len(part.info.samples) for part in parts) != len(store.samples):
        message = "A sample is in both matrices."
        raise InputError(message, remedy="Give each sample another name.")


def _refuse_too_much(store: Any, recipe: CompendiumRecipe, memory: str) -> None:
    from refinebio_assets.compendia.memory import needed_bytes, parse_size
    from refinebio_assets.domain.errors import InputError

    limit, needed = parse_size(memory), needed_bytes(len(store.samples), len(store.genes), recipe)
    if needed > limit:
        message = f"{len(store.samples)} samples and {len(store.genes)} genes need {needed / 2**20:.0f} MiB."
        remedy = (
            f"Give --memory {needed // 2**20 + 1}MiB or more, or choose --svd-algorithm randomized or a lower --rank."
        )
        raise InputError(message, remedy=remedy)


def _write(out: Path, prepared: PreparedCompendium, *, as_json: bool) -> None:
    import numpy as np
    import pandas as pd

    from refinebio_assets import matrix_files
    from refinebio_assets.compendia.anndata_stream import write_anndata_blocks
    from refinebio_assets.compendia.compendium import WRITTEN_SAMPLES

    filtered = prepared.filtered
    with progress("Writing", total=len(filtered.samples), as_json=as_json) as bar:
        blocks = prepared.blocks(report=lambda now: bar.advance((now.done - 1) % WRITTEN_SAMPLES + 1))
        if matrix_files.matrix_format(out).has_layers:
            matrices = (
                (one.start, {"X": one.normalized, "before_qn": one.imputed, "imputed": one.mask}) for one in blocks
            )
            write_anndata_blocks(
                out,
                matrices,
                obs=pd.DataFrame(index=list(filtered.samples)),
                var=pd.DataFrame(index=list(filtered.genes)),
                types={"X": np.dtype("f4"), "before_qn": np.dtype("f4"), "imputed": np.dtype("?")},
            )
            return
        whole = np.concatenate([one.normalized for one in blocks])
        columns = range(0, whole.shape[1], 4096)
        pieces = (whole[:, start : start + 4096].T.astype(np.float64) for start in columns)
        matrix_files.write_matrix(out, rows=filtered.genes, columns=filtered.samples, blocks=pieces)
