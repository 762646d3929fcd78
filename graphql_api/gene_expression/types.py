"""Genes of samples."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from graphql_api.connections import Connection
from graphql_api.context import Info, reader_of
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import Technology

if TYPE_CHECKING:
    from graphql_api.samples.types import Sample


@strawberry.enum(description="What expression values are.")
class ExpressionScale(Enum):
    """What expression values are."""

    LINEAR = strawberry.enum_value("linear", description="lengthScaledTPM of RNA-seq: counts on the scale of reads.")
    LOG2 = strawberry.enum_value("log2", description="Arrays, or log2(x + 1) of RNA-seq where that was asked for.")


@strawberry.type(description="What one gene id of the request names.")
class SlicedGene:
    """What one gene id of the request names."""

    query: str = strawberry.field(description="The id as it was asked.")
    gene: str | None = strawberry.field(description="The id in the expression store: without version.")
    found: bool = strawberry.field(
        description="Whether expression of the organisms, experiments and technologies that were asked for has it."
    )


@strawberry.type(description="The genes asked for in one sample.")
class SampleExpression:
    """The genes asked for in one sample."""

    siblings: strawberry.Private[Siblings[SampleExpression]]
    accession: str = strawberry.field(description="Of the sample.")
    experiment: str | None = strawberry.field(description="Accession of the experiment whose expression it is from.")
    organism: str = strawberry.field(description="UPPER_SNAKE name.")
    technology: Technology
    platform: str | None = strawberry.field(description="Accession of the instrument or array design.")
    scale: ExpressionScale | None = strawberry.field(description="Null if the expression store lacks the sample.")
    values: list[float | None] = strawberry.field(
        description="One value for each of `genes`, in that order; null where its platform does not measure the gene."
    )

    @strawberry.field(description="The sample, with its metadata.")
    def sample(self, info: Info) -> Annotated[Sample, strawberry.lazy("graphql_api.samples.types")] | None:
        """The sample."""
        from graphql_api.samples.loaders import samples_by_accession

        found = self.siblings.load(
            "sample", lambda all_: samples_by_accession(reader_of(info), [one.accession for one in all_])
        )
        return found.get(self.accession)


@strawberry.type(description="The genes asked for in one page of samples.")
class GeneExpressionConnection(Connection[SampleExpression]):
    """The genes asked for in one page of samples."""

    genes: list[SlicedGene] = strawberry.field(
        description="What the gene ids name, in the order asked; ids that name the same gene are given once."
    )

    @strawberry.field(description="The genes that were found, in the order asked.")
    def found(self) -> list[str]:
        """The genes that were found."""
        return [gene.gene for gene in self.genes if gene.gene is not None]

    @strawberry.field(description="The ids that no gene has, in the order asked.")
    def not_found(self) -> list[str]:
        """The ids that no gene has."""
        return [gene.query for gene in self.genes if gene.gene is None]
