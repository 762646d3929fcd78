"""Root field for gene slices."""

from __future__ import annotations

import strawberry

from graphql_api.connections import PageRequest
from graphql_api.context import Info
from graphql_api.gene_expression import loaders
from graphql_api.gene_expression.filters import GeneExpressionFilter
from graphql_api.gene_expression.types import GeneExpressionConnection
from graphql_api.limits import MAX_PAGE_OF


@strawberry.type
class GeneExpressionQueries:
    """Root field for gene slices."""

    @strawberry.field(
        description="Genes of processed samples, one page of samples at a time, without reading the rest of their "
        "expression. Genes are Ensembl ids, with or without version, 100 at most; `first` is 1,000 at most. With "
        "`log2` the linear values of RNA-seq come as log2(x + 1). If the filter names neither organisms nor "
        "experiments nor samples, samples of the organisms that have one of the genes are given."
    )
    def gene_expression(  # noqa: PLR0917  Strawberry passes arguments by name
        self,
        info: Info,
        genes: list[str],
        filter: GeneExpressionFilter | None = None,  # noqa: A002
        log2: bool = False,  # noqa: FBT001, FBT002  as above
        first: int | None = 20,
        after: str | None = None,
    ) -> GeneExpressionConnection:
        """Genes of processed samples."""
        page = PageRequest.of(first, after, most=MAX_PAGE_OF["geneExpression"])
        return loaders.gene_expression(info.context, genes, filter or GeneExpressionFilter(), page, log2=log2)
