"""Root fields for QN targets and compendia."""

from __future__ import annotations

import strawberry

from graphql_api.compendia import loaders
from graphql_api.compendia.filters import CompendiumFilter, QnTargetFilter
from graphql_api.compendia.types import Compendium, QnTarget
from graphql_api.context import Info, reader_of


@strawberry.type
class CompendiumQueries:
    """Root fields for QN targets and compendia."""

    @strawberry.field(description="QN targets, the newest of an organism first.")
    def qn_targets(self, info: Info, filter: QnTargetFilter | None = None) -> list[QnTarget]:  # noqa: A002
        """QN targets."""
        return loaders.qn_targets(reader_of(info), filter)

    @strawberry.field(description="Compendia, the newest of an organism and kind first.")
    def compendia(self, info: Info, filter: CompendiumFilter | None = None) -> list[Compendium]:  # noqa: A002
        """Compendia."""
        return loaders.compendia(reader_of(info), filter)
