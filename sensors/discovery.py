"""Discovery: new and updated studies of ENA, GEO and ArrayExpress become experiment partitions and are surveyed.

What is found waits in the ledger until the daily quota of its archive has room; what is taken in is asked for here, and
by the automation should the request be lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from refinebio_assets.domain.discovery import SOURCE_NAMES, SourceName
from refinebio_assets.partitions import add_experiments
from refinebio_assets.survey.discovery import Wanted
from refinebio_assets.survey.discovery_run import look_at, sources_of
from refinebio_assets.survey.registry import PlatformRegistry
from resources.catalog import Catalog
from resources.dagster_adapters import ArchivesResource, CatalogResource, SettingsResource
from resources.settings import Settings
from sensors.jobs import SURVEY_CHAIN, process_experiment
from sensors.requests import chain_request, hour_of, under_way

FIRST_LOOK_BACK = timedelta(days=7)
"""How far back the first tick looks when no start is set (the original gathered weekly)."""
REQUESTS_PER_TICK = 50
"""A tick has 60 s, and 100 requests take 17 s; the automation asks for the others."""

NAMES: Mapping[SourceName, str] = {"ena": "ENA", "geo": "GEO", "array_express": "ArrayExpress"}

_DESCRIPTIONS: Mapping[SourceName, str] = {
    "ena": (
        "Finds RNA-seq studies that ENA published or changed since the last look and has them surveyed. Runs by "
        "itself if REFINEBIO_DISCOVERY_ORGANISMS names organisms; started by hand without, it looks for all."
    ),
    "geo": (
        "Finds expression series, on supported arrays or sequenced, that GEO published or changed since the last look "
        "and has them surveyed. Runs by itself if REFINEBIO_DISCOVERY_ORGANISMS names organisms."
    ),
    "array_express": (
        "Finds ArrayExpress studies that BioStudies released since the last look, and known ones that changed, and has "
        "them surveyed. Runs by itself if REFINEBIO_DISCOVERY_ORGANISMS names organisms."
    ),
}


def build_ena_discovery(settings: Settings) -> dg.SensorDefinition:
    """The sensor that looks for studies at ENA."""
    return _build("ena", settings)


def build_geo_discovery(settings: Settings) -> dg.SensorDefinition:
    """The sensor that looks for series at GEO."""
    return _build("geo", settings)


def build_array_express_discovery(settings: Settings) -> dg.SensorDefinition:
    """The sensor that looks for ArrayExpress studies at BioStudies."""
    return _build("array_express", settings)


def _build(archive: SourceName, settings: Settings) -> dg.SensorDefinition:
    """It runs by itself only where the settings name organisms: without them it would take in the whole archive."""
    by_itself = bool(settings.discovery_organisms) and archive in settings.discovery_sources

    @dg.sensor(
        name=f"{archive}_discovery",
        job=process_experiment,
        minimum_interval_seconds=settings.discovery_interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if by_itself else dg.DefaultSensorStatus.STOPPED,
        description=_DESCRIPTIONS[archive],
    )
    def discovery(
        context: dg.SensorEvaluationContext,
        archives: ArchivesResource,
        catalog: CatalogResource,
        settings: SettingsResource,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        options, records, instance = settings.get(), catalog.connect(), context.instance
        moment = datetime.now(UTC)
        today = moment.date()
        wanted = Wanted(organisms=options.discovery_organisms)
        with archives.open() as opened:
            outcome = look_at(
                sources_of(archive, opened, wanted, PlatformRegistry.load(), records),
                records,
                wanted,
                start=_start(options, today),
                today=today,
                limit=options.discovery_max_per_tick,
                add_partitions=lambda accessions: add_experiments(instance, accessions),
            )
        context.log.info("%s", outcome.summary())
        admitted = records.discovery.admit(archive, quota=options.discovery_daily_quota, today=today)
        requests = survey_requests(instance, records, [*outcome.changed, *admitted], moment=moment)
        if not requests:
            trouble = f"{NAMES[archive]} could not be asked: {' '.join(outcome.problems)} " if outcome.problems else ""
            yield dg.SkipReason(f"{trouble}Nothing to survey now: {outcome.summary()}")
        yield from requests

    return discovery


def _start(settings: Settings, today: date) -> date:
    return date.fromisoformat(settings.discovery_since) if settings.discovery_since else today - FIRST_LOOK_BACK


def survey_requests(
    instance: dg.DagsterInstance, catalog: Catalog, experiments: Sequence[str], *, moment: datetime
) -> list[dg.RunRequest]:
    """Survey runs for experiments that no run is about.

    Should a request be lost before its run is launched, the automation finds the experiment in the ledger.
    """
    busy = under_way(instance) if experiments else set()
    chosen = [one for one in dict.fromkeys(experiments) if one not in busy][:REQUESTS_PER_TICK]
    add_experiments(instance, chosen)
    versions = {one: catalog.ledger.version_of_experiment(one) for one in chosen}
    return [
        chain_request(one, SURVEY_CHAIN, run_key=f"survey:{one}:{versions[one]}:{hour_of(moment)}") for one in chosen
    ]


def admit_waiting(catalog: Catalog, settings: Settings, *, today: date) -> None:
    """Take in what waits, as far as today's quotas have room: also what was found yesterday, or named by a person."""
    for archive in SOURCE_NAMES:
        catalog.discovery.admit(archive, quota=settings.discovery_daily_quota, today=today)
