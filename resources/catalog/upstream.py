"""What archives did to known experiments: changed them, or do not list them any more.

That an experiment changed is a fact of the catalog until a survey is recorded: a run that was lost is asked for again.
An experiment that an archive does not list is withdrawn only after two looks at least a day apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session, aliased

from refinebio_assets.domain.accessions import SourceArchive, names_same_record
from refinebio_assets.domain.discovery import DiscoveredStudy
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import INELIGIBLE_STATES, MAX_ATTEMPTS, LedgerKind, SampleState
from resources.catalog.catalog_notes import accession_of, has_kind, ordered, read_notes, remove_notes, write_notes
from resources.catalog.ledger import accessions_of_experiment
from resources.catalog.ledger_changes import LedgerRow, StateChange, apply_changes, read_entries
from resources.catalog.models import CatalogProperty, Experiment, ExperimentAlias, ExperimentSample, LedgerEntry, Sample
from resources.catalog.statements import rows_where_in
from resources.catalog.waiting import leave_queue

CHANGED, ANSWERED = "changed", "answered"
"""Kinds of notes: the day of a change upstream that no survey was recorded for yet, and of the last that one was."""

MISSING, SURVEYED, REFRESHED = "missing", "surveyed", "refreshed"
"""Kinds of notes: the moment of a first look that found nothing, of the last survey, and of the last request to survey
again because that was long ago."""

LOOKS_APART = timedelta(days=1)
"""How far apart two looks must be that find nothing."""


@dataclass(frozen=True, slots=True)
class _LastLook:
    """The last look at an experiment.

    Attributes:
        day: When it was.
        last_updated: Day of the last change, as the record tells it.
        answered: The latest change upstream that it was made for.
    """

    day: date
    last_updated: date | None = None
    answered: date | None = None


def _text(moment: datetime) -> str:
    """A moment as text whose order is that of time."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def known_as(session: Session, accessions: Sequence[str]) -> dict[str, str]:
    """Experiments that ledger or catalog know -> their own accession; unknown ones are absent.

    Aliases count, except where both are experiments: a GEO series and the SRA study with its reads.
    """
    query = select(ExperimentAlias.alias, Experiment.accession).join(
        Experiment, Experiment.id == ExperimentAlias.experiment_id
    )
    aliases = rows_where_in(session, query.order_by(Experiment.accession), ExperimentAlias.alias, accessions)
    entries = rows_where_in(session, select(LedgerEntry.accession), LedgerEntry.accession, accessions)
    same = {row.alias: row.accession for row in aliases if names_same_record(row.alias, row.accession)}
    return same | {row.accession: row.accession for row in entries}


def note_changes(
    session: Session, studies: Iterable[DiscoveredStudy], known: Mapping[str, str], *, today: date
) -> list[str]:
    """Note which known experiments changed since they were last looked at.

    Args:
        session: A transaction that writes.
        studies: What an archive lists now.
        known: From :func:`known_as`.
        today: The present day.

    Returns:
        Accessions of those for which that was not noted yet.
    """
    days = {known[study.accession]: study.changed for study in studies if study.accession in known}
    entries = read_entries(session, days)
    looks = _last_looks(session, entries)
    noted = read_notes(session, CHANGED, days)
    fresh = {
        accession: (changed or today).isoformat()
        for accession, changed in days.items()
        if accession in looks
        and _is_outdated(looks[accession], entries[accession], changed, today)
        and (changed or today).isoformat() > noted.get(accession, "")
    }
    # Everywhere the ledger is written before the notes, so that two processes never wait for each other in a circle.
    apply_changes(session, [_new_start(entries[one]) for one in fresh if entries[one].attempts])
    write_notes(session, CHANGED, fresh)
    return list(fresh)


