"""Where the table is in a file of BeadArray values: delimiter, header, rows, decimal sign.

Around the table may stand what BeadStudio and GenomeStudio write (``[Header]``, ``Illumina Inc. GenomeStudio
version …``, ``[Sample Probe Profile]``, ``[Control Probe Profile]``), SOFT's lines (``^SAMPLE``, ``!Sample_…``,
``#ID_REF = …``), lines of accessions, blank lines. The header may lack the name of its first column, come in two lines,
or not be there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY, Source, path_of
from refinebio_assets.microarray.illumina_columns import ColumnRole, id_name_score, taken_apart
from refinebio_assets.microarray.table_text import (
    ANY_SPACES,
    DELIMITERS,
    SPOKEN,
    DecodedText,
    decimal_sign,
    is_number,
    read_lines,
    split_line,
    width_votes,
)

MOST_COLUMNS = 20_000

_LINES_LOOKED_AT = 200
_LOOK_AHEAD = 20
_LONGEST_SAYING = 300
_LEAST_ALIKE = 0.75
_LEAST_NUMBERS = 0.6
_BETTER_BY = 0.05
_SOFT_BEGIN = re.compile(r'"?!(?:[a-z_]+_)?(sample|series_matrix|platform)_table_begin\b', re.IGNORECASE)
_SOFT_END = re.compile(r'"?!(?:[a-z_]+_)?(?:sample|series_matrix|platform)_table_end\b', re.IGNORECASE)
_SECTION = re.compile(r'\s*"?\[([A-Za-z][\w &/-]*)\]"?[\s,;|]*$')
_NOT_THE_TABLE = re.compile(r"header|control|samples? table|excluded|manifest|differential", re.IGNORECASE)
_COMMENT = ("#", "!", "^")
_ACCESSION_ROW = re.compile(r'"?GSM\d*', re.IGNORECASE)
_PREAMBLE = re.compile(r"\s*\"?[A-Za-z][\w ./-]*\s*[=:]")
_NORMALISED = re.compile(r"normali[sz]ation\s*[=:,\t]\s*\"?(?!none|no\b|false)(\w+)", re.IGNORECASE)
_TWO_WORDS = re.compile(
    r"\b(detection|avg|average|raw|mean|bead|probe|p)[ \t]+"
    r"(p[-_ ]?val(?:ue)?|signal|value|std(?:err|ev)|id|intensity)\b",
    re.IGNORECASE,
)
_TABLE_REMEDY = "Give a table with one probe per line: identifier, signals, detection p-values."


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLayout:
    """A table within a file.

    Attributes:
        path: The file; None for bytes.
        text: All lines.
        rows: Places of the lines of values in ``text.lines``.
        header: A name per column, empty where there is none; without the blanks and quotes around it.
        header_line: 1-based, None if there is no header.
        delimiter: Of cells.
        decimal: Sign of numbers, ``.`` or ``,``.
        factors: What speaks for and against this reading: a factor of the confidence, and why.
        warnings: What is odd.
        name: What SOFT calls the sample, empty if the file is none of SOFT.
    """

    path: Path | None
    text: DecodedText = field(repr=False)
    rows: Sequence[int] = field(repr=False)
    header: tuple[str, ...]
    header_line: int | None
    delimiter: str
    decimal: str
    factors: tuple[tuple[float, str], ...]
    warnings: tuple[str, ...]
    name: str = ""

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self.header)

    def cells(self, place: int) -> list[str]:
        """The cells of a line of ``text``."""
        return split_line(self.text.lines[place], self.delimiter)

    def spread(self, most: int) -> list[list[str]]:
        """Rows from all over the table, each filled up to the table's width."""
        step = max(1, -(-len(self.rows) // most))
        found = (self.cells(place) for place in self.rows[::step])
        return [cells[: self.width] + [""] * (self.width - len(cells)) for cells in found]


def find_table(source: Source) -> TableLayout:
    """Find the table in a file.

    Raises:
        InputError: There is no such file, or it has tables of several samples.
        MalformedFileError: It is no text, has no table of numbers, or the table is cut off.
    """
    text, path = read_lines(source), path_of(source)
    begin, end, name, factors, warnings = _region(text.lines, path)
    places = [at for at in range(begin, end) if text.lines[at].strip() and not _is_comment(text.lines[at])]
    if len(places) < 2:
        message = "There is no table: the file has no lines of values."
        raise MalformedFileError(message, path=path, line=begin + 1, remedy=_TABLE_REMEDY)
    delimiter, width, numbers = _delimiter([text.lines[at] for at in _spread(places)], path, places[0] + 1)
    first = _first_row(text.lines, places, delimiter, (width, numbers))
    if first is None:
        message = "No lines of identifiers and numbers follow each other."
        raise MalformedFileError(message, path=path, line=places[0] + 1, remedy=_TABLE_REMEDY)
    header, header_line, header_factors = _header(text.lines, begin, places, first, delimiter, width=width)
    rows, dropped = _rows(text.lines, places[first:])
    warnings += dropped
    layout = TableLayout(
        path=path,
        text=text,
        rows=rows,
        header=header,
        header_line=header_line,
        delimiter=delimiter,
        decimal=".",
        factors=(*factors, (1.0, f"cells are separated by {SPOKEN[delimiter]}"), *header_factors),
        warnings=tuple(warnings),
        name=name,
    )
    return _with_decimal_sign(layout)


def _region(lines: list[str], path: Path | None) -> tuple[int, int, str, list[tuple[float, str]], list[str]]:
    """First line of the table's surroundings, the line behind them, and what was found."""
    begins = [(at, match[1].lower()) for at, line in enumerate(lines) if (match := _SOFT_BEGIN.match(line))]
    tables = [at for at, kind in begins if kind != "platform"]
    if len(tables) > 1:
        message = f"The file has the tables of {len(tables)} samples."
        raise InputError(
            message, path=path, line=tables[0] + 1, remedy="Give the table of one sample, or of the series."
        )
    if tables:
        begin = tables[0] + 1
        end = next((at for at in range(begin, len(lines)) if _SOFT_END.match(lines[at])), None)
        if end is None:
            message = "The table has no end: the file is cut off."
            raise MalformedFileError(message, path=path, line=len(lines), remedy=BROKEN_FILE_REMEDY)
        names = [line.partition("=")[2].strip() for line in lines[:begin] if line.upper().startswith("^SAMPLE")]
        return begin, end, names[-1] if names else "", [(1.0, f"a SOFT table in lines {begin} to {end + 1}")], []
    factors: list[tuple[float, str]] = []
    said = [match[1] for line in lines[:_LINES_LOOKED_AT] if (match := _NORMALISED.search(line[:_LONGEST_SAYING]))]
    warnings = [f"The file says that its values were normalised ({method})." for method in said]
    return (*_section(lines, factors, warnings), "", factors, warnings)


def _section(lines: list[str], factors: list[tuple[float, str]], warnings: list[str]) -> tuple[int, int]:
    """The longest section that is one of probes, if there are sections."""
    bracketed = [at for at, line in enumerate(lines) if line.lstrip('" \t').startswith("[")]
    marks = [(at, match[1]) for at in bracketed if (match := _SECTION.match(lines[at]))]
    if not marks:
        return 0, len(lines)
    ends = [*(at for at, _ in marks[1:]), len(lines)]
    sections = [(end - at, at, end, name) for (at, name), end in zip(marks, ends, strict=True)]
    sections.append((marks[0][0], -1, marks[0][0], "what comes before the sections"))
    wanted = [section for section in sections if not _NOT_THE_TABLE.search(section[3])]
    _, begin, end, name = max(wanted)
    factors.append((1.0, f"the section {name!r} begins in line {begin + 2}"))
    left = [other for at, other in marks if at != begin and other.lower() != "header"]
    if left:
        warnings.append(f"Sections that were not read: {', '.join(left[:5])}.")
    return begin + 1, end


def _is_comment(line: str) -> bool:
    return line.lstrip("\"' ").startswith(_COMMENT)


def _spread(places: Sequence[int]) -> Sequence[int]:
    return places[:: max(1, len(places) // _LINES_LOOKED_AT)]


def _delimiter(lines: Sequence[str], path: Path | None, line: int) -> tuple[str, int, int]:
    """What splits most lines into the same number of cells; that number, and how many of them are numbers mostly."""
    widest = max(each.count(delimiter[0]) for each in lines for delimiter in DELIMITERS)
    if widest > MOST_COLUMNS:
        message = f"A line has {widest + 1} cells, more than {MOST_COLUMNS}."
        raise MalformedFileError(message, path=path, line=line, remedy="Give one column per sample and quantity.")
    best, best_score, best_width, best_numbers = "", 0.0, 0, 0
    for delimiter in DELIMITERS:
        width, votes = width_votes(lines, delimiter)
        if width < 2:
            continue
        alike = [cells for cells in (split_line(each, delimiter) for each in lines) if len(cells) == width]
        numbers = sorted(sum(map(is_number, cells[1:])) for cells in alike)
        score = votes * sum(count > 0 for count in numbers) / len(alike)
        if score > best_score + _BETTER_BY:
            best, best_score, best_width, best_numbers = delimiter, score, width, numbers[len(numbers) // 2]
    if not best or best_score < _LEAST_ALIKE / 2:
        message = "The lines cannot be divided into columns of identifiers and numbers."
        raise MalformedFileError(message, path=path, line=line, remedy=_TABLE_REMEDY)
    return best, best_width, best_numbers


def _first_row(lines: Sequence[str], places: Sequence[int], delimiter: str, expected: tuple[int, int]) -> int | None:
    """The first line of values, behind which more of them follow."""
    alike: list[bool] = []
    for index, place in enumerate(places):
        ahead = min(len(places), index + _LOOK_AHEAD)
        while len(alike) < ahead:
            alike.append(_is_row(split_line(lines[places[len(alike)]], delimiter), *expected))
        if alike[index] and sum(alike[index:ahead]) >= _LEAST_ALIKE * (ahead - index):
            return index
        if place - places[0] > 100_000:
            break
    return None


def _is_row(cells: list[str], width: int, numbers: int) -> bool:
    """An identifier and about as many numbers as elsewhere, and nothing that only a header says."""
    if (
        not width <= len(cells) <= width + 1
        or not cells[0]
        or sum(map(is_number, cells[1:])) < _LEAST_NUMBERS * numbers
    ):
        return False
    if id_name_score(next((cell for cell in cells if cell), "")) >= 0.6 or _ACCESSION_ROW.fullmatch(cells[0]):
        return False
    return not any(_is_quantity(cell) for cell in cells if cell and not is_number(cell) and len(cell) > 3)


def _is_quantity(cell: str) -> bool:
    role = taken_apart(cell)[0]
    return role.role not in {ColumnRole.UNTOLD, ColumnRole.ANNOTATION} and bool(
        _TWO_WORDS.search(cell.replace("_", " "))
    )


def _header(
    lines: Sequence[str], begin: int, places: Sequence[int], first: int, delimiter: str, *, width: int
) -> tuple[tuple[str, ...], int | None, list[tuple[float, str]]]:
    """Names of the columns, their line, and what was found."""
    above = _lines_above(lines, begin, places[first])
    for place in above[:2]:
        cells, how = _aligned(
            lines[place].lstrip().removeprefix("#") if _is_comment(lines[place]) else lines[place], delimiter, width
        )
        if cells is None or (_is_comment(lines[place]) and id_name_score(cells[0]) < 0.6):
            continue
        factors = [(1.0, f"the header is line {place + 1}")] + ([how] if how else [])
        if _is_shifted(cells, split_line(lines[places[first]], delimiter)):
            cells = [*cells[1:], ""]
            factors.append((0.95, "the header stands one column to the right of the rows"))
        others = [other for other in above if other < place][:1]
        joinable = bool(others) and delimiter != ANY_SPACES and _may_name(lines[others[0]])
        second = _aligned(lines[others[0]], delimiter, width)[0] if joinable else None
        if second is not None and (joined := _joined(second, cells)):
            return joined, place + 1, [*factors, (0.95, f"names are in lines {others[0] + 1} and {place + 1}")]
        return tuple(cells), place + 1, factors
    return ("",) * width, None, [(0.8, "there is no header")]


def _may_name(line: str) -> bool:
    """A second line above the header; no comment, and nothing like ``Normalization = none``."""
    return not _is_comment(line) and not _PREAMBLE.match(line[:_LONGEST_SAYING])


def _is_shifted(header: Sequence[str], row: Sequence[str]) -> bool:
    """The name of the identifiers stands above numbers, and nothing above what comes before them."""
    return (
        not header[0]
        and bool(row[0])
        and id_name_score(header[1]) >= 0.9
        and is_number(row[1])
        and not is_number(row[0])
    )


def _lines_above(lines: Sequence[str], begin: int, first: int) -> list[int]:
    """Lines that may be the header, the nearest first."""
    nearest = [at for at in range(first - 1, max(begin, first - 12) - 1, -1) if lines[at].strip()]
    return [at for at in nearest if not lines[at].startswith(("!", "^")) and not _SECTION.match(lines[at])][:3]


def _aligned(line: str, delimiter: str, width: int) -> tuple[list[str] | None, tuple[float, str] | None]:
    """The cells of a header, as many as the rows have; None if it is no header of theirs."""
    cells = split_line(line, delimiter)
    if len(cells) > width and delimiter == ANY_SPACES:
        cells = split_line(_TWO_WORDS.sub(r"\1_\2", line), delimiter)
    while len(cells) > width and not cells[-1]:
        cells.pop()
    if len(cells) == width and any(cells):
        return cells, None
    if (len(cells) == width - 1 and width > 2) or (
        len(cells) == 1 and width == 2 and not _PREAMBLE.match(line[:_LONGEST_SAYING])
    ):
        return ["", *cells], (0.97, "the header names one column less than the rows have: the first has no name")
    if width < len(cells) <= width + 2 and len(cells) > 3:
        return cells[:width], (0.5, f"the header names {len(cells)} columns, the rows have {width}")
    if 2 <= len(cells) < width and len([cell for cell in cells if cell]) >= width / 2:
        return cells + [""] * (width - len(cells)), (0.5, f"the header names {len(cells)} columns of {width}")
    return None, None


def _joined(upper: list[str], lower: list[str]) -> tuple[str, ...] | None:
    """Names from two lines: samples in one (perhaps only above the first of their columns), quantities in the other."""
    roles = [_says_quantity(row) for row in (upper, lower)]
    if roles[0] == roles[1] or not any(upper[1:]):
        return None
    samples, quantities = (upper, lower) if roles[1] else (lower, upper)
    words = [cell for cell in quantities if cell]
    if len(set(words)) == len(words):
        return None  # the words of a header in two lines repeat for each sample
    filled, last = [], ""
    for at, cell in enumerate(samples):
        last = cell or last
        filled.append(last if at else cell)
    names = zip(filled, quantities, strict=True)
    return tuple(
        quantity
        if not sample or not quantity or taken_apart(quantity)[0].role is ColumnRole.ANNOTATION
        else f"{sample}.{quantity}"
        for sample, quantity in names
    )


def _says_quantity(cells: Sequence[str]) -> bool:
    found = [taken_apart(cell)[0] for cell in cells if cell]
    words = sum(one.role not in {ColumnRole.UNTOLD, ColumnRole.ANNOTATION} for one in found)
    return words >= 2 and words >= len(found) / 3


def _rows(lines: Sequence[str], places: Sequence[int]) -> tuple[Sequence[int], list[str]]:
    """The lines of values; those that begin with the accession of a sample are none."""
    accessions = [at for at in places if _ACCESSION_ROW.match(lines[at])]
    if not accessions:
        return places, []
    left = set(accessions)
    warning = (
        f"{len(accessions)} lines that begin with a sample's accession were left out, first line {accessions[0] + 1}."
    )
    return [at for at in places if at not in left], [warning]


def _with_decimal_sign(layout: TableLayout) -> TableLayout:
    cells = [cell for row in layout.spread(_LINES_LOOKED_AT) for cell in row[1:] if cell]
    decimal, is_sure = decimal_sign(cells)
    factors = layout.factors
    if not is_sure:
        factors = (*factors, (0.5, "commas may be decimal signs or stand between thousands"))
    elif decimal == ",":
        factors = (*factors, (1.0, "numbers have a decimal comma"))
    return replace(layout, decimal=decimal, factors=factors)
