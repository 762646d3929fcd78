"""Reading the survey's own tables (``data/``): every fault is an error that names file and line."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from importlib.resources.abc import Traversable

from refinebio_assets.domain.errors import MalformedFileError


def table_lines(table: Traversable) -> list[str]:
    """The stripped lines of a table.

    Raises:
        MalformedFileError: The table cannot be read, is empty, or has an empty line.
    """
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"The table cannot be read: {error}."
        raise MalformedFileError(message, path=str(table)) from error
    if not lines:
        message = "The table is empty."
        raise MalformedFileError(message, path=str(table))
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            message = "The table has an empty line."
            raise MalformedFileError(message, path=str(table), line=number, remedy="Remove it.")
    return [line.strip() for line in lines]


def table_rows(table: Traversable, columns: tuple[str, ...]) -> list[list[str]]:
    """The rows of a CSV table below its header; the first one is line 2.

    Raises:
        MalformedFileError: The columns are others, or a row lacks a value or has too many.
    """
    header, *rows = list(csv.reader(table_lines(table)))
    if tuple(header) != columns:
        message = f"The columns must be {', '.join(columns)}."
        raise MalformedFileError(message, path=str(table), line=1)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns) or not all(map(str.strip, row)):
            message = f"The line must have {len(columns)} filled columns."
            raise MalformedFileError(message, path=str(table), line=number)
    return rows


def refuse_duplicates(table: Traversable, keys: Iterable[object], *, first_line: int = 1) -> None:
    """Check that the keys of consecutive lines differ.

    Raises:
        MalformedFileError: Two lines have the same key; the message names both.
    """
    seen: dict[object, int] = {}
    for number, key in enumerate(keys, start=first_line):
        if key in seen:
            message = f"The entry is a duplicate of line {seen[key]}."
            raise MalformedFileError(message, path=str(table), line=number, remedy="Remove one of them.")
        seen[key] = number
