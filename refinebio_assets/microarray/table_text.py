"""Text of array tables: encoding, line ends, delimiter, quotes and decimal sign, told by the content.

What scanners' software, spreadsheets and submitters leave: UTF-8 and UTF-16 with and without a byte order mark, cp1252,
line ends of three kinds, tabs, commas, semicolons, bars or runs of spaces between cells, quotes around some of them,
and numbers with a decimal point or a decimal comma.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY, Source, path_of, read_content

LARGEST_TABLE_BYTES = 2**30
"""48,000 probes of 1,500 samples with p-values."""

WIDE_SPACES, ANY_SPACES = "  ", " "
"""Delimiters: two or more spaces (cells may have single ones), and any run of spaces."""

DELIMITERS = ("\t", ";", ",", "|", WIDE_SPACES, ANY_SPACES)
"""Asked in this order; one comes before another only if it splits at least as many lines alike."""

SPOKEN = {
    "\t": "tab",
    ";": "semicolon",
    ",": "comma",
    "|": "bar",
    WIDE_SPACES: "two or more spaces",
    ANY_SPACES: "space",
}

MISSING = frozenset(
    {"", "na", "n/a", "nan", "null", "none", "-", "--", ".", "#n/a", "#value!", "#div/0!", "inf", "-inf"}
)
"""How tables write a value that is not there, in small letters."""

_MARKUP = re.compile(r"\s*<(?:!doctype|!--|\?xml|html|head|body|svg)", re.IGNORECASE)
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"IDAT", "an IDAT file"),
    (b"Rar!", "a RAR archive"),
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")
_WIDE = re.compile(r" {2,}|\t")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+(?:[eE][+-]?\d+)?$")
_LOOKED_AT = 1024
_POINT_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$")


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A file as lines.

    Attributes:
        lines: Without their ends.
        encoding: ``utf-8``, ``utf-8-sig``, ``utf-16-le``, ``utf-16-be``, ``cp1252`` or ``latin-1``.
        newline: ``lf``, ``crlf`` or ``cr``.
        ends_with_newline: False where the last line may have been cut off.
        has_quotes: There is a double quote somewhere.
    """

    lines: list[str]
    encoding: str
    newline: str
    ends_with_newline: bool
    has_quotes: bool


def read_lines(source: Source, *, largest: int = LARGEST_TABLE_BYTES) -> DecodedText:
    """Decode a file of text.

    Args:
        source: A file or its bytes; plain, gzip, bzip2 or xz.
        largest: What the decompressed content may have, in bytes.

    Raises:
        InputError: There is no such file.
        MalformedFileError: It is no text (a workbook, a web page, binary), too large, or damaged.
    """
    content = read_content(source, largest=largest)
    path = path_of(source)
    for magic, what in _MAGIC:
        if content.startswith(magic):
            message = f"This is {what}, not a table of text."
            raise MalformedFileError(message, path=path, remedy="Save the table as tab-separated text.")
    text, encoding = _decoded(content, path)
    if _MARKUP.match(text):
        message = "This is a web page or XML, not a table."
        raise MalformedFileError(message, path=path, line=1, remedy=BROKEN_FILE_REMEDY)
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        message = "This is no text: there is a control character."
        raise MalformedFileError(message, path=path, line=line, remedy=BROKEN_FILE_REMEDY)
    newline = "crlf" if "\r\n" in text else "cr" if "\r" in text and "\n" not in text else "lf"
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    ends = text.endswith("\n")
    return DecodedText(text.removesuffix("\n").split("\n"), encoding, newline, ends, '"' in text)


