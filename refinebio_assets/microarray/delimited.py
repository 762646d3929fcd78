"""Columns of delimited text as arrays; what is wrong is told with its line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray import _delimited
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY

BLANKS = b""
"""Separators: any number of spaces and tabs."""

TABS = b"\t"

SKIP, INTEGER, KEYED, SHORT, REAL, LETTER, TEXT = "-", "i", "v", "h", "f", "c", "s"

_DTYPES: dict[str, type[np.generic]] = {
    INTEGER: np.int32,
    KEYED: np.int32,
    SHORT: np.int16,
    REAL: np.float32,
    LETTER: np.uint8,
    TEXT: np.int32,
}
MOST_FIELDS = 256
_LONGEST_TEXT_SHOWN = 60
_PROBLEMS = {
    "fields": "has too few fields",
    "not_a_number": "has something that is no number",
    "not_finite": "has a number that is not finite",
    "no_key": "lacks a name and =",
    "out_of_range": "has a number that is out of range",
    "not_one_letter": "has more than one letter where one belongs",
    "no_name": "lacks a name",
    "not_text": "has a name that is not text (UTF-8)",
    "too_long": "has a sequence that is too long",
    "not_a_sequence": "has a sequence with something else than letters",
}


class Rows(NamedTuple):
    """Lines as columns: one array per field that is not skipped, and where the lines end."""

    columns: tuple[NDArray[Any], ...]
    lines: int
    end: int


def read_rows(
    data: bytes,
    fields: Sequence[str],
    *,
    start: int = 0,
    stop: int | None = None,
    most: int,
    separators: bytes = TABS,
    path: Path | None = None,
    starts: NDArray[np.int64] | None = None,
) -> Rows:
    """Read lines until a blank one, one that begins a section (``[``), ``stop``, or ``most`` are read.

    Args:
        data: The text.
        fields: What to make of each field of a line, from the left: ``INTEGER`` an int32, ``KEYED`` one behind a name
            and ``=``, ``SHORT`` an int16, ``REAL`` a float32, ``LETTER`` its code (uint8, 0 if there is none), ``TEXT``
            its place (int32, two columns: begin and end), ``SKIP`` nothing. Further fields are passed over.
        start: Where the first line begins.
        stop: Where the text ends.
        most: Largest number of lines.
        separators: Bytes each of which ends a field, or :data:`BLANKS`.
        path: What errors name.
        starts: Where each line begins, if they do not follow each other.

    Raises:
        MalformedFileError: A line has too few fields or something that is no number; names the line.
    """
    if len(fields) > MOST_FIELDS:
        message = f"A line has {len(fields)} columns; more than {MOST_FIELDS} are not read."
        raise malformed_line(message, data, start, path)
    stored = [kind for kind in fields if kind != SKIP]
    arrays = tuple(np.empty((most, 2) if kind == TEXT else most, dtype=_DTYPES[kind]) for kind in stored)
    end = len(data) if stop is None else stop
    kinds = "".join(fields).encode()
    try:
        count, end = _delimited.parse_rows(data, start, end, separators, kinds, arrays, most, starts)
    except _delimited.DelimitedError as error:
        raise explained(error, data, path) from None
    return Rows(tuple(array[:count] for array in arrays), count, end)


def encode(data: bytes, spans: NDArray[np.int32], path: Path | None) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Number the distinct texts in order of first appearance: code of each (int32), and the names.

    Raises:
        MalformedFileError: A text is empty or no UTF-8; names the line.
    """
    codes = np.empty(len(spans), dtype=np.int32)
    try:
        names = _delimited.encode(data, spans, codes)
    except _delimited.DelimitedError as error:
        raise explained(error, data, path) from None
    return codes, tuple(names)


def sequences(
    data: bytes, spans: NDArray[np.int32], *, least_width: int, longest: int, path: Path | None
) -> NDArray[np.bytes_]:
    """Copy letters in upper case as an array of bytes strings, as wide as the longest and at least ``least_width``.

    Raises:
        MalformedFileError: A text has something else than letters or is longer than ``longest``; names the line.
    """
    widest = int((spans[:, 1] - spans[:, 0]).max(initial=0))
    width = min(max(least_width, widest), longest)
    matrix = np.empty((len(spans), width), dtype=np.uint8)
    try:
        _delimited.fixed_width(data, spans, matrix, width)
    except _delimited.DelimitedError as error:
        raise explained(error, data, path) from None
    return matrix.view(f"S{width}").reshape(len(spans))


def line_of(data: bytes, offset: int) -> int:
    """The 1-based number of the line that holds a byte."""
    return data.count(b"\n", 0, max(offset, 0)) + 1


def malformed_line(message: str, data: bytes, offset: int, path: Path | None) -> MalformedFileError:
    """An error about the line that holds a byte."""
    return MalformedFileError(message, path=path, line=line_of(data, offset), remedy=BROKEN_FILE_REMEDY)


def explained(error: _delimited.DelimitedError, data: bytes, path: Path | None) -> MalformedFileError:
    """The parser's verdict in words."""
    kind, offset, field = error.args
    begin = data.rfind(b"\n", 0, offset) + 1
    shown = shown_text(data[begin : begin + 4 * _LONGEST_TEXT_SHOWN].split(b"\n")[0])
    number = f" (field {field + 1})" if kind not in {"fields", "no_name", "not_text", "too_long"} else ""
    message = f"Line {line_of(data, offset)} {_PROBLEMS[kind]}{number}: {shown!r}."
    return malformed_line(message, data, offset, path)


def shown_text(text: bytes) -> str:
    """The beginning of a text for an error message."""
    shown = text.decode("utf-8", errors="replace").strip("\r\n")
    return shown if len(shown) <= _LONGEST_TEXT_SHOWN else shown[:_LONGEST_TEXT_SHOWN] + "…"
