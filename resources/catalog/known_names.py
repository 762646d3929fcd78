"""Everything that the catalog has under some names: own accessions, aliases, and what superseded records lead to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, aliased

from refinebio_assets.domain.accessions import SourceArchive, own_archive
from refinebio_assets.domain.vocabulary import LedgerKind, SampleState
from resources.catalog.models import Experiment, ExperimentAlias, ExperimentSample, LedgerEntry, Sample, SampleAlias
from resources.catalog.statements import rows_where_in

LIBRARY_PREFIXES = ("SRX", "ERX", "DRX")


@dataclass(frozen=True, slots=True)
class Named:
    """A record that a name can stand for: whether it was surveyed, and whether its data is in other records."""

    surveyed: bool
    is_superseded: bool


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Experiments, or samples, by name.

    Args:
        own: Records of which the name is the own accession.
        carriers: Records that have the name as an alias, by accession.
        successors: Records that hold the data of the superseded record of that own accession, without having its name.
    """

    own: Mapping[str, Named] = field(default_factory=dict)
    carriers: Mapping[str, Mapping[str, Named]] = field(default_factory=dict)
    successors: Mapping[str, Mapping[str, Named]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """What names stand for."""

    experiments: KnownNames
    samples: KnownNames


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """Accessions that belong to experiments and samples, sorted."""

    members: Mapping[str, list[str]]
    experiments_of_sample: Mapping[str, list[str]]
    experiment_aliases: Mapping[str, list[str]]
    sample_aliases: Mapping[str, list[str]]


def look_up(session: Session, names: Iterable[str]) -> Names:
    """What each of the names stands for, in a number of statements that depends on chunks of 20,000 names."""
    wanted = sorted(set(names))
    own: dict[LedgerKind, dict[str, Named]] = {kind: {} for kind in LedgerKind}
    entries = select(LedgerEntry.accession, LedgerEntry.kind, LedgerEntry.state)
    for accession, kind, state in rows_where_in(session, entries, LedgerEntry.accession, wanted):
        own[LedgerKind(kind)][accession] = Named(surveyed=False, is_superseded=_is_superseded(state))
    for kind, model in ((LedgerKind.EXPERIMENT, Experiment), (LedgerKind.SAMPLE, Sample)):
        for (accession,) in rows_where_in(session, select(model.accession), model.accession, wanted):
            before = own[kind].get(accession)
            own[kind][accession] = Named(surveyed=True, is_superseded=before is not None and before.is_superseded)
    experiment_carriers = (
        select(ExperimentAlias.alias, Experiment.accession, LedgerEntry.state)
        .join_from(ExperimentAlias, Experiment)
        .outerjoin(LedgerEntry, LedgerEntry.accession == Experiment.accession)
    )
    sample_carriers = (
        select(SampleAlias.alias, Sample.accession, LedgerEntry.state)
        .join_from(SampleAlias, Sample)
        .outerjoin(LedgerEntry, LedgerEntry.accession == Sample.accession)
    )
    experiments, samples = own[LedgerKind.EXPERIMENT], own[LedgerKind.SAMPLE]
    return Names(
        experiments=KnownNames(
            experiments,
            _by_name(session, experiment_carriers, ExperimentAlias.alias, wanted),
            _studies_named_by(session, experiments),
        ),
        samples=KnownNames(
            samples,
            _by_name(session, sample_carriers, SampleAlias.alias, wanted),
            _runs_of_library(session, samples),
        ),
    )


def _is_superseded(state: str | None) -> bool:
    return state == SampleState.SUPERSEDED


def _by_name(
    session: Session, query: Select[*tuple[Any, ...]], column: Any, names: Iterable[str]
) -> dict[str, dict[str, Named]]:
    """Rows of name, accession and state as records by name and accession."""
    found: dict[str, dict[str, Named]] = defaultdict(dict)
    for name, accession, state in rows_where_in(session, query, column, names):
        found[name][accession] = Named(surveyed=True, is_superseded=_is_superseded(state))
    return dict(found)


def _studies_named_by(session: Session, own: Mapping[str, Named]) -> dict[str, dict[str, Named]]:
    """Surveyed studies of the sequence archives that superseded experiments have as alias."""
    superseded = sorted(accession for accession, one in own.items() if one.is_superseded and one.surveyed)
    study = aliased(Experiment)
    query = (
        select(Experiment.accession, study.accession, LedgerEntry.state)
        .join_from(Experiment, ExperimentAlias)
        .join(study, study.accession == ExperimentAlias.alias)
        .outerjoin(LedgerEntry, LedgerEntry.accession == study.accession)
    )
    found = _by_name(session, query, Experiment.accession, superseded)
    return {
        name: {accession: one for accession, one in studies.items() if own_archive(accession) is SourceArchive.SRA}
        for name, studies in found.items()
    }


def _runs_of_library(session: Session, own: Mapping[str, Named]) -> dict[str, dict[str, Named]]:
    """Samples that share the sequencing library (SRX) of superseded samples: its runs."""
    superseded = sorted(accession for accession, one in own.items() if one.is_superseded and one.surveyed)
    run, of_run = aliased(Sample), aliased(SampleAlias)
    query = (
        select(Sample.accession, run.accession, LedgerEntry.state)
        .join_from(Sample, SampleAlias)
        .join(of_run, of_run.alias == SampleAlias.alias)
        .join(run, run.id == of_run.sample_id)
        .outerjoin(LedgerEntry, LedgerEntry.accession == run.accession)
        .where(or_(*(SampleAlias.alias.startswith(prefix) for prefix in LIBRARY_PREFIXES)), run.id != Sample.id)
    )
    return _by_name(session, query, Sample.accession, superseded)


def relations_of(
    session: Session, *, experiments: Iterable[str], samples: Iterable[str], members: bool = True
) -> Relations:
    """Members, experiments and aliases of experiments and samples; without the experiments' members if so asked."""
    wanted_experiments, wanted_samples = sorted(experiments), sorted(samples)
    membership = (
        select(Experiment.accession, Sample.accession)
        .join_from(Experiment, ExperimentSample)
        .join(Sample, Sample.id == ExperimentSample.sample_id)
    )
    reverse = membership.with_only_columns(Sample.accession, Experiment.accession)
    of_experiments = select(Experiment.accession, ExperimentAlias.alias).join_from(Experiment, ExperimentAlias)
    of_samples = select(Sample.accession, SampleAlias.alias).join_from(Sample, SampleAlias)
    return Relations(
        members=_groups(session, membership, Experiment.accession, wanted_experiments if members else []),
        experiments_of_sample=_groups(session, reverse, Sample.accession, wanted_samples),
        experiment_aliases=_groups(session, of_experiments, Experiment.accession, wanted_experiments),
        sample_aliases=_groups(session, of_samples, Sample.accession, wanted_samples),
    )


def _groups(
    session: Session, query: Select[*tuple[Any, ...]], column: Any, values: Iterable[str]
) -> dict[str, list[str]]:
    """Second column by first column."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for name, accession in rows_where_in(session, query, column, values):
        grouped[name].append(accession)
    return dict(grouped)
