"""The object store in a local folder: a key is a path below it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from refinebio_assets.domain.errors import NotFoundError, ObjectStoreError
from resources.object_store.keys import check_key, check_prefix
from resources.object_store.store import HashingReader, ObjectStore, StoredObject
from resources.object_store.temporary import atomic_file, is_temporary, make_folder, remove_abandoned

if TYPE_CHECKING:
    from pyarrow import NativeFile

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FolderStore(ObjectStore):
    """Objects as files below ``root``, which is created with the first object."""

    root: Path

    def _put(self, source: HashingReader, key: str) -> StoredObject:
        path = self.root / key
        with _trouble("store", key):
            make_folder(path.parent)
            self._check_inside(path.parent, key)
            with atomic_file(path, durable=True) as file:
                while chunk := source.read(_CHUNK_BYTES):
                    file.write(chunk)
        return source.stored_as(key)

    def get_bytes(self, key: str) -> bytes:
        """See :meth:`ObjectStore.get_bytes`."""
        with _trouble("read", key):
            return self.local_path(key).read_bytes()

    def fetch(self, key: str, path: Path) -> Path:
        """See :meth:`ObjectStore.fetch`."""
        with _trouble("fetch", key), self.local_path(key).open("rb") as source:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path, durable=False) as file:
                shutil.copyfileobj(source, file, _CHUNK_BYTES)
        return path

    def open_file(self, key: str) -> NativeFile:
        """See :meth:`ObjectStore.open_file`."""
        from pyarrow.fs import LocalFileSystem

        with _trouble("open", key):
            return LocalFileSystem().open_input_file(str(self.local_path(key)))

    def local_path(self, key: str) -> Path:
        """See :meth:`ObjectStore.local_path`."""
        with _trouble("find", key):
            path = self._check_inside(self.root / check_key(key), key)
        if not path.is_file():
            raise _not_found(key)
        return path

    def uri(self, key: str) -> str:
        """See :meth:`ObjectStore.uri`."""
        return str(self.root / check_key(key))

    def exists(self, key: str) -> bool:
        """See :meth:`ObjectStore.exists`."""
        try:
            self.local_path(key)
        except NotFoundError:
            return False
        return True

    def size(self, key: str) -> int:
        """See :meth:`ObjectStore.size`."""
        with _trouble("read", key):
            return self.local_path(key).stat().st_size

    def list_keys(self, prefix: str) -> list[str]:
        """See :meth:`ObjectStore.list_keys`. Links to folders are not followed."""
        folder = self.root / check_prefix(prefix)
        with _trouble("list", prefix):
            if not folder.is_dir():
                return []
            self._check_inside(folder, prefix)
            return sorted(path.relative_to(self.root).as_posix() for path in _files_below(folder))

    def delete(self, key: str) -> None:
        """See :meth:`ObjectStore.delete`."""
        path = self.root / check_key(key)
        with _trouble("delete", key):
            if path.parent.is_dir():
                self._check_inside(path.parent, key)
                path.unlink(missing_ok=True)

    def presigned_url(self, key: str, *, seconds: int, filename: str | None = None) -> None:  # noqa: ARG002
        """None: a folder has no server of its own; the API signs its own download links."""
        check_key(key)

    def remove_leftovers(self) -> int:
        """See :meth:`ObjectStore.remove_leftovers`."""
        with _trouble("sweep", "its leftovers"):
            return remove_abandoned(self.root)

    def _check_inside(self, path: Path, key: str) -> Path:
        """The real path, which must lie in the real root: a link must not lead readers or writers out of the store."""
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(os.path.realpath(self.root)):
            message = f"{key} leads out of the object store by a symbolic link."
            raise ObjectStoreError(
                message,
                remedy=f"Remove the link {path} and process again.",
            )
        return real


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not is_temporary(name)]
        yield from (Path(parent, name) for name in names if not is_temporary(name))


def _not_found(key: str) -> NotFoundError:
    return NotFoundError(f"The object store holds no {key}.")


@contextmanager
def _trouble(action: str, key: str) -> Iterator[None]:
    """Speak of the store's failures in the store's words."""
    try:
        yield
    except FileNotFoundError as error:
        raise _not_found(key) from error
    except OSError as error:
        message = f"The object store could not {action} {key}: {error.strerror or error}."
        raise ObjectStoreError(message, remedy="Check free space and permissions of its folder.") from error
