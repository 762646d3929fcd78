"""Affymetrix CEL files: one intensity per cell of a scanned array. Any of their three formats, compressed or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from refinebio_assets.domain.array_names import array_code
from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray import cel_binary, cel_calvin, cel_text
from refinebio_assets.microarray.cel_file import CelFile, CelHeader, CelWarning, CelWarningCode
from refinebio_assets.microarray.compressed_bytes import Source, path_of, read_beginning, read_content

__all__ = ["CelFile", "CelHeader", "CelWarning", "CelWarningCode", "read_cel", "read_cel_header"]

LARGEST_CEL_BYTES = 512 * 2**20
"""As text, the largest arrays (6.9 million cells) have 190 MB."""

_FORMATS = (cel_binary, cel_text, cel_calvin)
_HEADER_BYTES = (64 * 1024, 2**20, 16 * 2**20)
_OTHER_KINDS = {
    b"[CDF]": "This is a CDF file (the layout of an array), not a CEL file.",
    b"<": "This is an HTML or XML page, not a CEL file.",
    b"bcel": "This is a CEL file of an unreleased format (bcel).",
    b"CCEL": "This is a compact CEL file (CCEL).",
}


class KnownArray(Protocol):
    """What is known of an array from its CDF file or elsewhere."""

    @property
    def chip_type(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...


def read_cel(source: Source, *, with_spot_statistics: bool = False, expected: KnownArray | None = None) -> CelFile:
    """Read a CEL file completely.

    Args:
        source: A file or its bytes, plain or compressed with gzip, bzip2 or xz, told by content.
        with_spot_statistics: Read standard deviations and numbers of pixels, too.
        expected: The array that the file should be of, such as a :class:`~refinebio_assets.microarray.cdf.Cdf`; what
            differs is a warning.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is no CEL file, ends early, contradicts itself, or has an intensity that is not finite.

    Example:
        >>> cel = read_cel(Path("C30057.CEL.gz"))
        >>> cel.platform_code(), cel.intensities[559 * cel.cols + 399]
    """
    data = read_content(source, largest=LARGEST_CEL_BYTES)
    path = path_of(source)
    cel: CelFile = _format_of(data, path).read(data, path, with_spot_statistics=with_spot_statistics)
    differences = differences_from(cel, expected) if expected is not None else ()
    return replace(cel, warnings=(*cel.warnings, *differences)) if differences else cel


def read_cel_header(source: Source) -> CelHeader:
    """Read no more of a CEL file than its header; whether the rest is there and right is not looked at.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is no CEL file, or its header is not complete.
    """
    path = path_of(source)
    for size in _HEADER_BYTES:
        data = read_beginning(source, size)
        try:
            header: CelHeader = _format_of(data, path).read_header(data, path)
        except MalformedFileError:
            if len(data) < size or size == _HEADER_BYTES[-1]:
                raise
        else:
            return header
    raise AssertionError  # the last size raises or returns


def differences_from(cel: CelHeader, expected: KnownArray) -> tuple[CelWarning, ...]:
    """Where a CEL file contradicts the array it should be of: another chip type, another size."""
    warnings = []
    if cel.chip_type and expected.chip_type and array_code(cel.chip_type) != array_code(expected.chip_type):
        message = f"The header says {cel.chip_type}, not {expected.chip_type}."
        warnings.append(CelWarning(CelWarningCode.OTHER_CHIP_TYPE, message))
    if (cel.rows, cel.cols) != (expected.rows, expected.cols):
        message = (
            f"The array has {cel.rows} rows and {cel.cols} columns, "
            f"{expected.chip_type} has {expected.rows} and {expected.cols}."
        )
        warnings.append(CelWarning(CelWarningCode.OTHER_SIZE, message))
    return tuple(warnings)


def _format_of(data: bytes, path: Path | None) -> Any:
    """The module that reads the format."""
    found: ModuleType | None = next((each for each in _FORMATS if data.startswith(each.MAGIC)), None)
    if found is None and data.lstrip(b"\xef\xbb\xbf \r\n").startswith(cel_text.MAGIC):
        return cel_text
    if found is not None:
        return found
    start = data[:64].lstrip(b"\xef\xbb\xbf \r\n\t")
    message = next(
        (text for magic, text in _OTHER_KINDS.items() if start.startswith(magic)),
        f"This is no CEL file: it begins with {data[:16]!r}.",
    )
    raise MalformedFileError(message, path=path, line=1, remedy="Give the scanner's CEL file.")
