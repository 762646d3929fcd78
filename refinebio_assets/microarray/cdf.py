"""Affymetrix CDF files: which cells of an array belong to which probe set. Text and binary (XDA), compressed or not."""

from __future__ import annotations

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray import cdf_binary, cdf_text
from refinebio_assets.microarray.cdf_file import Cdf, ProbeSetType
from refinebio_assets.microarray.compressed_bytes import Source, path_of, read_content

__all__ = ["Cdf", "ProbeSetType", "read_cdf"]


def read_cdf(source: Source) -> Cdf:
    """Read a CDF file completely.

    Args:
        source: A file or its bytes, plain or compressed with gzip, bzip2 or xz, told by content.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is no CDF file, ends early or contradicts itself; names the line or the byte.

    Example:
        >>> cdf = read_cdf(Path("HG-U133A.CDF"))
        >>> pm = cdf.cells_of("1007_s_at")
        >>> cel.intensities[cdf.index[pm]][cdf.is_pm[pm]]
    """
    data, path = read_content(source), path_of(source)
    if data.startswith(cdf_binary.MAGIC):
        return cdf_binary.read(data, path)
    stripped = data[:16].lstrip(b"\xef\xbb\xbf \r\n")
    if stripped.startswith(cdf_text.MAGIC):
        return cdf_text.read(data, path)
    what = "an HTML or XML page" if stripped.startswith(b"<") else f"a file that begins with {data[:16]!r}"
    message = f"This is no CDF file but {what}."
    raise MalformedFileError(message, path=path, line=1, remedy="Give the library file of the array (CDF).")
