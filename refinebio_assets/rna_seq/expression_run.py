"""Gene expression of an experiment.

The tximport rule, the matrices with their sample metadata, and what is recorded of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refinebio_assets import __version__, plots
from refinebio_assets.compendia.expression_store import PartInfo
from refinebio_assets.compendia.store_run import expression_parts_of, part_files
from refinebio_assets.domain.errors import InputError
from refinebio_assets.domain.fingerprints import fingerprint_of
from refinebio_assets.domain.records import LedgerDecision, QuantFileRecord, QuantFiles
from refinebio_assets.domain.vocabulary import (
    FAILURE_STATES,
    INELIGIBLE_STATES,
    MAX_ATTEMPTS,
    ComputedFileKind,
    IndexLength,
    LedgerKind,
    SampleState,
    Technology,
)
from refinebio_assets.rna_seq.gene_map import GeneMap
from refinebio_assets.rna_seq.quant_sf import QuantSource
from refinebio_assets.rna_seq.quantification_run import USABLE, list_quant_files
from refinebio_assets.rna_seq.run_environment import RunEnvironment
from refinebio_assets.rna_seq.transcriptome_index import GENE_MAP
from refinebio_assets.rna_seq.tximport import GeneExpression, TximportDecision, tximport, tximport_decision
from resources.catalog import Catalog, FileToRecord, LedgerRow, QuantFileInfo, ResultToRecord, StateChange
from resources.object_store import ObjectStore
from resources.object_store.temporary import temporary_folder
from resources.settings import Settings
from resources.tools.environment import software_environment
from resources.tools.r import RStatus, r_available, write_txi_rds

if TYPE_CHECKING:
    import anndata

PROCESSOR = "Tximport"
METHOD_VERSION = "1"
FILE_KINDS = {
    ".h5ad": ComputedFileKind.EXPRESSION_ANNDATA,
    ".parquet": ComputedFileKind.EXPRESSION_PARQUET,
    ".rds": ComputedFileKind.TXIMPORT_RDS,
}


@dataclass(slots=True, kw_only=True)
class ExpressionRun:
    """What came of an experiment. ``value`` is None if the rule says to wait; ``commit`` records the stored files."""

    decision: TximportDecision
    value: anndata.AnnData | None = None
    commit: Callable[[], object] | None = None
    data_version: str | None = None
    dropped_transcripts: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)
    largest_count_difference: float = 0.0
    suspicious_samples: Sequence[str] = ()

    def plot(self) -> str:
        """Distribution of log2(lengthScaledTPM + 1) per sample as Markdown."""
        if self.value is None:
            return ""
        values = np.log2(np.asarray(self.value.layers["lengthScaledTPM"], dtype=np.float64) + 1.0)
        label = "log2(lengthScaledTPM + 1) of expressed genes"
        return plots.densities(values, list(self.value.obs_names), label=label, title="expression densities")


def express(experiment: str, environment: RunEnvironment, *, early: bool) -> ExpressionRun:
    """Make the gene expression of an experiment if the rule allows.

    Samples that can never be quantified (corrupt files, failed quality control) do not count for the rule; those that
    still wait do. Samples of several organisms are imported apart and joined over all their genes, NaN where a gene is
    not of the sample's organism.

    Args:
        experiment: Experiment accession.
        environment: What the run works with.
        early: Whether the early rule may be used.

    Raises:
        MalformedFileError: A quant file is damaged or lists other transcripts than the others.
        InputError: A quant file was made with an earlier index than the one whose genes are to be used.
    """
    catalog, settings = environment.catalog, environment.settings
    decision = expression_decision(experiment, catalog, settings, early=early)
    if not decision.run:
        return ExpressionRun(decision=decision)
    entries = {entry.accession: entry for entry in catalog.ledger.of_experiment(experiment)}
    infos = catalog.quant_files(experiment)
    manifest = list_quant_files(catalog, experiment)
    organisms = catalog.sample_organisms([file.sample for file in manifest.files])
    _refuse_other_indices(infos, organisms, catalog)
    groups: dict[str, list[QuantFileRecord]] = {}
    for file in manifest.files:
        groups.setdefault(organisms[file.sample], []).append(file)
    with temporary_folder(settings.scratch, "tximport") as folder:
        imported = {
            organism: _import(organism, files, environment, folder) for organism, files in sorted(groups.items())
        }
        rds = _write_rds(imported, experiment, environment.store, folder)
    left_out = {info.sample: entries[info.sample].message for info in infos if info.sample not in organisms}
    value = _join(imported)
    _describe(value, experiment, catalog, manifest, left_out)
    fingerprint = fingerprint_of("tximport", METHOD_VERSION, experiment, [[f.sample, f.sha256] for f in manifest.files])
    expressions = list(imported.values())
    return ExpressionRun(
        decision=decision,
        value=value,
        commit=lambda: _record(manifest, fingerprint, value, rds, environment),
        data_version=fingerprint[:16],
        dropped_transcripts=sum(expression.dropped_transcripts for expression in expressions),
        left_out=left_out,
        largest_count_difference=max(_count_difference(expression) for expression in expressions),
        suspicious_samples=_suspicious(value),
    )


def expression_decision(experiment: str, catalog: Catalog, settings: Settings, *, early: bool) -> TximportDecision:
    """Whether an experiment's samples are far enough, by what the ledger and the catalog say now."""
    entries = {entry.accession: entry for entry in catalog.ledger.of_experiment(experiment)}
    infos = catalog.quant_files(experiment)
    usable = sum(info.state in USABLE and info.key is not None for info in infos)
    return tximport_decision(
        usable,
        len(infos) - sum(is_hopeless(entries[info.sample]) for info in infos),
        early=early,
        min_samples=settings.early_tximport_min_samples,
        min_share=settings.early_tximport_min_share,
    )


