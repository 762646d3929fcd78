"""Dagster's own storage: where it is and what it is set to.

``DAGSTER_HOME`` is respected when set (a server's ``dagster.yaml``); otherwise a folder below the settings' ``home``
is made.
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from resources.settings import Settings

LOCAL_CONFIG = """\
# Written once; change it freely. SQLite storage in this folder.
telemetry:
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


def prepare_dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's storage, made with a ``dagster.yaml`` if it is not there yet.

    Exported as ``DAGSTER_HOME``.
    """
    configured = os.environ.get("DAGSTER_HOME")
    if configured:
        return Path(configured)
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        temporary = config.with_name(f".dagster.yaml.{os.getpid()}.tmp")
        temporary.write_text(LOCAL_CONFIG)
        temporary.replace(config)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of this installation."""
    return dg.DagsterInstance.from_config(str(prepare_dagster_home(settings)))
