"""Content of files and of bytes, decompressed by what it is and never by its name, and never beyond a bound."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from isal import isal_zlib
from isal.igzip_lib import IsalError

from refinebio_assets.domain.errors import InputError, MalformedFileError

Source = Path | bytes
"""What readers take: a file, or the content of one."""

LARGEST_CONTENT_BYTES = 2**31 - 1
"""Places in a text are 32-bit numbers."""

BROKEN_FILE_REMEDY = "Copy or download the file again and compare its size or checksum with the source's."

_MOST_LAYERS = 2  # GEO has files that were compressed twice
_INFLATION_ALWAYS_ALLOWED = 32 * 2**20
_HIGHEST_INFLATION = 64  # array files shrink to a fourth, text of many equal lines to a thirtieth
_LEAST_COMPRESSED_BYTES = 2**20  # a block of bzip2 has up to 900 kB
_XZ_MEMORY = 128 * 2**20  # xz -9 needs 65 MiB; a header can ask for 4 GiB
_GZIP_WINDOW = 31  # a gzip header, and a trailer with CRC-32 (RFC 1952)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _gzip() -> _Decompressor:
    return cast("_Decompressor", isal_zlib.decompressobj(_GZIP_WINDOW))


def _xz() -> _Decompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


_BY_MAGIC_NUMBER: dict[bytes, Callable[[], _Decompressor]] = {
    b"\x1f\x8b": _gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": _xz,
}
# The package's stub declares an instance of the error, not its class.
_DAMAGED: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    ValueError,
    lzma.LZMAError,
    cast("type[Exception]", IsalError),
)


def path_of(source: Source) -> Path | None:
    """What errors name: the file, nothing for bytes."""
    return source if isinstance(source, Path) else None


def read_content(source: Source, *, largest: int = LARGEST_CONTENT_BYTES) -> bytes:
    """The whole content; gzip, bzip2 and xz (one or several members, up to two layers) are taken off.

    Args:
        source: A file or its bytes.
        largest: What the content may have in bytes. Compressed content may also not grow more than 64-fold beyond
            its first 32 MiB.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is empty, larger than allowed, or its compressed data are damaged or end early.
    """
    content = _raw(source, largest)
    path = path_of(source)
    for _ in range(_MOST_LAYERS):
        if _decompressor(content) is None:
            break
        allowed = min(largest, _INFLATION_ALWAYS_ALLOWED + _HIGHEST_INFLATION * len(content))
        content = _decompressed(content, allowed, path)
    if not content:
        message = "The file is empty."
        raise MalformedFileError(message, path=path, line=1, remedy="Download it again.")
    return content


def read_beginning(source: Source, size: int) -> bytes:
    """The first bytes of the content, at most ``size``; what lies behind them is not looked at.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is empty, or its compressed data are damaged at the beginning.
    """
    path = path_of(source)
    content = _raw_beginning(source, max(size, _LEAST_COMPRESSED_BYTES))
    for _ in range(_MOST_LAYERS):
        decompressor = _decompressor(content)
        if decompressor is None:
            break
        try:
            content = decompressor.decompress(content, size)
        except _DAMAGED as error:
            raise _damaged(path, f"are damaged ({error})") from error
    if not content:
        message = "The file is empty, or its compressed data end at the beginning."
        raise MalformedFileError(message, path=path, line=1, remedy="Download it again.")
    return content[:size]


def _raw(source: Source, largest: int) -> bytes:
    if isinstance(source, Path):
        size = _size(source)
        if size <= largest:
            try:
                return source.read_bytes()
            except OSError as error:
                raise _unreadable(source, error) from error
    else:
        size = len(source)
        if size <= largest:
            return source
    raise _too_large(path_of(source), largest)


def _raw_beginning(source: Source, size: int) -> bytes:
    if not isinstance(source, Path):
        return source[:size]
    _size(source)
    try:
        with source.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise _unreadable(source, error) from error


def _size(path: Path) -> int:
    """The size of a regular file; pipes and devices have no end that one could wait for."""
    try:
        if not path.exists():
            message = "There is no such file."
            raise InputError(message, path=path, remedy="Check the path.")
        if not path.is_file():
            message = "This is no file."
            raise InputError(message, path=path, remedy="Give the files in it.")
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _decompressor(content: bytes) -> _Decompressor | None:
    """A fresh decompressor for what the content begins with; None if it is plain."""
    for magic, make in _BY_MAGIC_NUMBER.items():
        if content.startswith(magic):
            return make()
    return None


def _decompressed(content: bytes, allowed: int, path: Path | None) -> bytes:
    """All members, one behind the other (as bgzip writes them); zero bytes behind the last are padding."""
    members: list[bytes] = []
    size = 0
    while content:
        decompressor = _decompressor(content)
        if decompressor is None:
            raise _damaged(path, "are followed by something else")
        try:
            members.append(decompressor.decompress(content, allowed - size + 1))
        except _DAMAGED as error:
            raise _damaged(path, f"are damaged ({error})") from error
        size += len(members[-1])
        if size > allowed:
            raise _too_large(path, allowed)
        if not decompressor.eof:
            raise _damaged(path, "end in the middle")
        content = decompressor.unused_data.lstrip(b"\0")
    return members[0] if len(members) == 1 else b"".join(members)


def _damaged(path: Path | None, what: str) -> MalformedFileError:
    message = f"The compressed data {what}."
    return MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)


def _too_large(path: Path | None, largest: int) -> MalformedFileError:
    message = f"The content is larger than {largest // 2**20} MiB, more than a file of this size can hold."
    return MalformedFileError(message, path=path, remedy="Check where the file comes from; it is not read.")


def _unreadable(path: Path, error: OSError) -> InputError:
    message = f"The file cannot be read ({error.strerror})."
    return InputError(message, path=path, remedy="Check that it is a file you may read.")
