"""Where the data of a superseded experiment is: the sequencing studies that hold the reads of its samples."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from refinebio_assets.domain.accessions import SourceArchive, own_archive
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog.models import Experiment, ExperimentAlias, ExperimentSample, LedgerEntry, Sample, SampleAlias


def linked_studies(session: Session, experiment: str) -> list[str]:
    """Studies of the sequence archives that hold reads of an experiment's samples, surveyed or not, by accession.

    Those that the experiment names itself; those surveyed that name it; and those with a run that names one of its
    superseded samples, or the sequencing library (SRX) of one. A study of the sequence archives has none.
    """
    if own_archive(experiment) is SourceArchive.SRA:
        return []
    aliases = select(ExperimentAlias.alias).join(Experiment).where(Experiment.accession == experiment)
    carriers = select(Experiment.accession).join(ExperimentAlias).where(ExperimentAlias.alias == experiment)
    named = [*session.scalars(aliases), *session.scalars(carriers), *_through_samples(session, experiment)]
    return sorted({name for name in named if own_archive(name) is SourceArchive.SRA})


def _through_samples(session: Session, experiment: str) -> list[str]:
    """Experiments of the runs that carry a superseded sample's accession, or share its library's."""
    own, run, study = aliased(Sample), aliased(Sample), aliased(Experiment)
    of_run, of_own = aliased(SampleAlias), aliased(SampleAlias)
    members = (
        select(own.id, own.accession)
        .join(ExperimentSample, ExperimentSample.sample_id == own.id)
        .join(Experiment, Experiment.id == ExperimentSample.experiment_id)
        .join(LedgerEntry, LedgerEntry.accession == own.accession)
        .where(Experiment.accession == experiment, LedgerEntry.state == SampleState.SUPERSEDED)
    ).subquery()
    libraries = (
        select(of_own.alias)
        .join(members, members.c.id == of_own.sample_id)
        .where(or_(*(of_own.alias.startswith(prefix) for prefix in ("SRX", "ERX", "DRX"))))
    )
    names = select(members.c.accession).union(libraries).subquery()
    query = (
        select(study.accession)
        .join(ExperimentSample, ExperimentSample.experiment_id == study.id)
        .join(run, run.id == ExperimentSample.sample_id)
        .join(of_run, of_run.sample_id == run.id)
        .join(names, names.c.accession == of_run.alias)
        .distinct()
    )
    return list(session.scalars(query))
