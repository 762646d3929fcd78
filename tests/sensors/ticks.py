"""Ticks of the sensors, as Dagster's daemon makes them, in this process.

A tick evaluates a sensor of the code location; run requests whose run key the sensor has used are dropped, the others
become runs on the same instance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import dagster as dg
from sqlalchemy import select

from refinebio_assets.runs import Session
from resources.catalog.models import LedgerEntry

SENSORS = ("ena_discovery", "experiment_automation", "retry_transient_failures")
"""Those of the tests about ENA; others are named where they are ticked."""


@dataclass
class Ticks:
    """The daemon of a session. ``executed`` are the requests that became runs, with whether the run succeeded."""

    session: Session
    executed: list[tuple[str, str, bool]] = field(default_factory=list)

    def evaluate(self, sensor: str) -> tuple[list[dg.RunRequest], str | None]:
        """What a sensor asks for now, and its reason if it asks for nothing."""
        repository = self.session.defs.get_repository_def()
        with dg.build_sensor_context(
            instance_ref=self.session.instance.get_ref(),
            repository_def=repository,
            resources=repository.get_top_level_resources(),
        ) as context:
            data = repository.get_sensor_def(sensor).evaluate_tick(context)
        return list(data.run_requests or ()), data.skip_message

    def new_requests(self, sensor: str) -> list[dg.RunRequest]:
        """Requests that the daemon would launch: those with run keys that no run of the sensor has."""
        requests, _ = self.evaluate(sensor)
        return [request for request in requests if not self._is_known(sensor, request)]

    def tick(self, sensor: str) -> list[str]:
        """Evaluate a sensor and run what it asks for; gives back the subjects."""
        requests = self.new_requests(sensor)
        for request in requests:
            self._execute(sensor, request)
        return [str(request.partition_key) for request in requests]

    def until_idle(self, *, most: int = 10) -> None:
        """Tick all sensors until none asks for anything."""
        for _ in range(most):
            if not [subject for sensor in SENSORS for subject in self.tick(sensor)]:
                return
        raise AssertionError(f"still asking after {most} rounds: {self.executed[-5:]}")

    def _is_known(self, sensor: str, request: dg.RunRequest) -> bool:
        tags = {"dagster/run_key": str(request.run_key), "dagster/sensor_name": sensor}
        return self.session.instance.get_runs_count(dg.RunsFilter(tags=tags)) > 0

    def _execute(self, sensor: str, request: dg.RunRequest) -> None:
        job = self.session.defs.get_repository_def().get_job(str(request.job_name))
        result = job.execute_in_process(
            instance=self.session.instance,
            partition_key=request.partition_key,
            asset_selection=list(request.asset_selection or ()),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags={**request.tags, "dagster/run_key": str(request.run_key), "dagster/sensor_name": sensor},
            raise_on_error=False,
        )
        self.executed.append((sensor, str(request.partition_key), result.success))


def let_time_pass(session: Session, hours: float) -> None:
    """Make all ledger entries older, as if that much time had passed since they changed."""
    with session.catalog.session() as database:
        for entry in database.scalars(select(LedgerEntry)):
            entry.updated_at -= timedelta(hours=hours)


def start_run(session: Session, subject: str, partition: str) -> dg.DagsterRun:
    """A run that is under way in some other process."""
    return session.instance.create_run_for_job(
        session.defs.resolve_implicit_global_asset_job_def(),
        tags={"refinebio/subject": subject, "dagster/partition": partition},
        status=dg.DagsterRunStatus.STARTED,
    )
