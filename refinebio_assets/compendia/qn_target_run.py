"""The QN target of an organism: found up to date, grown by the samples that came in addition, or made anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from refinebio_assets import __version__
from refinebio_assets.compendia.checked_parts_run import DamagedPartError, damage_of, find_damage
from refinebio_assets.compendia.distribution_check import TargetAgreement, compare_targets
from refinebio_assets.compendia.qn_target import METHOD_VERSION, BuiltTarget, TargetSums, build_target
from refinebio_assets.compendia.qn_target_files_run import Target, load_sums, load_target, store_target
from refinebio_assets.compendia.qn_target_inputs_run import TargetInputs, fingerprint_of_target, target_inputs
from refinebio_assets.compendia.qn_target_samples import TargetChoice, TooFewSamples
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.compendia.unfit_samples import counted_as
from refinebio_assets.compendia.watching import watcher
from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.vocabulary import Technology
from resources.catalog import Catalog, FileToRecord, QnTargetInfo, QnTargetToRecord, ResultToRecord
from resources.object_store import ObjectStore
from resources.tools.environment import software_environment

PROCESSOR = "QN target"
VERSION_LENGTH = 12
MOST_PROGRESS_LINES = 20
COUNTS = ("arrays", "rna_seq")
"""What the sensors compare with today's samples; details of a recorded target."""


@dataclass(slots=True, kw_only=True)
class QnTargetRun:
    """What a run over an organism's samples did.

    Attributes:
        organism: UPPER_SNAKE.
        value: The target, ascending; None if there is none.
        skipped: Why there is none, in a sentence with the numbers.
        kept: Whether the current target is what would be made.
        commit: Stores and records the target; None if there is nothing new to record.
        fingerprint: Of everything that decides the stored bytes; empty if there are too few samples to look at.
        technology: Of the samples.
        platform: Of arrays.
        num_samples: How many samples it is the mean of.
        num_genes: How many values it has.
        arrays: Arrays of the most common platform, whatever genes and values they have.
        rna_seq: RNA-seq samples that could be in a target, whatever genes and values they have.
        reused: How many of the samples were not summed again.
        agreement: With the target before it; None if this is the first one, or still the same.
        left_out: Why other samples of the technology are not among its samples.
    """

    organism: str
    value: Target | None = None
    skipped: str | None = None
    kept: bool = False
    commit: Callable[[], object] | None = None
    fingerprint: str = ""
    technology: Technology | None = None
    platform: str | None = None
    num_samples: int = 0
    num_genes: int = 0
    arrays: int = 0
    rna_seq: int = 0
    reused: int = 0
    agreement: TargetAgreement | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str | None:
        """The first digits of the fingerprint."""
        return self.fingerprint[:VERSION_LENGTH] or None

    @property
    def data_version(self) -> str | None:
        """Some more of them, for Dagster."""
        return self.fingerprint[:16] or None

    def summary(self) -> dict[str, Any]:
        """As JSON, for people."""
        return {
            "organism": self.organism,
            "outcome": "skipped" if self.value is None else "kept" if self.kept else "made",
            "version": self.version,
            "technology": None if self.technology is None else self.technology.value,
            "platform": self.platform,
            "samples": self.num_samples,
            "genes": self.num_genes,
            "arrays": self.arrays,
            "rna_seq": self.rna_seq,
            "reused": self.reused,
            "agreement": None if self.agreement is None else self.agreement._asdict(),
            "left_out": dict(sorted(Counter(map(counted_as, self.left_out.values())).items())),
            "message": self.skipped or "",
        }


def make_qn_target(organism: str, environment: CompendiumEnvironment) -> QnTargetRun:
    """Make the target of an organism, or find the current one up to date.

    Samples that came in addition are added to the sums of the current target; only their parts are read. Experiments
    whose stored expression is damaged are left out.

    Args:
        organism: UPPER_SNAKE.
        environment: What the run works with.

    Raises:
        ObjectStoreError: The store failed.
    """
    run = _make_of_whole_parts(organism, environment)
    watcher().finished(organism, run.summary())
    return run


def _make_of_whole_parts(organism: str, environment: CompendiumEnvironment) -> QnTargetRun:
    damaged: dict[str, str] = {}
    verified: set[str] = set()
    while True:
        inputs = target_inputs(organism, environment, damaged=damaged, verified=verified)
        if isinstance(inputs.choice, TooFewSamples):
            return QnTargetRun(organism=organism, skipped=inputs.choice.sentence(organism), left_out=inputs.unreadable)
        try:
            return _make(inputs, inputs.choice, environment)
        except DamagedPartError as error:
            damaged |= {error.experiment: damage_of(error.experiment)} | find_damage(inputs.store.parts)
            environment.log.info("%s: left out, damaged: %s", organism, ", ".join(sorted(damaged)))


def current_target(organism: str, catalog: Catalog, store: ObjectStore) -> tuple[Target, QnTargetInfo] | None:
    """The target that an organism's samples are normalised to; None if it has none.

    Raises:
        MalformedFileError: Its file is missing or not what was stored.
    """
    info = catalog.compendia.current_qn_target(organism)
    return None if info is None else (load_target(info, store), info)


