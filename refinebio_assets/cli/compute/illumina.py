"""``refinebio compute illumina``: a table of BeadArray signals in, a matrix of genes or probes out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from refinebio_assets.cli.common import emit, json_option, progress, say
from refinebio_assets.cli.compute.several_values import SeveralValuesCommand, SeveralValuesOption

if TYPE_CHECKING:
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.illumina import BeadInput, BeadSample
    from refinebio_assets.microarray.illumina_genes import GeneMapping
    from refinebio_assets.microarray.illumina_platform import BeadPlatform, PlatformOverlap
    from refinebio_assets.microarray.illumina_samples import SampleMatch
    from refinebio_assets.microarray.illumina_table import BeadTable

METHOD_NAMES = ("bead-scan", "refinebio-1", "nec", "neqc")
_file = click.Path(path_type=Path)


@click.command(cls=SeveralValuesCommand, name="illumina")
@click.argument("table", type=_file)
@click.option(
    "--out",
    required=True,
    type=_file,
    metavar="FILE",
    help="Written as its extension says: .tsv, .tsv.gz, .parquet, .h5ad or .zarr.",
)
@click.option(
    "--platform-table",
    "platform_tables",
    cls=SeveralValuesOption,
    multiple=True,
    type=_file,
    metavar="FILE...",
    help="Probes with sequence, quality, Ensembl gene; of several platforms the one that the table is of is taken.",
)
@click.option("--probe-map", type=_file, metavar="FILE", help="Gene of each probe that the platform gives several.")
@click.option("--controls", type=_file, metavar="FILE", help="Control probe profile: background by negative controls.")
@click.option("--samples", type=_file, metavar="FILE", help="Columns accession, title, description: names of samples.")
@click.option(
    "--method",
    type=click.Choice(METHOD_NAMES),
    help="bead-scan where the probes' sequences are known, else nec, if not given.",
)
@click.option("--keep-going", is_flag=True, help="Write the good samples when others cannot be processed.")
@json_option
def illumina(**options: Any) -> None:
    """Normalise Illumina BeadArrays: a table of signals and detection p-values in, a matrix out.

    What the columns are is found out, and told; a table that is not clear enough is refused. Without a platform table
    rows are probes, with genes in it they are Ensembl genes.
    """
    started = time.perf_counter()
    out, as_json = options["out"], options["as_json"]
    run = _run(options)
    summary = run.summary() | {
        "out": str(out) if run.results else None,
        "seconds": round(time.perf_counter() - started, 3),
    }
    for warning in summary["warnings"]:
        say(f"{options['table']}: {warning}", as_json=as_json)
    for name, error in run.failed.items():
        say(f"{name}: {error.message}", as_json=as_json)
    text = "{out}: {genes} {rows} x {samples} samples by {method}; columns read with confidence {confidence}"
    if not run.results:
        text = "Nothing written: no sample was good."
    emit(summary, as_json, text=text.format(**summary))
    if run.failed:
        raise click.exceptions.Exit(2)


class _Run(NamedTuple):
    """Everything that was read and computed."""

    table: BeadTable
    method: str
    given: BeadInput
    platform: BeadPlatform | None
    overlaps: Sequence[PlatformOverlap]
    matches: Mapping[str, SampleMatch]
    mapping: GeneMapping | None
    results: Sequence[BeadSample]
    failed: Mapping[str, InputError]

    def name_of(self, sample: BeadSample) -> str:
        """The accession of a sample if it is known, else what the table calls it."""
        return self.matches[sample.name].accession or sample.name

    def summary(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        from refinebio_assets.microarray.illumina import method_parameters

        rows = len(self.given.probes) if self.mapping is None else len(self.mapping.genes)
        return {
            "samples": len(self.results),
            "genes": rows,
            "rows": "probes" if self.mapping is None else "genes",
            "method": self.method,
            "parameters": method_parameters(self.method),
            "confidence": self.table.confidence,
            "table": _read_as(self.table),
            "platform": None if self.platform is None else self.platform.name,
            "platforms": [asdict(one) for one in self.overlaps],
            "probes": None if self.mapping is None else asdict(self.mapping.counts),
            "arrays": [self._described(sample) for sample in self.results],
            "failed": [{"sample": name, **error.to_dict()} for name, error in self.failed.items()],
            "warnings": [*self.table.warnings, *self.given.warnings, *self._warnings()],
        }

    def _warnings(self) -> list[str]:
        found = [f"{sample.name}: {warning}" for sample in self.results for warning in sample.warnings]
        parts = [one for one in self.overlaps if one.is_part and one.platform == getattr(self.platform, "name", None)]
        found += [f"Only {one.of_data:.1f} % of the table's identifiers are probes of {one.platform}." for one in parts]
        if any(match.candidates for match in self.matches.values()):
            doubtful = [name for name, match in self.matches.items() if match.candidates]
            found.append(f"{len(doubtful)} columns may be of several samples, the first is {doubtful[0]!r}.")
        return found

    def _described(self, sample: BeadSample) -> dict[str, Any]:
        match = self.matches[sample.name]
        return {
            "sample": self.name_of(sample),
            "column": sample.name,
            "matched_by": match.by.value,
            "candidates": list(match.candidates),
            "quality": asdict(sample.quality),
            "background": None if sample.background is None else asdict(sample.background),
            "fit": None if sample.fit is None else asdict(sample.fit),
            "warnings": list(sample.warnings),
        }


def _read_as(table: BeadTable) -> dict[str, Any]:
    layout = table.reading.layout
    return {
        "confidence": table.confidence,
        "evidence": list(table.evidence),
        "encoding": layout.text.encoding,
        "delimiter": layout.delimiter,
        "decimal": layout.decimal,
        "header_line": layout.header_line,
        "scale": table.scale,
        "rows": len(table.ids),
        "id_column": table.header[table.id_column],
        "id_kind": table.id_kind.value,
        "detection_is_reversed": table.reading.interpretation.detection_is_reversed,
        "non_numeric": table.non_numeric,
        "columns": [asdict(column) for column in table.columns],
    }


def _run(options: Mapping[str, Any]) -> _Run:
    """Check the arguments, read, normalise, write."""
    from refinebio_assets import matrix_files
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.illumina import default_method, normalise, prepare
    from refinebio_assets.microarray.illumina_controls import read_negative_controls
    from refinebio_assets.microarray.illumina_platform import detect_platform, read_platform_table
    from refinebio_assets.microarray.illumina_samples import match_samples, match_single, read_sample_hints
    from refinebio_assets.microarray.illumina_table import read_bead_table

    matrix_files.matrix_format(options["out"])
    hints = read_sample_hints(options["samples"]) if options["samples"] else ()
    table = read_bead_table(options["table"], samples=hints)
    names = table.names
    found = [match_single(names[0], hints)] if len(names) == 1 else match_samples(names, hints)
    platforms = [read_platform_table(path) for path in options["platform_tables"]]
    platform, overlaps = detect_platform(table.ids, platforms) if platforms else (None, [])
    controls = read_negative_controls(options["controls"], names) if options["controls"] else None
    method = options["method"] or default_method(table, platform)
    given = prepare(table, method, platform=platform, controls=controls)
    mapping = _mapping(given, platform, options["probe_map"])
    with progress("Normalising samples", total=len(names), as_json=options["as_json"]) as bar:
        outcomes = normalise(given, method, on_sample=lambda _name: bar.advance())
    failed = {name: one for name, one in zip(names, outcomes, strict=True) if isinstance(one, InputError)}
    if failed and not options["keep_going"]:
        raise next(iter(failed.values()))
    results = [outcome for outcome in outcomes if not isinstance(outcome, InputError)]
    matches = {match.column: match for match in found}
    run = _Run(table, method, given, platform, overlaps, matches, mapping, results, failed)
    if results:
        _write(options["out"], run)
    return run


def _mapping(given: BeadInput, platform: BeadPlatform | None, probe_map: Path | None) -> GeneMapping | None:
    """Which genes the probes are for; None if nothing says so."""
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.microarray.illumina_genes import map_genes
    from refinebio_assets.microarray.illumina_platform import read_probe_map

    chosen = read_probe_map(probe_map) if probe_map else None
    if chosen is None and (platform is None or platform.genes is None):
        return None
    mapping = map_genes(given.probes, platform, probe_map=chosen)
    if not mapping.genes:
        message = "None of the table's probes has a gene."
        raise InputError(message, path=probe_map, remedy="Give the platform table or probe map of these arrays.")
    return mapping


def _write(out: Path, run: _Run) -> None:
    import numpy as np

    from refinebio_assets import matrix_files

    values = np.stack([sample.values for sample in run.results])
    rows = run.given.probes
    if run.mapping is not None:
        values, rows = run.mapping.summarize(values), run.mapping.genes
    samples = [run.name_of(sample) for sample in run.results]
    if not matrix_files.matrix_format(out).has_layers:
        matrix_files.write_matrix(out, rows=rows, columns=samples, blocks=[np.ascontiguousarray(values.T)])
        return
    import anndata
    import pandas as pd

    figures = [{"column": sample.name, **asdict(sample.quality)} for sample in run.results]
    var = pd.DataFrame(index=list(rows))
    if run.mapping is not None:
        var["probes"] = run.mapping.probes_per_gene
    observed = pd.DataFrame(figures, index=samples).astype(dict.fromkeys(_FIGURES, float))
    value = anndata.AnnData(X=values.astype(np.float32), obs=observed, var=var)
    value.uns["method"] = run.method
    matrix_files.write_anndata(out, value)


_FIGURES = ("missing", "detected", "signal_median", "signal_p95", "not_positive", "gc_correlation_before",
            "gc_correlation_after")  # fmt: skip