def _is_outdated(look: _LastLook, entry: LedgerRow, changed: date | None, today: date) -> bool:
    """Whether a change came after the last look.

    Archives tell days only: a change on the day of the look may have come after it, and one more look makes sure when
    that day is over. A record that still tells an earlier day after a look for the change stays like that. A withdrawn
    experiment that is listed again counts as changed, but is looked at once a day only.
    """
    if entry.state is SampleState.WITHDRAWN_UPSTREAM:
        return look.day < today
    if changed is None:
        return False
    same_day = look.day == changed < today
    if look.last_updated is None:
        return look.day < changed or same_day
    if look.last_updated >= changed:
        return same_day
    return look.answered is None or look.answered < changed or same_day


def _last_looks(session: Session, entries: Mapping[str, LedgerRow]) -> dict[str, _LastLook]:
    """Last looks at experiments; those that were never looked at are absent."""
    query = select(Experiment.accession, Experiment.last_updated, Experiment.updated_at)
    rows = {row.accession: row for row in rows_where_in(session, query, Experiment.accession, entries)}
    surveyed, answered = read_notes(session, SURVEYED, rows), read_notes(session, ANSWERED, rows)
    looks: dict[str, _LastLook] = {}
    for accession, entry in entries.items():
        row = rows.get(accession)
        if row is not None:
            at = datetime.fromisoformat(surveyed[accession]) if accession in surveyed else row.updated_at
            change = date.fromisoformat(answered[accession]) if accession in answered else None
            looks[accession] = _LastLook(max(at, _withdrawn_at(entry) or at).date(), row.last_updated, change)
        elif entry.attempts:
            looks[accession] = _LastLook(entry.updated_at.date())
    return looks


def _withdrawn_at(entry: LedgerRow) -> datetime | None:
    return entry.updated_at if entry.state is SampleState.WITHDRAWN_UPSTREAM else None


def _new_start(entry: LedgerRow) -> StateChange:
    """The record upstream is another one now: earlier failures to read it do not count."""
    return StateChange(
        accession=entry.accession,
        kind=entry.kind,
        experiment_accession=entry.experiment_accession,
        decision=LedgerDecision(state=entry.state, reason=entry.reason, message=entry.message),
        run_id=entry.run_id,
        forget_attempts=True,
    )


def changed_experiments(session: Session, *, limit: int) -> list[str]:
    """Experiments that changed upstream and were not surveyed since, the oldest change first.

    Without those that failed meanwhile: trying those again is up to the retry loop.
    """
    name = literal(f"{CHANGED}:") + LedgerEntry.accession
    query = (
        select(LedgerEntry.accession)
        .join(CatalogProperty, CatalogProperty.name == name)
        .where(has_kind(CHANGED), ~LedgerEntry.retryable, LedgerEntry.attempts < MAX_ATTEMPTS)
        .order_by(CatalogProperty.value, LedgerEntry.accession)
        .limit(limit)
    )
    return list(session.scalars(query))


def note_surveyed(session: Session, experiment: str, *, moment: datetime) -> None:
    """A survey was recorded: what was noted about the experiment is settled."""
    write_notes(session, SURVEYED, {experiment: _text(moment)})
    write_notes(session, ANSWERED, read_notes(session, CHANGED, [experiment]))
    remove_notes(session, CHANGED, [experiment])
    remove_notes(session, MISSING, [experiment])
    leave_queue(session, [experiment])


def forget(session: Session, experiment: str) -> None:
    """Remove everything that is noted about an experiment."""
    for kind in (CHANGED, ANSWERED, MISSING, SURVEYED, REFRESHED):
        remove_notes(session, kind, [experiment])
    leave_queue(session, [experiment])


