"""Processing the array samples of an experiment: which ones need it, a bounded number at a time, each recorded at once.

Nothing here raises for a sample's own trouble: every sample ends in a state with a reason. What is wrong with the
machine (a full disk) is raised, for it would fail every sample.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from refinebio_assets import __version__
from refinebio_assets.domain.errors import ConfigurationError, RefinebioError, ToolMissingError
from refinebio_assets.domain.fingerprints import fingerprint_of
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import (
    FAILURE_STATES,
    INELIGIBLE_STATES,
    NO_REFERENCE,
    WRONG_CHIP,
    ComputedFileKind,
    LedgerKind,
    PlatformReferenceKind,
    SampleState,
)
from refinebio_assets.microarray.array_quality import has_signal
from refinebio_assets.microarray.inputs_run import ArrayInputs
from refinebio_assets.microarray.methods_run import ArrayMethods, Outcome, waits_for
from refinebio_assets.microarray.processor_choice import (
    REFERENCE_OF,
    ArrayInput,
    ArrayProcessor,
    ProcessorChoice,
    choose_processor,
)
from refinebio_assets.microarray.processors import ArrayValues
from refinebio_assets.microarray.references_run import References
from refinebio_assets.microarray.run_environment import ArrayEnvironment
from refinebio_assets.microarray.values_file import values_to_bytes
from refinebio_assets.rna_seq.quantification import decide, is_passing
from resources.catalog import ArrayToProcess, FileToRecord, ResultToRecord, StateChange
from resources.tools.environment import software_environment

CODE_VERSION = "1"
"""Of what is done around the methods (means by gene, rules of rejection): another one does all arrays again."""
USABLE = frozenset({SampleState.QUANTIFIED, SampleState.PROCESSED})
DUPLICATE = "duplicate_of_sample"
"""Ledger reason of arrays that were submitted twice; they have values, but are in no matrix."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples whose values come from one file, or one sample."""

    samples: tuple[ArrayToProcess, ...]
    choice: ProcessorChoice


