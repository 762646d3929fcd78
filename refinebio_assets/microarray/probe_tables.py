"""Tables of probes: Affymetrix' ``probe_tab`` files, Brainarray's probe packages and its mapping files.

The columns that count are told by their names, in any order and with whatever else stands beside them:

============  =====================================================================================
probe set     ``Probe Set Name``, ``Probe.Set.Name``, ``Probe Set ID``, ``Transcript Cluster ID`` …
x, y          ``Probe X``, ``probe.x``, ``x`` …
sequence      ``Probe Sequence``, ``sequence``; Brainarray's mapping files have none
============  =====================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.compressed_bytes import Source, path_of, read_content
from refinebio_assets.microarray.delimited import (
    INTEGER,
    SKIP,
    TEXT,
    encode,
    line_of,
    malformed_line,
    read_rows,
    sequences,
    shown_text,
)

PROBE_LENGTH = 25
"""Bases of a probe of Affymetrix' expression arrays."""

LONGEST_PROBE = 200
LARGEST_COORDINATE = 2**15

_SEPARATORS = (b"\t", b",")
_LONGEST_HEADER = 64 * 1024
_SHORTEST_LINE = 6
_NOT_LETTER = re.compile(r"[^a-z]+")
_NAMES = {
    "probe_set": ("probesetname", "probesetid", "probeset", "transcriptclusterid"),
    "x": ("probex", "x"),
    "y": ("probey", "y"),
    "sequence": ("probesequence", "sequence"),
}
_REMEDY = (
    "Expected a header with names for probe set, x and y (and sequence), as Affymetrix' probe_tab files have them."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProbeTable:
    """Probes in the order of the table.

    Attributes:
        x: Column of the probe's cell, int32.
        y: Its row, int32.
        sequence: Bases in capitals from 5' to 3', ``S25`` or as wide as the longest; empty where the table has none for
            the probe. None if it has no sequences at all.
        probe_set: Index into ``probe_sets``, int32.
        probe_sets: Names in the order of their first appearance, as in the table (``ENSG00000000003_at``).
    """

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    sequence: NDArray[np.bytes_] | None
    probe_set: NDArray[np.int32]
    probe_sets: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.x)

    def index(self, cols: int) -> NDArray[np.int64]:
        """Where each probe's cell is in the arrays of a CEL file with so many columns: ``y * cols + x``."""
        return self.y.astype(np.int64) * cols + self.x

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> ProbeTable:
        """Some of the probes, with the same numbers for probe sets."""
        return ProbeTable(
            x=self.x[rows],
            y=self.y[rows],
            sequence=None if self.sequence is None else self.sequence[rows],
            probe_set=self.probe_set[rows],
            probe_sets=self.probe_sets,
        )


def read_probe_table(source: Source) -> ProbeTable:
    """Read a table of probes completely.

    Args:
        source: A file or its bytes, plain or compressed with gzip, bzip2 or xz, told by content; separated by tabs or
            commas, with or without quotes.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It has no header that names the columns, or a line that is not complete; names the line.

    Example:
        >>> table = read_probe_table(Path("HG-U95Av2_probe_tab.gz"))
        >>> cel.intensities[table.index(cel.cols)]
    """
    data, path = read_content(source), path_of(source)
    if b'"' in data[:_LONGEST_HEADER]:
        data = data.replace(b'"', b"")  # R quotes texts; neither names nor sequences have quotes of their own
    start, separator, places = _header(data, path)
    fields = _fields(places)
    rows = read_rows(data, fields, start=start, most=_most_lines(data, start), separators=separator, path=path)
    _check_end(data, rows.end, rows.lines, path)
    stored = dict(zip(sorted(places, key=lambda name: places[name]), rows.columns, strict=True))
    _check_coordinates(data, start, stored["x"], stored["y"], path)
    codes, names = encode(data, stored["probe_set"], path)
    letters = None
    if "sequence" in places:
        spans = _known(data, stored["sequence"])
        letters = sequences(data, spans, least_width=PROBE_LENGTH, longest=LONGEST_PROBE, path=path)
    return ProbeTable(x=stored["x"], y=stored["y"], sequence=letters, probe_set=codes, probe_sets=names)


