"""What BioStudies answers: studies, what it knows about their files, the files, and the search in ArrayExpress."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from examples.answers import NOT_FOUND, Answer, Params, file_answer, json_answer
from examples.ena_query import QuerySyntaxError
from examples.search_terms import Predicate, parse_terms, words_occur
from examples.study_folders import StudyFolders

Row = dict[str, Any]

_LARGEST_PAGE = 100
_TERM = re.compile(r'(?:\w+:)?(?:"[^"]*"|\[[^\]]*\]|[^\s()"\[\]:]+)')
_RANGE = re.compile(r"\[\s*(\S+)\s+TO\s+(\S+)\s*\]")


def study(studies: StudyFolders, _params: Params, accession: str) -> Answer:
    """``/biostudies/api/v1/studies/{accession}``."""
    found = studies.biostudies_document(accession, "study")
    return _missing(accession) if found is None else json_answer(found)


def info(studies: StudyFolders, _params: Params, accession: str) -> Answer:
    """``/biostudies/api/v1/studies/{accession}/info``."""
    found = studies.biostudies_document(accession, "info")
    return _missing(accession) if found is None else json_answer(found)


def file(studies: StudyFolders, _params: Params, accession: str, path: str) -> Answer:
    """``/biostudies/files/{accession}/{path}``."""
    found = studies.biostudies_file(accession, path) or studies.file(
        "www.ebi.ac.uk", f"biostudies/files/{accession}/{path}"
    )
    if found is not None:
        return file_answer(found)
    packed = studies.biostudies_file(accession, f"{path}.gz")
    if packed is None:
        return NOT_FOUND
    return Answer(content_type="application/octet-stream", body=studies.derived(packed, _unpacked))


def _unpacked(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes())


def search(studies: StudyFolders, params: Params, collection: str | None = None) -> Answer:
    """``/biostudies/api/v1/{collection}/search``; pages count from 1."""
    query = params.get("query", "").strip()
    try:
        matches: Predicate = parse_terms(query, _TERM, _read_term) if query else lambda _hit: True
    except QuerySyntaxError as error:
        return json_answer({"message": f"Failed to build query: {error}"}, status=500)
    hits = [
        hit
        for accession in studies.biostudies_accessions()
        if (hit := _hit(accession, studies.biostudies_document(accession, "study"))) is not None
    ]
    hits = [hit for hit in hits if (collection is None or hit["accession"].startswith("E-")) and matches(hit)]
    if params.get("sortBy") == "release_date":
        descending = params.get("sortOrder", "descending") == "descending"
        hits.sort(key=lambda hit: (hit["release_date"], hit["accession"]), reverse=descending)
    page = max(1, int(params.get("page") or 1))
    size = min(_LARGEST_PAGE, int(params.get("pageSize") or 20))
    shown = hits[(page - 1) * size : page * size]
    return json_answer(
        {
            "page": page,
            "pageSize": size,
            "totalHits": len(hits),
            "isTotalHitsExact": True,
            "query": query or None,
            "facets": None,
            "hits": [{name: value for name, value in hit.items() if name != "organisms"} for hit in shown],
        }
    )


def _missing(accession: str) -> Answer:
    return json_answer({"errorMessage": f"Study {accession} not found"}, status=404)


def _hit(accession: str, document: Any) -> Row | None:
    """The search result of a study, in the API's spelling of its document or in that of exports."""
    if not isinstance(document, dict):
        return None
    section = document.get("section") or {}
    own, inner = (list(_attributes(each)) for each in (document, section))
    title = _first(own, "Title") or document.get("title") or _first(inner, "Title")
    released = _first(own, "ReleaseDate") or str(document.get("releaseTime") or "")
    return {
        "accession": accession,
        "type": "study",
        "title": title or "",
        "author": "",
        "links": 0,
        "files": 0,
        "release_date": released[:10],
        "views": 0,
        "isPublic": True,
        "content": " ".join(value for _, value in [*own, *inner]),
        "organisms": [value for name, value in inner if name == "Organism"],
    }


def _attributes(row: Any) -> Iterator[tuple[str, str]]:
    for attribute in row.get("attributes") or []:
        if isinstance(attribute, dict) and attribute.get("value"):
            yield str(attribute.get("name")), str(attribute["value"])


def _first(attributes: list[tuple[str, str]], wanted: str) -> str:
    return next((value for name, value in attributes if name == wanted), "")


def _read_term(token: str) -> Predicate:
    """The meaning of ``field:value``, or of a word or phrase anywhere in the study."""
    field, colon, value = token.partition(":") if re.match(r"\w+:", token) else ("", "", token)
    if not colon:
        phrase = value.strip('"')
        return lambda hit: phrase == "*" or words_occur(phrase, f"{hit['accession']} {hit['title']} {hit['content']}")
    if field == "release_date" and (limits := _RANGE.fullmatch(value)):
        first, last = limits.groups()
        return lambda hit: (
            (first == "*" or first <= hit["release_date"]) and (last == "*" or hit["release_date"] <= last)
        )
    if field == "organism":
        return lambda hit: any(words_occur(value, each) for each in hit["organisms"])
    if field in ("accession", "title"):
        return lambda hit: words_occur(value, hit[field])
    message = f"unknown field {field}"
    raise QuerySyntaxError(message)
