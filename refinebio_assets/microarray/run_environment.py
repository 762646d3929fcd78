"""What the runs of the array path work with: archives, catalog, object store and settings of this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from resources.archives import Archives
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import Settings


class Log(Protocol):
    """Where a line for the run's log goes."""

    def info(self, message: str, *arguments: object) -> None:
        """Write one line."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayEnvironment:
    """Everything outside the numbers that a run needs. ``run_id`` is the Dagster run."""

    archives: Archives
    catalog: Catalog
    store: ObjectStore
    settings: Settings
    run_id: str
    log: Log
