"""Transcriptome indices: Salmon indices of organisms."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from graphql_api.context import Info, reader_of
from graphql_api.files.loaders import computed_by_owner
from graphql_api.files.types import ComputedFile
from graphql_api.nodes import Node
from graphql_api.organisms.loaders import organisms_by_key
from graphql_api.organisms.types import Organism
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import IndexLength

if TYPE_CHECKING:
    from graphql_api.provenance.types import ComputationalResult


@strawberry.type(description="A Salmon index of an organism: short (k=23) or long (k=31).")
class TranscriptomeIndex(Node):
    """A Salmon index of an organism."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[TranscriptomeIndex]]
    organism_key: strawberry.Private[int]
    result_key: strawberry.Private[int | None]
    length: IndexLength
    kmer: int
    division: str = strawberry.field(description="Ensembl division.")
    release: str = strawberry.field(description="Ensembl (Genomes) release.")
    assembly: str
    salmon_version: str
    key_prefix: str = strawberry.field(description="Place of its files below the object store's root.")
    sha256: str = strawberry.field(description="Hash over all files of the index.")
    num_transcripts: int
    num_genes: int
    is_current: bool = strawberry.field(description="Whether new samples are quantified with it.")
    created_at: datetime

    @strawberry.field(description="The organism.")
    def organism(self, info: Info) -> Organism | None:
        """The organism."""
        found = self.siblings.load(
            "organism", lambda all_: organisms_by_key(reader_of(info), [index.organism_key for index in all_])
        )
        return found.get(self.organism_key)

    @strawberry.field(description="The run that built it: commands, parameters, inputs, versions.")
    def result(
        self, info: Info
    ) -> Annotated[ComputationalResult, strawberry.lazy("graphql_api.provenance.types")] | None:
        """The run that built it."""
        from graphql_api.provenance.loaders import results_by_key

        found = self.siblings.load(
            "result", lambda all_: results_by_key(reader_of(info), [index.result_key for index in all_])
        )
        return None if self.result_key is None else found.get(self.result_key)

    @strawberry.field(description="Its files, with download addresses.")
    def computed_files(self, info: Info) -> list[ComputedFile]:
        """Its files."""
        found = self.siblings.load(
            "computed_files",
            lambda all_: computed_by_owner(
                reader_of(info), "result_id", [index.result_key for index in all_ if index.result_key is not None]
            ),
        )
        return [] if self.result_key is None else found.get(self.result_key, [])
