"""The retry loop: what failed for a passing reason is tried again, with growing pauses.

What failed for good is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from refinebio_assets.domain.vocabulary import LedgerKind
from resources.dagster_adapters import CatalogResource
from sensors.automation import EXPRESSION_CHAIN

MAX_ATTEMPTS = 5
FIRST_PAUSE = timedelta(minutes=10)
EXPERIMENTS_PER_TICK = 50


def pause_after(attempts: int) -> timedelta:
    """How long to wait before the next try: 10 minutes, doubled with every attempt."""
    return FIRST_PAUSE * int(2 ** max(0, attempts - 1))


@dg.sensor(
    name="retry_transient_failures",
    target=dg.AssetSelection.assets("source_metadata", "samples", *EXPRESSION_CHAIN),
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Runs again what failed because an archive was unwell or a task was killed; never what failed for good",
)
def retry_transient_failures(
    context: dg.SensorEvaluationContext, catalog: CatalogResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request the run of every experiment that has retryable ledger entries whose pause is over."""
    moment = datetime.now(UTC)
    entries = catalog.connect().ledger.retryable(max_attempts=MAX_ATTEMPTS)
    due = [entry for entry in entries if entry.updated_at + pause_after(entry.attempts) <= moment]
    chosen: dict[str, tuple[bool, int]] = {}
    for entry in due:
        experiment = entry.experiment_accession or entry.accession
        survey, attempts = chosen.get(experiment, (False, 0))
        chosen[experiment] = (survey or entry.kind == LedgerKind.EXPERIMENT, max(attempts, entry.attempts))
    if not chosen:
        yield dg.SkipReason(f"Nothing to try again ({len(entries)} wait for their pause to end).")
    for experiment, (survey, attempts) in sorted(chosen.items())[:EXPERIMENTS_PER_TICK]:
        names = ("source_metadata", "samples") if survey else EXPRESSION_CHAIN
        context.log.info("Trying %s again (attempt %d)", experiment, attempts + 1)
        yield dg.RunRequest(
            run_key=f"{experiment}:{'survey' if survey else 'expression'}:{attempts}",
            partition_key=experiment,
            asset_selection=[dg.AssetKey(name) for name in names],
            tags={"refinebio/retry": str(attempts + 1)},
        )
