"""Binary CDF files (XDA), versions 1 to 4: an index of probe sets, then each with its groups and cells; little-endian.

Format: https://www.affymetrix.com/support/developer/powertools/changelog/gcos-agcc/cdf.html#CDF_XDA
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.cdf_file import (
    Cdf,
    ProbeSetType,
    check_places,
    checked_sides,
    chip_type_of_file,
    chosen_chip_type,
    matches,
)
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY

MAGIC = struct.pack("<i", 67)

_NAME_BYTES = 64
_MD5_BYTES = 32
_UNIT = struct.Struct("<HB4iB")  # type, direction, atoms, groups, cells, number, cells per atom
_GROUP = struct.Struct("<2i2B2i64s")  # atoms, cells, cells per atom, direction, first atom, last atom, name
_QUALITY_CONTROL = struct.Struct("<Hi")
_QUALITY_CONTROL_CELL_BYTES = 7
_CELL = [
    ("atom", "<i4"),
    ("x", "<u2"),
    ("y", "<u2"),
    ("expos", "<i4"),
    ("probe_base", "u1"),
    ("target_base", "u1"),
]
_CELL_OF_VERSION_2 = [*_CELL, ("probe_length", "<u2"), ("grouping", "<u2")]
_GROUP_EXTRA_BYTES = {1: 0, 2: 4, 3: 6, 4: 6}  # wobble and allele; channel and replication


@dataclass(frozen=True, slots=True)
class _Header:
    version: int
    chip_type: str
    rows: int
    cols: int
    units: int
    quality_controls: int


@dataclass(slots=True)
class _Groups:
    """Groups as they are found: name, probe set, where their cells begin, how many there are."""

    names: list[str] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    cells: int = 0


def read(data: bytes, path: Path | None) -> Cdf:
    """A whole file.

    Raises:
        MalformedFileError: It ends early or contradicts itself; names the byte.
    """
    reader = _Reader(data, path)
    header = reader.header()
    names = reader.names(header.units)
    quality_controls = reader.places(header.quality_controls)
    places = reader.places(header.units)
    for place in quality_controls:
        reader.check_quality_control(place)
    cell = np.dtype(_CELL if header.version == 1 else _CELL_OF_VERSION_2)
    types, groups = reader.units(places, cell.itemsize, _GROUP_EXTRA_BYTES[header.version])
    cells = _gathered(data, cell, groups)
    group = np.repeat(np.arange(len(groups.lengths), dtype=np.int32), groups.lengths)
    x, y = cells["x"].astype(np.int32), cells["y"].astype(np.int32)
    check_places(x, y, header.rows, header.cols, path)
    return Cdf(
        version=f"XDA {header.version}",
        chip_type=header.chip_type or chip_type_of_file(path),
        name="",
        rows=header.rows,
        cols=header.cols,
        probe_sets=names,
        types=types,
        groups=tuple(groups.names),
        quality_control_units=header.quality_controls,
        probe_set=np.array(groups.units, dtype=np.int32)[group],
        group=group,
        x=x,
        y=y,
        is_pm=matches(cells["probe_base"], cells["target_base"]),
        atom=cells["atom"].astype(np.int32),
        expos=cells["expos"].astype(np.int32),
    )


def _gathered(data: bytes, cell: np.dtype[np.void], groups: _Groups) -> NDArray[np.void]:
    """The cells of all groups, one behind the other."""
    lengths = np.array(groups.lengths, dtype=np.int64)
    firsts = np.array(groups.starts, dtype=np.int64)
    within = np.arange(groups.cells) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    # A cell may begin at any byte: as many overlapping ones as there are bytes, of which the right ones are taken.
    at_any_byte = np.ndarray(max(len(data) - cell.itemsize + 1, 0), dtype=cell, buffer=data, strides=(1,))
    cells: NDArray[np.void] = at_any_byte[np.repeat(firsts, lengths) + within * cell.itemsize]
    return cells


class _Reader:
    def __init__(self, data: bytes, path: Path | None) -> None:
        self._data = data
        self._path = path
        self._offset = 4

    def header(self) -> _Header:
        version = self._int()
        if version not in _GROUP_EXTRA_BYTES:
            self._refuse(f"Only versions 1 to 4 are known, not {version}")
        declared: list[str] = []
        if version == max(_GROUP_EXTRA_BYTES):
            self._text(self._int())  # GUID
            self._text(_MD5_BYTES)
            declared = [self._text(self._int()) for _ in range(self._bytes(1)[0])]
        cols, rows = struct.unpack("<2H", self._bytes(4))
        checked_sides(rows, cols, self._path)
        units, quality_controls = self._int(), self._int()
        self._text(self._int())  # reference sequence
        if units < 1 or quality_controls < 0:
            self._refuse(f"There are to be {units} probe sets and {quality_controls} units of quality control")
        return _Header(version, chosen_chip_type(declared), rows, cols, units, quality_controls)

    def names(self, count: int) -> tuple[str, ...]:
        raw = np.frombuffer(self._bytes(count * _NAME_BYTES), dtype=f"S{_NAME_BYTES}")
        return tuple(_name(each) for each in raw.tolist())

    def places(self, count: int) -> list[int]:
        places: list[int] = np.frombuffer(self._bytes(count * 4), dtype="<u4").tolist()
        return places

    def check_quality_control(self, place: int) -> None:
        self._check(place, _QUALITY_CONTROL.size)
        _, cells = _QUALITY_CONTROL.unpack_from(self._data, place)
        self._check(place + _QUALITY_CONTROL.size, cells * _QUALITY_CONTROL_CELL_BYTES)

    def units(self, places: list[int], cell_bytes: int, extra_bytes: int) -> tuple[NDArray[np.uint8], _Groups]:
        """Types of the probe sets, and their groups."""
        types = np.zeros(len(places), dtype=np.uint8)
        groups = _Groups()
        for unit, place in enumerate(places):
            self._check(place, _UNIT.size)
            kind, _, _, count, cells, _, _ = _UNIT.unpack_from(self._data, place)
            types[unit] = kind if kind in _KINDS else ProbeSetType.UNKNOWN
            before = groups.cells
            self._groups(unit, place + _UNIT.size, count, groups, cell_bytes=cell_bytes, extra_bytes=extra_bytes)
            if groups.cells - before != cells:
                self._offset = place
                self._refuse(f"Probe set {unit} has {groups.cells - before} cells instead of {cells}")
        return types, groups

    def _groups(self, unit: int, place: int, count: int, groups: _Groups, *, cell_bytes: int, extra_bytes: int) -> None:
        for _ in range(count):
            self._check(place, _GROUP.size + extra_bytes)
            _, cells, _, _, _, _, name = _GROUP.unpack_from(self._data, place)
            place += _GROUP.size + extra_bytes
            self._check(place, cells * cell_bytes)
            groups.names.append(_name(name))
            groups.units.append(unit)
            groups.starts.append(place)
            groups.lengths.append(cells)
            groups.cells += cells
            place += cells * cell_bytes
            if groups.cells * cell_bytes > len(self._data) or len(groups.names) * _GROUP.size > len(self._data):
                self._refuse("Probe sets overlap: together they have more cells than the file")

    def _int(self) -> int:
        return int(struct.unpack("<i", self._bytes(4))[0])

    def _text(self, size: int) -> str:
        return self._bytes(size).decode("latin-1").rstrip("\0")

    def _bytes(self, size: int) -> bytes:
        self._check(self._offset, size)
        value = self._data[self._offset : self._offset + size]
        self._offset += size
        return value

    def _check(self, place: int, size: int) -> None:
        if size < 0 or place < 0 or place + size > len(self._data):
            self._offset = place
            self._refuse(f"{size} bytes are to follow, the file has {len(self._data)} in all")

    def _refuse(self, what: str) -> NoReturn:
        message = f"{what} (at byte {self._offset})."
        raise MalformedFileError(message, path=self._path, remedy=BROKEN_FILE_REMEDY)


_KINDS = frozenset(map(int, ProbeSetType))


def _name(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("latin-1")
