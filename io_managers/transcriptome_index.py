"""Transcriptome indices: directories under the hash of their content, and a pointer to the current one."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import orjson

from io_managers.base import PartitionedIOManager, key_segment, stored_metadata, table
from refinebio_assets.domain.errors import InputError, NotFoundError, ObjectStoreError
from refinebio_assets.domain.vocabulary import IndexLength
from resources.object_store import ObjectStore, StoredObject
from resources.object_store.temporary import remove_abandoned, temporary_name
from resources.transcriptome_index_files import TranscriptomeIndexFiles

ASSET = "transcriptome_index"
DESCRIPTION = "index.json"


class TranscriptomeIndexIOManager(PartitionedIOManager):
    """:class:`TranscriptomeIndexFiles` <-> ``transcriptome_index/{ORGANISM}/{short|long}/{sha256}/``.

    The partition key is ``ORGANISM|length``. ``index.json`` is written after all other files and says what they are;
    ``current`` (text: the sha256) is moved last. From a folder store, the store's own directory is given out; from S3,
    a copy below ``cache_dir`` that is made once, checked, and may be removed at any time.
    """

    cache_dir: str

    def save(self, partition_key: str, value: TranscriptomeIndexFiles) -> dict[str, dg.MetadataValue[Any]]:
        """See :meth:`PartitionedIOManager.save`. Files that are there under the same hash are not written again."""
        sha256 = _sha256_of(value)
        prefix = f"{_folder(partition_key)}/{sha256}"
        files = _stored_files(self._store, prefix) or _put_files(self._store, value.directory, prefix)
        description = _put_description(self._store, dict(value.info) | {"files": files}, prefix)
        self._store.put_bytes(f"{sha256}\n".encode(), f"{_folder(partition_key)}/current")
        size = sum(file["size_bytes"] for file in files.values()) + description.size_bytes
        return stored_metadata(self._store, StoredObject(description.key, size, sha256)) | {
            "files": dg.MetadataValue.int(len(files) + 1),
            "index": _info_table(value.info),
        }

    def load(self, partition_key: str) -> TranscriptomeIndexFiles:
        """See :meth:`PartitionedIOManager.load`. The directory is on this machine, and only to be read."""
        prefix = f"{_folder(partition_key)}/{self.current_sha256(partition_key)}"
        try:
            info: dict[str, Any] = orjson.loads(self._store.get_bytes(f"{prefix}/{DESCRIPTION}"))
        except NotFoundError as error:
            message = f"The current transcriptome index of {partition_key} is not in the object store."
            raise ObjectStoreError(message, remedy="Build the index again.") from error
        own = self._store.local_path(f"{prefix}/{DESCRIPTION}")
        if own is not None:
            return TranscriptomeIndexFiles(own.parent, info)
        return TranscriptomeIndexFiles(_Cache(Path(self.cache_dir), self._store).directory(prefix, info), info)

    def current_sha256(self, partition_key: str) -> str:
        """The hash of the current index.

        Raises:
            NotFoundError: There is none yet.
        """
        pointer = self._read(f"{_folder(partition_key)}/current", asset=ASSET, partition_key=partition_key)
        return pointer.decode().strip()


@dataclass(frozen=True)
class _Cache:
    """Copies of stored indices on this machine, each complete under its hash or not there at all."""

    root: Path
    store: ObjectStore

    def directory(self, prefix: str, info: Mapping[str, Any]) -> Path:
        directory = self.root / key_segment(info["sha256"])
        with self._alone(directory):
            if not _is_whole(directory, info["files"]):
                shutil.rmtree(directory, ignore_errors=True)
                remove_abandoned(self.root)
                self._download(prefix, info, directory)
        return directory

    def _download(self, prefix: str, info: Mapping[str, Any], directory: Path) -> None:
        temporary = directory.with_name(temporary_name(directory.name))
        try:
            for name, file in info["files"].items():
                path = self.store.fetch(f"{prefix}/{name}", temporary / name)
                _check_content(path, f"{prefix}/{name}", file["sha256"])
            self.store.fetch(f"{prefix}/{DESCRIPTION}", temporary / DESCRIPTION)
            temporary.rename(directory)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @contextmanager
    def _alone(self, directory: Path) -> Iterator[None]:
        """Let one thread or process of this machine download an index while the others wait for it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / f"{directory.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also by the death of the process
            yield


def split_partition_key(partition_key: str) -> tuple[str, IndexLength]:
    """``ARABIDOPSIS_THALIANA|long`` -> organism and length.

    Raises:
        InputError: It is no such key.
    """
    organism, _, length = partition_key.rpartition("|")
    if not organism or length not in set(IndexLength):
        message = f"{partition_key!r} is no partition of {ASSET}."
        raise InputError(message, remedy="Write it as ORGANISM|short or ORGANISM|long, as in DANIO_RERIO|long.")
    return key_segment(organism), IndexLength(length)


def _folder(partition_key: str) -> str:
    organism, length = split_partition_key(partition_key)
    return f"{ASSET}/{organism}/{length.value}"


def _sha256_of(value: TranscriptomeIndexFiles) -> str:
    sha256 = value.info.get("sha256")
    if not isinstance(sha256, str) or not sha256:
        message = f"The transcriptome index in {value.directory} has no sha256 in its description."
        raise InputError(message)
    return key_segment(sha256)


def _stored_files(store: ObjectStore, prefix: str) -> dict[str, dict[str, Any]] | None:
    """What is stored under the prefix, if an earlier save got to its end."""
    key = f"{prefix}/{DESCRIPTION}"
    if not store.exists(key):
        return None
    files: dict[str, dict[str, Any]] = orjson.loads(store.get_bytes(key))["files"]
    return files


def _put_files(store: ObjectStore, directory: Path, prefix: str) -> dict[str, dict[str, Any]]:
    names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    stored = {name: store.put_file(directory / name, f"{prefix}/{name}") for name in names if name != DESCRIPTION}
    if not stored:
        message = f"There are no transcriptome index files in {directory}."
        raise InputError(message)
    return {name: {"sha256": file.sha256, "size_bytes": file.size_bytes} for name, file in stored.items()}


def _put_description(store: ObjectStore, description: dict[str, Any], prefix: str) -> StoredObject:
    text = orjson.dumps(description, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return store.put_bytes(text, f"{prefix}/{DESCRIPTION}")


def _is_whole(directory: Path, files: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether every file is there in its size: cleaners of scratch folders take single files."""
    paths = {directory / name: file["size_bytes"] for name, file in files.items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def _check_content(path: Path, key: str, sha256: str) -> None:
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            message = f"{key} is not what was stored: its sha256 differs."
            raise ObjectStoreError(message, remedy="Try again; if it stays so, delete the index and build it again.")


def _info_table(info: Mapping[str, Any]) -> dg.MetadataValue[Any]:
    rows = [
        {"property": name, "value": str(value)}
        for name, value in sorted(info.items())
        if isinstance(value, str | int | float)
    ]
    return table(rows, property="string", value="string")
