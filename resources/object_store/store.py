"""The interface of the object store and what its two kinds have in common."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from refinebio_assets.domain.errors import ConfigurationError, InputError, NotFoundError
from resources.object_store.keys import check_key, check_prefix
from resources.object_store.temporary import temporary_name

if TYPE_CHECKING:
    from pyarrow import NativeFile


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it was stored. ``sha256`` is the hexadecimal digest of exactly the bytes that went in."""

    key: str
    size_bytes: int
    sha256: str


class HashingReader:
    """A stream that keeps size and sha256 of what was read from it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    def read(self, size: int = -1) -> bytes:
        """Read on, as from any binary file."""
        chunk = self._source.read(size)
        self._sha256.update(chunk)
        self.size_bytes += len(chunk)
        return chunk

    def stored_as(self, key: str) -> StoredObject:
        """What was read, as the object it has become."""
        return StoredObject(key, self.size_bytes, self._sha256.hexdigest())


class ObjectStore(ABC):
    """Bytes under keys, in a local folder or in S3.

    An object becomes visible only when all of it is there; a writer that is killed leaves what was there before. Values
    of this class are small, can be pickled and hold no credentials: those come from AWS's environment, profile or role.
    """

    @classmethod
    def from_url(cls, url: str, *, endpoint_url: str | None = None) -> ObjectStore:
        """The store at a folder (``/data/objects``, ``file:///data/objects``) or at ``s3://bucket/prefix``.

        Nothing is touched or connected yet.

        Args:
            url: Where the store lies.
            endpoint_url: Address of an S3-compatible service. If None, AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL; without
                these, AWS itself.

        Raises:
            ConfigurationError: The URL names no place we can store in, or carries credentials.
        """
        from resources.object_store.folder import FolderStore
        from resources.object_store.s3 import S3Store

        scheme, separator, _ = url.partition("://")
        if not separator:
            return FolderStore(_folder(url))
        if scheme == "file":
            return FolderStore(_folder(url.removeprefix("file://")))
        if scheme == "s3":
            return S3Store.from_s3_url(url, endpoint_url=_endpoint(endpoint_url))
        message = f"An object store cannot be at a {scheme}:// address."
        raise ConfigurationError(
            message,
            remedy="Set REFINEBIO_OBJECT_STORE_URL to a folder or to s3://bucket/prefix.",
        )

    def put_file(self, path: Path, key: str) -> StoredObject:
        """Store a file's content, read once in pieces of bounded size.

        Raises:
            NotFoundError: There is no such file.
            ObjectStoreError: The store refused.
        """
        check_key(key)
        if not path.is_file():
            message = f"There is no file {path} to store as {key}."
            raise NotFoundError(message)
        with path.open("rb") as file:
            return self._put(HashingReader(file), key)

    def put_bytes(self, data: bytes, key: str) -> StoredObject:
        """Store bytes.

        Raises:
            ObjectStoreError: The store refused.
        """
        return self._put(HashingReader(io.BytesIO(data)), check_key(key))

    def put_directory(self, directory: Path, prefix: str) -> list[StoredObject]:
        """Store every file below a directory under the prefix, in order of their names; empty folders are not kept.

        Each file is atomic, the whole is not: write whatever says "complete" afterwards.

        Raises:
            NotFoundError: There is no such directory.
            ObjectStoreError: The store refused.
        """
        if not directory.is_dir():
            message = f"There is no directory {directory} to store as {prefix}."
            raise NotFoundError(message)
        names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
        return [self.put_file(directory / name, f"{check_prefix(prefix)}/{name}") for name in names]

    def fetch_directory(self, prefix: str, directory: Path) -> Path:
        """Copy every object under the prefix to a new local directory, which appears only when it is complete.

        Raises:
            NotFoundError: No object has that prefix.
            InputError: The directory exists already and is not empty.
            ObjectStoreError: The store failed.
        """
        keys = self.list_keys(prefix)
        if not keys:
            message = f"The object store holds nothing under {prefix}."
            raise NotFoundError(message)
        temporary = directory.with_name(temporary_name(directory.name))
        try:
            for key in keys:
                self.fetch(key, temporary / key.removeprefix(f"{check_prefix(prefix)}/"))
            _rename_to_new_directory(temporary, directory)
        finally:
            _remove_directory(temporary)
        return directory

    @abstractmethod
    def _put(self, source: HashingReader, key: str) -> StoredObject: ...

    @abstractmethod
    def get_bytes(self, key: str) -> bytes:
        """The whole object.

        Raises:
            NotFoundError: There is none under that key.
            ObjectStoreError: The store failed.
        """

    @abstractmethod
    def fetch(self, key: str, path: Path) -> Path:
        """Copy an object to a local path, whose folder is created; the file appears only when it is complete.

        Raises:
            NotFoundError: There is none under that key.
            ObjectStoreError: The store failed.
        """

    @abstractmethod
    def open_file(self, key: str) -> NativeFile:
        """Open an object for reading at any position, for readers that want few of its bytes (columns of Parquet).

        Raises:
            NotFoundError: There is none under that key.
            ObjectStoreError: The store failed.
        """

    @abstractmethod
    def local_path(self, key: str) -> Path | None:
        """The real path of an object in a folder store, None in S3. Read it, never write to it.

        Raises:
            NotFoundError: There is none under that key.
            ObjectStoreError: The path leads out of the store.
        """

    @abstractmethod
    def uri(self, key: str) -> str:
        """The address of a key for people: an absolute path or ``s3://…``."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether there is an object under that key."""

    @abstractmethod
    def size(self, key: str) -> int:
        """Size in bytes.

        Raises:
            NotFoundError: There is none under that key.
        """

    @abstractmethod
    def list_keys(self, prefix: str) -> list[str]:
        """Keys below a prefix, sorted.

        A prefix ends at a slash: ``a/b`` lists ``a/b/c``, not ``a/bc``. The empty prefix lists all.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""

    @abstractmethod
    def presigned_url(self, key: str, *, seconds: int, filename: str | None = None) -> str | None:
        """An address from which anyone can download the object for some time; None for a folder store.

        Args:
            key: The object; its existence is not checked.
            seconds: For how long, at most a week.
            filename: The name a browser saves it under.

        Raises:
            InputError: ``seconds`` is not between 1 and a week.
        """

    @abstractmethod
    def remove_leftovers(self) -> int:
        """Remove what killed writers left.

        That is temporary files of dead processes or older than a day, and multipart uploads older than a day.

        Returns:
            How many were removed.
        """


def _folder(text: str) -> Path:
    if not text:
        message = "The address of the object store is empty."
        raise ConfigurationError(
            message,
            remedy="Set REFINEBIO_OBJECT_STORE_URL to a folder or s3://bucket/prefix.",
        )
    return Path(text).absolute()


def _endpoint(endpoint_url: str | None) -> str | None:
    # The two libraries that talk to S3 do not look for the same variables of the environment: decided here for both.
    variables = (os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
    endpoint_url = endpoint_url or next(filter(None, variables), None)
    if endpoint_url is None:
        return None
    parts = urlsplit(endpoint_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        message = "The S3 endpoint is not an http(s) address without user and password."
        raise ConfigurationError(
            message,
            remedy="Set REFINEBIO_S3_ENDPOINT_URL to, say, https://s3.example.org; credentials are AWS_* variables.",
        )
    return endpoint_url.rstrip("/")


def _rename_to_new_directory(temporary: Path, directory: Path) -> None:
    try:
        temporary.rename(directory)
    except OSError as error:
        if not directory.exists():
            raise
        message = f"{directory} exists already and is not an empty directory."
        raise InputError(message, remedy="Give a new directory.") from error


def _remove_directory(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
