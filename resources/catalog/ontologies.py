"""Ontology terms in the catalog: bringing them to what a file says, labels, and what lies below a term."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.orm import Session

from refinebio_assets.domain.ontologies import (
    CONTAINING_RELATIONS,
    SynonymScope,
    TermName,
    TermParent,
    TermRecord,
    TermRelation,
    name_key,
)
from resources.catalog.models import Ontology, OntologyTerm, OntologyTermName, OntologyTermParent, now
from resources.catalog.statements import chunks, rows_where_in, storable_text, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class OntologyImport:
    """What an import did to the terms of one ontology; ``gone`` are those that became obsolete."""

    prefix: str
    added: int
    changed: int
    unchanged: int
    gone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OntologySource:
    """Where the terms of an ontology come from.

    Args:
        prefix: The ontology.
        source: Name of the file.
        sha256: Hash of the file.
        version: The release, if the file names it.
        is_partial: The file is an excerpt: terms that it does not have stay as they are.
    """

    prefix: str
    source: str
    sha256: str
    version: str | None = None
    is_partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedOntology:
    """An ontology of the catalog: where it is from, and how many terms it has that are not obsolete."""

    prefix: str
    version: str | None
    source: str
    sha256: str
    imported_at: datetime
    terms: int


def record_ontology(
    session: Session, source: OntologySource, terms: Sequence[TermRecord], *, dry_run: bool = False
) -> OntologyImport:
    """Bring the terms of one ontology to what a file says; the same file again changes nothing.

    Args:
        session: The transaction.
        source: Where the terms come from.
        terms: Terms whose ids have the ontology's prefix.
        dry_run: Only count.
    """
    known = _stored_terms(session, source.prefix)
    wanted = {term.id: _storable(term) for term in terms}
    changed = [term for term in wanted.values() if known.get(term.id) != term]
    absent = [] if source.is_partial else [term for term in known if term not in wanted and not known[term].is_obsolete]
    if not dry_run:
        _write_source(session, source)
        _write_terms(session, changed)
        for chunk in chunks(absent):
            session.execute(update(OntologyTerm).where(OntologyTerm.id.in_(chunk)).values(is_obsolete=True))
    added = sum(term.id not in known for term in changed)
    return OntologyImport(
        prefix=source.prefix,
        added=added,
        changed=len(changed) - added,
        unchanged=len(wanted) - len(changed),
        gone=len(absent),
    )


def _storable(term: TermRecord) -> TermRecord:
    """The term as it comes back from the catalog."""
    return TermRecord(
        id=term.id,
        label=None if term.label is None else storable_text(term.label),
        synonyms=tuple(sorted({TermName(storable_text(one.name), one.scope) for one in term.synonyms})),
        parents=tuple(sorted(set(term.parents))),
        is_obsolete=term.is_obsolete,
        replaced_by=term.replaced_by,
    )


def _stored_terms(session: Session, prefix: str) -> dict[str, TermRecord]:
    of_prefix = OntologyTerm.prefix == prefix
    synonyms: dict[str, list[TermName]] = defaultdict(list)
    names = select(OntologyTermName.term_id, OntologyTermName.name, OntologyTermName.scope).join(OntologyTerm)
    for term, name, scope in session.execute(names.where(of_prefix, OntologyTermName.scope != SynonymScope.LABEL)):
        synonyms[term].append(TermName(name, SynonymScope(scope)))
    parents: dict[str, list[TermParent]] = defaultdict(list)
    above = select(OntologyTermParent.term_id, OntologyTermParent.parent_id, OntologyTermParent.relation)
    for term, parent, relation in session.execute(above.join(OntologyTerm).where(of_prefix)):
        parents[term].append(TermParent(parent, TermRelation(relation)))
    columns = select(OntologyTerm.id, OntologyTerm.label, OntologyTerm.is_obsolete, OntologyTerm.replaced_by)
    return {
        row.id: TermRecord(
            id=row.id,
            label=row.label,
            synonyms=tuple(sorted(synonyms[row.id])),
            parents=tuple(sorted(parents[row.id])),
            is_obsolete=row.is_obsolete,
            replaced_by=row.replaced_by,
        )
        for row in session.execute(columns.where(of_prefix))
    }


def _write_source(session: Session, source: OntologySource) -> None:
    """Note where the terms come from; most of those of an ontology that was there before come not from an excerpt."""
    if source.is_partial and session.get(Ontology, source.prefix) is not None:
        return
    row = {
        "prefix": source.prefix,
        "version": source.version,
        "source": storable_text(source.source),
        "source_sha256": source.sha256,
        "imported_at": now(),
    }
    upsert(session, Ontology, [row], key=["prefix"])


def _write_terms(session: Session, terms: Sequence[TermRecord]) -> None:
    rows = [
        {
            "id": term.id,
            "prefix": term.prefix,
            "label": term.label,
            "is_obsolete": term.is_obsolete,
            "replaced_by": term.replaced_by,
        }
        for term in terms
    ]
    upsert(session, OntologyTerm, rows, key=["id"])
    for chunk in chunks(term.id for term in terms):
        session.execute(delete(OntologyTermName).where(OntologyTermName.term_id.in_(chunk)))
        session.execute(delete(OntologyTermParent).where(OntologyTermParent.term_id.in_(chunk)))
    labels = [(term.id, TermName(term.label, SynonymScope.LABEL)) for term in terms if term.label is not None]
    synonyms = [(term.id, synonym) for term in terms for synonym in term.synonyms]
    names = [
        {"term_id": term, "scope": one.scope.value, "name": one.name, "name_key": name_key(one.name)}
        for term, one in labels + synonyms
    ]
    parents = [
        {"term_id": term.id, "parent_id": parent.id, "relation": parent.relation.value}
        for term in terms
        for parent in term.parents
    ]
    for table, values in ((OntologyTermName, names), (OntologyTermParent, parents)):
        if values:
            session.execute(insert(table), values)


def term_labels(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """Labels by term id; terms that are not known or have no label are absent."""
    query = select(OntologyTerm.id, OntologyTerm.label).where(OntologyTerm.label.is_not(None))
    return {row.id: row.label for row in rows_where_in(session, query, OntologyTerm.id, sorted(set(ids)))}


def ids_below(ids: Collection[str]) -> Select[str]:
    """Ids of all terms that are one of these or a part of it, without these, as a statement to use within another.

    The terms themselves need not be imported. Circles in an ontology end by themselves: each id is taken once.
    """
    containing = OntologyTermParent.relation.in_(sorted(CONTAINING_RELATIONS))
    children = select(OntologyTermParent.term_id).where(OntologyTermParent.parent_id.in_(ids), containing)
    below = children.cte("terms_below", recursive=True)
    further = (
        select(OntologyTermParent.term_id)
        .join(below, below.c.term_id == OntologyTermParent.parent_id)
        .where(containing)
    )
    return select(below.union(further).c.term_id)


def terms_below(session: Session, term: str) -> list[str]:
    """Ids of a term and of all that are it or a part of it, sorted; obsolete ones are left out."""
    below = select(OntologyTerm.id).where(OntologyTerm.id.in_(ids_below([term])), OntologyTerm.is_obsolete.is_(False))
    return sorted({term, *session.scalars(below)})


def imported_ontologies(session: Session) -> list[ImportedOntology]:
    """The ontologies of the catalog, by prefix."""
    counts = select(OntologyTerm.prefix, func.count()).where(OntologyTerm.is_obsolete.is_(False))
    terms = {prefix: count for prefix, count in session.execute(counts.group_by(OntologyTerm.prefix))}  # noqa: C416  rows
    return [
        ImportedOntology(
            prefix=row.prefix,
            version=row.version,
            source=row.source,
            sha256=row.source_sha256,
            imported_at=row.imported_at,
            terms=terms.get(row.prefix, 0),
        )
        for row in session.scalars(select(Ontology).order_by(Ontology.prefix))
    ]
