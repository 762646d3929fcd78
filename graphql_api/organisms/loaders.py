"""Organisms and platforms from the catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from graphql_api.context import AnyRow, Reader, Statement, values_of
from graphql_api.nodes import global_id
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import Technology
from resources.catalog import models
from resources.catalog.models import ExperimentSample, LedgerEntry, Sample

if TYPE_CHECKING:
    from graphql_api.organisms.types import Organism, Platform

ORGANISMS: Statement = select(
    models.Organism.id.label("key"),
    models.Organism.name,
    models.Organism.scientific_name,
    models.Organism.taxonomy_id,
)
PLATFORMS: Statement = select(
    models.Platform.id.label("key"),
    models.Platform.accession,
    models.Platform.name,
    models.Platform.manufacturer,
    models.Platform.technology,
)


def make_organisms(rows: Iterable[AnyRow]) -> list[Organism]:
    """Rows of ``ORGANISMS`` as siblings."""
    from graphql_api.organisms.types import Organism

    siblings: Siblings[Organism] = Siblings()
    siblings.nodes = [Organism(id=global_id("Organism", row.name), siblings=siblings, **values_of(row)) for row in rows]
    return siblings.nodes


def make_platforms(rows: Iterable[AnyRow]) -> list[Platform]:
    """Rows of ``PLATFORMS`` as siblings."""
    from graphql_api.organisms.types import Platform

    siblings: Siblings[Platform] = Siblings()
    siblings.nodes = [
        Platform(
            id=global_id("Platform", row.accession),
            siblings=siblings,
            **{**values_of(row), "technology": Technology(row.technology)},
        )
        for row in rows
    ]
    return siblings.nodes


def organisms_by_key(reader: Reader, keys: Iterable[int | None]) -> dict[int, Organism]:
    """Organisms by their key."""
    rows = reader.rows_by_keys(keys, lambda chunk: ORGANISMS.where(models.Organism.id.in_(chunk)))
    return {organism.key: organism for organism in make_organisms(rows)}


def organisms_by_name(reader: Reader, names: Iterable[str]) -> dict[str, Organism]:
    """Organisms by their UPPER_SNAKE name."""
    rows = reader.rows_by_keys(names, lambda chunk: ORGANISMS.where(models.Organism.name.in_(chunk)))
    return {organism.name: organism for organism in make_organisms(rows)}


def platforms_by_key(reader: Reader, keys: Iterable[int | None]) -> dict[int, Platform]:
    """Platforms by their key."""
    rows = reader.rows_by_keys(keys, lambda chunk: PLATFORMS.where(models.Platform.id.in_(chunk)))
    return {platform.key: platform for platform in make_platforms(rows)}


def platforms_by_accession(reader: Reader, accessions: Iterable[str]) -> dict[str, Platform]:
    """Platforms by their accession."""
    rows = reader.rows_by_keys(accessions, lambda chunk: PLATFORMS.where(models.Platform.accession.in_(chunk)))
    return {platform.accession: platform for platform in make_platforms(rows)}


def sample_states(reader: Reader, organisms: Sequence[Organism]) -> dict[int, dict[str | None, int]]:
    """Samples by state of each organism."""
    counted = (
        select(Sample.organism_id, LedgerEntry.state, func.count())
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession, isouter=True)
        .group_by(Sample.organism_id, LedgerEntry.state)
    )
    found: dict[int, dict[str | None, int]] = defaultdict(dict)
    keys = [organism.key for organism in organisms]
    for key, state, count in reader.rows_by_keys(keys, lambda chunk: counted.where(Sample.organism_id.in_(chunk))):
        found[key][state] = count
    return found


def experiment_counts(reader: Reader, organisms: Sequence[Organism]) -> dict[int, int]:
    """Number of experiments with at least one sample of each organism."""
    counted = (
        select(Sample.organism_id, func.count(ExperimentSample.experiment_id.distinct()))
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .group_by(Sample.organism_id)
    )
    keys = [organism.key for organism in organisms]
    rows = reader.rows_by_keys(keys, lambda chunk: counted.where(Sample.organism_id.in_(chunk)))
    return {key: count for key, count in rows}  # noqa: C416  rows are not pairs to a type checker


def platform_sample_counts(reader: Reader, platforms: Sequence[Platform]) -> dict[int, int]:
    """Number of samples of each platform."""
    counted = select(Sample.platform_id, func.count()).group_by(Sample.platform_id)
    keys = [platform.key for platform in platforms]
    rows = reader.rows_by_keys(keys, lambda chunk: counted.where(Sample.platform_id.in_(chunk)))
    return {key: count for key, count in rows}  # noqa: C416  rows are not pairs to a type checker
