"""The quant files of a whole organism."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from refinebio_assets.domain.vocabulary import ComputedFileKind, LedgerKind, SampleState, Technology
from resources.catalog.computed_files import newest_file_of_sample
from resources.catalog.models import Experiment, LedgerEntry, Organism, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismQuantFile:
    """An RNA-seq sample that is quantified or processed, and its quant file.

    Attributes:
        sample: Accession of the sample.
        experiment: Accession of the experiment that owns it.
        title: Its title.
        has_raw: Whether it was processed from raw data.
        key: Where the file lies in the object store; None if there is none (an imported matrix).
        sha256: Of the stored file.
        size_bytes: Of the stored file.
    """

    sample: str
    experiment: str
    title: str
    has_raw: bool
    key: str | None
    sha256: str | None
    size_bytes: int


def organism_quant_files(session: Session, organism: str) -> list[OrganismQuantFile]:
    """Every RNA-seq sample of an organism that is quantified or processed, by experiment and sample."""
    query = (
        select(Sample.id, Sample.accession, Sample.title, Sample.has_raw, Experiment.accession.label("experiment"))
        .join(Organism, Organism.id == Sample.organism_id)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .join(Experiment, Experiment.id == Sample.owner_experiment_id)
        .where(
            Organism.name == organism,
            Sample.technology == Technology.RNA_SEQ,
            LedgerEntry.kind == LedgerKind.SAMPLE,
            LedgerEntry.state.in_([SampleState.PROCESSED, SampleState.QUANTIFIED]),
        )
    )
    rows = session.execute(query).all()
    files = newest_file_of_sample(session, [row.id for row in rows], ComputedFileKind.QUANT_SF)
    found = []
    for row in rows:
        file = files.get(row.id)
        found.append(
            OrganismQuantFile(
                sample=row.accession,
                experiment=row.experiment,
                title=row.title,
                has_raw=row.has_raw,
                key=file.key if file is not None else None,
                sha256=file.sha256 if file is not None else None,
                size_bytes=file.size_bytes if file is not None else 0,
            )
        )
    return sorted(found, key=lambda one: (one.experiment, one.sample))
