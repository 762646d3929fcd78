"""References of array platforms: recording one makes it current and brings back the samples that it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import Session

from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import (
    INELIGIBLE_STATES,
    NO_REFERENCE,
    LedgerKind,
    PlatformReferenceKind,
    SampleState,
    Technology,
)
from resources.catalog.experiment_state import refresh_experiment_state
from resources.catalog.ledger_changes import StateChange, apply_changes
from resources.catalog.models import (
    DetectedPlatform,
    Experiment,
    ExperimentSample,
    LedgerEntry,
    Organism,
    Platform,
    PlatformReference,
    Sample,
    now,
)
from resources.catalog.statements import rows_where_in, upsert
from resources.catalog.vocabulary_rows import OrganismName, organism_ids

REFERENCE_ARRIVED = "platform_reference_arrived"
"""Ledger reason of samples that can be tried now, or again, because a reference of their platform was imported."""

_CONCERNED = frozenset(
    {SampleState.QUANTIFIED, SampleState.PROCESSED, SampleState.FAILED_QC, SampleState.FAILED_PROCESSING}
)
"""States that came about with the reference before; no reference mends a corrupt file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformReferenceInfo:
    """A reference of a platform and where its file lies in the object store.

    ``platform`` is the array's code (``hgu95av2``); ``organism`` the UPPER_SNAKE name, None if it is for any.
    """

    platform: str
    kind: PlatformReferenceKind
    source: str
    version: str
    sha256: str
    key: str
    filename: str
    size_bytes: int
    num_probes: int
    num_genes: int
    organism: str | None = None
    is_current: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformReferenceToRecord(PlatformReferenceInfo):
    """A reference to write; name and manufacturer are kept with the platform if the catalog does not have it yet."""

    platform_name: str
    manufacturer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedPlatformToRecord:
    """The array that a sample's raw file shows (see :class:`~resources.catalog.models.DetectedPlatform`).

    ``platform`` is the code of a supported array; it becomes a platform of the catalog if it was none yet.
    """

    sample: str
    platform: str | None
    platform_name: str | None
    manufacturer: str | None
    named: str
    evidence: str
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedReference:
    """What recording a reference did: its row, whether it was current before, and the samples that it brought back."""

    reference_id: int
    was_current: bool
    samples: tuple[str, ...]
    experiments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSamples:
    """How many samples of an array were surveyed, and how many of them wait for a reference."""

    platform: str
    samples: int
    waiting: int


_COLUMNS = ("source", "version", "sha256", "key", "filename", "size_bytes", "num_probes", "num_genes", "is_current")


def current_references(
    session: Session, platform: str | None = None, *, kind: PlatformReferenceKind | None = None
) -> list[PlatformReferenceInfo]:
    """Current references, of one platform or all, by platform and kind."""
    query = _references().where(PlatformReference.is_current)
    if platform is not None:
        query = query.where(Platform.accession == platform)
    if kind is not None:
        query = query.where(PlatformReference.kind == kind)
    rows = session.execute(query.order_by(Platform.accession, PlatformReference.kind))
    return [
        PlatformReferenceInfo(
            platform=accession,
            organism=organism,
            kind=PlatformReferenceKind(row.kind),
            **{name: getattr(row, name) for name in _COLUMNS},
        )
        for row, accession, organism in rows
    ]


def _references() -> Select[PlatformReference, str, str | None]:
    return (
        select(PlatformReference, Platform.accession, Organism.name)
        .join(Platform, Platform.id == PlatformReference.platform_id)
        .outerjoin(Organism, Organism.id == PlatformReference.organism_id)
    )


def record_platform_reference(
    session: Session, reference: PlatformReferenceToRecord, *, run_id: str | None = None
) -> RecordedReference:
    """Write a reference as the current one; see :meth:`resources.catalog.Catalog.record_platform_reference`."""
    platform_id = _platform_id(session, reference.platform, reference.platform_name, reference.manufacturer)
    # Two imports for one platform are recorded one after the other: each would make its own reference the current one.
    session.execute(select(Platform.id).where(Platform.id == platform_id).with_for_update())
    of_kind = (PlatformReference.platform_id == platform_id, PlatformReference.kind == reference.kind)
    current = session.scalar(select(PlatformReference.sha256).where(*of_kind, PlatformReference.is_current))
    session.execute(
        update(PlatformReference)
        .where(*of_kind, PlatformReference.sha256 != reference.sha256, PlatformReference.is_current)
        .values(is_current=False)
        .execution_options(synchronize_session=False)
    )
    (written,) = upsert(
        session,
        PlatformReference,
        [_row(session, reference, platform_id)],
        key=["platform_id", "kind", "sha256"],
        returning=[PlatformReference.id],
    )
    was_current = current == reference.sha256
    samples = _samples_to_bring_back(session, platform_id, only_waiting=was_current)
    experiments = _bring_back(session, samples, reference, run_id)
    return RecordedReference(
        reference_id=int(written.id), was_current=was_current, samples=tuple(samples), experiments=tuple(experiments)
    )


