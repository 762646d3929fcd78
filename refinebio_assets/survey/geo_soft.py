"""GEO's SOFT files (family, series, sample, platform, dataset) in one pass and constant memory.

Format: https://www.ncbi.nlm.nih.gov/geo/info/soft.html. ``^KIND = name`` begins an entity, ``!Kind_attribute = value``
adds a value, ``#column = text`` describes a column; ``!kind_table_begin`` and ``!kind_table_end`` enclose the data
table, which files from before about 2003 do not mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.geo_family import (
    MOST_WARNINGS,
    PLATFORM_MEMBERS,
    DataTable,
    EntityKind,
    FileWarning,
    GeoEntity,
    SoftFamily,
)
from refinebio_assets.survey.geo_stream import LineReader

TableReader = Callable[[EntityKind, str, tuple[str, ...], Iterator[bytes]], None]
"""Called for every data table with its entity's kind and name, the columns and the rows as raw lines. Rows that it
leaves unread are passed over."""

LARGEST_METADATA_BYTES = 512 * 1024 * 1024
"""Attributes of one file that are kept at most. GEO's largest series have some 50 MB of them."""

_KINDS = "|".join(EntityKind)
_ENTITY = re.compile(rf"\^\s*({_KINDS})\s*(?:=\s*(.*))?".encode(), re.IGNORECASE)
_TABLE_BEGIN = re.compile(rb"![a-z]+_table_begin\s*", re.IGNORECASE)
_TABLE_END = re.compile(rb"![a-z]+_table_end\s*", re.IGNORECASE)
_ATTRIBUTE = re.compile(rf"!(?:{_KINDS})_[^\t=]*=".encode(), re.IGNORECASE)
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body|\?xml)", re.IGNORECASE)
_LONGEST_QUOTE = 40


