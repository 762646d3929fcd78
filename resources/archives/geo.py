"""The Gene Expression Omnibus: what is new, which series an accession belongs to, and the family files of series.

Search: Entrez database ``gds`` (https://www.ncbi.nlm.nih.gov/geo/info/geo_paccess.html). Files:
https://ftp.ncbi.nlm.nih.gov/geo/README.txt. A family file describes a series with its samples and platforms: SOFT, or
MINiML (XML in a tar archive) where GEO has no SOFT.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from refinebio_assets.domain.accessions import AccessionType, parse_accession
from refinebio_assets.domain.errors import ArchiveNotFoundError, MalformedPayloadError, UnsupportedAccessionError
from resources.archives.http import ArchiveClient
from resources.archives.miniml_archive import unpack_family
from resources.archives.ncbi import EUTILS_URL, Ncbi

_log = logging.getLogger(__name__)

FILES_URL = "https://ftp.ncbi.nlm.nih.gov/geo"

PAGE_ROWS = 500
"""Series of a page."""

_DATABASE = "gds"
_MOST_SERIES = 10_000
_ENTRY_TYPES = {
    AccessionType.GEO_SERIES: "gse",
    AccessionType.GEO_SAMPLE: "gsm",
    AccessionType.GEO_DATASET: "gds",
    AccessionType.GEO_PLATFORM: "gpl",
}
_PROJECT = re.compile(r"PRJ[A-Z]{2}[0-9]+")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoPage:
    """A page of a search for series.

    Attributes:
        total: How many series match in all.
        rows: ``{"accession": "GSE…", "title", "organisms": […], "type", "published": "YYYY-MM-DD", "samples": int,
            "platforms": ["GPL…"], "pubmed_ids": […], "bioproject": "PRJNA…" or None}``, in GEO's order.
    """

    total: int
    rows: list[Row]


class Geo:
    """Asks GEO.

    Args:
        client: Fetches files.
        ncbi: Asks the E-utilities.
    """

    def __init__(self, client: ArchiveClient, ncbi: Ncbi) -> None:
        self._client = client
        self._ncbi = ncbi

    def family(self, series: str, folder: Path) -> Path:
        """Download the family file of a series.

        Args:
            series: Its accession (GSE…).
            folder: Where the file goes; made if it is not there.

        Returns:
            ``GSE…_family.soft.gz``, complete gzip, or ``GSE…_family.xml`` (MINiML) where GEO has no SOFT.

        Raises:
            UnsupportedAccessionError: Not the accession of a series.
            ArchiveNotFoundError: GEO has neither: there is no such series, or it is not public.
            TransientArchiveError: GEO is unwell, or sent a web page.
            MalformedPayloadError: The file is not complete gzip, or the archive does not hold the MINiML document.
        """
        gse = _series(series)
        name = f"{gse}_family"
        url = f"{FILES_URL}/series/{geo_folder(gse)}/{gse}"
        try:
            return self._client.download(f"{url}/soft/{name}.soft.gz", folder / f"{name}.soft.gz").path
        except ArchiveNotFoundError:
            _log.info("GEO has no SOFT file of %s; fetching MINiML.", gse)
        # The suffix .gz has the download checked for complete gzip.
        packed = folder / f"{name}.xml.tar.gz"
        try:
            self._client.download(f"{url}/miniml/{name}.xml.tgz", packed)
        except ArchiveNotFoundError as error:
            message = f"GEO has no family file of {gse}."
            raise ArchiveNotFoundError(
                message, url=url, remedy="Check the accession; a series that is private or was withdrawn has none."
            ) from error
        return unpack_family(packed, f"{name}.xml", url=f"{url}/miniml/{name}.xml.tgz")

    def series_of(self, accession: str) -> list[str]:
        """The series (GSE…) that a sample, curated dataset or platform belongs to, by number; empty if GEO knows none.

        A series belongs to itself; accessions of other archives belong to none.

        Raises:
            UnsupportedAccessionError: The text is no accession.
            TransientArchiveError, MalformedPayloadError: As :meth:`published`.
        """
        asked = parse_accession(accession)
        entry_type = _ENTRY_TYPES.get(asked.type)
        if entry_type is None:
            return []
        own = "" if asked.type is AccessionType.GEO_PLATFORM else f" OR {entry_type}[ETYP]"
        term = f"{asked.value}[ACCN] AND (gse[ETYP]{own})"
        found: set[str] = set()
        for offset in range(0, _MOST_SERIES, PAGE_ROWS):
            page = self._ncbi.search(_DATABASE, term, limit=PAGE_ROWS, offset=offset)
            for record in self._ncbi.summaries(_DATABASE, page.uids):
                found.update(_series_named_by(record, asked.value))
            if offset + PAGE_ROWS >= page.total or not page.uids:
                break
        if asked.type is AccessionType.GEO_SERIES:
            found &= {asked.value}
        return sorted(found, key=_number)

    def published(
        self,
        *,
        since: date,
        until: date,
        organisms: Sequence[str | int] = (),
        keyword: str | None = None,
        limit: int = PAGE_ROWS,
        offset: int = 0,
    ) -> GeoPage:
        """One page of the series that became public between two days (both included).

        Args:
            since: First day.
            until: Last day.
            organisms: Scientific names or NCBI taxonomy ids; all organisms if empty.
            keyword: A phrase that must occur in the record.
            limit: Series of the page.
            offset: Series to skip.

        Raises:
            TransientArchiveError: NCBI is unwell, or asks for fewer requests.
            MalformedPayloadError: The answer holds something else than series.
        """
        term = discovery_term(since=since, until=until, organisms=organisms, keyword=keyword)
        return self._page(term, limit, offset)

    def updated(
        self,
        *,
        since: date,
        until: date,
        organisms: Sequence[str | int] = (),
        keyword: str | None = None,
        limit: int = PAGE_ROWS,
        offset: int = 0,
    ) -> GeoPage:
        """One page of the series whose record changed between two days; otherwise as :meth:`published`.

        The rows do not tell the day of the change.
        """
        term = discovery_term(since=since, until=until, organisms=organisms, keyword=keyword, by="UDAT")
        return self._page(term, limit, offset)

    def _page(self, term: str, limit: int, offset: int) -> GeoPage:
        page = self._ncbi.search(_DATABASE, term, limit=limit, offset=offset)
        return GeoPage(total=page.total, rows=_rows(list(self._ncbi.summaries(_DATABASE, page.uids))))

    def every_published(
        self, *, since: date, until: date, organisms: Sequence[str | int] = (), keyword: str | None = None
    ) -> Iterator[Row]:
        """The rows of all pages of :meth:`published`, each series once.

        Ends with the last page, or at one that is empty or brings nothing new. Raises as :meth:`published`.
        """
        seen: set[str] = set()
        offset = 0
        while True:
            page = self.published(since=since, until=until, organisms=organisms, keyword=keyword, offset=offset)
            fresh = [row for row in page.rows if row["accession"] not in seen]
            seen.update(row["accession"] for row in fresh)
            yield from fresh
            offset += PAGE_ROWS
            if not fresh or offset >= page.total:
                return


def geo_folder(accession: str) -> str:
    """The folder GEO files an accession in: its last three digits become ``nnn`` (GSE1234 -> GSE1nnn, GSE12 -> GSEnnn).

    Source: https://ftp.ncbi.nlm.nih.gov/geo/README.txt
    """
    return f"{accession[:3]}{accession[3:][:-3]}nnn"


def discovery_term(
    *,
    since: date,
    until: date,
    organisms: Sequence[str | int] = (),
    keyword: str | None = None,
    by: Literal["PDAT", "UDAT"] = "PDAT",
) -> str:
    """The Entrez query for series that became public, or changed (``UDAT``), between two days (both included).

    Fields: https://www.ncbi.nlm.nih.gov/geo/info/qqtutorial.html.
    """
    clauses = ["gse[ETYP]", f"{since:%Y/%m/%d}:{until:%Y/%m/%d}[{by}]"]
    if organisms:
        clauses.append("(" + " OR ".join(map(_organism, organisms)) + ")")
    if keyword and _phrase(keyword) != '""':
        clauses.append(_phrase(keyword))
    return " AND ".join(clauses)


def _organism(organism: str | int) -> str:
    name = str(organism).strip()
    return f"txid{name}[ORGN]" if name.isdigit() else f"{_phrase(name.replace('_', ' '))}[ORGN]"


def _phrase(text: str) -> str:
    """A text as one phrase; Entrez has no escape for quotes, and brackets begin the name of a field."""
    return '"' + " ".join(re.sub(r'["\[\]]', " ", text).split()) + '"'


def _series(text: str) -> str:
    accession = parse_accession(text)
    if accession.type is not AccessionType.GEO_SERIES:
        message = f"{accession} is not a GEO series."
        raise UnsupportedAccessionError(message, remedy="Give a series (GSE…).")
    return accession.value


def _number(accession: str) -> int:
    return int(accession.removeprefix("GSE"))


def _series_named_by(record: Row, accession: str) -> Iterator[str]:
    """The series a record is, or, if it is the record that was asked for, the series it names."""
    named = str(record.get("accession") or "").upper()
    if str(record.get("entrytype") or "").upper() == "GSE" and re.fullmatch(r"GSE[0-9]+", named):
        yield named
    elif named == accession:
        yield from (f"GSE{number}" for number in _listed(record.get("gse")) if number.isdigit())


def _rows(records: Sequence[Row]) -> list[Row]:
    """The records that are those of public series. Others are told in the log: one must not hide the rest of its page.

    Raises:
        MalformedPayloadError: None is, although there are some.
    """
    rows: list[Row] = []
    for record in records:
        try:
            rows.append(_row(record))
        except MalformedPayloadError as error:
            _log.warning("%s It is left out.", error)
            if len(records) == 1:
                raise
    if records and not rows:
        message = f"None of NCBI's {len(records)} summaries is that of a public series."
        raise MalformedPayloadError(message, url=f"{EUTILS_URL}/esummary.fcgi")
    return rows


def _row(record: Row) -> Row:
    accession = str(record.get("accession") or "").upper()
    published = re.fullmatch(r"([0-9]{4})[/-]([0-9]{2})[/-]([0-9]{2})", str(record.get("pdat") or ""))
    if not re.fullmatch(r"GSE[0-9]+", accession) or published is None:
        message = f"NCBI's summary {record.get('uid')} is not that of a public series."
        raise MalformedPayloadError(message, url=f"{EUTILS_URL}/esummary.fcgi")
    samples = str(record.get("n_samples") or "")
    project = str(record.get("bioproject") or "").strip()
    return {
        "accession": accession,
        "title": str(record.get("title") or "").strip(),
        "organisms": _listed(record.get("taxon")),
        "type": str(record.get("gdstype") or "").strip(),
        "published": "-".join(published.groups()),
        "samples": int(samples) if samples.isdigit() else len(record.get("samples") or ()),
        "platforms": [f"GPL{number}" for number in _listed(record.get("gpl"))],
        "pubmed_ids": [str(each) for each in record.get("pubmedids") or ()],
        "bioproject": project if _PROJECT.fullmatch(project) else None,
    }


def _listed(value: Any) -> list[str]:
    """The parts of a text that ``;`` separates."""
    return [part for each in str(value or "").split(";") if (part := each.strip())]
