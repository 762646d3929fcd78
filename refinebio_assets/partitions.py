"""The partitions of the asset graph: experiments, organisms, and organism x index length.

Partitions are experiments and organisms, never samples: an asset's page stays quick up to 100,000 partitions, and
per-sample state lives in the ledger. Keys are added in bulk with :func:`add_experiments`, because ranges of a
backfill follow insertion order.
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from refinebio_assets.domain.vocabulary import IndexLength

EXPERIMENTS = "experiments"
ORGANISMS = "organisms"
KEYS_PER_CALL = 20_000
"""SQLite refuses more than 250,000 bound values in one statement; PostgreSQL needs memory for each."""
MAX_EXPERIMENTS = 100_000
"""Dagster's recommended limit of partitions of one asset."""

experiments = dg.DynamicPartitionsDefinition(name=EXPERIMENTS)
organisms = dg.DynamicPartitionsDefinition(name=ORGANISMS)
index_lengths = dg.StaticPartitionsDefinition([length.value for length in IndexLength])
organism_indices = dg.MultiPartitionsDefinition({"organism": organisms, "read_length": index_lengths})


def index_partition(organism: str, length: IndexLength) -> dg.MultiPartitionKey:
    """The partition key of an organism's transcriptome index."""
    return dg.MultiPartitionKey({"organism": organism, "read_length": length.value})


def add_experiments(instance: dg.DagsterInstance, accessions: Iterable[str]) -> int:
    """Register experiment partitions; those that exist stay as they are.

    Args:
        instance: Dagster instance.
        accessions: Experiment accessions, best grouped by organism and platform.

    Returns:
        How many were new.

    Raises:
        dg.DagsterInvariantViolationError: More than :data:`MAX_EXPERIMENTS` partitions would exist.
    """
    return _add(instance, EXPERIMENTS, accessions)


def add_organisms(instance: dg.DagsterInstance, names: Iterable[str]) -> int:
    """Register organism partitions (UPPER_SNAKE names); returns how many were new."""
    return _add(instance, ORGANISMS, names)


def _add(instance: dg.DagsterInstance, name: str, keys: Iterable[str]) -> int:
    known = set(instance.get_dynamic_partitions(name))
    new = [key for key in dict.fromkeys(keys) if key not in known]
    if len(known) + len(new) > MAX_EXPERIMENTS:
        total = len(known) + len(new)
        message = f"{total:,} partitions of {name!r} are more than the {MAX_EXPERIMENTS:,} that Dagster handles well"
        raise dg.DagsterInvariantViolationError(message)
    for start in range(0, len(new), KEYS_PER_CALL):
        instance.add_dynamic_partitions(name, new[start : start + KEYS_PER_CALL])
    return len(new)
