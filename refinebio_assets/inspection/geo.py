"""GEO's files: SOFT of every kind, MINiML, series matrix; samples as :func:`survey_geo` would store them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from refinebio_assets.domain.accessions import AccessionType
from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description, plain_sample
from refinebio_assets.inspection.xml_root import root_element
from refinebio_assets.survey.archive_rows import accession_of
from refinebio_assets.survey.geo import survey_geo
from refinebio_assets.survey.geo_attributes import NOTHING, all_values, relations
from refinebio_assets.survey.geo_family import EntityKind, GeoEntity, SoftFamily
from refinebio_assets.survey.geo_miniml import read_miniml_family
from refinebio_assets.survey.geo_samples import SeriesContext, survey_sample
from refinebio_assets.survey.geo_series_matrix import read_series_matrix
from refinebio_assets.survey.geo_soft import read_soft_family
from refinebio_assets.survey.harmonisation import harmonize
from refinebio_assets.survey.registry import PlatformRegistry

SOFT = "geo_soft_family"
MINIML = "geo_miniml"
MATRIX = "geo_series_matrix"

_KIND_OF_ENTITY = {
    EntityKind.DATASET: "geo_soft_dataset",
    EntityKind.ANNOTATION: "geo_platform_annotation",
    EntityKind.SERIES: "geo_soft_series",
    EntityKind.SAMPLE: "geo_soft_sample",
    EntityKind.PLATFORM: "geo_soft_platform",
}
_SOFT_LINE = re.compile(
    r"^\^\s*(DATABASE|SERIES|PLATFORM|SAMPLE|DATASET|SUBSET|ANNOTATION)\b", re.IGNORECASE | re.MULTILINE
)
_FIRST_LINES = re.compile(r"(?:\s|[!#].*\n)*\^", re.IGNORECASE)
_MATRIX_LINE = re.compile(r"^!Series_(?:title|geo_accession)\t", re.MULTILINE)
_GSE = frozenset({AccessionType.GEO_SERIES})
_GSM = frozenset({AccessionType.GEO_SAMPLE})
_ALONE = (
    "The file describes only a part of a series, so no decision can be told from it; `refinebio survey {}` decides."
)
_UNNAMED = "The file gives no GEO accessions (a submission, or an example): samples are shown under its own names."


def recognise_soft(content: Content) -> Recognition | None:
    """A SOFT file begins an entity with a caret before anything but comments and attributes stands."""
    found = _SOFT_LINE.search(content.text)
    if found is None or not _FIRST_LINES.match(content.text):
        return None
    return Recognition(kind=SOFT, confidence=1.0, evidence=f"a line begins with ^{found.group(1).upper()}")


def recognise_matrix(content: Content) -> Recognition | None:
    """A series matrix has tab-separated ``!Series_…`` lines and no entities."""
    if not content.text.lstrip().startswith("!Series_") or _MATRIX_LINE.search(content.text) is None:
        return None
    return Recognition(kind=MATRIX, confidence=1.0, evidence="tab-separated !Series_ and !Sample_ lines")


def recognise_miniml(content: Content) -> Recognition | None:
    """The root element of a MINiML document is MINiML."""
    if root_element(content) != "MINiML":
        return None
    return Recognition(kind=MINIML, confidence=1.0, evidence="the root element is MINiML")


def describe(content: Content, recognition: Recognition, setting: Setting) -> Description:
    """Read the entities, survey every series they belong to, and show what a curated dataset or platform says."""
    readers = {SOFT: read_soft_family, MATRIX: read_series_matrix, MINIML: read_miniml_family}
    read = readers[recognition.kind]
    path = _fast_path(content)
    family = _from_stream(content, read) if path is None else read(path)
    description = begin(recognition)
    if recognition.kind == SOFT:
        description.kind = _kind(family)
    _tell_whole(description, family)
    for name, payload in _payloads(family):
        _add(description, name, payload, family, setting.registry)
    _add_datasets(description, family)
    return description


def _fast_path(content: Content) -> Path | None:
    """GEO's readers decompress gzip on their own, faster than through a stream."""
    return content.path if set(content.layers) <= {"gzip"} and len(content.layers) <= 1 else None


def _from_stream(content: Content, read: Any) -> SoftFamily:
    with content.stream() as stream:
        source: BinaryIO = stream
        family: SoftFamily = read(source)
    return family


def _kind(family: SoftFamily) -> str:
    kinds = {entity.kind for entity in family.entities} - {EntityKind.DATABASE, EntityKind.SUBSET}
    if len(kinds) == 1:
        return _KIND_OF_ENTITY[kinds.pop()]
    if EntityKind.DATASET in kinds:
        return _KIND_OF_ENTITY[EntityKind.DATASET]
    return SOFT


def _tell_whole(description: Description, family: SoftFamily) -> None:
    counts = {kind.lower(): len(family.of_kind(kind)) for kind in EntityKind if family.of_kind(kind)}
    tables = [entity.table for entity in family.entities if entity.table is not None]
    description.header = {
        "entities": counts,
        "tables": len(tables),
        "table_rows": sum(table.rows for table in tables),
        "malformed_lines": family.malformed_lines,
        "platforms": [
            {"accession": each.name, "title": each.first("title"), "organism": each.first("organism"),
             "technology": each.first("technology"), "rows": each.table.rows if each.table else 0}
            for each in family.platforms
        ],
    }  # fmt: skip
    with_table = [entity for entity in family.entities if entity.table is not None and entity.table.columns]
    by_use = sorted(with_table, key=lambda entity: entity.kind is not EntityKind.SAMPLE)
    if by_use and by_use[0].table is not None:
        description.columns = list(by_use[0].table.columns)
    description.warnings += [f"line {warning.line}: {warning.message}" for warning in family.warnings]
    if family.warning_count > len(family.warnings):
        description.warnings.append(f"{family.warning_count - len(family.warnings)} more lines are odd.")


