"""From an accession to the archive that has it, and from a payload of any archive to records."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from refinebio_assets.domain.accessions import (
    Accession,
    AccessionType,
    SourceArchive,
    mirrored_series,
    parse_accession,
)
from refinebio_assets.domain.errors import InputError, UnsupportedAccessionError
from refinebio_assets.domain.organisms import organism_key
from refinebio_assets.domain.records import SurveyResult
from refinebio_assets.survey.archive_rows import accession_of, as_mapping, malformed, rows_field, text
from refinebio_assets.survey.array_express import array_express_samples, survey_array_express
from refinebio_assets.survey.ensembl_species import parse_organism_query
from refinebio_assets.survey.geo import geo_samples, survey_geo
from refinebio_assets.survey.imported import imported_samples, survey_imported
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sra import survey_sra
from refinebio_assets.survey.sra_files import RawDataSource

ENSEMBL = "ENSEMBL"
"""Source of organisms, beside the :class:`SourceArchive` of accessions."""
ORGANISM = "organism"
DIVISION = "division"

_SOURCES: Mapping[AccessionType, SourceArchive] = {
    AccessionType.SRA_STUDY: SourceArchive.SRA,
    AccessionType.BIOPROJECT: SourceArchive.SRA,
    AccessionType.SRA_EXPERIMENT: SourceArchive.SRA,
    AccessionType.SRA_SAMPLE: SourceArchive.SRA,
    AccessionType.BIOSAMPLE: SourceArchive.SRA,
    AccessionType.SRA_RUN: SourceArchive.SRA,
    AccessionType.GEO_SERIES: SourceArchive.GEO,
    AccessionType.GEO_SAMPLE: SourceArchive.GEO,
    AccessionType.ARRAY_EXPRESS: SourceArchive.ARRAY_EXPRESS,
}
_OWN = frozenset({AccessionType.SRA_STUDY, AccessionType.GEO_SERIES, AccessionType.ARRAY_EXPRESS})
_REMEDIES: Mapping[AccessionType, tuple[str, str]] = {
    AccessionType.GEO_PLATFORM: ("a platform (an array or a sequencer) of GEO", "Give a series measured on it (GSE…)."),
    AccessionType.GEO_DATASET: ("a curated dataset of GEO", "Give the series it was made from (GSE…)."),
    AccessionType.ARRAY_DESIGN: ("an array design of ArrayExpress", "Give an experiment that used it (E-MTAB-…)."),
    AccessionType.SRA_SUBMISSION: ("a submission", "Give the study that was submitted (SRP…, ERP…, DRP…)."),
}
_RUNS = frozenset({AccessionType.SRA_RUN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a query leads.

    Attributes:
        query: The canonical spelling of what was asked.
        type: An :class:`AccessionType`, :data:`ORGANISM` or :data:`DIVISION`.
        source: A :class:`SourceArchive` or :data:`ENSEMBL`.
        partition: The experiment (own accession) or organism (UPPER_SNAKE) that it names; None if the archive has to
            be asked, as for runs, samples, projects and whole divisions.
    """

    query: str
    type: str
    source: str
    partition: str | None


_ASSAY = re.compile(r"E-[A-Z]{4}-[0-9]+-", re.IGNORECASE)
"""How the name of an ArrayExpress assay begins: with its experiment."""


def is_organism(query: str) -> bool:
    """Whether a query is about an organism or a division.

    Archives' accessions have no space or comma within; the names of ArrayExpress' assays may, but begin with one.
    """
    return (" " in query.strip() or "," in query) and _ASSAY.match(query.strip()) is None


def route(query: str) -> Route:
    """Where a query leads, without asking anybody.

    Args:
        query: An accession, ``Genus species``, ``Genus species, Division`` or ``, Division``.

    Raises:
        UnsupportedAccessionError: It follows no grammar, names no experiment or sample (a platform, an array design),
            or is an accession with a space in it.
        InputError: The division is none of Ensembl's.
    """
    return _organism_route(query) if is_organism(query) else _accession_route(parse_accession(query))


def source_of(accession: str) -> SourceArchive:
    """The archive that is asked about an experiment; copies of GEO series in ArrayExpress (E-GEOD) are asked of GEO.

    Raises:
        UnsupportedAccessionError: Not the accession of an experiment.
    """
    parsed = parse_accession(accession)
    if not parsed.is_experiment:
        message = f"{parsed} is not the accession of an experiment."
        raise UnsupportedAccessionError(message, remedy="Give a study (SRP…), a series (GSE…) or an experiment (E-…).")
    return SourceArchive.GEO if mirrored_series(parsed.value) else _SOURCES[parsed.type]


