"""Text CDF files, GC1.0 to GC6.0: sections per probe set (unit) and group (block), one line per cell.

Format: https://www.affymetrix.com/support/developer/powertools/changelog/gcos-agcc/cdf.html#CDF_TEXT
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

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
from refinebio_assets.microarray.delimited import (
    INTEGER,
    KEYED,
    LETTER,
    SKIP,
    malformed_line,
    read_rows,
    shown_text,
)

MAGIC = b"[CDF]"

_VERSIONS = frozenset(f"GC{number}.0" for number in range(1, 7))
_UNIT = re.compile(r"Unit(\d+)(_Block\d+)?")
_COLUMNS = {"X": KEYED, "Y": INTEGER, "EXPOS": INTEGER, "PBASE": LETTER, "TBASE": LETTER, "ATOM": INTEGER}
_SHORTEST_CELL = 8
_MOST_KEYS = 1000
_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_TYPES = {
    1: ProbeSetType.RESEQUENCING,
    2: ProbeSetType.GENOTYPING,
    3: ProbeSetType.EXPRESSION,
    5: ProbeSetType.RESEQUENCING,
    6: ProbeSetType.RESEQUENCING,
    7: ProbeSetType.TAG,
    8: ProbeSetType.COPY_NUMBER,
    9: ProbeSetType.GENOTYPE_CONTROL,
    10: ProbeSetType.EXPRESSION_CONTROL,
    11: ProbeSetType.MARKER,
    12: ProbeSetType.MULTICHANNEL_MARKER,
}
"""Text files number types in another way than binary ones."""


class _Section(NamedTuple):
    name: str
    start: int  # behind the line with the name
    stop: int


@dataclass(slots=True)
class _Units:
    """Probe sets as they are read."""

    names: list[str] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    cells: list[int] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    unit_of_group: list[int] = field(default_factory=list)
    blocks: list[tuple[NDArray[Any], ...]] = field(default_factory=list)
    expected_blocks: int = 0


class _Layout(NamedTuple):
    """What to make of each field of a cell's line, and the order in which the stored ones come."""

    fields: tuple[str, ...]
    order: tuple[int, ...]


def read(data: bytes, path: Path | None) -> Cdf:
    """A whole file.

    Raises:
        MalformedFileError: Something is missing or wrong; names the line.
    """
    sections = _sections(data)
    header = _keys(data, next(sections), path)
    version = header.get("Version", [""])[0]
    if version not in _VERSIONS:
        message = f"This is a text CDF file of version {version[:20]!r}; GC1.0 to GC6.0 are known."
        raise MalformedFileError(message, path=path, line=2)
    chip: dict[str, list[str]] = {}
    units = _Units()
    layouts: dict[bytes, _Layout] = {}
    for section in sections:
        found = _UNIT.fullmatch(section.name)
        if section.name == "Chip":
            chip = _keys(data, section, path)
        elif found and found[2]:
            _read_block(data, section, units, layouts, path)
        elif found:
            _begin_unit(data, section, units, path)
    _check_end(data, units, path)
    return _assembled(data, version, chip, units, path)


def _sections(data: bytes) -> Iterator[_Section]:
    position = 0
    while position < len(data):
        line_end = data.find(b"\n", position)
        line_end = len(data) if line_end < 0 else line_end
        following = data.find(b"\n[", line_end)
        stop = len(data) if following < 0 else following + 1
        name = data[position : min(line_end, position + 100)].strip().strip(b"[]").decode("latin-1")
        yield _Section(name, min(line_end + 1, len(data)), stop)
        position = stop


def _keys(data: bytes, section: _Section, path: Path | None, stop: int | None = None) -> dict[str, list[str]]:
    """``key=value`` lines; a key may be there several times."""
    values: dict[str, list[str]] = {}
    lines = data[section.start : section.stop if stop is None else stop].split(b"\n", _MOST_KEYS)
    for line in lines[:_MOST_KEYS]:
        key, sign, value = line.strip().partition(b"=")
        if sign:
            values.setdefault(key.decode("latin-1"), []).append(value.decode("utf-8", errors="replace"))
    if len(lines) > _MOST_KEYS:
        message = f"The section [{section.name}] has more than {_MOST_KEYS} lines before its cells."
        raise malformed_line(message, data, section.start, path)
    return values


def _number(values: dict[str, list[str]], key: str, data: bytes, section: _Section, path: Path | None) -> int:
    value = values.get(key, [""])[0].strip()
    if not _INTEGER.fullmatch(value):
        message = f"[{section.name}] has no whole number for {key}: {value[:20]!r}."
        raise malformed_line(message, data, section.start - 1, path)
    return int(value)


def _begin_unit(data: bytes, section: _Section, units: _Units, path: Path | None) -> None:
    _check_unit(data, units, section.start - 1, path)
    values = _keys(data, section, path)
    kind = _TYPES.get(_number(values, "UnitType", data, section, path), ProbeSetType.UNKNOWN)
    units.names.append(values.get("Name", [""])[0])
    units.types.append(kind)
    units.cells.append(_number(values, "NumCells", data, section, path))
    units.expected_blocks += _number(values, "NumberBlocks", data, section, path)


