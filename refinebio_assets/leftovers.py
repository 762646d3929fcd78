"""What killed processes leave on disk, and its removal.

A run that is killed (power cut, ``SIGKILL``, out of memory) leaves temporary names in the object store and folders in
scratch space. Most are taken over by the next run of the same sample or index; this module removes those that nobody
will come back to. Folders that a living process works in are locked, and left alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from refinebio_assets.domain.vocabulary import IndexLength, SampleState
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.object_store.temporary import remove_abandoned
from resources.settings import Settings

UNFINISHED = frozenset({SampleState.DISCOVERED, SampleState.SURVEYED, SampleState.DOWNLOADED})
"""States in which a sample's downloads are worth keeping: the next run goes on with them."""

EXPERIMENT_ASSETS = ("source_metadata", "quant_files", "rna_seq_expression", "array_expression")
"""Assets whose objects lie below ``<asset>/<experiment>/``."""

EXPRESSION_PARTS = "expression_parts"
"""Parts of the expression store lie below ``expression_parts/<organism>/<experiment>/``."""


def forgotten_experiments(catalog: Catalog, store: ObjectStore) -> list[str]:
    """Experiments that the catalog does not know, but of which the store holds objects that it does not know either.

    Their removal was interrupted, or they were never recorded: a survey that is under way stores what it fetched
    first. So they are listed for a person to look at, not removed; ``refinebio unsurvey`` removes them.
    """
    keys: dict[str, list[str]] = {}
    for asset in EXPERIMENT_ASSETS:
        for key in store.list_keys(asset):
            keys.setdefault(key.split("/")[1], []).append(key)
    for key in store.list_keys(EXPRESSION_PARTS):
        if (experiment := experiment_of_part(key)) is not None:
            keys.setdefault(experiment, []).append(key)
    known = catalog.own_experiments(sorted(keys))
    unknown = {name: found for name, found in keys.items() if name not in known}
    recorded = catalog.recorded_keys(sorted(key for found in unknown.values() for key in found))
    return sorted(name for name, found in unknown.items() if not recorded.issuperset(found))


def experiment_of_part(key: str) -> str | None:
    """The experiment that a part of the expression store is of; None for the names of genes, which parts share."""
    asset, _, *rest = [*key.split("/"), ""]
    return rest[0] if asset == EXPRESSION_PARTS and len(rest) > 2 else None


def remove_leftovers(settings: Settings, catalog: Catalog, store: ObjectStore) -> int:
    """Remove what dead processes left in the object store and in scratch space.

    Downloads of samples and genomes that are still to be processed stay: they are resumed.

    Returns:
        How many files and folders were removed.
    """
    removed = store.remove_leftovers() + remove_abandoned(settings.scratch)
    useless = [
        *_finished_samples(settings.scratch / "samples", catalog),
        *_finished_arrays(settings.scratch / "arrays", catalog),
        *_indices(settings.scratch / "indices"),
        *_finished_genomes(settings.scratch / "genomes", catalog),
    ]
    return removed + sum(remove_if_free(folder) for folder in useless)


def remove_if_free(folder: Path) -> bool:
    """Remove a folder and its lock file unless a process holds the lock; returns whether something was removed."""
    path = folder.with_name(f"{folder.name}.lock")
    there = folder.exists() or path.exists()
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not path.exists() or path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
            return False  # someone else has just finished with it
        shutil.rmtree(folder, ignore_errors=True)
        path.unlink()
    return there


def _finished_samples(folder: Path, catalog: Catalog) -> list[Path]:
    accessions = _names(folder)
    entries = catalog.ledger.entries(accessions)
    unfinished = {accession for accession, entry in entries.items() if entry.state in UNFINISHED or entry.retryable}
    return [folder / accession for accession in accessions if accession not in unfinished]


def _finished_arrays(folder: Path, catalog: Catalog) -> Iterator[Path]:
    """Files of experiments of which no array is to be processed any more."""
    for experiment in _names(folder):
        arrays = catalog.arrays_to_process(experiment)
        if not any(array.state in UNFINISHED or array.retryable for array in arrays):
            yield folder / experiment


def _indices(folder: Path) -> Iterator[Path]:
    """Half-built indices: they are always built from the start."""
    for organism in _names(folder):
        yield from (folder / organism / length for length in _names(folder / organism))


def _finished_genomes(folder: Path, catalog: Catalog) -> Iterator[Path]:
    for organism in _names(folder):
        if all(catalog.current_transcriptome_index(organism, length) is not None for length in IndexLength):
            yield folder / organism


def _names(folder: Path) -> list[str]:
    """Names of subfolders, there or only locked."""
    if not folder.is_dir():
        return []
    return sorted({path.name.removesuffix(".lock") for path in folder.iterdir() if not path.name.startswith(".")})
