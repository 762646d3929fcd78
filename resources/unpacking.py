"""Streams for unpacking what strangers packed: nothing is believed, nothing is read further than a limit allows.

Every stream gives bytes in pieces, keeps none of them, and raises :class:`UnpackingError` when its data are truncated,
damaged or grow beyond what is plausible; then it raises the same again for whoever goes on reading.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

PIECE_BYTES = 256 * 1024
"""How much is read, decompressed and written at a time."""

LARGEST_XZ_DICTIONARY_BYTES = 256 * 1024 * 1024
"""``xz -9`` needs 65 MB; a file may ask for 4 GB."""

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionLimits:
    """How much an archive may hold. What exceeds a limit is refused with the limit in the reason.

    Attributes:
        total_bytes: Of all extracted files together.
        member_bytes: Of one file.
        members: Files, folders and other entries, those of nested archives included.
        depth: Layers around each other: a ``.CEL.gz`` in a ``.tar`` has two.
        ratio: Unpacked bytes for each packed one, of each layer and of the whole archive. Deflate reaches 1,032; tables
            of expression about 10, one of zeros 200.
        ratio_from_bytes: Below this size the ratio does not matter.
    """

    total_bytes: int = 500 * 1024 * _MIB
    member_bytes: int = 50 * 1024 * _MIB
    members: int = 100_000
    depth: int = 5
    ratio: float = 250.0
    ratio_from_bytes: int = 64 * _MIB


class UnpackingError(Exception):
    """A member, or an archive from here on, cannot be unpacked; the text is the reason."""


class Source(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; nothing at the end."""
        ...


class PeekableSource:
    """A source whose beginning can be looked at before it is read.

    Args:
        source: Where bytes come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ahead = b""

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end, without taking them."""
        while len(self._ahead) < size:
            piece = self._source.read(PIECE_BYTES)
            if not piece:
                break
            self._ahead += piece
        return self._ahead[:size]

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        if not self._ahead:
            return self._source.read(size)
        piece, self._ahead = self._ahead[:size], self._ahead[size:]
        return piece


class BoundedSource:
    """The next ``size`` bytes of a source: a member of an archive.

    Args:
        source: Where bytes come from; must not be read by anybody else until :meth:`skip` was called.
        size: How many.
    """

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._left = size

    def read(self, size: int, /) -> bytes:
        """The next bytes of the member.

        Raises:
            UnpackingError: The source ends before the member does.
        """
        wanted = min(size, self._left)
        if wanted == 0:
            return b""
        piece = self._source.read(wanted)
        if not piece:
            message = f"truncated: {self._left:,} bytes are missing"
            raise UnpackingError(message)
        self._left -= len(piece)
        return piece

    def skip(self) -> None:
        """Read what is left of the member.

        Raises:
            UnpackingError: As :meth:`read`.
        """
        while self._left:
            self.read(PIECE_BYTES)


class _Decoder(Protocol):
    """What zlib (wrapped), bz2 and lzma have in common."""

    def decompress(self, data: bytes, /, max_length: int = ...) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def needs_input(self) -> bool: ...


class _GzipDecoder:
    """zlib's gzip decoder with the interface of bz2's."""

    def __init__(self) -> None:
        self._decoder: Any = zlib.decompressobj(31)
        self._pending = b""

    def decompress(self, data: bytes, /, max_length: int = 0) -> bytes:
        piece: bytes = self._decoder.decompress(self._pending + data, max_length)
        self._pending = self._decoder.unconsumed_tail
        return piece

    @property
    def eof(self) -> bool:
        return bool(self._decoder.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._decoder.unused_data)

    @property
    def needs_input(self) -> bool:
        return not self._pending


_DECODERS: dict[str, tuple[bytes, Callable[[], _Decoder]]] = {
    "gzip": (b"\x1f\x8b\x08", _GzipDecoder),
    "bzip2": (b"BZh", bz2.BZ2Decompressor),
    "xz": (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LARGEST_XZ_DICTIONARY_BYTES)),
}


def compression_of(beginning: bytes) -> str | None:
    """``gzip``, ``bzip2`` or ``xz`` by the first bytes, else None."""
    return next((name for name, (magic, _) in _DECODERS.items() if beginning.startswith(magic)), None)


class DecompressedSource:
    """What compressed bytes decompress to; several streams one after the other are one file, zeros after them padding.

    Args:
        source: Compressed bytes.
        compression: As :func:`compression_of` tells.
        limits: For the ratio.
    """

    def __init__(self, source: Source, compression: str, limits: ExtractionLimits) -> None:
        self._source = source
        self._compression = compression
        self._magic, self._make = _DECODERS[compression]
        self._limits = limits
        self._decoder: _Decoder | None = self._make()
        self._pending = b""
        self._packed = self._unpacked = 0
        self._broken: str | None = None

    def read(self, size: int, /) -> bytes:
        """The next bytes.

        Raises:
            UnpackingError: The data are truncated or damaged, or grow implausibly.
        """
        if self._broken is not None:
            raise UnpackingError(self._broken)
        if size <= 0:
            return b""  # to the decoders, no length means any length
        try:
            piece = self._read(size)
        except UnpackingError as error:
            self._broken = str(error)
            raise
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            self._broken = f"damaged: the {self._compression} data are broken ({error})"
            raise UnpackingError(self._broken) from error
        self._unpacked += len(piece)
        if implausible(self._unpacked, self._packed, self._limits):
            self._broken = (
                f"limit: {self._compression} data unpack to more than {self._limits.ratio:g} times their size"
            )
            raise UnpackingError(self._broken)
        return piece

    def _read(self, size: int) -> bytes:
        while self._decoder is not None:
            if not self._pending and self._decoder.needs_input:
                self._pending = self._source.read(PIECE_BYTES)
                self._packed += len(self._pending)
                if not self._pending:
                    message = f"truncated: the {self._compression} data end in the middle"
                    raise UnpackingError(message)
            given, self._pending = self._pending, b""
            piece = self._decoder.decompress(given, max_length=size)
            if self._decoder.eof:
                self._pending = self._decoder.unused_data
                self._begin_next_stream()
            if piece:
                return piece
        return b""

    def _begin_next_stream(self) -> None:
        """Look for another stream behind the one that ended."""
        self._decoder = None
        while True:
            self._pending = self._pending.lstrip(b"\0")
            if len(self._pending) >= len(self._magic):
                break
            more = self._source.read(PIECE_BYTES)
            self._packed += len(more)
            if not more:
                break
            self._pending += more
        if self._pending.startswith(self._magic):
            self._decoder = self._make()
        elif self._pending:
            message = f"damaged: something that is not {self._compression} follows the compressed data"
            raise UnpackingError(message)


def implausible(unpacked: int, packed: int, limits: ExtractionLimits) -> bool:
    """Whether data grow more than honest data do."""
    return unpacked > limits.ratio_from_bytes and unpacked > limits.ratio * max(packed, 1)