def _read_block(
    data: bytes, section: _Section, units: _Units, layouts: dict[bytes, _Layout], path: Path | None
) -> None:
    if not units.names:
        message = f"[{section.name}] comes before its probe set."
        raise malformed_line(message, data, section.start - 1, path)
    header = data.find(b"CellHeader=", section.start, section.stop)
    header_end = data.find(b"\n", header, section.stop) if header >= 0 else -1
    if header_end < 0:
        message = f"[{section.name}] ends before its cells."
        raise malformed_line(message, data, section.stop, path)
    values = _keys(data, section, path, header)
    cells = _number(values, "NumCells", data, section, path)
    columns = data[header:header_end].strip()
    if columns not in layouts:
        layouts[columns] = _layout(columns, data, header, path)
    layout = layouts[columns]
    if not 0 <= cells <= (section.stop - header_end) // _SHORTEST_CELL:
        message = f"[{section.name}] is to have {cells} cells; the file ends before."
        raise malformed_line(message, data, section.stop, path)
    rows = read_rows(data, layout.fields, start=header_end + 1, stop=section.stop, most=cells, path=path)
    if rows.lines < cells or (cells and data[rows.end - 1 : rows.end] != b"\n"):
        message = f"[{section.name}] has {rows.lines} of {cells} cells, or the file ends in the last one."
        raise malformed_line(message, data, rows.end, path)
    name = values.get("Name", [""])[0]
    if units.types[-1] == ProbeSetType.EXPRESSION:
        units.names[-1] = name
    units.groups.append(name)
    units.unit_of_group.append(len(units.names) - 1)
    units.blocks.append(tuple(rows.columns[place] for place in layout.order))


def _layout(line: bytes, data: bytes, offset: int, path: Path | None) -> _Layout:
    names = line.decode("latin-1").partition("=")[2].split("\t")
    missing = [name for name in _COLUMNS if names.count(name) != 1]
    if missing or names[0] != "X":
        message = f"The columns of a probe set's cells are not known: {shown_text(line)!r}."
        raise malformed_line(message, data, offset, path)
    last = max(names.index(name) for name in _COLUMNS)
    stored = [name for name in names[: last + 1] if name in _COLUMNS]
    fields = tuple(_COLUMNS.get(name, SKIP) for name in names[: last + 1])
    return _Layout(fields, tuple(stored.index(name) for name in _COLUMNS))


def _check_unit(data: bytes, units: _Units, offset: int, path: Path | None) -> None:
    """The probe set that was read last has all its groups and cells."""
    if not units.names:
        return
    last = len(units.names) - 1
    cells = 0
    for unit, block in zip(reversed(units.unit_of_group), reversed(units.blocks), strict=True):
        if unit != last:
            break
        cells += len(block[0])
    if cells != units.cells[-1] or len(units.groups) != units.expected_blocks:
        message = (
            f"Probe set {units.names[-1]!r} has {cells} cells instead of {units.cells[-1]}, or a group is missing."
        )
        raise malformed_line(message, data, offset, path)


def _check_end(data: bytes, units: _Units, path: Path | None) -> None:
    _check_unit(data, units, len(data), path)
    if not units.blocks:
        message = "The file has no probe set."
        raise malformed_line(message, data, len(data), path)


def _assembled(data: bytes, version: str, chip: dict[str, list[str]], units: _Units, path: Path | None) -> Cdf:
    section = _Section("Chip", 0, 0)
    rows, cols = (_number(chip, key, data, section, path) for key in ("Rows", "Cols"))
    checked_sides(rows, cols, path)
    announced = _number(chip, "NumberOfUnits", data, section, path)
    if announced != len(units.names):
        message = f"The file has {len(units.names)} of {announced} probe sets."
        raise malformed_line(message, data, len(data), path)
    x, y, expos, probe_base, target_base, atom = (np.concatenate(each) for each in zip(*units.blocks, strict=True))
    check_places(x, y, rows, cols, path)
    lengths = [len(block[0]) for block in units.blocks]
    group = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    name = chip.get("Name", [""])[0]
    return Cdf(
        version=version,
        chip_type=chosen_chip_type(chip.get("ChipType", [])) or chip_type_of_file(path) or name,
        name=name,
        rows=rows,
        cols=cols,
        probe_sets=tuple(units.names),
        types=np.array(units.types, dtype=np.uint8),
        groups=tuple(units.groups),
        quality_control_units=_number(chip, "NumQCUnits", data, section, path) if "NumQCUnits" in chip else 0,
        probe_set=np.array(units.unit_of_group, dtype=np.int32)[group],
        group=group,
        x=x,
        y=y,
        is_pm=matches(probe_base, target_base),
        atom=atom,
        expos=expos,
    )
