"""What all IO managers have in common: values are stored by partition, one or several at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import dagster as dg

from refinebio_assets.domain.errors import InputError, NotFoundError
from resources.dagster_adapters import ObjectStoreResource
from resources.object_store import ObjectStore, StoredObject


class _Already(Enum):
    STORED = "already stored"


ALREADY_STORED: Final = _Already.STORED
"""What an asset gives as its output when it has called ``save`` itself, partition by partition."""


class PartitionedIOManager(dg.ConfigurableIOManager):
    """Stores the value of each partition on its own.

    In a run over one partition an asset gives and gets the value itself; over several, a mapping of partition key to
    value.
    ``save`` and ``load`` do the same outside of Dagster's input and output handling.
    """

    object_store: ObjectStoreResource

    @abstractmethod
    def save(self, partition_key: str, value: Any) -> dict[str, dg.MetadataValue[Any]]:
        """Store the value of a partition and describe what was stored for Dagster's pages.

        The new value appears when all of it is stored; until then, and if this fails, the old one stays.

        Raises:
            InputError: The partition key or the value cannot be stored.
            ObjectStoreError: The object store refused.
        """

    @abstractmethod
    def load(self, partition_key: str) -> Any:
        """The current value of a partition.

        Raises:
            NotFoundError: It has none yet.
            ObjectStoreError: The object store failed, or what it holds is damaged.
        """

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store one value, or one per partition key."""
        keys = _partition_keys(context)
        if obj is ALREADY_STORED:
            return
        values = _by_partition(obj, keys)
        saved = {key: self.save(key, value) for key, value in values.items()}
        context.add_output_metadata(saved[keys[0]] if len(keys) == 1 else _summary(saved))

    def load_input(self, context: dg.InputContext) -> Any:
        """Load one value, or a dict of them by partition key."""
        keys = _partition_keys(context)
        if len(keys) == 1:
            return self.load(keys[0])
        return {str(key): self.load(key) for key in keys}

    @property
    def _store(self) -> ObjectStore:
        return self.object_store.store()

    def _read(self, key: str, *, asset: str, partition_key: str) -> bytes:
        try:
            return self._store.get_bytes(key)
        except NotFoundError as error:
            raise never_stored(asset, partition_key) from error


class NoValueIOManager(dg.ConfigurableIOManager):
    """For assets whose result is in the catalog: nothing is stored, nothing can be loaded."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Accept that there is no value.

        Raises:
            InputError: There is one, which would be lost.
        """
        if obj is not None and obj is not ALREADY_STORED:
            message = f"The value of {_asset_name(context)} is not stored, but it gave a {type(obj).__name__}."
            raise InputError(message, remedy="Give no value, or choose another IO manager.")

    def load_input(self, context: dg.InputContext) -> Any:
        """Refuse.

        Raises:
            InputError: Always.
        """
        message = f"{_asset_name(context)} has no stored value; its result is in the catalog."
        raise InputError(message, remedy="Depend on it with deps= and read the catalog.")


def key_segment(partition_key: str) -> str:
    """Give a partition key back if it can be one segment of an object's key.

    Raises:
        InputError: It is empty or holds a slash.
    """
    if not partition_key or "/" in partition_key:
        message = f"{partition_key!r} cannot be a partition key: it must be one name without slashes."
        raise InputError(message)
    return str(partition_key)


def never_stored(asset: str, partition_key: str) -> NotFoundError:
    """The error of loading what was never saved."""
    message = f"There is no {asset} of {partition_key} yet."
    return NotFoundError(message, remedy=f"Materialise {asset} for partition {partition_key} first.")


def stored_metadata(store: ObjectStore, stored: StoredObject) -> dict[str, dg.MetadataValue[Any]]:
    """Where an object is, its size and hash, under the names used for every asset."""
    return {
        "dagster/uri": dg.MetadataValue.text(store.uri(stored.key)),
        "sha256": dg.MetadataValue.text(stored.sha256),
        "size_bytes": dg.MetadataValue.int(stored.size_bytes),
    }


def table(rows: Iterable[Mapping[str, float | str | None]], **columns: str) -> dg.MetadataValue[Any]:
    """A table for Dagster's pages, which has no empty cells: None becomes an empty text.

    Args:
        rows: Its rows.
        **columns: Type of each column (``string``, ``int``, ``float``), in order.
    """
    records = [dg.TableRecord({name: "" if row[name] is None else row[name] for name in columns}) for row in rows]
    schema = dg.TableSchema([dg.TableColumn(name, type=kind) for name, kind in columns.items()])
    return dg.MetadataValue.table(records, schema=schema)


def _partition_keys(context: dg.OutputContext | dg.InputContext) -> list[str]:
    if not context.has_asset_partitions:
        message = f"{_asset_name(context)} has no partitions, but its values are stored by partition."
        raise InputError(message, remedy="Give the asset a partitions_def, or choose another IO manager.")
    return sorted(context.asset_partition_keys)  # Dagster gives them in no order


def _by_partition(value: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Value by partition key. A mapping counts as that only if its keys are exactly the partitions' keys."""
    if isinstance(value, Mapping) and set(value) == set(keys):
        return {key: value[key] for key in keys}
    if len(keys) == 1:
        return {keys[0]: value}
    got = (
        f"a mapping with keys {sorted(map(str, value))}" if isinstance(value, Mapping) else f"a {type(value).__name__}"
    )
    message = f"A run over the {len(keys)} partitions {', '.join(keys)} must give a mapping with these keys, not {got}."
    raise InputError(message)


def _summary(saved: Mapping[str, Mapping[str, dg.MetadataValue[Any]]]) -> dict[str, dg.MetadataValue[Any]]:
    rows: list[dict[str, Any]] = [
        {
            "partition": str(key),
            "uri": metadata["dagster/uri"].value,
            "sha256": metadata["sha256"].value,
            "size_bytes": metadata["size_bytes"].value,
        }
        for key, metadata in saved.items()
    ]
    return {
        "partitions": dg.MetadataValue.int(len(rows)),
        "stored": table(rows, partition="string", uri="string", sha256="string", size_bytes="int"),
    }


def _asset_name(context: dg.OutputContext | dg.InputContext) -> str:
    return context.asset_key.to_user_string() if context.has_asset_key else "This output"
