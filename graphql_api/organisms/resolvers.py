"""Root fields for organisms and platforms."""

from __future__ import annotations

import strawberry

from graphql_api.context import Info, reader_of
from graphql_api.organisms import loaders
from graphql_api.organisms.filters import OrganismFilter, PlatformFilter, organism_ids, platform_ids
from graphql_api.organisms.types import Organism, Platform
from resources.catalog import models


@strawberry.type
class OrganismQueries:
    """Root fields for organisms and platforms."""

    @strawberry.field(description="All organisms, by name.")
    def organisms(self, info: Info, filter: OrganismFilter | None = None) -> list[Organism]:  # noqa: A002
        """All organisms, by name."""
        statement = loaders.ORGANISMS.order_by(models.Organism.name)
        if filter is not None and filter.names is not None:
            statement = statement.where(models.Organism.id.in_(organism_ids(filter.names)))
        return loaders.make_organisms(reader_of(info).rows(statement))

    @strawberry.field(description="All platforms, by accession.")
    def platforms(self, info: Info, filter: PlatformFilter | None = None) -> list[Platform]:  # noqa: A002
        """All platforms, by accession."""
        statement = loaders.PLATFORMS.order_by(models.Platform.accession)
        if filter is not None and filter.names is not None:
            statement = statement.where(models.Platform.id.in_(platform_ids(filter.names)))
        if filter is not None and filter.technologies is not None:
            statement = statement.where(
                models.Platform.technology.in_([technology.value for technology in filter.technologies])
            )
        return loaders.make_platforms(reader_of(info).rows(statement))
