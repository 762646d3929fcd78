"""Stored payloads of `source_metadata`, read back by their hash."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from refinebio_assets.domain.errors import NotFoundError, ObjectStoreError
from resources.object_store import ObjectStore, StoredObject

_REMEDY = "Survey the experiment again: refinebio survey --refresh {experiment}"


def source_metadata_key(experiment: str, sha256: str) -> str:
    """Where the payload of an experiment with this hash lies in the object store."""
    return f"source_metadata/{experiment}/{sha256}.json.gz"


def write_source_metadata(store: ObjectStore, experiment: str, payload: Mapping[str, Any]) -> StoredObject:
    """Store a payload under its hash, unless it is there; the same payload gives the same bytes.

    Raises:
        ObjectStoreError: The store refused.
    """
    data = gzip.compress(orjson.dumps(dict(payload), option=orjson.OPT_SORT_KEYS), mtime=0)
    sha256 = hashlib.sha256(data).hexdigest()
    stored = StoredObject(source_metadata_key(experiment, sha256), len(data), sha256)
    return stored if store.exists(stored.key) else store.put_bytes(data, stored.key)


def read_source_metadata(store: ObjectStore, experiment: str, sha256: str) -> dict[str, Any]:
    """The payload of an experiment as it was stored, checked against its hash.

    Raises:
        ObjectStoreError: It is not there, it was changed after it was stored, or the store failed.
    """
    key = source_metadata_key(experiment, sha256)
    try:
        data = store.get_bytes(key)
    except NotFoundError as error:
        message = f"The source metadata of {experiment} ({key}) are not in the object store."
        raise ObjectStoreError(message, remedy=_REMEDY.format(experiment=experiment)) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _damaged(key, experiment)
    try:
        payload = orjson.loads(gzip.decompress(data))
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError) as error:
        raise _damaged(key, experiment) from error
    if not isinstance(payload, dict):
        raise _damaged(key, experiment)
    return payload


def _damaged(key: str, experiment: str) -> ObjectStoreError:
    message = f"{key} does not hold what its name says: it was changed or damaged after it was stored."
    return ObjectStoreError(message, remedy=_REMEDY.format(experiment=experiment))
