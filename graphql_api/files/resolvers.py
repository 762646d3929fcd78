"""Root field for computed files."""

from __future__ import annotations

import strawberry

from graphql_api.connections import PageRequest, connect
from graphql_api.context import Info, reader_of
from graphql_api.files import loaders
from graphql_api.files.filters import ComputedFileFilter
from graphql_api.files.types import ComputedFileConnection


@strawberry.type
class FileQueries:
    """Root field for computed files."""

    @strawberry.field(description="Computed files, one page at a time, oldest first.")
    def computed_files(
        self,
        info: Info,
        filter: ComputedFileFilter | None = None,  # noqa: A002
        first: int | None = 20,
        after: str | None = None,
    ) -> ComputedFileConnection:
        """Computed files, one page at a time."""
        reader, page = reader_of(info), PageRequest.of(first, after)
        files, found = loaders.computed_page(reader, filter, page)
        return connect(
            ComputedFileConnection, files, found, page=page, count=lambda: loaders.count_computed(reader, filter)
        )
