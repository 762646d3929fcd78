"""Organism-wide artefacts: QN targets and compendia."""

from __future__ import annotations

from datetime import datetime

import strawberry

from graphql_api.context import Info, reader_of
from graphql_api.files.loaders import computed_by_key
from graphql_api.files.types import ComputedFile
from graphql_api.nodes import Node
from graphql_api.organisms.loaders import organisms_by_key
from graphql_api.organisms.types import Organism
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import Technology


@strawberry.type(description="The reference distribution of an organism for quantile normalisation.")
class QnTarget(Node):
    """The reference distribution of an organism for quantile normalisation."""

    siblings: strawberry.Private[Siblings[QnTarget]]
    organism_key: strawberry.Private[int]
    file_key: strawberry.Private[int]
    technology: Technology
    num_samples: int
    num_genes: int
    is_current: bool
    created_at: datetime

    @strawberry.field(description="The organism.")
    def organism(self, info: Info) -> Organism | None:
        """The organism."""
        keys = [target.organism_key for target in self.siblings.nodes]
        return self.siblings.load("organism", lambda _: organisms_by_key(reader_of(info), keys)).get(self.organism_key)

    @strawberry.field(description="The distribution's file.")
    def computed_file(self, info: Info) -> ComputedFile | None:
        """The distribution's file."""
        keys = [target.file_key for target in self.siblings.nodes]
        return self.siblings.load("file", lambda _: computed_by_key(reader_of(info), keys)).get(self.file_key)


@strawberry.type(description="An organism-wide artefact: a normalised compendium or a quantpendium.")
class Compendium(Node):
    """An organism-wide artefact."""

    siblings: strawberry.Private[Siblings[Compendium]]
    organism_key: strawberry.Private[int]
    file_key: strawberry.Private[int]
    kind: str
    version: str
    svd_algorithm: str | None
    num_samples: int
    num_genes: int
    created_at: datetime

    @strawberry.field(description="The organism.")
    def organism(self, info: Info) -> Organism | None:
        """The organism."""
        keys = [compendium.organism_key for compendium in self.siblings.nodes]
        return self.siblings.load("organism", lambda _: organisms_by_key(reader_of(info), keys)).get(self.organism_key)

    @strawberry.field(description="The artefact's file.")
    def computed_file(self, info: Info) -> ComputedFile | None:
        """The artefact's file."""
        keys = [compendium.file_key for compendium in self.siblings.nodes]
        return self.siblings.load("file", lambda _: computed_by_key(reader_of(info), keys)).get(self.file_key)
