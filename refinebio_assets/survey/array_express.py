"""Survey of an ArrayExpress study: BioStudies, IDF and SDRF -> one experiment, one sample per assay, one decision each.

``docs/array_express.md`` has the tables of fields and rules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from refinebio_assets.domain.accessions import SAMPLE_TYPES, AccessionType, SourceArchive, mirrored_series
from refinebio_assets.domain.organisms import organism_key
from refinebio_assets.domain.records import SampleRecord, SurveyedSample, SurveyResult
from refinebio_assets.survey.archive_rows import Row, accession_of, as_mapping, malformed, text
from refinebio_assets.survey.array_express_assays import (
    Assay,
    find_assays,
    replicates,
    sample_accessions,
    titles,
)
from refinebio_assets.survey.array_express_files import AssayFiles, FileListing, assay_files
from refinebio_assets.survey.array_express_metadata import metadata, organisms, taxonomy_id
from refinebio_assets.survey.array_express_rules import AssayFacts, decide
from refinebio_assets.survey.array_express_study import StudyTexts, experiment_record
from refinebio_assets.survey.biostudies import STUDIES_URL, parse_file_list, parse_study, parse_study_info
from refinebio_assets.survey.harmonisation import Harmonization, harmonize
from refinebio_assets.survey.mage_tab import Idf, Sdrf, SdrfRow, parse_idf, parse_sdrf
from refinebio_assets.survey.microarray_platforms import MicroarrayPlatform
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sequence_links import SequenceLinks, found_studies, linked_studies

_ARRAY_EXPRESS = frozenset({AccessionType.ARRAY_EXPRESS})
_RUNS = frozenset({AccessionType.SRA_RUN})
_EXPERIMENTS = frozenset({AccessionType.SRA_EXPERIMENT})
_SAMPLES = frozenset({AccessionType.SRA_SAMPLE})
_BIOSAMPLES = frozenset({AccessionType.BIOSAMPLE})
_ENA_COMMENTS = ("ENA_RUN", "ENA_EXPERIMENT", "ENA_SAMPLE", "BioSD_SAMPLE", "BioSample")
_GSM = re.compile(r"(GSM[0-9]+)(?: .*)?", re.IGNORECASE)
_LONGEST_ALIAS = 255  # what the catalog holds
_MAKERS = {"A-AFFY-": "AFFYMETRIX", "A-AGIL-": "AGILENT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Study:
    """What all assays of a study share."""

    accession: str
    texts: StudyTexts
    listing: FileListing
    sequence_studies: tuple[str, ...]
    asked_ena: bool
    registry: PlatformRegistry


def survey_array_express(payload: Mapping[str, Any], registry: PlatformRegistry) -> SurveyResult:
    """Turn the metadata of an ArrayExpress study into records.

    Args:
        payload: ``source_metadata`` of the study: ``accession``, ``study`` (BioStudies), ``info`` (or None), ``idf``
            (text), ``sdrf`` (texts), ``files`` (rows of BioStudies' file lists; may be empty); if they were looked up,
            ``publication`` and ``sequence_studies``, the sequencing studies that ENA has for its reads.
        registry: Supported platforms.

    Returns:
        The experiment and one sample per assay, in the order of the SDRFs, eligible or not. Rows that describe no
        assay, and all that was odd in the files, are in ``experiment.annotations["survey"]``.

    Raises:
        MalformedPayloadError: The payload lacks a field or holds something of another type.
        MalformedFileError: The IDF or an SDRF is not what it claims to be; file and line are named.
    """
    accession = _accession(payload)
    texts, sdrfs = _documents(payload, accession)
    found = find_assays(sdrfs)
    publication = as_mapping(payload.get("publication") or {}, "payload.publication")
    studies = found_studies(payload)
    experiment = experiment_record(accession, texts, sdrfs, found, looked_up=publication, studies=studies)
    links = _links(experiment.aliases, found.assays)
    study = _Study(
        accession=accession,
        texts=texts,
        listing=FileListing.of_study(accession, texts.study, texts.info, parse_file_list(payload.get("files") or ())),
        sequence_studies=(*links.studies, *links.projects) if studies is None else studies,
        asked_ena=studies is not None,
        registry=registry,
    )
    assays = found.assays
    told = zip(assays, sample_accessions(accession, assays), titles(assays), replicates(assays), strict=True)
    surveyed = [_survey_assay(study, *each) for each in told]
    coverage = Counter(key for _, unmatched in surveyed for key in unmatched)
    samples = tuple(sample for sample, _ in surveyed)
    return SurveyResult(
        experiment=experiment,
        samples=samples,
        coverage=dict(sorted(coverage.items())),
        linked_studies=linked_studies(links.studies if studies is None else studies, samples),
    )


def array_express_links(payload: Mapping[str, Any]) -> SequenceLinks:
    """Where a study says its reads are; nothing if it has no sequencing assay. Raises as :func:`survey_array_express`.

    Args:
        payload: As for :func:`survey_array_express`.
    """
    accession = _accession(payload)
    texts, sdrfs = _documents(payload, accession)
    found = find_assays(sdrfs)
    return _links(experiment_record(accession, texts, sdrfs, found).aliases, found.assays)


def array_express_samples(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Accessions of the assays that the SDRFs describe. Raises as :func:`survey_array_express`."""
    accession = _accession(payload)
    return sample_accessions(accession, find_assays(_sdrfs(payload, accession, _idf(payload, accession))).assays)


def pubmed_id_of_study(payload: Mapping[str, Any]) -> str | None:
    """The PubMed id that a study names, None if none. Raises as :func:`survey_array_express`."""
    accession = _accession(payload)
    texts, sdrfs = _documents(payload, accession)
    return experiment_record(accession, texts, sdrfs, find_assays(sdrfs)).pubmed_id


def _links(aliases: Iterable[str], assays: Sequence[Assay]) -> SequenceLinks:
    sequenced = [assay for assay in assays if assay.is_sequencing]
    if not sequenced:
        return SequenceLinks()
    parts = (each for assay in sequenced for each in _named(assay, _RUNS) or _named(assay, _EXPERIMENTS))
    return SequenceLinks(
        studies=tuple(each for each in aliases if accession_of(each, frozenset({AccessionType.SRA_STUDY}))),
        projects=tuple(each for each in aliases if accession_of(each, frozenset({AccessionType.BIOPROJECT}))),
        parts=tuple(dict.fromkeys(parts)),
    )


def _documents(payload: Mapping[str, Any], accession: str) -> tuple[StudyTexts, list[Sdrf]]:
    idf = _idf(payload, accession)
    info = payload.get("info")
    texts = StudyTexts(
        study=parse_study(payload["study"]) if payload.get("study") else None,
        info=parse_study_info(info) if info is not None else None,
        idf=idf,
    )
    if texts.study is not None and texts.study.accession != accession:
        where = "payload.study.accno"
        raise malformed(where, accession, texts.study.accession)
    return texts, _sdrfs(payload, accession, idf)


def _accession(payload: object) -> str:
    mapping = as_mapping(payload, "payload")
    accession = accession_of(text(mapping, "accession"), _ARRAY_EXPRESS)
    if accession is None:
        where = "payload.accession"
        raise malformed(where, "the accession of an ArrayExpress study", mapping.get("accession"))
    return accession


def _idf(payload: Row, accession: str) -> Idf:
    idf = payload.get("idf")
    if not isinstance(idf, str):
        where = "payload.idf"
        raise malformed(where, "the text of the IDF", idf)
    return parse_idf(idf, path=f"{accession}.idf.txt")


def _sdrfs(payload: Row, accession: str, idf: Idf) -> list[Sdrf]:
    """The SDRFs, each under a name of its own: the IDF's where that has as many."""
    texts = payload.get("sdrf")
    if not isinstance(texts, list | tuple) or not all(isinstance(each, str) for each in texts):
        where = "payload.sdrf"
        raise malformed(where, "a list with the text of each SDRF", texts)
    names = list(idf.sdrf_files)
    if len(names) != len(texts) or len(set(names)) != len(names):
        names = [f"{accession}.sdrf.txt", *(f"{accession}.{number}.sdrf.txt" for number in range(2, len(texts) + 1))]
    return [parse_sdrf(each, path=name) for each, name in zip(texts, names, strict=False)]


def _survey_assay(
    study: _Study, assay: Assay, accession: str, title: str, replicate: dict[str, object]
) -> tuple[SurveyedSample, tuple[str, ...]]:
    platform = _platform(assay, study.registry)
    files = assay_files(assay, study.listing, manufacturer=platform.manufacturer if platform else None)
    harmonization = harmonize(metadata(assay))
    runs = _named(assay, _RUNS) or _named(assay, _EXPERIMENTS)
    facts = AssayFacts(
        assay=assay,
        organisms=organisms(assay),
        platform=platform,
        files=files,
        geo_series=mirrored_series(study.accession),
        runs=runs,
        sequence_studies=study.sequence_studies,
        asked_ena=study.asked_ena,
        study_types=study.texts.study_types,
        study_text=study.texts.access_text,
    )
    record = _record(study, facts, accession, title, harmonization)
    record = replace(record, annotations={**record.annotations, "replicates": replicate})
    return SurveyedSample(record=record, decision=decide(facts)), harmonization.unmatched_keys


def _record(study: _Study, facts: AssayFacts, accession: str, title: str, harmonization: Harmonization) -> SampleRecord:
    assay, platform, files = facts.assay, facts.platform, facts.files
    return SampleRecord(
        accession=accession,
        source=SourceArchive.ARRAY_EXPRESS,
        title=title,
        organism=_organism(facts.organisms),
        taxonomy_id=taxonomy_id(assay),
        technology=assay.technology,
        platform_accession=_platform_accession(assay, platform),
        platform_name=platform.name if platform else None,
        manufacturer=platform.manufacturer if platform else _maker(assay),
        run_accession=next(iter(_named(assay, _RUNS)), None),
        experiment_accession=next(iter(_named(assay, _EXPERIMENTS)), None),
        secondary_sample_accession=next(iter(_named(assay, _SAMPLES)), None),
        biosample_accession=next(iter(_named(assay, _BIOSAMPLES)), None),
        aliases=_aliases(study.accession, accession, assay),
        library_strategy=next(iter(assay.comment("LIBRARY_STRATEGY")), None),
        library_source=next(iter(assay.comment("LIBRARY_SOURCE")), None),
        library_selection=next(iter(assay.comment("LIBRARY_SELECTION")), None),
        library_layout=next(iter(assay.comment("LIBRARY_LAYOUT")), None),
        has_raw=files.has_raw,
        source_url=f"{STUDIES_URL}/{study.accession}",
        harmonized=harmonization.values,
        annotations=_annotations(assay, files),
        files=() if assay.is_sequencing else files.chosen,
    )


def _platform(assay: Assay, registry: PlatformRegistry) -> MicroarrayPlatform | None:
    """The supported array, if all designs of the assay are that one."""
    found = [registry.microarray_platform(design) for design in assay.designs]
    return found[0] if found and all(each == found[0] for each in found) else None


def _platform_accession(assay: Assay, platform: MicroarrayPlatform | None) -> str | None:
    return platform.accession if platform else ";".join(assay.designs) or None


def _maker(assay: Assay) -> str | None:
    """ArrayExpress names the designs of large makers after them (A-AFFY-44, A-AGIL-28)."""
    makers = {next((maker for start, maker in _MAKERS.items() if each.startswith(start)), "") for each in assay.designs}
    return makers.pop() or None if len(makers) == 1 else None


def _organism(names: tuple[str, ...]) -> str | None:
    try:
        return organism_key(names[0]) if len(names) == 1 else None
    except ValueError:
        return None


def _named(assay: Assay, types: frozenset[AccessionType]) -> tuple[str, ...]:
    """Accessions of some types in the comments that ArrayExpress keeps them in."""
    values = (value for name in _ENA_COMMENTS for value in assay.comment(name))
    parts = (part for value in values for part in re.split(r"[;,\s]+", value))
    return tuple(dict.fromkeys(found for part in parts if (found := accession_of(part, types)) is not None))


def _aliases(experiment: str, accession: str, assay: Assay) -> tuple[str, ...]:
    """Accessions in ENA and BioSamples, the GEO sample, and the name with the submitter's own spelling."""
    aliases = list(_named(assay, SAMPLE_TYPES))
    names = (assay.name, *assay.names("Source Name")) if mirrored_series(experiment) else ()
    aliases += [match.group(1).upper() for name in names if (match := _GSM.fullmatch(name))]
    aliases.append(f"{experiment}-{assay.name}")
    return tuple(alias for alias in dict.fromkeys(aliases) if alias != accession and len(alias) <= _LONGEST_ALIAS)


def _annotations(assay: Assay, files: AssayFiles) -> dict[str, Any]:
    """The rows as they stand (columns of one name stay apart), channels, files, notes."""
    notes = list(files.notes)
    notes += [
        f"Line {row.line} of {assay.path} has too few or too many cells." for row in assay.rows if row.is_irregular
    ]
    annotations: dict[str, Any] = {
        "assay": {"name": assay.name, "sdrf": assay.path, "lines": [row.line for row in assay.rows]},
        "sdrf": [_cells(assay, row) for row in assay.rows],
        "files": [
            {"name": each.name, "column": each.column, "url": each.original.url if each.original else None}
            for each in files.named
        ],
    }
    if assay.is_two_colour:
        annotations["channels"] = [_channel(row) for row in assay.rows]
    if notes:
        annotations["notes"] = notes
    return annotations


def _cells(assay: Assay, row: SdrfRow) -> list[list[str]]:
    """Header and cell of every filled cell, in the order of the columns."""
    headers = [*assay.headers, *[""] * (len(row.cells) - len(assay.headers))]
    return [[header, cell] for header, cell in zip(headers, row.cells, strict=True) if cell]


def _channel(row: SdrfRow) -> dict[str, list[str]]:
    return {
        "label": [each.value for each in row.attributes("Label")],
        "labeled_extract": [node.name for node in row.of("Labeled Extract Name")],
        "source": [node.name for node in row.of("Source Name")],
    }
