"""New studies wait in the ledger until the daily quota of their archive has room for them.

A waiting study has state ``discovered``, a reason of its own, and a note with its rank. Taking it in changes the
reason: from then on the ledger offers it for its survey. How many were taken on a day is counted in the catalog, in the
transaction that takes them, so that processes share one quota.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.discovery import WAITING_FOR_QUOTA, DiscoveredStudy, SourceName, source_of_study
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import LedgerKind, SampleState
from resources.catalog.catalog_notes import accession_of, has_kind, ordered, remove_notes, write_notes
from resources.catalog.discovery import read_cursor, write_cursor
from resources.catalog.ledger_changes import StateChange, apply_changes, discover_experiments, read_entries
from resources.catalog.models import CatalogProperty, DiscoveryCursor, now
from resources.catalog.statements import insert_missing

ARCHIVE_NAMES: Mapping[SourceName, str] = {"ena": "ENA", "geo": "GEO", "array_express": "ArrayExpress"}

_LAST_DAY = date.max
_MOST_SAMPLES = 999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUse:
    """How many studies of an archive were taken in on a day, and how many wait."""

    taken: int
    waiting: int


def add_waiting(session: Session, studies: Iterable[DiscoveredStudy], *, today: date, requested: bool) -> list[str]:
    """Put studies that the ledger does not have in the queues of their archives.

    Args:
        session: A transaction that writes.
        studies: The studies.
        today: The day they were seen.
        requested: Whether a person asked for them: they go before what discovery found by itself.

    Returns:
        Accessions of the new ones, in the order given.
    """
    by_accession = {study.accession: study for study in studies}
    said = "Asked for by its accession" if requested else "Found by discovery"
    decision = LedgerDecision(
        state=SampleState.DISCOVERED,
        reason=WAITING_FOR_QUOTA,
        message=f"{said}; it waits until the daily quota of its archive has room for it.",
    )
    added = set(discover_experiments(session, sorted(by_accession), decision))
    new = [accession for accession in by_accession if accession in added]
    ranks = {one: rank(by_accession[one], seen=today, requested=requested) for one in new}
    for source, accessions in _by_source(new).items():
        write_notes(session, _queue(source), {one: ranks[one] for one in accessions})
    return new


def rank(study: DiscoveredStudy, *, seen: date, requested: bool) -> str:
    """A text whose order is that of the queue.

    What was asked for comes first, then what waits longest; of one day the organism that was named first, then the
    study with most samples, then the oldest.
    """
    samples = _MOST_SAMPLES - min(study.samples or 0, _MOST_SAMPLES)
    published = study.published or _LAST_DAY
    return f"{int(not requested)} {seen} {min(study.priority, 9999):04d} {samples:06d} {published}"


def admit(session: Session, source: SourceName, *, quota: int, today: date) -> list[str]:
    """Take waiting studies in, as many as today's quota has room for; those that left the queue otherwise are dropped.

    Returns:
        Their accessions, in the order of the queue.
    """
    taken = _taken_today(session, source, today, lock=True)
    admitted: list[str] = []
    while taken + len(admitted) < quota:
        room = quota - taken - len(admitted)
        candidates = [accession_of(name) for name, _ in session.execute(ordered(_queue(source)).limit(room))]
        if not candidates:
            break
        present = read_entries(session, candidates, lock=True)
        admitted += [one for one in candidates if one in present and present[one].reason == WAITING_FOR_QUOTA]
        remove_notes(session, _queue(source), candidates)
    apply_changes(session, [_admission(one, source) for one in admitted])
    if admitted:
        write_cursor(session, _counter(source), _count(today, taken + len(admitted)))
    return admitted


def quota_use(session: Session, source: SourceName, *, today: date) -> QuotaUse:
    """How far today's quota is used up, and how long the queue is."""
    query = select(func.count()).select_from(CatalogProperty).where(has_kind(_queue(source)))
    return QuotaUse(taken=_taken_today(session, source, today), waiting=session.scalar(query) or 0)


def take_of_quota(session: Session, name: str, *, wanted: int, quota: int, today: date) -> int:
    """Use up to ``wanted`` of a day's quota called ``name``; returns how many there was room for."""
    taken = _taken_today(session, name, today, lock=True)
    granted = max(0, min(wanted, quota - taken))
    if granted:
        write_cursor(session, _counter(name), _count(today, taken + granted))
    return granted


def leave_queue(session: Session, experiments: Sequence[str]) -> None:
    """Forget that these experiments wait: they were surveyed, or are gone."""
    for source, accessions in _by_source(experiments).items():
        remove_notes(session, _queue(source), accessions)


def _admission(accession: str, source: SourceName) -> StateChange:
    decision = LedgerDecision(
        state=SampleState.DISCOVERED,
        reason="discovered",
        message=f"Taken in from {ARCHIVE_NAMES[source]}; its samples are not known yet.",
    )
    return StateChange(
        accession=accession, kind=LedgerKind.EXPERIMENT, experiment_accession=accession, decision=decision
    )


def _taken_today(session: Session, name: str, today: date, *, lock: bool = False) -> int:
    if lock:  # there must be a row to lock
        first = {"source": _counter(name), "cursor": _count(today, 0), "updated_at": now()}
        insert_missing(session, DiscoveryCursor, [first], returning=DiscoveryCursor.source)
    text = read_cursor(session, _counter(name), lock=lock)
    counted = orjson.loads(text) if text else {}
    return int(counted["taken"]) if counted.get("day") == today.isoformat() else 0


def _count(day: date, taken: int) -> str:
    return orjson.dumps({"day": day.isoformat(), "taken": taken}).decode()


def _counter(name: str) -> str:
    return f"quota:{name}"


def _queue(source: SourceName) -> str:
    return f"waiting:{source}"


def _by_source(accessions: Iterable[str]) -> dict[SourceName, list[str]]:
    grouped: dict[SourceName, list[str]] = {}
    for accession in accessions:
        grouped.setdefault(source_of_study(accession), []).append(accession)
    return grouped
