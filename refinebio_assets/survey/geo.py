"""Survey of a GEO series: its family file -> one experiment, every GSM once, one decision each.

The payload is what :meth:`refinebio_assets.survey.geo_family.SoftFamily.to_payload` gives, from SOFT or MINiML alike.
Everything about a sample is read from the sample: its platform, channels, organism and characteristics.
``docs/geo.md`` has the tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from refinebio_assets.domain.accessions import AccessionType, SourceArchive
from refinebio_assets.domain.records import ExperimentRecord, SurveyedSample, SurveyResult
from refinebio_assets.domain.vocabulary import SampleState, Technology
from refinebio_assets.survey.archive_rows import (
    Row,
    accession_of,
    as_mapping,
    as_text,
    malformed,
    mapping_field,
    rows_field,
    text,
)
from refinebio_assets.survey.geo_attributes import (
    NOTHING,
    all_values,
    first_value,
    geo_date,
    public_since,
    relations,
)
from refinebio_assets.survey.geo_files import supplementary_urls
from refinebio_assets.survey.geo_samples import GeoSample, SeriesContext, survey_sample
from refinebio_assets.survey.harmonisation_rules import HARMONISATION_VERSION
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sequence_links import SequenceLinks, found_studies, linked_studies

NO_DESCRIPTION = "No description."

_SERIES = frozenset({AccessionType.GEO_SERIES})
_SAMPLES = frozenset({AccessionType.GEO_SAMPLE})
_PROTOCOLS = (
    ("Extraction protocol", "extract_protocol_ch1"),
    ("Label protocol", "label_protocol_ch1"),
    ("Hybridization protocol", "hyb_protocol"),
    ("Scan protocol", "scan_protocol"),
    ("Data processing", "data_processing"),
)


def survey_geo(payload: Mapping[str, Any], registry: PlatformRegistry) -> SurveyResult:
    """Turn the metadata of a GEO series into records.

    Args:
        payload: ``source_metadata`` of the series: ``accession, series, platforms, samples`` and, if they were looked
            up, ``publication`` and ``sequence_studies``, the sequencing studies that ENA has for its reads.
        registry: Supported platforms.

    Returns:
        The experiment and one sample per distinct GSM that the payload describes or the series lists, by number.
        Entities that are no GSM are counted in ``experiment.annotations["survey"]``.

    Raises:
        MalformedPayloadError: The payload lacks a field or holds something of another type; the message names it.
    """
    accession = _series_accession(payload)
    series = _series_attributes(accession, rows_field(payload, "series"))
    entities = rows_field(payload, "samples")
    described = _described_samples(entities)
    listed = dict.fromkeys(filter(None, (accession_of(each, _SAMPLES) for each in all_values(series, "sample_id"))))
    context = SeriesContext(
        accession=accession,
        relations=relations(series),
        platforms=_platforms(payload),
        platform_ids=tuple(dict.fromkeys(all_values(series, "platform_id"))),
        files=supplementary_urls(series),
        types=all_values(series, "type"),
        registry=registry,
        sequence_studies=found_studies(payload),
    )
    surveyed = [survey_sample(gsm, described.get(gsm), context) for gsm in sorted({*described, *listed}, key=_number)]
    coverage = Counter(key for sample in surveyed for key in sample.unmatched_keys)
    counts = {
        "samples_described": len(described),
        "samples_listed": len(listed),
        "entities_without_accession": sum(_sample_accession(entity) is None for entity in entities),
        "malformed_lines": payload.get("malformed_lines", 0),
        "harmonisation_version": HARMONISATION_VERSION,
    }
    samples = tuple(sample.surveyed for sample in surveyed)
    studies = context.relations.sra_studies if context.sequence_studies is None else context.sequence_studies
    return SurveyResult(
        experiment=_experiment(payload, series, context, surveyed, described, counts=counts),
        samples=samples,
        coverage=dict(sorted(coverage.items())),
        linked_studies=linked_studies(studies, samples),
    )


def geo_links(payload: Mapping[str, Any]) -> SequenceLinks:
    """Where a series says its reads are. Raises as :func:`survey_geo`.

    The project of a series is only given if its samples or the series itself are in the sequence archives (GEO makes
    projects for arrays, too), that of a superseries never: it is an umbrella.
    """
    accession = _series_accession(payload)
    series = relations(_series_attributes(accession, rows_field(payload, "series")))
    samples = _described_samples(rows_field(payload, "samples")).values()
    parts = (
        experiment
        for entity in samples
        for experiment in relations(as_mapping(entity.get("attributes", {}), "payload.samples")).sra_experiments
    )
    distinct = tuple(sorted(set(parts), key=lambda each: (each[:3], int(each[3:]))))
    if series.subseries:
        return SequenceLinks(studies=series.sra_studies, parts=distinct)
    projects = series.projects if series.sra_studies or distinct else ()
    return SequenceLinks(studies=series.sra_studies, projects=projects, parts=distinct)


def geo_samples(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The GSMs that a payload describes or its series lists. Raises as :func:`survey_geo`."""
    series = _series_attributes(_series_accession(payload), rows_field(payload, "series"))
    listed = filter(None, (accession_of(each, _SAMPLES) for each in all_values(series, "sample_id")))
    return tuple(sorted({*_described_samples(rows_field(payload, "samples")), *listed}, key=_number))


def pubmed_id_of_series(payload: Mapping[str, Any]) -> str | None:
    """The first PubMed id that a series names, None if none. Raises as :func:`survey_geo`."""
    series = _series_attributes(_series_accession(payload), rows_field(payload, "series"))
    return first_value(series, "pubmed_id") or None


def _number(gsm: str) -> int:
    return int(gsm.removeprefix("GSM"))


