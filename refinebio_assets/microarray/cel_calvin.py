"""CEL files of the Command Console ("Calvin"): generic files with the sets Intensity, StdDev, Pixel, Outlier, Mask.

Format: https://www.affymetrix.com/support/developer/powertools/changelog/gcos-agcc/cel.html#CEL_CALVIN
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.calvin import (
    MAGIC,
    DataSet,
    GenericHeader,
    read_generic,
    read_generic_header,
)
from refinebio_assets.microarray.cel_file import (
    CelFile,
    CelHeader,
    CelWarning,
    CelWarningCode,
    checked_size,
    chip_type_of,
    flags,
    header_warnings,
    intensity_warnings,
    scan_date_of,
)
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY

__all__ = ["MAGIC", "VERSION", "read", "read_header"]

VERSION = "calvin"
_DATA_TYPES = frozenset({"affymetrix-calvin-intensity", "affymetrix-calvin-multi-intensity"})
_DAT_HEADERS = ("affymetrix-dat-header", "affymetrix-partial-dat-header")


def read_header(data: bytes, path: Path | None) -> CelHeader:
    """The header of a file, or of a beginning that holds it.

    Raises:
        MalformedFileError: It is not complete, or that of another kind of file.
    """
    return _header(read_generic_header(data, path), path)


def read(data: bytes, path: Path | None, *, with_spot_statistics: bool) -> CelFile:
    """A whole file; of an array with several dyes, the first one.

    Raises:
        MalformedFileError: It ends early, contradicts itself, or has an intensity that is not finite.
    """
    generic = read_generic(data, path)
    header = _header(generic.header, path)
    cells = checked_size(header.rows, header.cols, path)
    channels = [group for group in generic.groups if group.find("Intensity") is not None]
    if not channels:
        message = "The file has no data set of intensities."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    channel = channels[0]
    intensities = _column(data, channel.find("Intensity"), cells, np.float32, path)
    if intensities is None:
        message = "The intensities are no numbers."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    warnings = [*header.warnings, *intensity_warnings(intensities, header.cols, path)]
    if len(channels) > 1:
        names = ", ".join(group.name or "?" for group in channels)
        message = f"The array was scanned in {len(channels)} channels ({names}); the first one is read."
        warnings.append(CelWarning(CelWarningCode.SEVERAL_CHANNELS, message))
    wanted = with_spot_statistics
    return CelFile(
        version=VERSION,
        chip_type=header.chip_type,
        rows=header.rows,
        cols=header.cols,
        header=header.header,
        scan_date=header.scan_date,
        algorithm=header.algorithm,
        warnings=tuple(warnings),
        intensities=intensities,
        stdev=_column(data, channel.find("StdDev"), cells, np.float32, path) if wanted else None,
        pixels=_column(data, channel.find("Pixel"), cells, np.int16, path) if wanted else None,
        outliers=_flags(data, channel.find("Outlier"), header, path, what="outliers"),
        masked=_flags(data, channel.find("Mask"), header, path, what="masked cells"),
    )


def _header(generic: GenericHeader, path: Path | None) -> CelHeader:
    if generic.data_type not in _DATA_TYPES:
        message = f"This is a Command Console file of type {generic.data_type[:60]!r}, not a CEL file."
        raise MalformedFileError(message, path=path, remedy="Give the CEL file of the array.")
    values = generic.all_parameters()
    dat_header = next((values[name] for name in _DAT_HEADERS if values.get(name)), "")
    chip_type = values.get("affymetrix-array-type", "").strip() or chip_type_of(dat_header)
    header = CelHeader(
        version=VERSION,
        chip_type=chip_type,
        rows=_whole_number(values, "affymetrix-cel-rows", path),
        cols=_whole_number(values, "affymetrix-cel-cols", path),
        header=values,
        scan_date=values.get("affymetrix-scan-date") or scan_date_of(dat_header),
        algorithm=values.get("affymetrix-algorithm-name"),
        warnings=header_warnings(chip_type),
    )
    checked_size(header.rows, header.cols, path)
    return header


def _whole_number(values: dict[str, str], name: str, path: Path | None) -> int:
    value = values.get(name, "")
    try:
        return int(value)
    except ValueError:
        message = f"The header has no whole number for {name}: {value[:20]!r}."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY) from None


def _column(data: bytes, found: DataSet | None, cells: int, dtype: Any, path: Path | None) -> NDArray[Any] | None:
    """The only column of a data set, one value per cell; None if there is no such data set."""
    if found is None or not found.is_number(0):
        return None
    if found.rows != cells:
        message = f"The data set {found.name} has {found.rows} rows for {cells} cells."
        raise MalformedFileError(message, path=path, remedy=BROKEN_FILE_REMEDY)
    return found.column(data, 0).astype(dtype)


def _flags(data: bytes, found: DataSet | None, header: CelHeader, path: Path | None, *, what: str) -> NDArray[np.bool_]:
    if found is None or not (found.is_number(0) and found.is_number(1)):
        return np.zeros(header.rows * header.cols, dtype=np.bool_)
    x, y = found.column(data, 0), found.column(data, 1)
    return flags(x, y, header.rows, header.cols, path, what=what)
