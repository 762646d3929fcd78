"""Lists of accessions that are watched: whoever keeps one adds a line, and the experiment is surveyed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg

from refinebio_assets.domain.errors import InputError
from refinebio_assets.partitions import add_experiments
from refinebio_assets.survey.discovery import grouped_for_partitions, listed_studies
from refinebio_assets.survey.discovery_run import accessions_in, read_list
from resources.catalog import Catalog
from resources.dagster_adapters import CatalogResource, SettingsResource
from resources.settings import Settings
from sensors.discovery import admit_waiting
from sensors.jobs import process_experiment

EXAMPLES_SHOWN = 10


def build_list_files(settings: Settings) -> dg.SensorDefinition:
    """The sensor that watches lists; runs by itself where the settings name some."""

    @dg.sensor(
        name="list_files",
        job=process_experiment,
        minimum_interval_seconds=settings.discovery_interval_seconds,
        default_status=(dg.DefaultSensorStatus.RUNNING if settings.discovery_lists else dg.DefaultSensorStatus.STOPPED),
        description=(
            "Reads the lists of accessions that REFINEBIO_DISCOVERY_LISTS names (paths or s3:// URLs) whenever their "
            "content changes, and puts new experiments first in the queues of their archives."
        ),
    )
    def list_files(
        context: dg.SensorEvaluationContext, catalog: CatalogResource, settings: SettingsResource
    ) -> Iterator[dg.SkipReason]:
        options, records = settings.get(), catalog.connect()
        today = datetime.now(UTC).date()
        said = [take_in_list(context.instance, records, one, options, today=today) for one in options.discovery_lists]
        admit_waiting(records, options, today=today)
        yield dg.SkipReason(" ".join(said) or "REFINEBIO_DISCOVERY_LISTS names no list.")

    return list_files


def take_in_list(
    instance: dg.DagsterInstance, catalog: Catalog, location: str, settings: Settings, *, today: date
) -> str:
    """Take in what a list names, if its content is not that of the last time.

    Returns:
        What became of it, in words.
    """
    key = f"list:{hashlib.sha256(location.encode()).hexdigest()[:16]}"
    try:
        content = read_list(location, settings)
        accessions = accessions_in(content, location=location)
    except InputError as error:
        return f"{error}"
    digest = hashlib.sha256(content).hexdigest()
    if catalog.cursor(key) == digest:
        return f"{location} has not changed."
    studies, others = listed_studies(accessions)
    taken = catalog.discovery.take_in(studies.values(), today=today, requested=True)
    add_experiments(instance, grouped_for_partitions(studies[one] for one in taken.new))
    catalog.set_cursor(key, digest)
    said = f"{location}: {len(taken.new)} of {len(accessions)} accessions are new."
    if others:
        shown = ", ".join(others[:EXAMPLES_SHOWN]) + (" …" if len(others) > EXAMPLES_SHOWN else "")
        said += f" {len(others)} name no experiment of their own, survey these by command: {shown}"
    return said
