"""Root field for counts."""

from __future__ import annotations

import strawberry

from graphql_api.stats.types import Stats


@strawberry.type
class StatsQueries:
    """Root field for counts."""

    @strawberry.field(description="Counts over the whole catalog; each is computed only when asked for.")
    def stats(self) -> Stats:
        """Counts over the whole catalog."""
        return Stats()
