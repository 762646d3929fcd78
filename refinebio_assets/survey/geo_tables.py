"""Values that submitters put into GEO: the data table of each sample of a SOFT file, one sample at a time.

They are the fallback where there are no raw data. Format: https://www.ncbi.nlm.nih.gov/geo/info/soft.html; a sample's
table has the column ``ID_REF``, mostly ``VALUE``, and others of the submitter's choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from refinebio_assets.survey.geo_family import EntityKind, SoftFamily
from refinebio_assets.survey.geo_soft import decode, read_soft_family

Numbers = npt.NDArray[np.float64]

ID_COLUMN = "ID_REF"
VALUE_COLUMN = "VALUE"

DETECTION_COLUMNS = frozenset(
    {"detectionpvalue", "detectionpval", "detectionp", "detpvalue", "detpval", "abscallpvalue", "pvalue", "pval"}
)
"""Names of columns of detection p-values, in lower case without punctuation: Illumina's ``Detection Pval``, MAS5's
``DETECTION P-VALUE`` and ``ABS_CALL_P_VALUE``. ``Detection`` alone may be 1 - p, or a call."""

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "."})
"""Cells that say that there is no value, in lower case."""

_NOT_WORD = re.compile(r"[^a-z0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericColumn:
    """A column as numbers.

    Attributes:
        name: As the table has it.
        values: Shape (rows,), float64, in the submitter's unit; NaN where there is no number.
        missing: Cells that are empty or say that there is no value.
        not_numeric: Cells that are something else than a finite number: text, ``1,5``, infinity.
    """

    name: str
    values: Numbers
    missing: int
    not_numeric: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTable:
    """The data table of one sample.

    Attributes:
        sample: The GSM accession.
        ids: Identifiers of the platform's probes or probe sets, shape (rows,), text.
        value: The column ``VALUE``, None if the table has none.
        detection: Detection p-values, None if there are none.
        others: Further columns that were asked for, by their names as asked.
        column_names: All columns of the table.
        duplicate_ids: Rows whose identifier came before; they are kept.
        rows_without_id: Rows that were left out because they identify nothing.
    """

    sample: str
    ids: npt.NDArray[np.str_]
    value: NumericColumn | None
    detection: NumericColumn | None
    others: Mapping[str, NumericColumn]
    column_names: tuple[str, ...]
    duplicate_ids: int
    rows_without_id: int


def read_sample_tables(
    source: Path | BinaryIO,
    on_sample: Callable[[SampleTable], None],
    *,
    samples: Collection[str] | None = None,
    columns: Sequence[str] = (),
) -> SoftFamily:
    """Read the data tables of a SOFT file's samples; the table of one sample is in memory at a time.

    Args:
        source: As for :func:`~refinebio_assets.survey.geo_soft.read_soft_family`.
        on_sample: Called with each table, in the order of the file. A sample without a table is not told.
        samples: Samples whose tables are wanted; all if None. Others are passed over without being decoded.
        columns: Further columns that are wanted as numbers; letter case and punctuation do not matter. A table that
            lacks one has no such entry.

    Returns:
        The file's metadata.

    Raises:
        MalformedFileError: As :func:`~refinebio_assets.survey.geo_soft.read_soft_family`.
    """

    def on_table(kind: EntityKind, name: str, names: tuple[str, ...], rows: Iterator[bytes]) -> None:
        if kind is EntityKind.SAMPLE and names and (samples is None or name in samples):
            on_sample(_sample_table(name, names, rows, columns))

    return read_soft_family(source, on_table=on_table)


def _sample_table(sample: str, names: tuple[str, ...], rows: Iterator[bytes], wanted: Sequence[str]) -> SampleTable:
    roles = _roles(names, wanted)
    ids, cells, without_id = _cells(rows, _position(names, ID_COLUMN) or 0, [at for _, at in roles])
    read = {role: numeric_column(names[at], column) for (role, at), column in zip(roles, cells, strict=True)}
    return SampleTable(
        sample=sample,
        ids=np.array(ids, dtype=np.str_),
        value=read.get("value"),
        detection=read.get("detection"),
        others={column: read[f"other {column}"] for column in wanted if f"other {column}" in read},
        column_names=names,
        duplicate_ids=len(ids) - len(set(ids)),
        rows_without_id=without_id,
    )


def _roles(names: tuple[str, ...], wanted: Sequence[str]) -> list[tuple[str, int]]:
    """What is read of a table: role and position of each column."""
    detection = next((at for at, name in enumerate(names) if _key(name) in DETECTION_COLUMNS), None)
    positions = [("value", _position(names, VALUE_COLUMN)), ("detection", detection)]
    positions += [(f"other {column}", _position(names, column)) for column in wanted]
    return [(role, at) for role, at in positions if at is not None]


def _position(names: tuple[str, ...], name: str) -> int | None:
    """Where a column is; the first one if the name comes twice."""
    return next((at for at, each in enumerate(names) if _key(each) == _key(name)), None)


def _key(name: str) -> str:
    return _NOT_WORD.sub("", name.lower())


def _cells(rows: Iterator[bytes], id_at: int, positions: list[int]) -> tuple[list[str], list[list[bytes]], int]:
    """Identifiers, the cells of each column, and how many rows have no identifier.

    GEO leaves empty cells at the end of a row out.
    """
    ids: list[bytes] = []
    columns: list[list[bytes]] = [[] for _ in positions]
    without_id = 0
    for row in rows:
        cells = row.split(b"\t")
        identifier = cells[id_at].strip().strip(b'"').strip() if id_at < len(cells) else b""
        if not identifier:
            without_id += 1
            continue
        ids.append(identifier)
        for column, at in zip(columns, positions, strict=True):
            column.append(cells[at] if at < len(cells) else b"")
    return [decode(identifier) for identifier in ids], columns, without_id


def numeric_column(name: str, cells: Sequence[bytes]) -> NumericColumn:
    """Cells as numbers: decimal with a point, perhaps with an exponent; quotes and blanks around them do not matter."""
    try:
        values = np.array(list(map(float, cells)), dtype=np.float64)
        plain = b"_" not in b"".join(cells)  # Python takes 1_000 for a number
    except ValueError:
        plain = False
    if plain and np.isfinite(values).all():
        return NumericColumn(name=name, values=values, missing=0, not_numeric=0)
    texts = [decode(cell).strip().strip('"').strip() for cell in cells]
    numbers = np.array([_number(text) for text in texts], dtype=np.float64)
    missing = sum(text.lower() in MISSING for text in texts)
    return NumericColumn(name=name, values=numbers, missing=missing, not_numeric=int(np.isnan(numbers).sum()) - missing)


def _number(text: str) -> float:
    number = float(text) if _NUMBER.fullmatch(text) else nan
    return number if isfinite(number) else nan
