"""What all sensors share: how a run says what it is about, and which runs are under way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import dagster as dg

from sensors.jobs import process_experiment

SUBJECT_TAG = "refinebio/subject"
"""Run tag with the experiment, or ``ORGANISM|length``, that a run is about; commands set it too."""
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
MOST_RUNS = 10_000


def under_way(instance: dg.DagsterInstance) -> set[str]:
    """What runs that have not finished are about."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED), limit=MOST_RUNS)
    return {run.tags[SUBJECT_TAG] for run in runs if SUBJECT_TAG in run.tags}


def hour_of(moment: datetime) -> str:
    """The hour of a moment, for run keys: a run that ended without any effect is asked for again, once an hour."""
    return moment.strftime("%Y%m%d%H")


def first_of_each(requests: Iterable[dg.RunRequest], *, busy: Iterable[str] = (), most: int) -> Iterator[dg.RunRequest]:
    """The first request about each subject, without subjects that a run is busy with; at most ``most``."""
    seen = set(busy)
    for request in requests:
        subject = request.tags[SUBJECT_TAG]
        if most <= 0:
            return
        if subject not in seen:
            seen.add(subject)
            most -= 1
            yield request


def chain_request(
    experiment: str, chain: Iterable[str], *, run_key: str, tags: dict[str, str] | None = None
) -> dg.RunRequest:
    """A run of several assets for one experiment."""
    return dg.RunRequest(
        run_key=run_key,
        job_name=process_experiment.name,
        partition_key=experiment,
        asset_selection=[dg.AssetKey(name) for name in chain],
        tags={SUBJECT_TAG: experiment, **(tags or {})},
    )
