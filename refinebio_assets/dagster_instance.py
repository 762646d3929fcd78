"""Dagster's own storage: where it is, what it is set to, and which of its runs nobody works on any more.

``DAGSTER_HOME`` is respected when set (a server's ``dagster.yaml``); otherwise a folder below the settings' ``home``
is made.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from resources.settings import Settings

PROCESS_TAG = "refinebio/process"
"""Run tag with the machine and the process that works on the run."""
IN_A_PROCESS = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
MOST_RUNS = 10_000
POOL_LIMITS = {"compendia": 1}
"""A compendium takes the memory that the settings allow it, and all processors."""

LOCAL_CONFIG = """\
# Written once; change it freely. SQLite storage in this folder.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    default_limit: 4
    granularity: op
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
retention:
  sensor:
    purge_after_days:
      skipped: 2
      success: 30
      failure: 30
"""

WORKSPACE = """\
load_from:
  - python_module:
      module_name: refinebio_assets.definitions
      location_name: refinebio
"""


def prepare_workspace(settings: Settings) -> Path:
    """The file that tells Dagster's processes what to load, for wherever they are started."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return _written(settings.home.absolute() / "workspace.yaml", WORKSPACE)


def prepare_dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's storage, made with a ``dagster.yaml`` if it is not there yet.

    Exported as ``DAGSTER_HOME``.
    """
    configured = os.environ.get("DAGSTER_HOME")
    if configured:
        return Path(configured)
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        _written(home / "dagster.yaml", LOCAL_CONFIG)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _written(path: Path, text: str) -> Path:
    """Write a file in one step: another process may do the same."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text)
    temporary.replace(path)
    return path


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of this installation; pools that need a limit of their own have it."""
    instance = dg.DagsterInstance.from_config(str(prepare_dagster_home(settings)))
    storage = instance.event_log_storage
    limited = {pool.name for pool in storage.get_pool_limits() if not pool.from_default}
    for pool, limit in POOL_LIMITS.items():
        if pool not in limited:  # whoever has set another limit keeps it
            storage.set_concurrency_slots(pool, limit)
    return instance


def this_process() -> str:
    """``host:pid:start``, as runs are tagged with: a container that starts anew gives the same numbers again."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"


def dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Unfinished runs whose process on this machine is gone: it was killed, or the machine was switched off."""
    dead = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=IN_A_PROCESS), limit=MOST_RUNS):
        host, pid, start = (*run.tags.get(PROCESS_TAG, "").split(":"), "", "")[:3]
        if host == socket.gethostname() and pid.isdigit() and not _is_alive(int(pid), start):
            dead.append(run)
    return dead


def close_runs(instance: dg.DagsterInstance, dead: Iterable[dg.DagsterRun]) -> None:
    """Mark runs as failed."""
    for run in dead:
        instance.report_run_failed(run, "The process of this run ended without finishing it (killed or crashed).")
        # Or the steps of later runs would wait for its place in the pool for ever.
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_alive(pid: int, start: str) -> bool:
    """Whether the process that started then is there; without a start, whether any of that number is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return not start or _start_of(pid) in {"", start}


def _start_of(pid: int) -> str:
    """When a process started, in clock ticks since boot (proc(5), field 22 of stat); empty where nobody says."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
