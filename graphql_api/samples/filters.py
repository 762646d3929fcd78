"""Which samples are wanted, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import strawberry
from sqlalchemy import ColumnElement, func, or_, select

from graphql_api.connections import Column, Direction, Keyset
from graphql_api.context import Statement
from graphql_api.metadata.filters import samples_with_keywords
from graphql_api.organisms.filters import organism_ids, platform_ids
from graphql_api.vocabulary import SampleState, SourceArchive, Technology
from refinebio_assets.domain.accessions import mirror_name
from refinebio_assets.domain.errors import InputError
from refinebio_assets.domain.vocabulary import HARMONIZED_FIELDS
from resources.catalog.models import (
    Experiment,
    ExperimentAlias,
    ExperimentSample,
    LedgerEntry,
    Sample,
    SampleHarmonizedValue,
)


@strawberry.input(description="A harmonised field with one of these values, in any letter case.")
class HarmonizedFilter:
    """A harmonised field with one of these values."""

    field: str = strawberry.field(description="Name of the field: sex, age, specimen_part, disease, treatment …")
    values: list[str] | None = strawberry.field(default=None, description="Without them any value will do.")


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class SampleFilter:
    """Conditions on samples."""

    experiments: list[str] | None = strawberry.field(
        default=None, description="Accessions or aliases of experiments that the sample belongs to."
    )
    organisms: list[str] | None = strawberry.field(
        default=None, description="Name, UPPER_SNAKE name or NCBI taxonomy id."
    )
    platforms: list[str] | None = strawberry.field(default=None, description="Accession or name.")
    technologies: list[Technology] | None = None
    sources: list[SourceArchive] | None = None
    states: list[SampleState] | None = None
    reasons: list[str] | None = strawberry.field(default=None, description="Reasons as in the ledger.")
    has_raw: bool | None = None
    library_strategies: list[str] | None = None
    library_layouts: list[str] | None = None
    harmonized: list[HarmonizedFilter] | None = None
    keywords: list[str] | None = strawberry.field(
        default=None,
        description="Ontology terms: a keyword of the sample is one of them, or is below one (liver and its parts).",
    )
    contains: str | None = strawberry.field(
        default=None, description="Text in accession, title or a harmonised value, in any letter case."
    )


@strawberry.enum(description="What samples can be sorted by.")
class SampleOrderField(Enum):
    """What samples can be sorted by."""

    ACCESSION = "accession"
    TITLE = "title"
    CREATED_AT = "created_at"


@strawberry.input(description="Sort order of samples.")
class SampleOrder:
    """Sort order of samples."""

    field: SampleOrderField
    direction: Direction = Direction.ASC


def keyset(order: SampleOrder | None, *, unique: Column | None = None) -> Keyset:
    """The total order for ``order``; without one, the order in which the catalog learned of them.

    Args:
        order: What the client asked for.
        unique: Another column with the sample's id, whose index serves the statement better.
    """
    column = Sample.id if unique is None else unique
    if order is None:
        return Keyset(name="samples", unique=column)
    descending = order.direction is Direction.DESC
    sort = getattr(Sample, order.field.value)
    return Keyset(name=f"samples.{order.field.value}", unique=column, sort=sort, descending=descending)


def conditions(wanted: SampleFilter | None) -> list[ColumnElement[bool]]:
    """SQL conditions on ``Sample``."""
    if wanted is None:
        return []
    return [*_of_its_columns(wanted), *_of_its_relations(wanted)]


def _of_its_columns(wanted: SampleFilter) -> list[ColumnElement[bool]]:
    lists: tuple[tuple[Column, Sequence[str] | None], ...] = (
        (Sample.technology, wanted.technologies),
        (Sample.source, wanted.sources),
        (Sample.library_strategy, wanted.library_strategies),
        (Sample.library_layout, wanted.library_layouts),
    )
    found: list[ColumnElement[bool]] = [
        column.in_([str(value) for value in values]) for column, values in lists if values is not None
    ]
    if wanted.has_raw is not None:
        found.append(Sample.has_raw.is_(wanted.has_raw))
    return found


def _of_its_relations(wanted: SampleFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.experiments is not None:
        found.append(Sample.id.in_(_members(wanted.experiments)))
    if wanted.organisms is not None:
        found.append(Sample.organism_id.in_(organism_ids(wanted.organisms)))
    if wanted.platforms is not None:
        found.append(Sample.platform_id.in_(platform_ids(wanted.platforms)))
    if wanted.states is not None or wanted.reasons is not None:
        entries = select(LedgerEntry.accession)
        found.append(Sample.accession.in_(entries.where(*in_ledger(wanted.states, wanted.reasons))))
    found += [Sample.id.in_(with_value(harmonized)) for harmonized in wanted.harmonized or ()]
    if wanted.keywords is not None:
        found.append(Sample.id.in_(samples_with_keywords(wanted.keywords)))
    if wanted.contains is not None:
        values = select(SampleHarmonizedValue.sample_id)
        in_values = values.where(SampleHarmonizedValue.value.icontains(wanted.contains, autoescape=True))
        in_texts = [text.icontains(wanted.contains, autoescape=True) for text in (Sample.accession, Sample.title)]
        found.append(or_(*in_texts, Sample.id.in_(in_values)))
    return found


def _members(accessions: Sequence[str]) -> Statement:
    written = [accession.strip().upper() for accession in accessions]
    names = [*written, *filter(None, map(mirror_name, written))]
    aliased = select(ExperimentAlias.experiment_id).where(ExperimentAlias.alias.in_(names))
    experiments = select(Experiment.id).where(or_(Experiment.accession.in_(names), Experiment.id.in_(aliased)))
    return select(ExperimentSample.sample_id).where(ExperimentSample.experiment_id.in_(experiments))


def with_value(wanted: HarmonizedFilter) -> Statement:
    """Keys of the samples with such a harmonised value.

    Raises:
        InputError: There is no such field.
    """
    if wanted.field not in HARMONIZED_FIELDS:
        message = f"{wanted.field!r} is no harmonised field."
        raise InputError(message, remedy=f"These are: {', '.join(HARMONIZED_FIELDS)}.")
    table = SampleHarmonizedValue
    named = select(table.sample_id).where(table.field == wanted.field)
    if wanted.values is None:
        return named
    return named.where(func.lower(table.value).in_([value.lower() for value in wanted.values]))


def in_ledger(states: Sequence[SampleState] | None, reasons: Sequence[str] | None) -> list[ColumnElement[bool]]:
    """SQL conditions on ``LedgerEntry``."""
    found: list[ColumnElement[bool]] = []
    if states is not None:
        found.append(LedgerEntry.state.in_([state.value for state in states]))
    if reasons is not None:
        found.append(LedgerEntry.reason.in_(reasons))
    return found
