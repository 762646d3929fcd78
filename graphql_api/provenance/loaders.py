"""Processors and computational results from the catalog."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from graphql_api.connections import PageRequest, Slice, page_of
from graphql_api.context import AnyRow, Reader, Statement, values_of
from graphql_api.nodes import global_id
from graphql_api.provenance.filters import KEYSET, ComputationalResultFilter, conditions
from graphql_api.scalars import texts
from graphql_api.siblings import Siblings
from resources.catalog.models import ComputationalResult, Processor

if TYPE_CHECKING:
    from graphql_api.provenance import types

RESULTS: Statement = select(
    ComputationalResult.id.label("key"),
    ComputationalResult.processor_id.label("processor_key"),
    ComputationalResult.fingerprint,
    ComputationalResult.commands,
    ComputationalResult.parameters,
    ComputationalResult.inputs,
    ComputationalResult.metrics,
    ComputationalResult.code_version,
    ComputationalResult.run_id,
    ComputationalResult.started_at,
    ComputationalResult.finished_at,
)
PROCESSORS: Statement = select(
    Processor.id.label("loader_key"),
    Processor.name,
    Processor.version,
    Processor.environment,
    Processor.environment_sha256,
)


def make_results(rows: Iterable[AnyRow]) -> list[types.ComputationalResult]:
    """Rows of ``RESULTS`` as siblings."""
    from graphql_api.provenance.types import ComputationalResult

    siblings: Siblings[ComputationalResult] = Siblings()
    for row in rows:
        values = values_of(row)
        values["commands"] = texts(row.commands)
        made = ComputationalResult(id=global_id("ComputationalResult", row.key), siblings=siblings, **values)
        siblings.nodes.append(made)
    return siblings.nodes


def results_by_key(reader: Reader, keys: Iterable[int | None]) -> dict[int, types.ComputationalResult]:
    """Results by their key."""
    rows = reader.rows_by_keys(keys, lambda chunk: RESULTS.where(ComputationalResult.id.in_(chunk)))
    return {result.key: result for result in make_results(rows)}


def results_page(
    reader: Reader, wanted: ComputationalResultFilter | None, page: PageRequest
) -> tuple[list[types.ComputationalResult], Slice[AnyRow]]:
    """One page of the results that fit a filter."""
    found = page_of(reader, RESULTS.where(*conditions(wanted)), KEYSET, page)
    return make_results(found.rows), found


def count_results(reader: Reader, wanted: ComputationalResultFilter | None) -> int:
    """Number of results that fit a filter."""
    counted = select(func.count()).select_from(ComputationalResult).where(*conditions(wanted))
    return int(reader.scalar(counted))


def processors_by_key(reader: Reader, keys: Iterable[int | None]) -> dict[int, types.Processor]:
    """Processors by their key."""
    rows = reader.rows_by_keys(keys, lambda chunk: PROCESSORS.where(Processor.id.in_(chunk)))
    return {row.loader_key: make_processor(row) for row in rows}


def make_processor(row: AnyRow) -> types.Processor:
    """A row of ``PROCESSORS``."""
    from graphql_api.provenance import types

    values = values_of(row)
    return types.Processor(id=global_id("Processor", row.loader_key), **values)
