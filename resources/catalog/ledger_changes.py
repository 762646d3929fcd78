"""Writing the ledger: one present state per accession, and every change kept in the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import INELIGIBLE_STATES, LedgerKind, SampleState
from resources.catalog.models import LedgerEntry, LedgerHistory, now
from resources.catalog.statements import insert_missing, plain_json, rows_where_in, storable_text, upsert

STATES_WITHOUT_RESULT = INELIGIBLE_STATES | {SampleState.DISCOVERED, SampleState.SURVEYED}
"""States in which nothing computed counts any more: fingerprint and tools of an earlier result are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A new state for an accession.

    Args:
        accession: What changes.
        kind: Experiment or sample.
        experiment_accession: The experiment that owns it. Only used while the ledger knows no owner: ownership is
            decided by the survey, not by whoever reports progress.
        decision: State, reason and message.
        retryable: Whether trying again can help.
        run_id: The Dagster run that brought it there.
        tool_versions: Tools that brought it there; empty keeps those known, as long as a result is left.
        input_fingerprint: Fingerprint of the inputs, index and tools; None keeps the one known, as long as a result is
            left.
        attempted: Whether work was tried; counts in ``attempts``.
        forget_attempts: Start counting at 0 again, because the inputs are new.
        not_from: States that the change must not overwrite: whoever works on a sample for hours must not undo what a
            survey found meanwhile. Looked at in the transaction that writes.
    """

    accession: str
    kind: LedgerKind
    experiment_accession: str | None
    decision: LedgerDecision
    retryable: bool = False
    run_id: str | None = None
    tool_versions: Mapping[str, Any] = field(default_factory=dict)
    input_fingerprint: str | None = None
    attempted: bool = False
    forget_attempts: bool = False
    not_from: frozenset[SampleState] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """The present state of an accession (see :class:`resources.catalog.models.LedgerEntry`)."""

    accession: str
    kind: LedgerKind
    experiment_accession: str | None
    state: SampleState
    reason: str
    message: str
    retryable: bool
    attempts: int
    input_fingerprint: str | None
    run_id: str | None
    tool_versions: Mapping[str, Any]
    updated_at: datetime


def ledger_row(entry: LedgerEntry) -> LedgerRow:
    """An entry, detached from its session."""
    return LedgerRow(
        accession=entry.accession,
        kind=LedgerKind(entry.kind),
        experiment_accession=entry.experiment_accession,
        state=SampleState(entry.state),
        reason=entry.reason,
        message=entry.message,
        retryable=entry.retryable,
        attempts=entry.attempts,
        input_fingerprint=entry.input_fingerprint,
        run_id=entry.run_id,
        tool_versions=entry.tool_versions,
        updated_at=entry.updated_at,
    )


def read_entries(session: Session, accessions: Iterable[str], *, lock: bool = False) -> dict[str, LedgerRow]:
    """Ledger entries by accession; unknown accessions are absent.

    ``lock`` keeps them from other writers until the end of the transaction (PostgreSQL; SQLite has one writer anyway).
    """
    query = select(LedgerEntry).order_by(LedgerEntry.accession)
    if lock:
        query = query.with_for_update()
    rows = rows_where_in(
        session, query.execution_options(populate_existing=True), LedgerEntry.accession, sorted(set(accessions))
    )
    return {entry.accession: ledger_row(entry) for (entry,) in rows}


def apply_changes(session: Session, changes: Sequence[StateChange]) -> list[LedgerRow]:
    """Write the changes in their order; changes that change nothing leave no trace.

    Returns:
        The entries that changed, as they are now.
    """
    present = read_entries(session, (change.accession for change in changes), lock=True)
    moment = now()
    steps: list[LedgerRow] = []
    for change in changes:
        before = present.get(change.accession)
        if before is not None and before.state in change.not_from:
            continue
        after = _after(before, change, moment)
        if after != before:
            present[change.accession] = after
            steps.append(after)
    changed = list({row.accession: present[row.accession] for row in steps}.values())
    upsert(session, LedgerEntry, [_entry_columns(row) for row in changed], key=["accession"])
    _append_history(session, steps)
    return changed


def _after(before: LedgerRow | None, change: StateChange, moment: datetime) -> LedgerRow:
    """The entry after a change; equal to ``before`` if the change changes nothing."""
    after = LedgerRow(
        accession=change.accession,
        kind=change.kind,
        experiment_accession=(before and before.experiment_accession) or change.experiment_accession,
        state=change.decision.state,
        reason=change.decision.reason,
        message=storable_text(change.decision.message),
        retryable=change.retryable,
        attempts=_attempts(before, change),
        input_fingerprint=change.input_fingerprint,
        run_id=change.run_id,
        tool_versions=plain_json(change.tool_versions),
        updated_at=moment,
    )
    if before is None:
        return after
    if change.decision.state not in STATES_WITHOUT_RESULT:
        after = replace(
            after,
            input_fingerprint=after.input_fingerprint or before.input_fingerprint,
            tool_versions=after.tool_versions or before.tool_versions,
        )
    same = replace(after, run_id=before.run_id, updated_at=before.updated_at) == before
    return before if same else after


def _attempts(before: LedgerRow | None, change: StateChange) -> int:
    earlier = 0 if before is None or change.forget_attempts else before.attempts
    return earlier + int(change.attempted)


def _entry_columns(row: LedgerRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in LedgerRow.__slots__}


def _append_history(session: Session, steps: Sequence[LedgerRow]) -> None:
    if not steps:
        return
    session.execute(
        LedgerHistory.__table__.insert(),  # type: ignore[attr-defined]  # declared FromClause, is a Table
        [
            {
                "accession": row.accession,
                "state": row.state,
                "reason": row.reason,
                "message": row.message,
                "run_id": row.run_id,
                "tool_versions": row.tool_versions,
                "at": row.updated_at,
            }
            for row in steps
        ],
    )


def discover_experiments(session: Session, accessions: Iterable[str], decision: LedgerDecision) -> list[str]:
    """Add experiment entries for accessions that have none yet; gives back the new ones in their order."""
    wanted = list(dict.fromkeys(accessions))
    moment = now()
    rows = [
        LedgerRow(
            accession=accession,
            kind=LedgerKind.EXPERIMENT,
            experiment_accession=accession,
            state=decision.state,
            reason=decision.reason,
            message=storable_text(decision.message),
            retryable=False,
            attempts=0,
            input_fingerprint=None,
            run_id=None,
            tool_versions={},
            updated_at=moment,
        )
        for accession in wanted
    ]
    added = set(
        insert_missing(session, LedgerEntry, [_entry_columns(row) for row in rows], returning=LedgerEntry.accession)
    )
    _append_history(session, [row for row in rows if row.accession in added])
    return [accession for accession in wanted if accession in added]
