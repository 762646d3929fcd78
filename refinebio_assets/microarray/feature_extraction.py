"""Agilent's Feature Extraction text: blocks FEPARAMS, STATS and FEATURES, each with lines of types, names and values.

The columns are those that limma's ``read.maimages(source = "agilent")`` takes: ``gMedianSignal`` and ``rMedianSignal``
(``g/rMeanSignal`` for ``agilent.mean``), ``gBGMedianSignal`` and ``rBGMedianSignal``.
Format: Agilent G4460-90052, Feature Extraction Reference Guide, "Text file parameters and results".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray import agilent_controls
from refinebio_assets.microarray.agilent_array import (
    ArrayFormat,
    Booleans,
    Channel,
    GridLayout,
    ScannedArray,
    Signal,
    name_of,
)
from refinebio_assets.microarray.agilent_table import LONGEST_LINE, Names, Numbers, SpotTable, integers, text_of
from refinebio_assets.microarray.compressed_bytes import Source, path_of, read_content

FIRST_WORDS = (b"TYPE\t", b"FEPARAMS\t", b"STATS\t", b"FEATURES\t")
TEXT_COLUMNS = ("SystematicName", "GeneName", "Sequence", "Description")
PLACE_COLUMNS = ("Row", "Col")
FLAG_COLUMNS = ("IsManualFlag",)
CHANNEL_FLAG_COLUMNS = ("IsFeatNonUnifOL", "IsFeatPopnOL")

_HEADER = "FEATURES"
_VALUES = "DATA"
_BLOCKS = ("FEPARAMS", "STATS")
_SIGNALS = {
    Signal.AUTO: "MedianSignal",
    Signal.MEDIAN: "MedianSignal",
    Signal.MEAN: "MeanSignal",
    Signal.PROCESSED: "ProcessedSignal",
}
_BACKGROUND = "BGMedianSignal"
_COLOURS = {"green": "g", "red": "r"}


def is_feature_extraction(head: bytes) -> bool:
    """Whether a text begins like one of Feature Extraction."""
    return head.lstrip(b"\xef\xbb\xbf\r\n").startswith(FIRST_WORDS)


def read_feature_extraction(source: Source, *, signal: Signal = Signal.AUTO) -> ScannedArray:
    """Read one array.

    Args:
        source: A file or its bytes, plain or compressed; LF or CRLF, any encoding.
        signal: Which summary of the pixels is taken.

    Raises:
        InputError: There is no such file, or it has not the columns of that signal.
        MalformedFileError: It is no such text, or damaged; the line is named.
    """
    path = path_of(source)
    blocks, table = read_blocks(text_of(read_content(source), path), path)
    present = set(table.columns)
    channels = {colour: letter for colour, letter in _COLOURS.items() if letter + _SIGNALS[signal] in present}
    if "green" not in channels:
        raise _lacks_signal(table, signal)
    numbers, names = table.read(
        numbers=_number_columns(present, list(channels.values()), signal),
        names=[column for column in ("ProbeName", *TEXT_COLUMNS) if column in present],
    )
    places = {name: integers(numbers[name], name, path) for name in PLACE_COLUMNS if name in numbers}
    probes = _probes(names, path)
    controls, controls_from = _controls(numbers, probes, path)
    made = {colour: _channel(numbers, letter, signal) for colour, letter in channels.items()}
    statistics = blocks.get("STATS", {})
    announced = _announced(statistics)
    return ScannedArray(
        name=name_of(path),
        path=path,
        format=ArrayFormat.FEATURE_EXTRACTION,
        probes=probes,
        green=made["green"],
        red=made.get("red"),
        control_types=controls,
        controls_from=controls_from,
        layout=_layout(places, len(probes)),
        texts={name: names[name] for name in TEXT_COLUMNS if name in names},
        places=places,
        header=blocks.get("FEPARAMS", {}),
        statistics=statistics,
        announced_spots=announced,
        columns=tuple(column for column in table.columns[1:] if column),
        warnings=_warnings(len(probes), announced),
    )


def read_blocks(text: bytes, path: Path | None) -> tuple[dict[str, dict[str, str]], SpotTable]:
    """The small blocks as names and values, and the table of features, not yet read.

    Raises:
        MalformedFileError: There is no block of features, or a line is far too long.
    """
    blocks: dict[str, dict[str, str]] = {}
    names: list[str] = []
    start, line = 0, 0
    while start < len(text):
        end = text.find(b"\n", start, start + LONGEST_LINE)
        if end < 0:
            end = len(text)
            if end - start > LONGEST_LINE:
                break
        line += 1
        cells = [cell.strip() for cell in text[start:end].decode("utf-8").split("\t")]
        start = end + 1
        if cells[0] == _HEADER:
            return blocks, SpotTable(_features(text, start), tuple(cells), line, path, marker=_VALUES)
        if cells[0] in _BLOCKS:
            names = cells
        elif cells[0] == _VALUES and names:
            values = zip(names[1:], cells[1:], strict=False)
            blocks.setdefault(names[0], {name: value for name, value in values if name})
            names = []
    message = "There is no line that begins with FEATURES."
    remedy = "Give the raw text file of Agilent's Feature Extraction, not a processed table."
    raise MalformedFileError(message, path=path, line=max(line, 1), remedy=remedy)


def _features(text: bytes, start: int) -> bytes:
    """Up to the line with a star that ends the block, if there is one."""
    if text.startswith(b"*", start):
        return b""
    end = text.find(b"\n*", start)
    return text[start:] if end < 0 else text[start : end + 1]


def _number_columns(present: set[str], letters: list[str], signal: Signal) -> list[str]:
    wanted = [*PLACE_COLUMNS, "ControlType", *FLAG_COLUMNS]
    for letter in letters:
        wanted += [letter + _SIGNALS[signal], letter + "IsSaturated", letter + "IsWellAboveBG", letter + "IsFound"]
        wanted += [letter + name for name in CHANNEL_FLAG_COLUMNS]
        if signal is not Signal.PROCESSED:
            wanted.append(letter + _BACKGROUND)
    return [column for column in wanted if column in present]


def _channel(numbers: Mapping[str, Numbers], letter: str, signal: Signal) -> Channel:
    foreground = letter + _SIGNALS[signal]
    background = letter + _BACKGROUND
    spots = len(numbers[foreground])
    flagged = _is_true(numbers, "IsManualFlag", spots)
    for name in CHANNEL_FLAG_COLUMNS:
        flagged |= _is_true(numbers, letter + name, spots)
    found, above = letter + "IsFound", letter + "IsWellAboveBG"
    if found in numbers:
        flagged |= numbers[found] == 0
    return Channel(
        foreground=numbers[foreground],
        background=numbers.get(background),
        columns=(foreground, background) if background in numbers else (foreground,),
        flagged=flagged,
        saturated=_is_true(numbers, letter + "IsSaturated", spots),
        reported_above_background=_is_true(numbers, above, spots) if above in numbers else None,
    )


def _is_true(numbers: Mapping[str, Numbers], name: str, spots: int) -> Booleans:
    if name not in numbers:
        return np.zeros(spots, dtype=np.bool_)
    return np.asarray(np.nan_to_num(numbers[name]) != 0, dtype=np.bool_)


def _probes(names: Mapping[str, Names], path: Path | None) -> Names:
    for column in ("ProbeName", "SystematicName"):
        if column in names:
            return names[column]
    message = "There is neither a column ProbeName nor SystematicName: the spots have no names."
    raise InputError(message, path=path, remedy="Export the features with their probe names.")


def _controls(numbers: Mapping[str, Numbers], probes: Names, path: Path | None) -> tuple[NDArray[np.int8], str]:
    if "ControlType" in numbers:
        types = agilent_controls.from_numbers(integers(numbers["ControlType"], "ControlType", path))
        return agilent_controls.told_by_names(types, probes), "ControlType"
    return agilent_controls.from_names(probes), "names of probes"


def _layout(places: Mapping[str, NDArray[np.int32]], spots: int) -> GridLayout | None:
    """Rows and columns if spots fill them, as limma decides it."""
    if not all(name in places for name in PLACE_COLUMNS):
        return None
    rows, columns = (len(np.unique(places[name])) for name in PLACE_COLUMNS)
    return GridLayout(1, 1, rows, columns) if rows * columns == spots else None


def _announced(statistics: Mapping[str, str]) -> int | None:
    value = statistics.get("TotalNumFeatures", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _warnings(spots: int, announced: int | None) -> tuple[str, ...]:
    if announced is None or spots == announced:
        return ()
    return (f"The file has {spots} features, its statistics speak of {announced}.",)


def _lacks_signal(table: SpotTable, signal: Signal) -> InputError:
    wanted = "g" + _SIGNALS[signal]
    there = [name for name in (*dict.fromkeys(_SIGNALS.values()),) if "g" + name in table.columns]
    message = f"There is no column {wanted!r}."
    remedy = f"It has {', '.join('g' + name for name in there)}: ask for another signal." if there else None
    return InputError(message, path=table.path, line=table.header_line, remedy=remedy or "No other signal is there.")
