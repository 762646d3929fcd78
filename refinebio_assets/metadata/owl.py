"""Ontologies in OWL as RDF/XML, the way OBO ontologies and OLS publish it: one element per class below the root.

Read in one pass: labels, synonyms, obsoleteness, ``subClassOf`` a class and ``subClassOf`` "part of some class". What
follows only by reasoning (equivalent classes) is not derived; ontologies are published after reasoning.
Specification: https://www.w3.org/TR/owl2-mapping-to-rdf/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import Element, ParseError, iterparse

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.ontologies import SynonymScope, TermRelation, term_id
from refinebio_assets.metadata.compressed import open_bytes
from refinebio_assets.metadata.ontology_content import (
    PART_OF_IDS,
    REPLACED_BY_ID,
    OntologyContent,
    TermDraft,
    finished_terms,
)

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_OWL = "{http://www.w3.org/2002/07/owl#}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_TERMS = frozenset({f"{_OWL}Class", f"{_OWL}NamedIndividual", f"{_RDF}Description"})
_SCOPES = {
    "hasExactSynonym": SynonymScope.EXACT,
    "hasNarrowSynonym": SynonymScope.NARROW,
    "hasBroadSynonym": SynonymScope.BROAD,
    "hasRelatedSynonym": SynonymScope.RELATED,
}


def read_owl(path: Path) -> OntologyContent:
    """The terms of an OWL file in RDF/XML, plain or compressed.

    Raises:
        MalformedFileError: The file is no RDF/XML, or damaged.
    """
    drafts: dict[str, TermDraft] = {}
    replaced: list[tuple[str, str]] = []
    name = version = None
    with open_bytes(path) as file:
        try:
            for element in _below_root(file):
                if element.tag == f"{_OWL}Ontology":
                    name, version = _header(element)
                found = term_id(element.get(f"{_RDF}about", ""))
                if found is not None and element.tag in _TERMS:
                    draft = drafts.setdefault(found, TermDraft(found))
                    replaced += [(old, found) for old in _take(draft, element)]
        except ParseError as error:
            message = f"The file cannot be read as XML: {error.msg}."
            raise MalformedFileError(message, path=path, line=error.position[0]) from error
    return OntologyContent(name=name, version=version, terms=finished_terms(drafts, replaced))


def _below_root(file: BinaryIO) -> Iterator[Element]:
    """Each child of the root when it is complete; it is forgotten afterwards."""
    depth = 0
    root: Element | None = None
    for event, element in iterparse(file, ("start", "end")):  # noqa: S314  expat bounds entities; none is fetched
        if event == "start":
            depth += 1
            root = element if root is None else root
            continue
        depth -= 1
        if depth == 1 and root is not None:
            yield element
            root.clear()


def _header(ontology: Element) -> tuple[str | None, str | None]:
    iri = ontology.get(f"{_RDF}about", "")
    name = iri.rstrip("/").rpartition("/")[2].removesuffix(".owl") or None
    number = ontology.findtext(f"{_OWL}versionInfo")
    version_iri = ontology.find(f"{_OWL}versionIRI")
    return name, number or (None if version_iri is None else version_iri.get(f"{_RDF}resource"))


def _take(draft: TermDraft, element: Element) -> list[str]:
    """Take over what an element says of a term; gives its alternative ids."""
    replaced = []
    for child in element:
        tag = child.tag.rpartition("}")[2]
        text = (child.text or "").strip()
        if tag == "label" and child.get(_LANGUAGE, "en").startswith("en"):
            draft.name(text)
        elif tag in _SCOPES:
            draft.synonym(text, _SCOPES[tag])
        elif tag == "subClassOf":
            _take_parent(draft, child)
        elif tag == "deprecated":
            draft.is_obsolete = text in {"true", "1"}
        elif tag == REPLACED_BY_ID:
            draft.replaced_by = term_id(child.get(f"{_RDF}resource") or text)
        elif tag == "hasAlternativeId" and (old := term_id(text)) is not None:
            replaced.append(old)
    return replaced


def _take_parent(draft: TermDraft, subclass: Element) -> None:
    named = subclass.get(f"{_RDF}resource")
    if named is not None:
        draft.parent(term_id(named), TermRelation.IS_A)
        return
    for restriction in subclass.findall(f"{_OWL}Restriction"):
        relation = _resource(restriction, "onProperty")
        if relation in PART_OF_IDS or relation.rpartition("#")[2] == "part_of":
            draft.parent(term_id(_resource(restriction, "someValuesFrom")), TermRelation.PART_OF)


def _resource(restriction: Element, part: str) -> str:
    element = restriction.find(f"{_OWL}{part}")
    return "" if element is None else element.get(f"{_RDF}resource", "")
