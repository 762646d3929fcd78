"""AnnData files written one block of samples at a time.

The layout is that of anndata's on-disk format 0.1 (https://anndata.readthedocs.io/en/latest/fileformat-prose.html).
``.h5ad`` chunks are compressed as HDF5's shuffle and deflate filters would, but by ISA-L, which is several times as
fast; any HDF5 library reads them. ``.zarr.zip`` is a zarr store of format 2 in one file, its entries not compressed a
second time, which ``anndata.read_zarr(zarr.storage.ZipStore(path))`` reads. The same values, written in the same
blocks, have the same bytes.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.datasets.package import Package
from refinebio_assets.matrix_files import MatrixFormat, matrix_format, replacing

if TYPE_CHECKING:
    import pandas as pd

CHUNK_SAMPLES, CHUNK_GENES = 64, 2048
COMPRESSION_LEVEL = 1
ZARR_ARCHIVE = ".zarr.zip"

Block = tuple[int, Mapping[str, NDArray[Any]]]
"""Position of its first sample, and samples x genes by matrix: ``X`` and the names of layers."""
_Write = Callable[[str, int, NDArray[Any]], None]
_Chunk = tuple[int, int, NDArray[Any]]
"""First sample and gene, and the values, filled up with zeros at the edges."""


class AnnDataWriter:
    """Takes the samples of an AnnData, block after block; made by :func:`anndata_writer`."""

    def __init__(self, write: _Write, shape: tuple[int, int], types: Mapping[str, np.dtype[Any]]) -> None:
        self._write, self._shape, self._types = write, shape, types
        self._done = 0

    def write(self, start: int, matrices: Mapping[str, NDArray[Any]]) -> None:
        """Write the samples from ``start`` on: samples x genes by name, ``X`` and the layers.

        Raises:
            ValueError: The block does not follow the one before, does not have the genes and matrices that are named,
                or ends within a chunk of :data:`CHUNK_SAMPLES` samples, which only the last may.
        """
        _check_block(start, self._done, matrices, self._shape, self._types)
        for name, matrix in matrices.items():
            self._write(name, start, np.ascontiguousarray(matrix, dtype=self._types[name]))
        self._done = start + len(matrices["X"])

    def finish(self) -> None:
        """Make sure that all samples came.

        Raises:
            ValueError: There should be more.
        """
        if self._done != self._shape[0]:
            message = f"{self._shape[0]} samples are named, {self._done} came"
            raise ValueError(message)


@contextmanager
def anndata_writer(
    path: Path,
    *,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    types: Mapping[str, np.dtype[Any]],
    uns: Mapping[str, Any] | None = None,
) -> Iterator[AnnDataWriter]:
    """Write an AnnData without ever holding it; what was there is replaced when the block ends well.

    Args:
        path: Ends in ``.h5ad``, ``.zarr`` or ``.zarr.zip``.
        obs: Samples: as many rows as the blocks have together.
        var: Genes.
        types: Type of ``X`` and of each layer.
        uns: What is said about the whole.

    Raises:
        InputError: The extension is another one, or the folder does not exist.
        ValueError: The blocks do not make up the samples that are named.
    """
    archive = path.name.endswith(ZARR_ARCHIVE)
    kind = MatrixFormat.ZARR if archive else matrix_format(path)
    shape = (len(obs), len(var))
    with replacing(path) as temporary, _one_thread_per_chunk():
        if kind is MatrixFormat.H5AD:
            _write_frame(temporary, kind, obs, var, uns or {})
            opened = _h5ad(temporary, shape, types)
        else:
            folder = temporary.with_suffix("") if archive else temporary
            _write_frame(folder, kind, obs, var, uns or {})
            opened = _zarr_archive(temporary, folder, shape, types) if archive else _zarr(folder, shape, types)
        with opened as write:
            writer = AnnDataWriter(write, shape, types)
            yield writer
            writer.finish()


def write_anndata_blocks(
    path: Path,
    blocks: Iterable[Block],
    *,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    types: Mapping[str, np.dtype[Any]],
    uns: Mapping[str, Any] | None = None,
) -> None:
    """Write all blocks, in order; arguments and errors as of :func:`anndata_writer`."""
    with anndata_writer(path, obs=obs, var=var, types=types, uns=uns) as writer:
        for start, matrices in blocks:
            writer.write(start, matrices)


def _check_block(
    start: int,
    done: int,
    matrices: Mapping[str, NDArray[Any]],
    shape: tuple[int, int],
    types: Mapping[str, np.dtype[Any]],
) -> None:
    """Refuse a block that does not follow the ``done`` samples before it."""
    counts = {len(matrix) for matrix in matrices.values()}
    widths = {matrix.shape[1] for matrix in matrices.values()}
    stop = start + max(counts, default=0)
    if start != done or len(counts) != 1 or widths != {shape[1]} or stop > shape[0] or matrices.keys() != types.keys():
        message = f"a block of {sorted(counts)} x {sorted(widths)} at sample {start} does not follow {done} of {shape}"
        raise ValueError(message)
    if stop < shape[0] and stop % CHUNK_SAMPLES:
        message = f"only the last block may end within a chunk of {CHUNK_SAMPLES} samples, not one that ends at {stop}"
        raise ValueError(message)


@contextmanager
def _one_thread_per_chunk() -> Iterator[None]:
    """Blosc's threads leave their parts in the order in which they finish: bytes that are other ones each time."""
    from numcodecs import blosc  # type: ignore[import-untyped]  # it has no stubs

    before, blosc.use_threads = blosc.use_threads, False
    try:
        yield
    finally:
        blosc.use_threads = before


