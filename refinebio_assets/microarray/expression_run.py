"""Expression of an experiment's arrays: what needs it is processed, then the values of all samples become matrices.

One matrix per organism: arrays of different organisms have no genes in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refinebio_assets import __version__, plots
from refinebio_assets.compendia.expression_store import PartInfo
from refinebio_assets.compendia.store_run import expression_parts_of, part_files
from refinebio_assets.domain.fingerprints import fingerprint_of
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import INELIGIBLE_STATES, ComputedFileKind, LedgerKind, SampleState, Technology
from refinebio_assets.microarray import array_quality
from refinebio_assets.microarray.arrays_run import CODE_VERSION, DUPLICATE, USABLE, ExperimentArrays
from refinebio_assets.microarray.inputs_run import ArrayInputs
from refinebio_assets.microarray.methods_run import ArrayMethods
from refinebio_assets.microarray.references_run import References
from refinebio_assets.microarray.run_environment import ArrayEnvironment
from refinebio_assets.microarray.values_file import values_from_bytes
from refinebio_assets.rna_seq.fan_out import FanOut, LocalFanOut
from refinebio_assets.rna_seq.quantification import only_one
from resources.catalog import ArrayFile, ArrayToProcess, Catalog, FileToRecord, ResultToRecord, StateChange
from resources.object_store import ObjectStore
from resources.tools.environment import software_environment

if TYPE_CHECKING:
    import anndata

PROCESSOR = "Array expression"
UNKNOWN_ORGANISM = "UNKNOWN"
MOST_PROGRESS_LINES = 100
FILE_KINDS = {
    ".h5ad": ComputedFileKind.ARRAY_EXPRESSION_ANNDATA,
    ".parquet": ComputedFileKind.ARRAY_EXPRESSION_PARQUET,
}
QUALITY_COLUMNS = ("share_of_zeros", "gc_bias_before", "gc_bias_after")
"""Metrics that become columns of the samples; NaN for methods that do not have them."""


@dataclass(slots=True, kw_only=True)
class ArrayRun:
    """What a run over an experiment's arrays did.

    ``value`` has a matrix (samples x genes) per organism, None if no sample has values; ``commit`` records the stored
    files. ``left_out`` has the reason for every eligible sample that is in no matrix, ``copies`` the original of those
    that repeat another one, ``unlike`` the correlation with the median array where it is low.
    """

    value: dict[str, anndata.AnnData] | None = None
    commit: Callable[[], object] | None = None
    data_version: str | None = None
    processed: int = 0
    kept: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    unlike: Mapping[str, float] = field(default_factory=dict)

    @property
    def suspicious_samples(self) -> list[str]:
        """Samples in a matrix without any spread of values."""
        return [
            str(sample)
            for matrix in (self.value or {}).values()
            for sample, row in zip(matrix.obs_names, np.asarray(matrix.X), strict=True)
            if not array_quality.has_signal(row)
        ]

    def plot(self) -> str:
        """Distribution of values per sample as Markdown."""
        parts = [
            plots.value_densities(np.asarray(matrix.X, dtype=np.float64), list(matrix.obs_names), title=organism)
            for organism, matrix in (self.value or {}).items()
        ]
        return "\n\n".join(parts)

    def ma_plot(self) -> str:
        """The arrays that agree least with the median array of their experiment, each against it, as Markdown."""
        parts = [plots.ma_plots(*_worst(matrix), title=organism) for organism, matrix in (self.value or {}).items()]
        return "\n\n".join(parts)


def express_arrays(experiment: str, environment: ArrayEnvironment, *, fan_out: FanOut | None = None) -> ArrayRun:
    """Process the array samples that an experiment owns whose inputs changed, and gather the values of all its samples.

    Samples that failed for good are left alone until their files, references or methods change. One process at a time
    works on an experiment; a second one waits and then finds the work done.

    Args:
        experiment: Experiment accession.
        environment: What the run works with.
        fan_out: How arrays are spread; threads of this process if None. As many arrays are in memory as run at once.

    Raises:
        NotFoundError: The catalog does not know the experiment.
        OSError: The disk is full or not writable.
    """
    catalog, settings = environment.catalog, environment.settings
    folder = scratch_folder(environment, experiment)
    with only_one(folder):
        owned = catalog.arrays_to_process(experiment)
        references = References(catalog, environment.store)
        arrays = ExperimentArrays(
            experiment=experiment,
            environment=environment,
            references=references,
            inputs=ArrayInputs(experiment, environment, folder, owned, catalog.experiment_annotations(experiment)),
            methods=ArrayMethods(references, settings.scan_method),
        )
        done = [sample for sample in owned if arrays.is_done(sample)]
        for sample in done:
            _restore(arrays, sample)
        known = {sample.accession for sample in done}
        waiting = [one for one in owned if one.accession not in known and not arrays.is_settled(one)]
        processed = _process(arrays, waiting, fan_out or LocalFanOut(settings.parallel_samples))
        arrays.inputs.clear()
        run = ArrayRun(processed=processed, kept=len(done))
        _gather(run, experiment, environment)
    catalog.refresh_experiment_state(experiment, run_id=environment.run_id)
    return run


def scratch_folder(environment: ArrayEnvironment, experiment: str) -> Path:
    """Where the files of an experiment's arrays are while they are processed."""
    return environment.settings.scratch / "arrays" / experiment


