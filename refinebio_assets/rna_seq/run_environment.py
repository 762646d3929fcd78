"""What the runs of the RNA-seq path work with: archives, catalog, object store, tools and settings of this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from refinebio_assets.domain.vocabulary import IndexLength
from resources.archives import Archives
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import Settings
from resources.tools.salmon import Salmon
from resources.tools.sra_toolkit import SraToolkit
from resources.transcriptome_index_files import TranscriptomeIndexFiles


class StoredIndices(Protocol):
    """Where finished indices are: the IO manager of `transcriptome_index`."""

    def load(self, partition_key: str) -> TranscriptomeIndexFiles:
        """The current index of ``ORGANISM|length``, on this machine."""
        ...


class Log(Protocol):
    """Where a line for the run's log goes."""

    def info(self, message: str, *arguments: object) -> None:
        """Write one line."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnvironment:
    """Everything outside the numbers that a run needs. ``run_id`` is the Dagster run."""

    archives: Archives
    catalog: Catalog
    store: ObjectStore
    salmon: Salmon
    sra_toolkit: SraToolkit
    indices: StoredIndices
    settings: Settings
    run_id: str
    log: Log

    def index_files(self, organism: str, length: IndexLength) -> TranscriptomeIndexFiles:
        """The current index of an organism, on this machine."""
        return self.indices.load(f"{organism}|{length.value}")
