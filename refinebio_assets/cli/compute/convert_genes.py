"""``refinebio compute convert-genes``: a table of probes, symbols, Entrez genes … in, a matrix of Ensembl genes out."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from refinebio_assets.microarray.gene_conversion import ConvertedGenes
    from refinebio_assets.microarray.identifier_maps import IdentifierMap
    from refinebio_assets.microarray.log_state import LogState, Scale

# As IdentifierType, ConversionPolicy and Scale have them, without importing numpy for --help; a test compares.
TYPES = ("probe", "ensembl", "ensembl-transcript", "entrez", "symbol", "refseq", "genbank", "unigene")
POLICIES = ("unique", "each", "refinebio-1")
SCALES = ("linear", "log2", "log10", "ln")
MATRIX_EXTENSIONS = (".parquet", ".h5ad", ".zarr")
BLOCK_GENES = 4096


@dataclass(slots=True)
class _Input:
    """What was read: identifiers, and values of shape (rows, samples)."""

    ids: list[str]
    values: NDArray[np.float64]
    samples: tuple[str, ...]
    reading: dict[str, Any]
    said: str = ""


@click.command(name="convert-genes")
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--map",
    "maps",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Mapping table: refine.bio, GEO platform, Brainarray, GTF, two columns. A second one leads on to Ensembl.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Written as its extension says: .tsv, .tsv.gz, .parquet, .h5ad or .zarr.",
)
@click.option("--from", "kind", type=click.Choice(TYPES), help="What the identifiers are; found if not given.")
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default="unique",
    show_default=True,
    help="Identifiers of several genes: left out, given to each, or as refine.bio's first version.",
)
@click.option(
    "--min-overlap",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of the identifiers that the mapping table must have.",
)
@click.option("--log2", "take_log2", is_flag=True, help="Bring values to log2, from the scale that the evidence tells.")
@click.option("--scale", type=click.Choice(SCALES), help="Scale of the values, if you know it.")
@click.option("--id-column", metavar="NAME", help="Column of the identifiers: its name, or #1, #2 …")
@click.option(
    "--value-column", "value_columns", multiple=True, metavar="NAME", help="Column of values; may be repeated."
)
@click.option("--sample", metavar="NAME", help="Whose table of a SOFT file.")
@click.option("--platform", default="", metavar="GPL", help="Which platform's table of the mapping file.")
@click.option("--layer", metavar="NAME", help="Layer of an AnnData to read; its X if not given.")
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE", help="Table of what became of every row's identifier."
)
@click.option("--keep-going", is_flag=True, help="With --log2: leave out samples whose scale cannot be told; exit 2.")
@json_option
@click.pass_context
def convert_genes(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Give the values of TABLE, of one or many samples, to Ensembl genes.

    TABLE is text (a submitter's table, a GEO sample or series matrix, a matrix with identifiers in the first column),
    Parquet or AnnData. Rows of one gene are averaged; what becomes of every row is counted.
    """
    started = time.perf_counter()
    from refinebio_assets.matrix_files import matrix_format

    matrix_format(options["out"])
    read = _read(options)
    states = _states(read)
    failed = _on_log2(read, states, options) if options["take_log2"] else []
    converted = _convert(read, options)
    _write(options["out"], options["report"], read, converted)
    counts = asdict(converted.counts)
    warnings = [*read.reading.pop("warnings", ()), *converted.warnings]
    summary = {
        "table": str(options["table"]),
        "out": str(options["out"]),
        "samples": len(read.samples),
        "method": converted.method,
        "parameters": dict(converted.parameters),
        "counts": counts,
        "detection": asdict(converted.detection),
        "reading": read.reading,
        "scales": {name: _shown(state) for name, state in states.items()},
        "failed": failed,
        "warnings": warnings,
        "seconds": round(time.perf_counter() - started, 3),
    }
    for warning in warnings:
        say(warning, as_json=as_json)
    for failure in failed:
        say(f"{failure['sample']} was left out: {failure['error']['message']}", as_json=as_json)
    text = "{out}: {genes} genes x {samples} samples from {mapped} of {rows} rows".format(**summary, **counts)
    emit(summary, as_json, text=text)
    if failed:
        ctx.exit(2)


def _read(options: dict[str, Any]) -> _Input:
    """The input as the extension says: matrices by their own reader, everything else as a submitter's table."""
    table: Path = options["table"]
    if table.name.lower().rstrip("/").endswith(MATRIX_EXTENSIONS):
        from refinebio_assets.matrix_reading import read_matrix

        matrix = read_matrix(table, layer=options["layer"])
        reading: dict[str, Any] = {"evidence": [f"read as {table.suffix}"]}
        return _Input(list(matrix.genes), matrix.matrix.T, matrix.samples, reading)
    from refinebio_assets.microarray.submitter_tables import read_submitter_table

    submitted = read_submitter_table(
        table,
        entity=options["sample"],
        id_column=_column(options["id_column"]) if options["id_column"] else None,
        value_columns=[_column(name) for name in options["value_columns"]],
    )
    reading = {
        "header_found": submitted.header_found,
        "id_column": submitted.columns[submitted.id_column] or f"#{submitted.id_column + 1}",
        "value_column": submitted.value_column,
        "confidence": submitted.confidence,
        "evidence": list(submitted.evidence),
        "missing": dict(zip(submitted.samples, submitted.missing, strict=True)),
        "not_numeric": dict(zip(submitted.samples, submitted.not_numeric, strict=True)),
        "duplicate_ids": submitted.duplicate_ids,
        "rows_without_id": submitted.rows_without_id,
        "warnings": list(submitted.warnings),
    }
    said = " ".join(submitted.descriptions.values())
    return _Input(submitted.ids.tolist(), submitted.values, submitted.samples, reading, said)


