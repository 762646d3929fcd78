"""Reading a stream that may be compressed, piece by piece: gzip, bzip2 or xz are told by the first bytes."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

PIECE_BYTES = 1 << 20
_GZIP_WINDOW = 31  # a gzip header, and a trailer with CRC-32 (RFC 1952)
_XZ_MEMORY = 128 * 2**20  # xz -9 needs 65 MiB; a header can ask for 4 GiB
_LONGEST_MAGIC = 6


class DamagedStreamError(ValueError):
    """The compressed data are truncated or damaged; the text says which."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_BY_MAGIC_NUMBER: dict[bytes, Callable[[], _Decompressor]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(_GZIP_WINDOW),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
}


def decompressed(stream: BinaryIO) -> Iterator[bytes]:
    """The content in pieces; of several compressed members, one behind the other.

    Errors of reading the stream itself pass through as they are.

    Raises:
        DamagedStreamError: The compressed data end early, or are not what they seemed to be.
    """
    piece = _beginning(stream)
    if _decompressor(piece) is None:
        while piece:
            yield piece
            piece = stream.read(PIECE_BYTES)
        return
    while piece:
        member = _decompressor(piece)
        if member is None:
            message = "something else follows the compressed data"
            raise DamagedStreamError(message)
        while True:
            yield _content(member, piece)
            if member.eof:
                break
            piece = stream.read(PIECE_BYTES)
            if not piece:
                message = "the compressed data end early"
                raise DamagedStreamError(message)
        piece = member.unused_data.lstrip(b"\0")
        piece += b"" if len(piece) >= _LONGEST_MAGIC else _beginning(stream).lstrip(b"\0" if not piece else b"")


def _content(member: _Decompressor, piece: bytes) -> bytes:
    try:
        return member.decompress(piece)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        message = f"the compressed data are damaged ({error})"
        raise DamagedStreamError(message) from error


def _beginning(stream: BinaryIO) -> bytes:
    """Enough to tell what it is, if there is so much: sources may give less than they are asked for."""
    found = b""
    while len(found) < _LONGEST_MAGIC and (piece := stream.read(PIECE_BYTES)):
        found += piece
    return found


def _decompressor(data: bytes) -> _Decompressor | None:
    return next((make() for magic, make in _BY_MAGIC_NUMBER.items() if data.startswith(magic)), None)
