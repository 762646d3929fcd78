"""Root field for the ledger."""

from __future__ import annotations

import strawberry

from graphql_api.accessions.loaders import ledger_accessions_named
from graphql_api.connections import PageRequest, connect, listed_page
from graphql_api.context import Info, reader_of
from graphql_api.ledger import loaders
from graphql_api.ledger.filters import LedgerFilter
from graphql_api.ledger.types import LedgerEntryConnection


@strawberry.type
class LedgerQueries:
    """Root field for the ledger."""

    @strawberry.field(
        description="Why is my sample not there? Entries by accession, one page at a time; with `accessions` in input "
        "order, an experiment followed by its samples."
    )
    def ledger(
        self,
        info: Info,
        accessions: list[str] | None = None,
        filter: LedgerFilter | None = None,  # noqa: A002
        first: int | None = 20,
        after: str | None = None,
    ) -> LedgerEntryConnection:
        """Entries of the ledger, one page at a time."""
        reader, page = reader_of(info), PageRequest.of(first, after)
        if accessions is None:
            entries, found = loaders.entries_page(reader, filter, page)
            return connect(
                LedgerEntryConnection, entries, found, page=page, count=lambda: loaders.count_entries(reader, filter)
            )
        named, unresolved = ledger_accessions_named(info.context, accessions)
        keys = loaders.fitting_accessions(reader, named, filter)
        listed = listed_page("accessions", keys, page, lambda chosen: loaders.entries_by_accession(reader, chosen))
        return connect(
            LedgerEntryConnection, listed.rows, listed, page=page, count=lambda: len(keys), unresolved=unresolved
        )
