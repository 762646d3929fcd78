"""Any ontology file: what it is, is told by its first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.metadata.cellosaurus import read_cellosaurus_text, read_cellosaurus_xml
from refinebio_assets.metadata.compressed import open_bytes
from refinebio_assets.metadata.obo import read_obo
from refinebio_assets.metadata.obo_json import read_ontology_json
from refinebio_assets.metadata.ontology_content import OntologyContent
from refinebio_assets.metadata.owl import read_owl

_BEGINNING_BYTES = 64 * 1024
Reader = Callable[[Path], OntologyContent]
_FORMATS: tuple[tuple[re.Pattern[bytes], Reader], ...] = (
    (re.compile(rb"\s*\{"), read_ontology_json),
    (re.compile(rb"\s*<.{0,4096}?<?rdf:RDF[\s>]", re.DOTALL), read_owl),
    (
        re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<Cellosaurus[\s>]", re.DOTALL),
        read_cellosaurus_xml,
    ),
    (re.compile(rb"(?:.*\n)??(?:<pre>)?ID   .*\nAC   CVCL_"), read_cellosaurus_text),
    (re.compile(rb"(?:.*\n)*?(?:format-version:|\[Term\])"), read_obo),
)


def read_ontology(path: Path) -> OntologyContent:
    """The terms of an ontology file.

    Taken are OBO, OBO Graphs (JSON), OWL in RDF/XML, tables of ancestors (JSON, CELLxGENE) and Cellosaurus (XML, text);
    plain, gzip or Zstandard.

    Raises:
        MalformedFileError: The file is none of these, is damaged, or holds no term.
    """
    with open_bytes(path) as file:
        beginning = file.read(_BEGINNING_BYTES)
    for pattern, reader in _FORMATS:
        if pattern.match(beginning):
            content = reader(path)
            if not content.terms:
                message = "The file holds no ontology term."
                raise MalformedFileError(message, path=path)
            return content
    message = "The file is no ontology in a format that is known."
    raise MalformedFileError(
        message,
        path=path,
        remedy="Give OBO, OBO Graphs JSON, OWL (RDF/XML) or Cellosaurus XML or text, plain, .gz or .zst.",
    )
