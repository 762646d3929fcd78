"""Counts over the whole catalog."""

from __future__ import annotations

from datetime import UTC, datetime

import strawberry

from graphql_api.context import Info, reader_of
from graphql_api.coverage.types import SourceCoverage, at_most
from graphql_api.ledger.types import StateCount
from graphql_api.scalars import BigInt
from graphql_api.stats import loaders
from graphql_api.vocabulary import LedgerKind, SampleState, SourceArchive, Technology


@strawberry.type(description="How many samples of an organism.")
class OrganismCount:
    """How many samples of an organism."""

    organism: str
    num_samples: int
    num_processed_samples: int


@strawberry.type(description="How many samples of a technology.")
class TechnologyCount:
    """How many samples of a technology."""

    technology: Technology
    num_samples: int
    num_processed_samples: int


@strawberry.type(description="How many samples are in a state for a reason.")
class ReasonCount:
    """How many samples are in a state for a reason."""

    state: SampleState
    reason: str
    num_samples: int


@strawberry.type(description="A platform whose samples are left out.")
class UnsupportedPlatform:
    """A platform whose samples are left out."""

    accession: str | None = strawberry.field(description="Null for samples without a platform.")
    name: str | None
    technology: Technology | None
    num_samples: int
    num_experiments: int


@strawberry.type(description="Experiments and samples of an archive by state, those discovered only among them.")
class SourceStates:
    """Experiments and samples of an archive by state."""

    source: SourceArchive
    experiment_states: list[StateCount]
    sample_states: list[StateCount]


@strawberry.type(description="Counts over the whole catalog; each is computed only when asked for.")
class Stats:
    """Counts over the whole catalog."""

    @strawberry.field(description="When the counts were made.")
    def generated_at(self) -> datetime:
        """When the counts were made."""
        return datetime.now(UTC)

    @strawberry.field(description="Experiments surveyed.")
    def num_experiments(self, info: Info) -> int:
        """Experiments surveyed."""
        return loaders.num_experiments(reader_of(info))

    @strawberry.field(description="Experiments with at least one processed sample.")
    def num_processed_experiments(self, info: Info) -> int:
        """Experiments with at least one processed sample."""
        return loaders.num_processed_experiments(reader_of(info))

    @strawberry.field(description="Samples surveyed, in any state.")
    def num_samples(self, info: Info) -> int:
        """Samples surveyed."""
        return loaders.num_samples(reader_of(info))

    @strawberry.field(description="Samples with expression.")
    def num_processed_samples(self, info: Info) -> int:
        """Samples with expression."""
        return loaders.num_processed_samples(reader_of(info))

    @strawberry.field(description="Organisms with at least one processed sample.")
    def num_supported_organisms(self, info: Info) -> int:
        """Organisms with at least one processed sample."""
        return loaders.num_supported_organisms(reader_of(info))

    @strawberry.field(description="Samples in the ledger, by state.")
    def sample_states(self, info: Info) -> list[StateCount]:
        """Samples in the ledger, by state."""
        return loaders.states(reader_of(info), LedgerKind.SAMPLE)

    @strawberry.field(description="Experiments in the ledger, by state.")
    def experiment_states(self, info: Info) -> list[StateCount]:
        """Experiments in the ledger, by state."""
        return loaders.states(reader_of(info), LedgerKind.EXPERIMENT)

    @strawberry.field(description="Samples by organism, most first.")
    def organisms(self, info: Info) -> list[OrganismCount]:
        """Samples by organism."""
        return [
            OrganismCount(organism=name, num_samples=all_, num_processed_samples=done)
            for name, all_, done in loaders.by_organism(reader_of(info))
        ]

    @strawberry.field(description="Samples by technology, most first.")
    def technologies(self, info: Info) -> list[TechnologyCount]:
        """Samples by technology."""
        return [
            TechnologyCount(technology=Technology(name), num_samples=all_, num_processed_samples=done)
            for name, all_, done in loaders.by_technology(reader_of(info))
        ]

    @strawberry.field(
        description="Experiments and samples by archive and state; a sample counts for the archive of the experiment "
        "that owns it."
    )
    def sources(self, info: Info) -> list[SourceStates]:
        """Experiments and samples by archive and state."""
        return loaders.sources(reader_of(info))

    @strawberry.field(description="Why samples are in their state, the most frequent reasons first.")
    def reasons(self, info: Info, first: int = 20) -> list[ReasonCount]:
        """Why samples are in their state."""
        return loaders.reasons(reader_of(info), at_most(first))

    @strawberry.field(description="Platforms whose samples are left out, those with most samples first.")
    def unsupported_platforms(self, info: Info, first: int = 20) -> list[UnsupportedPlatform]:
        """Platforms whose samples are left out."""
        return loaders.unsupported_platforms(reader_of(info), at_most(first))

    @strawberry.field(description="How much metadata is harmonised, by archive; of one archive if it is named.")
    def coverage(self, info: Info, source: SourceArchive | None = None) -> list[SourceCoverage]:
        """How much metadata is harmonised, by archive."""
        return loaders.coverage(reader_of(info), source)

    @strawberry.field(description="Number of computed files.")
    def num_computed_files(self, info: Info) -> int:
        """Number of computed files."""
        return loaders.computed_files(reader_of(info))[0]

    @strawberry.field(description="Size of all computed files together.")
    def total_size_bytes(self, info: Info) -> BigInt:
        """Size of all computed files together."""
        return BigInt(loaders.computed_files(reader_of(info))[1])
