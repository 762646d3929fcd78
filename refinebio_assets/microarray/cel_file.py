"""What a CEL file holds, whichever of its formats it was written in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.array_names import array_code
from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY

MOST_CELLS = 2**26
"""The largest arrays have 6.9 million cells (2680 x 2572)."""

# Fields of a DAT header are separated by blanks or by the byte 0x14: "... HG_U95Av2.1sq ..."
_CHIP_TYPE = re.compile(r"(?<![^\s\x14])([^\s\x14]{1,100})\.1sq\b")
_SCAN_DATE = re.compile(r"\b\d\d/\d\d/\d\d \d\d:\d\d:\d\d\b")


class CelWarningCode(StrEnum):
    """What is odd about a CEL file that can be read all the same."""

    NO_CHIP_TYPE = "no_chip_type"
    OTHER_CHIP_TYPE = "other_chip_type"
    OTHER_SIZE = "other_size"
    REPEATED_CELLS = "repeated_cells"
    NEGATIVE_INTENSITIES = "negative_intensities"
    SEVERAL_CHANNELS = "several_channels"
    TRAILING_BYTES = "trailing_bytes"


@dataclass(frozen=True, slots=True)
class CelWarning:
    """Something odd: a code for programs, and words."""

    code: CelWarningCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CelHeader:
    """What a CEL file says about itself.

    Attributes:
        version: ``3`` (text), ``4`` (binary) or ``calvin`` (Command Console).
        chip_type: As in the header: ``HG_U95Av2``. Empty if it does not say.
        rows: Cells from top to bottom.
        cols: Cells from left to right.
        header: All it says, numbers as text. Calvin: the parameters of the file, then those of its parents (scan,
            array) under names that the file has not.
        scan_date: When the array was scanned, as written.
        algorithm: What made intensities of pixels.
        warnings: What is odd.
    """

    version: str
    chip_type: str
    rows: int
    cols: int
    header: Mapping[str, str]
    scan_date: str | None
    algorithm: str | None
    warnings: tuple[CelWarning, ...] = ()

    def platform_code(self) -> str:
        """The code under which refine.bio files the array: ``hgu95av2``; empty if the chip type is."""
        return array_code(self.chip_type)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CelFile(CelHeader):
    """A CEL file. Cell ``(x, y)`` is at ``y * cols + x`` in all arrays, which have ``rows * cols`` values.

    Attributes:
        intensities: Finite float32.
        stdev: Standard deviation of a cell's pixels, float32; None unless asked for or if the file has none.
        pixels: Number of its pixels, int16; None likewise.
        outliers: Cells that the scanner's software thinks wrong.
        masked: Cells that a person excluded.
    """

    intensities: NDArray[np.float32]
    stdev: NDArray[np.float32] | None
    pixels: NDArray[np.int16] | None
    outliers: NDArray[np.bool_]
    masked: NDArray[np.bool_]


def chip_type_of(dat_header: str) -> str:
    """The chip type in a DAT header; empty if there is none."""
    found = _CHIP_TYPE.search(dat_header)
    return found[1] if found else ""


def scan_date_of(dat_header: str) -> str | None:
    """``month/day/year hour:minute:second`` in a DAT header."""
    found = _SCAN_DATE.search(dat_header)
    return found[0] if found else None


def header_warnings(chip_type: str) -> tuple[CelWarning, ...]:
    """What is odd about a header."""
    if chip_type:
        return ()
    return (CelWarning(CelWarningCode.NO_CHIP_TYPE, "The header does not say which array this is."),)


def checked_size(rows: int, cols: int, path: Path | None) -> int:
    """Number of cells.

    Raises:
        MalformedFileError: No array has that size.
    """
    if rows < 1 or cols < 1 or rows * cols > MOST_CELLS:
        message = f"No array has {rows} rows and {cols} columns."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    return rows * cols


def intensity_warnings(
    intensities: NDArray[np.float32], cols: int, path: Path | None, *, where: str = ""
) -> tuple[CelWarning, ...]:
    """What is odd about intensities.

    Raises:
        MalformedFileError: One is not finite.
    """
    lowest, highest = intensities.min(), intensities.max()  # NaN if there is one
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        index = int(np.flatnonzero(~np.isfinite(intensities))[0])
        cell = f"x={index % cols}, y={index // cols}"
        message = f"The intensity of cell {cell} is not a finite number{where}: {intensities[index]}."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    if lowest >= 0:
        return ()
    count = int((intensities < 0).sum())
    message = f"{count} intensities are negative, the lowest is {lowest:g}."
    return (CelWarning(CelWarningCode.NEGATIVE_INTENSITIES, message),)


def flags(
    x: NDArray[np.integer], y: NDArray[np.integer], rows: int, cols: int, path: Path | None, *, what: str
) -> NDArray[np.bool_]:
    """Listed cells as a flag per cell.

    Raises:
        MalformedFileError: A cell lies outside the array.
    """
    result = np.zeros(rows * cols, dtype=np.bool_)
    outside = (x < 0) | (y < 0) | (x >= cols) | (y >= rows)
    if outside.any():
        first = int(outside.argmax())
        message = (
            f"The list of {what} names cell x={x[first]}, y={y[first]}, outside of {cols} columns and {rows} rows."
        )
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    result[y.astype(np.int64) * cols + x] = True
    return result
