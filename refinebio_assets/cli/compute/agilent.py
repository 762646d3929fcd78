"""``refinebio compute agilent``: files of Agilent and GenePix scanners in, a matrix of probes or genes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, say

if TYPE_CHECKING:
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.agilent import AgilentMatrix, AgilentResult
    from refinebio_assets.microarray.agilent_recipe import AgilentRecipe
    from refinebio_assets.microarray.gene_conversion import ConvertedGenes

BACKGROUNDS = ("none", "subtract", "half", "minimum", "movingmin", "normexp")
WITHIN = ("none", "median", "loess", "printtiploess")
BETWEEN = ("auto", "none", "scale", "quantile", "Aquantile")
_file = click.Path(path_type=Path)

Command = Callable[..., Any]


def _choice(name: str, values: Sequence[str], default: str, text: str) -> Callable[[Command], Command]:
    return click.option(name, type=click.Choice(values), default=default, show_default=True, help=text)


@click.command(name="agilent")
@click.argument("files", nargs=-1, required=True, type=_file, metavar="FILE...")
@click.option(
    "--out",
    required=True,
    type=_file,
    metavar="FILE",
    help="Written as its extension says: .tsv, .tsv.gz, .parquet, .h5ad or .zarr.",
)
@_choice(
    "--method",
    ("limma", "scan-two-colour", "scan.upc-two-colour"),
    "limma",
    "limma's steps below, or SCAN of two-colour arrays; scan.upc-two-colour gives SCAN.UPC's numbers.",
)
@_choice("--signal", ("auto", "median", "mean", "processed"), "auto", "Summary of a spot's pixels.")
@_choice("--background", BACKGROUNDS, "normexp", "How the local background is taken off.")
@_choice("--normexp", ("saddle", "mle"), "saddle", "How the parameters of normexp are estimated.")
@click.option("--offset", type=float, help="Added after background correction; with normexp 50, one colour 16.")
@_choice("--within", WITHIN, "loess", "How the dyes of an array are made comparable.")
@_choice("--between", BETWEEN, "auto", "How arrays are made comparable; auto: Aquantile, one colour: quantile.")
@_choice("--channel", ("both", "red", "green", "ratio"), "both", "Columns per array; ratio is log2(red/green).")
@_choice("--colours", ("auto", "one", "two"), "auto", "Dyes on the arrays; auto: by what is in each file.")
@_choice(
    "--flagged", ("keep", "missing", "unweighted"), "keep", "What becomes of spots that the scanner's program flags."
)
@click.option("--allow-partial", is_flag=True, help="Take files with fewer features than they say they have.")
@click.option("--gene-map", type=_file, metavar="FILE", help="Table of probes and genes: genes instead of probes.")
@click.option("--keep-going", is_flag=True, help="Write the good arrays when others cannot be processed.")
@json_option
def agilent(**options: Any) -> None:
    """Normalise two-colour and one-colour arrays with limma's methods: Feature Extraction text or GPR files in.

    Columns are called after the files. One bad file stops the command with nothing written, unless --keep-going is
    given; then the good ones are written, the bad ones listed, and the exit status is 2.
    """
    started = time.perf_counter()
    as_json = options["as_json"]
    results, failed, matrix, genes = _run(options)
    summary: dict[str, Any] = {
        "arrays": [_described(result) for result in results],
        "samples": 0 if matrix is None else len(matrix.samples),
        "probes": 0 if matrix is None else len(matrix.probes),
        "genes": None if genes is None else len(genes.genes),
        "conversion": None if genes is None else genes.counts,
        "method": None if matrix is None else matrix.method,
        "parameters": None if matrix is None else matrix.parameters,
        "failed": [{"sample": path.name, **error.to_dict(), "file": str(path)} for path, error in failed.items()],
        "warnings": [] if genes is None else list(genes.warnings),
        "out": str(options["out"]) if matrix is not None else None,
        "seconds": round(time.perf_counter() - started, 3),
    }
    for line in _remarks(results, failed, summary["warnings"]):
        say(line, as_json=as_json)
    rows = "{probes} probes" if genes is None else "{genes} genes"
    text = f"{{out}}: {rows} x {{samples}} columns by {{method}}" if results else "Nothing written: no array was good."
    emit(summary, as_json, text=text.format(**summary))
    if failed:
        raise click.exceptions.Exit(2)


def _run(
    options: Mapping[str, Any],
) -> tuple[list[AgilentResult], dict[Path, InputError], AgilentMatrix | None, ConvertedGenes | None]:
    """Check the arguments, process, write."""
    from refinebio_assets import matrix_files
    from refinebio_assets.microarray.agilent import Measure, combine
    from refinebio_assets.microarray.gene_conversion import convert_genes
    from refinebio_assets.microarray.identifier_map_files import read_identifier_map
    from refinebio_assets.microarray.two_colour import Between

    paths: Sequence[Path] = options["files"]
    matrix_files.matrix_format(options["out"])
    _refuse_equal_names(paths)
    mapping = None if options["gene_map"] is None else read_identifier_map(options["gene_map"])
    results, failed = _process(paths, _recipe(options), keep_going=options["keep_going"], as_json=options["as_json"])
    if not results:
        return results, failed, None, None
    between = None if options["between"] == "auto" else Between(options["between"])
    matrix = combine(results, between=between, measure=Measure(options["channel"]))
    genes = None if mapping is None else convert_genes(matrix.probes, matrix.values.T, mapping)
    _write(options["out"], matrix, genes, results)
    return results, failed, matrix, genes


def _recipe(options: Mapping[str, Any]) -> AgilentRecipe:
    from refinebio_assets.microarray.agilent_array import Signal
    from refinebio_assets.microarray.agilent_background import Background, NormexpFit
    from refinebio_assets.microarray.agilent_channels import Colours
    from refinebio_assets.microarray.agilent_recipe import AgilentRecipe, Flagged
    from refinebio_assets.microarray.two_colour import Within

    return AgilentRecipe(
        method=options["method"],
        signal=Signal(options["signal"]),
        background=Background(options["background"]),
        normexp=NormexpFit(options["normexp"]),
        offset=options["offset"],
        within=Within(options["within"]),
        flagged=Flagged(options["flagged"]),
        colours=None if options["colours"] == "auto" else Colours(options["colours"]),
        allow_partial=options["allow_partial"],
    )


def _process(
    paths: Sequence[Path], recipe: AgilentRecipe, *, keep_going: bool, as_json: bool
) -> tuple[list[AgilentResult], dict[Path, InputError]]:
    """One array after the other; those that are of another design or colour than most are bad, too."""
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.agilent import process_agilent_file

    results: dict[Path, AgilentResult] = {}
    failed: dict[Path, InputError] = {}
    with progress("Normalising arrays", total=len(paths), as_json=as_json) as bar:
        for path in paths:
            try:
                results[path] = process_agilent_file(path, recipe)
            except InputError as error:
                if not keep_going:
                    raise
                failed[path] = error
            bar.advance()
    odd = _odd_ones(results)
    if odd and not keep_going:
        raise next(iter(odd.values()))
    failed |= odd
    good = [result for path, result in results.items() if path not in odd]
    return good, {path: failed[path] for path in paths if path in failed}


def _odd_ones(results: Mapping[Path, AgilentResult]) -> dict[Path, InputError]:
    """Arrays that cannot be compared with the largest group of arrays that can; why not."""
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.agilent import refuse_other_design

    groups: list[tuple[AgilentResult, dict[Path, InputError]]] = []
    for reference in results.values():
        if any(reference.path not in odd for _, odd in groups):
            continue
        groups.append((reference, {}))
        for path, other in results.items():
            try:
                refuse_other_design(reference, other)
            except InputError as error:
                groups[-1][1][path] = error
    return min((odd for _, odd in groups), key=len, default={})


def _refuse_equal_names(paths: Sequence[Path]) -> None:
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.agilent_array import name_of

    first: dict[str, Path] = {}
    for path in paths:
        other = first.setdefault(name_of(path), path)
        if other is not path:
            message = f"This file and {other} would both be array {name_of(path)!r}."
            raise InputError(message, path=path, remedy="Rename one of them, or give each file once.")


def _write(out: Path, matrix: AgilentMatrix, genes: ConvertedGenes | None, results: Sequence[AgilentResult]) -> None:
    from refinebio_assets import matrix_files

    rows = matrix.probes if genes is None else genes.genes
    values = matrix.values.T if genes is None else genes.values
    if not matrix_files.matrix_format(out).has_layers:
        matrix_files.write_matrix(out, rows=rows, columns=matrix.samples, blocks=[values])
        return
    import anndata
    import numpy as np
    import pandas as pd

    arrays = [result.name for result in results for _ in range(len(matrix.samples) // len(results))]
    value = anndata.AnnData(
        X=np.ascontiguousarray(values.T, dtype=np.float32),
        obs=pd.DataFrame({"array": arrays}, index=list(matrix.samples)),
        var=pd.DataFrame(index=list(rows)),
    )
    value.uns["method"] = matrix.method
    value.uns["parameters"] = _plain(matrix.parameters)
    matrix_files.write_anndata(out, value)


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of names as text: AnnData files hold no lists in dictionaries of dictionaries."""
    return {
        name: {each: ", ".join(names) for each, names in value.items()} if isinstance(value, Mapping) else value
        for name, value in parameters.items()
    }


def _remarks(results: Sequence[AgilentResult], failed: Mapping[Path, InputError], warnings: Sequence[str]) -> list[str]:
    lines = [f"{result.name}: {warning}" for result in results for warning in result.warnings]
    return lines + [f"{path}: {error.message}" for path, error in failed.items()] + list(warnings)


def _described(result: AgilentResult) -> dict[str, Any]:
    return {
        "array": result.name,
        "file": str(result.path),
        "format": str(result.format),
        "colours": str(result.colours.colours),
        "confidence": result.colours.confidence,
        "evidence": list(result.colours.evidence),
        "quality": vars(result.quality),
        "warnings": list(result.warnings),
    }
