"""Ontologies in OBO format, read with obonet, which also takes files that break the format's grammar in places.

Specification: https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TextIO, cast

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.ontologies import SynonymScope, TermRelation, term_id
from refinebio_assets.metadata.compressed import open_text
from refinebio_assets.metadata.ontology_content import PART_OF_IDS, OntologyContent, TermDraft, finished_terms

_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(EXACT|NARROW|BROAD|RELATED)?')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", "W": " "}
_OLD_SYNONYM_TAGS = {
    "exact_synonym": SynonymScope.EXACT,
    "narrow_synonym": SynonymScope.NARROW,
    "broad_synonym": SynonymScope.BROAD,
}


class _CountedLines:
    """Lines of a file, counted, so that an error can name the line it was met at."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The file is closed by who opened it."""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            yield line


def read_obo(path: Path) -> OntologyContent:
    """The terms of an OBO file, plain or compressed.

    Raises:
        MalformedFileError: The file is no OBO, or damaged.
    """
    import obonet

    with open_text(path) as file:
        lines = _CountedLines(file)
        try:
            graph = obonet.read_obo(cast("TextIO", lines), ignore_obsolete=False)
        except (ValueError, KeyError) as error:
            message = f"The file cannot be read as OBO: {error}"
            raise MalformedFileError(message, path=path, line=lines.number) from error
    drafts: dict[str, TermDraft] = {}
    replaced: list[tuple[str, str]] = []
    for written, values in graph.nodes(data=True):
        found = term_id(written)
        if found is not None and values:
            drafts[found] = _draft(found, values, graph.out_edges(written, keys=True))
            replaced += [(old, found) for alt in values.get("alt_id", ()) if (old := term_id(alt)) is not None]
    header = graph.graph
    return OntologyContent(
        name=header.get("ontology"), version=header.get("data-version"), terms=finished_terms(drafts, replaced)
    )


def _draft(found: str, values: Mapping[str, Any], edges: Iterable[tuple[str, str, str]]) -> TermDraft:
    draft = TermDraft(found)
    draft.name(_unescaped(values.get("name", "")))
    for text in values.get("synonym", ()):
        if synonym := _SYNONYM.match(text):
            draft.synonym(_unescaped(synonym[1]), SynonymScope((synonym[2] or "related").lower()))
    for tag, scope in _OLD_SYNONYM_TAGS.items():
        for text in values.get(tag, ()):
            if synonym := _SYNONYM.match(text):
                draft.synonym(_unescaped(synonym[1]), scope)
    for _, parent, relation in edges:
        if relation == "is_a":
            draft.parent(term_id(parent), TermRelation.IS_A)
        elif relation in PART_OF_IDS:
            draft.parent(term_id(parent), TermRelation.PART_OF)
    draft.is_obsolete = values.get("is_obsolete") == "true"
    draft.replaced_by = next((new for text in values.get("replaced_by", ()) if (new := term_id(text))), None)
    return draft


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), text)
