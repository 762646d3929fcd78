"""CEL files, version 3: text in sections, as the Microarray Suite wrote them.

Format: https://www.affymetrix.com/support/developer/powertools/changelog/gcos-agcc/cel.html#CEL_TEXT
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.cel_file import (
    CelFile,
    CelHeader,
    CelWarning,
    CelWarningCode,
    checked_size,
    chip_type_of,
    flags,
    header_warnings,
    intensity_warnings,
    scan_date_of,
)
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY
from refinebio_assets.microarray.delimited import (
    BLANKS,
    INTEGER,
    REAL,
    SHORT,
    SKIP,
    malformed_line,
    read_rows,
    shown_text,
)

MAGIC = b"[CEL]"
VERSION = "3"

_CELL_HEADERS = {
    "INTENSITY": ["X", "Y", "MEAN", "STDV", "NPIXELS"],
    "MASKS": ["X", "Y"],
    "OUTLIERS": ["X", "Y"],
    "MODIFIED": ["X", "Y", "ORIGMEAN"],
}
_SHORTEST_CELL = 10  # "0 0 0 0 0" and a line feed
_SHORTEST_PLACE = 4
_LONGEST_LINE = 64 * 1024
_INTEGER = re.compile(r"\d{1,9}", re.ASCII)


class _Section(NamedTuple):
    name: str
    cells: int
    start: int  # of the first cell


def read_header(data: bytes, path: Path | None) -> CelHeader:
    """The header of a file, or of a beginning that reaches to the intensities.

    Raises:
        MalformedFileError: It is not complete.
    """
    return _header(data, path)[0]


def read(data: bytes, path: Path | None, *, with_spot_statistics: bool) -> CelFile:
    """A whole file.

    Raises:
        MalformedFileError: Something is missing, wrong or outside the array; names the line.
    """
    header, offset = _header(data, path)
    cells = checked_size(header.rows, header.cols, path)
    section = _section(data, offset, "INTENSITY", path)
    if section.cells != cells:
        message = f"NumberCells is {section.cells}, but {header.rows} rows x {header.cols} columns are {cells} cells."
        raise malformed_line(message, data, section.start - 1, path)
    intensities, stdev, pixels, warnings, offset = _intensities(
        data, section, header, path, with_spot_statistics=with_spot_statistics
    )
    masked, offset = _listed_cells(data, offset, "MASKS", header, path)
    outliers, offset = _listed_cells(data, offset, "OUTLIERS", header, path)
    _check_end(data, _listed_cells(data, offset, "MODIFIED", header, path)[1], path)
    return CelFile(
        version=VERSION,
        chip_type=header.chip_type,
        rows=header.rows,
        cols=header.cols,
        header=header.header,
        scan_date=header.scan_date,
        algorithm=header.algorithm,
        warnings=(*header.warnings, *warnings, *intensity_warnings(intensities, header.cols, path)),
        intensities=intensities,
        stdev=stdev,
        pixels=pixels,
        outliers=outliers,
        masked=masked,
    )


def _header(data: bytes, path: Path | None) -> tuple[CelHeader, int]:
    """The header, and where the section of intensities begins."""
    end = data.find(b"\n[INTENSITY]")
    if end < 0:
        message = "The file ends before its intensities."
        raise malformed_line(message, data, len(data), path)
    values: dict[str, dict[str, str]] = {}
    section = ""
    for line in data[:end].decode("utf-8", errors="replace").split("\n"):
        text = line.strip("\r\n \t")
        if text.startswith("["):
            section = text.strip("[]")
            values.setdefault(section, {})
        elif "=" in text and section:
            key, _, value = text.partition("=")
            values[section][key.strip()] = value.strip()
    version = values.get("CEL", {}).get("Version", "")
    if version != VERSION:
        message = f"This is a text CEL file of version {version[:20]!r}; only version 3 is known."
        raise MalformedFileError(message, path=path, line=2, remedy="Convert it to version 4 with Affymetrix' tools.")
    found = values.get("HEADER", {})
    dat_header = found.get("DatHeader", "")
    chip_type = chip_type_of(dat_header)
    header = CelHeader(
        version=VERSION,
        chip_type=chip_type,
        rows=_whole_number(found, "Rows", path),
        cols=_whole_number(found, "Cols", path),
        header=found,
        scan_date=scan_date_of(dat_header),
        algorithm=found.get("Algorithm"),
        warnings=header_warnings(chip_type),
    )
    return header, end + 1


def _whole_number(header: dict[str, str], key: str, path: Path | None) -> int:
    value = header.get(key, "")
    if not _INTEGER.fullmatch(value):
        message = f"The header has no whole number for {key}: {value[:20]!r}."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    return int(value)


def _section(data: bytes, offset: int, name: str, path: Path | None) -> _Section:
    """``[NAME]``, ``NumberCells=`` and ``CellHeader=``, behind blank lines."""
    wanted = f"[{name}]"
    line, offset = _line(data, offset)
    while not line and offset < len(data):
        line, offset = _line(data, offset)
    if line != wanted.encode():
        message = f"Expected the section {wanted}, found {shown_text(line)!r}."
        raise malformed_line(message, data, offset - 1, path)
    line, offset = _line(data, offset)
    key, _, value = line.decode("ascii", errors="replace").partition("=")
    if key != "NumberCells" or not _INTEGER.fullmatch(value.strip()):
        message = f"Expected NumberCells= and a number, found {shown_text(line)!r}."
        raise malformed_line(message, data, offset - 1, path)
    line, offset = _line(data, offset)
    key, _, columns = line.decode("ascii", errors="replace").partition("=")
    if key != "CellHeader" or columns.split() != _CELL_HEADERS[name]:
        message = f"Expected CellHeader={' '.join(_CELL_HEADERS[name])}, found {shown_text(line)!r}."
        raise malformed_line(message, data, offset - 1, path)
    return _Section(name, int(value.strip()), offset)


def _line(data: bytes, offset: int) -> tuple[bytes, int]:
    """One line without blanks around it, and where the next begins."""
    end = data.find(b"\n", offset, offset + _LONGEST_LINE)
    if end < 0:
        end = min(len(data), offset + _LONGEST_LINE)
    return data[offset:end].strip(), min(end + 1, len(data))


def _intensities(
    data: bytes, section: _Section, header: CelHeader, path: Path | None, *, with_spot_statistics: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, NDArray[np.int16] | None, list[CelWarning], int]:
    """Intensities, standard deviations, pixels, what is odd, and where the cells end."""
    end = data.find(b"[", section.start)
    end = len(data) if end < 0 else end
    most = min(data.count(b"\n", section.start, end) + 1, (end - section.start) // _SHORTEST_CELL + 1)
    statistics = (REAL, SHORT) if with_spot_statistics else (SKIP, SKIP)
    columns, count, end = read_rows(
        data, (INTEGER, INTEGER, REAL, *statistics), start=section.start, most=most, separators=BLANKS, path=path
    )
    _check_last_line(data, end, count, section, path)
    values = list(columns[2:])
    index = _index(data, section, columns[:2], header, path)
    warnings = []
    if index is not None:
        if count > section.cells:
            message = f"{count - section.cells} of {count} lines repeat a cell; the last one of each counts."
            warnings.append(CelWarning(CelWarningCode.REPEATED_CELLS, message))
        values = [_placed(index, each, section.cells) for each in values]
    stdev, pixels = values[1:] if with_spot_statistics else (None, None)
    return values[0], stdev, pixels, warnings, end


def _check_last_line(data: bytes, end: int, count: int, section: _Section, path: Path | None) -> None:
    """A section is complete when all its lines are there and the last one is."""
    if count < section.cells:
        message = f"[{section.name}] has {count} of {section.cells} cells."
        raise malformed_line(message, data, end, path)
    if count and data[end - 1 : end] != b"\n":
        message = f"The file ends in the last line of [{section.name}]."
        raise malformed_line(message, data, end, path)


def _index(
    data: bytes, section: _Section, places: Sequence[NDArray[np.int32]], header: CelHeader, path: Path | None
) -> NDArray[np.int64] | None:
    """Where each line's cell belongs; None if they are in order, each once."""
    x, y = places
    outside = (x < 0) | (y < 0) | (x >= header.cols) | (y >= header.rows)
    if outside.any():
        row = int(outside.argmax())
        message = f"Cell x={x[row]}, y={y[row]} is outside of {header.cols} columns and {header.rows} rows."
        offset = read_rows(data, (), start=section.start, most=row, separators=BLANKS).end
        raise malformed_line(message, data, offset, path)
    index = y.astype(np.int64) * header.cols + x
    if len(index) == section.cells and np.array_equal(index, np.arange(section.cells)):
        return None
    missing = np.ones(section.cells, dtype=np.bool_)
    missing[index] = False
    if missing.any():
        first = int(missing.argmax())
        cell = f"x={first % header.cols}, y={first // header.cols}"
        message = f"{int(missing.sum())} cells are missing, the first is {cell}."
        raise malformed_line(message, data, section.start, path)
    return index


