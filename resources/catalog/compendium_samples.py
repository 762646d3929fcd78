"""Samples of whole organisms: those that are processed, and how many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.vocabulary import ComputedFileKind, LedgerKind, SampleState, Technology
from resources.catalog.models import (
    ComputedFile,
    Experiment,
    ExperimentSample,
    LedgerEntry,
    Organism,
    Platform,
    Sample,
)
from resources.catalog.statements import rows_where_in


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumSample:
    """A processed sample.

    Attributes:
        accession: Of the sample.
        title: Its title.
        organism: UPPER_SNAKE.
        platform: Accession of its platform, if it is known.
        manufacturer: Of the platform.
        technology: How it was measured.
        has_raw: Whether it was processed from raw data.
        biosample: Accession of the biological sample, if it is known.
        experiments: Those that it belongs to, the owner first.
    """

    accession: str
    title: str
    organism: str
    platform: str | None
    manufacturer: str | None
    technology: Technology
    has_raw: bool
    biosample: str | None
    experiments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismCounts:
    """How many processed samples an organism has; ``quant_files`` counts samples with a quant file, processed or not.

    ``with_raw`` are those processed from raw data.
    """

    organism: str
    scientific_name: str
    taxonomy_id: int | None
    microarray: int
    rna_seq: int
    with_raw: int
    quant_files: int


def compendium_samples(
    session: Session, organisms: Sequence[str] | None, *, accessions: Sequence[str] | None = None
) -> list[CompendiumSample]:
    """Every processed sample, by accession: of organisms, of these accessions, or of both if both are named."""
    query = (
        select(
            Sample.id,
            Sample.accession,
            Sample.title,
            Sample.technology,
            Sample.has_raw,
            Sample.biosample_accession,
            Organism.name.label("organism"),
            Platform.accession.label("platform"),
            Platform.manufacturer,
            Experiment.accession.label("owner"),
        )
        .join(Organism, Organism.id == Sample.organism_id)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .join(Experiment, Experiment.id == Sample.owner_experiment_id)
        .outerjoin(Platform, Platform.id == Sample.platform_id)
        .where(LedgerEntry.state == SampleState.PROCESSED, LedgerEntry.kind == LedgerKind.SAMPLE)
    )
    if accessions is None:
        rows = rows_where_in(session, query, Organism.name, sorted(set(organisms or ())))
    else:
        if organisms is not None:
            query = query.where(Organism.name.in_(sorted(set(organisms))))
        rows = rows_where_in(session, query, Sample.accession, sorted(set(accessions)))
    members = _experiments_of(session, [row.id for row in rows])
    return sorted(
        (
            CompendiumSample(
                accession=row.accession,
                title=row.title,
                organism=row.organism,
                platform=row.platform,
                manufacturer=row.manufacturer,
                technology=Technology(row.technology),
                has_raw=row.has_raw,
                biosample=row.biosample_accession,
                experiments=(row.owner, *(one for one in members[row.id] if one != row.owner)),
            )
            for row in rows
        ),
        key=lambda sample: sample.accession,
    )


def _experiments_of(session: Session, sample_ids: Iterable[int]) -> defaultdict[int, list[str]]:
    query = select(ExperimentSample.sample_id, Experiment.accession).join(
        Experiment, Experiment.id == ExperimentSample.experiment_id
    )
    found: defaultdict[int, list[str]] = defaultdict(list)
    rows = rows_where_in(session, query, ExperimentSample.sample_id, sample_ids)
    for row in sorted(rows, key=lambda row: (row.sample_id, row.accession)):
        found[row.sample_id].append(row.accession)
    return found


def organism_counts(session: Session) -> list[OrganismCounts]:
    """Every organism that has a processed or quantified sample, by name; three statements however many there are."""
    processed = LedgerEntry.state == SampleState.PROCESSED
    counts = (
        select(
            Sample.organism_id,
            func.sum(case((processed & (Sample.technology == Technology.MICROARRAY), 1), else_=0)).label("microarray"),
            func.sum(case((processed & (Sample.technology == Technology.RNA_SEQ), 1), else_=0)).label("rna_seq"),
            func.sum(case((processed & Sample.has_raw, 1), else_=0)).label("with_raw"),
        )
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .where(LedgerEntry.state.in_([SampleState.PROCESSED, SampleState.QUANTIFIED]))
        .group_by(Sample.organism_id)
    )
    quants = (
        select(Sample.organism_id, func.count(ComputedFile.sample_id.distinct()).label("quant_files"))
        .join(ComputedFile, ComputedFile.sample_id == Sample.id)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .where(
            ComputedFile.kind == ComputedFileKind.QUANT_SF,
            LedgerEntry.state.in_([SampleState.PROCESSED, SampleState.QUANTIFIED]),
        )
        .group_by(Sample.organism_id)
    )
    with_quants = {row.organism_id: row.quant_files for row in session.execute(quants)}
    by_organism = {row.organism_id: row for row in session.execute(counts)}
    return [
        OrganismCounts(
            organism=organism.name,
            scientific_name=organism.scientific_name,
            taxonomy_id=organism.taxonomy_id,
            microarray=int(by_organism[organism.id].microarray),
            rna_seq=int(by_organism[organism.id].rna_seq),
            with_raw=int(by_organism[organism.id].with_raw),
            quant_files=int(with_quants.get(organism.id, 0)),
        )
        for organism in session.scalars(select(Organism).order_by(Organism.name))
        if organism.id in by_organism
    ]
