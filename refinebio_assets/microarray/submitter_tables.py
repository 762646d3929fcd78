"""Tables of values that submitters processed themselves: of one sample (GEO's GSM, ArrayExpress) or of a series.

What every column means is decided by names and content, with a confidence and the evidence; a table that leaves two
readings open is refused and says which columns there are, so that a person can name the right one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, MalformedFileError, UncertainTableError
from refinebio_assets.microarray.compressed_bytes import Source, path_of
from refinebio_assets.microarray.submitter_columns import (
    LEAST_NUMERIC,
    VALUE_NAMES,
    Choice,
    ColumnContent,
    choose_columns,
    describe_column,
    example_of,
    has_header,
    is_missing,
    is_shifted_header,
    number_of,
    plain_name,
)
from refinebio_assets.microarray.submitter_text import TableText, read_table_text
from refinebio_assets.survey.geo_tables import SampleTable

Numbers = NDArray[np.float64]

LEAST_CONFIDENCE = 0.6
"""Below it a table is refused."""

_ROWS_LOOKED_AT = 2000
_COLUMNS_SHOWN = 6
_NAME_THE_COLUMNS = "Say which columns have identifiers and values (id_column, value_columns), by name or number."


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitterTable:
    """Identifiers and values of one or several samples.

    Attributes:
        ids: Shape (rows,), text; identifiers may repeat.
        values: Shape (rows, samples), float64, as submitted; NaN where there is no number.
        samples: One name per column of ``values``: the column's, or the sample's where the column is called ``VALUE``.
        columns: All columns of the table; empty texts without a header.
        id_column: Place of the identifiers, 0-based.
        value_columns: Places of the values, 0-based.
        header_found: Whether the first line has names.
        descriptions: What the file itself says about the columns of values, by column name.
        confidence: Of the choice of columns, 0 to 1.
        evidence: What led to it, for people.
        missing: Cells of each value column that are empty or say that there is no value.
        not_numeric: Cells of each value column that have something else than a finite number.
        duplicate_ids: Rows whose identifier came before; they are kept.
        rows_without_id: Rows that were left out because they identify nothing.
        warnings: What a person should know, for people.
    """

    ids: NDArray[np.str_] = field(repr=False)
    values: Numbers = field(repr=False)
    samples: tuple[str, ...]
    columns: tuple[str, ...]
    id_column: int
    value_columns: tuple[int, ...]
    header_found: bool
    descriptions: dict[str, str]
    confidence: float
    evidence: tuple[str, ...]
    missing: tuple[int, ...]
    not_numeric: tuple[int, ...]
    duplicate_ids: int
    rows_without_id: int
    warnings: tuple[str, ...]

    @property
    def value_column(self) -> str:
        """Name of the (first) column of values; its number, from 1, if it has no name."""
        return self.columns[self.value_columns[0]] or str(self.value_columns[0] + 1)


def read_submitter_table(
    source: Source | SampleTable,
    *,
    entity: str | None = None,
    id_column: str | int | None = None,
    value_columns: Sequence[str | int] = (),
    samples: Collection[str] = (),
) -> SubmitterTable:
    """Read a table that a submitter processed.

    Understood are tables with and without header, separated by tabs, semicolons or commas, in UTF-8, UTF-16 or Latin-1,
    with quotes, decimal commas, any line ends, SOFT samples and series matrices, plain or compressed.

    Args:
        source: A file, its bytes, or the table of a sample that :mod:`refinebio_assets.survey.geo_tables` read.
        entity: Which sample's table, where a SOFT file has several.
        id_column: Name or 0-based place of the identifiers; found if None.
        value_columns: Names or 0-based places of the values; found if empty.
        samples: Names that columns of values may have.

    Raises:
        InputError: There is no such file, or no column of the given name.
        MalformedFileError: It is no table, a line has too many cells, or no column has numbers; the line and what to do
            are named.
        UncertainTableError: It cannot be told which columns have identifiers and values.
    """
    if isinstance(source, SampleTable):
        return _of_sample(source)
    text = read_table_text(source, entity=entity)
    layout = _layout(text, path_of(source))
    choice = choose_columns(layout.columns, header=layout.header, samples=frozenset(samples))
    choice = _as_told(choice, layout, id_column, value_columns)
    if not choice.values or choice.confidence < LEAST_CONFIDENCE:
        raise _undecided(layout, choice)
    commas = [_decimal_comma(layout.columns[place], layout) for place in choice.values]
    ids, values, counted = _values(layout, choice, commas)
    return _table(layout, choice, ids, values, counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """A table's columns and whether its first line names them."""

    text: TableText
    path: Path | None
    columns: list[ColumnContent]
    header: bool
    why: str

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


