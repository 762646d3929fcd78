"""Which samples' expression is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from graphql_api.connections import Keyset
from graphql_api.samples.filters import HarmonizedFilter, SampleFilter, conditions
from graphql_api.vocabulary import SampleState, Technology
from resources.catalog.models import (
    ComputedFile,
    Experiment,
    ExperimentSample,
    ExpressionPart,
    LedgerEntry,
    Sample,
)
from resources.catalog.statements import is_one_of

KEYSET = Keyset(name="gene_expression", unique=Sample.id)


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class GeneExpressionFilter:
    """Conditions on samples whose expression is wanted."""

    organisms: list[str] | None = strawberry.field(
        default=None, description="Name, UPPER_SNAKE name or NCBI taxonomy id."
    )
    experiments: list[str] | None = strawberry.field(
        default=None, description="Accessions or aliases of experiments that the sample belongs to."
    )
    samples: list[str] | None = strawberry.field(default=None, description="Accessions or aliases of samples.")
    technologies: list[Technology] | None = None
    platforms: list[str] | None = strawberry.field(default=None, description="Accession or name.")
    harmonized: list[HarmonizedFilter] | None = None
    keywords: list[str] | None = strawberry.field(
        default=None,
        description="Ontology terms: a keyword of the sample is one of them, or is below one (liver and its parts).",
    )

    @property
    def names_organisms(self) -> bool:
        """Whether it says, if only by experiments or samples, which organisms are meant."""
        return not (self.organisms is None and self.experiments is None and self.samples is None)


def samples_with_expression(
    wanted: GeneExpressionFilter,
    *,
    session: Session,
    experiments: Sequence[str] | None,
    samples: Sequence[str] | None,
    organisms: Sequence[int] | None,
) -> list[ColumnElement[bool]]:
    """SQL conditions on ``Sample``: processed, of an experiment in the expression store, and as the filter says.

    Args:
        wanted: The filter.
        session: Of the request.
        experiments: Accessions of the experiments that it names.
        samples: Accessions of the samples that it names.
        organisms: Keys of the organisms that are meant.
    """
    found = conditions(
        SampleFilter(
            platforms=wanted.platforms,
            technologies=wanted.technologies,
            harmonized=wanted.harmonized,
            keywords=wanted.keywords,
        )
    )
    if experiments is not None:
        members = select(ExperimentSample.sample_id).join(Experiment, Experiment.id == ExperimentSample.experiment_id)
        found.append(Sample.id.in_(members.where(is_one_of(session, Experiment.accession, experiments))))
    if samples is not None:
        found.append(is_one_of(session, Sample.accession, samples))
    if organisms is not None:
        # Rows come in the order of their keys: the index of one organism has that order. That of several has not, and
        # is kept out by the sum, for with it all samples would be sorted before the first page.
        column = Sample.organism_id if len(organisms) == 1 else Sample.organism_id + 0
        found.append(column.in_(organisms))
    return [*found, _processed(), _in_the_store()]


def _processed() -> ColumnElement[bool]:
    entries = select(LedgerEntry.accession)
    return entries.where(LedgerEntry.accession == Sample.accession, LedgerEntry.state == SampleState.PROCESSED).exists()


def _in_the_store() -> ColumnElement[bool]:
    parts = (
        select(ExperimentSample.sample_id)
        .join(ComputedFile, ComputedFile.experiment_id == ExperimentSample.experiment_id)
        .join(ExpressionPart, ExpressionPart.computed_file_id == ComputedFile.id)
    )
    return parts.where(
        ExperimentSample.sample_id == Sample.id,
        ComputedFile.organism_id + 0 == Sample.organism_id,  # a sum, lest SQLite goes through all files of an organism
        ExpressionPart.technology == Sample.technology,
    ).exists()
