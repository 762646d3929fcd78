"""Second looks: at experiments that an archive did not list, and at those whose last survey is long ago."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from refinebio_assets.partitions import add_experiments
from resources.catalog import Catalog
from resources.dagster_adapters import CatalogResource, SettingsResource
from resources.settings import Settings
from sensors.jobs import SURVEY_CHAIN, process_experiment
from sensors.requests import SUBJECT_TAG, chain_request, first_of_each, hour_of, under_way

REQUESTS_PER_TICK = 50


def build_upstream_refresh(settings: Settings) -> dg.SensorDefinition:
    """The sensor that looks again; runs by itself where discovery does."""
    by_itself = bool(settings.discovery_organisms or settings.discovery_lists)

    @dg.sensor(
        name="upstream_refresh",
        job=process_experiment,
        minimum_interval_seconds=settings.discovery_interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if by_itself else dg.DefaultSensorStatus.STOPPED,
        description=(
            "Surveys known experiments again: those that their archive did not list a day ago (missing twice, they "
            "count as withdrawn), and, a few a day, those whose last survey is longest ago."
        ),
    )
    def upstream_refresh(
        context: dg.SensorEvaluationContext, catalog: CatalogResource, settings: SettingsResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        records, moment = catalog.connect(), datetime.now(UTC)
        wanted = refresh_requests(records, settings.get(), moment=moment)
        requests = list(first_of_each(wanted, busy=under_way(context.instance), most=REQUESTS_PER_TICK))
        add_experiments(context.instance, (one.tags[SUBJECT_TAG] for one in requests))
        if not requests:
            yield dg.SkipReason("No experiment is missing, and none was surveyed too long ago for today's quota.")
        yield from requests

    return upstream_refresh


def refresh_requests(catalog: Catalog, settings: Settings, *, moment: datetime) -> Iterator[dg.RunRequest]:
    """Survey runs for second looks and for old surveys; the keys ask for each at most once an hour and a day."""
    for experiment in catalog.discovery.due_for_second_look(moment=moment, limit=REQUESTS_PER_TICK):
        yield chain_request(experiment, SURVEY_CHAIN, run_key=f"missing:{experiment}:{hour_of(moment)}")
    old = catalog.discovery.take_due_for_refresh(
        moment=moment,
        age=timedelta(days=settings.discovery_refresh_after_days),
        limit=REQUESTS_PER_TICK,
        quota=settings.discovery_refresh_per_day,
    )
    for experiment in old:
        yield chain_request(experiment, SURVEY_CHAIN, run_key=f"refresh:{experiment}:{moment:%Y%m%d}")
