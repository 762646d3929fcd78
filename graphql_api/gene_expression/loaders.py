"""Gene slices: which samples from the catalog, their values from the parts of the expression store that have them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from graphql_api.accessions.loaders import accessions_named
from graphql_api.connections import PageRequest, connect, page_of
from graphql_api.context import AnyRow, Reader, RequestContext, Statement
from graphql_api.gene_expression.filters import KEYSET, GeneExpressionFilter, samples_with_expression
from graphql_api.limits import MAX_GENES
from graphql_api.organisms.filters import organism_ids
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import Technology
from refinebio_assets.compendia.gene_slices import LOG2, GeneSpace, shortest_decimals
from refinebio_assets.compendia.slice_run import GeneSlices, SampleValues
from refinebio_assets.domain.errors import InputError
from resources.catalog.expression_parts import expression_parts
from resources.catalog.models import (
    ComputedFile,
    Experiment,
    ExperimentSample,
    ExpressionPart,
    Organism,
    Platform,
    Sample,
)
from resources.catalog.statements import is_one_of
from resources.object_store import ObjectStore

if TYPE_CHECKING:
    from graphql_api.accessions.types import Resolution
    from graphql_api.gene_expression import types

SAMPLES: Statement = (
    select(
        Sample.id.label("key"),
        Sample.accession,
        Sample.technology,
        Organism.name.label("organism"),
        Platform.accession.label("platform"),
        Experiment.accession.label("owner"),
    )
    .join(Organism, Organism.id == Sample.organism_id)
    .join(Experiment, Experiment.id == Sample.owner_experiment_id)
    .join(Platform, Platform.id == Sample.platform_id, isouter=True)
)
SPACES: Statement = (
    select(Organism.name, ExpressionPart.gene_space)
    .join_from(ExpressionPart, ComputedFile, ComputedFile.id == ExpressionPart.computed_file_id)
    .join(Organism, Organism.id == ComputedFile.organism_id)
    .distinct()
)


@lru_cache(maxsize=4)
def slices_of(store: ObjectStore) -> GeneSlices:
    """The reader of a store's gene slices, one for the process: it keeps which row of which file is which gene's."""
    return GeneSlices(store)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """What the accessions of a filter name."""

    experiments: list[str] | None
    samples: list[str] | None
    unresolved: list[Resolution]


def gene_expression(
    context: RequestContext, queries: Sequence[str], wanted: GeneExpressionFilter, page: PageRequest, *, log2: bool
) -> types.GeneExpressionConnection:
    """Genes of one page of the samples that fit a filter.

    Raises:
        InputError: There are no genes, too many, or an empty one.
        MalformedFileError: A part of the expression store is missing or damaged.
        ObjectStoreError: The object store failed.
    """
    from graphql_api.gene_expression.types import GeneExpressionConnection, SlicedGene

    _check(queries)
    reader, slices = context.reader, slices_of(context.downloads.store)
    named = _named(context, wanted)
    organisms = None if wanted.organisms is None else _organisms(reader, organism_ids(wanted.organisms))
    genes = slices.find(queries, _spaces(reader, wanted, named, organisms))
    if not wanted.names_organisms:
        names = set().union(*(gene.organisms for gene in genes))
        organisms = _organisms(reader, select(Organism.id).where(Organism.name.in_(names)))
    limits = samples_with_expression(
        wanted, session=reader.session, experiments=named.experiments, samples=named.samples, organisms=organisms
    )
    found = page_of(reader, SAMPLES.where(*limits), KEYSET, page)
    values = _values(reader, slices, found.rows, [gene.gene for gene in genes], named, log2=log2)
    return connect(
        GeneExpressionConnection,
        _nodes(found.rows, values, len(genes), log2=log2),
        found,
        page=page,
        count=lambda: int(reader.scalar(select(func.count()).select_from(Sample).where(*limits))),
        unresolved=named.unresolved,
        genes=[SlicedGene(query=gene.query, gene=gene.gene, found=gene.gene is not None) for gene in genes],
    )


def _check(queries: Sequence[str]) -> None:
    if not queries or not all(query.strip() for query in queries):
        message = "A gene slice needs genes." if not queries else "One of the genes is empty."
        raise InputError(message, remedy="Give Ensembl gene ids in `genes`.")
    if len(queries) > MAX_GENES:
        message = f"{len(queries)} genes are too many at once; {MAX_GENES} are allowed."
        raise InputError(message, remedy="Ask in several requests, or download the expression of the experiments.")


def _named(context: RequestContext, wanted: GeneExpressionFilter) -> _Named:
    experiments = samples = None
    unresolved: list[Resolution] = []
    if wanted.experiments is not None:
        experiments, missing = accessions_named(context, wanted.experiments, "experiments")
        unresolved += missing
    if wanted.samples is not None:
        samples, missing = accessions_named(context, wanted.samples, "samples")
        unresolved += missing
    return _Named(experiments=experiments, samples=samples, unresolved=unresolved)


def _organisms(reader: Reader, statement: Statement) -> list[int]:
    return [row[0] for row in reader.rows(statement)]


def _spaces(
    reader: Reader, wanted: GeneExpressionFilter, named: _Named, organisms: Sequence[int] | None
) -> set[GeneSpace]:
    """The gene spaces of the organisms, experiments and technologies that a filter names."""
    statement = SPACES
    if organisms is not None:
        statement = statement.where(ComputedFile.organism_id.in_(organisms))
    if wanted.technologies is not None:
        statement = statement.where(ExpressionPart.technology.in_([one.value for one in wanted.technologies]))
    if named.experiments is not None or named.samples is not None:
        statement = statement.where(ComputedFile.experiment_id.in_(_experiments_of(reader, named)))
    return {GeneSpace(*row) for row in reader.rows(statement)}


def _experiments_of(reader: Reader, named: _Named) -> Statement:
    """Keys of the experiments that are named, or have a sample that is named; where both are, those of the samples."""
    if named.samples is None:
        return select(Experiment.id).where(is_one_of(reader.session, Experiment.accession, named.experiments or []))
    members = select(ExperimentSample.experiment_id).join(Sample, Sample.id == ExperimentSample.sample_id)
    return members.where(is_one_of(reader.session, Sample.accession, named.samples))


def _values(
    reader: Reader,
    slices: GeneSlices,
    rows: Sequence[AnyRow],
    genes: Sequence[str | None],
    named: _Named,
    *,
    log2: bool,
) -> dict[str, SampleValues]:
    """Values by sample: of an experiment that is named if one has it, else of the sample's owner, else of any."""
    if not rows:
        return {}
    member = ExperimentSample.sample_id
    listed = select(member, Experiment.accession).join(Experiment, Experiment.id == ExperimentSample.experiment_id)
    pairs = reader.rows_by_keys([row.key for row in rows], lambda chunk: listed.where(member.in_(chunk)))
    preferred = _preferred(rows, pairs, named.experiments)
    organisms, experiments = {row.organism for row in rows}, {experiment for _, experiment in pairs}
    parts = reader.run(lambda session: expression_parts(session, sorted(organisms), experiments=sorted(experiments)))
    return slices.read(genes, parts, preferred, log2=log2, before_each=reader.check_deadline)


