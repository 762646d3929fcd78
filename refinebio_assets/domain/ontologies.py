"""Ontology terms: how their ids are written, how their names are compared, and what is kept of a term.

Ids are CURIEs of the OBO Foundry (``UBERON:0002107``; https://obofoundry.org/id-policy). Files and databases write the
same id in other ways, too: as an IRI (``http://purl.obolibrary.org/obo/UBERON_0002107``) or with an underscore
(``CVCL_0395``, Cellosaurus' own way; MetaSRA writes ``CVCL:0395``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

NAME_KEY_LENGTH = 255
"""Characters of a name that are indexed. PostgreSQL refuses index entries of more than 2,704 bytes."""

LONGEST_TERM_ID = 255
"""Characters of an id that the catalog holds."""

_IRI = re.compile(r"https?://\S*[/#]([^/#\s]+)")
_CURIE = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*?)[:_]([A-Za-z0-9]+)")
_LONG_LOCAL_ID = re.compile(r"(?=.*\d)[A-Za-z0-9]{4,}")

SHORT_ID_PREFIXES = frozenset({"CHEBI", "DOID", "EFO", "HANCESTRO", "NCBITaxon", "NCBITAXON", "ORDO", "Orphanet", "UO"})
"""Ontologies whose ids may have fewer than four characters after the colon (``DOID:4``)."""


class SynonymScope(StrEnum):
    """How close a name is to the term (OBO 1.4); the label is the name that the ontology prefers."""

    LABEL = "label"
    EXACT = "exact"
    NARROW = "narrow"
    BROAD = "broad"
    RELATED = "related"


class TermRelation(StrEnum):
    """What a term is to one above it.

    ``BROADER`` is for files that give ancestors without saying by which relation (``is_a`` or ``part_of``).
    """

    IS_A = "is_a"
    PART_OF = "part_of"
    BROADER = "broader"
    DERIVES_FROM = "derives_from"


CONTAINING_RELATIONS = frozenset({TermRelation.IS_A, TermRelation.PART_OF, TermRelation.BROADER})
"""Relations that are followed from "liver" to "liver and its parts". A cell line derived from another is no part."""


@dataclass(frozen=True, slots=True, order=True)
class TermName:
    """A label or synonym."""

    name: str
    scope: SynonymScope


@dataclass(frozen=True, slots=True, order=True)
class TermParent:
    """A term directly above."""

    id: str
    relation: TermRelation


@dataclass(frozen=True, slots=True, kw_only=True)
class TermRecord:
    """A term as its ontology has it. ``names`` holds the synonyms; the label is apart."""

    id: str
    label: str | None = None
    synonyms: tuple[TermName, ...] = ()
    parents: tuple[TermParent, ...] = ()
    is_obsolete: bool = False
    replaced_by: str | None = None

    @property
    def prefix(self) -> str:
        """The ontology that the id belongs to."""
        return self.id.partition(":")[0]


def term_id(text: str) -> str | None:
    """The CURIE that a text writes as CURIE, IRI or with an underscore; None if it is no term id at all.

    >>> term_id("http://purl.obolibrary.org/obo/UBERON_0002107"), term_id("CVCL_0395"), term_id("liver")
    ('UBERON:0002107', 'CVCL:0395', None)
    """
    written = text.strip()
    if iri := _IRI.fullmatch(written):
        written = iri.group(1)
    found = _CURIE.fullmatch(written)
    if found is None or len(written) > LONGEST_TERM_ID:
        return None
    prefix, local = found.groups()
    is_id = any(letter.isdigit() for letter in local) or (prefix == "CVCL" and len(local) == 4)
    return f"{prefix}:{local}" if is_id else None


def value_term_id(text: str) -> str | None:
    """The CURIE of a text that is a *value*: stricter than :func:`term_id`, so that ``day:3`` stays what it is.

    Only ids with a colon or in an IRI count, and what follows the prefix must be long enough to be no plain number.
    """
    found = term_id(text)
    if found is None or ":" not in text:
        return None
    prefix, _, local = found.partition(":")
    return found if prefix in SHORT_ID_PREFIXES or _LONG_LOCAL_ID.fullmatch(local) else None


def comparable_name(name: str) -> str:
    """A name as names are compared: in one letter case, with single blanks, and none around it."""
    return " ".join(name.casefold().split())


def name_key(name: str) -> str:
    """The indexed part of :func:`comparable_name`."""
    return comparable_name(name)[:NAME_KEY_LENGTH]
