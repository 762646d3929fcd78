"""A file's content through whatever it is compressed with: the first bytes for telling kinds apart, then a stream."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.survey.geo_stream import BLOCK_BYTES, BrokenStreamError, decompressed_blocks

HEAD_BYTES = 64 * 1024
"""How much of a file is looked at to tell its kind."""

LARGEST_DOCUMENT_BYTES = 64 * 1024 * 1024
"""Largest document that is read as a whole (JSON, MAGE-TAB): parsed it takes several times as much."""

_MOST_LAYERS = 4
_DAMAGED = (BrokenStreamError, OSError, EOFError, lzma.LZMAError, zlib.error, ValueError)


class _Blocks(io.RawIOBase):
    """Blocks as a file; what compressed data raise when they are damaged becomes one error."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(BLOCK_BYTES), b""))
        if not self._rest:
            self._rest = next(self._blocks, b"")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def _of_file(file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from iter(lambda: file.read(BLOCK_BYTES), b"")
    except _DAMAGED as error:
        message = f"the compressed data are damaged or end early ({error})"
        raise BrokenStreamError(message) from error


def _gunzipped(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", _Blocks(decompressed_blocks(_of_file(file))))


def _bunzipped(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", _Blocks(_of_file(cast("BinaryIO", bz2.BZ2File(file)))))


def _unxzed(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", _Blocks(_of_file(cast("BinaryIO", lzma.LZMAFile(file)))))


def _unzstded(file: BinaryIO) -> BinaryIO:
    import pyarrow as pa  # only here: it takes long to import, and zstd is rare

    stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
    return cast("BinaryIO", _Blocks(_of_file(cast("BinaryIO", stream))))


_LAYERS: tuple[tuple[str, bytes, Callable[[BinaryIO], BinaryIO]], ...] = (
    ("gzip", b"\x1f\x8b", _gunzipped),
    ("bzip2", b"BZh", _bunzipped),
    ("xz", b"\xfd7zXZ\x00", _unxzed),
    ("zstd", b"\x28\xb5\x2f\xfd", _unzstded),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file, or bytes that came from within one.

    Attributes:
        name: What errors call it; the file name in it is a hint, never evidence.
        path: Where it lies; None for bytes.
        data: The bytes, if there is no file.
        layers: What it is compressed with, outermost first.
        head: The first decompressed bytes, at most :data:`HEAD_BYTES`.
        is_whole: Whether ``head`` is everything.
    """

    name: str
    path: Path | None = None
    data: bytes = b""
    layers: tuple[str, ...] = ()
    head: bytes = b""
    is_whole: bool = False
    text: str = field(default="", repr=False)

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """The decompressed content from its beginning; ``read(n)`` may give less than ``n`` bytes before the end."""
        with self._open() as file:
            opened = file
            for layer in self.layers:
                opened = next(unwrap for name, _, unwrap in _LAYERS if name == layer)(opened)
            named = _Named(_of_file(opened), self.name)
            yield cast("BinaryIO", named)

    def _open(self) -> BinaryIO:
        if self.path is not None:
            return self.path.open("rb")
        return io.BytesIO(self.data)

    def read(self, *, largest: int = LARGEST_DOCUMENT_BYTES) -> bytes:
        """Everything.

        Raises:
            MalformedFileError: It is larger than ``largest``, or its compressed data are broken.
        """
        pieces, size = [], 0
        try:
            with self.stream() as file:
                while piece := file.read(BLOCK_BYTES):
                    size += len(piece)
                    if size > largest:
                        message = f"The document has more than {largest // 2**20} MiB and is not read as a whole."
                        raise MalformedFileError(message, path=self.name)
                    pieces.append(piece)
        except BrokenStreamError as error:
            raise broken(self.name, error) from error
        return b"".join(pieces)


class _Named(_Blocks):
    """Readers of ours name a stream in their errors by this attribute."""

    def __init__(self, blocks: Iterator[bytes], name: str) -> None:
        super().__init__(blocks)
        self.name = name


def broken(name: str, error: Exception) -> MalformedFileError:
    """The error for a file whose compressed data are damaged."""
    message = f"The file cannot be read to its end: {error}."
    return MalformedFileError(message, path=name, remedy="Download the file again.")


def open_content(path: Path) -> Content:
    """Look at a file: its layers of compression and its first bytes.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is empty, or its compressed data are broken at the beginning.
    """
    if not path.exists():
        message = "There is no such file."
        raise InputError(message, path=path)
    if not path.is_file():
        message = "This is no file."
        raise InputError(message, path=path, remedy="Give the files in it.")
    return _looked_at(Content(name=str(path), path=path))


def content_of(data: bytes, name: str) -> Content:
    """The same for bytes; ``name`` says where they come from."""
    return _looked_at(Content(name=name, data=data))


def _looked_at(content: Content) -> Content:
    layers: tuple[str, ...] = ()
    head, is_whole = _head(content)
    while len(layers) < _MOST_LAYERS:
        layer = next((name for name, magic, _ in _LAYERS if head.startswith(magic)), None)
        if layer is None:
            break
        layers = (*layers, layer)
        head, is_whole = _head(_with(content, layers))
    if not head:
        message = "The file is empty."
        raise MalformedFileError(message, path=content.name, line=1, remedy="Download it again.")
    return _with(content, layers, head=head, is_whole=is_whole)


def _with(content: Content, layers: tuple[str, ...], *, head: bytes = b"", is_whole: bool = False) -> Content:
    return Content(
        name=content.name,
        path=content.path,
        data=content.data,
        layers=layers,
        head=head,
        is_whole=is_whole,
        text=_text(head),
    )


def _head(content: Content) -> tuple[bytes, bool]:
    head = b""
    try:
        with content.stream() as file:
            while len(head) < HEAD_BYTES:
                piece = file.read(HEAD_BYTES - len(head))
                if not piece:
                    return head, True
                head += piece
            return head, not file.read(1)
    except BrokenStreamError as error:
        if head:  # the beginning is there: its reader says at which line it ends
            return head, False
        raise broken(content.name, error) from error
    except OSError as error:
        message = f"The file cannot be read: {error.strerror or error}."
        raise InputError(message, path=content.name) from error


def _text(head: bytes) -> str:
    """The head as text for looking at; not for storing."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", errors="replace")
    return head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