def _placed(index: NDArray[np.int64], values: NDArray[Any], size: int) -> NDArray[Any]:
    placed = np.empty(size, dtype=values.dtype)
    placed[index] = values  # of a repeated cell, the last
    return placed


def _listed_cells(
    data: bytes, offset: int, name: str, header: CelHeader, path: Path | None
) -> tuple[NDArray[np.bool_], int]:
    """Flags of the cells that a section lists, and where it ends."""
    section = _section(data, offset, name, path)
    if section.cells > (len(data) - section.start) // _SHORTEST_PLACE + 1:
        message = f"[{name}] is to have {section.cells} cells; the file ends before."
        raise malformed_line(message, data, len(data), path)
    fields = (INTEGER, INTEGER, *(REAL for _ in _CELL_HEADERS[name][2:]))
    columns, count, end = read_rows(data, fields, start=section.start, most=section.cells, separators=BLANKS, path=path)
    _check_last_line(data, end, count, section, path)
    return flags(columns[0], columns[1], header.rows, header.cols, path, what=name.lower()), end


def _check_end(data: bytes, offset: int, path: Path | None) -> None:
    rest = data[offset : offset + _LONGEST_LINE].strip(b"\r\n \t\x00\x1a")
    if rest and not rest.startswith(b"["):
        message = f"Expected the end of the file, found {shown_text(rest)!r}."
        raise malformed_line(message, data, offset, path)