@dataclass(frozen=True, slots=True)
class _Before:
    """The current target as far as it can be read."""

    info: QnTargetInfo | None
    target: Target | None
    sums: TargetSums | None


def _make(inputs: TargetInputs, choice: TargetChoice, environment: CompendiumEnvironment) -> QnTargetRun:
    run = QnTargetRun(
        organism=inputs.organism,
        fingerprint=fingerprint_of_target(inputs, choice),
        technology=choice.technology,
        platform=choice.platform,
        num_genes=len(choice.genes),
        arrays=choice.arrays,
        rna_seq=choice.rna_seq,
        left_out={**choice.left_out, **inputs.unreadable},
    )
    before = _before(inputs.organism, environment)
    if before.info is not None and before.target is not None and before.info.fingerprint == run.fingerprint:
        return _keep(run, before.info, before.target, environment)
    built = build_target(inputs.store, choice.genes, earlier=before.sums, on_part=_progress(inputs, environment))
    run.num_samples, run.reused = built.samples, built.reused
    run.left_out = {**run.left_out, **_incomplete(built, len(choice.genes))}
    least = environment.settings.qn_target_min_samples
    if built.samples < least:
        run.skipped = _too_few_complete(run, choice.eligible, least)
        return run
    run.value = built.target()
    run.agreement = None if before.target is None else compare_targets(before.target, run.value)
    run.commit = lambda: _store_and_record(run, inputs, choice, built, environment)
    return run


def _incomplete(built: BuiltTarget, genes: int) -> dict[str, str]:
    return {name: f"{missing:,} of its {genes:,} genes have no value." for name, missing in built.missing.items()}


def _too_few_complete(run: QnTargetRun, eligible: int, least: int) -> str:
    return (
        f"{run.organism} has {eligible} samples that a QN target could be made of, but only {run.num_samples} have "
        f"a value of each of the {run.num_genes:,} genes that most have; {least} are needed "
        "(REFINEBIO_QN_TARGET_MIN_SAMPLES)."
    )


def _before(organism: str, environment: CompendiumEnvironment) -> _Before:
    """The current target; what is damaged of it is as if it were not there, and is made anew."""
    info = environment.catalog.compendia.current_qn_target(organism)
    if info is None:
        return _Before(None, None, None)
    target = sums = None
    try:
        target = load_target(info, environment.store)
        sums = load_sums(info, environment.store)
    except MalformedFileError as error:
        environment.log.info("%s: %s It is made anew.", organism, error.message)
    return _Before(info, target, sums)


def _progress(inputs: TargetInputs, environment: CompendiumEnvironment) -> Callable[[int], None]:
    """A line in the log now and then."""
    total = len(inputs.store.samples)
    done = 0

    def on_part(samples: int) -> None:
        nonlocal done
        before, done = done, done + samples
        if done * MOST_PROGRESS_LINES // total > before * MOST_PROGRESS_LINES // total:
            environment.log.info("%s: %d of %d samples read", inputs.organism, done, total)

    return on_part


def _keep(run: QnTargetRun, info: QnTargetInfo, target: Target, environment: CompendiumEnvironment) -> QnTargetRun:
    """The current target as the outcome; how many samples there are now is recorded if it has changed."""
    run.kept, run.value = True, target
    run.num_samples = run.reused = info.num_samples
    counted = {name: getattr(run, name) for name in COUNTS}
    if any(info.details.get(name) != count for name, count in counted.items()):
        files = tuple(
            FileToRecord(
                key=file.key,
                filename=file.filename,
                kind=file.kind,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                organism=run.organism,
            )
            for file in sorted(info.files, key=lambda file: file.key != info.key)
        )
        run.commit = lambda: _record(run, files, {**info.details, **counted}, environment)
    return run


def _store_and_record(
    run: QnTargetRun, inputs: TargetInputs, choice: TargetChoice, built: BuiltTarget, environment: CompendiumEnvironment
) -> None:
    """Store the files, then record them: a kill in between leaves nothing recorded."""
    files = store_target(str(run.version), inputs, choice, built, environment.store)
    summary = run.summary()
    details = {name: summary[name] for name in ("version", *COUNTS, "reused", "agreement", "left_out")}
    _record(run, files, details, environment)


def _record(
    run: QnTargetRun, files: tuple[FileToRecord, ...], details: Mapping[str, Any], environment: CompendiumEnvironment
) -> None:
    environment.catalog.compendia.record_qn_target(
        QnTargetToRecord(
            organism=run.organism,
            technology=run.technology or Technology.MICROARRAY,
            platform=run.platform,
            num_samples=run.num_samples,
            num_genes=run.num_genes,
            details=details,
            result=ResultToRecord(
                processor=PROCESSOR,
                processor_version=METHOD_VERSION,
                environment=software_environment(),
                fingerprint=run.fingerprint,
                parameters={"least_samples": environment.settings.qn_target_min_samples},
                metrics={"num_samples": run.num_samples, "num_genes": run.num_genes},
                code_version=__version__,
                run_id=environment.run_id,
                files=files,
            ),
        )
    )
