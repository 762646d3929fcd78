"""What a CDF file holds: which cells of an array belong to which probe set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY

_COMPLEMENTS = (b"AT", b"TA", b"CG", b"GC")
LARGEST_SIDE = 2**15


class ProbeSetType(IntEnum):
    """What a probe set is for, with the numbers of binary CDF files."""

    UNKNOWN = 0
    EXPRESSION = 1
    GENOTYPING = 2
    RESEQUENCING = 3
    TAG = 4
    COPY_NUMBER = 5
    GENOTYPE_CONTROL = 6
    EXPRESSION_CONTROL = 7
    MARKER = 8
    MULTICHANNEL_MARKER = 9


@dataclass(frozen=True, kw_only=True, eq=False)
class Cdf:
    """The layout of an array, in columns: one value per cell of a probe set. Quality control units are only counted.

    Attributes:
        version: ``GC3.0`` … for text, ``XDA 1`` … for binary files.
        chip_type: What the file says (versions GC6.0 and XDA 4), else the name of the file, as Affymetrix' own reader
            has it; of bytes, the name within.
        name: The name within a text file; programs are not to use it (Hu6800's is ``3101_a03``).
        rows: Cells from top to bottom.
        cols: Cells from left to right.
        probe_sets: Names in the order of the file: of an expression array those that people know.
        types: :class:`ProbeSetType` of each, uint8.
        groups: Names of the groups (blocks) of all probe sets; an expression probe set has one, of its own name.
        quality_control_units: How many there are.
        probe_set: Index into ``probe_sets``, int32, ascending.
        group: Index into ``groups``, int32, ascending.
        x: Column of the cell, int32.
        y: Row of the cell, int32.
        is_pm: Whether the probe matches its target: their bases at the middle are complementary.
        atom: Which probe pair (or quartet) of its group, int32.
        expos: Where in the target the probe lies, in the file's own count, int32.
    """

    version: str
    chip_type: str
    name: str
    rows: int
    cols: int
    probe_sets: tuple[str, ...]
    types: NDArray[np.uint8]
    groups: tuple[str, ...]
    quality_control_units: int
    probe_set: NDArray[np.int32]
    group: NDArray[np.int32]
    x: NDArray[np.int32]
    y: NDArray[np.int32]
    is_pm: NDArray[np.bool_]
    atom: NDArray[np.int32]
    expos: NDArray[np.int32]

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Where each cell is in the arrays of a CEL file: ``y * cols + x``."""
        return self.y.astype(np.int64) * self.cols + self.x

    @cached_property
    def _rows_of(self) -> Mapping[str, slice]:
        ends = np.searchsorted(self.probe_set, np.arange(len(self.probe_sets)), side="right").tolist()
        starts = [0, *ends[:-1]]
        return {name: slice(*ends) for name, *ends in zip(self.probe_sets, starts, ends, strict=True)}

    def cells_of(self, probe_set: str) -> slice:
        """The rows of one probe set.

        Raises:
            KeyError: There is none of that name.
        """
        return self._rows_of[probe_set]


def matches(probe_base: NDArray[np.uint8], target_base: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether two bases (letters in either case) are complementary."""
    partner = np.zeros(256, dtype=np.uint8)
    for base, other in _COMPLEMENTS:
        partner[[base, base + 32]] = other
    upper = np.where((target_base >= ord("a")) & (target_base <= ord("z")), target_base - 32, target_base)
    result: NDArray[np.bool_] = (partner[probe_base] == upper) & (upper != 0)
    return result


def checked_sides(rows: int, cols: int, path: Path | None) -> None:
    """Refuse sizes that no array has.

    Raises:
        MalformedFileError: A side has no cell, or more than can be.
    """
    if not (0 < rows <= LARGEST_SIDE and 0 < cols <= LARGEST_SIDE):
        message = f"No array has {rows} rows and {cols} columns."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)


def chip_type_of_file(path: Path | None) -> str:
    """``HG-U133A`` of ``GPL96_HG-U133A.cdf.gz``: the file's name without GEO's accession and extensions."""
    if path is None:
        return ""
    name = path.name
    for extension in (".gz", ".bz2", ".xz", ".cdf"):
        if name.lower().endswith(extension):
            name = name[: -len(extension)]
    accession, _, rest = name.partition("_")
    return rest if rest and accession.startswith("GPL") and accession[3:].isdigit() else name


def chosen_chip_type(declared: list[str]) -> str:
    """Of the chip types a file declares, the first without a dot; else the first, up to its first dot."""
    plain = [each for each in declared if "." not in each]
    return plain[0] if plain else declared[0].partition(".")[0] if declared else ""


def check_places(x: NDArray[np.int32], y: NDArray[np.int32], rows: int, cols: int, path: Path | None) -> None:
    """Refuse cells outside of the array.

    Raises:
        MalformedFileError: There is one.
    """
    outside = (x < 0) | (y < 0) | (x >= cols) | (y >= rows)
    if outside.any():
        first = int(outside.argmax())
        message = f"Cell x={x[first]}, y={y[first]} is outside of {cols} columns and {rows} rows."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
