"""Root field that resolves accessions."""

from __future__ import annotations

import strawberry

from graphql_api.accessions import loaders
from graphql_api.accessions.types import Resolution
from graphql_api.context import Info


@strawberry.type
class AccessionQueries:
    """Root field that resolves accessions."""

    @strawberry.field(description="What each accession names, in input order, found or not; any alias resolves.")
    def resolve(self, info: Info, accessions: list[str]) -> list[Resolution]:
        """What each accession names."""
        return loaders.make_resolutions(loaders.resolve(info.context, accessions))