def _platform_id(session: Session, accession: str, name: str | None, manufacturer: str | None) -> int:
    known = session.scalar(select(Platform.id).where(Platform.accession == accession))
    if known is not None:
        return known
    row = {
        "accession": accession,
        "name": name or accession,
        "manufacturer": manufacturer,
        "technology": Technology.MICROARRAY.value,
    }
    (written,) = upsert(session, Platform, [row], key=["accession"], returning=[Platform.id])
    return int(written.id)


def _row(session: Session, reference: PlatformReferenceToRecord, platform_id: int) -> dict[str, object]:
    organism = None if reference.organism is None else OrganismName(name=reference.organism)
    return {
        "platform_id": platform_id,
        "organism_id": None if organism is None else organism_ids(session, [organism])[organism],
        "kind": reference.kind.value,
        **{name: getattr(reference, name) for name in _COLUMNS},
        "is_current": True,
        "created_at": now(),
    }


def measured_on(platform: ColumnElement[int] | int) -> ColumnElement[bool]:
    """The condition that a sample (joined with what was detected) is of a platform: by its file, else as submitted."""
    return func.coalesce(DetectedPlatform.platform_id, Sample.platform_id) == platform


def _samples_to_bring_back(session: Session, platform_id: int, *, only_waiting: bool) -> list[str]:
    """Samples of the platform that wait; with another reference than before also those that are done or failed."""
    query = (
        select(Sample.accession)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .outerjoin(DetectedPlatform, DetectedPlatform.sample_id == Sample.id)
        .where(measured_on(platform_id), LedgerEntry.state.not_in(sorted(INELIGIBLE_STATES)))
        .order_by(Sample.accession)
    )
    if only_waiting:
        return list(session.scalars(query.where(LedgerEntry.reason == NO_REFERENCE)))
    concerned = LedgerEntry.state.in_(sorted(_CONCERNED))
    return list(session.scalars(query.where(or_(LedgerEntry.reason == NO_REFERENCE, concerned))))


def _bring_back(
    session: Session, samples: Sequence[str], reference: PlatformReferenceToRecord, run_id: str | None
) -> list[str]:
    """Back to ``surveyed``; what was computed with an earlier reference stays until the sample is done again."""
    version = f"{reference.source} {reference.version}"
    words = reference.kind.value.replace("_", " ")
    message = f"The {words} {version} of {reference.platform} was imported; the sample is processed with it."
    decision = LedgerDecision(state=SampleState.SURVEYED, reason=REFERENCE_ARRIVED, message=message)
    apply_changes(
        session,
        [
            StateChange(
                accession=sample,
                kind=LedgerKind.SAMPLE,
                experiment_accession=None,
                decision=decision,
                run_id=run_id,
                forget_attempts=True,
            )
            for sample in samples
        ],
    )
    query = (
        select(Experiment.accession)
        .distinct()
        .join(ExperimentSample, ExperimentSample.experiment_id == Experiment.id)
        .join(Sample, Sample.id == ExperimentSample.sample_id)
    )
    experiments = sorted({row.accession for row in rows_where_in(session, query, Sample.accession, samples)})
    for experiment in experiments:
        refresh_experiment_state(session, experiment, run_id=run_id)
    return experiments


def record_detected_platforms(session: Session, found: Iterable[DetectedPlatformToRecord]) -> None:
    """Write which arrays raw files show; samples that the catalog does not have are left out."""
    wanted = {one.sample: one for one in found}
    ids = rows_where_in(session, select(Sample.accession, Sample.id), Sample.accession, sorted(wanted))
    platform_ids = {
        one.platform: _platform_id(session, one.platform, one.platform_name, one.manufacturer)
        for one in sorted(wanted.values(), key=lambda one: one.platform or "")
        if one.platform is not None
    }
    moment = now()
    rows = [
        {
            "sample_id": row.id,
            "platform_id": platform_ids.get(wanted[row.accession].platform or ""),
            "named": wanted[row.accession].named,
            "evidence": wanted[row.accession].evidence,
            "share": wanted[row.accession].share,
            "detected_at": moment,
        }
        for row in ids
    ]
    upsert(session, DetectedPlatform, rows, key=["sample_id"])


def platform_samples(session: Session) -> list[PlatformSamples]:
    """Eligible array samples by platform, as their files show or as submitted, and how many wait for a reference."""
    waiting = func.count().filter(LedgerEntry.reason == NO_REFERENCE)
    query = (
        select(Platform.accession, func.count(), waiting)
        .select_from(Sample)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .outerjoin(DetectedPlatform, DetectedPlatform.sample_id == Sample.id)
        .join(Platform, Platform.id == func.coalesce(DetectedPlatform.platform_id, Sample.platform_id))
        .where(Sample.technology != Technology.RNA_SEQ, LedgerEntry.state.not_in(sorted(INELIGIBLE_STATES)))
        .group_by(Platform.accession)
        .order_by(Platform.accession)
    )
    return [
        PlatformSamples(platform=accession, samples=int(samples), waiting=int(number))
        for accession, samples, number in session.execute(query)
    ]
