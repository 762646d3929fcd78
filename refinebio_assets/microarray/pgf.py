"""Library files of the ST arrays: PGF (probe sets and sequences), CLF (where probes are) and MPS (meta probe sets).

They have several header lines (``#%key=value``) and lines of three levels, told by the tabs that they begin with:

    probeset_id  type
    <TAB> atom_id
    <TAB> <TAB> probe_id  type  gc_count  probe_length  interrogation_position  probe_sequence

Formats: PGF, CLF and MPS in the documentation of Affymetrix Power Tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY, Source, path_of, read_content
from refinebio_assets.microarray.delimited import (
    INTEGER,
    SKIP,
    TEXT,
    encode,
    malformed_line,
    read_rows,
    sequences,
    shown_text,
)
from refinebio_assets.microarray.probe_tables import LONGEST_PROBE, PROBE_LENGTH, ProbeTable

_MOST_HEADER_LINES = 1000
_TAB, _LINE_FEED, _HASH, _RETURN = 9, 10, 35, 13
_LEVELS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pgf:
    """Probes of an ST array in the order of the file, in columns.

    Attributes:
        header: ``chip_type``, ``lib_set_version`` … ; of a key that is there several times, all values.
        probe_id: Number of the probe, int32; a CLF file says where it is.
        probe_type: Index into ``types``, int32.
        sequence: Bases in capitals as the file has them: by the format's description from the surface of the array to
            the solution, which is 3' to 5'. ``S25`` or as wide as the longest; None if the file has none.
        probe_set: Index into ``probe_sets``, int32, ascending.
        probe_sets: Identifiers (``7892501``), each once.
        probe_set_type: Index into ``types`` of each probe set, int32.
        types: Types of probe sets and of probes: ``main``, ``normgene->exon``, ``control->affx``, ``pm:st`` …;
            empty for a probe set without a type.
    """

    header: Mapping[str, tuple[str, ...]]
    probe_id: NDArray[np.int32]
    probe_type: NDArray[np.int32]
    sequence: NDArray[np.bytes_] | None
    probe_set: NDArray[np.int32]
    probe_sets: tuple[str, ...]
    probe_set_type: NDArray[np.int32]
    types: tuple[str, ...]

    @property
    def is_main(self) -> NDArray[np.bool_]:
        """Of each probe: whether it is a perfect match in a probe set for transcripts, not in one of control."""
        main = np.array([each.split("->")[0] == "main" for each in self.types], dtype=np.bool_)
        perfect = np.array([each.split(":")[0] == "pm" for each in self.types], dtype=np.bool_)
        result: NDArray[np.bool_] = main[self.probe_set_type[self.probe_set]] & perfect[self.probe_type]
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clf:
    """Where the probes of an ST array are.

    Attributes:
        header: As of :class:`Pgf`.
        rows: Cells from top to bottom.
        cols: Cells from left to right.
        probe_id: Number of the probe, int32.
        x: Its column, int32.
        y: Its row, int32.
    """

    header: Mapping[str, tuple[str, ...]]
    rows: int
    cols: int
    probe_id: NDArray[np.int32]
    x: NDArray[np.int32]
    y: NDArray[np.int32]


def read_pgf(source: Source) -> Pgf:
    """Read a PGF file completely.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is no PGF file, or a line is not complete; names the line.
    """
    data, path = read_content(source), path_of(source)
    header, start = _header(data, "pgf_format_version", path)
    levels = [_columns(header, f"header{level}", data, path) for level in range(_LEVELS)]
    starts = _line_starts(data, start, path)
    depth = _depths(data, starts)
    if not len(depth) or depth[0] != 0:
        message = "The file has no probe set."
        raise malformed_line(message, data, start, path)
    set_starts, probe_starts = starts[depth == 0], starts[depth == 2]
    names = _level(data, set_starts, levels[0], {"probeset_id": TEXT}, path)[0]
    types = _optional_texts(data, set_starts, levels[0], "type", path)
    probe_id = _level(data, probe_starts, levels[2], {"probe_id": INTEGER}, path)[0]
    probe_types = _optional_texts(data, probe_starts, levels[2], "type", path)
    letters = _optional_texts(data, probe_starts, levels[2], "probe_sequence", path)
    has_sequences = "probe_sequence" in levels[2]
    codes, probe_sets = encode(data, names, path)
    if len(probe_sets) != len(codes):
        message = "A probe set is there twice."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    type_codes, type_names = _encoded_types(data, np.concatenate([types, probe_types]), path)
    within = np.searchsorted(set_starts, probe_starts, side="right") - 1
    return Pgf(
        header=header,
        probe_id=probe_id,
        probe_type=type_codes[len(types) :],
        sequence=sequences(data, letters, least_width=PROBE_LENGTH, longest=LONGEST_PROBE, path=path)
        if has_sequences
        else None,
        probe_set=within.astype(np.int32),
        probe_sets=probe_sets,
        probe_set_type=type_codes[: len(types)],
        types=type_names,
    )


def read_clf(source: Source) -> Clf:
    """Read a CLF file completely: the places it lists or, if it lists none, those that its header says.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is no CLF file, or a line is not complete; names the line.
    """
    data, path = read_content(source), path_of(source)
    header, start = _header(data, "clf_format_version", path)
    rows, cols = (_number(header, key, path) for key in ("rows", "cols"))
    if not (0 < rows < 2**15 and 0 < cols < 2**15):
        message = f"No array has {rows} rows and {cols} columns."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    starts = _line_starts(data, start, path)
    if len(starts):
        wanted = {"probe_id": INTEGER, "x": INTEGER, "y": INTEGER}
        probe_id, x, y = _level(data, starts, _columns(header, "header0", data, path), wanted, path)
    else:
        probe_id, x, y = _sequential(header, rows, cols, path)
    if ((x < 0) | (y < 0) | (x >= cols) | (y >= rows)).any():
        message = f"A probe is outside of {cols} columns and {rows} rows."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    return Clf(header=header, rows=rows, cols=cols, probe_id=probe_id, x=x, y=y)


def read_mps(source: Source) -> dict[str, tuple[str, ...]]:
    """Read an MPS file (such as ``….core.mps``): meta probe set (transcript cluster) -> probe sets of the PGF file.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is no MPS file, or a line is not complete; names the line.
    """
    data, path = read_content(source), path_of(source)
    start = _header(data, None, path)[1]
    lines = data[start:].decode("utf-8", errors="replace").splitlines(keepends=True)
    columns = lines[0].rstrip("\r\n").split("\t") if lines else []
    if not {"probeset_id", "probeset_list"} <= set(columns):
        message = "The file has no columns probeset_id and probeset_list."
        raise malformed_line(message, data, start, path)
    identifier, members = columns.index("probeset_id"), columns.index("probeset_list")
    found: dict[str, tuple[str, ...]] = {}
    offset = start + len(lines[0].encode())
    for line in lines[1:]:
        cells = line.rstrip("\r\n").split("\t")
        if len(cells) <= max(identifier, members) or not line.endswith("\n"):
            message = f"The line is not complete: {shown_text(line.encode())!r}."
            raise malformed_line(message, data, offset, path)
        found[cells[identifier]] = tuple(cells[members].split())
        offset += len(line.encode())
    return found


def located(pgf: Pgf, clf: Clf) -> ProbeTable:
    """The probes of a PGF file with their places, in its order, and with their bases from 5' to 3'.

    Raises:
        MalformedFileError: The CLF file does not have a probe: the two are of different arrays.
    """
    order = np.argsort(clf.probe_id, kind="stable")
    found = np.searchsorted(clf.probe_id, pgf.probe_id, sorter=order)
    place = order[np.minimum(found, max(len(order) - 1, 0))]
    missing = clf.probe_id[place] != pgf.probe_id
    if missing.any():
        message = f"The CLF file does not have probe {pgf.probe_id[missing][0]} of the PGF file."
        raise MalformedFileError(message, remedy="Give the PGF and the CLF file of the same library.")
    return ProbeTable(
        x=clf.x[place],
        y=clf.y[place],
        sequence=None if pgf.sequence is None else _reversed(pgf.sequence),
        probe_set=pgf.probe_set,
        probe_sets=pgf.probe_sets,
    )


def _reversed(texts: NDArray[np.bytes_]) -> NDArray[np.bytes_]:
    """Each text backwards."""
    width = texts.dtype.itemsize
    letters = np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), width)
    lengths = np.char.str_len(texts)
    turned = np.zeros_like(letters)
    for length in np.unique(lengths):
        rows = lengths == length
        turned[rows, :length] = letters[rows, :length][:, ::-1]
    return turned.view(texts.dtype).reshape(len(texts))


def _header(data: bytes, version_key: str | None, path: Path | None) -> tuple[dict[str, tuple[str, ...]], int]:
    """``#%key=value`` lines, and where they end."""
    found: dict[str, list[str]] = {}
    start = 0
    for _ in range(_MOST_HEADER_LINES):
        end = data.find(b"\n", start)
        if data[start : start + 1] != b"#" or end < 0:
            break
        key, sign, value = data[start + 1 : end].decode("utf-8", errors="replace").rstrip("\r").partition("=")
        if sign:
            found.setdefault(key.removeprefix("%").strip(), []).append(value)
        start = end + 1
    if version_key is not None and version_key not in found:
        message = f"The header has no {version_key}: it begins with {shown_text(data[:200])!r}."
        raise MalformedFileError(message, path=path, line=1, remedy="Give the library file of the array.")
    return {key: tuple(values) for key, values in found.items()}, start


