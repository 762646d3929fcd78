"""Which experiments samples belong to, and which of them owns a sample: processes it for all."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from resources.catalog.models import Experiment, ExperimentSample, LedgerEntry, Sample
from resources.catalog.statements import chunks


def unlink(session: Session, experiment_id: int, sample_ids: Sequence[int]) -> None:
    """End the membership of samples in an experiment."""
    for chunk in chunks(sample_ids):
        session.execute(
            delete(ExperimentSample).where(
                ExperimentSample.experiment_id == experiment_id, ExperimentSample.sample_id.in_(chunk)
            )
        )


def hand_over(session: Session, samples: Sequence[str], experiment_id: int) -> None:
    """Make another experiment the owner of samples."""
    owner = select(Experiment.accession).where(Experiment.id == experiment_id).scalar_subquery()
    for chunk in chunks(sorted(samples)):
        session.execute(update(Sample).where(Sample.accession.in_(chunk)).values(owner_experiment_id=experiment_id))
        session.execute(
            update(LedgerEntry)
            .where(LedgerEntry.accession.in_(chunk))
            .values(experiment_accession=owner)
            .execution_options(synchronize_session=False)
        )
