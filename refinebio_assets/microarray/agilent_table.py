"""Columns of the tables that image analysis programs write: tab-separated text of any encoding, a spot per line."""

from __future__ import annotations

import codecs
import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY

Numbers = NDArray[np.float64]
Names = NDArray[np.object_]
Columns = tuple[dict[str, Numbers], dict[str, Names]]
MixedColumns = dict[str, NDArray[Any]]

MISSING = frozenset(
    {"", "NA", "N/A", "NaN", "nan", "null", "Error", "1.#INF", "-1.#INF", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}
)
"""What stands for no number: R's and SQL's words, GenePix's, and what old C libraries printed."""

LARGEST_NUMBER = 1e15
"""Scanners count to 65,535, the extended range of two scans to a million."""

LONGEST_LINE = 2**17
"""A header of Feature Extraction has some thousand letters; what has no line breaks is no table."""

_LONGEST_SHOWN = 60


def text_of(content: bytes, path: Path | None) -> bytes:
    """The text as UTF-8 with LF at line ends; UTF-16 and UTF-8 by their marks, else UTF-8, else Latin-1.

    Raises:
        MalformedFileError: It begins like UTF-16 and is not, or has zero bytes as no text has.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            content = content.decode("utf-16").encode()
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            message = f"The file begins like UTF-16 text and is not ({error.reason})."
            raise MalformedFileError(message, path=path, line=1, remedy=BROKEN_FILE_REMEDY) from error
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        message = "The file has zero bytes: it is no text."
        raise MalformedFileError(message, path=path, line=line, remedy=BROKEN_FILE_REMEDY)
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1").encode()  # GEO has German and French descriptions
    return content


@dataclass(frozen=True)
class SpotTable:
    """A table in a text: its header and its lines.

    Attributes:
        body: The lines behind the header, UTF-8.
        columns: Names of the header, in order; blank names are ``""``.
        header_line: Line of the header in the file, from 1.
        path: What errors name.
        marker: What the first field of each line must be; nothing is asked of it if empty.
        is_quoted: Fields may be in double quotes.
    """

    body: bytes
    columns: tuple[str, ...]
    header_line: int
    path: Path | None
    marker: str = ""
    is_quoted: bool = False

    def read(self, *, numbers: Sequence[str], names: Sequence[str]) -> Columns:
        """Columns by name: numbers (float64, NaN where missing) and texts (str, blanks at both ends taken off).

        Raises:
            MalformedFileError: A line has too few fields or something that is no number, or is none of the table; a
                column is not there or there twice; there are no lines. The line is named.
        """
        places = {name: self._place_of(name) for name in (*numbers, *names)}
        columns = self._read_at_once(places, frozenset(numbers))
        if columns is None:
            columns = self._read_line_by_line(places, frozenset(numbers))
        if not len(next(iter(columns.values()))):
            message = "There is nothing behind the header."
            raise self._wrong(message, self.header_line)
        return {name: columns[name] for name in numbers}, {name: columns[name] for name in names}

    def _place_of(self, name: str) -> int:
        places = [place for place, column in enumerate(self.columns) if column == name]
        if len(places) != 1:
            what = f"is there {len(places)} times" if places else "is not there"
            message = f"The column {name!r} {what}."
            raise self._wrong(message, self.header_line)
        return places[0]

    def _wrong(self, message: str, line: int) -> MalformedFileError:
        return MalformedFileError(message, path=self.path, line=line, remedy=BROKEN_FILE_REMEDY)

    def _read_at_once(self, places: dict[str, int], numbers: frozenset[str]) -> MixedColumns | None:
        """By Arrow's parser; None if anything is odd, which the slow reader then understands or explains."""
        import pyarrow as pa
        from pyarrow import compute as pc
        from pyarrow import csv as arrow_csv

        types = {str(place): pa.float64() if name in numbers else pa.string() for name, place in places.items()}
        types.setdefault("0", pa.string())
        try:
            table = arrow_csv.read_csv(
                io.BytesIO(self.body),
                read_options=arrow_csv.ReadOptions(column_names=[str(place) for place in range(len(self.columns))]),
                parse_options=arrow_csv.ParseOptions(delimiter="\t", quote_char='"' if self.is_quoted else False),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=list(MISSING),
                    strings_can_be_null=False,
                ),
            )
        except (pa.ArrowException, ValueError):
            return None
        lines = self.body.count(b"\n") + (not self.body.endswith(b"\n")) - self.body.count(b"\n\n")
        has_marks = not self.marker or pc.all(pc.equal(table.column("0"), self.marker)).as_py()
        if table.num_rows != lines or not has_marks:
            return None
        columns: MixedColumns = {}
        for name, place in places.items():
            column = table.column(str(place))
            if name in numbers:
                columns[name] = column.to_numpy().astype(np.float64)
                if np.abs(columns[name]).max(initial=0.0, where=~np.isnan(columns[name])) > LARGEST_NUMBER:
                    return None
            else:
                columns[name] = pc.utf8_trim_whitespace(column).to_numpy().astype(object)
        return columns

    def _read_line_by_line(self, places: dict[str, int], numbers: frozenset[str]) -> MixedColumns:
        """The same, and lines that are shorter or longer than the header: spreadsheets drop and add empty fields."""
        columns: dict[str, list[float | str]] = {name: [] for name in places}
        for line, cells in self._rows():
            if any(cell.strip() for cell in cells[len(self.columns) :]):
                message = f"The line has {len(cells)} fields, the header {len(self.columns)}."
                raise self._wrong(message, line)
            for name, place in places.items():
                if place >= len(cells) and name in numbers:
                    message = f"The line ends before the column {name!r}: it has {len(cells)} fields."
                    raise self._wrong(message, line)
                cell = cells[place].strip() if place < len(cells) else ""
                columns[name].append(self._number(cell, name, line) if name in numbers else cell)
        return {
            name: np.array(column, dtype=np.float64 if name in numbers else object) for name, column in columns.items()
        }

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Lines with their numbers, but for blank ones; a last one without an end must be as long as the header."""
        lines = self.body.decode("utf-8").split("\n")
        for number, line in enumerate(lines, start=self.header_line + 1):
            if not line.strip():
                continue
            cells = self._cells(line, number)
            if self.marker and cells[0] != self.marker:
                message = f"The line begins with {cells[0][:_LONGEST_SHOWN]!r}, not {self.marker!r}."
                raise self._wrong(message, number)
            if number == self.header_line + len(lines) and len(cells) < len(self.columns):
                message = "The file ends in the middle of this line."
                raise self._wrong(message, number)
            yield number, cells

    def _cells(self, line: str, number: int) -> list[str]:
        if not self.is_quoted:
            return line.split("\t")
        try:
            return next(csv.reader([line], delimiter="\t"))
        except csv.Error as error:
            message = f"The line cannot be read ({error})."
            raise self._wrong(message, number) from error

    def _number(self, cell: str, name: str, line: int) -> float:
        if cell in MISSING:
            return math.nan
        try:
            number = float(cell) if "_" not in cell else math.inf
        except ValueError:
            number = math.inf
        if not abs(number) <= LARGEST_NUMBER:
            shown = cell if len(cell) <= _LONGEST_SHOWN else cell[:_LONGEST_SHOWN] + "…"
            message = f"{shown!r} in the column {name!r} is no number."
            remedy = "Numbers have a decimal point. " + BROKEN_FILE_REMEDY
            raise MalformedFileError(message, path=self.path, line=line, remedy=remedy)
        return number


def integers(column: Numbers, name: str, path: Path | None) -> NDArray[np.int32]:
    """A column of whole numbers as int32, -1 where missing.

    Raises:
        MalformedFileError: One of them is not whole or too large.
    """
    present = np.where(np.isnan(column), -1.0, column)
    if (np.rint(present) != present).any() or np.abs(present).max(initial=0.0) > np.iinfo(np.int32).max:
        message = f"The column {name!r} has something else than whole numbers."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    return present.astype(np.int32)
