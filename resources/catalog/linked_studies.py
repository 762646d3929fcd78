"""Where the data of a superseded experiment is: the sequencing studies that hold the reads of its samples."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from refinebio_assets.domain.accessions import SourceArchive, own_archive
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog.known_names import LIBRARY_PREFIXES
from resources.catalog.models import Experiment, ExperimentAlias, ExperimentSample, LedgerEntry, Sample, SampleAlias
from resources.catalog.statements import rows_where_in


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
    members = (
        select(Sample.id, Sample.accession)
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .join(Experiment, Experiment.id == ExperimentSample.experiment_id)
        .where(Experiment.accession == experiment)
    )
    id_of = {row.accession: row.id for row in session.execute(members)}
    # Filtered here: SQLite would rather read all superseded entries than look these up.
    states = select(LedgerEntry.accession, LedgerEntry.state)
    entries = rows_where_in(session, states, LedgerEntry.accession, sorted(id_of))
    names = [entry.accession for entry in entries if entry.state == SampleState.SUPERSEDED]
    own_ids = sorted(id_of[name] for name in names)
    aliases = rows_where_in(session, select(SampleAlias.alias), SampleAlias.sample_id, own_ids)
    names += [alias for (alias,) in aliases if alias.startswith(LIBRARY_PREFIXES)]
    studies = (
        select(Experiment.accession)
        .join(ExperimentSample, ExperimentSample.experiment_id == Experiment.id)
        .join(SampleAlias, SampleAlias.sample_id == ExperimentSample.sample_id)
        .distinct()
    )
    return [study for (study,) in rows_where_in(session, studies, SampleAlias.alias, sorted(set(names)))]
