"""Metadata of samples and experiments as downloads give them: a few statements for thousands of samples."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from refinebio_assets.domain.download_metadata import (
    ContributedValues,
    DownloadMetadata,
    PackedRecords,
    pretty_platform,
)
from refinebio_assets.domain.imported_metadata import ValueType, read_value
from refinebio_assets.domain.vocabulary import (
    HARMONIZED_FIELDS,
    ComputedFileKind,
    LedgerKind,
    SampleState,
    Technology,
)
from resources.catalog.models import (
    ComputationalResult,
    ComputedFile,
    Contribution,
    Experiment,
    ExperimentSample,
    LedgerEntry,
    Organism,
    Platform,
    Processor,
    Sample,
    SampleAttribute,
    SampleHarmonizedValue,
    SampleKeyword,
)
from resources.catalog.ontologies import term_labels
from resources.catalog.statements import rows_where_in

SAMPLES_AT_A_TIME = 2_000
"""What the archives say of a sample takes some kilobytes; so many samples are in memory as objects."""

_OF_SAMPLES = (ComputedFileKind.ARRAY_VALUES, ComputedFileKind.QUANT_SF)
_RNA_SEQ_EXPRESSION = (ComputedFileKind.EXPRESSION_ANNDATA, ComputedFileKind.EXPRESSION_PARQUET)
_ARRAY_EXPRESSION = (ComputedFileKind.ARRAY_EXPRESSION_ANNDATA, ComputedFileKind.ARRAY_EXPRESSION_PARQUET)
_TECHNOLOGY = {Technology.RNA_SEQ.value: "RNA-SEQ"}
"""As refine.bio spells it."""

_Attributes = dict[str, dict[str, dict[str, dict[str, Any]]]]


@dataclass(slots=True)
class _Contributions:
    """What contributions say, by sample and name of the contribution."""

    attributes: _Attributes
    keywords: dict[str, dict[str, list[str]]]
    methods: dict[str, str]

    def by_sample(self) -> dict[str, ContributedValues]:
        samples = sorted({*self.attributes, *self.keywords})
        return {
            sample: ContributedValues(
                attributes=self.attributes.get(sample, {}),
                keywords={name: tuple(terms) for name, terms in self.keywords.get(sample, {}).items()},
            )
            for sample in samples
        }


def download_metadata(
    session: Session, samples: Sequence[str], *, experiments: Collection[str] | None = None
) -> DownloadMetadata:
    """What a download says of samples and of the experiments that have them.

    Args:
        session: The transaction; ``catalog.reading()`` gives one.
        samples: Accessions; those that the catalog does not have are absent from what comes back.
        experiments: Only these experiments are described; all that have one of the samples if None.
    """
    wanted = list(dict.fromkeys(samples))
    found = _Contributions(attributes={}, keywords={}, methods={})
    memberships: dict[str, tuple[str, ...]] = {}
    organisms: dict[str, str] = {}

    def records() -> Iterator[tuple[str, Mapping[str, Any]]]:
        for start in range(0, len(wanted), SAMPLES_AT_A_TIME):
            chunk = wanted[start : start + SAMPLES_AT_A_TIME]
            memberships.update(_memberships(session, chunk, experiments))
            _add_contributions(session, chunk, found)
            for accession, record in _sample_records(session, chunk):
                organisms[accession] = record["refinebio_organism"]
                yield accession, record

    packed = PackedRecords(records())
    return DownloadMetadata(
        samples=packed,
        experiments=_experiments(session, memberships, organisms),
        memberships=memberships,
        contributed=found.by_sample(),
        methods=dict(sorted(found.methods.items())),
    )


def _sample_records(session: Session, accessions: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The samples that are there, in the order of the accessions."""
    query = (
        select(Sample, Organism.name.label("organism"), Platform.name.label("platform_name"))
        .add_columns(Platform.accession.label("platform_accession"), LedgerEntry.state)
        .outerjoin(Organism, Organism.id == Sample.organism_id)
        .outerjoin(Platform, Platform.id == Sample.platform_id)
        .outerjoin(
            LedgerEntry, (LedgerEntry.accession == Sample.accession) & (LedgerEntry.kind == LedgerKind.SAMPLE.value)
        )
    )
    rows = {row.Sample.accession: row for row in rows_where_in(session, query, Sample.accession, accessions)}
    ids = [row.Sample.id for row in rows.values()]
    values = _harmonized(session, ids)
    processors = _processors(session, [row.Sample for row in rows.values()])
    for accession in accessions:
        if accession in rows:
            sample_id = rows[accession].Sample.id
            yield accession, _sample_record(rows[accession], values[sample_id]) | processors.get(sample_id, {})


