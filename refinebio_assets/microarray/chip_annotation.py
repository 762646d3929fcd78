"""A versioned reference of one array: where its probes are, their bases, and which gene they stand for.

One uncompressed ``.npz`` file per array, source and version, whose bytes follow from its content: the same tables give
the same file and the same SHA-256, which is its identity. It can be read with ``numpy.load``, too.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from refinebio_assets.domain.array_names import array_code
from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY, Source, path_of, read_content
from refinebio_assets.microarray.probe_tables import LARGEST_COORDINATE, LONGEST_PROBE, ProbeTable

FORMAT_VERSION = 1
LARGEST_ANNOTATION_BYTES = 2**30

_TEXTS = ("chip", "organism", "source", "version")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that zip knows
_LONGEST_ARRAY_HEADER = 4096
# What zipfile and numpy raise about content that they cannot read; both parse headers as Python or struct.
_DAMAGED = (
    ValueError,
    KeyError,
    TypeError,
    zipfile.BadZipFile,
    NotImplementedError,
    EOFError,
    struct.error,
    SyntaxError,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipAnnotation:
    """The reference of an array.

    Attributes:
        chip: Its code, as :func:`~refinebio_assets.domain.array_names.array_code` makes it: ``hgu133plus2``.
        organism: ``HOMO_SAPIENS``.
        source: Who made the tables: ``affymetrix``, ``brainarray``.
        version: Their release: ``25.0.0``.
        probe_table: Probes with their bases, by the maker's probe sets.
        probe_summary: Probes by gene (Brainarray), if the values are to be of genes; None for the maker's probe sets.
    """

    chip: str
    organism: str
    source: str
    version: str
    probe_table: ProbeTable
    probe_summary: ProbeTable | None = None

    def __post_init__(self) -> None:
        if self.chip != array_code(self.chip) or not self.chip:
            message = f"{self.chip!r} is not the code of an array."
            raise InputError(message, remedy=f"Write {array_code(self.chip)!r}.")

    @cached_property
    def content(self) -> bytes:
        """The bytes of the file."""
        return _written(self)

    @cached_property
    def sha256(self) -> str:
        """The identity of the reference."""
        return hashlib.sha256(self.content).hexdigest()


def save_chip_annotation(annotation: ChipAnnotation, path: Path) -> str:
    """Write a reference as ``.npz``, completely or not at all.

    Returns:
        Its SHA-256.

    Raises:
        InputError: It cannot be written there.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.absolute().parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(annotation.content)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        message = f"The file cannot be written: {error.strerror}."
        raise InputError(message, path=path) from error
    return annotation.sha256


def load_chip_annotation(source: Source, *, sha256: str | None = None) -> ChipAnnotation:
    """Read a reference.

    Args:
        source: A file or its bytes.
        sha256: What it has to be; not looked at if None.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is no such reference, damaged, or another one than asked for.
    """
    data, path = read_content(source, largest=LARGEST_ANNOTATION_BYTES), path_of(source)
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
        message = f"This is not the reference asked for: its SHA-256 is {found}, not {sha256}."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    try:
        arrays = _arrays(data)
        about = json.loads(arrays["about.json"].tobytes())
        texts = _texts(about)
        table = _table(arrays, "probe_table")
        summary = _table(arrays, "probe_summary") if about["has_summary"] else None
        return ChipAnnotation(**texts, probe_table=table, probe_summary=summary)
    except (*_DAMAGED, InputError) as error:
        message = f"This is no array reference, or it is damaged: {error}."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY) from error


def _texts(about: Any) -> dict[str, str]:
    if not isinstance(about, dict) or about.get("format_version") != FORMAT_VERSION:
        message = "it is of another version of the format"
        raise ValueError(message)
    return {name: str(about[name]) for name in _TEXTS}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _written(annotation: ChipAnnotation) -> bytes:
    about = {name: getattr(annotation, name) for name in _TEXTS}
    about |= {"format_version": FORMAT_VERSION, "has_summary": annotation.probe_summary is not None}
    parts: dict[str, NDArray[Any]] = {
        "about.json": np.frombuffer(json.dumps(about, sort_keys=True).encode(), dtype=np.uint8),
        **_parts("probe_table", annotation.probe_table),
    }
    if annotation.probe_summary is not None:
        parts |= _parts("probe_summary", annotation.probe_summary)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in parts.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), member.getbuffer().tobytes())
    return buffer.getvalue()


def _parts(name: str, table: ProbeTable) -> dict[str, NDArray[Any]]:
    names = "\n".join(table.probe_sets).encode()
    parts: dict[str, NDArray[Any]] = {
        f"{name}.x": table.x.astype("<i4"),
        f"{name}.y": table.y.astype("<i4"),
        f"{name}.probe_set": table.probe_set.astype("<i4"),
        f"{name}.probe_sets": np.frombuffer(names, dtype=np.uint8),
    }
    if table.sequence is not None:
        parts[f"{name}.sequence"] = table.sequence
    return parts


def _arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """The members of the archive, as views of its bytes: they are not compressed."""
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            lengths = data[info.header_offset + 26 : info.header_offset + 30]
            start = info.header_offset + 30 + sum(struct.unpack("<2H", lengths.ljust(4, b"\0")))
            member = memoryview(data)[start : start + info.file_size]
            if info.compress_type != zipfile.ZIP_STORED or isal_zlib.crc32(member) != info.CRC:
                message = f"{info.filename[:40]} is compressed or has a wrong checksum"
                raise ValueError(message)
            arrays[info.filename.removesuffix(".npy")] = _array(member)
    return arrays


def _array(member: memoryview) -> NDArray[Any]:
    """One array in numpy's format; its header is not trusted."""
    file = io.BytesIO(member[:_LONGEST_ARRAY_HEADER])
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        message = f"an array is of format {version}"
        raise ValueError(message)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_LONGEST_ARRAY_HEADER)
    if fortran or len(shape) != 1 or dtype.hasobject or dtype.itemsize == 0:
        message = f"an array is of type {dtype} and shape {shape}"
        raise ValueError(message)
    return np.frombuffer(member, dtype=dtype, count=shape[0], offset=file.tell())


def _table(arrays: dict[str, NDArray[Any]], name: str) -> ProbeTable:
    x, y, probe_set = (arrays[f"{name}.{column}"] for column in ("x", "y", "probe_set"))
    sequence = arrays.get(f"{name}.sequence")
    names = arrays[f"{name}.probe_sets"]
    if any(each.dtype != np.dtype("<i4") or each.shape != x.shape for each in (x, y, probe_set)) or not len(x):
        message = f"the columns of {name} do not fit together"
        raise ValueError(message)
    if names.dtype != np.uint8 or (
        sequence is not None
        and (sequence.dtype.kind != "S" or sequence.dtype.itemsize > LONGEST_PROBE or sequence.shape != x.shape)
    ):
        message = f"the texts of {name} do not fit together"
        raise ValueError(message)
    probe_sets = tuple(names.tobytes().decode().split("\n"))
    for column, end in ((x, LARGEST_COORDINATE), (y, LARGEST_COORDINATE), (probe_set, len(probe_sets))):
        if column.min() < 0 or column.max() >= end:
            message = f"{name} has a place or a number of a probe set that cannot be"
            raise ValueError(message)
    return ProbeTable(x=x, y=y, sequence=sequence, probe_set=probe_set, probe_sets=probe_sets)
