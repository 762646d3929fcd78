"""Root field for experiments."""

from __future__ import annotations

import strawberry

from graphql_api.accessions.loaders import accessions_named
from graphql_api.connections import PageRequest, connect, listed_page
from graphql_api.context import Info, reader_of
from graphql_api.experiments import loaders
from graphql_api.experiments.filters import ExperimentFilter, ExperimentOrder
from graphql_api.experiments.types import ExperimentConnection


@strawberry.type
class ExperimentQueries:
    """Root field for experiments."""

    @strawberry.field(
        description="Experiments, one page at a time. With `accessions` (any alias; of a sample: its experiments) "
        "they come in input order, unless `orderBy` is given."
    )
    def experiments(  # noqa: PLR0917  Strawberry passes arguments by name
        self,
        info: Info,
        accessions: list[str] | None = None,
        filter: ExperimentFilter | None = None,  # noqa: A002
        order_by: ExperimentOrder | None = None,
        first: int | None = 20,
        after: str | None = None,
    ) -> ExperimentConnection:
        """Experiments, one page at a time."""
        reader, page = reader_of(info), PageRequest.of(first, after)
        if accessions is None:
            experiments, found = loaders.experiments_page(reader, filter, order_by, page)
            return connect(
                ExperimentConnection,
                experiments,
                found,
                page=page,
                count=lambda: loaders.count_experiments(reader, filter),
            )
        named, unresolved = accessions_named(info.context, accessions, "experiments")
        keys = loaders.fitting_accessions(reader, named, filter, order_by)
        listed = listed_page("accessions", keys, page, lambda chosen: loaders.experiments_by_accession(reader, chosen))
        return connect(
            ExperimentConnection, listed.rows, listed, page=page, count=lambda: len(keys), unresolved=unresolved
        )
