"""Archives whose bytes depend on their content alone, written entry by entry in bounded memory.

The format is ZIP as in PKWARE's APPNOTE 6.3 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), with its
64-bit fields where an entry, their number or the archive ask for them. Every entry has the same date, and compressed
ones are deflated by ISA-L, which is several times as fast as zlib.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

from isal import isal_zlib

COMPRESSION_LEVEL = 2
"""ISA-L's; a matrix of numbers becomes 5 % larger than with zlib's usual level, in a tenth of the time."""

_STORED, _DEFLATED = 0, 8
_RAW_DEFLATE = -15
_PIECE = 1 << 20
_UTF8_NAME = 1 << 11
_DATE = (1 << 5) | 1  # 1980-01-01, the first that ZIP knows
_REGULAR_FILE = 0o100644 << 16
_UNIX, _PLAIN_VERSION, _ZIP64_VERSION = 3 << 8, 20, 45
_FULL_32, _FULL_16 = 0xFFFFFFFF, 0xFFFF
_ZIP64_FIELD, _SPARE_FIELD = 0x0001, 0xD935  # the latter, Android's padding, means nothing to anybody
_LOCAL, _CENTRAL = struct.Struct("<4sHHHHHIIIHH"), struct.Struct("<4sHHHHHHIIIHHHHHII")
_END_64, _LOCATOR_64, _END = struct.Struct("<4sQHHIIQQQQ"), struct.Struct("<4sIQI"), struct.Struct("<4sHHHHIIH")
_LARGE_EXTRA = struct.Struct("<HHQQ")
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # no name, no time
_GZIP_TRAILER = struct.Struct("<II")
_PLAIN_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_COMPONENT = 120


class Sink(Protocol):
    """Where bytes are written to."""

    def write(self, data: bytes, /) -> object:
        """Take all of them."""
        ...


class _Deflater(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An entry that is complete: where it is in the archive, and its sizes in bytes."""

    name: bytes
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    end: int


def path_component(name: str) -> str:
    """A name for a file or folder: letters, digits, ``._-``, beginning with a letter or digit.

    Accessions stay what they are. Of any other name, the characters that are not allowed become ``_``, and a hash of
    the name keeps different names different. No name leads to another folder or means something to a spreadsheet.
    """
    if _PLAIN_COMPONENT.fullmatch(name) and len(name) <= _LONGEST_COMPONENT:
        return name
    allowed = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip("._-")[:_LONGEST_COMPONENT]
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{allowed}_{digest}" if allowed else f"unnamed_{digest}"


class Package:
    """A ZIP archive that is being written; what it is written to must be seekable and empty.

    Use it as a context manager: the directory of entries is written at the end, if nothing was raised.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._entries: dict[bytes, _Entry] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def add(self, name: str, content: bytes, *, compress: bool = True) -> None:
        """Add a small entry, which is in memory.

        Raises:
            ValueError: The name is taken, absolute, or leads out of the archive.
        """
        encoded = self._checked(name)
        packed = content
        if compress:
            deflater = _deflater()
            packed = deflater.compress(content) + deflater.flush()
        crc, offset = isal_zlib.crc32(content), self._file.tell()
        method = _DEFLATED if compress else _STORED
        self._file.write(_local_header(encoded, method, crc, len(packed), len(content), extra=b""))
        self._file.write(packed)
        sizes = {"packed": len(packed), "size": len(content), "offset": offset, "end": self._file.tell()}
        self._entries[encoded] = _Entry(name=encoded, method=method, crc=crc, **sizes)

    @contextmanager
    def entry(self, name: str) -> Iterator[Sink]:
        """Write an entry piece by piece. If the block raises, the archive is as if the entry had not been begun.

        Raises:
            ValueError: As in :meth:`add`.
        """
        encoded, offset = self._checked(name), self._file.tell()
        self._file.write(_local_header(encoded, _DEFLATED, 0, 0, 0, extra=_spare()))
        writer = _DeflatingSink(self._file)
        try:
            yield writer
            writer.finish()
        except BaseException:
            self._file.seek(offset)
            self._file.truncate()
            raise
        self._finish_large(encoded, writer.crc, writer.packed, writer.size, offset)

    def add_gzip(self, name: str, gzip: GzipFile) -> None:
        """Add the content of a gzip file without compressing it again.

        Raises:
            ValueError: As in :meth:`add`.
        """
        encoded, offset = self._checked(name), self._file.tell()
        self._file.write(_local_header(encoded, _DEFLATED, 0, 0, 0, extra=_spare()))
        with gzip.path.open("rb") as file:
            file.seek(len(_GZIP_HEADER))
            _copy(file, self._file, gzip.packed)
        self._finish_large(encoded, gzip.crc, gzip.packed, gzip.size, offset)

    def remove(self, names: Collection[str]) -> None:
        """Take entries out again; those behind them move up.

        Raises:
            KeyError: There is no such entry.
        """
        unwanted = {self._entries[name.encode()].name for name in names}
        kept, self._entries, place = list(self._entries.values()), {}, 0
        for entry in kept:
            if entry.name in unwanted:
                continue
            length = entry.end - entry.offset
            if place != entry.offset:
                _move(self._file, entry.offset, place, length)
            self._entries[entry.name] = replace(entry, offset=place, end=place + length)
            place += length
        self._file.seek(place)
        self._file.truncate()

    def close(self) -> None:
        """Write the directory of entries; nothing can be added afterwards."""
        start = self._file.tell()
        for entry in self._entries.values():
            self._file.write(_central_header(entry))
        end, count = self._file.tell(), len(self._entries)
        if count >= _FULL_16 or end >= _FULL_32:
            sizes = (count, count, end - start, start)
            record = _END_64.pack(b"PK\x06\x06", _END_64.size - 12, _UNIX | 45, 45, 0, 0, *sizes)
            self._file.write(record + _LOCATOR_64.pack(b"PK\x06\x07", 0, end, 1))
        many = min(count, _FULL_16)
        places = (min(end - start, _FULL_32), min(start, _FULL_32))
        self._file.write(_END.pack(b"PK\x05\x06", 0, 0, many, many, *places, 0))
        self._file.flush()

    def _checked(self, name: str) -> bytes:
        parts = name.split("/")
        if any(part in {"", ".", ".."} for part in parts) or re.search(r"[\x00-\x1f\x7f\\:]", name):
            message = f"{name!r} is no path within an archive"
            raise ValueError(message)
        encoded = name.encode()
        if encoded in self._entries:
            message = f"the archive has {name!r} already"
            raise ValueError(message)
        return encoded

    def _finish_large(self, name: bytes, crc: int, packed: int, size: int, offset: int) -> None:
        """Put into the header what is known only now."""
        extra, shown = _spare(), (packed, size)
        if max(packed, size) >= _FULL_32:
            extra, shown = _LARGE_EXTRA.pack(_ZIP64_FIELD, 16, size, packed), (_FULL_32, _FULL_32)
        self._file.seek(offset)
        self._file.write(_local_header(name, _DEFLATED, crc, *shown, extra=extra))
        self._file.seek(packed, os.SEEK_CUR)
        sizes = {"packed": packed, "size": size, "offset": offset, "end": self._file.tell()}
        self._entries[name] = _Entry(name=name, method=_DEFLATED, crc=crc, **sizes)


class GzipFile:
    """A gzip file that is being written, whose content a :class:`Package` can take over as it is.

    Args:
        path: Overwritten if it exists. The same content has the same bytes, if it was written in the same pieces.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.crc = self.packed = self.size = 0

    @contextmanager
    def writing(self) -> Iterator[Sink]:
        """Write its content piece by piece."""
        with self.path.open("wb") as file:
            file.write(_GZIP_HEADER)
            sink = _DeflatingSink(file)
            yield sink
            sink.finish()
            file.write(_GZIP_TRAILER.pack(sink.crc, sink.size & _FULL_32))
        self.crc, self.packed, self.size = sink.crc, sink.packed, sink.size


