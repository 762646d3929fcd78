"""Counts over the catalog's tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, case, func, select

from graphql_api.context import Reader, Statement
from graphql_api.vocabulary import LedgerKind, SampleState, SourceArchive, Technology
from resources.catalog import summary
from resources.catalog.ledger import most_frequent_reasons
from resources.catalog.models import ComputedFile, Experiment, ExperimentSample, LedgerEntry, Organism, Sample

if TYPE_CHECKING:
    from graphql_api.coverage.types import SourceCoverage
    from graphql_api.ledger.types import StateCount
    from graphql_api.stats.types import ReasonCount, SourceStates, UnsupportedPlatform

IS_PROCESSED = LedgerEntry.state == SampleState.PROCESSED.value


def num_experiments(reader: Reader) -> int:
    """Experiments surveyed."""
    return int(reader.scalar(select(func.count()).select_from(Experiment)))


def num_samples(reader: Reader) -> int:
    """Samples surveyed."""
    return int(reader.scalar(select(func.count()).select_from(Sample)))


def num_processed_experiments(reader: Reader) -> int:
    """Experiments with at least one processed sample."""
    members = select(func.count(ExperimentSample.experiment_id.distinct())).join(
        Sample, Sample.id == ExperimentSample.sample_id
    )
    return int(reader.scalar(_processed(members)))


def num_processed_samples(reader: Reader) -> int:
    """Samples with expression."""
    return int(reader.scalar(_processed(select(func.count()).select_from(Sample))))


def num_supported_organisms(reader: Reader) -> int:
    """Organisms with at least one processed sample."""
    return int(reader.scalar(_processed(select(func.count(Sample.organism_id.distinct())))))


def _processed(samples: Statement) -> Statement:
    return samples.join(LedgerEntry, LedgerEntry.accession == Sample.accession).where(IS_PROCESSED)


def states(reader: Reader, kind: LedgerKind) -> list[StateCount]:
    """Entries of a kind by state."""
    is_about = "experiments" if kind is LedgerKind.EXPERIMENT else "samples"
    counts: Counter[SampleState] = Counter()
    for source in reader.run(summary.states_by_source):
        counts.update(getattr(source, is_about))
    return _state_counts(counts)


def sources(reader: Reader) -> list[SourceStates]:
    """Experiments and samples by archive and state."""
    from graphql_api.stats.types import SourceStates

    return [
        SourceStates(
            source=one.source,
            experiment_states=_state_counts(one.experiments),
            sample_states=_state_counts(one.samples),
        )
        for one in reader.run(summary.states_by_source)
    ]


def _state_counts(counts: Mapping[SampleState, int]) -> list[StateCount]:
    from graphql_api.ledger.types import StateCount

    return [StateCount(state=state, count=count) for state, count in sorted(counts.items())]


def reasons(reader: Reader, first: int) -> list[ReasonCount]:
    """The most frequent reasons of samples."""
    from graphql_api.stats.types import ReasonCount

    found = reader.run(lambda session: most_frequent_reasons(session, limit=first))
    return [ReasonCount(state=one.state, reason=one.reason, num_samples=one.count) for one in found]


def unsupported_platforms(reader: Reader, first: int) -> list[UnsupportedPlatform]:
    """Platforms with most samples that are left out because of them."""
    from graphql_api.stats.types import UnsupportedPlatform

    return [
        UnsupportedPlatform(
            accession=one.accession,
            name=one.name,
            technology=None if one.technology is None else Technology(one.technology),
            num_samples=one.samples,
            num_experiments=one.experiments,
        )
        for one in reader.run(lambda session: summary.unsupported_platforms(session, limit=first))
    ]


def coverage(reader: Reader, source: SourceArchive | None) -> list[SourceCoverage]:
    """How much metadata is harmonised, of each archive or of one."""
    from graphql_api.coverage.types import MetadataCoverage, SourceCoverage

    found = reader.run(summary.coverage_by_source)
    return [
        SourceCoverage(source=archive, coverage=MetadataCoverage(found=one))
        for archive, one in found.items()
        if source in {None, archive}
    ]


def by_organism(reader: Reader) -> list[tuple[str, int, int]]:
    """Organism, samples, processed samples; most samples first."""
    counted = _counted_by(Organism.name.expression).join(Organism, Organism.id == Sample.organism_id)
    return [(row[0], row[1], row[2]) for row in reader.rows(counted)]


def by_technology(reader: Reader) -> list[tuple[str, int, int]]:
    """Technology, samples, processed samples; most samples first."""
    return [(row[0], row[1], row[2]) for row in reader.rows(_counted_by(Sample.technology.expression))]


def _counted_by(column: ColumnElement[Any]) -> Statement:
    return (
        select(column, func.count(Sample.id), func.sum(case((IS_PROCESSED, 1), else_=0)))
        .select_from(Sample)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession, isouter=True)
        .group_by(column)
        .order_by(func.count(Sample.id).desc(), column)
    )


def computed_files(reader: Reader) -> tuple[int, int]:
    """Number and total size in bytes of computed files."""
    counted = select(func.count(), func.coalesce(func.sum(ComputedFile.size_bytes), 0)).select_from(ComputedFile)
    row = reader.rows(counted)[0]
    return int(row[0]), int(row[1])
