"""GEO's series matrix files, whose samples are columns, read into the same entities as SOFT.

They hold what the family file holds except for the platforms, and are a hundredth of its size for sequencing series.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.geo_family import DataTable, EntityKind, GeoEntity, SoftFamily
from refinebio_assets.survey.geo_soft import decode
from refinebio_assets.survey.geo_stream import LineReader

_BEGIN, _END = b"!series_matrix_table_begin", b"!series_matrix_table_end"
_SERIES, _SAMPLE = "!series_", "!sample_"
_LISTS = frozenset({"sample_id"})


@dataclass(slots=True)
class _Matrix:
    series: dict[str, list[str]] = field(default_factory=dict)
    samples: list[dict[str, list[str]]] = field(default_factory=list)
    table: DataTable | None = None
    malformed: int = 0


def read_series_matrix(source: Path | BinaryIO) -> SoftFamily:
    """Read a series matrix file.

    Args:
        source: A file or a binary stream, plain or gzip.

    Returns:
        The series and its samples; a value that is empty for a sample is left out. The data table counts as the
        series' own.

    Raises:
        MalformedFileError: The file is no series matrix, or its compressed data are broken.
    """
    matrix = _Matrix()
    with LineReader(source) as reader:
        while (line := reader.next_line()) is not None:
            if line.lower().startswith(_BEGIN):
                header = _cells(decode(reader.next_line() or b""))
                rows = reader.skip_lines_until(lambda row: row.lower().startswith(_END))
                matrix.table = DataTable(columns=tuple(header), rows=rows)
            elif line.strip() and not line.lower().startswith(_END):
                _take(matrix, decode(line))
        name = reader.name
    if "geo_accession" not in matrix.series:
        message = "This is no series matrix: it has no line !Series_geo_accession."
        raise MalformedFileError(message, path=name, line=1)
    return SoftFamily(path=name, entities=tuple(_entities(matrix)), malformed_lines=matrix.malformed)


def _cells(line: str) -> list[str]:
    return [cell.strip().removeprefix('"').removesuffix('"').strip() for cell in line.split("\t")]


def _take(matrix: _Matrix, line: str) -> None:
    key, *values = _cells(line)
    name = key.strip().lower()
    if name.startswith(_SERIES):
        of_series = matrix.series.setdefault(name.removeprefix(_SERIES), [])
        of_series += values[0].split() if name.removeprefix(_SERIES) in _LISTS and values else values
    elif name.startswith(_SAMPLE):
        matrix.samples += [{} for _ in range(len(values) - len(matrix.samples))]
        for sample, value in zip(matrix.samples, values, strict=False):
            if value:
                sample.setdefault(name.removeprefix(_SAMPLE), []).append(value)
    else:
        matrix.malformed += 1


def _entities(matrix: _Matrix) -> list[GeoEntity]:
    return [
        _entity(EntityKind.SERIES, matrix.series, matrix.table),
        *(_entity(EntityKind.SAMPLE, sample, None) for sample in matrix.samples),
    ]


def _entity(kind: EntityKind, attributes: dict[str, list[str]], table: DataTable | None) -> GeoEntity:
    return GeoEntity(
        kind=kind,
        name=next(iter(attributes.get("geo_accession", [])), ""),
        line=1,
        attributes={key: tuple(values) for key, values in attributes.items()},
        table=table,
    )
