"""The text of a submitter's table: the part of the file that is the table, its delimiter, its cells.

What is decided is recorded as evidence; which column means what is :mod:`submitter_tables`' business.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY, Source, path_of
from refinebio_assets.microarray.table_text import ANY_SPACES, SPOKEN, read_lines, split_line

_DELIMITERS = ("\t", ";", ",")
_LINES_LOOKED_AT = 400
_MOST_COLUMNS = 100_000
_BEGIN = re.compile(r"\"?!(?:[a-z_]+_)?(sample|series_matrix|platform|dataset)_table_begin\b", re.IGNORECASE)
_END = re.compile(r"\"?!(?:[a-z_]+_)?(?:sample|series_matrix|platform|dataset)_table_end\b", re.IGNORECASE)
_ENTITY = re.compile(r"\^\s*([A-Za-z]+)\s*=?\s*(.*)")
_DESCRIPTION = re.compile(r"#\s*([^=\t]+?)\s*=\s*(.*)")
_PREAMBLE = ("#", "!", "^")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableText:
    """The lines of a table.

    Attributes:
        lines: Without line ends, blank lines and what surrounds the table; the header, if there is one, is the first.
        numbers: The 1-based line of each in the file.
        delimiter: What separates cells.
        encoding: As :func:`~refinebio_assets.microarray.table_text.read_lines` names it.
        entity: The accession or name of the SOFT entity whose table it is, empty for other files.
        descriptions: What a SOFT file says about columns.
        evidence: What was found, for people.
    """

    lines: Sequence[str] = field(repr=False)
    numbers: Sequence[int] = field(repr=False)
    delimiter: str
    encoding: str
    entity: str
    descriptions: Mapping[str, str]
    evidence: tuple[str, ...]

    def cells(self, row: int) -> list[str]:
        """The cells of a line, without blanks and quotes around them."""
        return split_line(self.lines[row], self.delimiter)


def read_table_text(source: Source, *, entity: str | None = None, kind: str = "sample") -> TableText:
    """Find the table in a file of text.

    Args:
        source: A file or its bytes; plain, gzip, bzip2 or xz.
        entity: Which SOFT entity's table, where the file has several.
        kind: What kind of SOFT table is wanted: ``sample`` or ``platform``. Those of series matrices are taken, too.

    Raises:
        InputError: There is no such file, or it has several tables and ``entity`` does not say which.
        MalformedFileError: It is no text, a web page, has no table, or the table is cut off.
    """
    path = path_of(source)
    decoded = read_lines(source)
    lines = decoded.lines
    evidence = [] if decoded.encoding.startswith("utf-8") else [f"the text is {decoded.encoding}"]
    name, begin, end, found = _table_lines(lines, source, entity, kind)
    evidence += found
    surrounding = range(begin) if found else range(len(lines))
    descriptions = dict(_descriptions(lines, surrounding))
    kept = [at for at in range(begin, end) if lines[at].strip() and not _is_preamble(lines[at])]
    if not kept:
        message = "There is no line of a table."
        raise MalformedFileError(message, path=path, line=1, remedy="Give a table of identifiers and values.")
    delimiter = _delimiter([lines[at] for at in _spread(kept)], source, kept[0] + 1)
    evidence.append(f"cells are separated by {SPOKEN[delimiter]}s")
    return TableText(
        lines=[lines[at] for at in kept],
        numbers=[at + 1 for at in kept],
        delimiter=delimiter,
        encoding=decoded.encoding,
        entity=name,
        descriptions=descriptions,
        evidence=tuple(evidence),
    )


def _table_lines(lines: list[str], source: Source, entity: str | None, kind: str) -> tuple[str, int, int, list[str]]:
    """Name, first line, line behind the last, and what was found; the whole file if no table is marked."""
    tables = [(name, begin) for name, found, begin in _marked_tables(lines) if found in {kind, "series_matrix"}]
    if not tables:
        name = next((match[2] for line in lines if (match := _ENTITY.match(line))), "")
        return name.strip(), 0, len(lines), []
    named = [table for table in tables if entity is None or table[0] == entity]
    if len(named) != 1:
        names = ", ".join(name for name, _ in tables[:5]) + (", …" if len(tables) > 5 else "")
        message = f"The file has {len(tables)} tables ({names}), {len(named)} of them called {entity or 'as wanted'}."
        raise InputError(message, path=path_of(source), line=tables[0][1], remedy="Say whose table is to be read.")
    name, begin = named[0]
    end = next((at for at in range(begin, len(lines)) if _END.match(lines[at])), None)
    if end is None:
        message = "The table has no end: the file is cut off."
        raise MalformedFileError(message, path=path_of(source), line=len(lines), remedy=BROKEN_FILE_REMEDY)
    return name, begin, end, [f"the table is marked in lines {begin} to {end + 1}"]


def _marked_tables(lines: list[str]) -> list[tuple[str, str, int]]:
    """Entity, kind and first line of each table of a SOFT file or series matrix."""
    name, tables = "", []
    for at, line in enumerate(lines):
        if line.startswith("^") and (match := _ENTITY.match(line)):
            name = match[2].strip()
        elif line.startswith(("!", '"!')) and (match := _BEGIN.match(line)):
            tables.append((name, match[1].lower(), at + 1))
    return tables


def _descriptions(lines: list[str], where: range) -> list[tuple[str, str]]:
    found = (_DESCRIPTION.match(lines[at]) for at in where if lines[at].startswith("#"))
    return [(match[1], match[2].strip()) for match in found if match]


def _is_preamble(line: str) -> bool:
    return line.lstrip('"').startswith(_PREAMBLE)


def _spread(kept: Sequence[int]) -> Sequence[int]:
    """Lines from all over the table."""
    return kept[:: max(1, len(kept) // _LINES_LOOKED_AT)]


def _delimiter(lines: Sequence[str], source: Source, line: int) -> str:
    """What splits most lines into the same number of cells; a comma may be a decimal sign, so it comes last."""
    best, most = "", 0.0
    for candidate in _DELIMITERS:
        counts = Counter(text.count(candidate) for text in lines)
        separators, agreeing = max(counts.items(), key=lambda item: (item[0] > 0, item[1]))
        if separators and agreeing / len(lines) > most + 0.1:
            best, most = candidate, agreeing / len(lines)
        if separators >= _MOST_COLUMNS:
            message = f"A line has {separators + 1} cells."
            raise MalformedFileError(message, path=path_of(source), line=line, remedy="Give one column per sample.")
    if not best and all(len(text.split()) == 2 for text in lines):
        return ANY_SPACES
    if not best:
        message = "The lines have one cell each; nothing separates an identifier from a value."
        raise MalformedFileError(message, path=path_of(source), line=line, remedy="Separate cells by tabs.")
    return best
