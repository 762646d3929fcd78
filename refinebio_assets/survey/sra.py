"""Survey of a sequencing study: ENA rows and EBI BioSamples -> one experiment, one sample per run, one decision each.

The payload is what ``resources.archives.fetch_sra_study`` gives and ``source_metadata`` keeps. Field by field the
mapping is that of refine.bio's SRA surveyor; ``docs/survey.md`` has the table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from refinebio_assets.domain.accessions import EXPERIMENT_TYPES, AccessionType, SourceArchive
from refinebio_assets.domain.organisms import organism_key
from refinebio_assets.domain.records import ExperimentRecord, SampleRecord, SurveyedSample, SurveyResult
from refinebio_assets.domain.vocabulary import Technology
from refinebio_assets.survey.archive_rows import (
    Row,
    accession_of,
    accessions,
    as_mapping,
    as_text,
    calendar_date,
    entries,
    malformed,
    mapping_field,
    rows_field,
    text,
    whole_number,
)
from refinebio_assets.survey.biosamples import biosample_text, flatten_biosample
from refinebio_assets.survey.eligibility import EligibilityRules, RunFacts
from refinebio_assets.survey.harmonisation import Harmonization, harmonize, recognises
from refinebio_assets.survey.harmonisation_rules import HARMONISATION_VERSION
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sra_files import RawDataSource, ReadFiles, read_files

ENA_BROWSER_URL = "https://www.ebi.ac.uk/ena/browser/view"
NO_DESCRIPTION = "No description."

_RUNS = frozenset({AccessionType.SRA_RUN})
_EXPERIMENTS = frozenset({AccessionType.SRA_EXPERIMENT})
_SAMPLES = frozenset({AccessionType.SRA_SAMPLE})
_BIOSAMPLES = frozenset({AccessionType.BIOSAMPLE})
_GSM_ALIAS = re.compile(r"(GSM[0-9]+)(?:_r[0-9]+)?", re.IGNORECASE)
_GSM_IN_TITLE = re.compile(r"(?:^|; ?)(GSM[0-9]+): ")
_PROTOCOL_COLUMNS = (
    "extraction_protocol",
    "library_construction_protocol",
    "library_gen_protocol",
    "experimental_protocol",
)
_MOST_PROTOCOLS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """The runs of a payload, one row each, and how many rows were no run or said the same run again."""

    by_accession: Mapping[str, Row]
    rows: int
    without_accession: int

    @property
    def duplicates(self) -> int:
        return self.rows - self.without_accession - len(self.by_accession)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SurveyedRun:
    sample: SurveyedSample
    unmatched_keys: tuple[str, ...]


def survey_sra(
    payload: Mapping[str, Any],
    registry: PlatformRegistry,
    *,
    raw_data_source: RawDataSource = "ena",
    blacklist: Collection[str] = frozenset(),
) -> SurveyResult:
    """Turn the metadata of a sequencing study into records.

    Args:
        payload: ``source_metadata`` of the study: ``accession, read_run, study, biosamples, publication``.
        registry: Supported platforms.
        raw_data_source: Where the reads are to come from: ENA's FASTQ files, or the SRA's .sra files.
        blacklist: Run accessions that are never processed.

    Returns:
        The experiment and one sample per distinct run, by run accession, eligible or not. Rows that name no run, and
        rows merged because they name the same run, are counted in ``experiment.annotations["survey"]``.

    Raises:
        MalformedPayloadError: The payload lacks a field or holds something of another type; the message names the
            field.
    """
    accession = _study_accession(payload)
    runs = _runs(rows_field(payload, "read_run"))
    studies = rows_field(payload, "study")
    biosamples = _biosamples(payload)
    rules = EligibilityRules(registry=registry, blacklist=blacklist)
    surveyed = [
        _survey_run(run, row, biosamples, rules, raw_data_source=raw_data_source)
        for run, row in sorted(runs.by_accession.items(), key=lambda item: (item[0][:3], len(item[0]), item[0]))
    ]
    coverage = Counter(key for run in surveyed for key in run.unmatched_keys)
    return SurveyResult(
        experiment=_experiment(accession, payload, studies, runs),
        samples=tuple(run.sample for run in surveyed),
        coverage=dict(sorted(coverage.items())),
    )


def _study_accession(payload: object) -> str:
    mapping = as_mapping(payload, "payload")
    accession = accession_of(text(mapping, "accession"), EXPERIMENT_TYPES)
    if accession is None:
        message = "payload.accession"
        raise malformed(message, "the accession of a study", mapping.get("accession"))
    return accession


def _biosamples(payload: Row) -> dict[str, Row]:
    biosamples = mapping_field(payload, "biosamples")
    return {
        accession: as_mapping(biosample, f"payload.biosamples.{accession}")
        for accession, biosample in biosamples.items()
    }


def _runs(rows: list[Row]) -> _Runs:
    """One row per run: of duplicate rows, the first one that fills a column gives its value."""
    by_accession: dict[str, dict[str, Any]] = {}
    without_accession = 0
    for row in rows:
        run = accession_of(text(row, "run_accession"), _RUNS)
        if run is None:
            without_accession += 1
            continue
        merged = by_accession.setdefault(run, {})
        merged.update(
            {column: value for column, value in row.items() if value not in (None, "") and column not in merged}
        )
    return _Runs(by_accession=by_accession, rows=len(rows), without_accession=without_accession)


def _experiment(accession: str, payload: Row, studies: list[Row], runs: _Runs) -> ExperimentRecord:
    study = _study_row(accession, studies)
    first_run = next(iter(runs.by_accession.values()), {})
    publication = _publication(payload)
    return ExperimentRecord(
        accession=accession,
        source=SourceArchive.SRA,
        title=text(study, "study_title") or text(first_run, "study_title") or accession,
        description=text(study, "study_description") or text(study, "description") or NO_DESCRIPTION,
        technology=Technology.RNA_SEQ,
        aliases=_experiment_aliases(accession, payload, study, runs.by_accession.values()),
        institution=text(study, "center_name") or text(first_run, "center_name") or None,
        protocol=_protocol(runs.by_accession.values()),
        pubmed_id=text(publication, "pubmed_id") or None,
        publication_doi=text(publication, "doi") or None,
        publication_title=text(publication, "title") or None,
        publication_authors=_authors(publication),
        source_url=f"{ENA_BROWSER_URL}/{accession}",
        first_published=calendar_date(text(study, "first_public")),
        last_updated=calendar_date(text(study, "last_updated")),
        annotations={
            "study": [_filled(row) for row in studies],
            "survey": {
                "rows": runs.rows,
                "rows_without_run_accession": runs.without_accession,
                "duplicate_rows": runs.duplicates,
                "harmonisation_version": HARMONISATION_VERSION,
            },
        },
    )


def _study_row(accession: str, studies: list[Row]) -> Row:
    """The row of the study itself; the first one if none names it."""
    columns = ("secondary_study_accession", "study_accession", "accession")
    named = (row for row in studies if any(accession in entries(row, column) for column in columns))
    return next(named, studies[0] if studies else {})


def _experiment_aliases(accession: str, payload: Row, study: Row, runs: Iterable[Row]) -> tuple[str, ...]:
    """Accessions of the same study elsewhere: its project, GEO series, ArrayExpress experiment, other study accessions.

    Umbrella projects (``parent_study_accession``) hold several studies and are not aliases.
    """
    columns = ("study_accession", "secondary_study_accession", "study_alias", "geo_accession", "study_name")
    candidates = [alias for column in columns for alias in accessions(study, column, EXPERIMENT_TYPES)]
    candidates += accessions(payload, "study_accessions", EXPERIMENT_TYPES)
    for row in runs:
        if accession in (*entries(row, "secondary_study_accession"), *entries(row, "study_accession")):
            candidates += [alias for column in columns for alias in accessions(row, column, EXPERIMENT_TYPES)]
    return tuple(sorted(set(candidates) - {accession}))


def _publication(payload: Row) -> Row:
    publication = payload.get("publication")
    return {} if publication is None else as_mapping(publication, "payload.publication")


def _authors(publication: Row) -> tuple[str, ...]:
    authors = publication.get("authors")
    return tuple(filter(None, map(as_text, authors))) if isinstance(authors, list | tuple) else ()


def _protocol(runs: Iterable[Row]) -> str | None:
    """The protocols of the runs, where the study has few enough of them to be called its own."""
    texts = dict.fromkeys(found for row in runs for column in _PROTOCOL_COLUMNS if (found := text(row, column)))
    return "\n\n".join(texts) if 0 < len(texts) <= _MOST_PROTOCOLS else None


def _survey_run(
    run: str, row: Row, biosamples: Mapping[str, Row], rules: EligibilityRules, *, raw_data_source: RawDataSource
) -> _SurveyedRun:
    sample_accessions = accessions(row, "sample_accession", _BIOSAMPLES)
    biosample = next((biosamples[each] for each in sample_accessions if each in biosamples), {})
    harmonization = harmonize(_metadata(row, biosample))
    reads = read_files(row, run, raw_data_source=raw_data_source)
    organism = _organism(row)
    facts = RunFacts(run=run, row=row, biosample_text=biosample_text(biosample), organism=organism, reads=reads)
    decision = rules.decide(facts)
    record = _sample_record(run, row, biosample, harmonization, reads, organism=organism)
    if run in rules.blacklist:
        record = replace(record, files=())  # nothing of it may be downloaded
    return _SurveyedRun(
        sample=SurveyedSample(record=record, decision=decision), unmatched_keys=harmonization.unmatched_keys
    )


def _sample_record(
    run: str, row: Row, biosample: Row, harmonization: Harmonization, reads: ReadFiles, *, organism: str | None
) -> SampleRecord:
    instrument = text(row, "instrument_model")
    experiment = next(iter(accessions(row, "experiment_accession", _EXPERIMENTS)), None)
    secondary = next(iter(accessions(row, "secondary_sample_accession", _SAMPLES)), None)
    return SampleRecord(
        accession=run,
        source=SourceArchive.SRA,
        title=harmonization.title or text(row, "experiment_title") or run,
        organism=organism,
        taxonomy_id=whole_number(text(row, "tax_id")),
        technology=Technology.RNA_SEQ,
        platform_accession="".join(instrument.split()) or None,
        platform_name=instrument or None,
        manufacturer=text(row, "instrument_platform") or None,
        run_accession=run,
        experiment_accession=experiment,
        secondary_sample_accession=secondary,
        biosample_accession=next(iter(accessions(row, "sample_accession", _BIOSAMPLES)), None),
        aliases=_sample_aliases(row),
        library_strategy=text(row, "library_strategy") or None,
        library_source=text(row, "library_source") or None,
        library_selection=text(row, "library_selection") or None,
        library_layout=reads.layout or None,
        has_raw=bool(reads.files),
        source_url=f"{ENA_BROWSER_URL}/{run}",
        harmonized=harmonization.values,
        annotations=_annotations(row, biosample, reads),
        files=reads.files,
    )


def _annotations(row: Row, biosample: Row, reads: ReadFiles) -> dict[str, Any]:
    annotations: dict[str, Any] = {"read_run": _filled(row)}
    if biosample:
        annotations["biosample"] = dict(biosample)
    if reads.notes:
        annotations["notes"] = list(reads.notes)
    return annotations


def _filled(row: Row) -> dict[str, Any]:
    return {column: value for column, value in row.items() if value not in (None, "")}


def _organism(row: Row) -> str | None:
    """The UPPER_SNAKE organism; None if the row names none, or several."""
    names = entries(row, "scientific_name")
    try:
        return organism_key(names[0]) if len(names) == 1 else None
    except ValueError:
        return None


def _sample_aliases(row: Row) -> tuple[str, ...]:
    """Experiment, sample and BioSample accessions, and the GEO sample that an alias or a title in GEO's style names."""
    aliases = [
        *accessions(row, "experiment_accession", _EXPERIMENTS),
        *accessions(row, "secondary_sample_accession", _SAMPLES),
        *accessions(row, "sample_accession", _BIOSAMPLES),
    ]
    for column in ("sample_alias", "run_alias", "experiment_alias"):
        aliases += [match.group(1).upper() for entry in entries(row, column) if (match := _GSM_ALIAS.fullmatch(entry))]
    aliases += _GSM_IN_TITLE.findall(text(row, "experiment_title"))
    return tuple(dict.fromkeys(aliases))


def _metadata(row: Row, biosample: Row) -> list[tuple[str, Mapping[str, str]]]:
    """Raw metadata for harmonisation: the submitter's attributes first, then the columns ENA made of them."""
    columns = {column: value for column in row if recognises(column) and (value := text(row, column))}
    return [("biosample", flatten_biosample(biosample)), ("read_run", columns)]
