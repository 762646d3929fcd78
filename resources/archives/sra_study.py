"""Everything the archives say about one sequencing study: the ``source_metadata`` payload."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from refinebio_assets.domain.accessions import AccessionType, SourceArchive, parse_accession
from refinebio_assets.domain.errors import ArchiveError, ArchiveNotFoundError, UnsupportedAccessionError
from resources.archives.archives import Archives
from resources.archives.ena import Row

_log = logging.getLogger(__name__)

_STUDIES = frozenset({AccessionType.SRA_STUDY, AccessionType.BIOPROJECT})
_PARTS_OF_STUDIES = frozenset(
    {AccessionType.SRA_RUN, AccessionType.SRA_EXPERIMENT, AccessionType.SRA_SAMPLE, AccessionType.BIOSAMPLE}
)


def fetch_sra_study(archives: Archives, accession: str) -> dict[str, Any]:
    """Fetch the metadata of a sequencing study from ENA, BioSamples and PubMed.

    The payload is plain JSON, sorted, and holds nothing that depends on when or how often it was fetched::

        {"source": "SRA", "accession": "SRP…",            the study, by its SRP/ERP/DRP accession
         "requested": "SRR…",                             what was asked for
         "study_accessions": ["SRP…", …],                 all SRP/ERP/DRP accessions ENA gives the study
         "read_run": [{…}, …],                            ENA rows with every column, by run accession
         "study": [{…}],                                  ENA rows with every column
         "biosamples": {"SAMN…": {…}},                    by accession; samples without a public record are absent
         "publication": {"pubmed_id", "title", "doi", "authors", "journal", "published"} or None}

    Args:
        archives: The archives.
        accession: A study (SRP/ERP/DRP), project (PRJ…), experiment, sample, BioSample or run. The study
            it belongs to is fetched whole; if ENA gives several, the one that was asked for, else the first.

    Raises:
        UnsupportedAccessionError: Not an accession of a sequencing study or a part of one.
        ArchiveNotFoundError: ENA knows no public study under it.
        TransientArchiveError: An archive is unwell.
    """
    requested = parse_accession(accession)
    if requested.type not in _STUDIES | _PARTS_OF_STUDIES:
        message = f"{requested} does not name a sequencing study."
        raise UnsupportedAccessionError(
            message,
            remedy="Give the study (SRP, ERP, DRP), its project (PRJ…) or one of its runs, experiments or samples.",
        )
    runs = archives.ena.runs(requested.value)
    studies = archives.ena.studies(requested.value) if requested.type in _STUDIES else []
    if not runs and not studies:
        message = f"ENA has no public study under {requested}."
        raise ArchiveNotFoundError(
            message,
            remedy="Check the accession; a study that is embargoed or was withdrawn is not shown either.",
        )
    canonical = _canonical_accession(requested.value, runs, studies)
    if canonical != requested.value:
        runs = archives.ena.runs(canonical) or runs
        studies = archives.ena.studies(canonical) or studies
    return {
        "source": SourceArchive.SRA.value,
        "accession": canonical,
        "requested": requested.value,
        "study_accessions": sorted({canonical, *_secondary_accessions([*runs, *studies])}),
        "read_run": runs,
        "study": studies,
        "biosamples": archives.biosamples.samples(_values(runs, "sample_accession")),
        "publication": _publication(archives, [*_values(studies, "study_accession"), canonical]),
    }


def canonical_study(archives: Archives, accession: str) -> str | None:
    """The SRP/ERP/DRP accession of the study that an accession names or is part of, None if ENA has none.

    Raises:
        UnsupportedAccessionError: The text is no accession.
        TransientArchiveError: ENA is unwell.
    """
    requested = parse_accession(accession)
    runs = archives.ena.runs(requested.value)
    studies = archives.ena.studies(requested.value) if requested.type in _STUDIES and not runs else []
    return _canonical_accession(requested.value, runs, studies) if runs or studies else None


def studies_behind(archives: Archives, accession: str) -> list[str]:
    """The SRP/ERP/DRP accessions of all studies that an accession names or is part of; empty if ENA knows none.

    A project may hold several studies, a sample may be in several. A study with several accessions counts once, under
    the one that was asked for, else its first.

    Raises:
        UnsupportedAccessionError: The text is no accession.
        TransientArchiveError: ENA is unwell.
    """
    requested = parse_accession(accession)
    runs = archives.ena.runs(requested.value)
    studies = archives.ena.studies(requested.value) if requested.type in _STUDIES and not runs else []
    rows = (row for row in (*runs, *studies))
    return list(dict.fromkeys(_canonical_accession(requested.value, [row], []) for row in rows))


def _canonical_accession(requested: str, runs: Sequence[Row], studies: Sequence[Row]) -> str:
    """The study's SRP/ERP/DRP accession; its project accession if ENA gives no other."""
    candidates = _secondary_accessions([*runs, *studies])
    if requested in candidates:
        return requested
    return next(iter([*candidates, *_values([*runs, *studies], "study_accession")]), requested)


def _secondary_accessions(rows: Iterable[Row]) -> list[str]:
    return _values(rows, "secondary_study_accession")


def _values(rows: Iterable[Row], column: str) -> list[str]:
    """Distinct values of a column, in order; ENA joins several values of one row by ``;``."""
    parts = (part.strip() for row in rows for part in str(row.get(column) or "").split(";"))
    return list(dict.fromkeys(part for part in parts if part))


def _publication(archives: Archives, accessions: Iterable[str]) -> dict[str, Any] | None:
    """The study's first publication, None if it has none or the lookup failed: a title is not worth failing for."""
    for accession in dict.fromkeys(accessions):
        try:
            for pubmed_id in archives.ena.pubmed_ids(accession):
                return archives.ncbi.publication(pubmed_id)
        except ArchiveError as error:
            _log.warning("The publication of %s could not be looked up: %s", accession, error)
    return None
