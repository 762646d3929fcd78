"""Cell lines of Cellosaurus, as its XML and as its text file. Ids are written ``CVCL:0395``, as MetaSRA writes them.

Formats: https://ftp.expasy.org/databases/cellosaurus/cellosaurus_schema.xsd and the header of ``cellosaurus.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, iterparse

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.ontologies import SynonymScope, TermRelation, term_id
from refinebio_assets.metadata.compressed import open_bytes, open_text
from refinebio_assets.metadata.ontology_content import OntologyContent, TermDraft, finished_terms

NAME = "cvcl"
_VERSION = re.compile(r"\s*Version:\s*(\S+)")
_MARKUP = re.compile(r"</?pre>")


def read_cellosaurus_xml(path: Path) -> OntologyContent:
    """The cell lines of ``cellosaurus.xml``, in one pass.

    Raises:
        MalformedFileError: The file is no XML, or damaged.
    """
    drafts: dict[str, TermDraft] = {}
    replaced: list[tuple[str, str]] = []
    version = None
    with open_bytes(path) as file:
        try:
            for _, element in iterparse(file):  # noqa: S314  expat bounds entities; none is fetched
                if element.tag == "release":
                    version = element.get("version")
                elif element.tag == "cell-line":
                    replaced += _take_element(drafts, element)
                    element.clear()
        except ParseError as error:
            message = f"The file cannot be read as XML: {error.msg}."
            raise MalformedFileError(message, path=path, line=error.position[0]) from error
    return OntologyContent(name=NAME, version=version, terms=finished_terms(drafts, replaced))


def _take_element(drafts: dict[str, TermDraft], element: Element) -> Iterator[tuple[str, str]]:
    """Make a draft of a ``cell-line``; gives the ids that it has taken over."""
    accessions = {one.get("type"): term_id(one.text or "") for one in element.iterfind("accession-list/accession")}
    found = accessions.get("primary")
    if found is None:
        return
    drafts[found] = draft = TermDraft(found)
    for name in element.iterfind("name-list/name"):
        if name.get("type") == "identifier":
            draft.name(name.text)
        else:
            draft.synonym(name.text, SynonymScope.EXACT)
    for parent in element.iterfind("derived-from/cv-term"):
        draft.parent(term_id(parent.get("accession", "")), TermRelation.DERIVES_FROM)
    for old in element.iterfind("accession-list/accession[@type='secondary']"):
        if (old_id := term_id(old.text or "")) is not None:
            yield old_id, found


def read_cellosaurus_text(path: Path) -> OntologyContent:
    """The cell lines of ``cellosaurus.txt``, or of one entry as its web site gives it, in one pass.

    Raises:
        MalformedFileError: The file is no text, or damaged.
    """
    drafts: dict[str, TermDraft] = {}
    replaced: list[tuple[str, str]] = []
    version = None
    entry: dict[str, list[str]] = {}
    with open_text(path) as file:
        for line in file:
            plain = _MARKUP.sub("", line.rstrip("\n"))
            if found := _VERSION.match(plain):
                version = version or found[1]
            if plain.startswith("//"):
                replaced += _take_entry(drafts, entry)
                entry = {}
            elif plain[2:5] == "   ":
                entry.setdefault(plain[:2], []).append(plain[5:].strip())
    return OntologyContent(name=NAME, version=version, terms=finished_terms(drafts, replaced))


def _take_entry(drafts: dict[str, TermDraft], entry: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Make a draft of the lines of an entry; gives the ids that it has taken over."""
    found = term_id(entry.get("AC", [""])[0])
    if found is None:
        return  # the header, and entries of the reference list
    drafts[found] = draft = TermDraft(found)
    draft.name(entry.get("ID", [""])[0])
    for synonym in "; ".join(entry.get("SY", ())).split("; "):
        draft.synonym(synonym, SynonymScope.EXACT)
    for parent in entry.get("HI", ()):
        draft.parent(term_id(parent.partition("!")[0]), TermRelation.DERIVES_FROM)
    for old in "; ".join(entry.get("AS", ())).split("; "):
        if (old_id := term_id(old)) is not None:
            yield old_id, found
