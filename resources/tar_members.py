"""The members of a tar file as a stream, in constant memory: ustar, GNU and pax.

Python's ``tarfile`` reads headers of any size into memory, follows sparse maps and needs the whole of a member in order
to go on behind a damaged one. Format: POSIX.1-2017, pax interchange format; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from resources.unpacking import BoundedSource, Source, UnpackingError

BLOCK = 512
LARGEST_HEADER_BYTES = 1024 * 1024
"""Of a long name or of a member's pax records."""

_REFUSED_TYPES = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
    b"S": "a sparse file",
}
_REGULAR = (b"0", b"\0", b"7")
_FOLDER = b"5"
_PAX_RECORD = re.compile(rb"([0-9]+) ([^=]+)=")


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member.

    Attributes:
        name: Its path as the archive has it.
        data: Its bytes.
        refused: Why it is no regular file, None for a regular file.
        is_folder: Whether it is a folder.
    """

    name: str
    data: BoundedSource
    refused: str | None
    is_folder: bool


@dataclass(frozen=True, slots=True)
class _Header:
    name: bytes
    size: int
    type: bytes
    extended: bool
    """Whether more blocks of a GNU sparse map follow."""


def is_tar(beginning: bytes) -> bool:
    """Whether the first 512 bytes are a tar header: its checksum is right."""
    return len(beginning) >= BLOCK and any(beginning[:100]) and _checksum_is_right(beginning[:BLOCK])


def tar_members(source: Source) -> Iterator[TarMember]:
    """The members, one after the other; what the taker leaves of a member is skipped.

    Raises:
        UnpackingError: The archive is truncated or damaged from here on, or lacks its end.
    """
    said: dict[bytes, bytes] = {}  # what pax records and long names say of the next member
    while (header := _next_header(source)) is not None:
        if header.type in (b"x", b"L"):
            data = _small(source, header)
            said |= _pax_records(data) if header.type == b"x" else {b"path": data.rstrip(b"\0")}
            continue
        if header.type in (b"g", b"K"):  # of all members, and of a link's target: nothing that is needed
            _small(source, header)
            continue
        size = _pax_size(said, header.size)
        data_of_member = BoundedSource(source, size)
        yield TarMember(
            name=said.get(b"path", header.name).decode("utf-8", errors="replace"),
            data=data_of_member,
            refused=_why_refused(header, said),
            is_folder=header.type == _FOLDER or _is_old_folder(header),
        )
        data_of_member.skip()
        _read_exactly(source, -size % BLOCK)
        said = {}


def _is_old_folder(header: _Header) -> bool:
    """Before there were types, a folder was an empty file whose name ends in a slash."""
    return header.type == b"\0" and not header.size and header.name.endswith(b"/")


def _why_refused(header: _Header, said: dict[bytes, bytes]) -> str | None:
    if header.type in _REFUSED_TYPES:
        return _REFUSED_TYPES[header.type]
    if any(key.startswith(b"GNU.sparse") for key in said):
        return _REFUSED_TYPES[b"S"]
    if header.type not in (*_REGULAR, _FOLDER):
        return f"of a type that is not known ({header.type!r})"
    return None


def _next_header(source: Source) -> _Header | None:
    """The next header; None at the end of the archive."""
    zeros = 0
    while True:
        block = _read_up_to(source, BLOCK)
        if not block:
            message = "truncated: the archive lacks its end; members may be missing"
            raise UnpackingError(message)
        if len(block) < BLOCK:
            message = "truncated: the archive ends in a header"
            raise UnpackingError(message)
        if any(block):
            break
        zeros += 1
        if zeros == 2:
            return None
    if not _checksum_is_right(block):
        message = "damaged: a header's checksum is wrong; what follows cannot be read"
        raise UnpackingError(message)
    header = _parse(block)
    extended = header.extended
    while extended:  # blocks of a sparse map, each of which says whether another follows
        extended = bool(_read_exactly(source, BLOCK)[504])
    return header


def _parse(block: bytes) -> _Header:
    name, prefix = block[:100].split(b"\0", 1)[0], block[345:500].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0" and prefix:
        name = prefix + b"/" + name
    kind = block[156:157]
    # Links, devices, folders and pipes have no data, whatever the field says.
    size = 0 if kind in (b"1", b"2", b"3", b"4", b"5", b"6") else _number(block[124:136])
    return _Header(name=name, size=size, type=kind, extended=kind == b"S" and bool(block[482]))


def _number(field: bytes) -> int:
    """Octal digits, or base 256 if the first bit is set."""
    if field[0] & 0x80:
        number = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40 or number >= 1 << 62:
            message = "damaged: a header has an impossible size"
            raise UnpackingError(message)
        return number
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        message = "damaged: a header has a size that is no number"
        raise UnpackingError(message)
    return int(digits or b"0", 8)


def _checksum_is_right(block: bytes) -> bool:
    digits = block[148:156].strip(b" \0")
    if not re.fullmatch(rb"[0-7]+", digits):
        return False
    rest = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(rest)
    signed = unsigned - 256 * sum(byte > 127 for byte in rest)  # as some old programs computed it
    return int(digits, 8) in (unsigned, signed)


def _small(source: Source, header: _Header) -> bytes:
    if header.size > LARGEST_HEADER_BYTES:
        message = f"limit: a header has more than {LARGEST_HEADER_BYTES:,} bytes; what follows is not read"
        raise UnpackingError(message)
    data = _read_exactly(source, header.size)
    _read_exactly(source, -header.size % BLOCK)
    return data


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    position = 0
    while match := _PAX_RECORD.match(data, position):
        # An int of a few thousand digits is slow to read, and no record is that long.
        length = int(match.group(1)) if len(match.group(1)) < 10 else 0
        if length <= match.end() - position or position + length > len(data):
            message = "damaged: a member's extended header is malformed; what follows is not read"
            raise UnpackingError(message)
        records[match.group(2)] = data[match.end() : position + length - 1]
        position += length
    return records


def _pax_size(said: dict[bytes, bytes], size: int) -> int:
    digits = said.get(b"size")
    if digits is None:
        return size
    if not re.fullmatch(rb"[0-9]{1,18}", digits):
        message = "damaged: a member's extended header has a size that is no number"
        raise UnpackingError(message)
    return int(digits)


def _read_up_to(source: Source, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := source.read(size - len(data))):
        data += piece
    return data


def _read_exactly(source: Source, size: int) -> bytes:
    data = _read_up_to(source, size)
    if len(data) < size:
        message = "truncated: the archive ends in the middle of a member"
        raise UnpackingError(message)
    return data