@lru_cache(maxsize=1)
def installed_r() -> RStatus:
    """What is installed of R, asked once per process."""
    return r_available()


def is_hopeless(entry: LedgerRow) -> bool:
    """Whether a sample was tried and will not be quantified without something changing."""
    given_up = entry.retryable and entry.attempts >= MAX_ATTEMPTS
    return given_up or (entry.state in FAILURE_STATES and not entry.retryable)


def _refuse_other_indices(infos: Sequence[QuantFileInfo], organisms: Mapping[str, str], catalog: Catalog) -> None:
    """Quant files of an earlier index list its transcripts: the genes of the present one are not theirs."""
    current: dict[tuple[str, IndexLength], str | None] = {}
    outdated = []
    for info in infos:
        if info.sample not in organisms or "index_sha256" not in info.metrics:
            continue
        key = organisms[info.sample], IndexLength(info.metrics["index_length"])
        if key not in current:
            index = catalog.current_transcriptome_index(*key)
            current[key] = None if index is None else index.sha256
        if info.metrics["index_sha256"] != current[key]:
            outdated.append(info.sample)
    if outdated:
        owners = sorted({str(entry.experiment_accession) for entry in catalog.ledger.entries(outdated).values()})
        shown = ", ".join(outdated[:5]) + (f" and {len(outdated) - 5} more" if len(outdated) > 5 else "")
        message = f"There is a newer transcriptome index than the one that {shown} were quantified with."
        raise InputError(message, remedy=f"Quantify them again: refinebio ingest {' '.join(owners)}")


def _import(
    organism: str, files: Sequence[QuantFileRecord], environment: RunEnvironment, folder: Path
) -> GeneExpression:
    store = environment.store
    sources = []
    for file in files:
        local = store.local_path(file.key) or store.fetch(file.key, folder / file.sample / "quant.sf.gz")
        sources.append(QuantSource(file.sample, local))
    length = IndexLength(files[0].index_length or IndexLength.LONG)
    gene_map = GeneMap.read(environment.index_files(organism, length).directory / GENE_MAP)
    return tximport(sources, gene_map)


def _join(imported: Mapping[str, GeneExpression]) -> anndata.AnnData:
    import anndata

    parts = []
    for organism, expression in imported.items():
        part = expression.to_anndata()
        part.obs["organism"] = organism
        parts.append(part)
    if len(parts) == 1:
        return parts[0]
    joined = anndata.concat(parts, join="outer", fill_value=np.nan)
    return joined[sorted(joined.obs_names), sorted(joined.var_names)].copy()


def _describe(
    value: anndata.AnnData, experiment: str, catalog: Catalog, manifest: QuantFiles, left_out: Mapping[str, str]
) -> None:
    """Sample metadata as columns, provenance in ``uns``; nothing in it depends on when or where it was made."""
    titles = catalog.titles(list(value.obs_names))
    harmonized = catalog.harmonized_values(list(value.obs_names))
    value.obs["title"] = [titles.get(sample, "") for sample in value.obs_names]
    fields = sorted({name for values in harmonized.values() for name in values})
    for name in fields:
        value.obs[name] = [harmonized.get(sample, {}).get(name, "") for sample in value.obs_names]
    files = {file.sample: file for file in manifest.files}
    value.obs["mapped_percent"] = [float(files[sample].percent_mapped or np.nan) for sample in value.obs_names]
    value.uns["experiment"] = experiment
    value.uns["method"] = f"tximport {METHOD_VERSION}"
    value.uns["refinebio_version"] = __version__
    value.uns["quant_files"] = {file.sample: file.sha256 for file in manifest.files}
    value.uns["transcriptome_indices"] = _indices(manifest, value, catalog)
    value.uns["left_out"] = dict(left_out)


def _indices(manifest: QuantFiles, value: anndata.AnnData, catalog: Catalog) -> dict[str, dict[str, str]]:
    """The transcriptome indices that the quant files were made with: release, assembly, Salmon version, sha256."""
    organisms = dict(zip(value.obs_names, value.obs["organism"], strict=True))
    used = {(str(organisms[file.sample]), IndexLength(file.index_length or "long")) for file in manifest.files}
    found = {key: catalog.current_transcriptome_index(*key) for key in sorted(used)}
    return {
        f"{organism} {length.value}": {
            "division": info.division,
            "release": info.release,
            "assembly": info.assembly,
            "salmon_version": info.salmon_version,
            "sha256": info.sha256,
        }
        for (organism, length), info in found.items()
        if info is not None
    }