def _columns(header: Mapping[str, tuple[str, ...]], key: str, data: bytes, path: Path | None) -> list[str]:
    if key not in header:
        message = f"The header does not name the columns ({key})."
        raise malformed_line(message, data, 0, path)
    return header[key][0].split("\t")


def _number(header: Mapping[str, tuple[str, ...]], key: str, path: Path | None) -> int:
    value = header.get(key, ("",))[0].strip()
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        message = f"The header has no whole number for {key}: {value[:20]!r}."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    return int(value)


def _line_starts(data: bytes, start: int, path: Path | None) -> NDArray[np.int64]:
    """Where lines begin, without blank ones and comments.

    Raises:
        MalformedFileError: The last line has no end.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(raw[start:] == _LINE_FEED) + start
    if len(data) > (ends[-1] + 1 if len(ends) else start):
        message = "The file ends in a line: whether it is complete cannot be told."
        raise malformed_line(message, data, len(data), path)
    starts = np.concatenate([[start], ends[:-1] + 1]) if len(ends) else np.empty(0, dtype=np.int64)
    first = raw[starts]
    kept: NDArray[np.int64] = starts[(first != _LINE_FEED) & (first != _RETURN) & (first != _HASH)]
    return kept


def _depths(data: bytes, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many tabs each line begins with, at most two."""
    raw = np.frombuffer(data, dtype=np.uint8)
    first = raw[starts] == _TAB
    second = first & (raw[np.minimum(starts + 1, len(raw) - 1)] == _TAB)
    depth: NDArray[np.int64] = first.astype(np.int64) + second
    return depth


