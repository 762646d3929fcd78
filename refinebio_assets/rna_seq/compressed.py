"""Reading text files that may be compressed with gzip; a truncated or damaged one is an error that names the file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from refinebio_assets.domain.errors import MalformedFileError

_GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_compressed(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """Open a plain or gzip file for reading bytes. Gzip is told by the first bytes, not by the name.

    Raises:
        MalformedFileError: The file is missing, or (while it is read) its gzip turns out truncated or damaged.
    """
    try:
        with path.open("rb") as file:
            compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    except FileNotFoundError as error:
        message = "There is no such file."
        raise MalformedFileError(message, path=path) from error
    try:
        with gzip.open(path, "rb") if compressed else path.open("rb") as file:
            yield file
    except EOFError as error:
        message = "The gzip file is truncated."
        raise MalformedFileError(message, path=path, remedy="Download it again.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        message = f"The gzip file is damaged ({error})."
        raise MalformedFileError(message, path=path, remedy="Download it again.") from error


def is_markup(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a web page or an XML message, as error pages are."""
    return start.lstrip()[:1] == b"<"
