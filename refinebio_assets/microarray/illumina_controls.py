"""Negative controls of BeadArrays: GenomeStudio's control probe profile, or any table that names types of controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.compressed_bytes import Source
from refinebio_assets.microarray.illumina_columns import ColumnRole, plain_key
from refinebio_assets.microarray.illumina_evidence import Column, look_at_columns, numbers_of
from refinebio_assets.microarray.illumina_layout import find_table

NEGATIVE = "negative"
_ROWS_LOOKED_AT = 500


def read_negative_controls(source: Source, names: Sequence[str]) -> NDArray[np.float64]:
    """Read the intensities of negative controls.

    Args:
        source: A table with a cell ``negative`` in the line of each such control, and a column per sample.
        names: Of the samples, as the table of signals has them.

    Returns:
        samples x controls, float64, in the order of the names.

    Raises:
        InputError: There is no such file, it has no negative controls, or a sample has no column.
        MalformedFileError: It is no table.
    """
    layout = find_table(source)
    columns = look_at_columns(layout.header, layout.spread(_ROWS_LOOKED_AT), layout.decimal)
    places = [_column_of(name, columns) for name in names]
    missing = [name for name, place in zip(names, places, strict=True) if place is None]
    if missing:
        message = f"{len(missing)} samples have no column of controls, the first is {missing[0]!r}."
        remedy = "Name the columns as in the table of signals."
        raise InputError(message, path=layout.path, line=layout.header_line, remedy=remedy)
    rows = [layout.cells(place) for place in layout.rows]
    negative = [cells for cells in rows if any(cell.lower().startswith(NEGATIVE) for cell in cells)]
    if not negative:
        message = "No line has a cell 'negative'."
        raise InputError(message, path=layout.path, remedy="Give the control probe profile with its column of types.")
    wanted = [place for place in places if place is not None]
    filled = [cells + [""] * (layout.width - len(cells)) for cells in negative]
    return np.array([numbers_of([cells[place] for cells in filled], layout.decimal)[0] for place in wanted])


def _column_of(name: str, columns: Sequence[Column]) -> int | None:
    """The signals of a sample: the column of its name, or of its name and a word for signals."""
    key = plain_key(name)
    numeric = [column for column in columns if column.is_numeric]
    named = [column for column in numeric if plain_key(column.header) == key]
    named += [
        column for column in numeric if column.named.role is ColumnRole.SIGNAL and plain_key(column.named.key) == key
    ]
    return named[0].place if named else None