def _payloads(family: SoftFamily) -> Iterator[tuple[str | None, list[GeoEntity]]]:
    """Every series with its samples, then the samples that belong to none."""
    series = {gse: each for each in family.series if (gse := _series_name(each)) is not None}
    named = list(series) or list(filter(None, [family.accession() if family.samples else None]))
    left = dict.fromkeys(id(sample) for sample in family.samples)
    for gse in named:
        members = [each for each in family.samples if _belongs(each, gse, series.get(gse), alone=len(named) == 1)]
        members = [each for each in members if _sample_name(each) is not None]
        for each in members:
            left.pop(id(each), None)
        yield gse, members
    if left:
        yield None, [each for each in family.samples if id(each) in left]


def _series_name(entity: GeoEntity) -> str | None:
    return accession_of(entity.name, _GSE) or accession_of(entity.first("geo_accession"), _GSE)


def _sample_name(entity: GeoEntity) -> str | None:
    return accession_of(entity.name, _GSM) or accession_of(entity.first("geo_accession"), _GSM)


def _belongs(sample: GeoEntity, gse: str, series: GeoEntity | None, *, alone: bool) -> bool:
    listed = () if series is None else series.attributes.get("sample_id", ())
    return alone or gse in sample.attributes.get("series_id", ()) or sample.name in listed


def _add(
    description: Description, gse: str | None, members: list[GeoEntity], family: SoftFamily, registry: PlatformRegistry
) -> None:
    if gse is None:
        _add_unnamed(description, members, family, registry)
        return
    payload = family.to_payload(gse) | {"samples": [each.to_payload() for each in members]}
    is_part = not family.series or all(each.attributes.keys() <= {"geo_accession"} for each in members)
    result = survey_geo(payload, registry)
    known = {sample["accession"] for sample in description.samples}
    description.add_survey(result, undecided=_ALONE.format(gse) if is_part else None)
    kept = description.samples[: len(known)]
    description.samples = kept + [each for each in description.samples[len(known) :] if each["accession"] not in known]


def _add_unnamed(
    description: Description, members: list[GeoEntity], family: SoftFamily, registry: PlatformRegistry
) -> None:
    """Samples under the submitter's names, read by the same rules; there is nothing they could be stored as."""
    for entity in family.series:
        if _series_name(entity) is None:
            description.experiments.append({"accession": entity.name, "title": entity.first("title")})
    series: Mapping[str, Any] = family.series[0].to_payload()["attributes"] if family.series else NOTHING
    context = SeriesContext(
        accession="GSE0",  # never shown: files are left out below
        relations=relations(series),
        platforms={each.name.upper(): each.to_payload()["attributes"] for each in family.platforms},
        platform_ids=tuple(dict.fromkeys(all_values(series, "platform_id"))),
        files=(),
        types=all_values(series, "type"),
        registry=registry,
    )
    for entity in members:
        record = survey_sample(entity.name, entity.to_payload(), context).surveyed.record
        shown = plain_sample(
            entity.name,
            title=record.title,
            platform=record.platform_accession,
            organism=record.organism,
            harmonized=record.harmonized,
            annotations=record.annotations,
        )
        description.samples.append(shown)
    description.warnings.append(_UNNAMED)


def _add_datasets(description: Description, family: SoftFamily) -> None:
    """A curated dataset (GDS): its series, and its samples with the groups (subsets) they are in."""
    for dataset in family.datasets:
        description.experiments.append(
            {
                "accession": dataset.name,
                "title": dataset.first("title"),
                "description": dataset.first("description"),
                "series": list(dataset.attributes.get("reference_series", ())),
                "platforms": list(dataset.attributes.get("platform", ())),
                "organisms": list(dataset.attributes.get("platform_organism", ())),
            }
        )
    groups: dict[str, dict[str, str]] = {}
    for subset in family.subsets:
        for gsm in re.split(r"[,\s]+", subset.first("sample_id")):
            if accession_of(gsm, _GSM) is not None:
                groups.setdefault(gsm, {})[subset.first("type")] = subset.first("description")
    for gsm, values in groups.items():
        harmonization = harmonize([("subset", values)])
        described = next((each.column_descriptions.get(gsm, "") for each in family.datasets), "")
        title = re.sub(r"^Value for GSM\d+:\s*", "", described).partition(";")[0]
        description.samples.append(
            plain_sample(gsm, title=title, harmonized=harmonization.values, annotations={"subsets": values})
        )
    if family.datasets:
        description.warnings.append("A curated dataset is a view of a series: survey the series instead.")


DESCRIBERS = (
    Describer(recognise=recognise_miniml, describe=describe),
    Describer(recognise=recognise_matrix, describe=describe),
    Describer(recognise=recognise_soft, describe=describe),
)
