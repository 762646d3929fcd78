"""``refinebio compute scan``: CEL files in, a matrix of genes or probe sets out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, say

if TYPE_CHECKING:
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.affymetrix import AffymetrixResult

METHOD_NAMES = ("scan", "scan-fast", "scan.upc", "scan.upc-fast", "upc", "upc-fast")
_file = click.Path(path_type=Path)


@click.command(name="scan")
@click.argument("cel", nargs=-1, required=True, type=_file)
@click.option(
    "--out",
    required=True,
    type=_file,
    metavar="FILE",
    help="Written as its extension says: .tsv, .tsv.gz, .parquet, .h5ad or .zarr.",
)
@click.option(
    "--probe-table",
    required=True,
    type=_file,
    metavar="FILE",
    help="The chip's probes: probe set, x, y, sequence (Affymetrix' probe_tab).",
)
@click.option(
    "--probe-summary",
    type=_file,
    metavar="FILE",
    help="Probes with their genes (Brainarray): genes instead of the chip's own probe sets.",
)
@click.option(
    "--method",
    type=click.Choice(METHOD_NAMES),
    default="scan-fast",
    show_default=True,
    help="scan.upc and scan.upc-fast give SCAN.UPC's numbers, upc and upc-fast probabilities of expression.",
)
@click.option("--chip", default="", metavar="NAME", help="Refuse arrays of any other chip type (HG-U133_Plus_2).")
@click.option("--keep-going", is_flag=True, help="Write the good arrays when others cannot be processed.")
@click.option("--threads", type=click.IntRange(min=1), help="Arrays at a time; as many as processors if not given.")
@json_option
def scan(**options: Any) -> None:
    """Normalise Affymetrix arrays by SCAN, each on its own: CEL files in, a matrix out.

    Samples are called after their files. One bad file stops the command with nothing written, unless --keep-going is
    given; then the good ones are written, the bad ones listed, and the exit status is 2.
    """
    started = time.perf_counter()
    out, as_json = options["out"], options["as_json"]
    results, failed, annotation = _run(options)
    summary: dict[str, Any] = {
        "samples": len(results),
        "genes": len(annotation.ids),
        "method": options["method"],
        "parameters": _parameters(options["method"]),
        "annotation": vars(annotation.counts),
        "arrays": [_described(path, result) for path, result in results.items()],
        "failed": [{"sample": path.name, **error.to_dict(), "file": str(path)} for path, error in failed.items()],
        "out": str(out) if results else None,
        "seconds": round(time.perf_counter() - started, 3),
    }
    for array in summary["arrays"]:
        for warning in array["warnings"]:
            say(f"{array['sample']}: {warning}", as_json=as_json)
    for path, error in failed.items():
        say(f"{path}: {error.message}", as_json=as_json)
    text = "{out}: {genes} genes x {samples} samples by {method}" if results else "Nothing written: no array was good."
    emit(summary, as_json, text=text.format(**summary))
    if failed:
        raise click.exceptions.Exit(2)


def _run(options: Mapping[str, Any]) -> tuple[dict[Path, AffymetrixResult], dict[Path, InputError], Any]:
    """Check the arguments, process, write; results, errors and the annotation."""
    from refinebio_assets import matrix_files
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.scan_annotation import ArrayAnnotation
    from refinebio_assets.microarray.scan_batch import process_cel_files

    paths: Sequence[Path] = options["cel"]
    out: Path = options["out"]
    matrix_files.matrix_format(out)
    _refuse_equal_names(paths)
    annotation = ArrayAnnotation.read(options["probe_table"], options["probe_summary"], chip=options["chip"])
    with progress("Normalising arrays", total=len(paths), as_json=options["as_json"]) as bar:
        outcomes = process_cel_files(
            paths,
            annotation,
            options["method"],
            threads=options["threads"],
            keep_going=options["keep_going"],
            on_done=lambda _path, _outcome: bar.advance(),
        )
    named = list(zip(paths, outcomes, strict=True))
    results = {path: outcome for path, outcome in named if not isinstance(outcome, InputError)}
    failed = {path: outcome for path, outcome in named if isinstance(outcome, InputError)}
    if results:
        _write(out, results)
    return results, failed, annotation


def _refuse_equal_names(paths: Sequence[Path]) -> None:
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.scan_batch import sample_name

    first: dict[str, Path] = {}
    for path in paths:
        other = first.setdefault(sample_name(path), path)
        if other is not path:
            message = f"This file and {other} would both be sample {sample_name(path)!r}."
            raise InputError(message, path=path, remedy="Rename one of them, or give each file once.")


def _write(out: Path, results: Mapping[Path, AffymetrixResult]) -> None:
    import numpy as np

    from refinebio_assets import matrix_files
    from refinebio_assets.microarray.scan_batch import sample_name

    samples = [sample_name(path) for path in results]
    any_result = next(iter(results.values()))
    matrix = np.stack([result.values for result in results.values()])
    if not matrix_files.matrix_format(out).has_layers:
        matrix_files.write_matrix(out, rows=any_result.genes, columns=samples, blocks=[matrix.T])
        return
    import anndata
    import pandas as pd

    figures = [
        {"platform_code": result.platform_code, **vars(result.quality), "iterations": result.fit.iterations}
        for result in results.values()
    ]
    value = anndata.AnnData(
        X=matrix, obs=pd.DataFrame(figures, index=samples), var=pd.DataFrame(index=list(any_result.genes))
    )
    value.uns["method"] = any_result.method
    value.uns["parameters"] = dict(any_result.parameters)
    matrix_files.write_anndata(out, value)


def _parameters(method: str) -> dict[str, Any]:
    from refinebio_assets.microarray.scan import METHODS

    return METHODS[method].parameters()


def _described(path: Path, result: AffymetrixResult) -> dict[str, Any]:
    from refinebio_assets.microarray.scan_batch import sample_name

    return {
        "sample": sample_name(path),
        "file": str(path),
        "platform_code": result.platform_code,
        "quality": vars(result.quality),
        "iterations": result.fit.iterations,
        "converged": result.fit.converged,
        "probes": result.fit.probes,
        "sampled": result.fit.sampled,
        "tie_breaks": result.fit.tie_breaks,
        "warnings": list(result.warnings),
    }
