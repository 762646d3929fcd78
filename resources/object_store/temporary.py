"""Files and folders that are being written.

Their names tell who writes, so that what a killed writer left can be told from work in progress:
``.{name}.{pid}.{host}{random}.tmp``, with eight hexadecimal digits each for the host and the random part. A process id
means something only on its own host (a container is a host of its own), so what other hosts left is judged by its age.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LEFTOVER_SECONDS = 24 * 3600
"""Age after which a temporary name counts as left behind, whoever wrote it."""

_TEMPORARY = re.compile(r"\..+\.(?P<pid>\d{1,10})\.(?P<host>[0-9a-f]{8})[0-9a-f]{8}\.tmp")


def temporary_name(name: str) -> str:
    """A fresh name, in the same folder as ``name``, for writing what will become ``name``."""
    return f".{name}.{os.getpid()}.{_host()}{secrets.token_hex(4)}.tmp"


def is_temporary(name: str) -> bool:
    """Whether the name is one that :func:`temporary_name` makes."""
    return _TEMPORARY.fullmatch(name) is not None


@contextmanager
def atomic_file(path: Path, *, durable: bool) -> Iterator[BinaryIO]:
    """Open a file that appears under its name only when it is complete.

    Args:
        path: Where it will appear; the folder must exist. What was there before stays readable until then.
        durable: Wait until the disk has it, so that it also survives a power cut.
    """
    temporary = path.with_name(temporary_name(path.name))
    try:
        with temporary.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


@contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder for a while; if its maker is killed, :func:`remove_abandoned` knows it by its name."""
    folder = parent / temporary_name(name)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents so that they survive a power cut."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for created in missing:
        sync_folder(created.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's entries."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_abandoned(root: Path) -> int:
    """Remove, anywhere below a folder, temporary files and folders that no living process is writing.

    Returns:
        How many were removed.
    """
    removed = 0
    for folder, subfolders, files in os.walk(root):
        temporary = [name for name in (*subfolders, *files) if is_temporary(name)]
        subfolders[:] = [name for name in subfolders if name not in temporary]
        removed += sum(_remove_if_abandoned(Path(folder, name)) for name in temporary)
    return removed


def _remove_if_abandoned(path: Path) -> bool:
    try:
        age = time.time() - path.lstat().st_mtime
    except FileNotFoundError:  # its writer has just finished
        return False
    if age < LEFTOVER_SECONDS and not _writer_is_dead(path.name):
        return False
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return True


def _writer_is_dead(name: str) -> bool:
    match = _TEMPORARY.fullmatch(name)
    if match is None or match["host"] != _host():
        return False
    try:
        os.kill(int(match["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # alive, but another user's
        return False
    return False


def _host() -> str:
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