def _level(
    data: bytes, starts: NDArray[np.int64], names: Sequence[str], wanted: Mapping[str, str], path: Path | None
) -> list[NDArray[Any]]:
    """Columns of the lines of one level, in the order of ``wanted``."""
    missing = [name for name in wanted if names.count(name) != 1]
    if missing:
        message = f"The header names no column {missing[0]}."
        raise MalformedFileError(message, path=path, line=1, remedy=BROKEN_FILE_REMEDY)
    last = max(names.index(name) for name in wanted)
    fields = [wanted.get(name, SKIP) for name in names[: last + 1]]
    columns = read_rows(data, fields, most=len(starts), path=path, starts=np.ascontiguousarray(starts)).columns
    stored = [name for name in names[: last + 1] if name in wanted]
    return [columns[stored.index(name)] for name in wanted]


def _optional_texts(
    data: bytes, starts: NDArray[np.int64], names: Sequence[str], wanted: str, path: Path | None
) -> NDArray[np.int32]:
    """Places of the texts of one column; empty ones if the file does not have it."""
    if wanted in names:
        return _level(data, starts, names, {wanted: TEXT}, path)[0]
    return np.zeros((len(starts), 2), dtype=np.int32)


def _encoded_types(
    data: bytes, spans: NDArray[np.int32], path: Path | None
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Numbers of types; the empty one (of probe sets without a type) is the last."""
    empty = spans[:, 0] == spans[:, 1]
    codes = np.empty(len(spans), dtype=np.int32)
    codes[~empty], names = encode(data, np.ascontiguousarray(spans[~empty]), path)
    codes[empty] = len(names)
    return codes, (*names, "") if empty.any() else names


def _sequential(
    header: Mapping[str, tuple[str, ...]], rows: int, cols: int, path: Path | None
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Places by counting along the rows. Affymetrix' files call that ``col_major``, and so does the format."""
    first = _number(header, "sequential", path)
    order = header.get("order", ("",))[0].strip()
    if order not in {"col_major", "row_major"}:
        message = f"The file lists no probes, and the order of their numbers is {order[:20]!r}."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    number = np.arange(rows * cols, dtype=np.int32)
    if order == "col_major":
        return number + np.int32(first), number % np.int32(cols), number // np.int32(cols)
    return number + np.int32(first), number // np.int32(rows), number % np.int32(rows)