def _write_frame(path: Path, kind: MatrixFormat, obs: pd.DataFrame, var: pd.DataFrame, uns: Mapping[str, Any]) -> None:
    """Everything but the matrices."""
    import anndata

    frame = anndata.AnnData(obs=obs, var=var, uns=dict(uns))
    if kind is MatrixFormat.H5AD:
        frame.write_h5ad(path)
        return
    with anndata.settings.override(zarr_write_format=2), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Writing zarr v2 data", UserWarning)
        frame.write_zarr(path)


def _place(name: str) -> str:
    return "X" if name == "X" else f"layers/{name}"


def _chunk_shape(shape: tuple[int, int]) -> tuple[int, int]:
    return min(CHUNK_SAMPLES, shape[0]), min(CHUNK_GENES, shape[1])


def _chunks(start: int, matrix: NDArray[Any], shape: tuple[int, int]) -> Iterator[_Chunk]:
    rows, columns = shape
    for row in range(0, len(matrix), rows):
        for column in range(0, matrix.shape[1], columns):
            part = matrix[row : row + rows, column : column + columns]
            if part.shape != shape:
                padded = np.zeros(shape, matrix.dtype)
                padded[: part.shape[0], : part.shape[1]] = part
                part = padded
            yield start + row, column, np.ascontiguousarray(part)


def _pool() -> ThreadPoolExecutor:
    """Chunks are compressed side by side and written in order."""
    return ThreadPoolExecutor(min(4, len(os.sched_getaffinity(0))))


@contextmanager
def _h5ad(path: Path, shape: tuple[int, int], types: Mapping[str, np.dtype[Any]]) -> Iterator[_Write]:
    import h5py

    chunk = _chunk_shape(shape)
    with h5py.File(path, "r+") as file, _pool() as pool:
        sets = {}
        for name, kind in types.items():
            if _place(name) in file:
                del file[_place(name)]
            sets[name] = file.create_dataset(
                _place(name),
                shape,
                kind,
                chunks=chunk,
                compression="gzip",
                compression_opts=COMPRESSION_LEVEL,
                shuffle=True,
            )
            sets[name].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})

        def write(name: str, start: int, matrix: NDArray[Any]) -> None:
            for row, column, content in pool.map(_shuffled_and_deflated, _chunks(start, matrix, chunk)):
                sets[name].id.write_direct_chunk((row, column), content)

        yield write


def _shuffled_and_deflated(chunk: _Chunk) -> tuple[int, int, bytes]:
    """The chunk as HDF5's filters would leave it."""
    from isal import isal_zlib

    row, column, values = chunk
    shuffled = np.ascontiguousarray(values.reshape(-1).view(np.uint8).reshape(-1, values.dtype.itemsize).T)
    return row, column, isal_zlib.compress(shuffled, COMPRESSION_LEVEL)


def _create_zarr_arrays(folder: Path, shape: tuple[int, int], types: Mapping[str, np.dtype[Any]]) -> dict[str, Any]:
    """Arrays without chunks yet. The codec is a choice, not zarr's default, which changes from version to version."""
    import zarr
    from numcodecs import Blosc

    group = zarr.open_group(folder, mode="r+", zarr_format=2)
    return {
        name: group.create_array(
            _place(name),
            shape=shape,
            dtype=kind,
            chunks=_chunk_shape(shape),
            compressors=Blosc(cname="zstd", clevel=COMPRESSION_LEVEL, shuffle=Blosc.SHUFFLE),
            overwrite=True,
            attributes={"encoding-type": "array", "encoding-version": "0.2.0"},
        )
        for name, kind in types.items()
    }


def _consolidate(folder: Path) -> None:
    """Write the copy of all metadata that readers look at first."""
    import zarr

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata")
        zarr.consolidate_metadata(folder, zarr_format=2)


@contextmanager
def _zarr(folder: Path, shape: tuple[int, int], types: Mapping[str, np.dtype[Any]]) -> Iterator[_Write]:
    arrays = _create_zarr_arrays(folder, shape, types)

    def write(name: str, start: int, matrix: NDArray[Any]) -> None:
        arrays[name][start : start + len(matrix)] = matrix

    yield write
    _consolidate(folder)


@contextmanager
def _zarr_archive(
    path: Path, folder: Path, shape: tuple[int, int], types: Mapping[str, np.dtype[Any]]
) -> Iterator[_Write]:
    """Metadata first, from a folder that is complete but for the chunks; then the chunks as they come."""
    chunk = _chunk_shape(shape)
    codecs = {name: array.metadata.compressor for name, array in _create_zarr_arrays(folder, shape, types).items()}
    _consolidate(folder)
    with path.open("wb") as file, Package(file) as archive, _pool() as pool:
        for each in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
            archive.add(each.relative_to(folder).as_posix(), each.read_bytes(), compress=False)

        def write(name: str, start: int, matrix: NDArray[Any]) -> None:
            def encoded(part: _Chunk) -> tuple[int, int, bytes]:
                return *part[:2], codecs[name].encode(part[2])

            for row, column, content in pool.map(encoded, _chunks(start, matrix, chunk)):
                key = f"{_place(name)}/{row // chunk[0]}.{column // chunk[1]}"
                archive.add(key, content, compress=False)

        yield write
