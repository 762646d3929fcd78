"""JSON of what holds samples: ENA, BioSamples, BioStudies, ArrayExpress' former API, ffq, and our own store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from refinebio_assets.domain.accessions import AccessionType, SourceArchive, parse_accession
from refinebio_assets.domain.errors import UnsupportedAccessionError
from refinebio_assets.inspection import ena, mage_tab
from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Setting
from refinebio_assets.inspection.report import Description, plain_sample
from refinebio_assets.survey.archive_rows import Row, as_text, text
from refinebio_assets.survey.biosamples import flatten_biosample
from refinebio_assets.survey.biostudies import parse_file_list, parse_study, parse_study_info
from refinebio_assets.survey.harmonisation import harmonize
from refinebio_assets.survey.sources import survey_payload

_SOURCES = frozenset(SourceArchive)
_PAYLOAD_FIELDS = frozenset({"read_run", "samples", "sdrf"})
_HARMONISED_TYPES = frozenset(
    {
        AccessionType.SRA_RUN, AccessionType.SRA_SAMPLE, AccessionType.GEO_SAMPLE, AccessionType.SRA_EXPERIMENT,
        AccessionType.BIOSAMPLE,
    }
)  # fmt: skip
_DEEPEST = 12


def source_metadata(value: Any, _: Content, setting: Setting) -> Description | None:
    """The payload that the asset ``source_metadata`` keeps."""
    if not isinstance(value, dict) or "accession" not in value or not _PAYLOAD_FIELDS & value.keys():
        return None
    source = value.get("source")
    if not isinstance(source, str) or source not in _SOURCES:
        return None
    description = Description(kind="source_metadata", evidence=[f"a payload of {source} as refinebio stores it"])
    description.header = {"source": source, "accession": value["accession"]}
    description.add_survey(survey_payload(value, setting.registry))
    return description


def ena_rows(value: Any, _: Content, setting: Setting) -> Description | None:
    """Rows of the portal's results ``read_run`` and ``study``, and of file reports."""
    rows = _rows(value)
    if not rows:
        return None
    columns = list(dict.fromkeys(column for row in rows[:100] for column in row))
    if any(ena.run_of(row) for row in rows):
        kind = ena.READ_RUN if "library_strategy" in columns or "experiment_accession" in columns else "ena_filereport"
        return ena.describe_rows(rows, setting, kind=kind, evidence="rows with run_accession", columns=columns)
    if {"study_accession", "secondary_study_accession"} & set(columns) and "run_accession" not in columns:
        return ena.describe_studies(rows, evidence="rows with study_accession and no run", columns=columns)
    return None


def _rows(value: Any) -> list[Row]:
    is_rows = isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
    return value if is_rows else []


def biosample(value: Any, _: Content, __: Setting) -> Description | None:
    """A BioSample of EBI, or a page of them."""
    samples = _biosamples(value)
    if not samples:
        return None
    description = Description(kind="biosample", evidence=["accession SAM… with characteristics"])
    for each in samples:
        harmonization = harmonize([("biosample", flatten_biosample(each))])
        organism = next((as_text(entry.get("text")) for entry in _entries(each, "organism")), "")
        description.samples.append(
            plain_sample(
                text(each, "accession"),
                title=harmonization.title or text(each, "name"),
                organism=ena.organism_of(organism),
                harmonized=harmonization.values,
                annotations={"biosample": each},
            )
        )
    description.warnings.append("A BioSample is material; what is stored are the runs or arrays made of it.")
    return description


def _biosamples(value: Any) -> list[Row]:
    candidates = [value]
    if isinstance(value, dict) and isinstance(value.get("_embedded"), dict):
        candidates = value["_embedded"].get("samples") or []
    is_samples = isinstance(candidates, list) and all(map(_is_biosample, candidates))
    return candidates if is_samples else []


def _is_biosample(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and text(value, "accession").startswith("SAM")
        and isinstance(value.get("characteristics"), dict)
    )


def _entries(sample: Row, name: str) -> list[Row]:
    found: Any = next((each for key, each in sample["characteristics"].items() if key.lower() == name), [])
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def biostudies_study(value: Any, content: Content, setting: Setting) -> Description | None:
    """A study of BioStudies; its IDF and SDRF, given or beside it, tell its samples."""
    if not isinstance(value, dict) or not {"accno", "accNo"} & value.keys() or "section" not in value:
        return None
    study = parse_study(value)
    description = Description(kind="biostudies_study", evidence=["accno and section of BioStudies"])
    description.header = {
        "accession": study.accession,
        "sections": len(study.sections),
        "files": len(study.files),
        "file_lists": [section.file_list for section in study.sections if section.file_list],
        "array_designs": list(study.array_designs),
    }
    siblings = setting.siblings(content.path)
    idf = mage_tab.idf_path(study.accession, siblings)
    if idf is None:
        released = study.release_date
        description.experiments.append(
            {
                "accession": study.accession, "title": study.title, "description": study.description,
                "first_published": released.isoformat() if released else None,
            }
        )  # fmt: skip
        description.warnings.append("No IDF and SDRF were given or lie beside the study: its samples are not known.")
        return description
    mage_tab.add_joined_study(description, study.accession, idf, siblings, setting.registry, study=value)
    return description


