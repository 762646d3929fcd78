"""Ontology files, read as ``refinebio metadata import`` reads them."""

from __future__ import annotations

import re

from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description
from refinebio_assets.inspection.xml_root import root_element
from refinebio_assets.metadata.ontology_files import read_ontology

ONTOLOGY, LOOKUP = "ontology", "ontology_lookup"
_READ_THROUGH = ((), ("gzip",), ("zstd",))
_CELLOSAURUS_TEXT = re.compile(r"(?:.*\n)??(?:<pre>)?ID   .*\nAC   CVCL_")
_OBO = re.compile(r"^(?:format-version:|\[Term\])", re.MULTILINE)


def describe_file(content: Content, description: Description) -> Description:
    """Name, version and terms of an ontology file."""
    if content.path is None or content.layers not in _READ_THROUGH:
        description.confidence = min(description.confidence, 0.9)
        description.warnings.append("The terms were not read: only plain, gzip and Zstandard files are.")
        return description
    ontology = read_ontology(content.path)
    description.header = {
        "name": ontology.name,
        "version": ontology.version,
        "terms": len(ontology.terms),
        "prefixes": ontology.prefixes(),
    }
    return description


def recognise_text(content: Content) -> Recognition | None:
    """OBO's header or stanza; Cellosaurus' two-letter lines."""
    if _CELLOSAURUS_TEXT.match(content.text):
        return Recognition(kind=ONTOLOGY, confidence=1.0, evidence="ID and AC lines of Cellosaurus")
    found = None if content.text.lstrip().startswith("<") else _OBO.search(content.text[:4096])
    if found is None:
        return None
    return Recognition(kind=ONTOLOGY, confidence=1.0, evidence=f"a line of OBO: {found.group()}")


def recognise_xml(content: Content) -> Recognition | None:
    """RDF that speaks of OWL, and Cellosaurus' XML."""
    root = root_element(content)
    if root == "Cellosaurus" or (root == "RDF" and "owl" in content.text):
        return Recognition(kind=ONTOLOGY, confidence=1.0, evidence=f"the root element is {root}")
    return None


def describe(content: Content, recognition: Recognition, _: Setting) -> Description:
    """The ontology as an import would read it."""
    return describe_file(content, begin(recognition))


DESCRIBERS = (
    Describer(recognise=recognise_text, describe=describe),
    Describer(recognise=recognise_xml, describe=describe),
)
