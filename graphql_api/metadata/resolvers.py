"""Root field for ontology terms."""

from __future__ import annotations

import strawberry

from graphql_api.connections import PageRequest
from graphql_api.context import Info, reader_of
from graphql_api.limits import MAX_ACCESSIONS
from graphql_api.metadata import loaders
from graphql_api.metadata.types import OntologyTerm
from refinebio_assets.domain.errors import InputError


@strawberry.type
class MetadataQueries:
    """Root field for ontology terms."""

    @strawberry.field(
        description="Imported ontology terms: with `ids` those, in input order (null for one that was not imported); "
        "with `search` those that have the text in a name, the closest first."
    )
    def ontology_terms(
        self,
        info: Info,
        ids: list[str] | None = None,
        search: str | None = None,
        ontologies: list[str] | None = None,
        first: int | None = 20,
    ) -> list[OntologyTerm | None]:
        """Imported ontology terms by id or by name.

        Args:
            info: The request.
            ids: Ids of terms.
            search: Text in a label or synonym, in any letter case.
            ontologies: With ``search``: prefixes of the ontologies to look in (UBERON).
            first: With ``search``: how many, at most 100.

        Raises:
            InputError: Neither or both of ``ids`` and ``search`` are given, or too many ids.
        """
        if (ids is None) == (search is None or not search.strip()):
            message = "Give either `ids` or a text to `search` for."
            raise InputError(message)
        reader = reader_of(info)
        if ids is None:
            page = PageRequest.of(first, None)
            return loaders.search_terms(reader, search or "", ontologies=ontologies, first=page.first)
        if len(ids) > MAX_ACCESSIONS:
            message = f"{len(ids)} ids are too many at once; {MAX_ACCESSIONS} are allowed."
            raise InputError(message)
        return loaders.known_terms(reader, ids)
