"""Ontology terms, attributes and keywords."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from graphql_api.context import Info, reader_of
from graphql_api.metadata import loaders
from graphql_api.siblings import Siblings
from refinebio_assets.domain.ontologies import SynonymScope, TermRelation

strawberry.enum(SynonymScope, description="How close a name is to the term.")
strawberry.enum(TermRelation, description="What a term is to one above it.")


@strawberry.type(description="Another name of an ontology term.")
class TermSynonym:
    """Another name of an ontology term."""

    name: str
    scope: SynonymScope


@strawberry.type(description="A term directly above another.")
class TermParent:
    """A term directly above another."""

    relation: TermRelation
    term: OntologyTerm


@strawberry.type(description="A term of an ontology. Of one whose ontology was not imported only the id is known.")
class OntologyTerm:
    """A term of an ontology."""

    siblings: strawberry.Private[Siblings[OntologyTerm]]
    id: str = strawberry.field(description="As the OBO Foundry writes it: UBERON:0002107.")
    label: str | None = strawberry.field(description="The name that the ontology prefers.")
    is_obsolete: bool
    replaced_by: str | None = strawberry.field(description="Id of the term to use in place of an obsolete one.")

    @strawberry.field(description="Its other names.")
    def synonyms(self, info: Info) -> list[TermSynonym]:
        """Its other names."""
        found = self.siblings.load("synonyms", lambda all_: loaders.synonyms_of_terms(reader_of(info), _ids(all_)))
        return found.get(self.id, [])

    @strawberry.field(description="Terms directly above it.")
    def parents(self, info: Info) -> list[TermParent]:
        """Terms directly above it."""
        found = self.siblings.load("parents", lambda all_: loaders.parents_of_terms(reader_of(info), _ids(all_)))
        return found.get(self.id, [])


@strawberry.type(description="Who said it of the sample.")
class MetadataSource:
    """Who said it of the sample."""

    name: str
    methods_url: str = strawberry.field(description="The page that says how it was found out.")


@strawberry.type(description="A value that a contribution gives a sample.")
class SampleAttribute:
    """A value that a contribution gives a sample."""

    term: OntologyTerm = strawberry.field(description="What the value is of.")
    value: JSON = strawberry.field(description="A truth value, number or text; of an ontology term its id.")
    value_term: OntologyTerm | None = strawberry.field(description="The value, if it is an ontology term.")
    unit: OntologyTerm | None
    probability: float | None = strawberry.field(description="How sure the contribution is, 0 to 1.")
    source: MetadataSource


@strawberry.type(description="An ontology term that a contribution says of a sample.")
class SampleKeyword:
    """An ontology term that a contribution says of a sample."""

    id: str = strawberry.field(description="Id of the term.")
    label: str | None = strawberry.field(description="Its name, if its ontology was imported.")
    term: OntologyTerm
    source: MetadataSource


def _ids(terms: list[OntologyTerm]) -> list[str]:
    return [term.id for term in terms]