def header_places(columns: Sequence[str]) -> dict[str, int] | None:
    """Which columns a header has for ``probe_set``, ``x``, ``y`` and ``sequence``; None if it is of another table."""
    plain = [_NOT_LETTER.sub("", name.lower()) for name in columns]
    places = {}
    for wanted, names in _NAMES.items():
        found = next((plain.index(name) for name in names if name in plain), None)
        if found is not None:
            places[wanted] = found
    return places if places.keys() >= {"probe_set", "x", "y"} else None


def _header(data: bytes, path: Path | None) -> tuple[int, bytes, dict[str, int]]:
    """Where the rows begin, the separator, and the places of the columns; ``#`` lines before the header are passed."""
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    while data[start : start + 1] == b"#":
        end = data.find(b"\n", start, start + _LONGEST_HEADER)
        if end < 0:
            break
        start = end + 1
    end = data.find(b"\n", start, start + _LONGEST_HEADER)
    line = data[start : end if end >= 0 else start + _LONGEST_HEADER]
    for separator in _SEPARATORS:
        columns = line.decode("utf-8", errors="replace").strip("\r\n").split(separator.decode())
        places = header_places(columns)
        if places is not None and end >= 0:
            return end + 1, separator, places
    message = f"The header names no probe sets with coordinates: {shown_text(line)!r}."
    raise MalformedFileError(message, path=path, line=line_of(data, start), remedy=_REMEDY)


def _fields(places: dict[str, int]) -> list[str]:
    kinds = {"probe_set": TEXT, "sequence": TEXT, "x": INTEGER, "y": INTEGER}
    by_place = {place: kinds[name] for name, place in places.items()}
    return [by_place.get(place, SKIP) for place in range(max(by_place) + 1)]


def _most_lines(data: bytes, start: int) -> int:
    return min(data.count(b"\n", start) + 1, (len(data) - start) // _SHORTEST_LINE + 1)


def _check_end(data: bytes, end: int, lines: int, path: Path | None) -> None:
    """All lines were read, and the last one is complete."""
    if data[end : end + _LONGEST_HEADER].strip():
        message = f"Expected a probe, found {shown_text(data[end : end + 200])!r}."
        raise malformed_line(message, data, end, path)
    if not lines:
        message = "The table has a header but no probe."
        raise malformed_line(message, data, end, path)
    if data[end - 1 : end] != b"\n":
        message = "The file ends in a line: whether it is complete cannot be told."
        raise malformed_line(message, data, end - 1, path)


def _check_coordinates(data: bytes, start: int, x: NDArray[np.int32], y: NDArray[np.int32], path: Path | None) -> None:
    wrong = (x < 0) | (y < 0) | (x >= LARGEST_COORDINATE) | (y >= LARGEST_COORDINATE)
    if wrong.any():
        first = int(wrong.argmax())
        message = f"No array has a cell x={x[first]}, y={y[first]}."
        raise MalformedFileError(message, path=path, line=line_of(data, start) + first)


def _known(data: bytes, spans: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sequences that are not known are written as ``!`` by Affymetrix and as ``NA`` by R: they become empty."""
    length = spans[:, 1] - spans[:, 0]
    raw = np.frombuffer(data, dtype=np.uint8)
    first = raw[np.minimum(spans[:, 0], len(raw) - 1)]
    second = raw[np.minimum(spans[:, 0] + 1, len(raw) - 1)]
    unknown = ((length == 1) & (first == ord("!"))) | ((length == 2) & (first == ord("N")) & (second == ord("A")))
    if unknown.any():
        spans = spans.copy()
        spans[unknown, 1] = spans[unknown, 0]
    return spans