def biostudies_others(value: Any, _: Content, __: Setting) -> Description | None:
    """What BioStudies says about a study's files, its file lists, and pages of search results."""
    if isinstance(value, dict) and isinstance(value.get("hits"), list) and "totalHits" in value:
        description = Description(kind="biostudies_search", evidence=["hits and totalHits of BioStudies"])
        hits = [hit for hit in value["hits"] if isinstance(hit, dict)]
        description.header = {"total": value["totalHits"], "hits": len(hits)}
        description.experiments = [
            {"accession": text(hit, "accession"), "title": text(hit, "title"),
             "first_published": text(hit, "release_date") or None}
            for hit in hits
        ]  # fmt: skip
        return description
    if isinstance(value, dict) and "ftpLink" in value and "relPath" in value | {"relPath": "files" in value or None}:
        info = parse_study_info(value)
        description = Description(kind="biostudies_info", evidence=["ftpLink of BioStudies"])
        description.header = {
            "files": info.files, "ftp_link": info.ftp_link, "is_public": info.is_public,
            "released": info.released.isoformat() if info.released else None,
            "modified": info.modified.isoformat() if info.modified else None,
        }  # fmt: skip
        return description
    if (rows := _rows(value)) and all("path" in row and ("size" in row or "attributes" in row) for row in rows):
        files = parse_file_list(rows)
        description = Description(kind="biostudies_file_list", evidence=["rows with path and size or attributes"])
        description.header = {"files": len(files), "bytes": sum(each.size_bytes or 0 for each in files)}
        description.columns = list(rows[0])
        return description
    return None


def array_express_former(value: Any, _: Content, __: Setting) -> Description | None:
    """Answers of the API that ArrayExpress had until 2022 (version 3)."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    (key, content), *_rest = value.items()
    if key not in ("experiment", "experiments", "protocols", "files") or not isinstance(content, dict):
        return None
    if "api-version" not in content:
        return None
    description = Description(kind=f"array_express_v3_{key}", evidence=["api-version of ArrayExpress' former API"])
    experiments = content.get("experiment", content if key == "experiment" else [])
    for each in experiments if isinstance(experiments, list) else [experiments]:
        if isinstance(each, dict) and text(each, "accession"):
            description.experiments.append(
                {"accession": text(each, "accession"), "title": text(each, "name") or text(each, "accession")}
            )
    samples = content.get("sample", [])
    for number, each in enumerate(samples if isinstance(samples, list) else [samples], start=1):
        if isinstance(each, dict):
            description.samples.append(_former_sample(each, number))
    description.header = {name: part for name, part in content.items() if isinstance(part, str | int | float)}
    description.warnings.append("This API is no more; the same is in the study's IDF and SDRF today.")
    return description


def _former_sample(sample: Row, number: int) -> dict[str, Any]:
    entries = [each for each in _list(sample.get("characteristic")) if isinstance(each, dict)]
    values = {f"Characteristics[{text(each, 'category')}]": text(each, "value") for each in entries}
    organism = next((value for key, value in values.items() if key.lower() == "characteristics[organism]"), "")
    harmonization = harmonize([("characteristics", values)])
    named = [text(part, "name") for part in (sample.get("assay"), sample.get("source")) if isinstance(part, dict)]
    return plain_sample(
        next(filter(None, named), f"sample {number}"),
        title=harmonization.title,
        organism=ena.organism_of(organism),
        harmonized=harmonization.values,
        annotations={"sample": dict(sample)},
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def ffq(value: Any, _: Content, __: Setting) -> Description | None:
    """Output of ffq (https://github.com/pachterlab/ffq): objects by accession, nested as the archives nest them."""
    if not isinstance(value, dict):
        return None
    objects = [value] if isinstance(value.get("accession"), str) else list(value.values())
    if not objects or not all(isinstance(each, dict) and _type(text(each, "accession")) for each in objects):
        return None
    found = [each for top in objects for each in _nested(top, depth=0)]
    if not any(
        {"attributes", "experiments", "runs", "files", "geo_samples", "samples"} & each.keys() for each in found
    ):
        return None
    description = Description(kind="ffq", confidence=0.9, evidence=["objects by accession as ffq writes them"])
    types = [_type(text(each, "accession")) for each in found]
    described = AccessionType.SRA_SAMPLE if AccessionType.SRA_SAMPLE in types else AccessionType.SRA_RUN
    for each, kind in zip(found, types, strict=True):
        if kind is AccessionType.GEO_SERIES:
            description.experiments.append(
                {"accession": each["accession"], "title": text(each, "title") or each["accession"]}
            )
        elif kind is described or (described not in types and kind in _HARMONISED_TYPES):
            description.samples.append(_ffq_sample(each))
    description.header = {"objects": len(found), "types": sorted({str(kind) for kind in types if kind})}
    description.warnings.append("A summary made by ffq; `refinebio survey ACC` asks the archives themselves.")
    return description


def _nested(value: Mapping[str, Any], *, depth: int) -> Iterator[Mapping[str, Any]]:
    yield value
    if depth > _DEEPEST:
        return
    for name in ("geo_samples", "samples", "experiments", "runs"):
        inner = value.get(name)
        for each in inner.values() if isinstance(inner, dict) else ():
            if isinstance(each, dict) and isinstance(each.get("accession"), str):
                yield from _nested(each, depth=depth + 1)


def _ffq_sample(value: Mapping[str, Any]) -> dict[str, Any]:
    attributes = value.get("attributes")
    own = {key: as_text(each) for key, each in attributes.items()} if isinstance(attributes, dict) else {}
    harmonization = harmonize([("attributes", own)])
    return plain_sample(
        value["accession"],
        title=harmonization.title or text(value, "title"),
        organism=ena.organism_of(text(value, "organism")),
        harmonized=harmonization.values,
        annotations={"attributes": own},
    )


def _type(word: str) -> AccessionType | None:
    try:
        return parse_accession(word).type
    except UnsupportedAccessionError:
        return None


SHAPES = (source_metadata, ena_rows, biosample, biostudies_study, biostudies_others, array_express_former, ffq)
