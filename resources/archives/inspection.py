"""What a stream of bytes is: size, md5, sha256, and whether its gzip members are complete."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path

_READ_BYTES = 1 << 20
_GZIP_WINDOW = 31  # zlib's name for "gzip header and trailer expected"


class GzipCheck:
    """Follows a gzip file of any number of members as it streams by, without keeping the content.

    RFC 1952: a file is a sequence of members; each ends with a checksum and a length, which zlib verifies. Zero bytes
    after the last member are padding, as in gzip(1).
    """

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=_GZIP_WINDOW)
        self._inside = False
        self._complete_members = 0
        self._problem: str | None = None

    def update(self, chunk: bytes) -> None:
        """Take the next bytes of the file."""
        rest = chunk
        while rest and self._problem is None:
            if not self._inside:
                rest = rest.lstrip(b"\0") if self._complete_members else rest
                self._inside = bool(rest)
            rest = self._follow(rest)

    def _follow(self, data: bytes) -> bytes:
        """Decompress a piece; returns what is left to do, which starts a new member if this one ended."""
        try:
            self._member.decompress(data, _READ_BYTES)
        except zlib.error as error:
            self._problem = str(error)
            return b""
        if not self._member.eof:
            return self._member.unconsumed_tail
        rest = self._member.unused_data
        self._member = zlib.decompressobj(wbits=_GZIP_WINDOW)
        self._inside = False
        self._complete_members += 1
        return rest

    def problem(self) -> str | None:
        """What is wrong with the file now that it has ended, None if it is complete."""
        while self._inside and self._problem is None and self._drain():
            pass
        if self._problem is not None:
            return f"not intact gzip data: {self._problem}"
        if self._inside or not self._complete_members:
            return "the gzip data end too early: the file is truncated"
        return None

    def _drain(self) -> bool:
        """Give zlib the room to hand out what it still holds; whether it held something."""
        try:
            held = self._member.decompress(b"", _READ_BYTES)
        except zlib.error as error:
            self._problem = str(error)
            return False
        if self._member.eof:
            self._inside = False
            self._complete_members += 1
        return bool(held)


class FileInspector:
    """Size, md5, sha256 and gzip state of a file that is given piece by piece.

    Args:
        gzip: Whether the content must be gzip.
    """

    def __init__(self, *, gzip: bool) -> None:
        self.size_bytes = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._gzip = GzipCheck() if gzip else None

    def update(self, chunk: bytes) -> None:
        """Take the next bytes of the file."""
        self.size_bytes += len(chunk)
        self._md5.update(chunk)
        self._sha256.update(chunk)
        if self._gzip is not None:
            self._gzip.update(chunk)

    def update_from(self, pieces: Iterable[bytes]) -> FileInspector:
        """Take several pieces; returns itself."""
        for piece in pieces:
            self.update(piece)
        return self

    @property
    def md5(self) -> str:
        """Hexadecimal md5 of the bytes so far."""
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        """Hexadecimal sha256 of the bytes so far."""
        return self._sha256.hexdigest()

    def gzip_problem(self) -> str | None:
        """Why the content is not complete gzip; None if it is, or need not be."""
        return None if self._gzip is None else self._gzip.problem()


def pieces_of(path: Path) -> Iterable[bytes]:
    """The content of a file in pieces of one MiB."""
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            yield piece
