"""Experiments from the catalog, each list in one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from graphql_api.connections import PageRequest, Slice, page_of
from graphql_api.context import AnyRow, Reader, Statement, values_of
from graphql_api.experiments.filters import ExperimentFilter, ExperimentOrder, conditions, keyset
from graphql_api.nodes import global_id
from graphql_api.organisms.loaders import organisms_by_key, platforms_by_key
from graphql_api.scalars import texts
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import SampleState, SourceArchive, Technology
from resources.catalog import MetadataCoverage, summary
from resources.catalog.models import Experiment, ExperimentAlias, ExperimentSample, LedgerEntry, Sample

if TYPE_CHECKING:
    from graphql_api.experiments import types
    from graphql_api.organisms.types import Organism, Platform

EXPERIMENTS: Statement = select(
    Experiment.id.label("key"),
    Experiment.accession,
    Experiment.source,
    Experiment.title,
    Experiment.description,
    Experiment.technology,
    Experiment.institution,
    Experiment.protocol,
    Experiment.pubmed_id,
    Experiment.publication_doi,
    Experiment.publication_title,
    Experiment.publication_authors,
    Experiment.source_url,
    Experiment.first_published,
    Experiment.last_updated,
    Experiment.metadata_sha256,
    Experiment.created_at,
    Experiment.updated_at,
    LedgerEntry.state,
    LedgerEntry.reason,
    LedgerEntry.message,
).join(LedgerEntry, LedgerEntry.accession == Experiment.accession, isouter=True)


def make_experiments(rows: Iterable[AnyRow]) -> list[types.Experiment]:
    """Rows of ``EXPERIMENTS`` as siblings."""
    from graphql_api.experiments.types import Experiment

    siblings: Siblings[Experiment] = Siblings()
    for row in rows:
        values = values_of(row)
        values["source"] = SourceArchive(row.source)
        values["technology"] = Technology(row.technology)
        values["state"] = None if row.state is None else SampleState(row.state)
        values["publication_authors"] = texts(row.publication_authors)
        siblings.nodes.append(Experiment(id=global_id("Experiment", row.accession), siblings=siblings, **values))
    return siblings.nodes


def experiments_page(
    reader: Reader, wanted: ExperimentFilter | None, order: ExperimentOrder | None, page: PageRequest
) -> tuple[list[types.Experiment], Slice[AnyRow]]:
    """One page of all experiments that fit a filter."""
    found = page_of(reader, EXPERIMENTS.where(*conditions(wanted)), keyset(order), page)
    return make_experiments(found.rows), found


def count_experiments(reader: Reader, wanted: ExperimentFilter | None) -> int:
    """Number of experiments that fit a filter."""
    return int(reader.scalar(select(func.count()).select_from(Experiment).where(*conditions(wanted))))


def experiments_by_accession(reader: Reader, accessions: Iterable[str]) -> dict[str, types.Experiment]:
    """Experiments by their own accession."""
    rows = reader.rows_by_keys(accessions, lambda chunk: EXPERIMENTS.where(Experiment.accession.in_(chunk)))
    return {experiment.accession: experiment for experiment in make_experiments(rows)}


def experiments_by_key(reader: Reader, keys: Iterable[int | None]) -> dict[int, types.Experiment]:
    """Experiments by their key."""
    rows = reader.rows_by_keys(keys, lambda chunk: EXPERIMENTS.where(Experiment.id.in_(chunk)))
    return {experiment.key: experiment for experiment in make_experiments(rows)}


def fitting_accessions(
    reader: Reader, accessions: Sequence[str], wanted: ExperimentFilter | None, order: ExperimentOrder | None
) -> list[str]:
    """Those of ``accessions`` that are experiments and fit a filter, in the order given or in input order."""
    sort = keyset(order)
    fitting = sort.select(select(Experiment.accession)).where(*conditions(wanted))
    rows = reader.rows_by_keys(accessions, lambda chunk: fitting.where(Experiment.accession.in_(chunk)))
    if order is not None:
        return [row.accession for row in sorted(rows, key=lambda row: row[1:], reverse=sort.descending)]
    found = {row.accession for row in rows}
    return [accession for accession in accessions if accession in found]


def experiments_of_samples(reader: Reader, samples: Sequence[int]) -> dict[int, list[types.Experiment]]:
    """Experiments that each sample belongs to, by the sample's key."""
    members = select(ExperimentSample.sample_id, ExperimentSample.experiment_id).order_by(
        ExperimentSample.experiment_id
    )
    pairs = reader.rows_by_keys(samples, lambda chunk: members.where(ExperimentSample.sample_id.in_(chunk)))
    experiments = experiments_by_key(reader, [pair.experiment_id for pair in pairs])
    found: dict[int, list[types.Experiment]] = defaultdict(list)
    for sample, experiment in pairs:
        found[sample].append(experiments[experiment])
    return found


