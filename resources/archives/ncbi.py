"""NCBI E-utilities: searches, summaries, taxonomy ids, publications (https://www.ncbi.nlm.nih.gov/books/NBK25499/)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from refinebio_assets.domain.errors import ArchiveNotFoundError, MalformedPayloadError, TransientArchiveError
from resources.archives.http import ArchiveClient

_log = logging.getLogger(__name__)

EUTILS_URL = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"

TOOL = "refinebio"
"""Name NCBI's usage policy asks a program to give with every request."""


MOST_SUMMARIES = 500
"""Summaries that one request may ask for as JSON (same page, ESummary's ``retmax``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UidPage:
    """A page of a search: how many records match in total, and the uids of some of them, in the archive's order."""

    total: int
    uids: tuple[str, ...]


class Ncbi:
    """Asks the E-utilities.

    Args:
        client: Asks the archive, and keeps NCBI's rate limit.
        api_key: Raises the rate limit.
        email: Where NCBI can reach whoever runs this.
    """

    def __init__(self, client: ArchiveClient, *, api_key: str | None = None, email: str | None = None) -> None:
        self._client = client
        self._identity = {
            name: value for name, value in (("tool", TOOL), ("email", email), ("api_key", api_key)) if value is not None
        }

    def search(self, database: str, term: str, *, limit: int, offset: int = 0) -> UidPage:
        """One page of the records of a database that a term finds.

        Args:
            database: Entrez name of the database: ``gds``, ``taxonomy``.
            term: Entrez query (https://www.ncbi.nlm.nih.gov/books/NBK3837/).
            limit: Uids of the page.
            offset: Uids to skip.

        Raises:
            TransientArchiveError: NCBI is unwell, or asks for fewer requests.
            MalformedPayloadError: The answer has no count or no list of uids.
        """
        params = {"db": database, "term": term, "retstart": str(offset), "retmax": str(limit)}
        result = _field(self._ask("esearch", params), "esearchresult")
        if complaint := _field(result, "ERROR"):
            message = f"NCBI could not search {database}: {complaint}"
            raise TransientArchiveError(message, url=f"{EUTILS_URL}/esearch.fcgi")
        total, uids = str(_field(result, "count")), _field(result, "idlist")
        if not total.isdigit() or not isinstance(uids, list) or not all(str(uid).isdigit() for uid in uids):
            raise _malformed(program="esearch", missing=f"{database} uids")
        return UidPage(total=int(total), uids=tuple(str(uid) for uid in uids))

    def summaries(self, database: str, uids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The summary records of uids, in their order; one that the database does not have is left out with a warning.

        Raises:
            TransientArchiveError: NCBI is unwell, or asks for fewer requests.
            MalformedPayloadError: The answer has no records.
        """
        for start in range(0, len(uids), MOST_SUMMARIES):
            some = uids[start : start + MOST_SUMMARIES]
            # A form, since the uids of a page are too many for an address.
            answer = self._ask("esummary", {"db": database, "id": ",".join(some)}, by_form=True)
            result = _field(answer, "result")
            if not isinstance(result, dict):
                raise _malformed(program="esummary", missing=f"{database} records")
            for uid in some:
                record = _record(result, uid, database)
                if record is None:
                    _log.warning("NCBI's %s has no summary of the record %s it had found.", database, uid)
                else:
                    yield record

    def taxonomy_id(self, scientific_name: str) -> int | None:
        """NCBI taxonomy id of an organism, None if NCBI does not know the name.

        The scientific name is tried first, then any name (synonyms). Of several ids the smallest is taken, and
        a warning logged.

        Raises:
            TransientArchiveError: NCBI is unwell or asks for fewer requests.
            MalformedPayloadError: The answer has no list of ids.
        """
        term = " ".join(scientific_name.replace("_", " ").split())
        for params in ({"field": "scin"}, {}):
            found = self._ask("esearch", {"db": "taxonomy", "term": term, **params})
            ids = _field(found, "esearchresult", "idlist")
            if not isinstance(ids, list) or not all(str(one).isdigit() for one in ids):
                raise _malformed(program="esearch", missing="taxonomy ids")
            if len(ids) > 1:
                _log.warning("NCBI knows %d taxa named %s; the smallest id is taken.", len(ids), term)
            if ids:
                return min(int(one) for one in ids)
        return None

    def scientific_name(self, taxonomy_id: int) -> str | None:
        """Scientific name of a taxon, None if NCBI does not know the id. Raises as :meth:`taxonomy_id`."""
        record = self._summary("taxonomy", str(taxonomy_id))
        name = None if record is None else record.get("scientificname")
        return str(name) if name else None

    def publication(self, pubmed_id: str) -> dict[str, Any]:
        """A publication: ``pubmed_id, title, doi, authors, journal, published``; ``doi`` may be None.

        Raises:
            ArchiveNotFoundError: PubMed has no such record.
            TransientArchiveError, MalformedPayloadError: As :meth:`taxonomy_id`.
        """
        record = self._summary("pubmed", pubmed_id)
        if record is None:
            message = f"PubMed has no record {pubmed_id}."
            raise ArchiveNotFoundError(message, url=f"{EUTILS_URL}/esummary.fcgi")
        identifiers = {str(entry.get("idtype")): str(entry.get("value")) for entry in record.get("articleids") or []}
        return {
            "pubmed_id": str(pubmed_id),
            "title": str(record.get("title") or ""),
            "doi": identifiers.get("doi") or None,
            "authors": [str(author["name"]) for author in record.get("authors") or [] if author.get("name")],
            "journal": str(record.get("fulljournalname") or record.get("source") or ""),
            "published": str(record.get("pubdate") or ""),
        }

    def _summary(self, database: str, uid: str) -> dict[str, Any] | None:
        """The summary record of a uid, None if the database does not have it."""
        result = _field(self._ask("esummary", {"db": database, "id": uid}), "result")
        return _record(result, uid, database)

    def _ask(self, program: str, params: dict[str, str], *, by_form: bool = False) -> Any:
        url = f"{EUTILS_URL}/{program}.fcgi"
        ask = self._client.post_json if by_form else self._client.get_json
        answer = ask(url, {**params, "retmode": "json", **self._identity})
        complaint = str(answer.get("error", "")) if isinstance(answer, dict) else ""
        if "limit" in complaint.lower():
            message = f"NCBI asks for fewer requests: {complaint}"
            raise TransientArchiveError(message, url=url)
        return answer


def _field(value: Any, *path: str) -> Any:
    """A nested value of a JSON object, None where the path ends early."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _record(result: Any, uid: str, database: str) -> dict[str, Any] | None:
    """The record of a uid in an ``esummary`` result, None if the database does not have it."""
    record = result.get(uid) if isinstance(result, dict) else None
    if record is None or (isinstance(record, dict) and record.get("error")):
        return None
    if not isinstance(record, dict):
        raise _malformed(program="esummary", missing=f"a {database} record")
    return record


def _malformed(*, program: str, missing: str) -> MalformedPayloadError:
    return MalformedPayloadError(f"NCBI's {program} answer has no {missing}.", url=f"{EUTILS_URL}/{program}.fcgi")