@dataclass(slots=True)
class _Draft:
    """An entity while its lines are read."""

    kind: EntityKind
    name: str
    line: int
    attributes: dict[str, list[str]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    table: DataTable | None = None

    def finished(self) -> GeoEntity:
        return GeoEntity(
            kind=self.kind,
            name=self.name,
            line=self.line,
            attributes={key: tuple(values) for key, values in self.attributes.items()},
            column_descriptions=self.columns,
            table=self.table,
        )

    def absorb(self, again: _Draft) -> bool:
        """Take what the same entity says at a second place and did not say before; tell whether it contradicts."""
        shared = self.attributes.keys() & again.attributes.keys()
        contradicts = any(self.attributes[key] != again.attributes[key] for key in shared)
        self.attributes = again.attributes | self.attributes
        self.columns = again.columns | self.columns
        self.table = self.table or again.table
        return contradicts


def read_soft_family(source: Path | BinaryIO, *, on_table: TableReader | None = None) -> SoftFamily:
    """Read a SOFT file.

    Args:
        source: A file or a binary stream, plain or gzip, UTF-8 or Latin-1 (line by line).
        on_table: Given the rows of each data table; without it tables are passed over without being decoded.

    Returns:
        The entities. Lines that cannot be understood are left out, counted and told with their numbers. An entity
        that comes twice is one: the first place speaks, the later ones add what it does not say.

    Raises:
        MalformedFileError: The file is empty, a web page, no SOFT at all, or its compressed data are broken.
    """
    with LineReader(source) as reader:
        return _SoftParser(reader, on_table).parse()


def decode(line: bytes) -> str:
    """The line as text: UTF-8, or Latin-1 where it is not."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _ends_table(line: bytes) -> bool:
    """Whether a line among the rows ends the table: its end marker, or what can only stand after it."""
    return bool(_TABLE_END.fullmatch(line) or _ENTITY.fullmatch(line) or _ATTRIBUTE.match(line))


class _CountedRows(Iterator[bytes]):
    """The rows of a table, with the number of them that were taken."""

    def __init__(self, rows: Iterator[bytes]) -> None:
        self.count = 0
        self._rows = rows

    def __next__(self) -> bytes:
        row = next(self._rows)
        self.count += 1
        return row


class _SoftParser:
    def __init__(self, reader: LineReader, on_table: TableReader | None) -> None:
        self._reader = reader
        self._on_table = on_table
        self._drafts: dict[tuple[EntityKind, str], _Draft] = {}
        self._current: _Draft | None = None
        self._warnings: list[FileWarning] = []
        self._warning_count = 0
        self._malformed = 0
        self._bytes = 0

    def parse(self) -> SoftFamily:
        self._refuse_other_files()
        while (line := self._reader.next_line()) is not None:
            self._read(line)
        self._finish_entity()
        if not self._drafts:
            message = "This is no SOFT file: no line begins an entity (^SERIES = …, ^SAMPLE = …, ^PLATFORM = …)."
            raise MalformedFileError(message, path=self._reader.name, line=1)
        return SoftFamily(
            path=self._reader.name,
            entities=tuple(draft.finished() for draft in self._drafts.values()),
            warnings=tuple(self._warnings),
            warning_count=self._warning_count,
            malformed_lines=self._malformed,
        )

    def _refuse_other_files(self) -> None:
        beginning = self._reader.peek()
        if not beginning:
            message = "The file is empty."
            raise MalformedFileError(message, path=self._reader.name, line=1, remedy="Download it again.")
        if _WEB_PAGE.match(beginning):
            message = "This is a web page or XML, not a SOFT file; perhaps the archive answered with an error page."
            raise MalformedFileError(message, path=self._reader.name, line=1, remedy="Download it again.")

    def _read(self, line: bytes) -> None:
        first = line[:1]
        if first == b"!":
            self._attribute(line)
        elif first == b"^":
            self._entity(line)
        elif first == b"#":
            self._column_description(line)
        elif line.strip():
            self._row_outside_table(line)

    def _entity(self, line: bytes) -> None:
        match = _ENTITY.fullmatch(line)
        self._finish_entity()
        if match is None:
            self._leave_out(line, "begins no kind of entity that is known")
            return
        kind = EntityKind(match.group(1).decode().upper())
        self._current = _Draft(kind, decode(match.group(2) or b"").strip(), self._reader.line)

    def _finish_entity(self) -> None:
        draft, self._current = self._current, None
        if draft is None:
            return
        known = self._drafts.setdefault((draft.kind, draft.name), draft)
        # A curated dataset is described before its subsets and has its table after them, under the same name.
        if known is not draft and known.absorb(draft) and draft.kind is not EntityKind.DATASET:
            message = f"{draft.kind} {draft.name} is described differently at line {known.line}, which is believed."
            self._warn(message, line=draft.line)

    def _attribute(self, line: bytes) -> None:
        if b"_table_" in line[:40].lower():
            if _TABLE_BEGIN.fullmatch(line):
                self._table(marked=True)
                return
            if _TABLE_END.fullmatch(line):
                self._warn("A data table ends that did not begin.")
                return
        key, equals, value = line.partition(b"=")
        name = decode(key[1:]).strip().lower()
        if self._current is None or not equals or not name:
            self._leave_out(line, "is no attribute of an entity")
            return
        name = name.removeprefix(self._current.kind.lower() + "_")
        if self._current.kind is EntityKind.PLATFORM and name in PLATFORM_MEMBERS:
            return
        self._bytes += len(line)
        if self._bytes > LARGEST_METADATA_BYTES:
            message = f"The file has more than {LARGEST_METADATA_BYTES // 2**20} MiB of attributes."
            raise MalformedFileError(message, path=self._reader.name, line=self._reader.line)
        self._current.attributes.setdefault(name, []).append(decode(value).strip())

    def _column_description(self, line: bytes) -> None:
        column, equals, description = line[1:].partition(b"=")
        if self._current is None or not equals:
            self._leave_out(line, "describes no column")
            return
        self._current.columns.setdefault(decode(column).strip(), decode(description).strip())

    def _row_outside_table(self, line: bytes) -> None:
        """The column names of a table that is not marked, as in old files; anything else is out of place."""
        draft = self._current
        names = decode(line).split("\t")
        if draft is None or draft.table is not None or not draft.columns or names[0].strip() not in draft.columns:
            self._leave_out(line, "belongs to no data table")
            return
        self._reader.unread()
        self._table(marked=False)

    def _table(self, *, marked: bool) -> None:
        begin = self._reader.line
        header = self._reader.next_line()
        if header is None or _ends_table(header):
            columns: tuple[str, ...] = ()
            if header is not None:
                self._reader.unread()
        else:
            columns = tuple(name.strip() for name in decode(header).split("\t"))
        rows = self._hand_out_rows(columns)
        # Tables that are not marked end with blank lines at the end of the file, which are no rows.
        rows += self._reader.skip_lines_until(_ends_table) if marked else sum(1 for _ in self._rows())
        self._close_table(begin, marked=marked)
        if self._current is None:
            self._warn("A data table belongs to no entity.", line=begin)
        elif self._current.table is not None:
            self._warn(f"{self._current.kind} {self._current.name} has a second data table.", line=begin)
        else:
            self._current.table = DataTable(columns=columns, rows=rows)

    def _close_table(self, begin: int, *, marked: bool) -> None:
        after = self._reader.next_line()
        if after is not None and not _TABLE_END.fullmatch(after):
            self._reader.unread()
        if marked and (after is None or not _TABLE_END.fullmatch(after)):
            self._warn("The data table has no end marker; the file may be incomplete.", line=begin)

    def _hand_out_rows(self, columns: tuple[str, ...]) -> int:
        if self._on_table is None or self._current is None:
            return 0
        rows = _CountedRows(self._rows())
        self._on_table(self._current.kind, self._current.name, columns, rows)
        return rows.count

    def _rows(self) -> Iterator[bytes]:
        while (line := self._reader.next_line()) is not None:
            if line[:1] in (b"!", b"^") and _ends_table(line):
                self._reader.unread()
                return
            if line.strip():
                yield line

    def _leave_out(self, line: bytes, why: str) -> None:
        self._malformed += 1
        shown = decode(line[:_LONGEST_QUOTE])
        self._warn(f"{shown!r} {why}.")

    def _warn(self, message: str, *, line: int | None = None) -> None:
        self._warning_count += 1
        if len(self._warnings) < MOST_WARNINGS:
            self._warnings.append(FileWarning(line=self._reader.line if line is None else line, message=message))
