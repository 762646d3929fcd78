"""Resolving accessions: from any name an archive gave to the experiments and samples of the catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.accessions import parse_accession
from refinebio_assets.domain.errors import UnsupportedAccessionError
from refinebio_assets.domain.vocabulary import LedgerKind
from resources.catalog.ledger_changes import read_entries
from resources.catalog.models import Experiment, ExperimentAlias, ExperimentSample, Sample, SampleAlias
from resources.catalog.statements import rows_where_in, storable_text

ResolutionOutcome = Literal["found", "not_found", "ambiguous", "unsupported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What one query names.

    Args:
        query: The text as it was asked.
        outcome: ``ambiguous`` if it names several experiments (a superseries, a project of several studies);
            ``unsupported`` if it follows no accession grammar.
        type: What kind of accession it is, None if unsupported.
        experiments: Canonical accessions of the experiments it names, or that have the samples it names.
        samples: Canonical accessions of the samples it names, or of the experiments it names.
        aliases: Further accessions of what it names.
        message: For people; None if found.
    """

    query: str
    outcome: ResolutionOutcome
    type: str | None = None
    experiments: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    message: str | None = None


@dataclass(frozen=True, slots=True)
class _Names:
    """Everything that the catalog has under the asked names."""

    experiments: dict[str, list[str]]
    samples: dict[str, list[str]]
    members: dict[str, list[str]]
    experiments_of_sample: dict[str, list[str]]
    experiment_aliases: dict[str, list[str]]
    sample_aliases: dict[str, list[str]]


def resolve(session: Session, queries: Sequence[str]) -> list[Resolution]:
    """Resolve queries in their order, with a number of statements that depends on chunks, not on queries."""
    spellings = {spelling for query in queries for spelling in _spellings(query)}
    names = _look_up(session, spellings)
    return [_resolution(query, names) for query in queries]


def _spellings(query: str) -> list[str]:
    """As written (accessions of ArrayExpress samples hold free text), and as archives write codes."""
    written = storable_text(query.strip())
    return list(dict.fromkeys([written, written.upper()]))


def _resolution(query: str, names: _Names) -> Resolution:
    for spelling in _spellings(query):
        if spelling in names.experiments:
            return _found_experiments(query, spelling, names)
        if spelling in names.samples:
            return _found_samples(query, spelling, names)
    try:
        accession = parse_accession(query)
    except UnsupportedAccessionError as error:
        return Resolution(query=query, outcome="unsupported", message=str(error))
    message = f"{accession} is not in the catalog. Survey it: refinebio survey {accession}"
    return Resolution(query=query, outcome="not_found", type=accession.type.value, message=message)


def _found_experiments(query: str, spelling: str, names: _Names) -> Resolution:
    experiments = names.experiments[spelling]
    several = len(experiments) > 1
    return Resolution(
        query=query,
        outcome="ambiguous" if several else "found",
        type=_type(spelling, "experiment"),
        experiments=experiments,
        samples=_union(names.members, experiments),
        aliases=[alias for alias in _union(names.experiment_aliases, experiments) if alias != spelling],
        message=f"{spelling} names {len(experiments)} experiments: {', '.join(experiments)}" if several else None,
    )


def _found_samples(query: str, spelling: str, names: _Names) -> Resolution:
    samples = names.samples[spelling]
    return Resolution(
        query=query,
        outcome="found",
        type=_type(spelling, "sample"),
        experiments=_union(names.experiments_of_sample, samples),
        samples=samples,
        aliases=[alias for alias in _union(names.sample_aliases, samples) if alias != spelling],
    )


def _type(spelling: str, otherwise: str) -> str:
    try:
        return parse_accession(spelling).type.value
    except UnsupportedAccessionError:
        return otherwise


def _union(groups: dict[str, list[str]], keys: Iterable[str]) -> list[str]:
    return sorted({value for key in keys for value in groups.get(key, [])})


def _look_up(session: Session, spellings: set[str]) -> _Names:
    own_experiments = _groups(
        session, select(Experiment.accession, Experiment.accession), Experiment.accession, spellings
    )
    by_alias = select(ExperimentAlias.alias, Experiment.accession).join_from(ExperimentAlias, Experiment)
    experiments = _groups(session, by_alias, ExperimentAlias.alias, spellings) | own_experiments
    own_samples = _groups(session, select(Sample.accession, Sample.accession), Sample.accession, spellings)
    by_sample_alias = select(SampleAlias.alias, Sample.accession).join_from(SampleAlias, Sample)
    samples = _groups(session, by_sample_alias, SampleAlias.alias, spellings) | own_samples
    for accession, entry in read_entries(session, spellings - experiments.keys() - samples.keys()).items():
        if entry.kind is LedgerKind.EXPERIMENT:
            experiments[accession] = [accession]
        else:
            samples[accession] = [accession]
    return _with_relations(session, experiments, samples)


def _with_relations(session: Session, experiments: dict[str, list[str]], samples: dict[str, list[str]]) -> _Names:
    experiment_accessions = {one for group in experiments.values() for one in group}
    sample_accessions = {one for group in samples.values() for one in group}
    membership = (
        select(Experiment.accession, Sample.accession)
        .join_from(Experiment, ExperimentSample)
        .join(Sample, Sample.id == ExperimentSample.sample_id)
    )
    reverse = membership.with_only_columns(Sample.accession, Experiment.accession)
    return _Names(
        experiments=experiments,
        samples=samples,
        members=_groups(session, membership, Experiment.accession, experiment_accessions),
        experiments_of_sample=_groups(session, reverse, Sample.accession, sample_accessions),
        experiment_aliases=_groups(
            session,
            select(Experiment.accession, ExperimentAlias.alias).join_from(Experiment, ExperimentAlias),
            Experiment.accession,
            experiment_accessions,
        ),
        sample_aliases=_groups(
            session,
            select(Sample.accession, SampleAlias.alias).join_from(Sample, SampleAlias),
            Sample.accession,
            sample_accessions,
        ),
    )


def _groups(
    session: Session, query: Select[*tuple[Any, ...]], column: Any, values: Iterable[str]
) -> dict[str, list[str]]:
    """Second column by first column, sorted."""
    grouped: dict[str, set[str]] = defaultdict(set)
    for name, accession in rows_where_in(session, query, column, sorted(values)):
        grouped[name].add(accession)
    return {name: sorted(accessions) for name, accessions in grouped.items()}
