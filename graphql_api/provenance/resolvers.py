"""Root fields for processors and computational results."""

from __future__ import annotations

import strawberry

from graphql_api.connections import PageRequest, connect
from graphql_api.context import Info, reader_of
from graphql_api.provenance import loaders
from graphql_api.provenance.filters import ComputationalResultFilter
from graphql_api.provenance.types import ComputationalResultConnection, Processor
from resources.catalog import models


@strawberry.type
class ProvenanceQueries:
    """Root fields for processors and computational results."""

    @strawberry.field(description="All processors, by name and version.")
    def processors(self, info: Info) -> list[Processor]:
        """All processors."""
        order = (models.Processor.name, models.Processor.version, models.Processor.id)
        return [loaders.make_processor(row) for row in reader_of(info).rows(loaders.PROCESSORS.order_by(*order))]

    @strawberry.field(description="Computational results, one page at a time, oldest first.")
    def computational_results(
        self,
        info: Info,
        filter: ComputationalResultFilter | None = None,  # noqa: A002
        first: int | None = 20,
        after: str | None = None,
    ) -> ComputationalResultConnection:
        """Computational results, one page at a time."""
        reader, page = reader_of(info), PageRequest.of(first, after)
        results, found = loaders.results_page(reader, filter, page)
        return connect(
            ComputationalResultConnection,
            results,
            found,
            page=page,
            count=lambda: loaders.count_results(reader, filter),
        )