def _series_accession(payload: object) -> str:
    mapping = as_mapping(payload, "payload")
    accession = accession_of(text(mapping, "accession"), _SERIES)
    if accession is None:
        field = "payload.accession"
        raise malformed(field, "the accession of a series", mapping.get("accession"))
    return accession


def _series_attributes(accession: str, series: list[Row]) -> Row:
    """The attributes of the series itself; the payload of some files describes none, or another one."""
    for position, entity in enumerate(series):
        attributes = mapping_field(entity, "attributes", where=f"payload.series[{position}]")
        if accession in (text(entity, "accession").upper(), first_value(attributes, "geo_accession").upper()):
            return attributes
    return NOTHING


def _described_samples(entities: list[Row]) -> dict[str, Row]:
    """One entity per GSM. The first one that describes it counts; MINiML may only name it."""
    described: dict[str, Row] = {}
    for position, entity in enumerate(entities):
        gsm = _sample_accession(entity)
        attributes = mapping_field(entity, "attributes", where=f"payload.samples[{position}]")
        if gsm is not None and not attributes.keys() <= {"geo_accession"}:
            described.setdefault(gsm, entity)
        elif gsm is not None:
            described.setdefault(gsm, NOTHING)
    return described


def _sample_accession(entity: Row) -> str | None:
    attributes = entity.get("attributes")
    named = first_value(attributes, "geo_accession") if isinstance(attributes, Mapping) else ""
    return accession_of(text(entity, "accession"), _SAMPLES) or accession_of(named, _SAMPLES)


def _platforms(payload: Row) -> dict[str, Row]:
    platforms: dict[str, Row] = {}
    for position, entity in enumerate(rows_field(payload, "platforms")):
        attributes = mapping_field(entity, "attributes", where=f"payload.platforms[{position}]")
        platforms.setdefault(text(entity, "accession").upper(), attributes)
    return platforms


def _experiment(
    payload: Row,
    series: Row,
    context: SeriesContext,
    surveyed: list[GeoSample],
    described: Mapping[str, Row],
    *,
    counts: Mapping[str, Any],
) -> ExperimentRecord:
    publication = as_mapping(payload.get("publication") or {}, "payload.publication")
    samples = [as_mapping(entity.get("attributes", {}), "payload.samples") for entity in described.values()]
    institutes = dict.fromkeys(all_values(series, "contact_institute") + _of_all(samples, "contact_institute"))
    authors = publication.get("authors")
    return ExperimentRecord(
        accession=context.accession,
        source=SourceArchive.GEO,
        title=first_value(series, "title") or context.accession,
        description="\n".join(filter(None, all_values(series, "summary"))) or NO_DESCRIPTION,
        technology=_technology([sample.surveyed for sample in surveyed]),
        aliases=_aliases(context),
        institution=", ".join(filter(None, institutes)) or None,
        protocol=_protocol(samples),
        pubmed_id=text(publication, "pubmed_id") or first_value(series, "pubmed_id") or None,
        publication_doi=text(publication, "doi") or None,
        publication_title=text(publication, "title") or None,
        publication_authors=tuple(filter(None, map(as_text, authors))) if isinstance(authors, list | tuple) else (),
        source_url=f"https://www.ncbi.nlm.nih.gov/geo/query/acc.cgi?acc={context.accession}",
        first_published=public_since(series) or geo_date(first_value(series, "submission_date")),
        last_updated=geo_date(first_value(series, "last_update_date")),
        annotations=_annotations(series, context, surveyed, counts),
    )


def _annotations(
    series: Row, context: SeriesContext, surveyed: list[GeoSample], counts: Mapping[str, Any]
) -> dict[str, Any]:
    annotations: dict[str, Any] = {"series": dict(series), "survey": dict(counts)}
    technologies = Counter(sample.surveyed.record.technology.value for sample in surveyed)
    annotations["technologies"] = dict(sorted(technologies.items()))
    if context.sequence_studies is not None:
        annotations["sequence_studies"] = list(context.sequence_studies)
    if context.relations.subseries:
        annotations["superseries_of"] = list(context.relations.subseries)
    if context.relations.superseries:
        annotations["subseries_of"] = list(context.relations.superseries)
    return annotations


def _of_all(samples: Iterable[Row], attribute: str) -> tuple[str, ...]:
    return tuple(value for attributes in samples for value in all_values(attributes, attribute))


def _technology(samples: Iterable[SurveyedSample]) -> Technology:
    """That of the samples that are processed; a series may hold others. If none is, that of all if they agree."""
    everything = {sample.record.technology for sample in samples}
    processed = {sample.record.technology for sample in samples if sample.decision.state is SampleState.SURVEYED}
    found = processed or everything
    return found.pop() if len(found) == 1 else Technology.UNKNOWN


def _aliases(context: SeriesContext) -> tuple[str, ...]:
    """ArrayExpress' mirror, and the SRA study and project, unless they are those of a superseries: umbrellas.

    A series that names no SRA study has the one that ENA has for its reads, if it is one only.
    """
    related, found = context.relations, context.sequence_studies or ()
    mirror = f"E-GEOD-{context.accession.removeprefix('GSE')}"
    studies = related.sra_studies or (found if len(found) == 1 else ())
    elsewhere = () if related.subseries else (*studies, *related.projects)
    return tuple(sorted({mirror, *elsewhere}))


def _protocol(samples: list[Row]) -> str | None:
    """The protocols that all samples share, each under its name."""
    parts = []
    for name, attribute in _PROTOCOLS:
        texts = {"\n".join(filter(None, all_values(attributes, attribute))) for attributes in samples}
        shared = texts.pop() if len(texts) == 1 else ""
        if shared:
            parts.append(f"{name}: {shared}")
    return "\n\n".join(parts) or None
