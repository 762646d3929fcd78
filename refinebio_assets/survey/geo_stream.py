"""Lines of GEO's text files, read in one pass and in constant memory: plain or gzip, however long the data tables.

Data tables make up nearly all of a family file and hold no metadata. They are passed over in blocks: a block is
searched for lines that begin with ``!`` or ``^``, its other lines are only counted, and nothing of it is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt
from isal import igzip_lib
from isal.igzip_lib import IsalError

from refinebio_assets.domain.errors import MalformedFileError

BLOCK_BYTES = 96 * 1024
"""Bytes that are decompressed and searched at a time: they fit a processor's second-level cache, and
memory of this size is used again instead of being given back."""

LONGEST_LINE_BYTES = 16 * 1024 * 1024
"""Longest line that is read. GEO's own are below 100 kB; a file without line ends is no text."""

LONGEST_ROW_BYTES = 64 * 1024
"""Longest beginning of a row that is set aside while the next block is read."""

_MOST_LAYERS = 2  # servers compress what is compressed already
_GZIP = b"\x1f\x8b"
_Mask = npt.NDArray[np.bool_]
_NEWLINE = ord("\n")
_MARKS = (ord("!"), ord("^"))


class BrokenStreamError(Exception):
    """Compressed data end too early or are damaged; the reader adds file and line."""


