"""Zip files of strangers. Python's ``zipfile`` reads the directory; what it would believe is checked here first.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (6.3.10).
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from resources.unpacking import ExtractionLimits, Source, UnpackingError, implausible

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

LARGEST_DIRECTORY_BYTES_PER_MEMBER = 1024
"""``zipfile`` reads the directory into memory: it may have so much for each member the limits allow."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END = b"PK\x05\x06"
_END_BYTES = 22
_LONGEST_COMMENT = 65_535
_LARGEST_DIRECTORY = 64 * 1024 * 1024
_DOCUMENT_MEMBERS = frozenset({"[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF"})
"""Members that tell an Office document, an OpenDocument or a Java program."""


@contextmanager
def open_zip(file: IO[bytes], *, most_members: int) -> Iterator[zipfile.ZipFile | None]:
    """The zip file; None if it is a document or an array store (``.xlsx``, ``.ods``, ``.npz``) that is used as it is.

    Raises:
        UnpackingError: It is damaged, or has too large a directory.
    """
    _refuse_large_directory(file, most_members)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as error:
        message = f"damaged: the zip file's directory cannot be read ({error})"
        raise UnpackingError(message) from error
    with archive:
        names = archive.namelist()
        is_document = not _DOCUMENT_MEMBERS.isdisjoint(names)
        is_array_store = bool(names) and all(name.endswith(".npy") for name in names)
        yield None if is_document or is_array_store else archive


def _refuse_large_directory(file: IO[bytes], most_members: int) -> None:
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        message = "truncated: the zip file lacks its directory"
        raise UnpackingError(message)
    members = int.from_bytes(tail[at + 10 : at + 12], "little")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory == 0xFFFFFFFF:  # told in the zip64 record; a directory of that size is too large anyway
        directory = min(size, directory)
    most = min(_LARGEST_DIRECTORY, most_members * LARGEST_DIRECTORY_BYTES_PER_MEMBER)
    if directory > most or (members > most_members and members != 0xFFFF):
        message = f"limit: the zip file has more than {most_members:,} members, or names of more than {most:,} bytes"
        raise UnpackingError(message)


def why_zip_member_refused(info: zipfile.ZipInfo) -> str | None:
    """Why a member is not unpacked, None if it is."""
    if info.flag_bits & 0x1:
        return "encrypted with a password"
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode) if info.create_system == 3 else 0
    if kind == stat.S_IFLNK:
        return "a symbolic link"
    if kind not in (0, stat.S_IFREG):
        return "a device or a pipe"
    if info.compress_type not in _METHODS:
        return f"compressed by a method that is not unpacked (number {info.compress_type})"
    return None


@contextmanager
def read_zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: ExtractionLimits) -> Iterator[Source]:
    """A member's bytes.

    Raises:
        UnpackingError: Here or while it is read: the member is damaged, or grows implausibly.
    """
    try:
        data = archive.open(info)
    except (zipfile.BadZipFile, RuntimeError, OSError, NotImplementedError, ValueError, EOFError) as error:
        message = f"damaged: {error}"
        raise UnpackingError(message) from error
    with data:
        yield _ZipData(data, info, limits)


class _ZipData:
    def __init__(self, data: IO[bytes], info: zipfile.ZipInfo, limits: ExtractionLimits) -> None:
        self._data = data
        self._info = info
        self._limits = limits
        self._unpacked = 0

    def read(self, size: int, /) -> bytes:
        try:
            piece = self._data.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            message = f"damaged: {error}"
            raise UnpackingError(message) from error
        self._unpacked += len(piece)
        if implausible(self._unpacked, self._info.compress_size, self._limits):
            message = f"limit: the member unpacks to more than {self._limits.ratio:g} times its size"
            raise UnpackingError(message)
        return piece
