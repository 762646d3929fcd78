"""Downloading one file: streamed, resumed, verified, and put in place in one step.

Beside the destination lie, while it is under way, ``<name>.part`` (the bytes so far) and ``<name>.part.json`` (what
they are of). A killed process leaves them, and the next download of the same destination goes on from there.
``If-Range`` (RFC 9110 §13.1.5) makes sure that old and new bytes belong to the same version of the file.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import orjson

from refinebio_assets.domain.errors import (
    ArchiveNotFoundError,
    ChecksumMismatchError,
    MalformedPayloadError,
    TransientArchiveError,
)
from resources.archives.inspection import FileInspector, pieces_of
from resources.archives.responses import refuse_web_page

_log = logging.getLogger(__name__)

_GZIP_MAGIC = b"\x1f\x8b"

Progress = Callable[[int, int | None], None]
"""Called with the bytes done and the bytes in total (None if the archive does not say)."""

OpenStream = Callable[[Mapping[str, str]], AbstractContextManager[httpx.Response]]
"""Asks for the file with the given extra headers; 416 must come through, other failures be raised."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A verified file on disk."""

    path: Path
    size_bytes: int
    md5: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What is known about a file before it is fetched."""

    url: str
    size_bytes: int | None = None
    md5: str | None = None


class Download:
    """One file on its way to ``destination``.

    Args:
        open_stream: Asks the archive.
        announced: Address, size and md5.
        destination: Where the file goes; a name that ends in ``.gz`` must hold complete gzip data.
        progress: Told about every piece.
    """

    def __init__(
        self, open_stream: OpenStream, announced: Announced, destination: Path, progress: Progress | None
    ) -> None:
        self._open_stream = open_stream
        self._announced = announced
        self._destination = destination
        self._part = destination.with_name(destination.name + ".part")
        self._record = destination.with_name(destination.name + ".part.json")
        self._progress = progress or (lambda _done, _total: None)

    def already_there(self) -> Downloaded | None:
        """The destination, if an earlier run completed it and its md5 is the announced one."""
        if self._announced.md5 is None or not self._destination.is_file():
            return None
        inspector = self._inspector().update_from(pieces_of(self._destination))
        if inspector.md5 != self._announced.md5.lower():
            return None
        return self._downloaded(inspector)

    def attempt(self) -> Downloaded:
        """Fetch what is missing, verify the whole and move it to the destination.

        Raises:
            TransientArchiveError: The connection failed or broke; the bytes received are kept for the next attempt.
            ArchiveNotFoundError: The archive does not have the file.
            MalformedPayloadError: All bytes came, but they are wrong; none is kept.
        """
        self._destination.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self._part) as part:
            inspector = self._inspector()
            headers = self._resume_headers(part, inspector)
            if not self._is_complete(inspector):
                try:
                    with self._open_stream(headers) as response:
                        inspector = self._receive(response, part, inspector)
                except ArchiveNotFoundError:
                    if not inspector.size_bytes:
                        self._forget()  # no empty part file of something that is not there
                    raise
            self._verify(inspector)
            part.flush()
            os.fsync(part.fileno())
            self._part.replace(self._destination)
            self._record.unlink(missing_ok=True)
            _sync_folder(self._destination.parent)
        return self._downloaded(inspector)

    def _inspector(self) -> FileInspector:
        return FileInspector(gzip=self._destination.suffix == ".gz")

    def _downloaded(self, inspector: FileInspector) -> Downloaded:
        return Downloaded(self._destination, inspector.size_bytes, inspector.md5, inspector.sha256)

    def _is_complete(self, inspector: FileInspector) -> bool:
        """Whether a process was killed between the last byte and the move."""
        return inspector.size_bytes > 0 and inspector.size_bytes == self._announced.size_bytes

    def _resume_headers(self, part: BinaryIO, inspector: FileInspector) -> dict[str, str]:
        """Take over the bytes an earlier attempt left, if they can be continued safely."""
        record = self._read_record()
        validator = record.get("validator")
        same_file = record.get("url") == self._announced.url
        known_whole = self._announced.size_bytes is not None and self._announced.md5 is not None
        if not same_file or not (validator or known_whole):
            part.truncate(0)
        inspector.update_from(pieces_of(self._part))
        part.seek(0, os.SEEK_END)
        if not inspector.size_bytes:
            return {}
        _log.info("Going on with %s after %d bytes.", self._announced.url, inspector.size_bytes)
        headers = {"Range": f"bytes={inspector.size_bytes}-"}
        return headers | ({"If-Range": validator} if isinstance(validator, str) else {})

    def _receive(self, response: httpx.Response, part: BinaryIO, inspector: FileInspector) -> FileInspector:
        """Write the answer's body behind the bytes that are there, or from the start if the archive does not resume."""
        whole = _total_size(response)
        resumed = inspector.size_bytes > 0 and _range_start(response) == inspector.size_bytes
        if _is_unsatisfiable(response) or (_is_partial(response) and not resumed):
            self._discard(part)
            message = f"{self._announced.url} changed while it was fetched."
            raise TransientArchiveError(message, url=self._announced.url)
        # Pieces as they arrive: a chunk size would hold back, and lose, what came before a connection broke.
        pieces = response.iter_raw()
        if not resumed:
            first = next(pieces, b"")
            self._sniff(first)
            pieces = chain((first,), pieces)
        self._compare_sizes(whole)
        if not resumed:
            inspector = self._inspector()
            self._discard(part)
        self._write_record(response)
        expected = self._announced.size_bytes if whole is None else whole
        self._copy(pieces, part, inspector, expected)
        if expected is not None and inspector.size_bytes < expected:
            message = f"{self._announced.url} broke off after {inspector.size_bytes} of {expected} bytes."
            raise TransientArchiveError(message, url=self._announced.url)
        return inspector

    def _copy(self, pieces: Iterator[bytes], part: BinaryIO, inspector: FileInspector, expected: int | None) -> None:
        """Write the pieces; more than the expected bytes are not waited for."""
        for piece in pieces:
            part.write(piece)
            inspector.update(piece)
            self._progress(inspector.size_bytes, expected)
            if expected is not None and inspector.size_bytes > expected:
                break

    def _compare_sizes(self, whole: int | None) -> None:
        """Refuse an answer for a file of another size than announced, before its bytes are fetched.

        Raises:
            ChecksumMismatchError: The sizes differ.
        """
        announced = self._announced.size_bytes
        if whole is None or announced is None or whole == announced:
            return
        self._forget()
        url = self._announced.url
        message = f"{url} has {whole} bytes, the archive announced {announced}."
        raise ChecksumMismatchError(message, url=url)

    def _sniff(self, start: bytes) -> None:
        """Refuse a body whose first bytes cannot be those of the file."""
        if self._destination.suffix not in (".html", ".htm"):
            refuse_web_page(start, self._announced.url)
        if self._destination.suffix == ".gz" and not start.startswith(_GZIP_MAGIC[: len(start)]):
            message = f"{self._announced.url} is not a gzip file."
            raise MalformedPayloadError(message, url=self._announced.url)

    def _verify(self, inspector: FileInspector) -> None:
        """Compare the whole file with what was announced.

        Raises:
            ChecksumMismatchError: Size or md5 differs.
            MalformedPayloadError: A gzip file is truncated or corrupt.
        """
        url, size, md5 = self._announced.url, self._announced.size_bytes, self._announced.md5
        error: MalformedPayloadError | None = None
        if size is not None and inspector.size_bytes != size:
            error = ChecksumMismatchError(
                f"{url} has {inspector.size_bytes} bytes, the archive announced {size}.", url=url
            )
        elif md5 is not None and inspector.md5 != md5.lower():
            error = ChecksumMismatchError(f"{url} has md5 {inspector.md5}, the archive announced {md5}.", url=url)
        elif problem := inspector.gzip_problem():
            error = MalformedPayloadError(f"{url}: {problem}.", url=url)
        if error is not None:
            self._forget()
            raise error

    def _forget(self) -> None:
        """Remove what was received."""
        self._part.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def _discard(self, part: BinaryIO) -> None:
        """Start the part file over, keeping its lock."""
        part.seek(0)
        part.truncate(0)
        self._record.unlink(missing_ok=True)

    def _read_record(self) -> dict[str, Any]:
        try:
            record = orjson.loads(self._record.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return record if isinstance(record, dict) else {}

    def _write_record(self, response: httpx.Response) -> None:
        content = {"url": self._announced.url, "validator": _validator(response)}
        fresh = self._record.with_name(self._record.name + ".new")
        fresh.write_bytes(orjson.dumps(content))
        fresh.replace(self._record)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """Open a part file for going on with it; another process at the same file is waited for.

    The file that was waited for may have been moved to its destination meanwhile: then a new one is opened.
    """
    while True:
        with path.open("ab") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                yield file
                return


def _sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _validator(response: httpx.Response) -> str | None:
    """What ``If-Range`` may carry: a strong ETag, or the date of the last change."""
    etag: str = response.headers.get("etag", "")
    if etag and not etag.startswith("W/"):
        return etag
    last_modified: str | None = response.headers.get("last-modified")
    return last_modified


def _is_partial(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.PARTIAL_CONTENT


def _is_unsatisfiable(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE


def _range_start(response: httpx.Response) -> int | None:
    """First byte of a 206 answer (``Content-Range: bytes 5-9/10`` -> 5), None for any other answer."""
    header: str = response.headers.get("content-range", "")
    first = header.removeprefix("bytes ").split("-")[0]
    return int(first) if _is_partial(response) and first.isdigit() else None


def _total_size(response: httpx.Response) -> int | None:
    """Size of the whole file by the answer's headers."""
    if _is_partial(response):
        text = response.headers.get("content-range", "").rpartition("/")[2]
    else:
        text = response.headers.get("content-length", "")
    return int(text) if text.isdigit() else None
