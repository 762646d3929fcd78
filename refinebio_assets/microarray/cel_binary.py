"""CEL files, version 4: binary, little-endian, as GCOS wrote them.

Format: https://www.affymetrix.com/support/developer/powertools/changelog/gcos-agcc/cel.html#CEL_XDA
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

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

MAGIC = struct.pack("<i", 64)
VERSION = "4"

_CELL = np.dtype([("mean", "<f4"), ("stdv", "<f4"), ("pixels", "<i2")])
_PLACE = np.dtype([("x", "<i2"), ("y", "<i2")])
_SUBGRID_BYTES = 56


class _Layout(NamedTuple):
    cells: int
    cells_at: int
    masked: int
    outliers: int
    subgrids: int


class _Fields:
    """Fields one behind the other; where the file ends in one, the error says so."""

    def __init__(self, data: bytes, path: Path | None) -> None:
        self.data = data
        self.path = path
        self.offset = 0

    def integer(self) -> int:
        self._check(4)
        value: int = struct.unpack_from("<i", self.data, self.offset)[0]
        self.offset += 4
        return value

    def text(self) -> str:
        length = self.integer()
        self._check(length)
        value = self.data[self.offset : self.offset + length]
        self.offset += length
        return value.decode("latin-1").rstrip("\0")

    def _check(self, size: int) -> None:
        if not 0 <= size <= len(self.data) - self.offset:
            message = f"The file ends in its header: {size} bytes are to follow byte {self.offset} of {len(self.data)}."
            raise MalformedFileError(message, path=self.path, remedy=BROKEN_FILE_REMEDY)


def read_header(data: bytes, path: Path | None) -> CelHeader:
    """The header of a file, or of a beginning that reaches to the cells.

    Raises:
        MalformedFileError: It is not complete or contradicts itself.
    """
    return _header(data, path)[0]


def read(data: bytes, path: Path | None, *, with_spot_statistics: bool) -> CelFile:
    """A whole file.

    Raises:
        MalformedFileError: It ends early, contradicts itself, or has an intensity that is not finite.
    """
    header, layout = _header(data, path)
    cells_end = layout.cells_at + layout.cells * _CELL.itemsize
    outliers_at = cells_end + layout.masked * _PLACE.itemsize
    subgrids_at = outliers_at + layout.outliers * _PLACE.itemsize
    end = subgrids_at + layout.subgrids * _SUBGRID_BYTES
    if end > len(data):
        there = max(len(data) - layout.cells_at, 0) // _CELL.itemsize
        what = f"{there} of {layout.cells} cells are there" if len(data) < cells_end else "lists of cells are cut off"
        message = f"The file ends at byte {len(data)} instead of {end}: {what}."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    cells = np.frombuffer(data, dtype=_CELL, count=layout.cells, offset=layout.cells_at)
    intensities = cells["mean"].astype(np.float32)
    where = f" (cells begin at byte {layout.cells_at})"
    warnings = [*header.warnings, *intensity_warnings(intensities, header.cols, path, where=where)]
    if end < len(data):
        message = f"{len(data) - end} bytes follow the end of the data."
        warnings.append(CelWarning(CelWarningCode.TRAILING_BYTES, message))
    return CelFile(
        version=VERSION,
        chip_type=header.chip_type,
        rows=header.rows,
        cols=header.cols,
        header=header.header,
        scan_date=header.scan_date,
        algorithm=header.algorithm,
        warnings=tuple(warnings),
        intensities=intensities,
        stdev=cells["stdv"].astype(np.float32) if with_spot_statistics else None,
        pixels=cells["pixels"].astype(np.int16) if with_spot_statistics else None,
        masked=_flags(data, cells_end, layout.masked, header, path, what="masked cells"),
        outliers=_flags(data, outliers_at, layout.outliers, header, path, what="outliers"),
    )


def _flags(
    data: bytes, offset: int, count: int, header: CelHeader, path: Path | None, *, what: str
) -> NDArray[np.bool_]:
    places = np.frombuffer(data, dtype=_PLACE, count=count, offset=offset)
    return flags(places["x"], places["y"], header.rows, header.cols, path, what=what)


def _header(data: bytes, path: Path | None) -> tuple[CelHeader, _Layout]:
    fields = _Fields(data, path)
    fields.integer()  # the magic number
    version = fields.integer()
    if str(version) != VERSION:
        message = f"This is a binary CEL file of version {version}; only version 4 is known."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    first, second, cells = fields.integer(), fields.integer(), fields.integer()
    text, algorithm, _ = fields.text(), fields.text(), fields.text()
    fields.integer()  # the margin of cells
    outliers, masked, subgrids = fields.integer(), fields.integer(), fields.integer()
    values = dict(_key_and_value(line) for line in text.splitlines() if "=" in line)
    rows, cols = _size(values, first, second, path)
    if checked_size(rows, cols, path) != cells:
        message = f"The header has {rows} rows and {cols} columns, but {cells} cells."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    if min(outliers, masked, subgrids) < 0 or max(outliers, masked) > cells:
        message = f"The header counts {outliers} outliers, {masked} masked cells and {subgrids} subgrids."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    dat_header = values.get("DatHeader", "")
    chip_type = chip_type_of(dat_header)
    header = CelHeader(
        version=VERSION,
        chip_type=chip_type,
        rows=rows,
        cols=cols,
        header=values,
        scan_date=scan_date_of(dat_header),
        algorithm=algorithm or values.get("Algorithm"),
        warnings=header_warnings(chip_type),
    )
    return header, _Layout(cells, fields.offset, masked, outliers, subgrids)


def _key_and_value(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    return key.strip(), value.strip()


def _size(values: dict[str, str], first: int, second: int, path: Path | None) -> tuple[int, int]:
    """Rows and columns: the specification and Affymetrix' own reader disagree which comes first, the text does not."""
    rows, cols = values.get("Rows"), values.get("Cols")
    if rows is None or cols is None:
        return second, first
    if (rows, cols) == (str(first), str(second)):
        return first, second
    if (rows, cols) == (str(second), str(first)):
        return second, first
    message = f"The header says {rows[:20]} rows and {cols[:20]} columns in words, but {first} and {second} in numbers."
    raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
