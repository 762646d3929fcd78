"""Which ledger entries are wanted."""

from __future__ import annotations

from datetime import UTC, datetime

import strawberry
from sqlalchemy import ColumnElement

from graphql_api.connections import Keyset
from graphql_api.vocabulary import LedgerKind, SampleState
from resources.catalog.models import LedgerEntry

KEYSET = Keyset(name="ledger", unique=LedgerEntry.accession)


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class LedgerFilter:
    """Conditions on ledger entries."""

    kinds: list[LedgerKind] | None = None
    states: list[SampleState] | None = None
    reasons: list[str] | None = None
    experiments: list[str] | None = strawberry.field(
        default=None, description="Accessions of the experiments whose partition processes them."
    )
    retryable: bool | None = None
    updated_since: datetime | None = strawberry.field(default=None, description="Without a zone it is taken as UTC.")


def conditions(wanted: LedgerFilter | None) -> list[ColumnElement[bool]]:
    """SQL conditions on ``LedgerEntry``."""
    if wanted is None:
        return []
    found: list[ColumnElement[bool]] = []
    if wanted.kinds is not None:
        found.append(LedgerEntry.kind.in_([kind.value for kind in wanted.kinds]))
    if wanted.states is not None:
        found.append(LedgerEntry.state.in_([state.value for state in wanted.states]))
    if wanted.reasons is not None:
        found.append(LedgerEntry.reason.in_(wanted.reasons))
    if wanted.experiments is not None:
        names = [accession.strip().upper() for accession in wanted.experiments]
        found.append(LedgerEntry.experiment_accession.in_(names))
    if wanted.retryable is not None:
        found.append(LedgerEntry.retryable.is_(wanted.retryable))
    if wanted.updated_since is not None:
        since = wanted.updated_since
        found.append(LedgerEntry.updated_at >= (since if since.tzinfo else since.replace(tzinfo=UTC)))
    return found
