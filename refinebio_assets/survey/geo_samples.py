"""One GEO sample: its record and what is decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.organisms import organism_key
from refinebio_assets.domain.records import OriginalFile, SampleRecord, SurveyedSample
from refinebio_assets.domain.vocabulary import Technology
from refinebio_assets.survey.archive_rows import Row, as_mapping, whole_number
from refinebio_assets.survey.geo_attributes import (
    NOTHING,
    Relations,
    all_values,
    characteristics,
    first_value,
    relations,
    with_channel,
    without_channel,
)
from refinebio_assets.survey.geo_eligibility import SUBMITTER_PROCESSED, GeoSampleFacts, decide
from refinebio_assets.survey.geo_files import family_file_url, is_non_normalized_table, raw_files, supplementary_urls
from refinebio_assets.survey.harmonisation import Harmonization, harmonize, recognises
from refinebio_assets.survey.microarray_platforms import ILLUMINA, MicroarrayPlatform
from refinebio_assets.survey.registry import PlatformRegistry

_SEQUENCING_TECHNOLOGY = "high-throughput sequencing"
_SEQUENCING_TYPE = "SRA"
_ARRAY_TECHNOLOGIES = ("in situ oligonucleotide", "oligonucleotide beads", "spotted", "mixed spotted")
_VALUE_COLUMNS = {"ID_REF", "VALUE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesContext:
    """What the samples of a series need to know about it.

    Attributes:
        platforms: GPL -> its attributes.
        platform_ids: The platforms that the series names.
        files: Addresses of its supplementary files.
        types: Its types (``Expression profiling by array``).
        sequence_studies: The sequencing studies that ENA has for its reads; None if ENA was not asked.
    """

    accession: str
    relations: Relations
    platforms: Mapping[str, Row]
    platform_ids: tuple[str, ...]
    files: tuple[str, ...]
    types: tuple[str, ...]
    registry: PlatformRegistry
    sequence_studies: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoSample:
    """A surveyed sample and its raw keys that no harmonisation rule took."""

    surveyed: SurveyedSample
    unmatched_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Platform:
    accession: str | None
    title: str
    manufacturer: str | None
    array: MicroarrayPlatform | None
    sequencer: str | None
    technology: Technology


def survey_sample(gsm: str, entity: Row | None, context: SeriesContext) -> GeoSample:
    """Survey one sample.

    Args:
        gsm: Its accession.
        entity: Its part of the payload; None or empty if the series only lists it.
        context: The series.
    """
    attributes = as_mapping((entity or NOTHING).get("attributes", {}), f"payload.samples.{gsm}")
    table = as_mapping((entity or NOTHING).get("table") or {}, f"payload.samples.{gsm}.table")
    platform = _platform(attributes, context)
    harmonization = _harmonize(attributes)
    files = _raw_files(attributes, platform, context)
    facts = _facts(attributes, table, platform, files, context)
    decision = decide(facts)
    if decision.reason == SUBMITTER_PROCESSED:
        url = family_file_url(context.accession)
        files = (OriginalFile(url=url, filename=url.rpartition("/")[2], kind="table"),)
    record = replace(
        _record(gsm, attributes, platform, harmonization, organism=facts.organism),
        has_raw=bool(facts.raw_files),
        files=files,
        annotations=_annotations(attributes, table, platform),
    )
    keys = sorted({without_channel(key) for key in harmonization.unmatched_keys})
    return GeoSample(surveyed=SurveyedSample(record=record, decision=decision), unmatched_keys=tuple(keys))


def _platform(attributes: Row, context: SeriesContext) -> _Platform:
    """The platform of the sample itself; that of the series only if the sample names none and the series has one."""
    named = first_value(attributes, "platform_id") or (
        context.platform_ids[0] if len(context.platform_ids) == 1 and attributes else ""
    )
    about = context.platforms.get(named.upper(), NOTHING)
    title = first_value(about, "title")
    array = context.registry.microarray_platform(named) if named else None
    instrument = first_value(attributes, "instrument_model")
    sequencer = None if array else instrument or context.registry.rna_seq_platform(title)
    technology = first_value(about, "technology").lower()
    sequencing = bool(sequencer) or _says_sequencing(attributes, technology)
    return _Platform(
        accession=named or None,
        title=title,
        manufacturer=array.manufacturer if array else first_value(about, "manufacturer").upper() or None,
        array=array,
        sequencer=sequencer,
        technology=_technology(technology, array=array is not None, sequencing=sequencing and array is None),
    )


def _says_sequencing(attributes: Row, technology: str) -> bool:
    return (
        technology == _SEQUENCING_TECHNOLOGY
        or first_value(attributes, "type").upper() == _SEQUENCING_TYPE
        or bool(first_value(attributes, "library_strategy"))
    )


def _technology(technology: str, *, array: bool, sequencing: bool) -> Technology:
    if sequencing:
        return Technology.RNA_SEQ
    return Technology.MICROARRAY if array or technology.startswith(_ARRAY_TECHNOLOGIES) else Technology.UNKNOWN


def _raw_files(attributes: Row, platform: _Platform, context: SeriesContext) -> tuple[OriginalFile, ...]:
    """Its own raw files; for Illumina arrays without any, the non-normalised tables of the series."""
    manufacturer = platform.array.manufacturer if platform.array else None
    own = raw_files(supplementary_urls(attributes), manufacturer=manufacturer)
    if own or manufacturer != ILLUMINA:
        return own
    return raw_files(filter(is_non_normalized_table, context.files), manufacturer=manufacturer)


def _facts(
    attributes: Row,
    table: Row,
    platform: _Platform,
    files: tuple[OriginalFile, ...],
    context: SeriesContext,
) -> GeoSampleFacts:
    related = relations(attributes)
    organisms = tuple(dict.fromkeys(filter(None, all_values(attributes, "organism_ch1"))))
    columns = table.get("columns")
    rows = table.get("rows")
    named = context.relations.sra_studies or related.sra_experiments or context.relations.projects
    return GeoSampleFacts(
        described=bool(attributes),
        sequencing=platform.technology is Technology.RNA_SEQ,
        library_strategy=first_value(attributes, "library_strategy"),
        sra=named if context.sequence_studies is None else context.sequence_studies,
        sra_named=named,
        organisms=organisms,
        organism=_organism(organisms, platform, context),
        molecule=first_value(attributes, "molecule_ch1"),
        channels=_channels(attributes),
        platform_accession=platform.accession,
        platform_title=platform.title,
        platform=platform.array,
        raw_files=files,
        has_table=isinstance(rows, int) and rows > 0 and isinstance(columns, list) and set(columns) >= _VALUE_COLUMNS,
    )


def _channels(attributes: Row) -> int:
    announced = whole_number(first_value(attributes, "channel_count"))
    described = 2 if any(name.endswith("_ch2") for name in attributes) else 1
    return max(announced or 1, described)


def _organism(organisms: tuple[str, ...], platform: _Platform, context: SeriesContext) -> str | None:
    """The organism of channel 1; if the sample names none, that of its platform, if it is made for one only."""
    about = context.platforms.get((platform.accession or "").upper(), NOTHING)
    names = organisms or tuple(dict.fromkeys(filter(None, all_values(about, "organism"))))
    try:
        return organism_key(names[0]) if len(names) == 1 else None
    except ValueError:
        return None


def _harmonize(attributes: Row) -> Harmonization:
    sources = characteristics(attributes)
    own = {name: value for name in attributes if recognises(name) and (value := first_value(attributes, name))}
    harmonization = harmonize([*sources, ("sample", own)])
    values = tuple(replace(value, raw_key=with_channel(value.raw_key)) for value in harmonization.values)
    return replace(harmonization, values=values)


def _record(
    gsm: str,
    attributes: Row,
    platform: _Platform,
    harmonization: Harmonization,
    *,
    organism: str | None,
) -> SampleRecord:
    related = relations(attributes)
    taxa = tuple(dict.fromkeys(filter(None, all_values(attributes, "taxid_ch1"))))
    array, sequencer = platform.array, platform.sequencer
    code = array.accession if array else "".join(sequencer.split()) if sequencer else platform.accession
    return SampleRecord(
        accession=gsm,
        source=SourceArchive.GEO,
        title=first_value(attributes, "title") or harmonization.title or gsm,
        organism=organism,
        taxonomy_id=whole_number(taxa[0]) if len(taxa) == 1 else None,
        technology=platform.technology,
        platform_accession=code,
        platform_name=array.name if array else sequencer or platform.title or None,
        manufacturer=platform.manufacturer,
        experiment_accession=next(iter(related.sra_experiments), None),
        secondary_sample_accession=next(iter(related.sra_samples), None),
        biosample_accession=next(iter(related.biosamples), None),
        aliases=tuple(dict.fromkeys((*related.sra_experiments, *related.sra_samples, *related.biosamples))),
        library_strategy=first_value(attributes, "library_strategy") or None,
        library_source=first_value(attributes, "library_source") or None,
        library_selection=first_value(attributes, "library_selection") or None,
        source_url=f"https://www.ncbi.nlm.nih.gov/geo/query/acc.cgi?acc={gsm}",
        harmonized=harmonization.values,
    )


def _annotations(attributes: Row, table: Row, platform: _Platform) -> dict[str, Any]:
    annotations: dict[str, Any] = {"geo": dict(attributes)}
    if table:
        annotations["table"] = dict(table)
    notes = []
    if platform.accession and not first_value(attributes, "platform_id"):
        notes.append("The sample names no platform; it is that of the series, which has one only.")
    if platform.array and platform.array.alternatives:
        others = ", ".join(platform.array.alternatives)
        notes.append(f"GEO files other arrays under the same accession ({others}); the raw file tells which it is.")
    if notes:
        annotations["notes"] = notes
    return annotations
