"""Organisms and platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from graphql_api.context import Info, reader_of
from graphql_api.nodes import Node
from graphql_api.organisms import loaders
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import Technology

if TYPE_CHECKING:
    from graphql_api.compendia.types import Compendium, QnTarget
    from graphql_api.platform_references.types import PlatformReference
    from graphql_api.transcriptome_indices.types import TranscriptomeIndex


@strawberry.type(description="An organism.")
class Organism(Node):
    """An organism."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[Organism]]
    name: str = strawberry.field(description="UPPER_SNAKE name, as in paths and partition keys.")
    scientific_name: str
    taxonomy_id: int | None = strawberry.field(description="NCBI taxonomy id.")

    @strawberry.field(description="Experiments with at least one sample of it.")
    def num_experiments(self, info: Info) -> int:
        """Experiments with at least one sample of it."""
        return self.siblings.load(
            "num_experiments", lambda nodes: loaders.experiment_counts(reader_of(info), nodes)
        ).get(self.key, 0)

    @strawberry.field(description="Samples of it, in any state.")
    def num_samples(self, info: Info) -> int:
        """Samples of it, in any state."""
        return sum(self._samples_by_state(info).values())

    @strawberry.field(description="Samples of it that have expression.")
    def num_processed_samples(self, info: Info) -> int:
        """Samples of it that have expression."""
        return self._samples_by_state(info).get("processed", 0)

    @strawberry.field(description="Transcriptome indices of it, current ones first.")
    def transcriptome_indices(
        self, info: Info
    ) -> list[Annotated[TranscriptomeIndex, strawberry.lazy("graphql_api.transcriptome_indices.types")]]:
        """Transcriptome indices of it, current ones first."""
        from graphql_api.transcriptome_indices.loaders import indices_of_organisms

        found = self.siblings.load(
            "transcriptome_indices", lambda nodes: indices_of_organisms(reader_of(info), [node.key for node in nodes])
        )
        return found.get(self.key, [])

    @strawberry.field(description="The QN target that its samples are normalised to now.")
    def qn_target(self, info: Info) -> Annotated[QnTarget, strawberry.lazy("graphql_api.compendia.types")] | None:
        """The QN target that its samples are normalised to now."""
        from graphql_api.compendia.loaders import current_targets

        found = self.siblings.load(
            "qn_target", lambda nodes: current_targets(reader_of(info), [node.key for node in nodes])
        )
        return found.get(self.key)

    @strawberry.field(description="Compendia and quantpendia of it, the newest of a kind first.")
    def compendia(self, info: Info) -> list[Annotated[Compendium, strawberry.lazy("graphql_api.compendia.types")]]:
        """Compendia and quantpendia of it."""
        from graphql_api.compendia.loaders import compendia_of_organisms

        found = self.siblings.load(
            "compendia", lambda nodes: compendia_of_organisms(reader_of(info), [node.key for node in nodes])
        )
        return found.get(self.key, [])

    def _samples_by_state(self, info: Info) -> dict[str | None, int]:
        found = self.siblings.load("states", lambda nodes: loaders.sample_states(reader_of(info), nodes))
        return found.get(self.key, {})


@strawberry.type(description="A sequencing instrument or array design.")
class Platform(Node):
    """A sequencing instrument or array design."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[Platform]]
    accession: str
    name: str
    manufacturer: str | None
    technology: Technology

    @strawberry.field(description="Samples measured on it, in any state.")
    def num_samples(self, info: Info) -> int:
        """Samples measured on it, in any state."""
        found = self.siblings.load("num_samples", lambda nodes: loaders.platform_sample_counts(reader_of(info), nodes))
        return found.get(self.key, 0)

    @strawberry.field(description="Its references (probes, genes), current ones first; arrays only.")
    def references(
        self, info: Info
    ) -> list[Annotated[PlatformReference, strawberry.lazy("graphql_api.platform_references.types")]]:
        """Its references, current ones first."""
        from graphql_api.platform_references.loaders import references_of_platforms

        found = self.siblings.load(
            "references", lambda nodes: references_of_platforms(reader_of(info), [node.key for node in nodes])
        )
        return found.get(self.key, [])