class _DeflatingSink:
    """Compresses what is written to it; counts, and sums up its content."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._deflater = _deflater()
        self.crc = self.packed = self.size = 0

    def write(self, data: bytes) -> None:
        self.crc = isal_zlib.crc32(data, self.crc)
        self.size += len(data)
        self._take(self._deflater.compress(data))

    def finish(self) -> None:
        self._take(self._deflater.flush())

    def _take(self, packed: bytes) -> None:
        self._file.write(packed)
        self.packed += len(packed)


def _deflater() -> _Deflater:
    return cast("_Deflater", isal_zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, _RAW_DEFLATE))


def _spare() -> bytes:
    """Place for the sizes of a large entry; without meaning if it turns out to be small."""
    return _LARGE_EXTRA.pack(_SPARE_FIELD, 16, 0, 0)


def _local_header(name: bytes, method: int, crc: int, packed: int, size: int, *, extra: bytes) -> bytes:
    version = _ZIP64_VERSION if extra else _PLAIN_VERSION
    fields = (version, _UTF8_NAME, method, 0, _DATE, crc, packed, size, len(name), len(extra))
    return _LOCAL.pack(b"PK\x03\x04", *fields) + name + extra


def _central_header(entry: _Entry) -> bytes:
    """An entry of the directory; what does not fit into 32 bits goes into an extra field, in the format's order."""
    large = [number for number in (entry.size, entry.packed, entry.offset) if number >= _FULL_32]
    extra = struct.pack(f"<HH{len(large)}Q", _ZIP64_FIELD, 8 * len(large), *large) if large else b""
    version = _ZIP64_VERSION if extra else _PLAIN_VERSION
    shown = (min(entry.packed, _FULL_32), min(entry.size, _FULL_32), len(entry.name), len(extra))
    about = (_UNIX | _ZIP64_VERSION, version, _UTF8_NAME, entry.method, 0, _DATE, entry.crc)
    rest = (0, 0, 0, _REGULAR_FILE, min(entry.offset, _FULL_32))
    return _CENTRAL.pack(b"PK\x01\x02", *about, *shown, *rest) + entry.name + extra


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length:
        piece = source.read(min(_PIECE, length))
        if not piece:
            message = "the file is shorter than it was when it was written"
            raise ValueError(message)
        target.write(piece)
        length -= len(piece)


def _move(file: BinaryIO, source: int, target: int, length: int) -> None:
    """Copy bytes towards the beginning of the file they are in."""
    for done in range(0, length, _PIECE):
        file.seek(source + done)
        piece = file.read(min(_PIECE, length - done))
        file.seek(target + done)
        file.write(piece)
