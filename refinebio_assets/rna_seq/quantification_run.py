"""Quantifying the samples of an experiment.

Which ones need it, a bounded number at a time, each recorded as it finishes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from refinebio_assets import __version__, plots
from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.fingerprints import fingerprint_of
from refinebio_assets.domain.organisms import scientific_name
from refinebio_assets.domain.records import LedgerDecision, OriginalFile, QuantFileRecord, QuantFiles
from refinebio_assets.domain.vocabulary import (
    FAILURE_STATES,
    INELIGIBLE_STATES,
    NO_INDEX,
    ComputedFileKind,
    IndexLength,
    LedgerKind,
    SampleState,
)
from refinebio_assets.rna_seq.fan_out import FanOut, LocalFanOut
from refinebio_assets.rna_seq.index_run import known_trouble
from refinebio_assets.rna_seq.quantification import (
    METHOD,
    LocalIndex,
    Quantified,
    SampleOutcome,
    Workbench,
    quantify_sample,
    sample_space,
)
from refinebio_assets.rna_seq.run_environment import RunEnvironment
from resources.catalog import (
    Catalog,
    FileToRecord,
    LedgerRow,
    ResultToRecord,
    SampleToProcess,
    StateChange,
    TranscriptomeIndexInfo,
)
from resources.tools.environment import software_environment

PROCESSOR = "Salmon Quant"
MOST_PROGRESS_LINES = 100
DONE = frozenset({SampleState.QUANTIFIED, SampleState.PROCESSED, SampleState.FAILED_QC})
"""States in which an unchanged fingerprint means that the sample need not be done again."""
USABLE = frozenset({SampleState.QUANTIFIED, SampleState.PROCESSED})


@dataclass(slots=True)
class QuantificationRun:
    """What a run over an experiment did.

    ``failed`` has the eligible samples that are not quantified, with the reason. ``manifest`` lists the usable quant
    files of all samples, also of those that another experiment owns.
    """

    manifest: QuantFiles
    quantified: int = 0
    kept: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    min_mapping_rate: float = 0.0

    @property
    def data_version(self) -> str:
        """Changes when a quant file changes."""
        return fingerprint_of([[file.sample, file.sha256] for file in self.manifest.files])[:16]

    def plot(self) -> str:
        """Mapping rates as Markdown."""
        rates = {file.sample: float(file.percent_mapped or 0.0) for file in self.manifest.files}
        return plots.bars(rates, label="reads mapped (%)", limit=self.min_mapping_rate, title="mapping rates")


@dataclass(slots=True)
class ExperimentQuantifier:
    """Quantifies the samples of one experiment."""

    experiment: str
    environment: RunEnvironment
    salmon_version: str
    _indices: dict[tuple[str, IndexLength], LocalIndex] = field(default_factory=dict)
    _infos: dict[tuple[str, IndexLength], TranscriptomeIndexInfo | None] = field(default_factory=dict)

    @property
    def bench(self) -> Workbench:
        """What quantifying one sample needs."""
        environment = self.environment
        return Workbench(
            salmon=environment.salmon,
            salmon_version=self.salmon_version,
            sra_toolkit=environment.sra_toolkit,
            download=self.download,
            index=self.index,
            scratch=environment.settings.scratch,
            min_mapping_rate=environment.settings.min_mapping_rate,
            downloaded=self.downloaded,
        )

    def download(self, file: OriginalFile, destination: Path) -> object:
        """Fetch a file of the archive, checked against what the archive announced."""
        client = self.environment.archives.client
        return client.download(file.url, destination, size_bytes=file.size_bytes, md5=file.md5)

    def index(self, organism: str, length: IndexLength) -> LocalIndex:
        """The current index of an organism, fetched once.

        Raises:
            NotFoundError: There is none yet.
        """
        key = (organism, length)
        if key not in self._indices:
            info = self._current_index(organism, length)
            if info is None:
                message = f"There is no {length.value} transcriptome index of {scientific_name(organism)} yet."
                remedy = f'Build it: refinebio index build --organism "{scientific_name(organism)}"'
                raise NotFoundError(message, remedy=remedy)
            files = self.environment.index_files(organism, length)
            self._indices[key] = LocalIndex(files.directory, info.sha256, length)
        return self._indices[key]

    def _current_index(self, organism: str, length: IndexLength) -> TranscriptomeIndexInfo | None:
        """What the catalog says of an index, asked once per run."""
        key = (organism, length)
        if key not in self._infos:
            self._infos[key] = self.environment.catalog.current_transcriptome_index(organism, length)
        return self._infos[key]

    def is_done(self, sample: SampleToProcess) -> bool:
        """Whether the sample's result was made from the same files, index and Salmon, and is still there."""
        if sample.state not in DONE or sample.quant is None or sample.organism is None or self.is_judged_anew(sample):
            return False
        length = IndexLength(str(sample.quant.metrics.get("index_length", IndexLength.LONG)))
        info = self._current_index(sample.organism, length)
        if info is None:
            return False
        fingerprint = self.bench.fingerprint(sample, LocalIndex(Path(), info.sha256, length))
        return fingerprint == sample.input_fingerprint and self.environment.store.exists(sample.quant.key)

    def is_judged_anew(self, sample: SampleToProcess) -> bool:
        """Whether the mapping rate that is asked for was changed since, and the sample stands on its other side."""
        rate = None if sample.quant is None else sample.quant.metrics.get("percent_mapped")
        if rate is None or sample.state not in DONE:
            return False
        return bool(rate >= self.environment.settings.min_mapping_rate) == (sample.state is SampleState.FAILED_QC)

    def is_settled(self, entry: LedgerRow) -> bool:
        """Whether a sample failed for good, and nothing changed since that could help.

        Other files or another index bring it back to ``surveyed``; other tools are noticed here.
        """
        if entry.state not in FAILURE_STATES or entry.retryable or entry.reason == NO_INDEX:
            return False
        return not entry.attempts or dict(entry.tool_versions) == self.tool_versions

    @property
    def tool_versions(self) -> dict[str, str]:
        """What the ledger says a sample was tried with."""
        return {"salmon": self.salmon_version, "refinebio": __version__}

    def downloaded(self, accession: str) -> None:
        """Note in the ledger that a sample's files are here."""
        message = "Its files are downloaded and whole."
        self._note(
            SampleOutcome(
                accession=accession,
                decision=LedgerDecision(state=SampleState.DOWNLOADED, reason="downloaded", message=message),
            )
        )

    def process(self, sample: SampleToProcess) -> bool:
        """Quantify one sample, store its files and record how it ended; gives back whether it got a quant file.

        Without any index of its organism nothing is downloaded.
        """
        if sample.organism is not None and not self._has_index(sample.organism):
            no_index = SampleOutcome(accession=sample.accession, decision=self._no_index(sample.organism))
            self._note(no_index, attempted=True)
            return False
        bench = self.bench
        with sample_space(sample.accession, bench) as folder:
            outcome: SampleOutcome | None = None
            present = self._present(sample)
            # Meanwhile a survey may have withdrawn it, or another process have done it.
            if present is not None and not self.is_done(present):
                outcome = self._finish(present, quantify_sample(present, bench, folder))
            if outcome is None or not outcome.retryable:
                shutil.rmtree(folder)
            return outcome is not None and outcome.quantified is not None

    def _finish(self, sample: SampleToProcess, outcome: SampleOutcome) -> SampleOutcome | None:
        """Store and record an outcome; None if the sample's record changed meanwhile, so that it must be done again."""
        if self._is_outdated(sample):
            return None
        if outcome.quantified is not None:
            self._record(sample, outcome, outcome.quantified)
        self._note(outcome, attempted=True)
        if outcome.decision.state is not SampleState.QUANTIFIED:
            state, message = outcome.decision.state.value, outcome.decision.message
            self.environment.log.info("%s: %s (%s)", sample.accession, state, message)
        return outcome

    def _present(self, sample: SampleToProcess) -> SampleToProcess | None:
        return self.environment.catalog.sample_to_quantify(self.experiment, sample.accession)

    def _is_outdated(self, sample: SampleToProcess) -> bool:
        """Whether a survey changed what the sample is made from while it was quantified: it is done again then."""
        present = self._present(sample)
        if present is not None and (present.files, present.organism) == (sample.files, sample.organism):
            return False
        self.environment.log.info("%s: its record changed meanwhile, so this result is not kept", sample.accession)
        return True

    def _has_index(self, organism: str) -> bool:
        return any(self._current_index(organism, length) is not None for length in IndexLength)

    def _no_index(self, organism: str) -> LedgerDecision:
        """The sample waits for an index; it counts as failed only if it is known that none can be built."""
        name = scientific_name(organism)
        why = known_trouble(self.environment.catalog, organism, moment=datetime.now(UTC))
        state = SampleState.SURVEYED if why is None else SampleState.FAILED_PROCESSING
        reason = why or f'Build it: refinebio index build --organism "{name}"'
        message = f"There is no transcriptome index of {name}. {reason} The sample is quantified once there is one."
        return LedgerDecision(state=state, reason=NO_INDEX, message=message)

    def _record(self, sample: SampleToProcess, outcome: SampleOutcome, quantified: Quantified) -> None:
        """Store the quant file and what Salmon said, then record them: a kill in between leaves nothing recorded."""
        folder = f"quant_files/{self.experiment}/{sample.accession}"
        quant_sf = self.environment.store.put_bytes(quantified.quant_sf, f"{folder}/quant.sf.gz")
        document = self.environment.store.put_bytes(quantified.document, f"{folder}/salmon.json")
        kinds = {quant_sf: ComputedFileKind.QUANT_SF, document: ComputedFileKind.SALMON_META}
        recorded = self.environment.catalog.record_result(
            ResultToRecord(
                processor=PROCESSOR,
                processor_version=METHOD.value,
                environment=software_environment(salmon=self.salmon_version),
                fingerprint=fingerprint_of("salmon", sample.accession, outcome.fingerprint),
                commands=(" ".join(quantified.command),),
                parameters={"index_length": quantified.index_length.value},
                inputs={file.filename: file.md5 or file.url for file in sample.files}
                | {"transcriptome_index": quantified.metrics["index_sha256"]},
                metrics={**quantified.metrics, "size_bytes": quant_sf.size_bytes},
                code_version=__version__,
                run_id=self.environment.run_id,
                files=tuple(
                    FileToRecord(
                        key=stored.key,
                        filename=f"{sample.accession}_{stored.key.rsplit('/', 1)[1]}",
                        kind=kind,
                        size_bytes=stored.size_bytes,
                        sha256=stored.sha256,
                        sample=sample.accession,
                    )
                    for stored, kind in kinds.items()
                ),
            )
        )
        for key in recorded.superseded_keys:
            self.environment.store.delete(key)

    def _note(self, outcome: SampleOutcome, *, attempted: bool = False) -> None:
        self.environment.catalog.ledger.set_states(
            [
                StateChange(
                    accession=outcome.accession,
                    kind=LedgerKind.SAMPLE,
                    experiment_accession=self.experiment,
                    decision=outcome.decision,
                    retryable=outcome.retryable,
                    run_id=self.environment.run_id,
                    tool_versions=self.tool_versions,
                    input_fingerprint=outcome.fingerprint,
                    attempted=attempted,
                    not_from=INELIGIBLE_STATES,  # withdrawn or ruled out by a survey meanwhile
                )
            ]
        )


