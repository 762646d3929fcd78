"""Whole files in memory, decompressed by what they contain, whatever their name says."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from refinebio_assets.domain.errors import InputError, MalformedFileError

BROKEN_FILE_REMEDY = "Copy or download the file again and compare its size or checksum with the source's."


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _gzip() -> _Decompressor:
    return zlib.decompressobj(wbits=31)  # 31: a gzip header and trailer with CRC-32, RFC 1952


_BY_MAGIC_NUMBER: dict[bytes, Callable[[], _Decompressor]] = {
    b"\x1f\x8b": _gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lzma.LZMADecompressor,
}


def read_bytes(path: Path) -> bytes:
    """The content of a plain, gzip, bzip2 or xz file (one or several members), told apart by magic number.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: A compressed file is truncated or damaged; the line is where its readable part ends.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        message = "There is no such file."
        raise InputError(message, path=path, remedy="Check the path.") from None
    except OSError as error:
        message = f"The file cannot be read ({error.strerror})."
        raise InputError(message, path=path, remedy="Check that it is a file you may read.") from error
    return raw if _decompressor(raw) is None else _decompress(raw, path)


def _decompressor(data: bytes) -> _Decompressor | None:
    """A fresh decompressor for what ``data`` begins with; None for plain data."""
    for magic, make in _BY_MAGIC_NUMBER.items():
        if data.startswith(magic):
            return make()
    return None


def _decompress(data: bytes, path: Path) -> bytes:
    """All members, one behind the other (as bgzip writes them); zero bytes behind the last are padding."""
    members: list[bytes] = []
    while data:
        decompressor = _decompressor(data)
        if decompressor is None:
            raise _damaged(path, members, "has something else behind its compressed content")
        try:
            members.append(decompressor.decompress(data))
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise _damaged(path, members, f"is damaged ({error})") from error
        if not decompressor.eof:
            raise _damaged(path, members, "is truncated")
        data = decompressor.unused_data.lstrip(b"\0")
    return members[0] if len(members) == 1 else b"".join(members)


def _damaged(path: Path, members: list[bytes], what: str) -> MalformedFileError:
    line = 1 + sum(member.count(b"\n") for member in members)
    message = f"The compressed file {what}: nothing can be read from here on."
    return MalformedFileError(message, path=path, line=line, remedy=BROKEN_FILE_REMEDY)