def _sample_record(row: Any, harmonized: Mapping[str, str]) -> dict[str, Any]:
    sample: Sample = row.Sample
    record = {
        "refinebio_accession_code": sample.accession,
        "refinebio_title": sample.title,
        "refinebio_organism": row.organism or "",
        "refinebio_source_database": sample.source,
        "refinebio_source_archive_url": sample.source_url or "",
        "refinebio_platform": pretty_platform(row.platform_name, row.platform_accession),
        "refinebio_technology": _TECHNOLOGY.get(sample.technology, sample.technology),
        "refinebio_processed": row.state == SampleState.PROCESSED.value,
        "refinebio_has_raw": sample.has_raw,
        "refinebio_annotations": [sample.annotations] if sample.annotations else [],
    }
    return record | {f"refinebio_{field}": harmonized.get(field, "") for field in HARMONIZED_FIELDS}


def _harmonized(session: Session, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Values with their units, by sample and field."""
    row = SampleHarmonizedValue
    query = select(row.sample_id, row.field, row.value, row.unit)
    values: dict[int, dict[str, str]] = defaultdict(dict)
    for sample, field, value, unit in rows_where_in(session, query, row.sample_id, ids):
        values[sample][field] = f"{value} {unit}" if unit else value
    return values


def _processors(session: Session, samples: Sequence[Sample]) -> dict[int, dict[str, Any]]:
    """What made each sample's expression.

    That is what made the values of an array, and of RNA-seq what made the expression of the experiment that owns the
    sample; if there is none of these, the other: a matrix that was imported, or the quantification.
    """
    owners = sorted({sample.owner_experiment_id for sample in samples})
    own = _newest_processors(session, ComputedFile.sample_id, [sample.id for sample in samples], _OF_SAMPLES)
    sequenced = _newest_processors(session, ComputedFile.experiment_id, owners, _RNA_SEQ_EXPRESSION)
    arrays = _newest_processors(session, ComputedFile.experiment_id, owners, _ARRAY_EXPRESSION)
    found = {}
    for sample in samples:
        of_sample, owner = own.get(sample.id), sample.owner_experiment_id
        of_rna_seq = sample.technology == Technology.RNA_SEQ.value
        found[sample.id] = sequenced.get(owner) or of_sample if of_rna_seq else of_sample or arrays.get(owner)
    return {sample: processor for sample, processor in found.items() if processor}


def _newest_processors(
    session: Session, column: Any, ids: Iterable[int], kinds: Sequence[ComputedFileKind]
) -> dict[int, dict[str, Any]]:
    query = (
        select(column.label("subject"), Processor.name, Processor.version)
        .join(ComputationalResult, ComputationalResult.id == ComputedFile.result_id)
        .join(Processor, Processor.id == ComputationalResult.processor_id)
        .where(ComputedFile.kind.in_([kind.value for kind in kinds]))
        .order_by(ComputedFile.id)
    )
    return {
        row.subject: {
            "refinebio_processor_id": _processor_number(row.name, row.version),
            "refinebio_processor_name": row.name,
            "refinebio_processor_version": row.version,
        }
        for row in rows_where_in(session, query, column, ids)
    }


def _processor_number(name: str, version: str) -> int:
    """The same in every catalog: numbers of rows depend on what was done first, and would make other versions."""
    return zlib.crc32(f"{name} {version}".encode())


def _memberships(
    session: Session, samples: Sequence[str], experiments: Collection[str] | None
) -> dict[str, tuple[str, ...]]:
    """Experiments of each sample, the one that owns it first, the others by accession."""
    query = (
        select(Sample.accession, Experiment.accession.label("experiment"))
        .add_columns((Sample.owner_experiment_id == Experiment.id).label("owns"))
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .join(Experiment, Experiment.id == ExperimentSample.experiment_id)
    )
    found: dict[str, list[tuple[bool, str]]] = defaultdict(list)
    for row in rows_where_in(session, query, Sample.accession, samples):
        if experiments is None or row.experiment in experiments:
            found[row.accession].append((not row.owns, row.experiment))
    return {sample: tuple(name for _, name in sorted(found[sample])) for sample in samples if sample in found}


def _experiments(
    session: Session, memberships: Mapping[str, tuple[str, ...]], organisms: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    members: dict[str, list[str]] = defaultdict(list)
    for sample, names in memberships.items():
        for name in names:
            members[name].append(sample)
    rows = rows_where_in(session, select(Experiment), Experiment.accession, sorted(members))
    return {
        row.Experiment.accession: _experiment_record(
            row.Experiment, sorted(members[row.Experiment.accession]), organisms
        )
        for row in sorted(rows, key=lambda row: row.Experiment.accession)
    }


def _experiment_record(experiment: Experiment, samples: list[str], organisms: Mapping[str, str]) -> dict[str, Any]:
    published = (experiment.pubmed_id, experiment.publication_doi, experiment.publication_title)
    return {
        "accession_code": experiment.accession,
        "title": experiment.title,
        "description": experiment.description,
        "organisms": sorted({organisms[sample] for sample in samples if organisms.get(sample)}),
        "sample_accession_codes": samples,
        "protocol_description": experiment.protocol or "",
        "technology": _TECHNOLOGY.get(experiment.technology, experiment.technology),
        "submitter_institution": experiment.institution or "",
        "has_publication": any(published),
        "publication_title": experiment.publication_title or "",
        "publication_doi": experiment.publication_doi or "",
        "pubmed_id": experiment.pubmed_id or "",
        "source_first_published": _midnight(experiment.first_published),
        "source_last_modified": _midnight(experiment.last_updated),
    }


def _midnight(day: date | None) -> str | None:
    return f"{day.isoformat()}T00:00:00" if day else None


def _add_contributions(session: Session, samples: Sequence[str], found: _Contributions) -> None:
    row = SampleAttribute
    of_contribution = (Contribution.source_name, Contribution.methods_url)
    query = (
        select(Sample.accession, *of_contribution, row.term_id, row.value_type, row.value, row.unit_id, row.probability)
        .join(row, row.sample_id == Sample.id)
        .join(Contribution, Contribution.id == row.contribution_id)
    )
    attributes = rows_where_in(session, query, Sample.accession, samples)
    query_keywords = (
        select(Sample.accession, *of_contribution, SampleKeyword.term_id)
        .join(SampleKeyword, SampleKeyword.sample_id == Sample.id)
        .join(Contribution, Contribution.id == SampleKeyword.contribution_id)
    )
    keywords = rows_where_in(session, query_keywords, Sample.accession, samples)
    labels = term_labels(session, _terms(attributes, keywords)) if attributes or keywords else {}
    for each in sorted(attributes, key=lambda each: (each.accession, each.source_name, each.term_id)):
        found.methods[each.source_name] = each.methods_url
        terms = found.attributes.setdefault(each.accession, {}).setdefault(each.source_name, {})
        label = labels.get(each.term_id, each.term_id)
        terms[each.term_id if label in terms else label] = _stated(each, labels)
    for each in sorted(keywords, key=lambda each: (each.accession, each.source_name, each.term_id)):
        found.methods[each.source_name] = each.methods_url
        names = found.keywords.setdefault(each.accession, {}).setdefault(each.source_name, [])
        names.append(labels.get(each.term_id, each.term_id))


def _terms(attributes: Iterable[Any], keywords: Iterable[Any]) -> list[str]:
    """Ids of all terms that are to be named."""
    named = {each.term_id for each in keywords}
    for each in attributes:
        named |= {each.term_id, each.unit_id} - {None}
        if each.value_type == "term":
            named.add(each.value)
    return sorted(named)


def _stated(row: Any, labels: Mapping[str, str]) -> dict[str, Any]:
    value = read_value(row.value, cast("ValueType", row.value_type))
    stated: dict[str, Any] = {"value": labels.get(row.value, row.value) if row.value_type == "term" else value}
    if row.unit_id is not None:
        stated["unit"] = labels.get(row.unit_id, row.unit_id)
    if row.probability is not None:
        stated["confidence"] = row.probability
    return stated
