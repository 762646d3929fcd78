"""Which experiments are wanted, and in which order."""

from __future__ import annotations

from datetime import date
from enum import Enum

import strawberry
from sqlalchemy import ColumnElement, func, literal, select

from graphql_api.connections import Direction, Keyset
from graphql_api.organisms.filters import organism_ids, platform_ids
from graphql_api.samples.filters import HarmonizedFilter, in_ledger, with_value
from graphql_api.vocabulary import SampleState, SourceArchive, Technology
from refinebio_assets.domain.vocabulary import LedgerKind
from resources.catalog.models import Experiment, ExperimentSample, LedgerEntry, Sample


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class ExperimentFilter:
    """Conditions on experiments."""

    technologies: list[Technology] | None = None
    sources: list[SourceArchive] | None = None
    organisms: list[str] | None = strawberry.field(
        default=None, description="Organisms of at least one sample: name, UPPER_SNAKE name or NCBI taxonomy id."
    )
    platforms: list[str] | None = strawberry.field(
        default=None, description="Platforms of at least one sample: accession or name."
    )
    states: list[SampleState] | None = strawberry.field(default=None, description="State of the experiment itself.")
    sample_states: list[SampleState] | None = strawberry.field(
        default=None, description="State of at least one sample; `[PROCESSED]` finds experiments with expression."
    )
    reasons: list[str] | None = strawberry.field(
        default=None, description="Reason of the experiment's own state, as in the ledger."
    )
    sample_reasons: list[str] | None = strawberry.field(
        default=None, description="Reason of the state of at least one sample."
    )
    harmonized: list[HarmonizedFilter] | None = strawberry.field(
        default=None, description="Harmonised values of at least one sample, for each condition."
    )
    institutions: list[str] | None = None
    has_publication: bool | None = None
    published_since: date | None = None
    published_until: date | None = None
    contains: str | None = strawberry.field(
        default=None, description="Text in accession, title or description, in any letter case."
    )


@strawberry.enum(description="What experiments can be sorted by.")
class ExperimentOrderField(Enum):
    """What experiments can be sorted by."""

    ACCESSION = "accession"
    TITLE = "title"
    FIRST_PUBLISHED = "first_published"
    LAST_UPDATED = "last_updated"
    CREATED_AT = "created_at"


@strawberry.input(description="Sort order of experiments; dates that are not known come first.")
class ExperimentOrder:
    """Sort order of experiments."""

    field: ExperimentOrderField
    direction: Direction = Direction.ASC


def keyset(order: ExperimentOrder | None) -> Keyset:
    """The total order for ``order``; without one, the order in which the catalog learned of them."""
    if order is None:
        return Keyset(name="experiments", unique=Experiment.id)
    column = getattr(Experiment, order.field.value)
    if order.field in (ExperimentOrderField.FIRST_PUBLISHED, ExperimentOrderField.LAST_UPDATED):
        column = func.coalesce(column, literal(date.min))
    descending = order.direction is Direction.DESC
    return Keyset(name=f"experiments.{order.field.value}", unique=Experiment.id, sort=column, descending=descending)


def conditions(wanted: ExperimentFilter | None) -> list[ColumnElement[bool]]:
    """SQL conditions on ``Experiment``."""
    if wanted is None:
        return []
    return [*_of_the_study(wanted), *_of_its_samples(wanted)]


def _of_the_study(wanted: ExperimentFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.technologies is not None:
        found.append(Experiment.technology.in_([technology.value for technology in wanted.technologies]))
    if wanted.sources is not None:
        found.append(Experiment.source.in_([source.value for source in wanted.sources]))
    if wanted.institutions is not None:
        found.append(Experiment.institution.in_(wanted.institutions))
    if wanted.has_publication is not None:
        published = Experiment.pubmed_id.is_not(None) | Experiment.publication_doi.is_not(None)
        found.append(published if wanted.has_publication else ~published)
    if wanted.published_since is not None:
        found.append(Experiment.first_published >= wanted.published_since)
    if wanted.published_until is not None:
        found.append(Experiment.first_published <= wanted.published_until)
    if wanted.contains is not None:
        texts = (Experiment.accession, Experiment.title, Experiment.description)
        matches = [text.icontains(wanted.contains, autoescape=True) for text in texts]
        found.append(matches[0] | matches[1] | matches[2])
    if wanted.states is not None or wanted.reasons is not None:
        entries = select(LedgerEntry.accession).where(LedgerEntry.kind == LedgerKind.EXPERIMENT)
        found.append(Experiment.accession.in_(entries.where(*in_ledger(wanted.states, wanted.reasons))))
    return found


def _of_its_samples(wanted: ExperimentFilter) -> list[ColumnElement[bool]]:
    members = select(ExperimentSample.experiment_id).join(Sample, Sample.id == ExperimentSample.sample_id)
    found: list[ColumnElement[bool]] = []
    if wanted.organisms is not None:
        found.append(Experiment.id.in_(members.where(Sample.organism_id.in_(organism_ids(wanted.organisms)))))
    if wanted.platforms is not None:
        found.append(Experiment.id.in_(members.where(Sample.platform_id.in_(platform_ids(wanted.platforms)))))
    if wanted.sample_states is not None or wanted.sample_reasons is not None:
        joined = members.join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        found.append(Experiment.id.in_(joined.where(*in_ledger(wanted.sample_states, wanted.sample_reasons))))
    for harmonized in wanted.harmonized or ():
        with_it = select(ExperimentSample.experiment_id).where(ExperimentSample.sample_id.in_(with_value(harmonized)))
        found.append(Experiment.id.in_(with_it))
    return found
