"""What image analysis programs measured on one array, whichever of them wrote the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.microarray.agilent_table import Names, Numbers

Booleans = NDArray[np.bool_]


class ArrayFormat(StrEnum):
    """The program a file comes from."""

    FEATURE_EXTRACTION = "feature_extraction"
    GENEPIX = "genepix"


class Signal(StrEnum):
    """Which summary of a spot's pixels is its intensity."""

    AUTO = "auto"
    """The median of Feature Extraction, the mean of GenePix: the columns that limma reads."""
    MEDIAN = "median"
    MEAN = "mean"
    PROCESSED = "processed"
    """Agilent's own result, background already taken off (Feature Extraction only)."""


@dataclass(frozen=True)
class GridLayout:
    """How spots lie on the array: blocks (print tips) in a grid, spots in each; the column changes fastest.

    Attributes:
        block_rows: Rows of blocks.
        block_columns: Blocks in a row.
        spot_rows: Rows of spots in a block.
        spot_columns: Spots in a row of a block.
    """

    block_rows: int
    block_columns: int
    spot_rows: int
    spot_columns: int

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self.block_rows * self.block_columns

    @property
    def spots(self) -> int:
        """Number of spots on the array."""
        return self.blocks * self.spot_rows * self.spot_columns


@dataclass(frozen=True, eq=False)
class Channel:
    """One colour.

    Attributes:
        foreground: Intensity of each spot, float64, NaN where missing.
        background: The same of its surroundings; None if the file has none, or the signal is already corrected.
        columns: Names of the columns these were read from.
        flagged: The program calls the spot bad: not found, not uniform, an outlier of its replicates, or by hand.
        saturated: More than half of the spot's pixels are at the scanner's limit.
        reported_above_background: The program's own verdict; None if the file has none.
    """

    foreground: Numbers
    background: Numbers | None
    columns: tuple[str, ...]
    flagged: Booleans
    saturated: Booleans
    reported_above_background: Booleans | None = None


@dataclass(frozen=True, eq=False)
class ScannedArray:
    """One array as it was scanned. All columns have one value per spot, in the order of the file.

    Attributes:
        name: Of the file, without extensions.
        path: The file; None for bytes.
        format: The program that wrote it.
        probes: Names of the probes; several spots may have the same.
        green: Cy3, 532 nm; the only colour of one-colour arrays.
        red: Cy5, 635 nm; None if the file has no columns for it.
        control_types: int8: 0 for probes of genes, 1 positive and -1 negative controls.
        controls_from: Where these come from.
        layout: None if the spots do not fill a grid.
        texts: Further names, by column: ``SystematicName``, ``GeneName``, ``Sequence`` …, as far as the file has them.
        places: Row, column and block of each spot (int32, -1 if missing), by column.
        header: What the file says of scan and extraction.
        statistics: What it says of the array as a whole.
        announced_spots: How many spots it should have; None if it does not say.
        columns: All columns of its table.
        warnings: What is odd.
    """

    name: str
    path: Path | None
    format: ArrayFormat
    probes: Names
    green: Channel
    red: Channel | None
    control_types: NDArray[np.int8]
    controls_from: str
    layout: GridLayout | None
    texts: Mapping[str, Names] = field(default_factory=dict)
    places: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)
    statistics: Mapping[str, str] = field(default_factory=dict)
    announced_spots: int | None = None
    columns: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def spots(self) -> int:
        """Number of spots in the file."""
        return len(self.probes)

    @property
    def is_control(self) -> Booleans:
        """Spots that measure no gene."""
        return np.asarray(self.control_types != 0, dtype=np.bool_)

    @property
    def channels(self) -> dict[str, Channel]:
        """The colours by name, green first."""
        return {"green": self.green} if self.red is None else {"green": self.green, "red": self.red}

    @property
    def sequences(self) -> Names | None:
        """Probe sequences, empty where the file has none; None without such a column."""
        return self.texts.get("Sequence")


def name_of(path: Path | None) -> str:
    """The file's name without what says how it is packed and what it holds."""
    if path is None:
        return "array"
    name = path.name
    for extensions in ((".gz", ".bz2", ".xz"), (".txt", ".gpr", ".tsv")):
        stem, dot, extension = name.rpartition(".")
        if stem and (dot + extension).lower() in extensions:
            name = stem
    return name
