"""Reading the array samples of an experiment: which are to be processed, which have values, who waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from refinebio_assets.domain.records import OriginalFile
from refinebio_assets.domain.vocabulary import (
    BLACKLISTED_RUN,
    IMPORTED,
    INELIGIBLE_STATES,
    NO_REFERENCE,
    WRONG_CHIP,
    ComputedFileKind,
    SampleState,
    Technology,
)
from resources.catalog.computed_files import ComputedFileInfo, newest_file_of_sample
from resources.catalog.models import (
    DetectedPlatform,
    Experiment,
    ExperimentSample,
    LedgerEntry,
    Organism,
    Platform,
    Sample,
)
from resources.catalog.samples import original_files

_DETECTED = (
    select(DetectedPlatform.sample_id, Platform.accession)
    .join(Platform, Platform.id == DetectedPlatform.platform_id)
    .subquery("detected")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayToProcess:
    """An array sample with its files, what is known of its platform, and what was computed of it before.

    ``platform`` is what the submitter says (the array's code if it is supported), ``detected_platform`` what the raw
    file showed when it was read; ``values`` its newest file of values.
    """

    accession: str
    title: str
    organism: str | None
    platform: str | None
    platform_name: str | None
    manufacturer: str | None
    detected_platform: str | None
    has_raw: bool
    annotations: Mapping[str, Any]
    files: tuple[OriginalFile, ...]
    state: SampleState
    reason: str
    retryable: bool
    input_fingerprint: str | None
    tool_versions: Mapping[str, Any]
    values: ComputedFileInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayFile:
    """The values of an array sample of an experiment, owned or shared.

    ``key`` can be that of an earlier run: it counts only in states ``quantified`` and ``processed``, and for duplicates
    that may take the place of their original.
    """

    sample: str
    owner: str
    organism: str | None
    platform: str | None
    state: SampleState
    reason: str
    message: str
    key: str | None
    sha256: str | None
    metrics: Mapping[str, Any]


def arrays_to_process(session: Session, experiment: str, sample: str | None = None) -> list[ArrayToProcess]:
    """Array samples that the experiment owns (or the one that is named, if it is such), by accession.

    Eligible ones in any state, and those that were ruled out by their raw file: whoever processes sees whether that
    still holds.
    """
    query = (
        select(Sample, LedgerEntry, Organism.name, Platform, _DETECTED.c.accession)
        .join(Experiment, Experiment.id == Sample.owner_experiment_id)
        .outerjoin(Organism, Organism.id == Sample.organism_id)
        .outerjoin(Platform, Platform.id == Sample.platform_id)
        .outerjoin(_DETECTED, _DETECTED.c.sample_id == Sample.id)
    )
    query = _arrays(query, experiment)
    if sample is not None:
        query = query.where(Sample.accession == sample)
    rows = session.execute(query.order_by(Sample.accession)).all()
    files = original_files(session, [row[0].id for row in rows])
    values = newest_file_of_sample(session, [row[0].id for row in rows], ComputedFileKind.ARRAY_VALUES)
    return [
        ArrayToProcess(
            accession=array.accession,
            title=array.title,
            organism=organism,
            platform=None if platform is None else platform.accession,
            platform_name=None if platform is None else platform.name,
            manufacturer=None if platform is None else platform.manufacturer,
            detected_platform=detected,
            has_raw=array.has_raw,
            annotations=array.annotations,
            files=tuple(files.get(array.id, ())),
            state=SampleState(entry.state),
            reason=entry.reason,
            retryable=entry.retryable,
            input_fingerprint=entry.input_fingerprint,
            tool_versions=entry.tool_versions,
            values=values.get(array.id),
        )
        for array, entry, organism, platform, detected in rows
    ]


def array_files(session: Session, experiment: str) -> list[ArrayFile]:
    """Values of all array samples of the experiment that are eligible, owned or shared, by accession."""
    owner = aliased(Experiment)
    query = (
        select(Sample.id, Sample.accession, owner.accession, Organism.name, Platform.accession, LedgerEntry)
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .join(Experiment, Experiment.id == ExperimentSample.experiment_id)
        .join(owner, owner.id == Sample.owner_experiment_id)
        .outerjoin(Organism, Organism.id == Sample.organism_id)
        .outerjoin(Platform, Platform.id == Sample.platform_id)
    )
    rows = session.execute(_arrays(query, experiment).order_by(Sample.accession)).all()
    values = newest_file_of_sample(session, [row[0] for row in rows], ComputedFileKind.ARRAY_VALUES)
    return [
        ArrayFile(
            sample=accession,
            owner=owned_by,
            organism=organism,
            platform=platform,
            state=SampleState(entry.state),
            reason=entry.reason,
            message=entry.message,
            key=None if id_ not in values else values[id_].key,
            sha256=None if id_ not in values else values[id_].sha256,
            metrics={} if id_ not in values else values[id_].metrics,
        )
        for id_, accession, owned_by, organism, platform, entry in rows
    ]


def experiment_annotations(session: Session, experiment: str) -> dict[str, Any]:
    """What the archive says of an experiment, unflattened; empty if it is not in the catalog."""
    return session.scalar(select(Experiment.annotations).where(Experiment.accession == experiment)) or {}


def _arrays(query: Select[*tuple[Any, ...]], experiment: str) -> Select[*tuple[Any, ...]]:
    """Only arrays: samples whose technology GEO does not tell count if the survey let them pass for their CEL file."""
    eligible = and_(
        LedgerEntry.state.not_in(sorted(INELIGIBLE_STATES)),
        LedgerEntry.reason.not_in((BLACKLISTED_RUN, IMPORTED)),
    )
    return query.join(LedgerEntry, LedgerEntry.accession == Sample.accession).where(
        Experiment.accession == experiment,
        Sample.technology != Technology.RNA_SEQ,
        or_(eligible, LedgerEntry.reason == WRONG_CHIP),
    )


def experiments_to_process_arrays(session: Session, *, limit: int) -> list[str]:
    """Experiments with array samples that can be processed now, longest waiting first.

    That are those which own some in ``surveyed`` or ``downloaded`` (not those that wait for a reference of their
    platform, nor those left to the retry loop), those with values that are not in their expression yet, and those
    without any expression whose samples are in that of another experiment.
    """
    return list(dict.fromkeys([*_unprocessed(session, limit), *_unfinished(session, limit)]))[:limit]


def _unprocessed(session: Session, limit: int) -> Iterable[str]:
    query = (
        select(Experiment.accession)
        .join(Sample, Sample.owner_experiment_id == Experiment.id)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .where(
            LedgerEntry.state.in_([SampleState.SURVEYED, SampleState.DOWNLOADED]),
            LedgerEntry.reason != NO_REFERENCE,
            Sample.technology != Technology.RNA_SEQ,
            ~LedgerEntry.retryable,
        )
    )
    return session.scalars(_longest_waiting_first(query, limit))


def _unfinished(session: Session, limit: int) -> Iterable[str]:
    own = aliased(LedgerEntry)
    query = (
        select(Experiment.accession)
        .join(ExperimentSample, ExperimentSample.experiment_id == Experiment.id)
        .join(Sample, Sample.id == ExperimentSample.sample_id)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .join(own, own.accession == Experiment.accession)
        .where(
            Sample.technology != Technology.RNA_SEQ,
            LedgerEntry.state.in_([SampleState.QUANTIFIED, SampleState.PROCESSED]),
            or_(LedgerEntry.state == SampleState.QUANTIFIED, own.state != SampleState.PROCESSED),
        )
    )
    return session.scalars(_longest_waiting_first(query, limit))


def _longest_waiting_first(query: Select[str], limit: int) -> Select[str]:
    ordered = query.group_by(Experiment.accession).order_by(func.min(LedgerEntry.updated_at), Experiment.accession)
    return ordered.limit(limit)
