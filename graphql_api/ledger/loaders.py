"""Ledger entries and their history from the catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from strawberry.scalars import JSON

from graphql_api.connections import PageRequest, Slice, page_of
from graphql_api.context import AnyRow, Reader, Statement, values_of
from graphql_api.ledger.filters import KEYSET, LedgerFilter, conditions
from graphql_api.nodes import global_id
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import LedgerKind, SampleState
from resources.catalog.models import LedgerEntry, LedgerHistory

if TYPE_CHECKING:
    from graphql_api.ledger import types

ENTRIES: Statement = select(
    LedgerEntry.accession,
    LedgerEntry.kind,
    LedgerEntry.experiment_accession,
    LedgerEntry.state,
    LedgerEntry.reason,
    LedgerEntry.message,
    LedgerEntry.retryable,
    LedgerEntry.attempts,
    LedgerEntry.input_fingerprint,
    LedgerEntry.run_id,
    LedgerEntry.tool_versions,
    LedgerEntry.updated_at,
)


def make_entries(rows: Iterable[AnyRow]) -> list[types.LedgerEntry]:
    """Rows of ``ENTRIES`` as siblings."""
    from graphql_api.ledger.types import LedgerEntry

    siblings: Siblings[LedgerEntry] = Siblings()
    for row in rows:
        values = values_of(row)
        values["kind"] = LedgerKind(row.kind)
        values["state"] = SampleState(row.state)
        siblings.nodes.append(LedgerEntry(id=global_id("LedgerEntry", row.accession), siblings=siblings, **values))
    return siblings.nodes


def entries_by_accession(reader: Reader, accessions: Iterable[str]) -> dict[str, types.LedgerEntry]:
    """Entries by accession."""
    rows = reader.rows_by_keys(accessions, lambda chunk: ENTRIES.where(LedgerEntry.accession.in_(chunk)))
    return {entry.accession: entry for entry in make_entries(rows)}


def entries_page(
    reader: Reader, wanted: LedgerFilter | None, page: PageRequest
) -> tuple[list[types.LedgerEntry], Slice[AnyRow]]:
    """One page of the entries that fit a filter."""
    found = page_of(reader, ENTRIES.where(*conditions(wanted)), KEYSET, page)
    return make_entries(found.rows), found


def count_entries(reader: Reader, wanted: LedgerFilter | None) -> int:
    """Number of entries that fit a filter."""
    return int(reader.scalar(select(func.count()).select_from(LedgerEntry).where(*conditions(wanted))))


def fitting_accessions(reader: Reader, accessions: Sequence[str], wanted: LedgerFilter | None) -> list[str]:
    """Those of ``accessions`` that have an entry and fit a filter, in input order."""
    fitting = select(LedgerEntry.accession).where(*conditions(wanted))
    rows = reader.rows_by_keys(accessions, lambda chunk: fitting.where(LedgerEntry.accession.in_(chunk)))
    found = {row.accession for row in rows}
    return [accession for accession in accessions if accession in found]


def history_by_accession(reader: Reader, accessions: Iterable[str]) -> dict[str, list[types.LedgerChange]]:
    """Every state of each accession, oldest first."""
    from graphql_api.ledger.types import LedgerChange

    table = LedgerHistory
    listed = select(
        table.accession, table.state, table.reason, table.message, table.run_id, table.tool_versions, table.at
    ).order_by(table.id)
    found: dict[str, list[types.LedgerChange]] = defaultdict(list)
    for row in reader.rows_by_keys(accessions, lambda chunk: listed.where(table.accession.in_(chunk))):
        change = LedgerChange(
            state=SampleState(row.state),
            reason=row.reason,
            message=row.message,
            run_id=row.run_id,
            tool_versions=JSON(row.tool_versions),
            at=row.at,
        )
        found[row.accession].append(change)
    return found