def _preferred(rows: Sequence[AnyRow], pairs: Sequence[AnyRow], experiments: Collection[str] | None) -> dict[str, str]:
    """The experiment that each sample is taken from if it can be."""
    wanted = set(experiments or ())
    of_sample = {key: experiment for key, experiment in pairs if experiment in wanted}
    return {row.accession: of_sample.get(row.key, row.owner) for row in rows}


def _nodes(
    rows: Sequence[AnyRow], values: dict[str, SampleValues], num_genes: int, *, log2: bool
) -> list[types.SampleExpression]:
    from graphql_api.gene_expression.types import ExpressionScale, SampleExpression

    siblings: Siblings[SampleExpression] = Siblings()
    for row in rows:
        there = values.get(row.accession)
        siblings.nodes.append(
            SampleExpression(
                siblings=siblings,
                accession=row.accession,
                experiment=None if there is None else there.part.experiment,
                organism=row.organism,
                technology=Technology(row.technology),
                platform=row.platform,
                scale=None if there is None else ExpressionScale(LOG2 if log2 else there.part.scale),
                values=[None] * num_genes if there is None else _plain(there),
            )
        )
    return siblings.nodes


def _plain(sample: SampleValues) -> list[float | None]:
    # only NaN differs from itself
    return [value if value == value else None for value in shortest_decimals(sample.values).tolist()]  # noqa: PLR0124