def own_accession(accession: str) -> str | None:
    """The accession under which the experiment that is named is surveyed: itself, or the series of a copy (E-GEOD).

    None for accessions of projects, samples and runs: only the archive knows their experiment.

    Raises:
        UnsupportedAccessionError: The text is no accession.
    """
    parsed = parse_accession(accession)
    return mirrored_series(parsed.value) or (parsed.value if parsed.type in _OWN else None)


def refuse_unsupported(accession: Accession) -> None:
    """Raise for accessions that name neither experiments nor samples.

    Raises:
        UnsupportedAccessionError: The message says what it is and what to give instead.
    """
    if accession.type in _SOURCES:
        return
    what, remedy = _REMEDIES[accession.type]
    message = f"{accession} is {what}, not an experiment or sample."
    raise UnsupportedAccessionError(message, remedy=remedy)


def survey_payload(
    payload: Mapping[str, Any],
    registry: PlatformRegistry,
    *,
    raw_data_source: RawDataSource = "ena",
    blacklist: Collection[str] = frozenset(),
) -> SurveyResult:
    """Turn the ``source_metadata`` of any archive into records.

    Args:
        payload: As :func:`refinebio_assets.survey.fetch_run.fetch_source_metadata` gives it.
        registry: Supported platforms.
        raw_data_source: Where the reads of sequencing studies are to come from.
        blacklist: Run accessions that are never processed.

    Raises:
        MalformedPayloadError: The payload is of no known source, lacks a field or holds something of another type.
        MalformedFileError: A MAGE-TAB document in it is not what it claims to be.
    """
    source = _payload_source(payload)
    if source is SourceArchive.GEO:
        return survey_geo(payload, registry)
    if source is SourceArchive.ARRAY_EXPRESS:
        return survey_array_express(payload, registry)
    if source is SourceArchive.LOCAL:
        return survey_imported(payload, registry)
    return survey_sra(payload, registry, raw_data_source=raw_data_source, blacklist=blacklist)


def payload_samples(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Accessions of all samples that a payload speaks of, read from it without deciding anything about them.

    Raises:
        MalformedPayloadError, MalformedFileError: As :func:`survey_payload`.
    """
    source = _payload_source(payload)
    if source is SourceArchive.GEO:
        return geo_samples(payload)
    if source is SourceArchive.ARRAY_EXPRESS:
        return array_express_samples(payload)
    if source is SourceArchive.LOCAL:
        return imported_samples(payload)
    runs = (accession_of(text(row, "run_accession"), _RUNS) for row in rows_field(payload, "read_run"))
    return tuple(sorted({run for run in runs if run is not None}))


def _payload_source(payload: Mapping[str, Any]) -> SourceArchive:
    named = text(as_mapping(payload, "payload"), "source") or SourceArchive.SRA.value
    try:
        return SourceArchive(named)
    except ValueError:
        where = "payload.source"
        raise malformed(where, "one of " + ", ".join(SourceArchive), named) from None


def _accession_route(accession: Accession) -> Route:
    refuse_unsupported(accession)
    source = SourceArchive.GEO if mirrored_series(accession.value) else _SOURCES[accession.type]
    return Route(
        query=accession.value,
        type=accession.type.value,
        source=source.value,
        partition=own_accession(accession.value),
    )


def _organism_route(query: str) -> Route:
    joined = "".join(query.split())
    try:
        accession = parse_accession(joined)
    except UnsupportedAccessionError:
        accession = None
    if accession is not None:
        message = f"{query.strip()!r} is an accession with a space in it."
        raise UnsupportedAccessionError(message, remedy=f"Write {accession}.")
    asked = parse_organism_query(query)
    if asked.organism is None:
        return Route(query=query.strip(), type=DIVISION, source=ENSEMBL, partition=None)
    try:
        key = organism_key(asked.organism)
    except ValueError as error:
        message = f"{query.strip()!r} names no organism."
        raise InputError(message, remedy='Give genus and species, as in "Danio rerio".') from error
    return Route(query=query.strip(), type=ORGANISM, source=ENSEMBL, partition=key)