def _column(name: str) -> str | int:
    """A name, or the place that ``#1`` counts from one."""
    return int(name[1:]) - 1 if name.startswith("#") and name[1:].isdecimal() else name


def _states(read: _Input) -> dict[str, LogState]:
    from refinebio_assets.microarray.log_state import log_state

    return {name: log_state(read.values[:, at], said=read.said) for at, name in enumerate(read.samples)}


def _shown(state: LogState) -> dict[str, Any]:
    return {"scale": str(state.scale), "confidence": state.confidence, "reason": state.reason}


def _on_log2(read: _Input, states: dict[str, LogState], options: dict[str, Any]) -> list[dict[str, Any]]:
    """Replace values by their logarithms; samples that cannot be are left out, and returned.

    Raises:
        LowQualityError: A sample cannot be, and ``--keep-going`` is not given; or none can.
    """
    import numpy as np

    from refinebio_assets.domain.errors import LowQualityError
    from refinebio_assets.microarray.log_state import Scale, to_log2

    good: dict[str, NDArray[np.float64]] = {}
    failed: list[dict[str, Any]] = []
    conversions: dict[str, dict[str, Any]] = {}
    for at, name in enumerate(read.samples):
        scale: Scale = Scale(options["scale"]) if options["scale"] else states[name].scale
        if scale in {Scale.UNKNOWN, Scale.RATIO}:
            message = f"{name} cannot be brought to log2 (scale: {scale}): {states[name].reason}."
            remedy = "Leave --log2 out, say the --scale if you know it, or give --keep-going to do the others."
            error = LowQualityError(message, path=options["table"], remedy=remedy)
            if not options["keep_going"]:
                raise error
            failed.append({"sample": name, "error": error.to_dict()})
            continue
        logs = to_log2(read.values[:, at], scale)
        good[name] = logs.values
        conversions[name] = {"conversion": logs.conversion, "not_positive": logs.not_positive}
    if not good:
        message = f"None of {len(read.samples)} samples can be brought to log2: {failed[0]['error']['message']}"
        raise LowQualityError(message, path=options["table"], remedy="Say the --scale if you know it.")
    read.samples, read.values = tuple(good), np.column_stack(list(good.values()))
    read.reading["log2"] = conversions
    taken = sorted({each["conversion"] for each in conversions.values()} - {"none"})
    changed = sum(each["conversion"] != "none" for each in conversions.values())
    if changed:
        said = f"{changed} of {len(good)} samples were converted to log2 ({', '.join(taken)})."
        read.reading["warnings"] = [*read.reading.get("warnings", ()), said]
    return failed


def _convert(read: _Input, options: dict[str, Any]) -> ConvertedGenes:
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.gene_conversion import ConversionPolicy
    from refinebio_assets.microarray.gene_conversion import convert_genes as convert
    from refinebio_assets.microarray.gene_identifiers import IdentifierType

    if not read.ids or not read.samples:
        message = f"The table has {len(read.ids)} rows and {len(read.samples)} samples."
        raise InputError(message, path=options["table"], remedy="Give a table of at least one row and one sample.")
    return convert(
        read.ids,
        read.values,
        _read_maps(options["maps"], options["platform"]),
        policy=ConversionPolicy(options["policy"]),
        kind=IdentifierType(options["kind"]) if options["kind"] else None,
        least_overlap=options["min_overlap"],
    )


def _read_maps(paths: tuple[Path, ...], platform: str) -> IdentifierMap:
    from refinebio_assets.microarray.identifier_map_files import read_identifier_map

    mapping = read_identifier_map(paths[0], platform=platform)
    for path in paths[1:]:
        mapping = mapping.completed_by(read_identifier_map(path))
    return mapping


def _write(out: Path, report: Path | None, read: _Input, converted: ConvertedGenes) -> None:
    """Matrix and report, both or none."""
    from refinebio_assets.matrix_files import replacing

    with replacing(report) if report else nullcontext() as temporary:
        if temporary is not None:
            rows = zip(read.ids, converted.outcomes, converted.targets, strict=True)
            lines = [f"{name}\t{outcome}\t{'///'.join(genes)}\n" for name, outcome, genes in rows]
            temporary.write_text("identifier\toutcome\tgenes\n" + "".join(lines), encoding="utf-8")
        _write_matrix(out, read.samples, converted)


def _write_matrix(out: Path, samples: tuple[str, ...], converted: ConvertedGenes) -> None:
    from refinebio_assets import matrix_files

    if matrix_files.matrix_format(out).has_layers:
        import anndata
        import pandas as pd

        genes = {"gene_version": list(converted.versions), "rows_per_gene": converted.rows_per_gene}
        value = anndata.AnnData(
            X=converted.values.T.copy(),  # noqa: PD011  an array of numpy
            obs=pd.DataFrame(index=list(samples)),
            var=pd.DataFrame(genes, index=list(converted.genes)),
            uns={"method": converted.method},
        )
        matrix_files.write_anndata(out, value)
        return
    starts = range(0, len(converted.genes), BLOCK_GENES)
    blocks = (converted.values[start : start + BLOCK_GENES] for start in starts)  # noqa: PD011  as above
    matrix_files.write_matrix(out, rows=converted.genes, columns=samples, blocks=blocks)
