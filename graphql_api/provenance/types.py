"""Processors and computational results: how a file came to be."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from graphql_api.connections import Connection
from graphql_api.context import Info, reader_of
from graphql_api.nodes import Node
from graphql_api.provenance import loaders
from graphql_api.siblings import Siblings

if TYPE_CHECKING:
    from graphql_api.files.types import ComputedFile
    from graphql_api.transcriptome_indices.types import TranscriptomeIndex


@strawberry.type(description="A method with its version and the software environment it ran in.")
class Processor(Node):
    """A method with its version and environment."""

    name: str
    version: str
    environment: JSON
    environment_sha256: str


@strawberry.type(description="One run of a processor.")
class ComputationalResult(Node):
    """One run of a processor."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[ComputationalResult]]
    processor_key: strawberry.Private[int]
    fingerprint: str = strawberry.field(description="Hash of inputs, parameters and versions together.")
    commands: list[str]
    parameters: JSON
    inputs: JSON
    metrics: JSON = strawberry.field(description="Measured values, such as the mapping rate.")
    code_version: str | None
    run_id: str | None = strawberry.field(description="The Dagster run.")
    started_at: datetime | None
    finished_at: datetime

    @strawberry.field(description="The method.")
    def processor(self, info: Info) -> Processor | None:
        """The method."""
        found = self.siblings.load(
            "processor", lambda all_: loaders.processors_by_key(reader_of(info), [one.processor_key for one in all_])
        )
        return found.get(self.processor_key)

    @strawberry.field(description="The files it made.")
    def computed_files(self, info: Info) -> list[Annotated[ComputedFile, strawberry.lazy("graphql_api.files.types")]]:
        """The files it made."""
        from graphql_api.files.loaders import computed_by_owner

        found = self.siblings.load(
            "computed_files", lambda all_: computed_by_owner(reader_of(info), "result_id", [one.key for one in all_])
        )
        return found.get(self.key, [])

    @strawberry.field(description="The transcriptome indices it made.")
    def transcriptome_indices(
        self, info: Info
    ) -> list[Annotated[TranscriptomeIndex, strawberry.lazy("graphql_api.transcriptome_indices.types")]]:
        """The transcriptome indices it made."""
        from graphql_api.transcriptome_indices.loaders import indices_of_results

        found = self.siblings.load(
            "transcriptome_indices", lambda all_: indices_of_results(reader_of(info), [one.key for one in all_])
        )
        return found.get(self.key, [])


@strawberry.type(description="One page of computational results.")
class ComputationalResultConnection(Connection[ComputationalResult]):
    """One page of computational results."""