def aliases_of_experiments(reader: Reader, experiments: Sequence[int]) -> dict[int, list[str]]:
    """Other accessions of each experiment, by its key."""
    listed = select(ExperimentAlias.experiment_id, ExperimentAlias.alias).order_by(ExperimentAlias.alias)
    found: dict[int, list[str]] = defaultdict(list)
    rows = reader.rows_by_keys(experiments, lambda chunk: listed.where(ExperimentAlias.experiment_id.in_(chunk)))
    for key, alias in rows:
        found[key].append(alias)
    return found


def annotations_of_experiments(reader: Reader, experiments: Sequence[int]) -> dict[int, Any]:
    """Raw metadata of each experiment, by its key."""
    listed = select(Experiment.id, Experiment.annotations)
    rows = reader.rows_by_keys(experiments, lambda chunk: listed.where(Experiment.id.in_(chunk)))
    return {row.id: row.annotations for row in rows}


def coverage_of_experiments(reader: Reader, experiments: Sequence[int]) -> dict[int, MetadataCoverage]:
    """How much of each experiment's metadata is harmonised, by its key."""
    return reader.run(lambda session: summary.coverage_of_experiments(session, experiments))


def organisms_of_experiments(reader: Reader, experiments: Sequence[int]) -> dict[int, list[Organism]]:
    """Organisms of each experiment's samples, by the experiment's key."""
    pairs = _distinct(reader, Sample.organism_id, experiments)
    organisms = organisms_by_key(reader, [key for _, key in pairs])
    found: dict[int, list[Organism]] = defaultdict(list)
    for experiment, key in pairs:
        found[experiment].append(organisms[key])
    return found


def platforms_of_experiments(reader: Reader, experiments: Sequence[int]) -> dict[int, list[Platform]]:
    """Platforms of each experiment's samples, by the experiment's key."""
    pairs = _distinct(reader, Sample.platform_id, experiments)
    platforms = platforms_by_key(reader, [key for _, key in pairs])
    found: dict[int, list[Platform]] = defaultdict(list)
    for experiment, key in pairs:
        found[experiment].append(platforms[key])
    return found


def _distinct(reader: Reader, column: Any, experiments: Sequence[int]) -> list[tuple[int, int]]:
    member = ExperimentSample.experiment_id
    pairs = (
        select(member, column)
        .join(Sample, Sample.id == ExperimentSample.sample_id)
        .where(column.is_not(None))
        .distinct()
        .order_by(member, column)
    )
    rows = reader.rows_by_keys(experiments, lambda chunk: pairs.where(member.in_(chunk)))
    return [(row[0], row[1]) for row in rows]


def states_of_experiments(reader: Reader, experiments: Sequence[int]) -> dict[int, dict[str, int]]:
    """Samples by state of each experiment, by its key; samples without a ledger entry do not count."""
    member = ExperimentSample.experiment_id
    counted = (
        select(member, LedgerEntry.state, func.count())
        .join(Sample, Sample.id == ExperimentSample.sample_id)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .group_by(member, LedgerEntry.state)
        .order_by(member, LedgerEntry.state)
    )
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for key, state, count in reader.rows_by_keys(experiments, lambda chunk: counted.where(member.in_(chunk))):
        found[key][state] = count
    return found
