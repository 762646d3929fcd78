"""Samples from the catalog, each list in one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from graphql_api.connections import PageRequest, Slice, page_of, pages_by_parent
from graphql_api.context import AnyRow, Reader, Statement, values_of
from graphql_api.nodes import global_id
from graphql_api.samples.filters import SampleFilter, SampleOrder, conditions, keyset
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import SampleState, SourceArchive, Technology
from resources.catalog.models import ExperimentSample, LedgerEntry, Sample, SampleAlias, SampleHarmonizedValue

if TYPE_CHECKING:
    from graphql_api.samples import types

SAMPLES: Statement = select(
    Sample.id.label("key"),
    Sample.organism_id.label("organism_key"),
    Sample.platform_id.label("platform_key"),
    Sample.accession,
    Sample.source,
    Sample.title,
    Sample.technology,
    Sample.run_accession,
    Sample.experiment_accession.label("archive_experiment_accession"),
    Sample.secondary_sample_accession,
    Sample.biosample_accession,
    Sample.library_strategy,
    Sample.library_source,
    Sample.library_selection,
    Sample.library_layout,
    Sample.has_raw,
    Sample.source_url,
    Sample.created_at,
    Sample.updated_at,
    LedgerEntry.state,
    LedgerEntry.reason,
    LedgerEntry.message,
).join(LedgerEntry, LedgerEntry.accession == Sample.accession, isouter=True)


def make_samples(rows: Iterable[AnyRow], siblings: Siblings[types.Sample] | None = None) -> list[types.Sample]:
    """Rows of ``SAMPLES`` as samples; all lists made with the same ``siblings`` load together."""
    from graphql_api.samples.types import Sample

    together = Siblings() if siblings is None else siblings
    made = []
    for row in rows:
        values = values_of(row)
        values["source"] = SourceArchive(row.source)
        values["technology"] = Technology(row.technology)
        values["state"] = None if row.state is None else SampleState(row.state)
        made.append(Sample(id=global_id("Sample", row.accession), siblings=together, **values))
    together.nodes += made
    return made


def samples_page(
    reader: Reader, wanted: SampleFilter | None, order: SampleOrder | None, page: PageRequest
) -> tuple[list[types.Sample], Slice[AnyRow]]:
    """One page of all samples that fit a filter."""
    found = page_of(reader, SAMPLES.where(*conditions(wanted)), keyset(order), page)
    return make_samples(found.rows), found


def count_samples(reader: Reader, wanted: SampleFilter | None) -> int:
    """Number of samples that fit a filter."""
    return int(reader.scalar(select(func.count()).select_from(Sample).where(*conditions(wanted))))


def samples_by_accession(reader: Reader, accessions: Iterable[str]) -> dict[str, types.Sample]:
    """Samples by their own accession."""
    rows = reader.rows_by_keys(accessions, lambda chunk: SAMPLES.where(Sample.accession.in_(chunk)))
    return {sample.accession: sample for sample in make_samples(rows)}


def samples_by_key(reader: Reader, keys: Iterable[int | None]) -> dict[int, types.Sample]:
    """Samples by their key."""
    rows = reader.rows_by_keys(keys, lambda chunk: SAMPLES.where(Sample.id.in_(chunk)))
    return {sample.key: sample for sample in make_samples(rows)}


def fitting_accessions(
    reader: Reader, accessions: Sequence[str], wanted: SampleFilter | None, order: SampleOrder | None
) -> list[str]:
    """Those of ``accessions`` that are samples and fit a filter, in the order given or in input order."""
    sort = keyset(order)
    fitting = sort.select(select(Sample.accession)).where(*conditions(wanted))
    rows = reader.rows_by_keys(accessions, lambda chunk: fitting.where(Sample.accession.in_(chunk)))
    if order is not None:
        return [row.accession for row in sorted(rows, key=lambda row: row[1:], reverse=sort.descending)]
    found = {row.accession for row in rows}
    return [accession for accession in accessions if accession in found]


def samples_of_experiments(
    reader: Reader,
    experiments: Sequence[int],
    wanted: SampleFilter | None,
    order: SampleOrder | None,
    page: PageRequest,
) -> Mapping[int, tuple[list[types.Sample], Slice[AnyRow]]]:
    """The first samples of each experiment, by the experiment's key."""
    member = ExperimentSample.experiment_id
    statement = SAMPLES.join(ExperimentSample, ExperimentSample.sample_id == Sample.id).where(*conditions(wanted))
    key_column = ExperimentSample.sample_id.expression
    found = pages_by_parent(
        reader,
        statement,
        parent=member.expression,
        parents=experiments,
        keyset=keyset(order, unique=key_column),
        page=page,
    )
    siblings: Siblings[types.Sample] = Siblings()
    return {key: (make_samples(part.rows, siblings), part) for key, part in found.items()}


def sample_counts(reader: Reader, experiments: Sequence[int], wanted: SampleFilter | None) -> dict[int, int]:
    """Number of samples that fit a filter, by the experiment's key."""
    member = ExperimentSample.experiment_id
    counted = select(member, func.count()).group_by(member)
    if limits := conditions(wanted):
        counted = counted.join(Sample, Sample.id == ExperimentSample.sample_id).where(*limits)
    rows = reader.rows_by_keys(experiments, lambda chunk: counted.where(member.in_(chunk)))
    return {key: count for key, count in rows}  # noqa: C416  rows are not pairs to a type checker


def aliases_of_samples(reader: Reader, samples: Sequence[int]) -> dict[int, list[str]]:
    """Other accessions of each sample, by its key."""
    listed = select(SampleAlias.sample_id, SampleAlias.alias).order_by(SampleAlias.alias)
    found: dict[int, list[str]] = defaultdict(list)
    for key, alias in reader.rows_by_keys(samples, lambda chunk: listed.where(SampleAlias.sample_id.in_(chunk))):
        found[key].append(alias)
    return found


def annotations_of_samples(reader: Reader, samples: Sequence[int]) -> dict[int, Any]:
    """Raw metadata of each sample, by its key."""
    rows = reader.rows_by_keys(samples, lambda chunk: select(Sample.id, Sample.annotations).where(Sample.id.in_(chunk)))
    return {key: annotations for key, annotations in rows}  # noqa: C416  rows are not pairs to a type checker


def harmonized_of_samples(reader: Reader, samples: Sequence[int]) -> dict[int, list[types.HarmonizedValue]]:
    """Harmonised values of each sample, by its key."""
    from graphql_api.samples.types import HarmonizedValue

    table = SampleHarmonizedValue
    listed = select(
        table.sample_id.label("loader_sample"),
        table.field,
        table.value,
        table.unit,
        table.ontology_term_id,
        table.raw_key,
        table.raw_value,
        table.rule,
    ).order_by(table.sample_id, table.field)
    found: dict[int, list[types.HarmonizedValue]] = defaultdict(list)
    for row in reader.rows_by_keys(samples, lambda chunk: listed.where(table.sample_id.in_(chunk))):
        found[row.loader_sample].append(HarmonizedValue(**values_of(row)))
    return found