def _write_rds(
    imported: Mapping[str, GeneExpression], experiment: str, store: ObjectStore, folder: Path
) -> list[FileToRecord]:
    """The tximport objects for DESeq2, one per organism, where R is installed."""
    if not installed_r().can_write_rds:
        return []
    files = []
    for organism, expression in imported.items():
        suffix = f"_{organism}" if len(imported) > 1 else ""
        path = write_txi_rds(
            folder / f"{experiment}{suffix}_txi.rds",
            genes=expression.genes,
            samples=expression.samples,
            abundance=expression.abundance,
            counts=expression.counts,
            length=expression.length,
        )
        stored = store.put_file(path, f"rna_seq_expression/{experiment}/{path.name}")
        files.append(
            FileToRecord(
                key=stored.key,
                filename=path.name,
                kind=ComputedFileKind.TXIMPORT_RDS,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                experiment=experiment,
            )
        )
    return files


def _record(
    manifest: QuantFiles,
    fingerprint: str,
    value: anndata.AnnData,
    rds: Sequence[FileToRecord],
    environment: RunEnvironment,
) -> None:
    """Record the stored files and move the samples to ``processed``."""
    experiment, catalog, store = manifest.experiment, environment.catalog, environment.store
    parts = part_files(store, _parts(experiment, value, catalog))
    files = [*rds, *expression_files(experiment, store), *parts]
    recorded = catalog.record_result(
        ResultToRecord(
            processor=PROCESSOR,
            processor_version=METHOD_VERSION,
            environment=software_environment(r=installed_r().version if rds else None),
            fingerprint=fingerprint,
            parameters={"countsFromAbundance": "lengthScaledTPM"},
            inputs={file.sample: file.sha256 for file in manifest.files},
            metrics={"num_samples": value.n_obs, "num_genes": value.n_vars},
            code_version=__version__,
            run_id=environment.run_id,
            files=tuple(files),
        )
    )
    for key in recorded.superseded_keys:
        store.delete(key)
    message = f"In the gene expression of {experiment} ({value.n_vars:,} genes)."
    entries = catalog.ledger.entries(list(value.obs_names))
    catalog.ledger.set_states(
        [
            StateChange(
                accession=sample,
                kind=LedgerKind.SAMPLE,
                experiment_accession=entries[sample].experiment_accession,
                decision=LedgerDecision(state=SampleState.PROCESSED, reason="processed", message=message),
                run_id=environment.run_id,
                tool_versions=dict(entries[sample].tool_versions),
                input_fingerprint=entries[sample].input_fingerprint,
                not_from=INELIGIBLE_STATES,  # withdrawn or ruled out by a survey meanwhile
            )
            for sample in value.obs_names
        ]
    )
    catalog.refresh_experiment_state(experiment, run_id=environment.run_id, processed=True)


def _parts(experiment: str, value: anndata.AnnData, catalog: Catalog) -> Iterable[tuple[PartInfo, bytes]]:
    """The experiment's lengthScaledTPM for the expression store."""
    samples = [str(sample) for sample in value.obs_names]
    platforms = catalog.sample_platforms(samples)
    return expression_parts_of(
        np.asarray(value.layers["lengthScaledTPM"]),
        experiment=experiment,
        technology=Technology.RNA_SEQ,
        genes=[str(gene) for gene in value.var_names],
        samples=samples,
        organisms=[str(organism) for organism in value.obs["organism"]],
        platforms=[platforms.get(sample, "") for sample in samples],
    )


def expression_files(experiment: str, store: ObjectStore) -> list[FileToRecord]:
    """The stored expression files of an experiment, hashed as they lie in the store."""
    import hashlib

    files = []
    for key in store.list_keys(f"rna_seq_expression/{experiment}"):
        suffix = Path(key).suffix
        if suffix in {".h5ad", ".parquet"}:
            data = store.get_bytes(key)
            files.append(
                FileToRecord(
                    key=key,
                    filename=Path(key).name,
                    kind=FILE_KINDS[suffix],
                    size_bytes=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                    experiment=experiment,
                )
            )
    return files


def _count_difference(expression: GeneExpression) -> float:
    """Largest relative difference between a sample's total count and its total lengthScaledTPM."""
    counts = expression.counts.sum(axis=0)
    scaled = expression.length_scaled_tpm().sum(axis=0)
    return float(np.max(np.abs(scaled - counts) / np.maximum(counts, 1.0), initial=0.0))


def _suspicious(value: anndata.AnnData) -> list[str]:
    """Samples without any expression, and samples with the same numbers as an earlier one."""
    seen: set[bytes] = set()
    found = []
    for sample, row in zip(value.obs_names, np.asarray(value.layers["counts"]), strict=True):
        numbers = row.tobytes()
        if not np.nansum(row) > 0 or numbers in seen:
            found.append(str(sample))
        seen.add(numbers)
    return found