def _decoded(content: bytes, path: object) -> tuple[str, str]:
    encoding = _unicode_encoding(content)
    try:
        return content.decode(encoding).removeprefix("\ufeff"), encoding
    except UnicodeDecodeError as error:
        if encoding.startswith("utf-16"):
            message = f"The text is {encoding.upper()} and damaged ({error.reason})."
            raise MalformedFileError(message, path=str(path) if path else None, remedy=BROKEN_FILE_REMEDY) from error
    try:
        # cp1252 differs from latin-1 in 0x80-0x9f, which hold control characters there and letters here
        return content.decode("cp1252"), "cp1252" if re.search(rb"[\x80-\x9f]", content) else "latin-1"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def _unicode_encoding(content: bytes) -> str:
    """By the byte order mark, or by where the zero bytes of Latin letters are in UTF-16."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(mark):
            return encoding
    head = content[:_LOOKED_AT]
    zeros = (head[0::2].count(0), head[1::2].count(0))
    enough = len(head) // 3
    if zeros[1] > enough and not zeros[0]:
        return "utf-16-le"
    if zeros[0] > enough and not zeros[1]:
        return "utf-16-be"
    return "utf-8"


def split_line(line: str, delimiter: str) -> list[str]:
    """The cells of a line, without blanks and quotes around them.

    Quotes belong to a line: one that nothing closes does not swallow the lines behind it.
    """
    if '"' in line:
        return [cell.strip().strip('"').strip() for cell in _quoted_cells(line, delimiter)]
    if delimiter == ANY_SPACES:
        return line.split()
    if delimiter == WIDE_SPACES:
        return _WIDE.split(line.strip())
    return [cell.strip() for cell in line.split(delimiter)]


def _quoted_cells(line: str, delimiter: str) -> list[str]:
    if delimiter == WIDE_SPACES:
        return _WIDE.split(line.strip())
    if delimiter == ANY_SPACES:
        line = line.strip().replace("\t", " ")
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a cell longer than 128 kB
        return line.split(delimiter)
    whole = len(cells) == 1 and delimiter in cells[0] and line.startswith('"') and line.endswith('"')
    return cells[0].split(delimiter) if whole else cells  # a spreadsheet quoted the whole line as one cell


def width_votes(lines: Sequence[str], delimiter: str) -> tuple[int, float]:
    """The commonest number of cells per line, and the share of lines that have it."""
    widths = Counter(len(split_line(line, delimiter)) for line in lines)
    width, votes = max(widths.items(), key=lambda item: (item[1], item[0]))
    return width, votes / max(1, len(lines))


def parse_number(cell: str, decimal: str = ".") -> float:
    """The number in a cell; NaN for a missing value.

    Args:
        cell: Without blanks around it.
        decimal: ``.`` or ``,``. With a point, commas may stand between thousands, and the other way round.

    Raises:
        ValueError: It is no number.
    """
    text = cell
    if decimal == ",":
        text = text.replace(".", "").replace(",", ".") if "," in text else text
    elif "," in text:
        if not _THOUSANDS.match(text):
            raise ValueError(cell)
        text = text.replace(",", "")
    if text.lower() in MISSING:
        return math.nan
    if "_" in text:  # Python would read 1_000
        raise ValueError(cell)
    return float(text)


def is_number(cell: str) -> bool:
    """A number in either notation; missing values are none."""
    return bool(_POINT_NUMBER.match(cell) or _DECIMAL_COMMA.match(cell) or _THOUSANDS.match(cell))


def decimal_sign(cells: Sequence[str]) -> tuple[str, bool]:
    """The decimal sign of numbers, and whether the cells leave no doubt.

    ``1,234`` is a number of thousands or a decimal: doubtful where all cells with a comma look like it.
    """
    commas = [cell for cell in cells if "," in cell and is_number(cell)]
    points = sum("." in cell and "," not in cell and bool(_POINT_NUMBER.match(cell)) for cell in cells)
    if not commas:
        return ".", True
    decimals = sum(not _THOUSANDS.match(cell) or cell.lstrip("+-").startswith("0,") for cell in commas)
    if decimals and not points:
        return ",", True
    if decimals:
        return (",", False) if len(commas) > points else (".", False)
    return ".", points > 0 or any("." in cell for cell in commas)