def note_missing(
    session: Session, experiment: str, *, message: str, reason: str, run_id: str | None, moment: datetime
) -> SampleState:
    """The archive does not list an experiment: it is withdrawn if it was not listed a day ago either.

    Its samples are withdrawn with it, unless another experiment has them too.

    Returns:
        The experiment's state.
    """
    entry = read_entries(session, [experiment]).get(experiment)
    first = read_notes(session, MISSING, [experiment]).get(experiment)
    state = entry.state if entry is not None else SampleState.DISCOVERED
    gone = state is SampleState.WITHDRAWN_UPSTREAM
    second = first is not None and moment - datetime.fromisoformat(first) >= LOOKS_APART
    if second:
        state = SampleState.WITHDRAWN_UPSTREAM
    elif not gone:
        message = f"{message} It counts as withdrawn if it is not found a day later either."
    change = StateChange(
        accession=experiment,
        kind=LedgerKind.EXPERIMENT,
        experiment_accession=experiment,
        decision=LedgerDecision(state=state, reason=reason, message=message),
        run_id=run_id,
        attempted=True,
    )
    apply_changes(session, [*(_withdrawals(session, experiment, run_id) if second else ()), change])
    if second or gone:
        remove_notes(session, MISSING, [experiment])
    elif first is None:
        write_notes(session, MISSING, {experiment: _text(moment)})
    remove_notes(session, CHANGED, [experiment])
    leave_queue(session, [experiment])
    return state


def _withdrawals(session: Session, experiment: str, run_id: str | None) -> list[StateChange]:
    """Changes of the samples that only this experiment has; those that were ruled out stay as they are."""
    elsewhere = (
        select(Sample.id)
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .join(Experiment, Experiment.id == ExperimentSample.experiment_id)
        .where(Experiment.accession != experiment, Sample.accession == LedgerEntry.accession)
        .correlate(LedgerEntry)
        .exists()
    )
    accessions = accessions_of_experiment(experiment).subquery()
    query = (
        select(LedgerEntry.accession)
        .join(accessions, accessions.c.accession == LedgerEntry.accession)
        .where(~elsewhere, LedgerEntry.state.not_in(sorted(INELIGIBLE_STATES)))
    )
    decision = LedgerDecision(
        state=SampleState.WITHDRAWN_UPSTREAM,
        reason="experiment_withdrawn",
        message=f"The archive no longer lists its experiment {experiment}.",
    )
    return [
        StateChange(
            accession=accession,
            kind=LedgerKind.SAMPLE,
            experiment_accession=experiment,
            decision=decision,
            run_id=run_id,
        )
        for accession in session.scalars(query.order_by(LedgerEntry.accession))
    ]


def due_for_second_look(session: Session, *, moment: datetime, limit: int) -> list[str]:
    """Experiments that an archive did not list a day ago or earlier, longest missing first."""
    until = _text(moment - LOOKS_APART)
    query = ordered(MISSING).where(CatalogProperty.value <= until).limit(limit)
    return [accession_of(name) for name, _ in session.execute(query)]


def due_for_refresh(session: Session, *, surveyed_before: datetime, limit: int) -> list[str]:
    """Known experiments that were not surveyed since a moment, longest ago first; without withdrawn and imported ones.

    One that was asked for since then is left out: an experiment that cannot be surveyed must not block the others.
    """
    last, asked = aliased(CatalogProperty), aliased(CatalogProperty)
    surveyed, before = func.coalesce(last.value, ""), _text(surveyed_before)
    query = (
        select(Experiment.accession)
        .join(LedgerEntry, LedgerEntry.accession == Experiment.accession)
        .outerjoin(last, last.name == literal(f"{SURVEYED}:") + Experiment.accession)
        .outerjoin(asked, asked.name == literal(f"{REFRESHED}:") + Experiment.accession)
        .where(surveyed < before, func.coalesce(asked.value, "") < before)
        .where(LedgerEntry.state != SampleState.WITHDRAWN_UPSTREAM, Experiment.source != SourceArchive.LOCAL.value)
        .order_by(surveyed, Experiment.accession)
        .limit(limit)
    )
    return list(session.scalars(query))


def note_refresh(session: Session, experiments: Iterable[str], *, moment: datetime) -> None:
    """These were asked to be surveyed again."""
    write_notes(session, REFRESHED, dict.fromkeys(experiments, _text(moment)))


def experiments_of(session: Session, source: str, *, offset: int, limit: int) -> list[str]:
    """Known experiments of an archive (``SourceArchive`` value), by accession."""
    query = select(Experiment.accession).where(Experiment.source == source).order_by(Experiment.accession)
    return list(session.scalars(query.offset(offset).limit(limit)))
