"""Ontologies as JSON: OBO Graphs, and the tables of ancestors that CELLxGENE publishes.

Specifications: https://github.com/geneontology/obographs, https://github.com/chanzuckerberg/cellxgene-ontology-guide
(``{term id: {label, synonyms, deprecated, replaced_by, ancestors: {term id: distance}}}``, where synonyms are exact and
ancestors those by is_a and part_of).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.ontologies import SynonymScope, TermRelation, term_id
from refinebio_assets.metadata.compressed import open_bytes
from refinebio_assets.metadata.ontology_content import (
    PART_OF_IDS,
    REPLACED_BY_ID,
    OntologyContent,
    TermDraft,
    finished_terms,
    text_of,
)

_SCOPES = {
    "hasExactSynonym": SynonymScope.EXACT,
    "hasNarrowSynonym": SynonymScope.NARROW,
    "hasBroadSynonym": SynonymScope.BROAD,
    "hasRelatedSynonym": SynonymScope.RELATED,
}
_ALTERNATIVE_ID = "hasAlternativeId"


def read_ontology_json(path: Path) -> OntologyContent:
    """The terms of an OBO Graphs file or a table of ancestors, plain or compressed.

    Raises:
        MalformedFileError: The file is no JSON, or JSON of another kind.
    """
    import orjson

    try:
        with open_bytes(path) as file:
            content = orjson.loads(file.read())
    except orjson.JSONDecodeError as error:
        message = f"The file is no JSON: {error.msg}."
        raise MalformedFileError(message, path=path, line=error.lineno) from error
    try:
        if isinstance(content, dict) and isinstance(content.get("graphs"), list):
            return _of_graphs(content["graphs"])
        if isinstance(content, dict) and content and all(term_id(key) for key in content):
            return _of_ancestors(content)
    except (KeyError, TypeError, AttributeError) as error:
        message = f"The file is not built as its beginning promises ({type(error).__name__}: {error})."
        raise MalformedFileError(message, path=path) from error
    message = "The JSON holds no ontology: neither OBO Graphs nor terms by their ids."
    raise MalformedFileError(message, path=path)


def _of_graphs(graphs: Iterable[Mapping[str, Any]]) -> OntologyContent:
    drafts: dict[str, TermDraft] = {}
    replaced: list[tuple[str, str]] = []
    headers = []
    for graph in graphs:
        headers.append((text_of(graph.get("id")), graph.get("meta") or {}))
        for node in graph.get("nodes") or ():
            found = term_id(node["id"])
            if found is not None and node.get("type") != "PROPERTY":
                draft = drafts.setdefault(found, TermDraft(found))
                replaced += [(old, found) for old in _take_node(draft, node)]
        for edge in graph.get("edges") or ():
            _take_edge(drafts, edge)
    iri, meta = headers[0] if headers else (None, {})
    name = None if iri is None else iri.rstrip("/").rpartition("/")[2].removesuffix(".owl").removesuffix(".json")
    return OntologyContent(name=name, version=text_of(meta.get("version")), terms=finished_terms(drafts, replaced))


def _take_node(draft: TermDraft, node: Mapping[str, Any]) -> list[str]:
    """Take over a node's label, synonyms and flags; gives its alternative ids."""
    meta = node.get("meta") or {}
    draft.name(text_of(node.get("lbl")))
    for synonym in meta.get("synonyms") or ():
        draft.synonym(text_of(synonym.get("val")), _SCOPES.get(_local(synonym.get("pred", "")), SynonymScope.RELATED))
    draft.is_obsolete = meta.get("deprecated") is True
    properties = [(_local(one.get("pred", "")), one.get("val", "")) for one in meta.get("basicPropertyValues") or ()]
    draft.replaced_by = next((term_id(value) for name, value in properties if name == REPLACED_BY_ID), None)
    return [old for name, value in properties if name == _ALTERNATIVE_ID and (old := term_id(value)) is not None]


def _take_edge(drafts: Mapping[str, TermDraft], edge: Mapping[str, Any]) -> None:
    relation = edge["pred"]
    draft = drafts.get(term_id(edge["sub"]) or "")
    if draft is not None and relation == "is_a":
        draft.parent(term_id(edge["obj"]), TermRelation.IS_A)
    elif draft is not None and relation in PART_OF_IDS:
        draft.parent(term_id(edge["obj"]), TermRelation.PART_OF)


def _local(iri: str) -> str:
    return iri.rpartition("#")[2].rpartition("/")[2]


def _of_ancestors(table: Mapping[str, Mapping[str, Any]]) -> OntologyContent:
    drafts: dict[str, TermDraft] = {}
    above = {key: frozenset(values.get("ancestors") or ()) for key, values in table.items()}
    for key, values in table.items():
        found = term_id(key) or key
        drafts[found] = draft = TermDraft(found)
        draft.name(text_of(values.get("label")))
        for synonym in values.get("synonyms") or ():
            draft.synonym(text_of(synonym), SynonymScope.EXACT)
        for parent in _nearest(above[key], above):
            draft.parent(term_id(parent), TermRelation.BROADER)
        draft.is_obsolete = values.get("deprecated") is True
        draft.replaced_by = term_id(values.get("replaced_by") or "")
    return OntologyContent(name=None, version=None, terms=finished_terms(drafts))


def _nearest(ancestors: frozenset[str], above: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The ancestors that are above none of the others: all others follow from them."""
    return ancestors.difference(*(above.get(ancestor, frozenset()) for ancestor in ancestors))
