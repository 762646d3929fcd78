"""Asking the archives: which experiment an accession belongs to, and all that they say about an experiment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refinebio_assets.domain.accessions import AccessionType, SourceArchive, parse_accession
from refinebio_assets.domain.errors import ArchiveError, ArchiveNotFoundError, MalformedFileError, MalformedPayloadError
from refinebio_assets.survey.archive_rows import entries
from refinebio_assets.survey.array_express import array_express_links, pubmed_id_of_study
from refinebio_assets.survey.geo import geo_links, geo_samples, pubmed_id_of_series
from refinebio_assets.survey.geo_family import SoftFamily
from refinebio_assets.survey.geo_miniml import read_miniml_family
from refinebio_assets.survey.geo_soft import read_soft_family
from refinebio_assets.survey.sequence_links import SequenceLinks
from refinebio_assets.survey.sources import own_accession, refuse_unsupported, source_of
from resources.archives import Archives, fetch_sra_study
from resources.archives.sra_study import studies_behind
from resources.object_store.temporary import temporary_folder

_log = logging.getLogger(__name__)

MOST_UNKNOWN_PARTS = 20
"""After so many runs or experiments of which ENA knows nothing, the others of a series are not asked for: an embargoed
study has hundreds of them, each a request."""

_SUPERSERIES = "this superseries is composed of"
"""How GEO itself begins the summary of a superseries (https://www.ncbi.nlm.nih.gov/geo/info/faq.html)."""


def fetch_source_metadata(archives: Archives, accession: str, *, scratch: Path) -> dict[str, Any]:
    """Fetch all that the archives say about an experiment: its ``source_metadata``.

    The payload is plain JSON and holds nothing that depends on when or how often it was fetched. Its ``source`` says
    which archive it is of, ``accession`` under which accession the experiment is surveyed. Payloads of GEO and
    ArrayExpress hold ``publication`` and ``sequence_studies``, the studies that ENA has for reads they speak of.

    Args:
        archives: The archives.
        accession: An experiment: SRP/ERP/DRP, project, GSE or E-…
        scratch: Folder for files that are only read once.

    Raises:
        UnsupportedAccessionError: Not the accession of an experiment.
        ArchiveNotFoundError: The archive has no such experiment.
        TransientArchiveError: An archive is unwell.
        MalformedPayloadError: What came is not complete, or not what the archive promises.
    """
    source = source_of(accession)
    if source is SourceArchive.SRA:
        return fetch_sra_study(archives, accession)
    own = own_accession(accession) or accession
    try:
        if source is SourceArchive.GEO:
            return _geo_series(archives, own, scratch)
        return _array_express_study(archives, own)
    except MalformedFileError as error:
        message = f"What {source.value} sent about {own} cannot be read: {error}"
        raise MalformedPayloadError(message, remedy="Try again later; it may have been cut short.") from error


def experiments_behind(archives: Archives, query: str) -> list[str]:
    """The experiments that any accession names or belongs to, by asking the archives; empty if they know none.

    Own accessions of GEO and ArrayExpress name themselves, copies (E-GEOD) their series, without a request. A GEO
    sample gives its series: those that are no superseries first, then by number. Everything else is asked of ENA
    (projects of array series of GEO); a project, or a sample that was sequenced twice, may belong to several studies.

    Raises:
        UnsupportedAccessionError: The text is no accession, or one that is neither of an experiment nor of a sample.
        TransientArchiveError, MalformedPayloadError: An archive is unwell.
    """
    accession = parse_accession(query)
    refuse_unsupported(accession)
    own = own_accession(accession.value)
    if own is not None and accession.type is not AccessionType.SRA_STUDY:
        return [own]
    if accession.type is AccessionType.GEO_SAMPLE:
        return _series_of_sample(archives, accession.value)
    found = studies_behind(archives, accession.value)
    if not found and accession.type is AccessionType.BIOPROJECT:
        return _series_of_project(archives, accession.value)
    return found


def is_unchanged(archives: Archives, payload: Mapping[str, Any]) -> bool:
    """Whether a cheap look shows that an experiment's metadata are those of a payload; False if it shows nothing.

    Sequencing studies: ENA's rows of study and runs are the same (two requests instead of one per sample).
    ArrayExpress: BioStudies' dates and number of files are the same. GEO has nothing cheaper than the family file.
    What could not be looked up when the payload was fetched counts as changed.

    Raises:
        ArchiveError: An archive is unwell, or does not have the experiment any more.
    """
    accession, source = str(payload["accession"]), payload.get("source")
    if payload.get("publication") is None:
        return False
    if source == SourceArchive.SRA.value:
        runs = archives.ena.runs(accession)
        return bool(runs) and runs == payload["read_run"] and archives.ena.studies(accession) == payload["study"]
    if source == SourceArchive.ARRAY_EXPRESS.value and not array_express_links(payload):
        info = archives.biostudies.info(accession)
        return info is not None and info == payload["info"]
    return False


def sequence_studies(archives: Archives, links: SequenceLinks) -> list[str]:
    """The studies (SRP, ERP, DRP) that hold the reads which links speak of, sorted.

    Named studies are taken as they are; projects, and runs or experiments that are in none of the studies found so
    far, are looked up at ENA.

    Raises:
        TransientArchiveError, MalformedPayloadError: ENA is unwell.
    """
    studies = dict.fromkeys(links.studies)
    covered: set[str] = set()
    for study in links.studies if links.parts else ():
        covered |= _parts_of(archives, study)
    for project in () if studies else links.projects:
        for study in studies_behind(archives, project):
            studies.setdefault(study)
            covered |= _parts_of(archives, study)
    unknown = 0
    for part in links.parts:
        if part in covered:
            continue
        found = studies_behind(archives, part) if unknown < MOST_UNKNOWN_PARTS else []
        unknown += not found
        for study in found:
            covered |= _parts_of(archives, study) if study not in studies else set()
            studies.setdefault(study)
    if unknown:
        _log.warning("ENA does not know %d of %d runs or experiments that are named.", unknown, len(links.parts))
    return sorted(studies)


def _parts_of(archives: Archives, study: str) -> set[str]:
    columns = ("run_accession", "experiment_accession")
    return {part for row in archives.ena.runs(study) for column in columns for part in entries(row, column)}


def _series_of_sample(archives: Archives, sample: str) -> list[str]:
    """Series of a sample; superseries last, since they only gather series. One series needs no further question."""
    series = archives.geo.series_of(sample)
    if len(series) < 2:
        return series
    gathering = {each for each in series if _is_superseries(archives, each)}
    return [*(each for each in series if each not in gathering), *(each for each in series if each in gathering)]


def _series_of_project(archives: Archives, project: str) -> list[str]:
    found = archives.ncbi.search("gds", f"{project} AND gse[ETYP]", limit=20)
    records = archives.ncbi.summaries("gds", found.uids)
    return [str(record["accession"]) for record in records if record.get("bioproject") == project]


def _is_superseries(archives: Archives, series: str) -> bool:
    found = archives.ncbi.search("gds", f"{series}[ACCN] AND gse[ETYP]", limit=20)
    records = archives.ncbi.summaries("gds", found.uids)
    summaries = [str(record.get("summary") or "") for record in records if record.get("accession") == series]
    return any(summary.strip().lower().startswith(_SUPERSERIES) for summary in summaries)


def _geo_series(archives: Archives, accession: str, scratch: Path) -> dict[str, Any]:
    with temporary_folder(scratch, f"{accession}_family") as folder:
        family = _read_family(archives.geo.family(accession, folder))
    payload = family.to_payload(accession)
    _refuse_incomplete(accession, family, payload)
    payload["publication"] = _publication(archives, accession, pubmed_id_of_series(payload))
    payload["sequence_studies"] = sequence_studies(archives, geo_links(payload))
    return payload


def _read_family(path: Path) -> SoftFamily:
    return read_miniml_family(path) if path.suffix == ".xml" else read_soft_family(path)


def _refuse_incomplete(accession: str, family: SoftFamily, payload: Mapping[str, Any]) -> None:
    """A family file describes its series and samples; one that does not was cut short, or is another one's.

    Raises:
        MalformedPayloadError: It does not describe the series, or lists samples and describes none.
    """
    described = any(accession in (each.name.upper(), each.first("geo_accession").upper()) for each in family.series)
    if described and (family.samples or not geo_samples(payload)):
        return
    lacking = "samples" if described else "series itself"
    message = f"The family file of {accession} does not describe the {lacking}; it is not complete."
    raise MalformedPayloadError(message, remedy="Try again later.")


def _array_express_study(archives: Archives, accession: str) -> dict[str, Any]:
    study = archives.biostudies.study(accession)
    try:
        payload: dict[str, Any] = {
            "source": SourceArchive.ARRAY_EXPRESS.value,
            "accession": accession,
            "study": study,
            "info": archives.biostudies.info(accession),
            "idf": archives.biostudies.idf(accession, study),
            "sdrf": archives.biostudies.sdrfs(accession, study),
            "files": archives.biostudies.file_lists(accession, study),
        }
    except ArchiveNotFoundError as error:
        # The study is there; it must not pass for withdrawn because one of its documents is missing.
        message = f"BioStudies has {accession}, but not all of its documents: {error.message}"
        raise MalformedPayloadError(
            message, url=error.url, remedy="Try again later; if that does not help, tell BioStudies."
        ) from error
    payload["publication"] = _publication(archives, accession, pubmed_id_of_study(payload))
    payload["sequence_studies"] = sequence_studies(archives, array_express_links(payload))
    return payload


def _publication(archives: Archives, accession: str, pubmed_id: str | None) -> dict[str, Any] | None:
    """The publication; None if there is none or the lookup failed: a title is not worth failing for."""
    if pubmed_id is None:
        return None
    try:
        return archives.ncbi.publication(pubmed_id)
    except ArchiveNotFoundError as error:
        _log.debug("%s names a publication that there is not: %s", accession, error)
        return None
    except ArchiveError as error:
        _log.warning("The publication of %s could not be looked up: %s", accession, error)
        return None
