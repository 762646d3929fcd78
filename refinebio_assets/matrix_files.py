"""Matrices as files, by extension: ``.tsv``, ``.tsv.gz``, ``.parquet`` (genes in rows), ``.h5ad``, ``.zarr`` (AnnData).

Numbers in text are the shortest decimals that read back as the same float64. Every file is written under a temporary
name in the folder where it belongs and then renamed: it is there completely or not at all. The same matrix gives the
same bytes.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError

if TYPE_CHECKING:
    import anndata

ROW_LABEL = "Gene"
GZIP_LEVEL = 4  # zlib: 6 takes twice the time for 3 % less
CELLS_PER_PARQUET_GROUP = 1 << 22  # 32 MB of float64: few, large column chunks


class MatrixFormat(StrEnum):
    """What a matrix can be written as; the value is the extension."""

    TSV = ".tsv"
    TSV_GZ = ".tsv.gz"
    PARQUET = ".parquet"
    H5AD = ".h5ad"
    ZARR = ".zarr"

    @property
    def has_layers(self) -> bool:
        """It holds all matrices of an AnnData, not just one."""
        return self in {MatrixFormat.H5AD, MatrixFormat.ZARR}


def matrix_format(path: Path) -> MatrixFormat:
    """The format that the extension of ``path`` asks for.

    Raises:
        InputError: The extension is none of them, or the folder the file would go to does not exist.
    """
    name = path.name.lower()
    found = next((known for known in MatrixFormat if name.endswith(known) and name != known), None)
    if found is None:
        remedy = f"Use one of {', '.join(MatrixFormat)}."
        message = "The extension does not say which format to write."
        raise InputError(message, path=path, remedy=remedy)
    if not path.absolute().parent.is_dir():
        message = "The folder for the output does not exist."
        raise InputError(message, path=path, remedy=f"Create it: mkdir -p {path.parent}")
    if path.is_dir() and found is not MatrixFormat.ZARR:
        message = "The output is a folder."
        raise InputError(message, path=path, remedy="Give a file name.")
    return found


def write_matrix(
    path: Path, *, rows: Sequence[str], columns: Sequence[str], blocks: Iterable[NDArray[np.float64]]
) -> None:
    """Write one matrix as text or Parquet.

    Args:
        path: Ends in ``.tsv``, ``.tsv.gz`` or ``.parquet``; replaced if it exists.
        rows: Row names (genes), written to the first column, ``Gene``.
        columns: Column names (samples).
        blocks: The matrix from top to bottom, float64, each block some rows x all columns.

    Raises:
        InputError: The extension is another one, the folder does not exist, or a name has a tab or is ``Gene``.
        ValueError: The blocks do not have the shape that the names ask for.
    """
    kind = matrix_format(path)
    if kind.has_layers:
        message = f"A {kind} file holds an AnnData, not a single matrix."
        raise InputError(message, path=path, remedy="Use .tsv, .tsv.gz or .parquet.")
    if ROW_LABEL in columns or len(set(columns)) != len(columns) or any(set("\t\r\n") & set(name) for name in columns):
        message = f"Column names must be unique, without tabs and line breaks, and not {ROW_LABEL!r}."
        raise InputError(message, path=path, remedy="Rename the samples.")
    with replacing(path) as temporary:
        named_blocks = _with_row_names(rows, len(columns), blocks)
        if kind is MatrixFormat.PARQUET:
            _write_parquet(temporary, columns, named_blocks)
        else:
            _write_text(temporary, columns, named_blocks, compress=kind is MatrixFormat.TSV_GZ)


def write_anndata(path: Path, value: anndata.AnnData) -> None:
    """Write an AnnData as ``.h5ad`` or ``.zarr``; replaced if it exists.

    Raises:
        InputError: The extension is another one, the folder does not exist, or ``path`` is one that is no zarr store.
    """
    kind = matrix_format(path)
    with replacing(path) as temporary:
        if kind is MatrixFormat.H5AD:
            value.write_h5ad(temporary, compression="gzip")
        elif kind is MatrixFormat.ZARR:
            _write_zarr(temporary, value)
        else:
            message = f"A {kind} file holds a single matrix, not an AnnData."
            raise InputError(message, path=path, remedy="Use .h5ad or .zarr.")


def _write_zarr(path: Path, value: anndata.AnnData) -> None:
    """As zarr format 2, which every zarr library reads; anndata announces that its default will change."""
    from anndata import settings

    with settings.override(zarr_write_format=2), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Writing zarr v2 data", UserWarning)
        value.write_zarr(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; what is written there takes its place if the block ends well, else it vanishes.

    Raises:
        InputError: ``path`` is a folder with something else than a zarr store, or the folder is not writable.
    """
    if path.is_dir() and any(path.iterdir()) and not _is_zarr(path):
        message = "The output is a folder that is no zarr store; it is not overwritten."
        raise InputError(message, path=path, remedy="Give another name or remove the folder.")
    try:
        beside = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}."))
    except OSError as error:
        message = f"The output cannot be written ({error.strerror})."
        raise InputError(message, path=path, remedy="Choose a folder you may write to.") from error
    try:
        temporary = beside / path.name
        yield temporary
        if path.is_dir():
            path.replace(beside / "previous")
        temporary.replace(path)
    finally:
        shutil.rmtree(beside)


