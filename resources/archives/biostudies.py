"""BioStudies, where ArrayExpress lives: studies, their MAGE-TAB documents and file lists, and what was released.

API: https://www.ebi.ac.uk/biostudies/help; search syntax is Lucene's over the fields of the collection's registry
(https://github.com/EBIBioStudies/biostudies-index-service). Answers come back as BioStudies' own JSON objects.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from refinebio_assets.domain.errors import (
    AccessControlledError,
    ArchiveNotFoundError,
    InputError,
    MalformedPayloadError,
    TransientArchiveError,
)
from resources.archives.biostudies_files import file_list_names, mage_tab_paths
from resources.archives.http import ArchiveClient

_log = logging.getLogger(__name__)

API_URL = "https://www.ebi.ac.uk/biostudies/api/v1"
FILES_URL = "https://www.ebi.ac.uk/biostudies/files"

COLLECTION = "arrayexpress"

PAGE_ROWS = 100
"""Studies of a page; the API gives no more."""

_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_NOT_THERE = re.compile(r"not found|does not exist|doesn't exist|no such", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"access|permission|not public|private", re.IGNORECASE)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BioStudiesPage:
    """A page of a search for studies.

    Attributes:
        total: How many studies match in all.
        rows: ``{"accession": "E-…", "title", "released": "YYYY-MM-DD", "modified": "YYYY-MM-DD" or None}``, in the
            archive's order. BioStudies' search tells no day of change, so ``modified`` is None unless that changes.
    """

    total: int
    rows: list[Row]


class BioStudies:
    """Asks BioStudies.

    Args:
        client: Asks the archive, and keeps its rate limit.
    """

    def __init__(self, client: ArchiveClient) -> None:
        self._client = client

    def study(self, accession: str) -> Row:
        """The study itself.

        Raises:
            ArchiveNotFoundError: BioStudies has no such public study.
            AccessControlledError: The study is not public.
            TransientArchiveError: BioStudies is unwell.
            MalformedPayloadError: The answer is no study.
        """
        return _object(self._client.get_json(url := _study_url(accession)), url)

    def info(self, accession: str) -> Row | None:
        """When the study was released and changed, and where its files lie; None if BioStudies does not tell.

        Raises:
            AccessControlledError, TransientArchiveError, MalformedPayloadError: As :meth:`study`.
        """
        url = f"{_study_url(accession)}/info"
        try:
            return _object(self._client.get_json(url), url)
        except ArchiveNotFoundError:
            return None

    def idf(self, accession: str, study: Row) -> str:
        """The text of the study's IDF: the one that the study lists, else ``{accession}.idf.txt``.

        Args:
            accession: Of the study.
            study: What :meth:`study` gave.

        Raises:
            ArchiveNotFoundError: There is none.
            TransientArchiveError: BioStudies is unwell, or sent a web page.
        """
        paths = mage_tab_paths(study, "idf")
        own = f"{accession}.idf.txt"
        path = own if not paths or own in paths else paths[0]
        return self._text(accession, path)

    def sdrfs(self, accession: str, study: Row) -> list[str]:
        """The texts of the study's SDRFs, sorted by name: those that it lists, else ``{accession}.sdrf.txt``.

        Args:
            accession: Of the study.
            study: What :meth:`study` gave.

        Raises:
            ArchiveNotFoundError: There is none, or one that the study lists is not there.
            TransientArchiveError: BioStudies is unwell, or sent a web page.
        """
        paths = mage_tab_paths(study, "sdrf") or [f"{accession}.sdrf.txt"]
        return [self._text(accession, path) for path in sorted(paths)]

    def file_lists(self, accession: str, study: Row) -> list[Row]:
        """The files of the study that it lists in documents of their own, as large studies do.

        Args:
            accession: Of the study.
            study: What :meth:`study` gave.

        Returns:
            BioStudies' own objects (``path``, ``size``, ``attributes`` …), each with ``section``: the type of the
            section that has the list (``Raw Data``). Empty if the study lists all files itself.

        Raises:
            ArchiveNotFoundError: A list that the study names is not there.
            TransientArchiveError: BioStudies is unwell.
            MalformedPayloadError: A list is no list of objects.
        """
        return [
            row if row.get("section") else {**row, "section": section}
            for section, name in file_list_names(study)
            for row in self._file_list(accession, name)
        ]

    def released(
        self,
        *,
        since: date,
        until: date,
        organisms: Sequence[str | int] = (),
        keyword: str | None = None,
        page: int = 1,
        page_size: int = PAGE_ROWS,
    ) -> BioStudiesPage:
        """One page of the ArrayExpress studies that became public between two days (both included).

        Args:
            since: First day.
            until: Last day.
            organisms: Scientific names; all organisms if empty.
            keyword: A phrase that must occur in the study.
            page: Number of the page, from 1.
            page_size: Studies of a page, 100 at most.

        Raises:
            InputError: An organism is given as a taxonomy id, which BioStudies does not know.
            TransientArchiveError: BioStudies is unwell.
            MalformedPayloadError: The answer is no list of studies.
        """
        url = f"{API_URL}/{COLLECTION}/search"
        query = discovery_query(since=since, until=until, organisms=organisms, keyword=keyword)
        # Sorted by what does not change while one page after the other is fetched.
        order = {"sortBy": "release_date", "sortOrder": "ascending"}
        answer = _object(
            self._client.get_json(url, {"query": query, "page": page, "pageSize": page_size, **order}), url
        )
        hits, total = answer.get("hits"), answer.get("totalHits")
        if not isinstance(hits, list) or not isinstance(total, int) or not all(isinstance(hit, dict) for hit in hits):
            message = f"BioStudies' answer is not a list of studies: {url}"
            raise MalformedPayloadError(message, url=url)
        return BioStudiesPage(total=total, rows=_rows(hits, url))

    def every_released(
        self, *, since: date, until: date, organisms: Sequence[str | int] = (), keyword: str | None = None
    ) -> Iterator[Row]:
        """The rows of all pages of :meth:`released`, each study once; ends at a page that brings nothing new.

        Raises as :meth:`released`.
        """
        seen: set[str] = set()
        number = 0
        while True:
            number += 1
            page = self.released(since=since, until=until, organisms=organisms, keyword=keyword, page=number)
            fresh = [row for row in page.rows if row["accession"] not in seen]
            seen.update(row["accession"] for row in fresh)
            yield from fresh
            if not fresh or number * PAGE_ROWS >= page.total:
                return

    def _text(self, accession: str, path: str) -> str:
        return decoded(self._client.get_bytes(study_file_url(accession, path)))

    def _file_list(self, accession: str, name: str) -> list[Row]:
        url = study_file_url(accession, name)
        rows = self._client.get_json(url)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            message = f"BioStudies' file list is not a list of files: {url}"
            raise MalformedPayloadError(message, url=url)
        return rows


def study_file_url(accession: str, path: str) -> str:
    """The address of a file of a study; ``path`` is data from outside and is quoted.

    A path that leaves the study's files with ``..`` is refused when the address is asked for.
    """
    return f"{FILES_URL}/{quote(accession, safe='')}/{quote(path.lstrip('/'))}"


def discovery_query(
    *, since: date, until: date, organisms: Sequence[str | int] = (), keyword: str | None = None
) -> str:
    """BioStudies' query for studies that became public between two days (both included).

    Raises:
        InputError: An organism is given as a taxonomy id.
    """
    clauses = [f"release_date:[{since.isoformat()} TO {until.isoformat()}]"]
    if organisms:
        clauses.append("(" + " OR ".join(f"organism:{_organism(each)}" for each in organisms) + ")")
    if keyword and _phrase(keyword) != '""':
        clauses.append(_phrase(keyword))
    return " AND ".join(clauses)


def decoded(data: bytes) -> str:
    """The text of a MAGE-TAB document: UTF-8 or UTF-16 where it is that, else Latin-1 as old spreadsheets wrote it."""
    if data.startswith(_BYTE_ORDER_MARKS):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _organism(organism: str | int) -> str:
    name = str(organism).replace("_", " ").strip()
    if name.isdigit():
        message = f"BioStudies finds organisms by their scientific names, not by taxonomy ids such as {name}."
        raise InputError(message, remedy="Give the scientific name.")
    return _phrase(name)


def _phrase(text: str) -> str:
    """A text as one phrase of a Lucene query."""
    return '"' + " ".join(re.sub(r'["\\]', " ", text).split()) + '"'


def _study_url(accession: str) -> str:
    return f"{API_URL}/studies/{quote(accession, safe='')}"


def _object(answer: Any, url: str) -> Row:
    """The answer, if it is an object; BioStudies tells some failures in an object with status 200."""
    if not isinstance(answer, dict):
        message = f"BioStudies' answer is not an object: {url}"
        raise MalformedPayloadError(message, url=url)
    complaint = answer.get("errorMessage")
    if not complaint:
        return answer
    message = f"BioStudies answered {str(complaint)!r}: {url}"
    if _NOT_THERE.search(str(complaint)):
        raise ArchiveNotFoundError(message, url=url)
    if _NOT_ALLOWED.search(str(complaint)):
        raise AccessControlledError(message, url=url)
    raise TransientArchiveError(message, url=url)


def _rows(hits: Sequence[Row], url: str) -> list[Row]:
    """The hits that are studies. Others are told in the log: one must not hide the rest of its page.

    Raises:
        MalformedPayloadError: None is, although there are some.
    """
    rows: list[Row] = []
    for hit in hits:
        try:
            rows.append(_row(hit, url))
        except MalformedPayloadError as error:
            _log.warning("%s It is left out: %s", error, hit.get("accession") or hit.get("title"))
            if len(hits) == 1:
                raise
    if hits and not rows:
        message = f"BioStudies found {len(hits)} things, none of them a study: {url}"
        raise MalformedPayloadError(message, url=url)
    return rows


def _row(hit: Row, url: str) -> Row:
    accession, released = str(hit.get("accession") or ""), _day(hit.get("release_date"))
    if not accession or released is None:
        message = f"BioStudies found a study without accession or day of release: {url}"
        raise MalformedPayloadError(message, url=url)
    return {
        "accession": accession,
        "title": str(hit.get("title") or "").strip(),
        "released": released,
        "modified": _day(hit.get("modification_date")),
    }


def _day(value: Any) -> str | None:
    match = _DAY.match(str(value or ""))
    return match.group() if match else None
