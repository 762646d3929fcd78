"""The schema: root fields of all domains, limits, scalars; and how one operation is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from graphql_api.accessions.resolvers import AccessionQueries
from graphql_api.compendia.loaders import compendia_by_key, qn_targets_by_key
from graphql_api.compendia.resolvers import CompendiumQueries
from graphql_api.context import Info, Reader, RequestContext, reader_of
from graphql_api.errors import describe, log_unexpected
from graphql_api.experiments.loaders import experiments_by_accession
from graphql_api.experiments.resolvers import ExperimentQueries
from graphql_api.files.loaders import computed_by_key, originals_by_key
from graphql_api.files.resolvers import FileQueries
from graphql_api.files.types import OriginalFile
from graphql_api.gene_expression.resolvers import GeneExpressionQueries
from graphql_api.ledger.loaders import entries_by_accession
from graphql_api.ledger.resolvers import LedgerQueries
from graphql_api.limits import MAX_ACCESSIONS, CostLimit, ShapeLimit
from graphql_api.metadata.resolvers import MetadataQueries
from graphql_api.nodes import Node, read_global_id
from graphql_api.organisms.loaders import organisms_by_name, platforms_by_accession
from graphql_api.organisms.resolvers import OrganismQueries
from graphql_api.provenance.loaders import processors_by_key, results_by_key
from graphql_api.provenance.resolvers import ProvenanceQueries
from graphql_api.samples.loaders import samples_by_accession
from graphql_api.samples.resolvers import SampleQueries
from graphql_api.scalars import SCALARS
from graphql_api.stats.resolvers import StatsQueries
from graphql_api.transcriptome_indices.loaders import indices_by_key
from graphql_api.transcriptome_indices.resolvers import TranscriptomeIndexQueries
from refinebio_assets.domain.errors import InputError, NotFoundError

NAMED: dict[str, Callable[[Reader, Sequence[str]], Mapping[str, Any]]] = {
    "Experiment": experiments_by_accession,
    "Sample": samples_by_accession,
    "Organism": organisms_by_name,
    "Platform": platforms_by_accession,
    "LedgerEntry": entries_by_accession,
}
"""Types whose global id holds a public name."""

NUMBERED: dict[str, Callable[[Reader, Sequence[int]], Mapping[int, Any]]] = {
    "OriginalFile": originals_by_key,
    "ComputedFile": computed_by_key,
    "ComputationalResult": results_by_key,
    "Processor": processors_by_key,
    "TranscriptomeIndex": indices_by_key,
    "QnTarget": qn_targets_by_key,
    "Compendium": compendia_by_key,
}
"""Types without a public name."""

LARGEST_KEY = 2**31 - 1
"""Largest value of the smallest key column."""


def load_nodes(reader: Reader, ids: Sequence[str]) -> list[Any]:
    """The node of each id, or the error that says why there is none; a statement per type, not per id."""
    wanted = [read_global_id(text) for text in ids]
    found: dict[tuple[str, str], Any] = {}
    for type_name in {type_name for type_name, _ in wanted}:
        keys = [key for name, key in wanted if name == type_name]
        if type_name in NAMED:
            found |= {(type_name, key): node for key, node in NAMED[type_name](reader, keys).items()}
        elif type_name in NUMBERED:
            numbers = [int(key) for key in keys if key.isascii() and key.isdigit() and len(key) < 11]
            loaded = NUMBERED[type_name](reader, [number for number in numbers if number <= LARGEST_KEY])
            found |= {(type_name, str(key)): node for key, node in loaded.items()}
    return [
        found.get(key, NotFoundError(f"Nothing has the id {text!r}.")) for key, text in zip(wanted, ids, strict=True)
    ]


@strawberry.type
class NodeQueries:
    """Root fields that fetch anything by its global id."""

    @strawberry.field(description="The object with that global id.")
    def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002
        """The object with that global id.

        Raises:
            NotFoundError: Nothing has that id.
            InputError: It is no id.
        """
        found = load_nodes(reader_of(info), [id])[0]
        if isinstance(found, NotFoundError):
            raise found
        node: Node = found
        return node

    @strawberry.field(
        description="The objects with these global ids, in input order; null with an error for an unknown one."
    )
    def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """The objects with these global ids; an exception in the list becomes that item's error."""
        if len(ids) > MAX_ACCESSIONS:
            message = f"{len(ids)} ids are too many at once; {MAX_ACCESSIONS} are allowed."
            raise InputError(message)
        return load_nodes(reader_of(info), ids)


@strawberry.type
class Query(
    NodeQueries,
    ExperimentQueries,
    SampleQueries,
    OrganismQueries,
    AccessionQueries,
    LedgerQueries,
    TranscriptomeIndexQueries,
    FileQueries,
    ProvenanceQueries,
    CompendiumQueries,
    GeneExpressionQueries,
    MetadataQueries,
    StatsQueries,
):
    """Everything that can be asked."""


class Schema(strawberry.Schema):
    """A Strawberry schema that logs only what the client is not told."""

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002  Strawberry's signature
    ) -> None:
        """Log errors that are masked in the answer."""
        log_unexpected(errors)


@lru_cache(maxsize=1)
def build_schema() -> Schema:
    """The schema, built once per process."""
    return Schema(
        query=Query,
        types=[OriginalFile],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
        extensions=[ShapeLimit, CostLimit, ParserCache, ValidationCache],
    )


def print_schema() -> str:
    """The schema in GraphQL's own language."""
    return build_schema().as_str() + "\n"


def answer(
    context: RequestContext,
    query: str,
    *,
    variables: Mapping[str, Any] | None = None,
    only_queries: bool = False,
) -> dict[str, Any]:
    """Execute one operation and give the answer as GraphQL's response format has it.

    Args:
        context: The request's context.
        query: The document.
        variables: Values of its variables.
        only_queries: Refuse mutations (a GET request must not change anything).

    Raises:
        CannotGetOperationTypeError: The document has no operation of that name (Strawberry).
        InvalidOperationTypeError: A mutation although ``only_queries`` (Strawberry).
    """
    allowed = {OperationType.QUERY} if only_queries else {OperationType.QUERY, OperationType.MUTATION}
    result = build_schema().execute_sync(
        query,
        variable_values=None if variables is None else dict(variables),
        context_value=context,
        operation_name=context.operation_name,
        allowed_operation_types=allowed,
    )
    answered: dict[str, Any] = {}
    if result.errors:
        answered["errors"] = describe(result.errors)
    executed = not result.errors or any(error.path for error in result.errors)
    if result.data is not None or executed:
        answered["data"] = result.data
    if result.extensions:
        answered["extensions"] = result.extensions
    return answered