def _is_zarr(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("zarr.json", ".zgroup"))


NamedBlock = tuple[Sequence[str], NDArray[np.float64]]


def _with_row_names(rows: Sequence[str], width: int, blocks: Iterable[NDArray[np.float64]]) -> Iterator[NamedBlock]:
    done = 0
    for block in blocks:
        if block.ndim != 2 or block.shape[1] != width or done + len(block) > len(rows):
            message = f"a block of shape {block.shape} at row {done} does not fit into {len(rows)} x {width}"
            raise ValueError(message)
        yield rows[done : done + len(block)], block
        done += len(block)
    if done != len(rows):
        message = f"{len(rows)} rows are named, {done} came"
        raise ValueError(message)


def _write_text(path: Path, columns: Sequence[str], blocks: Iterable[NamedBlock], *, compress: bool) -> None:
    with path.open("wb") as file:
        if not compress:
            return _write_lines(file, columns, blocks)
        # no name and no time in the header: the same matrix gives the same bytes
        with gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=file, mtime=0) as zipped:
            _write_lines(zipped, columns, blocks)
    return None


def _write_lines(file: IO[bytes] | gzip.GzipFile, columns: Sequence[str], blocks: Iterable[NamedBlock]) -> None:
    file.write("\t".join((ROW_LABEL, *columns)).encode() + b"\n")
    for names, block in blocks:
        lines = (b"%s\t%s\n" % (name.encode(), cells) for name, cells in zip(names, _cells(block), strict=True))
        file.write(b"".join(lines))


def _cells(block: NDArray[np.float64]) -> Iterable[bytes]:
    """Each row's numbers with tabs between, as shortest decimals that read back equal; NaN and inf by these names."""
    import orjson

    if not block.size:
        return [b""] * len(block)
    if np.isinf(block).any():  # JSON has no word for it
        return ("\t".join(map(repr, row)).replace("nan", "NaN").encode() for row in block.tolist())
    text = orjson.dumps(np.ascontiguousarray(block, dtype=np.float64), option=orjson.OPT_SERIALIZE_NUMPY)
    lines = text[2:-2].replace(b"null", b"NaN").split(b"],[")
    return (line.replace(b",", b"\t") for line in lines)


def _write_parquet(path: Path, columns: Sequence[str], blocks: Iterable[NamedBlock]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(ROW_LABEL, pa.string()), *((name, pa.float64()) for name in columns)])
    settings = {"compression": "zstd", "use_dictionary": False, "use_byte_stream_split": list(columns)}
    with pq.ParquetWriter(path, schema, **settings) as writer:
        for names, block in _in_groups(blocks):
            arrays = [pa.array(names, pa.string()), *(pa.array(column) for column in np.ascontiguousarray(block.T))]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=len(block))


def _in_groups(blocks: Iterable[NamedBlock]) -> Iterator[NamedBlock]:
    """Neighbouring blocks joined until they fill a row group."""
    names: list[str] = []
    parts: list[NDArray[np.float64]] = []
    for block_names, block in blocks:
        names += block_names
        parts.append(block)
        if sum(part.size for part in parts) >= CELLS_PER_PARQUET_GROUP:
            yield names, np.concatenate(parts)
            names, parts = [], []
    if parts:
        yield names, np.concatenate(parts)
