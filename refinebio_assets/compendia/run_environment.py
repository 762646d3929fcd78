"""What the runs that make QN targets and compendia work with: catalog, object store, settings of this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import Settings


class Log(Protocol):
    """Where a line for the run's log goes."""

    def info(self, message: str, *arguments: object) -> None:
        """Write one line."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumEnvironment:
    """Everything outside the numbers that a run needs. ``run_id`` is the Dagster run."""

    catalog: Catalog
    store: ObjectStore
    settings: Settings
    run_id: str | None
    log: Log
