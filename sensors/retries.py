"""The retry loop: what failed for a passing reason is tried again, with growing pauses.

What failed for good is left alone, and so is what was tried :data:`MAX_ATTEMPTS` times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from refinebio_assets.domain.vocabulary import MAX_ATTEMPTS, LedgerKind
from resources.catalog import Catalog, LedgerRow
from resources.dagster_adapters import CatalogResource
from resources.settings import Settings
from sensors.jobs import ARRAY_CHAIN, EXPRESSION_CHAIN, SURVEY_CHAIN, process_experiment
from sensors.requests import chain_request, first_of_each, hour_of, under_way

FIRST_PAUSE = timedelta(minutes=10)
REQUESTS_PER_TICK = 50


def pause_after(attempts: int) -> timedelta:
    """How long to wait before the next try: 10 minutes, doubled with every attempt."""
    return FIRST_PAUSE * int(2 ** max(0, attempts - 1))


def build_retry_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor that tries again; runs unless it is stopped."""

    @dg.sensor(
        name="retry_transient_failures",
        job=process_experiment,
        minimum_interval_seconds=settings.automation_interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Runs again what failed because an archive was unwell or a program was killed: after 10 minutes, then 20, "
            f"40 … at most {MAX_ATTEMPTS} times. Never what failed for good."
        ),
    )
    def retry_transient_failures(
        context: dg.SensorEvaluationContext, catalog: CatalogResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        records, moment = catalog.connect(), datetime.now(UTC)
        entries = records.ledger.retryable(max_attempts=MAX_ATTEMPTS)
        wanted = retry_requests(records, entries, moment=moment)
        requests = list(first_of_each(wanted, busy=under_way(context.instance), most=REQUESTS_PER_TICK))
        if not requests:
            waiting = f"{len(entries)} wait for the end of their pause, or are under way"
            yield dg.SkipReason(
                f"Nothing to try again ({waiting})." if entries else "Nothing failed for a passing reason."
            )
        yield from requests

    return retry_transient_failures


def retry_requests(catalog: Catalog, entries: Sequence[LedgerRow], *, moment: datetime) -> Iterator[dg.RunRequest]:
    """Runs for the experiments of entries whose pause is over: the survey if that failed, else what processes them.

    The run key holds the ledger version, which every attempt moves, and the hour, as in the automation.
    """
    due = [entry for entry in entries if entry.updated_at + pause_after(entry.attempts) <= moment]
    chosen: dict[str, tuple[bool, int]] = {}
    for entry in due:
        experiment = entry.experiment_accession or entry.accession
        survey, attempts = chosen.get(experiment, (False, 0))
        chosen[experiment] = (survey or entry.kind is LedgerKind.EXPERIMENT, max(attempts, entry.attempts))
    for experiment, (survey, attempts) in chosen.items():
        version = catalog.ledger.version_of_experiment(experiment)
        yield chain_request(
            experiment,
            SURVEY_CHAIN if survey else _processing_chain(catalog, experiment),
            run_key=f"retry:{experiment}:{version}:{hour_of(moment)}",
            tags={"refinebio/attempt": str(attempts + 1)},
        )


def _processing_chain(catalog: Catalog, experiment: str) -> tuple[str, ...]:
    """The assets that process an experiment's samples: of arrays, of reads, or both."""
    if not catalog.arrays_to_process(experiment):
        return EXPRESSION_CHAIN
    return (*EXPRESSION_CHAIN, *ARRAY_CHAIN) if catalog.samples_to_quantify(experiment) else ARRAY_CHAIN
