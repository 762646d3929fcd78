"""Opening files that may be compressed with gzip or Zstandard, told by their first bytes and not by their names."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

from refinebio_assets.domain.errors import MalformedFileError

_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a plain, gzip or Zstandard file for reading bytes.

    Raises:
        MalformedFileError: The file cannot be opened or, while it is read, its compressed data turn out damaged.
    """
    try:
        with _opened(path) as file:
            yield file
    except FileNotFoundError as error:
        message = "There is no such file."
        raise MalformedFileError(message, path=path) from error
    except EOFError as error:
        message = "The compressed data end in the middle."
        raise MalformedFileError(message, path=path, remedy="Download the file again.") from error
    except (OSError, zlib.error) as error:
        message = f"The file cannot be read to its end ({error})."
        raise MalformedFileError(message, path=path, remedy="Download the file again.") from error


@contextmanager
def open_text(path: Path) -> Iterator[TextIOWrapper]:
    """Open a plain, gzip or Zstandard file for reading UTF-8 text, with or without a byte order mark.

    Raises:
        MalformedFileError: As :func:`open_bytes`; or it is no UTF-8 text.
    """
    try:
        with open_bytes(path) as file:
            yield TextIOWrapper(file, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"The file is no UTF-8 text ({error.reason} at byte {error.start} of a block)."
        raise MalformedFileError(message, path=path) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as file:
        start = file.peek(len(_ZSTANDARD))
        if start.startswith(_GZIP):
            with gzip.open(file) as unpacked:
                yield cast("BinaryIO", unpacked)
        elif start.startswith(_ZSTANDARD):
            import pyarrow as pa

            with pa.CompressedInputStream(file, "zstd") as unpacked:
                yield cast("BinaryIO", BufferedReader(unpacked))
        else:
            yield file
