"""Raw payloads of the archives: gzipped JSON under their own hash, and a pointer to the current one."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

import dagster as dg
import orjson

from io_managers.base import PartitionedIOManager, key_segment, stored_metadata, table
from refinebio_assets.domain.errors import InputError, NotFoundError, ObjectStoreError
from resources.object_store import ObjectStore, StoredObject

ASSET = "source_metadata"


class SourceMetadataIOManager(PartitionedIOManager):
    """A payload (JSON object) <-> ``source_metadata/{EXPERIMENT}/{sha256}.json.gz``.

    The sha256 is that of the stored bytes. Payloads are never changed or removed: a new one gets its own name, and
    ``current`` (text: the sha256) moves to it. The same payload gives the same bytes, whatever the order of its keys.
    """

    def save(self, partition_key: str, value: Mapping[str, Any]) -> dict[str, dg.MetadataValue[Any]]:
        """See :meth:`PartitionedIOManager.save`."""
        data = _to_bytes(partition_key, value)
        stored = _put_immutable(self._store, data, partition_key)
        self._store.put_bytes(f"{stored.sha256}\n".encode(), _pointer(partition_key))
        return stored_metadata(self._store, stored) | {"content": _content_table(value)}

    def load(self, partition_key: str) -> dict[str, Any]:
        """See :meth:`PartitionedIOManager.load`. What is read is checked against its hash."""
        sha256 = self.current_sha256(partition_key)
        key = _key(partition_key, sha256)
        try:
            data = self._store.get_bytes(key)
        except NotFoundError as error:
            message = f"The current source metadata of {partition_key} ({sha256}) is not in the object store."
            raise ObjectStoreError(message, remedy="Survey the experiment again.") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise _damaged(key)
        return _from_bytes(key, data)

    def current_sha256(self, partition_key: str) -> str:
        """The hash of the current payload.

        Raises:
            NotFoundError: There is none yet.
        """
        return self._read(_pointer(partition_key), asset=ASSET, partition_key=partition_key).decode().strip()

    def current_object(self, partition_key: str) -> StoredObject:
        """The current payload as it lies in the object store.

        Raises:
            NotFoundError: There is none yet.
        """
        sha256 = self.current_sha256(partition_key)
        key = _key(partition_key, sha256)
        return StoredObject(key, self._store.size(key), sha256)


def _key(partition_key: str, sha256: str) -> str:
    return f"{ASSET}/{key_segment(partition_key)}/{sha256}.json.gz"


def _pointer(partition_key: str) -> str:
    return f"{ASSET}/{key_segment(partition_key)}/current"


def _to_bytes(partition_key: str, value: Any) -> bytes:
    if not isinstance(value, Mapping):
        message = f"The source metadata of {partition_key} is a {type(value).__name__}, not a JSON object."
        raise InputError(message)
    try:
        text = orjson.dumps(dict(value), option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        message = f"The source metadata of {partition_key} is no JSON: {error}."
        raise InputError(message) from error
    return gzip.compress(text, mtime=0)


def _from_bytes(key: str, data: bytes) -> dict[str, Any]:
    try:
        payload: dict[str, Any] = orjson.loads(gzip.decompress(data))
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError) as error:
        raise _damaged(key) from error
    return payload


def _put_immutable(store: ObjectStore, data: bytes, partition_key: str) -> StoredObject:
    sha256 = hashlib.sha256(data).hexdigest()
    stored = StoredObject(_key(partition_key, sha256), len(data), sha256)
    if not store.exists(stored.key):
        return store.put_bytes(data, stored.key)
    if store.get_bytes(stored.key) != data:
        raise _damaged(stored.key)
    return stored


def _damaged(key: str) -> ObjectStoreError:
    message = f"{key} does not hold what its name says: it was changed or damaged after it was stored."
    return ObjectStoreError(message, remedy="Restore it from a backup, or delete it and survey the experiment again.")


def _content_table(value: Mapping[str, Any]) -> dg.MetadataValue[Any]:
    rows: list[dict[str, Any]] = [
        {"part": str(name), "entries": len(part) if isinstance(part, list | dict) else 1}
        for name, part in sorted(value.items())
        if part is not None
    ]
    return table(rows, part="string", entries="int")
