"""What every reader of ontology files gives back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from refinebio_assets.domain.ontologies import SynonymScope, TermName, TermParent, TermRecord, TermRelation

PART_OF_IDS = frozenset({"part_of", "BFO:0000050", "http://purl.obolibrary.org/obo/BFO_0000050"})
"""How files name the relation "part of" (Basic Formal Ontology, BFO:0000050)."""

REPLACED_BY_ID = "IAO_0100001"
"""The annotation "term replaced by" (Information Artifact Ontology)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OntologyContent:
    """The terms of a file, and what it calls itself.

    Args:
        name: The ontology as the file's header names it (``uberon``), if it does.
        version: As the header has it, if it does.
        terms: Every term of the file, also those it takes over from other ontologies.
    """

    name: str | None
    version: str | None
    terms: tuple[TermRecord, ...]

    def prefixes(self) -> dict[str, int]:
        """Number of terms by the prefix of their ids, the most frequent first."""
        return dict(Counter(term.prefix for term in self.terms).most_common())

    def own_prefix(self) -> str | None:
        """The prefix that the header names, or the only one there is; None if that leaves a choice."""
        prefixes = self.prefixes()
        named = [prefix for prefix in prefixes if self.name is not None and prefix.lower() == self.name.lower()]
        return named[0] if named else next(iter(prefixes)) if len(prefixes) == 1 else None


class TermDraft:
    """A term whose parts come in any order, from several places of a file."""

    def __init__(self, term_id: str) -> None:
        self.id = term_id
        self.label: str | None = None
        self.synonyms: dict[TermName, None] = {}
        self.parents: dict[TermParent, None] = {}
        self.is_obsolete = False
        self.replaced_by: str | None = None

    def name(self, text: str | None) -> None:
        """Take a label; the first one counts."""
        if text and text.strip() and self.label is None:
            self.label = text.strip()

    def synonym(self, text: str | None, scope: SynonymScope) -> None:
        """Add a synonym."""
        if text and text.strip():
            self.synonyms[TermName(text.strip(), scope)] = None

    def parent(self, parent_id: str | None, relation: TermRelation) -> None:
        """Add a term above; a term is not above itself."""
        if parent_id is not None and parent_id != self.id:
            self.parents[TermParent(parent_id, relation)] = None

    def record(self) -> TermRecord:
        """The term as it is now, its parts in a stable order."""
        return TermRecord(
            id=self.id,
            label=self.label,
            synonyms=tuple(sorted(self.synonyms)),
            parents=tuple(sorted(self.parents)),
            is_obsolete=self.is_obsolete,
            replaced_by=self.replaced_by,
        )


def finished_terms(drafts: Mapping[str, TermDraft], replaced: Iterable[tuple[str, str]] = ()) -> tuple[TermRecord, ...]:
    """Records of the drafts that say anything, and an obsolete one for each id that a term has taken over.

    Args:
        drafts: Drafts by term id. One that was only referred to has no content and is left out.
        replaced: Old id and the id that took it over.
    """
    terms = [draft.record() for draft in drafts.values() if draft.label is not None or draft.is_obsolete]
    known = {term.id for term in terms}
    merged = {old: new for old, new in replaced if old not in known}
    terms += [TermRecord(id=old, is_obsolete=True, replaced_by=new) for old, new in merged.items()]
    return tuple(sorted(terms, key=lambda term: term.id))


def text_of(value: Any) -> str | None:
    """A JSON value if it is a text."""
    return value if isinstance(value, str) else None
