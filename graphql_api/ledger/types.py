"""The ledger: the one state of every accession, why, and every state before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from graphql_api.connections import Connection
from graphql_api.context import Info, reader_of
from graphql_api.ledger import loaders
from graphql_api.nodes import Node
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import LedgerKind, SampleState

if TYPE_CHECKING:
    from graphql_api.experiments.types import Experiment
    from graphql_api.samples.types import Sample


@strawberry.type(description="How many are in a state.")
class StateCount:
    """How many are in a state."""

    state: SampleState
    count: int


@strawberry.type(description="A state that an accession has had.")
class LedgerChange:
    """A state that an accession has had."""

    state: SampleState
    reason: str
    message: str
    run_id: str | None = strawberry.field(description="The Dagster run that decided it.")
    tool_versions: JSON
    at: datetime


@strawberry.type(description="The present state of an accession.")
class LedgerEntry(Node):
    """The present state of an accession."""

    siblings: strawberry.Private[Siblings[LedgerEntry]]
    accession: str
    kind: LedgerKind
    experiment_accession: str | None = strawberry.field(description="The experiment whose partition processes it.")
    state: SampleState
    reason: str = strawberry.field(description="Why, for machines.")
    message: str = strawberry.field(description="Why, for people.")
    retryable: bool = strawberry.field(description="Whether trying again can help.")
    attempts: int
    input_fingerprint: str | None = strawberry.field(
        description="Hash of the inputs, index and tool version that the state was reached with."
    )
    run_id: str | None = strawberry.field(description="The Dagster run that decided it.")
    tool_versions: JSON
    updated_at: datetime

    @strawberry.field(description="Every state it has had, oldest first.")
    def history(self, info: Info) -> list[LedgerChange]:
        """Every state it has had, oldest first."""
        found = self.siblings.load(
            "history", lambda all_: loaders.history_by_accession(reader_of(info), [entry.accession for entry in all_])
        )
        return found.get(self.accession, [])

    @strawberry.field(description="The experiment whose partition processes it; null before it was surveyed.")
    def experiment(self, info: Info) -> Annotated[Experiment, strawberry.lazy("graphql_api.experiments.types")] | None:
        """The experiment whose partition processes it."""
        from graphql_api.experiments.loaders import experiments_by_accession

        found = self.siblings.load(
            "experiment",
            lambda all_: experiments_by_accession(
                reader_of(info), [entry.experiment_accession for entry in all_ if entry.experiment_accession]
            ),
        )
        return None if self.experiment_accession is None else found.get(self.experiment_accession)

    @strawberry.field(description="The sample, if the entry is about one.")
    def sample(self, info: Info) -> Annotated[Sample, strawberry.lazy("graphql_api.samples.types")] | None:
        """The sample."""
        from graphql_api.samples.loaders import samples_by_accession

        found = self.siblings.load(
            "sample", lambda all_: samples_by_accession(reader_of(info), [entry.accession for entry in all_])
        )
        return found.get(self.accession)


@strawberry.type(description="One page of ledger entries.")
class LedgerEntryConnection(Connection[LedgerEntry]):
    """One page of ledger entries."""