@dataclass(slots=True)
class ExperimentArrays:
    """Processes the arrays of one experiment; threads share it."""

    experiment: str
    environment: ArrayEnvironment
    references: References
    inputs: ArrayInputs
    methods: ArrayMethods

    def is_done(self, sample: ArrayToProcess) -> bool:
        """Whether the sample's values were made from the same files, references and method, and are still there."""
        if sample.values is None:
            return False
        metrics = sample.values.metrics
        try:
            processor = ArrayProcessor(metrics["processor"])
            used = self._current(metrics["references"])
        except (KeyError, ValueError):
            return False
        expected = self.fingerprint(sample, processor, used)
        return expected == metrics.get("fingerprint") and self.environment.store.exists(sample.values.key)

    def _current(self, used: Mapping[str, str]) -> dict[str, str]:
        """What is current today of the references that were used (``platform/kind``)."""
        found = {}
        for name in used:
            platform, _, kind = name.rpartition("/")
            info = self.references.info(platform, PlatformReferenceKind(kind))
            found[name] = "" if info is None else info.sha256
        return found

    def fingerprint(self, sample: ArrayToProcess, processor: ArrayProcessor, references: Mapping[str, str]) -> str:
        """What the values of a sample depend on."""
        return fingerprint_of(
            "array", CODE_VERSION, processor.value, self.methods.version(processor), _files(sample), dict(references)
        )

    def attempt_fingerprint(self, sample: ArrayToProcess) -> str:
        """What the outcome of trying a sample depends on: one that failed for good is tried again if this changes."""
        platforms = sorted({sample.platform or "", sample.detected_platform or ""})
        references = [self.references.of_platform(platform) for platform in platforms]
        maps = [info.sha256 for info in self.references.of_kind(PlatformReferenceKind.PROBE_MAP, sample.organism)]
        methods = [self.methods.version(processor) for processor in ArrayProcessor]
        parts = [_files(sample), sample.title, sample.organism, references, maps, methods, __version__]
        return fingerprint_of("array attempt", CODE_VERSION, *parts)

    def is_settled(self, sample: ArrayToProcess) -> bool:
        """Whether a sample failed for good, and nothing changed since that could help."""
        if sample.retryable or sample.reason == DUPLICATE:
            return False
        failed = sample.state in FAILURE_STATES or sample.reason == WRONG_CHIP
        return failed and sample.input_fingerprint == self.attempt_fingerprint(sample)

    def batches(self, samples: Sequence[ArrayToProcess]) -> list[Batch]:
        """The work to be done; samples for which there is none get their state at once."""
        batches: list[Batch] = []
        together: dict[tuple[ArrayProcessor, str], list[ArrayToProcess]] = {}
        choices: dict[tuple[ArrayProcessor, str], ProcessorChoice] = {}
        for sample in samples:
            choice = self._choose(sample)
            if isinstance(choice, LedgerDecision):
                self.note(sample, choice, attempted=choice.reason != NO_REFERENCE)
            elif choice.processor is ArrayProcessor.AFFYMETRIX or choice.input is ArrayInput.ARCHIVE:
                batches.append(Batch(samples=(sample,), choice=choice))
            else:
                # The family file of whatever series names the sample: they hold the same table.
                key = choice.processor, "" if choice.input is ArrayInput.FAMILY else choice.file.url
                together.setdefault(key, []).append(sample)
                choices.setdefault(key, choice)
        return batches + [Batch(samples=tuple(found), choice=choices[key]) for key, found in together.items()]

    def _choose(self, sample: ArrayToProcess) -> ProcessorChoice | LedgerDecision:
        platform = self.methods.supported(sample.platform)
        choice = choose_processor(
            sample.files,
            has_raw=sample.has_raw,
            manufacturer=platform.manufacturer if platform is not None else sample.manufacturer,
            is_supported=platform is not None,
            annotations=sample.annotations,
        )
        if isinstance(choice, LedgerDecision):
            return choice
        return self._missing_reference(sample, choice.processor) or choice

    def _missing_reference(self, sample: ArrayToProcess, processor: ArrayProcessor) -> LedgerDecision | None:
        """Nothing is downloaded for a sample whose platform is known and has no reference."""
        kind = REFERENCE_OF[processor]
        if processor is ArrayProcessor.BEAD_ARRAY:
            if self.references.of_kind(kind, sample.organism):
                return None
            return waits_for(sample.detected_platform or sample.platform, kind)
        known = sample.detected_platform or self.methods.unambiguous_platform(sample)
        if known is None or self.references.info(known, kind) is not None:
            return None
        return waits_for(known, kind)

    def process(self, batch: Batch) -> int:
        """Process a batch and record how each of its samples ended; gives back how many have values."""
        valued = 0
        open_ = {sample.accession: sample for sample in batch.samples}
        try:
            for outcome in self._outcomes(batch):
                sample = open_.pop(outcome.sample)
                valued += self._finish(sample, outcome)
        except (ToolMissingError, ConfigurationError, OSError, MemoryError):
            raise
        except RefinebioError as error:
            for sample in open_.values():
                decision = decide(error, organism=sample.organism or "UNKNOWN")
                self._finish(sample, Outcome(sample=sample.accession, verdict=decision, retryable=is_passing(error)))
        except Exception as error:
            logger.exception("%s: unexpected trouble", ", ".join(open_))
            message = f"Unexpected trouble: {type(error).__name__}: {error}"
            decision = LedgerDecision(state=SampleState.FAILED_PROCESSING, reason="unexpected_error", message=message)
            for sample in open_.values():
                self._finish(sample, Outcome(sample=sample.accession, verdict=decision))
        return valued

    def _outcomes(self, batch: Batch) -> Iterator[Outcome]:
        """The outcome of each sample of a batch. A single sample's file is removed when it was read."""
        if batch.choice.input is ArrayInput.FAMILY:
            yield from self.methods.submitted_tables(batch.samples, self.inputs.family())
            return
        path = self.inputs.path(batch.samples[0], batch.choice)
        yield from self.methods.outcomes(batch.samples, batch.choice.processor, path)
        if len(batch.samples) == 1:
            self.inputs.release(path)

    def _finish(self, sample: ArrayToProcess, outcome: Outcome) -> bool:
        """Record an outcome, unless the sample's record changed meanwhile; gives back whether it has values."""
        present = self.environment.catalog.array_to_process(self.experiment, sample.accession)
        if present is None or (present.files, present.organism) != (sample.files, sample.organism):
            self.environment.log.info("%s: its record changed meanwhile, so this result is not kept", sample.accession)
            return False
        if outcome.detected is not None:
            self.environment.catalog.record_detected_platforms([outcome.detected])
        verdict = outcome.verdict
        if isinstance(verdict, ArrayValues) and not has_signal(verdict.values):
            message = "All its values are the same, or missing: nothing was measured."
            verdict = LedgerDecision(state=SampleState.FAILED_QC, reason="no_signal", message=message)
        if isinstance(verdict, ArrayValues):
            self._record(sample, outcome, verdict)
            return True
        detected = outcome.detected.platform if outcome.detected is not None else None
        self.note(sample, verdict, retryable=outcome.retryable, attempted=True, detected=detected)
        self.environment.log.info("%s: %s (%s)", sample.accession, verdict.state.value, verdict.message)
        return False

    def _record(self, sample: ArrayToProcess, outcome: Outcome, values: ArrayValues) -> None:
        """Store the values, then record them: a kill in between leaves nothing recorded."""
        fingerprint = self.fingerprint(sample, outcome.processor, outcome.references)
        content = values_to_bytes(values.genes, values.values)
        stored = self.environment.store.put_bytes(content, values_key(self.experiment, sample.accession))
        recorded = self.environment.catalog.record_result(
            ResultToRecord(
                processor=outcome.processor.value,
                processor_version=values.method,
                environment=software_environment(),
                fingerprint=fingerprint_of("array values", sample.accession, fingerprint),
                parameters=dict(values.parameters),
                inputs={file.filename: file.md5 or file.url for file in sample.files} | dict(outcome.references),
                metrics={
                    **values.metrics,
                    "processor": outcome.processor.value,
                    "method": values.method,
                    "platform": outcome.platform,
                    "platform_claimed": sample.platform,
                    "platform_named": None if outcome.detected is None else outcome.detected.named,
                    "references": dict(outcome.references),
                    "num_genes": len(values.genes),
                    "warnings": list(values.warnings),
                    "fingerprint": fingerprint,
                },
                code_version=__version__,
                run_id=self.environment.run_id,
                files=(
                    FileToRecord(
                        key=stored.key,
                        filename=f"{sample.accession}.parquet",
                        kind=ComputedFileKind.ARRAY_VALUES,
                        size_bytes=stored.size_bytes,
                        sha256=stored.sha256,
                        sample=sample.accession,
                    ),
                ),
            )
        )
        for key in recorded.superseded_keys:
            self.environment.store.delete(key)
        self.note_values(sample, method=values.method, fingerprint=fingerprint, attempted=True)

    def note_values(self, sample: ArrayToProcess, *, method: str, fingerprint: str, attempted: bool = False) -> None:
        """The sample has values; it is ``processed`` when it is in its experiment's expression."""
        message = f"Its values are computed ({method}); they go into the expression of {self.experiment}."
        decision = LedgerDecision(state=SampleState.QUANTIFIED, reason="values_computed", message=message)
        self._change(sample, decision, fingerprint=fingerprint, tools={"method": method}, attempted=attempted)

    def note(
        self,
        sample: ArrayToProcess,
        decision: LedgerDecision,
        *,
        retryable: bool = False,
        attempted: bool = False,
        detected: str | None = None,
    ) -> None:
        """Write the state of a sample without values."""
        known = sample if detected is None else replace(sample, detected_platform=detected)
        fingerprint = self.attempt_fingerprint(known)
        self._change(sample, decision, fingerprint=fingerprint, retryable=retryable, attempted=attempted)

    def _change(
        self,
        sample: ArrayToProcess,
        decision: LedgerDecision,
        *,
        fingerprint: str,
        tools: Mapping[str, Any] | None = None,
        retryable: bool = False,
        attempted: bool = False,
    ) -> None:
        # A sample that its raw file ruled out may be ruled in again; what a survey ruled out meanwhile stays so.
        ruled_out = frozenset() if sample.reason == WRONG_CHIP else INELIGIBLE_STATES
        self.environment.catalog.ledger.set_states(
            [
                StateChange(
                    accession=sample.accession,
                    kind=LedgerKind.SAMPLE,
                    experiment_accession=self.experiment,
                    decision=decision,
                    retryable=retryable,
                    run_id=self.environment.run_id,
                    tool_versions={"refinebio": __version__, **(tools or {})},
                    input_fingerprint=fingerprint,
                    attempted=attempted,
                    not_from=ruled_out,
                )
            ]
        )


def values_key(experiment: str, sample: str) -> str:
    """Key of a sample's values."""
    return f"array_expression/{experiment}/{sample}.parquet"


def _files(sample: ArrayToProcess) -> list[list[Any]]:
    """The files as far as they tell one content from another. Family files hold the same table in every series."""
    found = []
    for file in sample.files:
        family = file.kind == "table" and "_family." in file.filename
        found.append(["family"] if family else [file.url, file.size_bytes, file.md5])
    return sorted(found, key=str)
