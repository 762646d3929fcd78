"""Experiments: studies and series."""

from __future__ import annotations

from datetime import date, datetime

import strawberry
from strawberry.scalars import JSON

from graphql_api.connections import Connection, PageRequest, Slice, connect
from graphql_api.context import Info, reader_of
from graphql_api.coverage.types import MetadataCoverage
from graphql_api.experiments import loaders
from graphql_api.files.loaders import computed_by_owner
from graphql_api.files.types import ComputedFile
from graphql_api.ledger import loaders as ledger
from graphql_api.ledger.types import LedgerChange, LedgerEntry, StateCount
from graphql_api.nodes import Node
from graphql_api.organisms.types import Organism, Platform
from graphql_api.samples.filters import SampleFilter, SampleOrder
from graphql_api.samples.loaders import sample_counts, samples_of_experiments
from graphql_api.samples.types import SampleConnection
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import SampleState, SourceArchive, Technology


@strawberry.type(description="An experiment: a study or series of an archive.")
class Experiment(Node):
    """An experiment."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[Experiment]]
    accession: str
    source: SourceArchive
    title: str
    description: str
    technology: Technology
    institution: str | None
    protocol: str | None
    pubmed_id: str | None
    publication_doi: str | None
    publication_title: str | None
    publication_authors: list[str]
    source_url: str | None
    first_published: date | None
    last_updated: date | None
    metadata_sha256: str | None = strawberry.field(description="Hash of the archives' payload it was surveyed from.")
    created_at: datetime
    updated_at: datetime
    state: SampleState | None = strawberry.field(description="State in the ledger.")
    reason: str | None = strawberry.field(description="Why it is in that state, for machines.")
    message: str | None = strawberry.field(description="Why it is in that state, for people.")

    @strawberry.field(description="Its accessions in other archives.")
    def aliases(self, info: Info) -> list[str]:
        """Its accessions in other archives."""
        found = self.siblings.load("aliases", lambda all_: loaders.aliases_of_experiments(reader_of(info), _keys(all_)))
        return found.get(self.key, [])

    @strawberry.field(description="Organisms of its samples.")
    def organisms(self, info: Info) -> list[Organism]:
        """Organisms of its samples."""
        found = self.siblings.load(
            "organisms", lambda all_: loaders.organisms_of_experiments(reader_of(info), _keys(all_))
        )
        return found.get(self.key, [])

    @strawberry.field(description="Platforms of its samples.")
    def platforms(self, info: Info) -> list[Platform]:
        """Platforms of its samples."""
        found = self.siblings.load(
            "platforms", lambda all_: loaders.platforms_of_experiments(reader_of(info), _keys(all_))
        )
        return found.get(self.key, [])

    @strawberry.field(description="Number of its samples, in any state.")
    def num_samples(self, info: Info) -> int:
        """Number of its samples, in any state."""
        return self._count(info, None)

    @strawberry.field(description="Number of its samples that have expression.")
    def num_processed_samples(self, info: Info) -> int:
        """Number of its samples that have expression."""
        return self._states(info).get(SampleState.PROCESSED.value, 0)

    @strawberry.field(description="Its samples by state.")
    def sample_states(self, info: Info) -> list[StateCount]:
        """Its samples by state."""
        return [StateCount(state=SampleState(state), count=count) for state, count in self._states(info).items()]

    @strawberry.field(description="Its samples, one page at a time.")
    def samples(
        self,
        info: Info,
        filter: SampleFilter | None = None,  # noqa: A002
        order_by: SampleOrder | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> SampleConnection:
        """Its samples, one page at a time."""
        page = PageRequest.of(first, after)
        found = self.siblings.load(
            ("samples", repr(filter), repr(order_by), page),
            lambda all_: samples_of_experiments(reader_of(info), _keys(all_), filter, order_by, page),
        )
        samples, part = found.get(self.key, ([], Slice()))
        return connect(SampleConnection, samples, part, page=page, count=lambda: self._count(info, filter))

    @strawberry.field(description="What was computed for it as a whole (expression, metadata).")
    def computed_files(self, info: Info) -> list[ComputedFile]:
        """What was computed for it as a whole."""
        found = self.siblings.load(
            "computed_files", lambda all_: computed_by_owner(reader_of(info), "experiment_id", _keys(all_))
        )
        return found.get(self.key, [])

    @strawberry.field(description="Its entry in the ledger.")
    def ledger(self, info: Info) -> LedgerEntry | None:
        """Its entry in the ledger."""
        found = self.siblings.load(
            "ledger", lambda all_: ledger.entries_by_accession(reader_of(info), _accessions(all_))
        )
        return found.get(self.accession)

    @strawberry.field(description="Every state it has had, oldest first.")
    def history(self, info: Info) -> list[LedgerChange]:
        """Every state it has had, oldest first."""
        found = self.siblings.load(
            "history", lambda all_: ledger.history_by_accession(reader_of(info), _accessions(all_))
        )
        return found.get(self.accession, [])

    @strawberry.field(description="Metadata as the archives give it.")
    def annotations(self, info: Info) -> JSON:
        """Metadata as the archives give it."""
        found = self.siblings.load(
            "annotations", lambda all_: loaders.annotations_of_experiments(reader_of(info), _keys(all_))
        )
        return JSON(found.get(self.key, {}))

    @strawberry.field(description="How much of its samples' metadata is harmonised.")
    def coverage(self, info: Info) -> MetadataCoverage:
        """How much of its samples' metadata is harmonised."""
        found = self.siblings.load(
            "coverage", lambda all_: loaders.coverage_of_experiments(reader_of(info), _keys(all_))
        )
        return MetadataCoverage(found=found[self.key])

    def _count(self, info: Info, wanted: SampleFilter | None) -> int:
        found = self.siblings.load(
            ("sample_counts", repr(wanted)), lambda all_: sample_counts(reader_of(info), _keys(all_), wanted)
        )
        return found.get(self.key, 0)

    def _states(self, info: Info) -> dict[str, int]:
        found = self.siblings.load("states", lambda all_: loaders.states_of_experiments(reader_of(info), _keys(all_)))
        return found.get(self.key, {})


@strawberry.type(description="One page of experiments.")
class ExperimentConnection(Connection[Experiment]):
    """One page of experiments."""


def _keys(experiments: list[Experiment]) -> list[int]:
    return [experiment.key for experiment in experiments]


def _accessions(experiments: list[Experiment]) -> list[str]:
    return [experiment.accession for experiment in experiments]