@dataclass(slots=True)
class _Counted:
    """What was met on the way; the first two for each column of values."""

    missing: list[int]
    not_numeric: list[int]
    without_id: int = 0
    duplicates: int = 0

    def warnings(self, rows: int) -> tuple[str, ...]:
        said = []
        if any(self.missing):
            said.append(f"{max(self.missing)} of {rows} cells of a sample have no value.")
        if any(self.not_numeric):
            said.append(f"{max(self.not_numeric)} of {rows} cells of a sample are no numbers: taken as missing.")
        if self.duplicates:
            said.append(f"{self.duplicates} rows have an identifier that came before.")
        if self.without_id:
            said.append(f"{self.without_id} rows without identifier were left out.")
        return tuple(said)


def _of_sample(table: SampleTable) -> SubmitterTable:
    if table.value is None:
        message = f"The table of {table.sample} has no column VALUE; it has {', '.join(table.column_names)[:200]}."
        raise MalformedFileError(message, remedy="Submitters' values are read from VALUE only; nothing is guessed.")
    column = table.value
    if not len(table.ids) or len(column.values) == column.missing + column.not_numeric:
        message = f"The table of {table.sample} has no values: {column.missing} of {len(table.ids)} cells are empty."
        raise MalformedFileError(message, remedy="Look for the values in the files of the series.")
    counted = _Counted([column.missing], [column.not_numeric], table.rows_without_id, table.duplicate_ids)
    return SubmitterTable(
        ids=table.ids,
        values=column.values.reshape(-1, 1),
        samples=(table.sample,),
        columns=table.column_names,
        id_column=0,
        value_columns=(table.column_names.index(column.name),),
        header_found=True,
        descriptions={},
        confidence=1.0,
        evidence=("a sample's table of GEO has its values in VALUE",),
        missing=(column.missing,),
        not_numeric=(column.not_numeric,),
        duplicate_ids=table.duplicate_ids,
        rows_without_id=table.rows_without_id,
        warnings=counted.warnings(len(table.ids)),
    )


