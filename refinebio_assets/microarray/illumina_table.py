"""Tables of Illumina BeadArrays: signals, detection p-values and bead counts of probes, whatever the file looks like.

:func:`interpret_bead_table` says how a file would be read, with a confidence and the evidence; :func:`read_bead_table`
reads it, and refuses a table whose reading is too doubtful.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError, UncertainTableError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY, Source, path_of
from refinebio_assets.microarray.illumina_evidence import look_at_columns, numbers_of
from refinebio_assets.microarray.illumina_interpretation import (
    LEAST_CONFIDENCE,
    Interpretation,
    SampleColumns,
    interpret,
)
from refinebio_assets.microarray.illumina_layout import TableLayout, find_table
from refinebio_assets.microarray.illumina_samples import SampleHint
from refinebio_assets.microarray.probe_identifiers import ProbeIdKind

Matrix = NDArray[np.float64]

ROWS_LOOKED_AT = 1500
"""Rows from all over the table that decide what its columns are."""

MOST_CELLS = 400_000_000
"""Numbers of a table: 3.2 GB; 48,000 probes of 1,500 samples with p-values are 144 million."""

_ROWS_AT_A_TIME = 4096
_MOST_RAGGED = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReading:
    """How a file would be read.

    Attributes:
        layout: Where the table is.
        interpretation: What its columns are.
    """

    layout: TableLayout = field(repr=False)
    interpretation: Interpretation

    @property
    def confidence(self) -> float:
        """From 0 to 1: the product of all factors."""
        confidence = self.interpretation.confidence
        for factor, _ in self.layout.factors:
            confidence *= factor
        return round(confidence, 3)

    @property
    def evidence(self) -> tuple[str, ...]:
        """What was found, for people; what lowers the confidence says by how much."""
        factors = (*self.layout.factors, *self.interpretation.factors)
        return tuple(text if factor >= 1.0 else f"{text} (x {factor:.2f})" for factor, text in factors)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What lowers the confidence, the heaviest first."""
        factors = sorted((*self.layout.factors, *self.interpretation.factors), key=lambda one: one[0])
        return tuple(text for factor, text in factors if factor < 1.0)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd in the file."""
        return (*self.layout.warnings, *self.interpretation.warnings)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeadTable:
    """The values of a table.

    Attributes:
        reading: How the file was read: layout, interpretation, confidence and evidence.
        ids: Probe identifiers, one per row, as they stand; they may repeat.
        signal: samples x probes, float64; NaN where there is no number.
        detection: samples x probes, small for probes that are expressed (turned round if the file has ``1 - p``); None
            if the file has none. NaN for samples without.
        beads: samples x probes, how many beads; None if the file has none.
        stderr: samples x probes; None if the file has none.
        non_numeric: Cells of signals and p-values that hold something else than a number.
        warnings: What is odd.
    """

    reading: TableReading
    ids: tuple[str, ...] = field(repr=False)
    signal: Matrix = field(repr=False)
    detection: Matrix | None = field(repr=False)
    beads: Matrix | None = field(repr=False)
    stderr: Matrix | None = field(repr=False)
    non_numeric: int
    warnings: tuple[str, ...]

    @property
    def columns(self) -> tuple[SampleColumns, ...]:
        """One entry per sample: its name and the places of its columns."""
        return self.reading.interpretation.columns

    @property
    def names(self) -> tuple[str, ...]:
        """What the file calls its samples."""
        return tuple(column.name for column in self.columns)

    @property
    def header(self) -> tuple[str, ...]:
        """Names of all columns of the file."""
        return self.reading.layout.header

    @property
    def id_column(self) -> int:
        """Place of the identifiers."""
        return self.reading.interpretation.id_column

    @property
    def id_kind(self) -> ProbeIdKind:
        """What the identifiers are."""
        return self.reading.interpretation.id_kind

    @property
    def scale(self) -> str:
        """``linear``, ``log2`` or ``centred``."""
        return self.reading.interpretation.scale

    @property
    def confidence(self) -> float:
        """From 0 to 1."""
        return self.reading.confidence

    @property
    def evidence(self) -> tuple[str, ...]:
        """Why the table was read so."""
        return self.reading.evidence


def interpret_bead_table(source: Source, *, samples: Sequence[SampleHint] = ()) -> TableReading:
    """Say how a file would be read, however doubtful that is.

    Args:
        source: A file or its bytes; plain, gzip, bzip2 or xz.
        samples: Those that the table should have, as the archive names them; they help to tell columns apart.

    Raises:
        InputError: There is no such file, or it has the tables of several samples.
        MalformedFileError: It is no text, has no table, is cut off, or no column can be identifiers or signals.
    """
    layout = find_table(source)
    rows = layout.spread(ROWS_LOOKED_AT)
    columns = look_at_columns(layout.header, rows, layout.decimal)
    path = path_of(source)
    stem = "" if path is None else path.name.partition(".")[0]
    interpretation = interpret(columns, samples, fallback=layout.name or stem)
    if interpretation is None:
        message = "No column can be the identifiers of probes, or no column can be signals."
        remedy = "Give a table with one probe per line: identifier, signals, detection p-values."
        raise MalformedFileError(message, path=path, line=layout.header_line, remedy=remedy)
    return TableReading(layout=layout, interpretation=interpretation)


def read_bead_table(source: Source, *, samples: Sequence[SampleHint] = ()) -> BeadTable:
    """Read a table, if it is clear enough what its columns are.

    Args:
        source: A file or its bytes; plain, gzip, bzip2 or xz.
        samples: Those that the table should have, as the archive names them.

    Raises:
        InputError: There is no such file, or it has the tables of several samples.
        MalformedFileError: It is no text, has no table, or is cut off.
        UncertainTableError: The reading's confidence is below :data:`~.illumina_interpretation.LEAST_CONFIDENCE`; names
            what a person should look at.
    """
    reading = interpret_bead_table(source, samples=samples)
    if reading.confidence < LEAST_CONFIDENCE:
        raise _uncertain(reading)
    return _values(reading)


def _uncertain(reading: TableReading) -> UncertainTableError:
    doubts = "; ".join(reading.doubts[:3])
    message = (
        f"It is not certain what the columns are (confidence {reading.confidence:.2f} of {LEAST_CONFIDENCE}): {doubts}."
    )
    read_as = ", ".join(f"{one.name!r} in column {one.signal + 1}" for one in reading.interpretation.columns[:3])
    remedy = (
        f"Look at the header: likeliest are the signals of {read_as}. Name columns S1.AVG_Signal, S1.Detection Pval …"
    )
    return UncertainTableError(
        message,
        path=reading.layout.path,
        line=reading.layout.header_line,
        remedy=remedy,
        confidence=reading.confidence,
        evidence=reading.evidence,
    )


def _values(reading: TableReading) -> BeadTable:
    layout, read = reading.layout, reading.interpretation
    columns = read.columns
    fields = {name: [getattr(one, name) for one in columns] for name in ("signal", "detection", "beads", "stderr")}
    present = {name: [at for at in places if at is not None] for name, places in fields.items()}
    if len(layout.rows) * sum(map(len, present.values())) > MOST_CELLS:
        message = f"The table has {len(layout.rows)} rows and {len(columns)} samples, more than can be read at once."
        raise MalformedFileError(message, path=layout.path, remedy="Divide it by samples.")
    wanted = sorted({at for places in present.values() for at in places})
    ids, parts, counts = _read_columns(layout, read.id_column, wanted)
    matrices = {name: _matrix(places, wanted, parts) if present[name] else None for name, places in fields.items()}
    detection = matrices["detection"]
    if detection is not None and read.detection_is_reversed:
        detection = 1.0 - detection
    warnings = [*reading.warnings, *counts.warnings(len(layout.rows))]
    repeated = len(ids) - len(set(ids))
    if repeated:
        warnings.append(f"{repeated} rows have the identifier of another row.")
    return BeadTable(
        reading=reading,
        ids=tuple(ids),
        signal=_matrix(fields["signal"], wanted, parts),
        detection=detection,
        beads=matrices["beads"],
        stderr=matrices["stderr"],
        non_numeric=counts.non_numeric,
        warnings=tuple(warnings),
    )


@dataclass(slots=True)
class _Counts:
    """What was wrong with rows and cells."""

    non_numeric: int = 0
    short: int = 0
    nameless: int = 0
    ragged: list[int] = field(default_factory=list)

    def warnings(self, rows: int) -> list[str]:
        """For people."""
        found = []
        if self.ragged:
            found.append(f"{len(self.ragged)} of {rows} lines have too many cells, first line {self.ragged[0]}.")
        if self.short:
            found.append(f"{self.short} lines end early; what they lack counts as missing.")
        if self.nameless:
            found.append(f"{self.nameless} lines have no identifier and were left out.")
        if self.non_numeric:
            found.append(f"{self.non_numeric} cells hold no numbers and count as missing.")
        return found


def _read_columns(layout: TableLayout, id_column: int, wanted: list[int]) -> tuple[list[str], Matrix, _Counts]:
    """Identifiers, and the wanted columns as rows of a matrix."""
    counts, ids, blocks = _Counts(), list[str](), list[Matrix]()
    needed = max([*wanted, id_column]) + 1
    for rows in _chunks(layout, needed, counts):
        named = [row for row in rows if row[id_column]]
        counts.nameless += len(rows) - len(named)
        ids += [row[id_column] for row in named]
        block = np.empty((len(wanted), len(named)))
        for at, place in enumerate(wanted):
            block[at], bad = _column([row[place] for row in named], layout.decimal)
            counts.non_numeric += bad
        blocks.append(block)
    if len(counts.ragged) > _MOST_RAGGED * len(layout.rows):
        message = f"{len(counts.ragged)} of {len(layout.rows)} lines have another number of cells than the header."
        raise MalformedFileError(message, path=layout.path, line=counts.ragged[0], remedy=BROKEN_FILE_REMEDY)
    return ids, np.concatenate(blocks, axis=1), counts


def _chunks(layout: TableLayout, needed: int, counts: _Counts) -> Iterator[list[list[str]]]:
    last = layout.rows[-1]
    for start in range(0, len(layout.rows), _ROWS_AT_A_TIME):
        rows: list[list[str]] = []
        for place in layout.rows[start : start + _ROWS_AT_A_TIME]:
            cells = layout.cells(place)
            if len(cells) < needed:
                if place == last and place == len(layout.text.lines) - 1 and not layout.text.ends_with_newline:
                    message = "The last line ends in the middle: the file is cut off."
                    raise MalformedFileError(message, path=layout.path, line=place + 1, remedy=BROKEN_FILE_REMEDY)
                counts.short += 1
                cells += [""] * (needed - len(cells))
            elif len(cells) > layout.width and any(cells[layout.width :]):
                counts.ragged.append(place + 1)
                continue
            rows.append(cells)
        yield rows


def _column(cells: list[str], decimal: str) -> tuple[Matrix, int]:
    """The numbers of a column: at once where all cells are plain numbers, one by one elsewhere."""
    if decimal == ".":
        try:
            values = np.array(list(map(float, cells)))
        except ValueError:
            return numbers_of(cells, decimal)
        if np.isfinite(values).all() and not any("_" in cell for cell in cells):
            return values, 0
    return numbers_of(cells, decimal)


def _matrix(places: Sequence[int | None], wanted: list[int], parts: Matrix) -> Matrix:
    """Samples x probes; NaN for a sample without such a column."""
    row = {place: at for at, place in enumerate(wanted)}
    result = np.full((len(places), parts.shape[1]), np.nan)
    for sample, place in enumerate(places):
        if place is not None:
            result[sample] = parts[row[place]]
    return result