def decompressed_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks themselves, or what they decompress to if they are gzip (also twice, also several members).

    Raises:
        BrokenStreamError: The gzip data are truncated, damaged or followed by something else.
    """
    for _ in range(_MOST_LAYERS):
        first = next(blocks, b"")
        blocks = _chain(first, blocks)
        if not first.startswith(_GZIP):
            break
        blocks = _inflated(blocks)
    yield from blocks


def _chain(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from blocks


def _inflated(blocks: Iterator[bytes]) -> Iterator[bytes]:
    pending = b""
    while True:
        pending = pending or next(blocks, b"")
        if not pending:
            return
        if len(pending) < len(_GZIP):
            pending += next(blocks, b"")
        if not pending.startswith(_GZIP):
            if pending.strip(b"\0"):
                message = "something that is not gzip follows the compressed data"
                raise BrokenStreamError(message)
            pending = b""
            continue
        pending = yield from _member(pending, blocks)


def _member(pending: bytes, blocks: Iterator[bytes]) -> Generator[bytes, None, bytes]:
    """Decompress one gzip member and give back the compressed bytes after it."""
    # It keeps what it has not decompressed yet, where zlib's interface copies that for every block.
    stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    while not stream.eof:
        at_end = stream.needs_input and not pending and not (pending := next(blocks, b""))
        try:
            block = stream.decompress(pending, BLOCK_BYTES)
        except IsalError as error:  # type: ignore[misc]  # the package's stub declares an instance, not the class
            message = f"the compressed data are damaged ({error})"
            raise BrokenStreamError(message) from error
        pending = b""
        if block:
            yield block
        elif at_end and not stream.eof:
            message = "the compressed data end in the middle"
            raise BrokenStreamError(message)
    return bytes(stream.unused_data)


class LineReader:
    """Reads a file line by line, and passes over tables block by block. A context manager.

    Attributes:
        name: What errors call the file.
        line: Number of lines read so far: the 1-based number of the last one.
    """

    def __init__(self, source: Path | BinaryIO) -> None:
        self.line = 0
        self._cleanup = ExitStack()
        file: BinaryIO
        if isinstance(source, Path):
            self.name = str(source)
            file = self._cleanup.enter_context(source.open("rb"))
        else:
            self.name = str(getattr(source, "name", "SOFT stream"))
            file = source
        self._blocks = decompressed_blocks(iter(lambda: file.read(BLOCK_BYTES), b""))
        self._buffer = b""
        self._position = self._last_start = 0
        self._masks: _Mask = np.empty((2, 0), np.bool_)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def next_line(self) -> bytes | None:
        """The next line without its line end; None at the end of the file.

        Raises:
            MalformedFileError: The compressed data are broken, or the line is too long for a text.
        """
        end = self._buffer.find(b"\n", self._position)
        while end < 0:
            unread = len(self._buffer) - self._position
            if not self._refill():
                return self._last_line()
            end = self._buffer.find(b"\n", unread)
        line = self._buffer[self._position : end]
        self._last_start, self._position = self._position, end + 1
        self.line += 1
        return line[:-1] if line.endswith(b"\r") else line

    def peek(self) -> bytes:
        """The beginning of what is next, for telling formats apart; empty at the end of the file."""
        if self._position >= len(self._buffer):
            self._refill()
        return self._buffer[self._position : self._position + 4096]

    def unread(self) -> None:
        """Put back the line that was read last; only once in a row."""
        self._position = self._last_start
        self.line -= 1

    def skip_lines_until(self, is_marker: Callable[[bytes], bool]) -> int:
        """Pass over lines up to the first one that begins with ``!`` or ``^`` and that ``is_marker`` takes.

        Returns:
            How many lines were passed over; the marker is the next line, if there is one.
        """
        before = self.line
        while True:
            end = self._buffer.rfind(b"\n") + 1
            if end > self._position:
                marker = self._marker_before(end, is_marker)
                if marker is not None:
                    self._position = marker
                    return self.line - before
                self._position = end
            if not self._refill_for_rows():
                line = self._last_line()
                if line is not None and is_marker(line):
                    self.unread()
                return self.line - before

    def _refill_for_rows(self) -> bool:
        """Refill; the row that the end of a block cuts in two is counted without copying the block to its beginning."""
        cut = self._buffer[self._position : self._position + 1]
        if not cut or cut[0] in _MARKS or self._position + LONGEST_ROW_BYTES < len(self._buffer):
            return self._refill()
        tail = self._buffer[self._position :]
        self._position = len(self._buffer)
        if not self._refill():
            self._buffer, self._position = tail, 0
            return False
        end = self._buffer.find(b"\n")
        if end < 0:
            self._buffer = tail + self._buffer
        else:
            self._position = end + 1
            self.line += 1
        return True

    def _marker_before(self, end: int, is_marker: Callable[[bytes], bool]) -> int | None:
        """Where the first marker line below ``end`` begins; counts the lines before it, or all of them."""
        start = self._position
        window = np.frombuffer(self._buffer, np.uint8, end - start, start)
        newline, begins = self._scratch(end - start)
        np.equal(window, _NEWLINE, out=newline)
        candidates = [0] if window[0] in _MARKS else []
        for mark in _MARKS:
            # Marks are rare in most tables, so one look for the byte alone mostly settles it.
            if self._buffer.find(mark, start + 1, end) >= 0:
                np.equal(window[1:], mark, out=begins)
                begins &= newline[:-1]
                candidates += (np.flatnonzero(begins) + 1).tolist()
        for candidate in sorted(candidates):
            begin = start + candidate
            if is_marker(self._buffer[begin : self._buffer.find(b"\n", begin)].rstrip(b"\r")):
                self.line += int(np.count_nonzero(newline[:candidate]))
                return begin
        self.line += int(np.count_nonzero(newline))
        return None

    def _scratch(self, length: int) -> tuple[_Mask, _Mask]:
        """Room for the masks of a block, the same for every block: fresh memory costs more than the comparisons."""
        if self._masks.shape[1] < length:
            self._masks = np.empty((2, length + BLOCK_BYTES), np.bool_)
        return self._masks[0, :length], self._masks[1, : length - 1]

    def _last_line(self) -> bytes | None:
        line = self._buffer[self._position :]
        if not line:
            return None
        self._last_start, self._position = self._position, len(self._buffer)
        self.line += 1
        return line.rstrip(b"\r")

    def _refill(self) -> bool:
        try:
            block = next(self._blocks, b"")
        except (BrokenStreamError, OSError) as error:
            message = f"The file cannot be read to its end: {error}."
            raise MalformedFileError(
                message, path=self.name, line=self.line + 1, remedy="Download the file again."
            ) from error
        self._buffer = self._buffer[self._position :] + block
        self._position = 0
        if len(self._buffer) > LONGEST_LINE_BYTES + BLOCK_BYTES:
            message = "The line is too long for a text file."
            raise MalformedFileError(message, path=self.name, line=self.line + 1)
        return bool(block)
