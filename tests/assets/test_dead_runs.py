"""Which unfinished runs nobody works on any more."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import dagster as dg
import pytest

from refinebio_assets.dagster_instance import PROCESS_TAG, close_runs, dead_runs, this_process


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def started(instance: dg.DagsterInstance, process: str) -> str:
    run = dg.DagsterRun(job_name="job", status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: process})
    return instance.add_run(run).run_id


def test_runs_of_processes_that_are_gone_are_closed_and_others_left_alone(instance: dg.DagsterInstance) -> None:
    host, own = socket.gethostname(), os.getpid()
    gone = {
        started(instance, f"{host}:4194999:1"),
        started(instance, f"{host}:4194999"),
        # Another process has the number now, as after a container was made anew.
        started(instance, f"{host}:{own}:1"),
    }
    alive = [this_process(), f"{host}:{own}", "elsewhere:4194999:1", "unreadable"]
    for process in alive:
        started(instance, process)
    dead = dead_runs(instance)
    assert {run.run_id for run in dead} == gone
    close_runs(instance, dead)
    assert dead_runs(instance) == []
    assert instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])) == len(alive)
