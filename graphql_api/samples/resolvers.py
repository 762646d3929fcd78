"""Root field for samples."""

from __future__ import annotations

import strawberry

from graphql_api.accessions.loaders import accessions_named
from graphql_api.connections import PageRequest, connect, listed_page
from graphql_api.context import Info, reader_of
from graphql_api.samples import loaders
from graphql_api.samples.filters import SampleFilter, SampleOrder
from graphql_api.samples.types import SampleConnection


@strawberry.type
class SampleQueries:
    """Root field for samples."""

    @strawberry.field(
        description="Samples, one page at a time. With `accessions` (any alias; of an experiment: its samples) "
        "they come in input order, unless `orderBy` is given."
    )
    def samples(  # noqa: PLR0917  Strawberry passes arguments by name
        self,
        info: Info,
        accessions: list[str] | None = None,
        filter: SampleFilter | None = None,  # noqa: A002
        order_by: SampleOrder | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> SampleConnection:
        """Samples, one page at a time."""
        reader, page = reader_of(info), PageRequest.of(first, after)
        if accessions is None:
            samples, found = loaders.samples_page(reader, filter, order_by, page)
            return connect(
                SampleConnection, samples, found, page=page, count=lambda: loaders.count_samples(reader, filter)
            )
        named, unresolved = accessions_named(info.context, accessions, "samples")
        keys = loaders.fitting_accessions(reader, named, filter, order_by)
        listed = listed_page("accessions", keys, page, lambda chosen: loaders.samples_by_accession(reader, chosen))
        return connect(SampleConnection, listed.rows, listed, page=page, count=lambda: len(keys), unresolved=unresolved)
