"""Which samples have a keyword."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, union

from graphql_api.context import Statement
from refinebio_assets.domain.errors import InputError
from refinebio_assets.domain.ontologies import term_id
from resources.catalog.models import SampleKeyword
from resources.catalog.ontologies import ids_below


def samples_with_keywords(terms: Sequence[str]) -> Statement:
    """Keys of the samples that have one of these terms, or one that is it or a part of it, as a keyword.

    Raises:
        InputError: One is no id of a term, but its name, say.
    """
    ids = [_id_of(term) for term in terms]
    samples = select(SampleKeyword.sample_id)
    # A union of two conditions on the indexed column: PostgreSQL reads the whole table for one condition with OR.
    found = union(
        samples.where(SampleKeyword.term_id.in_(ids)), samples.where(SampleKeyword.term_id.in_(ids_below(ids)))
    ).subquery()
    return select(found.c.sample_id)


def _id_of(term: str) -> str:
    found = term_id(term)
    if found is None:
        message = f"{term!r} is no id of an ontology term, as UBERON:0002107 is."
        raise InputError(message, remedy="ontologyTerms(search: …) finds the id of a name.")
    return found
