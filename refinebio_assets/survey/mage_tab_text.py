"""Lines and cells of MAGE-TAB files, which come in any encoding, with any line ends, quoted by spreadsheets or not.

Specification: MAGE-TAB 1.1 (https://www.ebi.ac.uk/biostudies/arrayexpress/help/magetab_spec.html): tab-delimited text,
cells may stand in double quotes, lines that begin with ``#`` are comments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from refinebio_assets.domain.errors import MalformedFileError

MOST_JOINED_LINES = 20
"""How many lines a quoted cell may span; a quote that stays open for longer was never meant as one."""

BRACKETS = re.compile(r"([a-z ]+?)\s*\[\s*(.*?)\s*\]\s*(?:\(.*\))?", re.IGNORECASE | re.DOTALL)
"""``Comment [x]``, ``FactorValue[x] (y)``: what stands before the brackets, and within them."""

_NOT_LETTER = re.compile(r"[^a-z0-9]+")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"(?=\t|$)')
_OPEN = re.compile(r'"(?:[^"]|"")*$')
_PLAIN = re.compile(r"[^\t]*")
_TEXT_SHOWN = 40


@dataclass(frozen=True, slots=True)
class MageTabWarning:
    """Something in a file that is not as it should be and did not stop the reading; ``line`` is 1-based."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that holds something: its (first) number in the file, and its stripped cells."""

    number: int
    cells: tuple[str, ...]


@lru_cache(maxsize=65536)
def header_key(header: str) -> str:
    """What headers are compared by: lower case, letters and digits only, American spelling."""
    key = _NOT_LETTER.sub("", header.lower())
    return key.replace("labelled", "labeled").replace("isation", "ization")


def decode_mage_tab(data: bytes) -> str:
    """The text of a file: UTF-8 or UTF-16 where it is that, else Latin-1 as old spreadsheets wrote it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def refuse_other_content(text: str, path: str) -> None:
    """Refuse what cannot be a MAGE-TAB file.

    Raises:
        MalformedFileError: The text is empty, binary, an HTML page or a JSON document.
    """
    start = text.lstrip("\ufeff \t\r\n")
    if not start:
        message = "The file is empty."
    elif "\0" in text:
        message = "The file is binary, not tab-delimited text."
    elif start.startswith("<"):
        message = "The file is an HTML or XML page, not tab-delimited text."
    elif start.startswith("{"):
        message = "The file is a JSON document, not tab-delimited text."
    else:
        return
    shown = start[:_TEXT_SHOWN].splitlines()[0] if start else ""
    raise MalformedFileError(
        f"{message} It begins with {shown!r}." if shown else message,
        path=path,
        line=1,
        remedy="Fetch the file again from the archive.",
    )


def physical_lines(text: str) -> list[str]:
    """The lines of a text, whether they end as on Unix, Windows or old Macs."""
    ends = r"\r\n|\n" if "\n" in text else r"\r"
    return re.split(ends, text.removeprefix("\ufeff"))


def read_lines(
    lines: Sequence[str],
    *,
    path: str,
    first: int = 0,
    width: int | None = None,
    begins_record: Callable[[Sequence[str]], bool],
    warnings: list[MageTabWarning],
) -> Iterator[Line]:
    """The lines that hold something, split into cells.

    A cell in double quotes may hold tabs and line ends. A quote is only taken for one if it is closed: within
    :data:`MOST_JOINED_LINES` lines and before the next record begins; otherwise it is part of the text.

    Args:
        lines: Physical lines of the file.
        path: Name of the file, for warnings.
        first: Index of the line to begin with.
        width: How many cells a line should have; decides between two ways of reading stray quotes.
        begins_record: Whether the cells of a line, split at tabs alone, begin a record of their own.
        warnings: Gets a warning for each quote that is never closed.
    """
    index = first
    while index < len(lines):
        cells, joined = _cells(lines, index, width=width, begins_record=begins_record)
        if not joined:
            warning = MageTabWarning(path, index + 1, "A double quote is never closed; it is read as part of the text.")
            warnings.append(warning)
        if any(cells) and not _is_comment(cells, width):
            yield Line(index + 1, cells)
        index += max(joined, 1)


def _is_comment(cells: Sequence[str], width: int | None) -> bool:
    """Whether a line is a comment; one that is as wide as the table is a row whose first name begins with ``#``."""
    return cells[0].startswith("#") and (width is None or sum(map(bool, cells)) == 1 or len(cells) != width)


def _cells(
    lines: Sequence[str], index: int, *, width: int | None, begins_record: Callable[[Sequence[str]], bool]
) -> tuple[tuple[str, ...], int]:
    """The cells of the record that begins in a line, and how many lines it takes (0: one, with an open quote)."""
    line = lines[index]
    plain = tuple(cell.strip() for cell in line.split("\t"))
    if '"' not in line:
        return plain, 1
    quoted, is_open = split_quoted(line)
    if not is_open:
        return (plain if width is not None and len(quoted) != width == len(plain) else quoted), 1
    text = line
    for count, following in enumerate(lines[index + 1 : index + MOST_JOINED_LINES], start=2):
        if begins_record(following.split("\t")):
            break
        text = f"{text}\n{following}"
        cells, is_open = split_quoted(text)
        if not is_open:
            return cells, count
    return plain, 0


def split_quoted(line: str) -> tuple[tuple[str, ...], bool]:
    """Cells of a line with quotes taken off, and whether a quoted cell is still open at its end."""
    cells: list[str] = []
    position = 0
    is_open = False
    while True:
        match = _QUOTED.match(line, position)
        if match is not None:
            cells.append(match.group(1).replace('""', '"').strip())
        else:
            is_open = is_open or _OPEN.match(line, position) is not None
            match = _PLAIN.match(line, position)
            cells.append(match.group().strip() if match else "")
        position = (match.end() if match else len(line)) + 1
        if position > len(line):
            return tuple(cells), is_open