def _layout(text: TableText, path: Path | None) -> _Layout:
    first = text.cells(0)
    rows = range(1, len(text.lines))
    looked_at = [text.cells(row) for row in rows[:: max(1, len(rows) // _ROWS_LOOKED_AT)]]
    widths = Counter(_filled(row) for row in looked_at)
    usual = max(widths, key=lambda width: (widths[width], width), default=len(first))
    if is_shifted_header(first, usual):
        why = "the first line has names and one cell less than the others: a header, as R writes it"
        columns = _columns(["", *first], looked_at)
        return _Layout(text=text, path=path, columns=columns, header=True, why=why)
    width = max(usual, _filled(first))
    header, why = has_header(first, _columns([""] * width, looked_at))
    if header and looked_at:
        names = (first + [""] * width)[:width]
        return _Layout(text=text, path=path, columns=_columns(names, looked_at), header=True, why=why)
    columns = _columns([""] * width, [first, *looked_at])
    return _Layout(text=text, path=path, columns=columns, header=False, why=why)


def _filled(cells: Sequence[str]) -> int:
    """How many cells there are up to the last one that is not empty; at least one."""
    return next((at for at in range(len(cells), 0, -1) if cells[at - 1]), 1)


def _columns(names: Sequence[str], rows: Sequence[list[str]]) -> list[ColumnContent]:
    return [
        describe_column(name, place, [row[place] if place < len(row) else "" for row in rows])
        for place, name in enumerate(names)
    ]


def _as_told(choice: Choice, layout: _Layout, ids: str | int | None, values: Sequence[str | int]) -> Choice:
    """The choice with what the caller knows."""
    if ids is None and not values:
        return choice
    id_place = choice.ids if ids is None else _place(ids, layout)
    places = tuple(_place(value, layout) for value in values) or choice.values
    if id_place in places or len(set(places)) < len(places):
        message = "One column is given twice, or as identifiers and as values."
        raise InputError(message, path=layout.path, remedy=_NAME_THE_COLUMNS)
    confidence = 1.0 if values else choice.confidence
    return Choice(ids=id_place, values=places, confidence=confidence, evidence=(*choice.evidence, "columns were given"))


def _place(column: str | int, layout: _Layout) -> int:
    if isinstance(column, int):
        if 0 <= column < len(layout.columns):
            return column
    else:
        found = [place for place, name in enumerate(layout.names) if name == column]
        if len(found) == 1:
            return found[0]
    there = ", ".join(map(repr, layout.names[:_COLUMNS_SHOWN]))
    message = f"There is no one column {column!r}; the first of {len(layout.columns)} are {there}."
    remedy = "Give its name, or its place from 0 for tables without header."
    raise InputError(message, path=layout.path, line=layout.text.numbers[0], remedy=remedy)


def _undecided(layout: _Layout, choice: Choice) -> InputError:
    cells = layout.text.cells(int(layout.header))
    columns = layout.columns
    shown = [example_of(column, cells[column.place : column.place + 1]) for column in columns[:_COLUMNS_SHOWN]]
    more = f" and {len(columns) - _COLUMNS_SHOWN} more" if len(columns) > _COLUMNS_SHOWN else ""
    message = (
        f"It cannot be told which columns have identifiers and values (confidence {choice.confidence}): "
        f"{'; '.join(choice.evidence)}. The columns are {'; '.join(shown)}{more}."
    )
    line = layout.text.numbers[0]
    if not choice.values:
        return MalformedFileError(message, path=layout.path, line=line, remedy=_NAME_THE_COLUMNS)
    return UncertainTableError(
        message,
        path=layout.path,
        line=line,
        remedy=_NAME_THE_COLUMNS,
        confidence=choice.confidence,
        evidence=choice.evidence,
    )


def _decimal_comma(column: ColumnContent, layout: _Layout) -> bool:
    decimal = column.decimal_comma
    if decimal is None or (decimal and any(not number.is_integer() for number in column.numbers)):
        message = f"Column {column.place + 1} has numbers such as 1,234: it cannot be told what the comma means."
        remedy = "Write numbers with a point as decimal sign and without separators of thousands."
        raise MalformedFileError(message, path=layout.path, line=layout.text.numbers[0], remedy=remedy)
    return decimal


def _values(layout: _Layout, choice: Choice, commas: Sequence[bool]) -> tuple[list[str], Numbers, _Counted]:
    text, width = layout.text, len(layout.columns)
    ids: list[str] = []
    values = np.empty((len(text.lines) - layout.header, len(choice.values)))
    counted = _Counted([0] * len(choice.values), [0] * len(choice.values))
    for row in range(int(layout.header), len(text.lines)):
        cells = text.cells(row)
        if len(cells) > width and any(cells[width:]):
            message = f"The line has {len(cells)} cells, the others up to {width}."
            raise MalformedFileError(
                message, path=layout.path, line=text.numbers[row], remedy="Give each line as many cells."
            )
        cells += [""] * (width - len(cells))  # GEO leaves empty cells at the end of a row out
        if not cells[choice.ids]:
            counted.without_id += 1
            continue
        _read_row([cells[place] for place in choice.values], commas, values[len(ids)], counted)
        ids.append(cells[choice.ids])
    counted.duplicates = len(ids) - len(set(ids))
    return ids, values[: len(ids)], counted


def _read_row(cells: list[str], commas: Sequence[bool], row: Numbers, counted: _Counted) -> None:
    try:
        row[:] = list(map(float, cells))
        joined = "".join(cells)
        if "_" not in joined and joined.isascii() and np.isfinite(row).all():  # Python takes 1_000 for a number
            return
    except ValueError:
        pass  # a cell is no plain number: which one, and what it is instead, is found below
    for at, (cell, comma) in enumerate(zip(cells, commas, strict=True)):
        number = number_of(cell, decimal_comma=comma)
        if number is None:
            counts = counted.missing if is_missing(cell) else counted.not_numeric
            counts[at] += 1
        row[at] = np.nan if number is None else number


def _table(layout: _Layout, choice: Choice, ids: list[str], values: Numbers, counted: _Counted) -> SubmitterTable:
    names, text = layout.names, layout.text
    for at, place in enumerate(choice.values):
        present = len(ids) - counted.missing[at]
        if not present or counted.not_numeric[at] > (1 - LEAST_NUMERIC) * present:
            name = names[place] or str(place + 1)
            message = f"Column {name[:40]!r} has {present - counted.not_numeric[at]} numbers in {len(ids)} rows."
            raise MalformedFileError(message, path=layout.path, line=text.numbers[0], remedy=_NAME_THE_COLUMNS)
    chosen = [names[place] for place in choice.values]
    return SubmitterTable(
        ids=np.array(ids, dtype=np.str_),
        values=values,
        samples=_sample_names(chosen, choice.values, text.entity, layout.path),
        columns=tuple(names),
        id_column=choice.ids,
        value_columns=choice.values,
        header_found=layout.header,
        descriptions={name: text.descriptions[name] for name in chosen if name in text.descriptions},
        confidence=choice.confidence,
        evidence=(*text.evidence, layout.why, *choice.evidence),
        missing=tuple(counted.missing),
        not_numeric=tuple(counted.not_numeric),
        duplicate_ids=counted.duplicates,
        rows_without_id=counted.without_id,
        warnings=counted.warnings(len(ids)),
    )


def _sample_names(chosen: list[str], places: Sequence[int], entity: str, path: Path | None) -> tuple[str, ...]:
    if len(chosen) > 1:
        return tuple(name or str(place + 1) for name, place in zip(chosen, places, strict=True))
    own = "" if plain_name(chosen[0]) in VALUE_NAMES else chosen[0]
    file = path.name.split(".")[0] if path else ""
    return (entity or own or file or "VALUE",)
