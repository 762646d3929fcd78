"""The European Nucleotide Archive: runs, studies, cross-references and what is new.

API: https://www.ebi.ac.uk/ena/portal/api/ (read_run, study, read_study) and https://www.ebi.ac.uk/ena/xref/rest/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from refinebio_assets.domain.errors import MalformedPayloadError
from resources.archives.http import ArchiveClient, Params

PORTAL_URL = "https://www.ebi.ac.uk/ena/portal/api"
XREF_URL = "https://www.ebi.ac.uk/ena/xref/rest/json/search"

PAGE_ROWS = 10_000
"""Rows asked for at once."""

STUDY_FIELDS = ("first_public", "last_updated", "scientific_name", "secondary_study_accession")
"""Columns of a discovery row."""

DATES = ("first_public", "last_updated")
"""Days by which studies are looked for."""

KEYWORD_FIELDS = (
    "assembly_software", "bio_material", "center_name", "collected_by", "experiment_title", "host_body_site",
    "instrument_model", "instrument_platform", "library_name", "project_name", "sample_title", "sequencing_method",
    "study_title",
)  # fmt: skip
"""Columns in which a keyword is looked for (those of refine.bio's gatherer)."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySearch:
    """Which RNA-seq studies are looked for.

    Attributes:
        since: First day.
        until: Last day (included).
        dates: The study was published (``first_public``) or changed (``last_updated``) between the two.
        organisms: NCBI taxonomy ids, or scientific names; all organisms if empty.
        instrument_models: ENA's names of sequencers; all if empty.
        keyword: A text that one of :data:`KEYWORD_FIELDS` holds.
    """

    since: date
    until: date
    dates: Sequence[str] = DATES
    organisms: Sequence[int | str] = ()
    instrument_models: Sequence[str] = ()
    keyword: str | None = None


class Ena:
    """Typed questions to ENA; all rows come back as ENA's own JSON objects.

    Args:
        client: Asks the archive.
        page_rows: Rows asked for at once.
    """

    def __init__(self, client: ArchiveClient, *, page_rows: int = PAGE_ROWS) -> None:
        self._client = client
        self._page_rows = page_rows

    def runs(self, accession: str) -> list[Row]:
        """All ``read_run`` rows (every column) below a study, project, experiment, sample or run, by run accession.

        One file report per page instead of one request per run. An accession ENA does not know gives an empty list.

        Raises:
            TransientArchiveError: ENA is unwell.
            MalformedPayloadError: The answer is not a list of runs.
        """
        report: Params = {"accession": accession, "result": "read_run", "fields": "all", "format": "json"}
        rows: dict[str, Row] = {}
        for page in self._pages(report):
            known = len(rows)
            rows.update((_run_accession(row), row) for row in page)
            if len(rows) == known:
                # The archive ignored the offset: take everything in one answer.
                everything = self._rows("filereport", {**report, "limit": 0})
                rows.update((_run_accession(row), row) for row in everything)
                break
        return [rows[run] for run in sorted(rows, key=_natural_key)]

    def studies(self, accession: str) -> list[Row]:
        """``study`` rows (every column) of a study or project accession.

        Raises:
            TransientArchiveError: ENA is unwell.
            MalformedPayloadError: The answer is not a list.
        """
        params: Params = {"result": "study", "includeAccessions": accession, "fields": "all", "format": "json"}
        rows = self._rows("search", params)
        return sorted(
            rows, key=lambda row: (str(row.get("study_accession", "")), str(row.get("secondary_study_accession", "")))
        )

    def study(self, accession: str) -> Row | None:
        """The first ``study`` row of an accession, None if ENA knows no such study. Raises as :meth:`studies`."""
        rows = self.studies(accession)
        return rows[0] if rows else None

    def pubmed_ids(self, accession: str) -> list[str]:
        """PubMed ids that ENA's cross-reference service links to a study. Raises as :meth:`studies`."""
        params = {"accession": accession, "expanded": "true", "source": "PubMed"}
        rows = _list_of_rows(self._client.get_json(XREF_URL, params), XREF_URL)
        found = (str(row.get("Source Primary Accession", "")).strip() for row in rows)
        return list(dict.fromkeys(pubmed_id for pubmed_id in found if pubmed_id.isdigit()))

    def studies_updated(
        self,
        *,
        since: date,
        until: date,
        organisms: Sequence[int | str] = (),
        instrument_models: Sequence[str] = (),
        limit: int = PAGE_ROWS,
        offset: int = 0,
    ) -> list[Row]:
        """One page of the RNA-seq studies published or changed between two days (both included).

        Args:
            since: First day.
            until: Last day.
            organisms: NCBI taxonomy ids, or scientific names; all organisms if empty.
            instrument_models: ENA's names of sequencers; all if empty.
            limit: Rows of the page.
            offset: Rows to skip.

        Returns:
            Rows with :data:`STUDY_FIELDS`; empty after the last page.

        Raises:
            TransientArchiveError: ENA is unwell.
            MalformedPayloadError: The answer is not a list.
        """
        search = StudySearch(since=since, until=until, organisms=organisms, instrument_models=instrument_models)
        return self.search_studies(search, limit=limit, offset=offset)

    def search_studies(self, search: StudySearch, *, limit: int = PAGE_ROWS, offset: int = 0) -> list[Row]:
        """One page of the RNA-seq studies that a search finds, by accession.

        Args:
            search: What is looked for.
            limit: Rows of the page.
            offset: Rows to skip.

        Returns:
            Rows with :data:`STUDY_FIELDS`; empty after the last page.

        Raises:
            TransientArchiveError: ENA is unwell.
            MalformedPayloadError: The answer is not a list.
        """
        form: Params = {
            "dataPortal": "ena",
            "result": "read_study",
            "query": discovery_query(search),
            "fields": ",".join(STUDY_FIELDS),
            "sortFields": "secondary_study_accession",
            "format": "json",
            "limit": limit,
            "offset": offset,
        }
        url = f"{PORTAL_URL}/search"
        return _list_of_rows(self._client.post_json(url, form), url)

    def every_study_updated(
        self,
        *,
        since: date,
        until: date,
        organisms: Sequence[int | str] = (),
        instrument_models: Sequence[str] = (),
    ) -> Iterator[Row]:
        """All pages of :meth:`studies_updated`; ends at an empty page or one that brings nothing new."""
        seen: set[str] = set()
        for offset in _offsets(self._page_rows):
            page = self.studies_updated(
                since=since,
                until=until,
                organisms=organisms,
                instrument_models=instrument_models,
                limit=self._page_rows,
                offset=offset,
            )
            fresh = [row for row in page if str(row.get("secondary_study_accession")) not in seen]
            seen.update(str(row.get("secondary_study_accession")) for row in fresh)
            yield from fresh
            if not fresh:
                return

    def _pages(self, params: Params) -> Iterator[list[Row]]:
        for offset in _offsets(self._page_rows):
            page = self._rows("filereport", {**params, "limit": self._page_rows, "offset": offset})
            if page:
                yield page
            if len(page) < self._page_rows:
                return

    def _rows(self, endpoint: str, params: Params) -> list[Row]:
        url = f"{PORTAL_URL}/{endpoint}"
        return _list_of_rows(self._client.get_json(url, params), url)


def discovery_query(search: StudySearch) -> str:
    """ENA's query for bulk RNA-seq studies that were published or changed between two days (both included)."""
    window = " OR ".join(f"({name}>={search.since} AND {name}<={search.until})" for name in search.dates)
    clauses = [f"({window})", 'library_source="TRANSCRIPTOMIC"', 'library_strategy="RNA-Seq"']
    if search.instrument_models:
        models = (f"instrument_model={_quoted(model)}" for model in search.instrument_models)
        clauses.append("(" + " OR ".join(models) + ")")
    if search.organisms:
        clauses.append("(" + " OR ".join(_organism_clause(organism) for organism in search.organisms) + ")")
    if search.keyword:
        clauses.append("(" + " OR ".join(f"{name}={_quoted(f'*{search.keyword}*')}" for name in KEYWORD_FIELDS) + ")")
    return " AND ".join(clauses)


def _organism_clause(organism: int | str) -> str:
    text = str(organism).strip()
    return f"tax_eq({text})" if text.isdigit() else f"scientific_name={_quoted(text)}"


def _quoted(text: str) -> str:
    """A text as ENA's query language takes it; the language has no escape for quotes."""
    return '"' + text.replace('"', " ").replace("\\", " ") + '"'


def _offsets(step: int) -> Iterator[int]:
    offset = 0
    while True:
        yield offset
        offset += step


def _list_of_rows(value: Any, url: str) -> list[Row]:
    """ENA's rows; an empty answer (204) means none."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        message = f"ENA's answer is not a list of rows: {url}"
        raise MalformedPayloadError(message, url=url)
    return [dict(sorted(row.items())) for row in value]


def _run_accession(row: Row) -> str:
    run = row.get("run_accession")
    if not isinstance(run, str) or not run:
        message = "ENA sent a read_run row without run_accession."
        raise MalformedPayloadError(message, url=f"{PORTAL_URL}/filereport")
    return run


def _natural_key(accession: str) -> tuple[str, int, str]:
    """Sort key that puts SRR999999 before SRR1000000."""
    prefix = accession.rstrip("0123456789")
    digits = accession[len(prefix) :]
    return prefix, int(digits or 0), accession
