"""Discovery: new and updated RNA-seq studies of ENA become experiment partitions and are surveyed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import orjson

from refinebio_assets.domain.accessions import AccessionType, parse_accession
from refinebio_assets.domain.errors import RefinebioError, UnsupportedAccessionError
from refinebio_assets.partitions import add_experiments
from refinebio_assets.survey.registry import PlatformRegistry
from resources.archives import Archives
from resources.catalog import Catalog
from resources.dagster_adapters import ArchivesResource, CatalogResource, SettingsResource
from resources.settings import Settings
from sensors.jobs import SURVEY_CHAIN, process_experiment
from sensors.requests import chain_request

SOURCE = "ena"
FIRST_LOOK_BACK = timedelta(days=7)
"""How far back the first tick looks when no start is set (the original gathered weekly)."""


@dataclass(frozen=True, slots=True)
class DiscoveryCursor:
    """How far ENA has been read.

    Studies updated before ``since`` are done, and ``offset`` rows of the window from then on.
    """

    since: date
    offset: int = 0

    def dumps(self) -> str:
        """As stored in the catalog."""
        return orjson.dumps({"since": self.since.isoformat(), "offset": self.offset}).decode()

    @classmethod
    def loads(cls, text: str | None, *, start: date) -> DiscoveryCursor:
        """From the catalog; ``start`` if there is none yet."""
        if not text:
            return cls(start)
        values = orjson.loads(text)
        return cls(date.fromisoformat(values["since"]), int(values["offset"]))


@dataclass(frozen=True, slots=True)
class Discovery:
    """What one look at ENA found: study accession -> the day of its last change."""

    studies: dict[str, str]
    cursor: DiscoveryCursor
    skipped: tuple[str, ...]


def discover(archives: Archives, cursor: DiscoveryCursor, settings: Settings, *, today: date) -> Discovery:
    """Ask ENA for studies updated since the cursor.

    Args:
        archives: Archive clients.
        cursor: Where to go on.
        settings: Which organisms, and how many studies at most.
        today: Last day to ask for.

    Returns:
        The studies and the cursor to go on from. When a page is full the next look takes the rest of the same
        window; otherwise the window starts anew at ``today`` (days overlap on purpose, a study's last day is asked
        for again).
    """
    rows: list[dict[str, Any]] = archives.ena.studies_updated(
        since=cursor.since,
        until=today,
        organisms=list(settings.discovery_organisms),
        instrument_models=PlatformRegistry.load().discovery_instruments(),
        limit=settings.discovery_max_per_tick,
        offset=cursor.offset,
    )
    studies: dict[str, str] = {}
    skipped: list[str] = []
    for row in rows:
        accession = str(row.get("secondary_study_accession") or "").split(";")[0].strip()
        try:
            known = parse_accession(accession)
        except UnsupportedAccessionError:
            skipped.append(accession)
            continue
        if known.type is AccessionType.SRA_STUDY:
            studies[known.value] = str(row.get("last_updated") or row.get("first_public") or "")
    full_page = len(rows) >= settings.discovery_max_per_tick
    following = DiscoveryCursor(cursor.since, cursor.offset + len(rows)) if full_page else DiscoveryCursor(today)
    return Discovery(studies, following, tuple(skipped))


def build_ena_discovery(settings: Settings) -> dg.SensorDefinition:
    """The sensor that looks for studies.

    It runs by itself only where the settings name organisms: without them it would take in the whole archive.
    """

    @dg.sensor(
        name="ena_discovery",
        job=process_experiment,
        minimum_interval_seconds=settings.discovery_interval_seconds,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if settings.discovery_organisms else dg.DefaultSensorStatus.STOPPED
        ),
        description=(
            "Finds RNA-seq studies that ENA published or changed since the last look and has them surveyed. Runs by "
            "itself if REFINEBIO_DISCOVERY_ORGANISMS names organisms; started by hand without, it looks for all."
        ),
    )
    def ena_discovery(
        context: dg.SensorEvaluationContext,
        archives: ArchivesResource,
        catalog: CatalogResource,
        settings: SettingsResource,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        options, records = settings.get(), catalog.connect()
        today = datetime.now(UTC).date()
        start = date.fromisoformat(options.discovery_since) if options.discovery_since else today - FIRST_LOOK_BACK
        cursor = DiscoveryCursor.loads(records.cursor(SOURCE), start=start)
        try:
            with archives.open() as open_archives:
                found = discover(open_archives, cursor, options, today=today)
        except RefinebioError as error:
            yield dg.SkipReason(f"ENA could not be asked: {error} The cursor stays at {cursor.since}.")
            return
        if found.skipped:
            context.log.warning("ENA rows without a study accession: %s", ", ".join(found.skipped))
        requests = survey_requests(context.instance, records, found)
        records.set_cursor(SOURCE, found.cursor.dumps())
        if not requests:
            yield dg.SkipReason(f"No new or changed studies among {len(found.studies)} since {cursor.since}.")
        yield from requests

    return ena_discovery


def survey_requests(instance: dg.DagsterInstance, catalog: Catalog, found: Discovery) -> list[dg.RunRequest]:
    """New and changed studies become partitions, ledger entries (state ``discovered``) and survey runs.

    Should a request be lost before its run is launched, the automation finds the entry in the ledger.
    """
    new = set(catalog.ledger.discover(found.studies, source=SOURCE))
    changed = [study for study, day in found.studies.items() if study in new or catalog.is_outdated(study, day)]
    add_experiments(instance, changed)
    return [
        chain_request(study, SURVEY_CHAIN, run_key=f"{study}:{found.studies[study]}", tags={"refinebio/source": SOURCE})
        for study in changed
    ]
