"""Figures over the whole catalog: how many samples are in which state, why, on which platforms; metadata coverage.

Every figure is one statement. States are counted from an index of the ledger alone, and coverage from indices of
members and values, so that a million samples are counted without reading their records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, literal, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.vocabulary import LedgerKind, SampleState
from resources.catalog.engine import Database
from resources.catalog.models import (
    Experiment,
    ExperimentSample,
    LedgerEntry,
    Platform,
    Sample,
    SampleHarmonizedValue,
)
from resources.catalog.statements import rows_where_in

UNMATCHED_KEYS = 50
"""Metadata keys without a rule that are listed of each archive, most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStates:
    """Experiments and samples of a source archive by state; states without any are absent."""

    source: SourceArchive
    experiments: Mapping[SampleState, int]
    samples: Mapping[SampleState, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedPlatform:
    """A platform whose samples are left out, with the number of these, and of the experiments that have them.

    ``accession`` is None for samples without a platform.
    """

    accession: str | None
    name: str | None
    technology: str | None
    samples: int
    experiments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCoverage:
    """How many samples have a value of a harmonised field; ``share`` is between 0 and 1."""

    field: str
    samples: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmatchedKey:
    """A metadata key of submitters that no rule takes or can read, and how many samples have it."""

    key: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataCoverage:
    """How much of the samples' metadata is harmonised; ``unmatched`` has the most frequent keys first."""

    samples: int
    fields: tuple[FieldCoverage, ...]
    unmatched: tuple[UnmatchedKey, ...]


class Summary:
    """Reads the figures, each call in one transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states_by_source(self) -> list[SourceStates]:
        """See :func:`states_by_source`."""
        with self._database.reading() as session:
            return states_by_source(session)

    def unsupported_platforms(self, *, limit: int) -> list[UnsupportedPlatform]:
        """See :func:`unsupported_platforms`."""
        with self._database.reading() as session:
            return unsupported_platforms(session, limit=limit)

    def coverage_by_source(self, *, limit: int = UNMATCHED_KEYS) -> dict[SourceArchive, MetadataCoverage]:
        """See :func:`coverage_by_source`."""
        with self._database.reading() as session:
            return coverage_by_source(session, limit=limit)

    def coverage_of_experiment(self, experiment: str) -> MetadataCoverage | None:
        """Coverage of one experiment with all its unmatched keys; None if it was never surveyed."""
        with self._database.reading() as session:
            key = session.scalar(select(Experiment.id).where(Experiment.accession == experiment))
            return None if key is None else coverage_of_experiments(session, [key])[key]


def states_by_source(session: Session) -> list[SourceStates]:
    """States of experiments and samples by archive. A sample counts for the archive of the experiment that owns it."""
    entry = LedgerEntry
    counted = (
        select(entry.experiment_accession, entry.kind, entry.state, func.count().label("number"))
        .group_by(entry.experiment_accession, entry.kind, entry.state)
        .subquery()
    )
    placed = (
        select(_archive(counted.c.experiment_accession).label("archive"), counted)
        .outerjoin(Experiment, Experiment.accession == counted.c.experiment_accession)
        .subquery()
    )
    names = (placed.c.archive, placed.c.kind, placed.c.state)
    query = select(*names, func.sum(placed.c.number)).group_by(*names)
    found: dict[str, dict[str, dict[SampleState, int]]] = defaultdict(lambda: defaultdict(dict))
    for source, kind, state, number in session.execute(query):
        found[source][kind][SampleState(state)] = int(number)
    return [
        SourceStates(
            source=source,
            experiments=dict(sorted(found[source][LedgerKind.EXPERIMENT].items())),
            samples=dict(sorted(found[source][LedgerKind.SAMPLE].items())),
        )
        for source in SourceArchive
        if source in found
    ]


def _archive(accession: ColumnElement[Any]) -> ColumnElement[Any]:
    """The archive of an experiment, from its record or, while it is only discovered, from its accession."""
    by_accession = case(
        (accession.startswith("GSE"), literal(SourceArchive.GEO.value)),
        (accession.startswith("E-"), literal(SourceArchive.ARRAY_EXPRESS.value)),
        else_=literal(SourceArchive.SRA.value),
    )
    return func.coalesce(Experiment.source, by_accession)


def unsupported_platforms(session: Session, *, limit: int) -> list[UnsupportedPlatform]:
    """Platforms of samples in ``unsupported_platform``, those with most samples first."""
    samples, experiments = func.count(Sample.id.distinct()), func.count(ExperimentSample.experiment_id.distinct())
    query = (
        select(Platform.accession, Platform.name, Platform.technology, samples, experiments)
        .select_from(LedgerEntry)
        .join(Sample, Sample.accession == LedgerEntry.accession)
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .outerjoin(Platform, Platform.id == Sample.platform_id)
        .where(LedgerEntry.state == SampleState.UNSUPPORTED_PLATFORM)
        .group_by(Platform.accession, Platform.name, Platform.technology)
        .order_by(samples.desc(), Platform.accession)
        .limit(limit)
    )
    return [
        UnsupportedPlatform(
            accession=row[0], name=row[1], technology=row[2], samples=int(row[3]), experiments=int(row[4])
        )
        for row in session.execute(query)
    ]


def coverage_by_source(session: Session, *, limit: int = UNMATCHED_KEYS) -> dict[SourceArchive, MetadataCoverage]:
    """Coverage of each archive's samples, with at most ``limit`` unmatched keys; archives without samples are absent.

    A sample counts for the archive of the experiment that owns it; a key for every experiment that has the sample.
    """
    owned = select(Experiment.source, func.count(Sample.id)).join(Sample, Sample.owner_experiment_id == Experiment.id)
    totals = {source: int(number) for source, number in session.execute(owned.group_by(Experiment.source))}
    value = SampleHarmonizedValue
    # By owner first: then only indices are read, not the samples' long rows (twice as fast on SQLite).
    by_owner = (
        select(Sample.owner_experiment_id.label("owner"), value.field, func.count().label("number"))
        .join(value, value.sample_id == Sample.id)
        .group_by(Sample.owner_experiment_id, value.field)
        .subquery()
    )
    valued = (
        select(Experiment.source, by_owner.c.field, func.sum(by_owner.c.number))
        .join(by_owner, by_owner.c.owner == Experiment.id)
        .group_by(Experiment.source, by_owner.c.field)
    )
    fields: dict[str, dict[str, int]] = defaultdict(dict)
    for source, field, number in session.execute(valued):
        fields[source][field] = int(number)
    unmatched = _unmatched_by_source(session, limit)
    return {
        source: metadata_coverage(totals[source], fields[source], unmatched[source])
        for source in SourceArchive
        if source in totals
    }


def _unmatched_by_source(session: Session, limit: int) -> dict[str, dict[str, int]]:
    """Samples by unmatched key of each archive, the most frequent keys."""
    if session.get_bind().dialect.name == "postgresql":
        pairs = func.json_each_text(Experiment.coverage).table_valued("key", "value", joins_implicitly=True)
    else:
        pairs = func.json_each(Experiment.coverage).table_valued("key", "value", joins_implicitly=True)
    number = func.sum(cast(pairs.c.value, BigInteger))
    place = func.row_number().over(partition_by=Experiment.source, order_by=(number.desc(), pairs.c.key))
    ranked = (
        select(Experiment.source, pairs.c.key, number.label("number"), place.label("place"))
        .group_by(Experiment.source, pairs.c.key)
        .subquery()
    )
    query = select(ranked.c.source, ranked.c.key, ranked.c.number).where(ranked.c.place <= limit)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for source, key, samples in session.execute(query):
        found[source][key] = int(samples)
    return found


def coverage_of_experiments(
    session: Session, experiments: Sequence[int], *, limit: int | None = None
) -> dict[int, MetadataCoverage]:
    """Coverage of experiments by row id, with all their unmatched keys or at most ``limit``."""
    member, value = ExperimentSample, SampleHarmonizedValue
    counted = select(member.experiment_id, func.count()).group_by(member.experiment_id)
    totals = {row[0]: row[1] for row in rows_where_in(session, counted, member.experiment_id, experiments)}
    valued = (
        select(member.experiment_id, value.field, func.count())
        .join(value, value.sample_id == member.sample_id)
        .group_by(member.experiment_id, value.field)
    )
    fields: dict[int, dict[str, int]] = defaultdict(dict)
    for key, field, number in rows_where_in(session, valued, member.experiment_id, experiments):
        fields[key][field] = number
    stored = rows_where_in(session, select(Experiment.id, Experiment.coverage), Experiment.id, experiments)
    return {row.id: metadata_coverage(totals.get(row.id, 0), fields[row.id], row.coverage, limit) for row in stored}


def metadata_coverage(
    samples: int, fields: Mapping[str, int], unmatched: Mapping[str, int], limit: int | None = None
) -> MetadataCoverage:
    """Coverage from counts by field and by unmatched key."""
    return MetadataCoverage(
        samples=samples,
        fields=tuple(
            FieldCoverage(field=field, samples=number, share=number / samples if samples else 0.0)
            for field, number in _most_first(fields.items())
        ),
        unmatched=tuple(
            UnmatchedKey(key=key, samples=number) for key, number in _most_first(unmatched.items())[:limit]
        ),
    )


def _most_first(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(counts, key=lambda pair: (-pair[1], pair[0]))
