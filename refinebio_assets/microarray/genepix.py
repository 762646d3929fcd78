"""GenePix results (GPR): an Axon Text File with optional header records, then a quoted table, a spot per line.

The columns are those that limma's ``read.maimages(source = "genepix")`` takes: mean foreground (``genepix.median``:
median) and median background of 635 nm (red) and 532 nm (green). Other lasers show in the names of the columns: of two
wavelengths the longer one is red. Format: Molecular Devices, "GenePix file formats".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray import agilent_controls
from refinebio_assets.microarray.agilent_array import (
    ArrayFormat,
    Channel,
    GridLayout,
    ScannedArray,
    Signal,
    name_of,
)
from refinebio_assets.microarray.agilent_table import LONGEST_LINE, Names, Numbers, SpotTable, integers, text_of
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY, Source, path_of, read_content

FIRST_WORD = b"ATF"
PLACE_COLUMNS = ("Block", "Row", "Column")
TEXT_COLUMNS = ("ID", "Name", "SystematicName", "GeneName", "Sequence")
SATURATED_PERCENT = 50
"""As Feature Extraction has it: a spot is saturated when more than half of its pixels are."""

_MOST_HEADER_RECORDS = 1000
_SIGNALS = {Signal.AUTO: "Mean", Signal.MEAN: "Mean", Signal.MEDIAN: "Median"}
_FOREGROUND = re.compile(r"^F(\d{3}) (?:Mean|Median)$")


def is_genepix(head: bytes) -> bool:
    """Whether a text begins like a GenePix result, not like an array list (GAL), which is an Axon Text File too."""
    begin = head.lstrip(b'\xef\xbb\xbf"')
    return begin.startswith(FIRST_WORD) and b"GenePix ArrayList" not in head and b"GenePix Array List" not in head


def read_genepix(source: Source, *, signal: Signal = Signal.AUTO) -> ScannedArray:
    """Read one array.

    Args:
        source: A file or its bytes, plain or compressed.
        signal: Mean (the default) or median of the spot's pixels.

    Raises:
        InputError: There is no such file, or it has not the columns of that signal.
        MalformedFileError: It is no GenePix result, or damaged; the line is named.
    """
    path = path_of(source)
    header, table = read_header(text_of(read_content(source), path), path)
    if signal not in _SIGNALS:
        message = "GenePix results have no processed signal."
        raise InputError(message, path=path, remedy="Ask for the mean or the median.")
    green, red = _wavelengths(table, header)
    numbers, names = table.read(
        numbers=_number_columns(table.columns, (green, red), signal),
        names=[column for column in (*TEXT_COLUMNS, "ControlType") if column in table.columns],
    )
    places = {name: integers(numbers[name], name, path) for name in PLACE_COLUMNS if name in numbers}
    probes = _probes(names, path)
    controls, controls_from = _controls(names, probes)
    return ScannedArray(
        name=name_of(path),
        path=path,
        format=ArrayFormat.GENEPIX,
        probes=probes,
        green=_channel(numbers, green, signal),
        red=None if red is None else _channel(numbers, red, signal),
        control_types=controls,
        controls_from=controls_from,
        layout=grid_layout(places, numbers.get("X"), len(probes)),
        texts={name: names[name] for name in TEXT_COLUMNS if name in names},
        places=places,
        header=header,
        columns=tuple(column for column in table.columns if column),
    )


def read_header(text: bytes, path: Path | None) -> tuple[dict[str, str], SpotTable]:
    """The header's records as names and values, and the table, not yet read.

    Raises:
        MalformedFileError: It does not begin as an Axon Text File does, or ends within the header.
    """
    lines = _lines(text, path)
    if not lines[0][1].strip('"').startswith(FIRST_WORD.decode()):
        message = "The first line does not begin with ATF."
        remedy = "Give a GenePix result (.gpr) as the program wrote it."
        raise MalformedFileError(message, path=path, line=1, remedy=remedy)
    records = _record_count(lines, path)
    header: dict[str, str] = {}
    for _, line in lines[2 : 2 + records]:
        name, equals, value = line.strip().strip('"').partition("=")
        if equals:
            header.setdefault(name.strip(), value.strip())
    if len(lines) < records + 3:
        raise _ends(lines, path)
    start, names = lines[2 + records]
    try:
        columns = tuple(name.strip() for name in next(csv.reader([names], delimiter="\t"), ()))
    except csv.Error as error:
        message = f"The names of the columns cannot be read ({error})."
        raise MalformedFileError(message, path=path, line=records + 3, remedy=BROKEN_FILE_REMEDY) from error
    return header, SpotTable(text[start:], columns, records + 3, path, is_quoted=True)


def _lines(text: bytes, path: Path | None) -> list[tuple[int, str]]:
    """The first lines, each with the place where the next one begins."""
    lines: list[tuple[int, str]] = []
    start, wanted = 0, 3
    while start < len(text) and len(lines) < wanted:
        end = text.find(b"\n", start, start + LONGEST_LINE)
        end = len(text) if end < 0 else end
        if end - start > LONGEST_LINE:
            message = "The line is too long for the header of a table."
            raise MalformedFileError(message, path=path, line=len(lines) + 1, remedy=BROKEN_FILE_REMEDY)
        lines.append((end + 1, text[start:end].decode("utf-8")))
        start = end + 1
        if len(lines) == 2:
            wanted = 3 + _record_count(lines, path)
    if len(lines) < 3:
        raise _ends(lines, path)
    return lines


def _record_count(lines: list[tuple[int, str]], path: Path | None) -> int:
    fields = [field.strip().strip('"') for field in lines[1][1].split("\t")] if len(lines) > 1 else [""]
    if not (
        fields[0].isascii() and fields[0].isdigit() and len(fields[0]) < 6 and int(fields[0]) <= _MOST_HEADER_RECORDS
    ):
        message = "The second line does not say how many records the header has."
        raise MalformedFileError(message, path=path, line=2, remedy=BROKEN_FILE_REMEDY)
    return int(fields[0])


def _ends(lines: list[tuple[int, str]], path: Path | None) -> MalformedFileError:
    message = "The file ends within its header."
    return MalformedFileError(message, path=path, line=max(len(lines), 1), remedy=BROKEN_FILE_REMEDY)


def _wavelengths(table: SpotTable, header: Mapping[str, str]) -> tuple[str, str | None]:
    """The shorter wavelength is green, the longer one red; what lies alone is green (one-colour)."""
    found = sorted({match[1] for match in map(_FOREGROUND.match, table.columns) if match})
    if not found:
        message = "There are no columns with intensities such as 'F532 Mean'."
        remedy = f"The header speaks of {header['Wavelengths']}." if "Wavelengths" in header else BROKEN_FILE_REMEDY
        raise MalformedFileError(message, path=table.path, line=table.header_line, remedy=remedy)
    if len(found) > 2:
        message = f"There are {len(found)} wavelengths: {', '.join(found)}."
        remedy = "Only results of one and of two wavelengths are understood."
        raise InputError(message, path=table.path, line=table.header_line, remedy=remedy)
    return found[0], found[1] if len(found) == 2 else None


def _number_columns(columns: tuple[str, ...], wavelengths: tuple[str, str | None], signal: Signal) -> list[str]:
    wanted = [*PLACE_COLUMNS, "X", "Flags"]
    for wave in wavelengths:
        wanted += [f"F{wave} % Sat.", f"B{wave} Median"]
    optional = [name for name in wanted if name in columns]
    return [*optional, *(f"F{wave} {_SIGNALS[signal]}" for wave in wavelengths if wave is not None)]


def _channel(numbers: Mapping[str, Numbers], wave: str, signal: Signal) -> Channel:
    foreground, background = f"F{wave} {_SIGNALS[signal]}", f"B{wave} Median"
    none = np.zeros(len(numbers[foreground]), dtype=np.bool_)
    saturated = numbers.get(f"F{wave} % Sat.")
    return Channel(
        foreground=numbers[foreground],
        background=numbers.get(background),
        columns=(foreground, background) if background in numbers else (foreground,),
        flagged=numbers["Flags"] < 0 if "Flags" in numbers else none,  # -100 bad, -75 absent, -50 not found
        saturated=none if saturated is None else saturated > SATURATED_PERCENT,
    )


def _probes(names: Mapping[str, Names], path: Path | None) -> Names:
    """The IDs; the names where a lab left these empty."""
    for column in ("ID", "Name"):
        if column in names and any(names[column].tolist()):
            return names[column]
    message = "There is no column ID or Name with anything in it: the spots have no names."
    raise InputError(message, path=path, remedy="Export the results with the array list (GAL file) of the array.")


def _controls(names: Mapping[str, Names], probes: Names) -> tuple[NDArray[np.int8], str]:
    if "ControlType" in names:
        types = agilent_controls.from_words(names["ControlType"])
        if types is not None:
            return types, "ControlType"
    return agilent_controls.from_names(probes), "names of probes"


def grid_layout(places: Mapping[str, NDArray[np.int32]], x: Numbers | None, spots: int) -> GridLayout | None:
    """Blocks and spots, as limma takes them from the table; None if the spots do not fill the grid.

    Four blocks lie in a row if their number can be divided by four. Where the x coordinate goes back from one block to
    the next, a new row of blocks begins.

    Args:
        places: ``Block``, ``Row`` and ``Column`` of each spot.
        x: Coordinate of each spot, None if there is none.
        spots: How many.
    """
    if not all(name in places for name in PLACE_COLUMNS):
        return None
    blocks, rows, columns = (int(places[name].max()) for name in PLACE_COLUMNS)
    if min(blocks, rows, columns) < 1 or blocks * rows * columns != spots:
        return None
    block_rows = blocks // 4 if blocks % 4 == 0 else blocks
    if blocks > 1 and x is not None:
        last = np.arange(1, blocks) * rows * columns - 1
        with np.errstate(invalid="ignore"):
            counted = int((x[last] > x[last + 1]).sum()) + 1
        if blocks % counted == 0 and not np.isnan(x[np.r_[last, last + 1]]).any():
            block_rows = counted
    return GridLayout(block_rows, blocks // block_rows, rows, columns)
