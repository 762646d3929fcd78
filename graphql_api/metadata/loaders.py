"""Ontology terms, attributes and keywords from the catalog, each list in one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from sqlalchemy import case, func, select
from strawberry.scalars import JSON

from graphql_api.context import AnyRow, Reader, Statement
from graphql_api.siblings import Siblings
from refinebio_assets.domain.imported_metadata import ValueType, read_value
from refinebio_assets.domain.ontologies import SynonymScope, TermRelation, comparable_name, term_id
from resources.catalog import models

if TYPE_CHECKING:
    from graphql_api.metadata import types

TERMS: Statement = select(
    models.OntologyTerm.id,
    models.OntologyTerm.label,
    models.OntologyTerm.is_obsolete,
    models.OntologyTerm.replaced_by,
)


def _make_terms(rows: Iterable[AnyRow]) -> dict[str, types.OntologyTerm]:
    """Rows of ``TERMS`` as siblings, by id."""
    from graphql_api.metadata.types import OntologyTerm

    siblings: Siblings[OntologyTerm] = Siblings()
    siblings.nodes = [OntologyTerm(siblings=siblings, **row._asdict()) for row in rows]
    return {term.id: term for term in siblings.nodes}


def known_terms(reader: Reader, ids: Sequence[str]) -> list[types.OntologyTerm | None]:
    """The imported terms with these ids, in their order; None for one that is not imported."""
    written = [term_id(text) or text for text in ids]
    found = _make_terms(reader.rows_by_keys(written, lambda chunk: TERMS.where(models.OntologyTerm.id.in_(chunk))))
    return [found.get(text) for text in written]


def _terms(reader: Reader, ids: Iterable[str | None]) -> Mapping[str, types.OntologyTerm]:
    """Terms by id; those that are not imported know nothing but their id."""
    from graphql_api.metadata.types import OntologyTerm

    wanted = list(dict.fromkeys(text for text in ids if text is not None))
    found = _make_terms(reader.rows_by_keys(wanted, lambda chunk: TERMS.where(models.OntologyTerm.id.in_(chunk))))
    nobody: Siblings[OntologyTerm] = Siblings()
    for text in wanted:
        if text not in found:
            found[text] = OntologyTerm(siblings=nobody, id=text, label=None, is_obsolete=False, replaced_by=None)
    return found


def search_terms(
    reader: Reader, text: str, *, ontologies: Sequence[str] | None, first: int
) -> list[types.OntologyTerm | None]:
    """Terms that have the text in a name: first those called so, then those whose name begins so, short names first."""
    name = models.OntologyTermName
    key = comparable_name(text)
    rank = func.min(
        case(
            (name.name_key == key, 0),
            (name.name_key.startswith(key, autoescape=True), 1),
            else_=2,
        )
    )
    matching = (
        TERMS.join(name, name.term_id == models.OntologyTerm.id)
        .where(name.name_key.contains(key, autoescape=True), models.OntologyTerm.is_obsolete.is_(False))
        .group_by(*TERMS.selected_columns)
        .order_by(rank, func.min(func.length(name.name_key)), models.OntologyTerm.id)
        .limit(first)
    )
    if ontologies is not None:
        matching = matching.where(models.OntologyTerm.prefix.in_(ontologies))
    return list(_make_terms(reader.rows(matching)).values())


def synonyms_of_terms(reader: Reader, ids: Sequence[str]) -> dict[str, list[types.TermSynonym]]:
    """Names of each term that are not its label, by its id."""
    from graphql_api.metadata.types import TermSynonym

    table = models.OntologyTermName
    listed = select(table.term_id, table.name, table.scope).where(table.scope != SynonymScope.LABEL.value)
    found: dict[str, list[types.TermSynonym]] = defaultdict(list)
    for term, name, scope in reader.rows_by_keys(
        ids, lambda chunk: listed.where(table.term_id.in_(chunk)).order_by(table.scope, table.name)
    ):
        found[term].append(TermSynonym(name=name, scope=SynonymScope(scope)))
    return found


def parents_of_terms(reader: Reader, ids: Sequence[str]) -> dict[str, list[types.TermParent]]:
    """Terms directly above each term, by its id."""
    from graphql_api.metadata.types import TermParent

    table = models.OntologyTermParent
    listed = select(table.term_id, table.relation, table.parent_id).order_by(table.relation, table.parent_id)
    rows = reader.rows_by_keys(ids, lambda chunk: listed.where(table.term_id.in_(chunk)))
    terms = _terms(reader, [row.parent_id for row in rows])
    found: dict[str, list[types.TermParent]] = defaultdict(list)
    for row in rows:
        found[row.term_id].append(TermParent(relation=TermRelation(row.relation), term=terms[row.parent_id]))
    return found


def attributes_of_samples(reader: Reader, samples: Sequence[int]) -> dict[int, list[types.SampleAttribute]]:
    """Attributes of each sample, by its key."""
    from graphql_api.metadata.types import MetadataSource, SampleAttribute

    table, source = models.SampleAttribute, models.Contribution
    listed = (
        select(table.sample_id, table.term_id, table.value_type, table.value, table.unit_id, table.probability)
        .add_columns(source.source_name, source.methods_url)
        .join(source, source.id == table.contribution_id)
        .order_by(table.term_id, source.source_name)
    )
    rows = reader.rows_by_keys(samples, lambda chunk: listed.where(table.sample_id.in_(chunk)))
    valued = {row.value for row in rows if row.value_type == "term"}
    terms = _terms(reader, [*(row.term_id for row in rows), *(row.unit_id for row in rows), *sorted(valued)])
    found: dict[int, list[types.SampleAttribute]] = defaultdict(list)
    for row in rows:
        attribute = SampleAttribute(
            term=terms[row.term_id],
            value=JSON(read_value(row.value, cast("ValueType", row.value_type))),
            value_term=terms[row.value] if row.value_type == "term" else None,
            unit=None if row.unit_id is None else terms[row.unit_id],
            probability=row.probability,
            source=MetadataSource(name=row.source_name, methods_url=row.methods_url),
        )
        found[row.sample_id].append(attribute)
    return found


def keywords_of_samples(reader: Reader, samples: Sequence[int]) -> dict[int, list[types.SampleKeyword]]:
    """Keywords of each sample, by its key."""
    from graphql_api.metadata.types import MetadataSource, SampleKeyword

    table, source = models.SampleKeyword, models.Contribution
    listed = (
        select(table.sample_id, table.term_id, source.source_name, source.methods_url)
        .join(source, source.id == table.contribution_id)
        .order_by(table.term_id, source.source_name)
    )
    rows = reader.rows_by_keys(samples, lambda chunk: listed.where(table.sample_id.in_(chunk)))
    terms = _terms(reader, [row.term_id for row in rows])
    found: dict[int, list[types.SampleKeyword]] = defaultdict(list)
    for row in rows:
        term = terms[row.term_id]
        said_by = MetadataSource(name=row.source_name, methods_url=row.methods_url)
        found[row.sample_id].append(SampleKeyword(id=term.id, label=term.label, term=term, source=said_by))
    return found