def _restore(arrays: ExperimentArrays, sample: ArrayToProcess) -> None:
    """A sample whose values are right, but whose state was changed (a reference came and went), counts again."""
    if sample.values is not None and sample.state not in USABLE and sample.reason != DUPLICATE:
        metrics = sample.values.metrics
        arrays.note_values(sample, method=metrics["method"], fingerprint=metrics["fingerprint"])


def _process(arrays: ExperimentArrays, waiting: Sequence[ArrayToProcess], spread: FanOut) -> int:
    batches = arrays.batches(waiting)
    processed = 0
    for number, valued in enumerate(spread.run(arrays.process, batches), start=1):
        processed += valued
        # Each line of the log is a row in Dagster's database, which costs as much as recording a sample.
        if number == len(batches) or number % max(1, len(batches) // MOST_PROGRESS_LINES) == 0:
            arrays.environment.log.info("%s: %d of %d files done", arrays.experiment, number, len(batches))
    return processed


def _gather(run: ArrayRun, experiment: str, environment: ArrayEnvironment) -> None:
    """Read the values of all samples, settle which are copies of others, and make the matrices."""
    catalog = environment.catalog
    files = catalog.array_files(experiment)
    usable = [one for one in files if one.key is not None and (one.state in USABLE or one.reason == DUPLICATE)]
    values = _read_values(usable, environment.store)
    hashes = {sample: array_quality.content_hash(*found) for sample, found in values.items()}
    copies = array_quality.duplicates(hashes)
    _settle_copies(usable, copies, experiment, environment)
    kept = [one for one in usable if one.sample not in copies]
    entries = {entry.accession: entry for entry in catalog.ledger.of_experiment(experiment)}
    gathered = {one.sample for one in kept}
    run.left_out = {one.sample: entries[one.sample].message for one in files if one.sample not in gathered}
    run.copies = copies
    if not kept:
        return
    run.value = _matrices(experiment, kept, values, run.left_out, catalog)
    run.unlike = _unlike(run.value)
    parts = [[one.sample, one.sha256, one.organism] for one in kept]
    fingerprint = fingerprint_of("array expression", CODE_VERSION, experiment, parts, dict(run.left_out))
    run.data_version = fingerprint[:16]
    run.commit = lambda: _record(run, kept, experiment, fingerprint, environment)


def _read_values(files: Sequence[ArrayFile], store: ObjectStore) -> dict[str, Any]:
    """Genes and values by sample; arrays of one platform share the names of its genes."""
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    values = {}
    for one in files:
        genes, numbers = values_from_bytes(store.get_bytes(str(one.key)))
        values[one.sample] = known.setdefault(genes, genes), numbers
    return values


def _settle_copies(
    usable: Sequence[ArrayFile], copies: Mapping[str, str], experiment: str, environment: ArrayEnvironment
) -> None:
    """Write which of the experiment's own samples are copies; those that are none any more count again.

    Samples that another experiment owns are only left out of this one's matrices: their state is its affair.
    """
    changes = []
    for one in usable:
        original = copies.get(one.sample)
        if one.owner != experiment or (original is None) == (one.reason != DUPLICATE):
            continue
        if original is not None:
            message = f"Its values are those of {original}, to the last digit: one array was submitted twice."
            decision = LedgerDecision(state=SampleState.FAILED_QC, reason=DUPLICATE, message=message)
        else:
            message = "It is no copy of another sample any more."
            decision = LedgerDecision(state=SampleState.QUANTIFIED, reason="values_computed", message=message)
        changes.append(_change(one.sample, experiment, decision, environment))
    environment.catalog.ledger.set_states(changes)


def _change(sample: str, experiment: str, decision: LedgerDecision, environment: ArrayEnvironment) -> StateChange:
    return StateChange(
        accession=sample,
        kind=LedgerKind.SAMPLE,
        experiment_accession=experiment,
        decision=decision,
        run_id=environment.run_id,
        not_from=INELIGIBLE_STATES,  # withdrawn or ruled out by a survey meanwhile
    )


def _matrices(
    experiment: str,
    files: Sequence[ArrayFile],
    values: Mapping[str, Any],
    left_out: Mapping[str, str],
    catalog: Catalog,
) -> dict[str, anndata.AnnData]:
    by_organism: dict[str, list[ArrayFile]] = {}
    for one in files:
        by_organism.setdefault(one.organism or UNKNOWN_ORGANISM, []).append(one)
    made = {}
    for organism, found in sorted(by_organism.items()):
        matrix = _matrix(found, values)
        _describe(matrix, found, experiment, organism, catalog)
        matrix.uns["left_out"] = dict(left_out)
        made[organism] = matrix
    return made


def _matrix(files: Sequence[ArrayFile], values: Mapping[str, Any]) -> anndata.AnnData:
    """Samples x genes, float32; NaN where a gene is not on a sample's array."""
    import anndata
    import pandas as pd

    genes = sorted(reduce(or_, (set(values[one.sample][0]) for one in files)))
    place = {gene: at for at, gene in enumerate(genes)}
    numbers = np.full((len(files), len(genes)), np.nan, dtype=np.float32)
    columns: tuple[str, ...] | None = None
    where = np.arange(len(genes))
    for row, one in zip(numbers, files, strict=True):
        names, of_sample = values[one.sample]
        if names != columns:
            columns, where = names, np.array([place[name] for name in names], dtype=np.int64)
        row[where] = of_sample
    obs = pd.DataFrame(index=pd.Index([one.sample for one in files]))
    return anndata.AnnData(X=numbers, obs=obs, var=pd.DataFrame(index=pd.Index(genes)))


def _describe(
    matrix: anndata.AnnData, files: Sequence[ArrayFile], experiment: str, organism: str, catalog: Catalog
) -> None:
    """Sample metadata as columns, provenance in ``uns``; nothing in it depends on when or where it was made."""
    samples = [one.sample for one in files]
    titles, harmonized = catalog.titles(samples), catalog.harmonized_values(samples)
    columns: dict[str, Sequence[Any]] = {
        "title": [titles.get(sample, "") for sample in samples],
        "processor": [str(one.metrics.get("processor", "")) for one in files],
        "method": [str(one.metrics.get("method", "")) for one in files],
        "platform": [str(one.metrics.get("platform") or "") for one in files],
        "platform_claimed": [str(one.metrics.get("platform_claimed") or "") for one in files],
        "platform_named_by_file": [str(one.metrics.get("platform_named") or "") for one in files],
        "genes": [int(one.metrics.get("num_genes", 0)) for one in files],
        "correlation_to_median": array_quality.correlation_to_median(np.asarray(matrix.X)).tolist(),
    }
    for name in QUALITY_COLUMNS:
        columns[name] = [_number(one.metrics.get(name)) for one in files]
    for name in sorted({name for found in harmonized.values() for name in found}):
        columns[name] = [harmonized.get(sample, {}).get(name, "") for sample in samples]
    for name, column in columns.items():
        matrix.obs[name] = column
    matrix.uns["experiment"] = experiment
    matrix.uns["organism"] = organism
    matrix.uns["refinebio_version"] = __version__
    matrix.uns["sample_values"] = {one.sample: str(one.sha256) for one in files}
    used = {name: sha256 for one in files for name, sha256 in one.metrics.get("references", {}).items()}
    # h5ad keys must not hold slashes
    matrix.uns["platform_references"] = {name.replace("/", " "): sha256 for name, sha256 in sorted(used.items())}


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _unlike(matrices: Mapping[str, anndata.AnnData]) -> dict[str, float]:
    """Samples that agree with the median array of their experiment less than arrays of one experiment do."""
    return {
        str(sample): float(correlation)
        for matrix in matrices.values()
        for sample, correlation in zip(matrix.obs_names, matrix.obs["correlation_to_median"], strict=True)
        if correlation < array_quality.LEAST_CORRELATION
    }


def _worst(matrix: anndata.AnnData) -> tuple[list[str], list[Any]]:
    """The samples that agree least with the median array, with the points of their MA plots."""
    order = np.argsort(np.nan_to_num(np.asarray(matrix.obs["correlation_to_median"], dtype=np.float64), nan=1.0))
    chosen = [int(at) for at in order[: plots.MAX_MA_PLOTS]]
    numbers = np.asarray(matrix.X)
    return [str(matrix.obs_names[at]) for at in chosen], [array_quality.ma_points(numbers, at) for at in chosen]


def _record(
    run: ArrayRun, files: Sequence[ArrayFile], experiment: str, fingerprint: str, environment: ArrayEnvironment
) -> None:
    """Record the stored matrices and move the samples to ``processed``."""
    catalog, matrices = environment.catalog, run.value or {}
    recorded = catalog.record_result(
        ResultToRecord(
            processor=PROCESSOR,
            processor_version=CODE_VERSION,
            environment=software_environment(),
            fingerprint=fingerprint,
            inputs={one.sample: str(one.sha256) for one in files},
            metrics={
                "num_samples": len(files),
                "num_genes": {organism: matrix.n_vars for organism, matrix in matrices.items()},
                "unlike": dict(run.unlike),
            },
            code_version=__version__,
            run_id=environment.run_id,
            files=(
                *matrix_files(experiment, matrices, environment.store),
                *part_files(environment.store, _parts(experiment, matrices)),
            ),
        )
    )
    for key in recorded.superseded_keys:
        environment.store.delete(key)
    changes = []
    # A copy stays one in its own experiment, also where its original is not in this one.
    elsewhere = {one.sample for one in files if one.reason == DUPLICATE and one.owner != experiment}
    owners = {one.sample: one.owner for one in files}
    for organism, matrix in matrices.items():
        message = f"In the array expression of {experiment} ({organism}, {matrix.n_vars:,} genes)."
        decision = LedgerDecision(state=SampleState.PROCESSED, reason="processed", message=message)
        names = [name for name in map(str, matrix.obs_names) if name not in elsewhere]
        changes += [_change(name, owners[name], decision, environment) for name in names]
    catalog.ledger.set_states(changes)
    catalog.refresh_experiment_state(experiment, run_id=environment.run_id, processed=True)


def _parts(experiment: str, matrices: Mapping[str, anndata.AnnData]) -> Iterator[tuple[PartInfo, bytes]]:
    """The experiment's log2 values for the expression store; those of unknown organisms are of no use there."""
    for organism, matrix in matrices.items():
        if organism != UNKNOWN_ORGANISM:
            yield from expression_parts_of(
                np.asarray(matrix.X),
                experiment=experiment,
                technology=Technology.MICROARRAY,
                genes=[str(gene) for gene in matrix.var_names],
                samples=[str(sample) for sample in matrix.obs_names],
                organisms=[organism] * matrix.n_obs,
                platforms=[str(platform) for platform in matrix.obs["platform"]],
            )


def matrix_files(experiment: str, organisms: Mapping[str, Any], store: ObjectStore) -> list[FileToRecord]:
    """The stored matrices of an experiment, hashed as they lie in the store."""
    import hashlib

    files = []
    for organism in organisms:
        stem = matrix_stem(experiment, organism, several=len(organisms) > 1)
        for suffix, kind in FILE_KINDS.items():
            key = f"array_expression/{experiment}/{stem}{suffix}"
            data = store.get_bytes(key)
            files.append(
                FileToRecord(
                    key=key,
                    filename=key.rpartition("/")[2],
                    kind=kind,
                    size_bytes=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                    experiment=experiment,
                    organism=None if organism == UNKNOWN_ORGANISM else organism,
                )
            )
    return files


def matrix_stem(experiment: str, organism: str, *, several: bool) -> str:
    """Name of a matrix's files without suffix: with its organism only where an experiment has several."""
    return f"{experiment}_{organism}" if several else experiment