def quantify_experiment(
    experiment: str, environment: RunEnvironment, *, fan_out: FanOut | None = None
) -> QuantificationRun:
    """Quantify the samples an experiment owns whose inputs changed, and list the quant files of all its samples.

    Samples that failed for good are left alone until their files, their index or the tools change.

    Args:
        experiment: Experiment accession.
        environment: What the run works with.
        fan_out: How samples are spread; threads of this process if None.

    Raises:
        ToolMissingError: A program is not installed.
        NotFoundError: The catalog does not know the experiment.
    """
    catalog, settings = environment.catalog, environment.settings
    quantifier = ExperimentQuantifier(experiment, environment, environment.salmon.version())
    owned = catalog.samples_to_quantify(experiment)
    entries = catalog.ledger.entries([sample.accession for sample in owned])
    done = {sample.accession for sample in owned if quantifier.is_done(sample)}
    settled = {accession for accession, entry in entries.items() if quantifier.is_settled(entry)}
    settled -= {sample.accession for sample in owned if quantifier.is_judged_anew(sample)}
    waiting = [sample for sample in owned if sample.accession not in done | settled]
    spread = fan_out or LocalFanOut(settings.parallel_samples)
    quantified = 0
    for number, has_quant_file in enumerate(spread.run(quantifier.process, waiting), start=1):
        quantified += has_quant_file
        # Each line of the log is a row in Dagster's database, which costs as much as recording a sample.
        if number == len(waiting) or number % max(1, len(waiting) // MOST_PROGRESS_LINES) == 0:
            environment.log.info("%s: %d of %d samples done", experiment, number, len(waiting))
    catalog.refresh_experiment_state(experiment, run_id=environment.run_id)
    run = QuantificationRun(
        manifest=list_quant_files(catalog, experiment),
        quantified=quantified,
        kept=len(done),
        min_mapping_rate=settings.min_mapping_rate,
    )
    eligible = {info.sample for info in catalog.quant_files(experiment)}
    run.failed = {
        entry.accession: entry.message
        for entry in catalog.ledger.of_experiment(experiment)
        if entry.accession in eligible and entry.state not in USABLE
    }
    return run


def list_quant_files(catalog: Catalog, experiment: str) -> QuantFiles:
    """The usable quant files of an experiment's samples, owned or shared, by accession."""
    files = [
        QuantFileRecord(
            sample=info.sample,
            key=info.key,
            sha256=info.sha256,
            size_bytes=int(info.metrics.get("size_bytes", 0)),
            fingerprint=str(info.metrics.get("fingerprint", "")),
            num_processed=info.metrics.get("num_processed"),
            num_mapped=info.metrics.get("num_mapped"),
            percent_mapped=info.metrics.get("percent_mapped"),
            library_type=info.metrics.get("library_type"),
            index_length=info.metrics.get("index_length"),
        )
        for info in catalog.quant_files(experiment)
        if info.state in USABLE and info.key is not None and info.sha256 is not None
    ]
    organisms: Sequence[str] = catalog.experiment_organisms(experiment)
    return QuantFiles(experiment=experiment, organism=",".join(organisms), files=tuple(files))
