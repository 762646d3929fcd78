"""From a name that a submitter wrote to the one ontology term that is called so."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from refinebio_assets.domain.ontologies import SynonymScope, comparable_name, name_key
from resources.catalog.engine import Database
from resources.catalog.models import Ontology, OntologyTerm, OntologyTermName
from resources.catalog.statements import storable_text

_SCOPES = (SynonymScope.LABEL, SynonymScope.EXACT)
"""Which names decide, the first first: what an ontology prefers to call a term outweighs its other names."""

LONGEST_NAME = 1000
"""Characters of a text that is looked up at all; names of terms are shorter, protocols are longer."""


class TermIndex:
    """Looks names up in the ontologies of the catalog; each name is asked for once.

    Safe to keep for the whole of a survey: ontologies that are imported meanwhile are seen by the next index.

    Args:
        database: The catalog's database.
        prefixes: Ontologies to look in, the preferred first: where several have a name, the first of them counts. None
            for all there are, none of them preferred: a name that two of them have is ambiguous.
    """

    def __init__(self, database: Database, prefixes: Sequence[str] | None = None) -> None:
        self._database = database
        with database.reading() as session:
            known = set(session.scalars(select(Ontology.prefix)))
        preferred = [{prefix} for prefix in dict.fromkeys(prefixes or ()) if prefix in known]
        self._groups: list[set[str]] = ([known] if known else []) if prefixes is None else preferred
        self._found: dict[str, str | None] = {}

    def lookup(self, label: str) -> str | None:
        """Id of the one term whose label, or else exact synonym, is this text; letter case and blanks do not count.

        None if no term is called so, if several are, or if it is obsolete.
        """
        name = comparable_name(storable_text(label))
        if not self._groups or not name or len(name) > LONGEST_NAME:
            return None
        if name not in self._found:
            with self._database.reading() as session:
                self._found[name] = _only_term(session, name, self._groups)
        return self._found[name]


def _only_term(session: Session, name: str, groups: Sequence[set[str]]) -> str | None:
    query = (
        select(OntologyTermName.scope, OntologyTermName.name, OntologyTermName.term_id, OntologyTerm.prefix)
        .join(OntologyTerm)
        .where(OntologyTermName.name_key == name_key(name), OntologyTermName.scope.in_(_SCOPES))
        .where(OntologyTerm.prefix.in_(sorted(set().union(*groups))), OntologyTerm.is_obsolete.is_(False))
    )
    rows = [row for row in session.execute(query) if comparable_name(row.name) == name]
    for scope in _SCOPES:
        for prefixes in groups:
            terms = {row.term_id for row in rows if row.scope == scope and row.prefix in prefixes}
            if terms:
                return terms.pop() if len(terms) == 1 else None
    return None
