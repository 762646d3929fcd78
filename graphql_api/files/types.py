"""Original files of the archives and computed files."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from graphql_api.connections import Connection
from graphql_api.context import Info, reader_of
from graphql_api.files import loaders
from graphql_api.nodes import Node
from graphql_api.organisms.loaders import organisms_by_key
from graphql_api.organisms.types import Organism
from graphql_api.scalars import BigInt
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import ComputedFileKind

if TYPE_CHECKING:
    from graphql_api.experiments.types import Experiment
    from graphql_api.provenance.types import ComputationalResult
    from graphql_api.samples.types import Sample


@strawberry.type(description="A file in a public archive, as announced there.")
class OriginalFile(Node):
    """A file in a public archive."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[OriginalFile]]
    filename: str
    url: str
    kind: str = strawberry.field(description="fastq, sra, cel, table, archive …")
    mate: int = strawberry.field(description="1 or 2 for paired FASTQ, 0 otherwise.")
    size_bytes: BigInt | None
    md5: str | None

    @strawberry.field(description="Samples whose data are in it.")
    def samples(self, info: Info) -> list[Annotated[Sample, strawberry.lazy("graphql_api.samples.types")]]:
        """Samples whose data are in it."""
        found = self.siblings.load(
            "samples", lambda all_: loaders.samples_of_originals(reader_of(info), [file.key for file in all_])
        )
        return found.get(self.key, [])


@strawberry.type(description="An artefact in the object store.")
class ComputedFile(Node):
    """An artefact in the object store."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[ComputedFile]]
    result_key: strawberry.Private[int | None]
    sample_key: strawberry.Private[int | None]
    experiment_key: strawberry.Private[int | None]
    organism_key: strawberry.Private[int | None]
    object_key: str = strawberry.field(description="Place below the object store's root.")
    filename: str
    kind: ComputedFileKind
    size_bytes: BigInt
    sha256: str
    created_at: datetime

    @strawberry.field(description="Address to download it from, valid for a limited time; no token is needed.")
    def download_url(self, info: Info) -> str:
        """Address to download it from."""
        return info.context.downloads.url(self.object_key, self.filename, base_url=info.context.base_url)

    @strawberry.field(description="The run of a processor that made it: commands, parameters, inputs, versions.")
    def result(
        self, info: Info
    ) -> Annotated[ComputationalResult, strawberry.lazy("graphql_api.provenance.types")] | None:
        """The run of a processor that made it."""
        from graphql_api.provenance.loaders import results_by_key

        found = self.siblings.load(
            "result", lambda all_: results_by_key(reader_of(info), [file.result_key for file in all_])
        )
        return None if self.result_key is None else found.get(self.result_key)

    @strawberry.field(description="The sample it belongs to, if to one.")
    def sample(self, info: Info) -> Annotated[Sample, strawberry.lazy("graphql_api.samples.types")] | None:
        """The sample it belongs to."""
        from graphql_api.samples.loaders import samples_by_key

        found = self.siblings.load(
            "sample", lambda all_: samples_by_key(reader_of(info), [file.sample_key for file in all_])
        )
        return None if self.sample_key is None else found.get(self.sample_key)

    @strawberry.field(description="The experiment it belongs to, if to one.")
    def experiment(self, info: Info) -> Annotated[Experiment, strawberry.lazy("graphql_api.experiments.types")] | None:
        """The experiment it belongs to."""
        from graphql_api.experiments.loaders import experiments_by_key

        found = self.siblings.load(
            "experiment", lambda all_: experiments_by_key(reader_of(info), [file.experiment_key for file in all_])
        )
        return None if self.experiment_key is None else found.get(self.experiment_key)

    @strawberry.field(description="The organism it belongs to, if to one.")
    def organism(self, info: Info) -> Organism | None:
        """The organism it belongs to."""
        found = self.siblings.load(
            "organism", lambda all_: organisms_by_key(reader_of(info), [file.organism_key for file in all_])
        )
        return None if self.organism_key is None else found.get(self.organism_key)


@strawberry.type(description="One page of computed files.")
class ComputedFileConnection(Connection[ComputedFile]):
    """One page of computed files."""
