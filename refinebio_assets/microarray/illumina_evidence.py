"""What the values of columns say about what they are: detection p-values, signals, bead counts.

A detection p-value is the share of negative controls that are brighter than the probe, so within an array it never
rises with the signal. This tells which p-values belong to which signals, whatever the columns are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.microarray.illumina_columns import ColumnRole, NamedColumn, plain_key, taken_apart
from refinebio_assets.microarray.probe_identifiers import ProbeIdKind, kind_of_identifiers
from refinebio_assets.microarray.table_text import MISSING, parse_number

Floats = NDArray[np.float64]

_MOSTLY = 0.9
_NEARLY_ALL = 0.99
_FEWEST_STEPS = 5
_SMALLEST_STEP = 1e-9
_MOST_BEADS = 2_000
_PLAUSIBLE_MAXIMUM = 1e7


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of a table, as a part of its rows shows it.

    Attributes:
        place: From 0.
        header: Its name as it stands.
        named: What the name means, given the values.
        numbers: The values, NaN where there is none.
        numeric: Share of numbers among the cells that are not empty.
        filled: Share of cells that are not empty.
        kind: What the values are as identifiers.
    """

    place: int
    header: str
    named: NamedColumn
    numbers: Floats = field(repr=False)
    numeric: float
    filled: float
    kind: ProbeIdKind

    @property
    def is_numeric(self) -> bool:
        """Most cells are numbers, and they are not all the same."""
        return self.numeric >= _MOSTLY and self.filled > 0.0

    @property
    def is_unit(self) -> bool:
        """Numbers from 0 to 1, as p-values are."""
        return is_unit(self.numbers) and self.is_numeric


def look_at_columns(header: Sequence[str], rows: Sequence[Sequence[str]], decimal: str) -> list[Column]:
    """What each column of a table may be.

    Args:
        header: A name per column.
        rows: Some rows from all over the table, as long as the header.
        decimal: The sign in numbers.
    """
    columns = [_looked_at(place, name, [row[place] for row in rows], decimal) for place, name in enumerate(header)]
    keys = {plain_key(one.named.key) for one in columns if one.named.role in {ColumnRole.SIGNAL, ColumnRole.UNTOLD}}
    return [_or_a_sample(column, keys) for column in columns]


def _or_a_sample(column: Column, keys: set[str]) -> Column:
    """``P1_N`` is the number of P1's beads only if there is a P1; else it is a sample (normal, beside ``P1_T``)."""
    named = column.named
    if named.is_sure or named.role not in {ColumnRole.BEADS, ColumnRole.STDERR, ColumnRole.OTHER}:
        return column
    if plain_key(named.key) in keys:
        return column
    return replace(column, named=NamedColumn(ColumnRole.UNTOLD, "", column.header.strip()))


def _looked_at(place: int, name: str, cells: list[str], decimal: str) -> Column:
    numbers, bad = numbers_of(cells, decimal)
    filled = sum(cell.lower() not in MISSING for cell in cells)
    numeric = 1.0 - bad / filled if filled else 0.0
    content = Column(
        place,
        name,
        NamedColumn(ColumnRole.UNTOLD, "", name),
        numbers,
        numeric,
        filled / max(1, len(cells)),
        kind_of_identifiers(cells),
    )
    return Column(place, name, _meaning(name, content), numbers, numeric, content.filled, content.kind)


def numbers_of(cells: Sequence[str], decimal: str) -> tuple[Floats, int]:
    """The numbers in cells (NaN where there is none), and how many cells hold something that is no number."""
    values, bad = np.full(len(cells), np.nan), 0
    for at, cell in enumerate(cells):
        try:
            values[at] = parse_number(cell, decimal)
        except ValueError:
            bad += 1
    infinite = np.isinf(values)
    values[infinite] = np.nan
    return values, bad + int(infinite.sum())


def _meaning(name: str, content: Column) -> NamedColumn:
    """The first meaning of the name that the values allow."""
    meanings = taken_apart(name)
    for meaning in meanings:
        if _allows(content, meaning.role) and (
            meaning.is_sure or meaning.role is not ColumnRole.BEADS or _counts(content)
        ):
            return meaning
        if meaning.is_sure:
            return NamedColumn(ColumnRole.OTHER, meaning.word, meaning.key)
    return meanings[-1]


def _counts(content: Column) -> bool:
    """Whole numbers."""
    values = content.numbers[~np.isnan(content.numbers)]
    return bool((values == np.round(values)).mean() >= _MOSTLY) if len(values) else False


def _allows(content: Column, role: ColumnRole) -> bool:
    if role in {ColumnRole.ANNOTATION, ColumnRole.UNTOLD}:
        return True
    if not content.is_numeric:
        return False
    values = content.numbers[~np.isnan(content.numbers)]
    if role is ColumnRole.DETECTION:
        return content.is_unit
    if role is ColumnRole.SIGNAL:
        return not content.is_unit and float(np.abs(values).max()) < _PLAUSIBLE_MAXIMUM
    if role is ColumnRole.BEADS:
        return bool(values.min() >= 0) and float(np.median(values)) < _MOST_BEADS
    return role is not ColumnRole.STDERR or bool(values.min() >= 0)


def is_unit(numbers: Floats) -> bool:
    """Practically all numbers lie between 0 and 1."""
    values = numbers[~np.isnan(numbers)]
    if not len(values):
        return False
    within = (values >= 0.0) & (values <= 1.0)
    return float(within.mean()) >= _NEARLY_ALL


def monotony(signal: Floats, detection: Floats) -> tuple[float, int]:
    """How well p-values follow the signals of an array.

    Args:
        signal: Values of a column.
        detection: Of the same rows of another one, 0 to 1.

    Returns:
        1 if the p-values never step the wrong way when the signals are sorted, 0 if they step as often up as down, and
        the direction: -1 for p-values, 1 for ``1 - p``. NaN and 0 if there are too few different p-values to tell.
    """
    known = ~(np.isnan(signal) | np.isnan(detection))
    values, p = signal[known], detection[known]
    order = np.lexsort((-p, values))  # among equal signals the p-values may stand in any order: as if they fell
    steps = np.diff(p[order])
    rising = order[np.lexsort((p[order], values[order]))]
    upwards = np.diff(p[rising])
    best: tuple[float, int] = (np.nan, 0)
    for direction, found in ((-1, steps), (1, upwards)):
        changes = found[np.abs(found) > _SMALLEST_STEP]
        if len(changes) < _FEWEST_STEPS:
            continue
        right = float((np.sign(changes) == direction).mean())
        if np.isnan(best[0]) or 2 * right - 1 > best[0]:
            best = (2 * right - 1, direction)
    return (max(best[0], 0.0), best[1]) if best[1] else best


def rank_correlations(columns: Sequence[Floats]) -> Floats:
    """Of each column with the median ranks of all (or the other of two), -1 to 1; NaN for columns of one value."""
    ranks = np.array([_ranks(column) for column in columns])
    profiles = ranks[::-1] if len(ranks) == 2 else np.broadcast_to(np.median(ranks, axis=0), ranks.shape)
    centred, others = (each - each.mean(axis=1, keepdims=True) for each in (ranks, profiles))
    size = np.sqrt((centred**2).sum(axis=1) * (others**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((centred * others).sum(axis=1) / size)


def _ranks(values: Floats) -> Floats:
    filled = np.where(np.isnan(values), -np.inf, values)
    order = np.sort(filled)
    return np.asarray((np.searchsorted(order, filled, "left") + np.searchsorted(order, filled, "right")) / 2.0)
