"""AnnData files written one block of samples at a time.

The layout is that of anndata's on-disk format 0.1 (https://anndata.readthedocs.io/en/latest/fileformat-prose.html).
``.h5ad`` chunks are compressed as HDF5's shuffle and deflate filters would, but by ISA-L, which is several times as
fast; any HDF5 library reads them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.matrix_files import MatrixFormat, matrix_format, replacing

if TYPE_CHECKING:
    import pandas as pd

CHUNK_SAMPLES, CHUNK_GENES = 64, 2048
COMPRESSION_LEVEL = 1

Block = tuple[int, Mapping[str, NDArray[Any]]]
"""Position of its first sample, and samples x genes by matrix: ``X`` and the names of layers."""
_Write = Callable[[str, int, NDArray[Any]], None]


def write_anndata_blocks(
    path: Path,
    blocks: Iterable[Block],
    *,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    types: Mapping[str, np.dtype[Any]],
    uns: Mapping[str, Any] | None = None,
) -> None:
    """Write an AnnData without ever holding it; replaced if it exists.

    Args:
        path: Ends in ``.h5ad`` or ``.zarr``.
        blocks: All samples in order. Each block but the last has a multiple of :data:`CHUNK_SAMPLES` samples.
        obs: Samples: as many rows as the blocks have together.
        var: Genes.
        types: Type of ``X`` and of each layer.
        uns: What is said about the whole.

    Raises:
        InputError: The extension is another one, or the folder does not exist.
        ValueError: The blocks do not follow each other, or do not have the samples and genes that are named.
    """
    kind = matrix_format(path)
    with replacing(path) as temporary:
        _write_frame(temporary, kind, obs, var, uns or {})
        shape = (len(obs), len(var))
        opened = _h5ad(temporary, shape, types) if kind is MatrixFormat.H5AD else _zarr(temporary, shape, types)
        with opened as write:
            done = 0
            for start, matrices in blocks:
                _check_block(start, done, matrices, shape, types)
                for name, matrix in matrices.items():
                    write(name, start, np.ascontiguousarray(matrix, dtype=types[name]))
                done = start + len(matrices["X"])
        if done != shape[0]:
            message = f"{shape[0]} samples are named, {done} came"
            raise ValueError(message)


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


@contextmanager
def _h5ad(path: Path, shape: tuple[int, int], types: Mapping[str, np.dtype[Any]]) -> Iterator[_Write]:
    import h5py

    with h5py.File(path, "r+") as file:
        sets = {}
        for name, kind in types.items():
            place = "X" if name == "X" else f"layers/{name}"
            if place in file:
                del file[place]
            sets[name] = file.create_dataset(
                place,
                shape,
                kind,
                chunks=(min(CHUNK_SAMPLES, shape[0]), min(CHUNK_GENES, shape[1])),
                compression="gzip",
                compression_opts=COMPRESSION_LEVEL,
                shuffle=True,
            )
            sets[name].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        yield lambda name, start, matrix: _write_chunks(sets[name], start, matrix)


def _write_chunks(dataset: Any, start: int, matrix: NDArray[Any]) -> None:
    """Each chunk as the filters would leave it; chunks at the edges are filled up with zeros."""
    from isal import isal_zlib

    rows, columns = dataset.chunks
    for row in range(0, len(matrix), rows):
        for column in range(0, matrix.shape[1], columns):
            part = matrix[row : row + rows, column : column + columns]
            if part.shape != (rows, columns):
                padded = np.zeros((rows, columns), matrix.dtype)
                padded[: part.shape[0], : part.shape[1]] = part
                part = padded
            raw = np.ascontiguousarray(part).reshape(-1).view(np.uint8)
            shuffled = np.ascontiguousarray(raw.reshape(-1, matrix.dtype.itemsize).T)
            content = isal_zlib.compress(shuffled, COMPRESSION_LEVEL)
            dataset.id.write_direct_chunk((start + row, column), content)


@contextmanager
def _zarr(path: Path, shape: tuple[int, int], types: Mapping[str, np.dtype[Any]]) -> Iterator[_Write]:
    import zarr

    group = zarr.open_group(path, mode="r+", zarr_format=2)
    arrays = {}
    for name, kind in types.items():
        arrays[name] = group.create_array(
            "X" if name == "X" else f"layers/{name}",
            shape=shape,
            dtype=kind,
            chunks=(min(CHUNK_SAMPLES, shape[0]), min(CHUNK_GENES, shape[1])),
            overwrite=True,
            attributes={"encoding-type": "array", "encoding-version": "0.2.0"},
        )

    def write(name: str, start: int, matrix: NDArray[Any]) -> None:
        arrays[name][start : start + len(matrix)] = matrix

    yield write
    with warnings.catch_warnings():  # the copy of all metadata that readers look at first
        warnings.filterwarnings("ignore", "Consolidated metadata")
        zarr.consolidate_metadata(path, zarr_format=2)
