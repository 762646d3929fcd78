"""Affymetrix' generic file of the Command Console ("Calvin"): headers, data groups and data sets; big-endian.

Format: https://www.affymetrix.com/support/developer/powertools/changelog/gcos-agcc/generic.html
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY

MAGIC = bytes([59, 1])
"""Magic number and version."""

MOST_ROWS = 2**26
_MOST_PARAMETERS = 10_000
_MOST_PARENTS = 32
_MOST_GROUPS = 1_000
_MOST_DATA_SETS = 10_000
_MOST_COLUMNS = 256
_LONGEST_CELL = 64 * 1024

_NUMBERS = ("i1", "u1", ">i2", ">u2", ">i4", ">u4", ">f4")
_TEXTS = (7, 8)  # ASCII, UTF-16

_INTEGER_TYPES = {
    f"text/x-calvin-{sign}integer-{bits}": f"{kind}{bits // 8}"
    for sign, kind in (("", ">i"), ("unsigned-", ">u"))
    for bits in (8, 16, 32)
}
_FLOAT_TYPE = "text/x-calvin-float"
_ASCII_TYPE = "text/ascii"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericHeader:
    """A header with those of the files it was made from.

    Attributes:
        data_type: What the file is: ``affymetrix-calvin-intensity``.
        identifier: Its GUID.
        created: When it was written; empty if it does not say.
        parameters: Name -> value as text; numbers as decimals.
        parents: Headers of the scan and of the array.
    """

    data_type: str
    identifier: str
    created: str
    parameters: Mapping[str, str]
    parents: tuple[GenericHeader, ...]

    def all_parameters(self) -> dict[str, str]:
        """Its own parameters, then those of its parents under names it has not."""
        found = dict(self.parameters)
        for parent in self.parents:
            for name, value in parent.all_parameters().items():
                found.setdefault(name, value)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A table: numbers and texts of fixed width, row by row.

    Attributes:
        name: Such as ``Intensity``.
        columns: Names in order.
        dtype: One field per column (``f0``, ``f1`` …); texts are raw bytes with a leading length.
        rows: Number of rows.
        offset: Where the first row begins in the file.
    """

    name: str
    columns: tuple[str, ...]
    dtype: np.dtype[Any]
    rows: int
    offset: int

    def column(self, data: bytes, number: int) -> NDArray[Any]:
        """One column of numbers, as it lies in the file (big-endian)."""
        table = np.frombuffer(data, dtype=self.dtype, count=self.rows, offset=self.offset)
        return table[f"f{number}"]

    def is_number(self, number: int) -> bool:
        """Whether a column holds numbers."""
        return number < len(self.columns) and self.dtype[number].kind in "iuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataGroup:
    """Data sets that belong together; arrays with several dyes have one group per dye."""

    name: str
    sets: tuple[DataSet, ...]

    def find(self, name: str) -> DataSet | None:
        """The data set of that name."""
        return next((each for each in self.sets if each.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericFile:
    """A whole generic file without its rows."""

    header: GenericHeader
    groups: tuple[DataGroup, ...]


def read_generic_header(data: bytes, path: Path | None) -> GenericHeader:
    """The header of a file, or of a beginning that holds it.

    Raises:
        MalformedFileError: It is not complete or not of this format; names the byte.
    """
    return _Reader(data, path).file_header()[0]


def read_generic(data: bytes, path: Path | None) -> GenericFile:
    """Headers of the file, its groups and sets; that all rows are there is checked, they are not looked at.

    Raises:
        MalformedFileError: It ends early or contradicts itself; names the byte.
    """
    reader = _Reader(data, path)
    header, count, position = reader.file_header()
    groups = []
    for _ in range(reader.bounded(count, _MOST_GROUPS, "data groups")):
        reader.seek(position, "data group")
        position, group = reader.group()
        groups.append(group)
    return GenericFile(header=header, groups=tuple(groups))


class _Reader:
    """Fields one behind the other; whatever does not fit into the file is an error with its place."""

    def __init__(self, data: bytes, path: Path | None) -> None:
        self._data = data
        self._path = path
        self._offset = 0
        self._parents = 0

    def file_header(self) -> tuple[GenericHeader, int, int]:
        """The header, the number of data groups and where the first one is."""
        if self._bytes(2) != MAGIC:
            self._refuse("This is no generic file of version 1")
        groups, position = self._int(), self._unsigned()
        return self._header(), groups, position

    def seek(self, position: int, what: str) -> None:
        if not 0 < position <= len(self._data):
            self._refuse(f"The next {what} is to be at byte {position} of {len(self._data)}")
        self._offset = position

    def bounded(self, count: int, most: int, what: str) -> int:
        if not 0 <= count <= most:
            self._refuse(f"There are to be {count} {what}")
        return count

    def group(self) -> tuple[int, DataGroup]:
        """Where the next group is, and this one with its sets."""
        following, position, count = self._unsigned(), self._unsigned(), self._int()
        name = self._wide()
        sets = []
        for _ in range(self.bounded(count, _MOST_DATA_SETS, "data sets")):
            self.seek(position, "data set")
            position, each = self._set()
            sets.append(each)
        return following, DataGroup(name=name, sets=tuple(sets))

    def _set(self) -> tuple[int, DataSet]:
        """Where the next set is, and this one. After the last one that is the end of the file, more or less."""
        first_row, following = self._unsigned(), self._unsigned()
        name = self._wide()
        self._parameters()
        columns, types = [], []
        for _ in range(self.bounded(self._int(), _MOST_COLUMNS, "columns")):
            columns.append(self._wide())
            types.append(self._column_type())
        rows = self._unsigned()
        dtype = np.dtype([(f"f{number}", each) for number, each in enumerate(types)])
        self.bounded(rows, MOST_ROWS, "rows")
        if rows and first_row + rows * dtype.itemsize > len(self._data):
            end = first_row + rows * dtype.itemsize
            self._refuse(f"The data set {name[:40]!r} is to end at byte {end} of {len(self._data)}")
        return following, DataSet(name=name, columns=tuple(columns), dtype=dtype, rows=rows, offset=first_row)

    def _column_type(self) -> str:
        code = self._bytes(1)[0]
        size = self._int()
        if code < len(_NUMBERS):
            kind, is_possible = _NUMBERS[code], size == np.dtype(_NUMBERS[code]).itemsize
        else:
            kind, is_possible = f"V{size}", code in _TEXTS and 0 < size <= _LONGEST_CELL
        if not is_possible:
            self._refuse(f"A column is to be of type {code} with {size} bytes")
        return kind

    def _header(self) -> GenericHeader:
        data_type, identifier = self._ascii(), self._ascii()
        created, _ = self._wide(), self._wide()  # the other one is the language
        parameters = self._parameters()
        count = self.bounded(self._int(), _MOST_PARENTS, "parents")
        self._parents += count
        self.bounded(self._parents, _MOST_PARENTS, "parents")
        return GenericHeader(
            data_type=data_type,
            identifier=identifier,
            created=created,
            parameters=parameters,
            parents=tuple(self._header() for _ in range(count)),
        )

    def _parameters(self) -> dict[str, str]:
        parameters = {}
        for _ in range(self.bounded(self._int(), _MOST_PARAMETERS, "parameters")):
            name, value, kind = self._wide(), self._bytes(self._int()), self._wide()
            parameters[name] = _text_of(value, kind)
        return parameters

    def _bytes(self, size: int) -> bytes:
        if not 0 <= size <= len(self._data) - self._offset:
            self._refuse(f"{size} bytes are to follow, the file has {len(self._data) - self._offset}")
        value = self._data[self._offset : self._offset + size]
        self._offset += size
        return value

    def _int(self) -> int:
        return int(struct.unpack(">i", self._bytes(4))[0])

    def _unsigned(self) -> int:
        return int(struct.unpack(">I", self._bytes(4))[0])

    def _ascii(self) -> str:
        return self._bytes(self._int()).decode("latin-1").rstrip("\0")

    def _wide(self) -> str:
        return _wide_text(self._bytes(2 * self._int()))

    def _refuse(self, what: str) -> NoReturn:
        message = f"{what} (at byte {self._offset})."
        raise MalformedFileError(message, path=self._path, remedy=BROKEN_FILE_REMEDY)


def _wide_text(value: bytes) -> str:
    return value.decode("utf-16-be", errors="replace").rstrip("\0")


def _text_of(value: bytes, kind: str) -> str:
    """A parameter's value as text, by its MIME type; of a type that is not known, its bytes in hexadecimal."""
    base = kind.partition(";")[0].strip().lower()
    if base in _INTEGER_TYPES:
        return _integer_text(value, _INTEGER_TYPES[base])
    if base == _FLOAT_TYPE and len(value) >= 4:
        return str(np.frombuffer(value[:4], dtype=">f4")[0])
    if base == _ASCII_TYPE:
        return value.decode("latin-1").rstrip("\0")
    if base.startswith("text/"):
        return _wide_text(value).partition("\0")[0]
    return value.hex()


def _integer_text(value: bytes, dtype: str) -> str:
    """Integers of any width are stored in four bytes; a shorter value is taken as it is."""
    signed = dtype[1] == "i"
    return str(int.from_bytes(value[:4], "big", signed=signed)) if value else ""
