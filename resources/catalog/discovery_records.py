"""Discovery as the rest of the platform sees it: what was found, what may be surveyed today, what changed upstream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.discovery import DiscoveredStudy, SourceName
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog import upstream, waiting
from resources.catalog.engine import Database
from resources.catalog.models import now
from resources.catalog.waiting import QuotaUse

REFRESH = "refresh"
"""Name of the quota of experiments that are surveyed again because their last survey is long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What became of studies that an archive lists: ``new`` ones wait now, ``changed`` ones are known and outdated."""

    new: tuple[str, ...]
    changed: tuple[str, ...]


class DiscoveryRecords:
    """Reads and writes what discovery knows, each call in one transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, accessions: Sequence[str]) -> dict[str, str]:
        """Those that ledger or catalog know, also as an alias -> the experiment's own accession."""
        with self._database.reading() as session:
            return upstream.known_as(session, accessions)

    def take_in(self, studies: Iterable[DiscoveredStudy], *, today: date, requested: bool = False) -> TakenIn:
        """Add new studies to the ledger, where they wait for the daily quota, and note which known ones changed.

        Args:
            studies: What an archive lists.
            today: The present day.
            requested: Whether a person asked for them by accession.
        """
        listed = list(studies)
        with self._database.session() as session:
            known = upstream.known_as(session, [study.accession for study in listed])
            unknown = (study for study in listed if study.accession not in known)
            new = waiting.add_waiting(session, unknown, today=today, requested=requested)
            changed = upstream.note_changes(session, listed, known, today=today)
        return TakenIn(new=tuple(new), changed=tuple(changed))

    def admit(self, source: SourceName, *, quota: int, today: date) -> list[str]:
        """Take waiting studies of an archive in, first in the queue first, until the day's quota is used up.

        Returns:
            Those that were taken now; the ledger offers them for their survey from then on.
        """
        use = self.quota_use(source, today=today)
        if not use.waiting or use.taken >= quota:
            return []  # most often: no transaction that writes
        with self._database.session() as session:
            return waiting.admit(session, source, quota=quota, today=today)

    def quota_use(self, source: SourceName, *, today: date) -> QuotaUse:
        """How far the day's quota of an archive is used up, and how many studies wait."""
        with self._database.reading() as session:
            return waiting.quota_use(session, source, today=today)

    def changed_experiments(self, *, limit: int) -> list[str]:
        """Experiments that changed upstream and were not surveyed since, the oldest change first."""
        with self._database.reading() as session:
            return upstream.changed_experiments(session, limit=limit)

    def note_missing(
        self, experiment: str, *, message: str, reason: str, run_id: str | None = None, moment: datetime | None = None
    ) -> SampleState:
        """The archive does not list an experiment: withdrawn if it was not listed a day ago either, else unchanged.

        Returns:
            The experiment's state.
        """
        with self._database.session() as session:
            return upstream.note_missing(
                session, experiment, message=message, reason=reason, run_id=run_id, moment=moment or now()
            )

    def due_for_second_look(self, *, moment: datetime, limit: int) -> list[str]:
        """Experiments that an archive did not list at least a day ago, and that were not looked for since."""
        with self._database.reading() as session:
            return upstream.due_for_second_look(session, moment=moment, limit=limit)

    def take_due_for_refresh(self, *, moment: datetime, age: timedelta, limit: int, quota: int) -> list[str]:
        """Experiments whose last survey is older than ``age``, longest ago first, within the day's quota.

        They count as asked for: the same call again gives those that follow.
        """
        with self._database.reading() as session:
            due = upstream.due_for_refresh(session, surveyed_before=moment - age, limit=limit)
        if not due:
            return []
        with self._database.session() as session:
            granted = waiting.take_of_quota(session, REFRESH, wanted=len(due), quota=quota, today=moment.date())
            upstream.note_refresh(session, due[:granted], moment=moment)
        return due[:granted]

    def experiments_of(self, archive: SourceArchive, *, offset: int, limit: int) -> list[str]:
        """Known experiments of an archive, by accession."""
        with self._database.reading() as session:
            return upstream.experiments_of(session, archive.value, offset=offset, limit=limit)
