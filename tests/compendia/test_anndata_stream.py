"""AnnData written block by block reads back as if it had been written whole."""

from __future__ import annotations

import time
import zipfile
from contextlib import ExitStack

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import zarr

from refinebio_assets.compendia.anndata_stream import CHUNK_SAMPLES, anndata_writer, write_anndata_blocks

TYPES = {"X": np.dtype("f4"), "before_qn": np.dtype("f4"), "imputed": np.dtype("?")}


def frames(samples, genes):
    obs = pd.DataFrame({"platform": ["P"] * samples}, index=[f"S{one}" for one in range(samples)])
    return {"obs": obs, "var": pd.DataFrame(index=[f"G{one}" for one in range(genes)])}


def matrices(samples, genes):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(samples, genes)).astype(np.float32)
    return {"X": values, "before_qn": values + 1, "imputed": rng.random((samples, genes)) < 0.1}


def cut(whole, size):
    samples = len(whole["X"])
    return [
        (start, {name: matrix[start : start + size] for name, matrix in whole.items()})
        for start in range(0, samples, size)
    ]


def read_anndata(path):
    if path.name.endswith(".zip"):
        return anndata.read_zarr(zarr.storage.ZipStore(path, mode="r"))
    return anndata.read_zarr(path) if path.suffix == ".zarr" else anndata.read_h5ad(path)


@pytest.mark.parametrize("extension", ["h5ad", "zarr", "zarr.zip"])
@pytest.mark.parametrize(("samples", "genes"), [(CHUNK_SAMPLES * 2 + 5, 2500), (3, 2), (CHUNK_SAMPLES, 2048)])
def test_reads_back_equal(tmp_path, extension, samples, genes):
    whole = matrices(samples, genes)
    path = tmp_path / f"c.{extension}"
    blocks = cut(whole, CHUNK_SAMPLES)
    write_anndata_blocks(path, blocks, **frames(samples, genes), types=TYPES, uns={"recipe": "x"})
    read = read_anndata(path)
    np.testing.assert_array_equal(read.X, whole["X"])
    np.testing.assert_array_equal(read.layers["before_qn"], whole["before_qn"])
    np.testing.assert_array_equal(read.layers["imputed"], whole["imputed"])
    assert read.layers["imputed"].dtype == bool
    assert list(read.obs["platform"]) == ["P"] * samples
    assert read.uns["recipe"] == "x"


@pytest.mark.parametrize("extension", ["h5ad", "zarr.zip"])
def test_the_same_values_give_the_same_bytes_at_any_time(tmp_path, monkeypatch, extension):
    whole = matrices(100, 300)
    contents = []
    for seconds, name in ((0, "a"), (10**8, "b")):
        now = time.time() + seconds
        monkeypatch.setattr(time, "time", lambda now=now: now)
        path = tmp_path / f"{name}.{extension}"
        write_anndata_blocks(path, cut(whole, CHUNK_SAMPLES), **frames(100, 300), types=TYPES, uns={"b": "1", "a": "2"})
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_several_files_are_written_side_by_side_from_the_same_blocks(tmp_path):
    whole = matrices(150, 30)
    paths = [tmp_path / name for name in ("a.h5ad", "a.zarr", "a.zarr.zip")]
    with ExitStack() as stack:
        writers = [stack.enter_context(anndata_writer(path, **frames(150, 30), types=TYPES)) for path in paths]
        for start, block in cut(whole, CHUNK_SAMPLES):
            for writer in writers:
                writer.write(start, block)
        assert not any(path.exists() for path in paths)
    for path in paths:
        np.testing.assert_array_equal(read_anndata(path).X, whole["X"])


def test_one_chunk_of_an_archive_is_read_without_the_others(tmp_path):
    whole = matrices(CHUNK_SAMPLES * 4, 100)
    path = tmp_path / "a.zarr.zip"
    write_anndata_blocks(path, cut(whole, CHUNK_SAMPLES), **frames(CHUNK_SAMPLES * 4, 100), types=TYPES)
    with zipfile.ZipFile(path) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {"X/0.0", "X/3.0", "layers/imputed/3.0", ".zmetadata"} <= set(archive.namelist())
    group = zarr.open_group(zarr.storage.ZipStore(path, mode="r"), mode="r")
    np.testing.assert_array_equal(group["X"][200], whole["X"][200])


def test_chunks_are_compressed(tmp_path):
    whole = matrices(100, 300) | {"before_qn": np.zeros((100, 300), np.float32)}
    contents = []
    for name in ("a.h5ad", "b.h5ad"):
        write_anndata_blocks(tmp_path / name, cut(whole, CHUNK_SAMPLES), **frames(100, 300), types=TYPES)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    with h5py.File(tmp_path / "a.h5ad") as file:
        assert file["X"].compression == "gzip"
        assert file["X"].shuffle
        assert file["layers/before_qn"].id.get_storage_size() < 100 * 300


@pytest.mark.parametrize("change", ["gap", "too many", "too few", "width", "within a chunk", "layer missing"])
def test_blocks_that_do_not_fit_leave_nothing(tmp_path, change):
    whole = matrices(CHUNK_SAMPLES * 2, 10)
    blocks = cut(whole, 30 if change == "within a chunk" else CHUNK_SAMPLES)
    named = {"gap": 128, "too many": 100, "too few": 200}.get(change, 128)
    if change == "gap":
        blocks = [blocks[0], (blocks[1][0] + 1, blocks[1][1])]
    elif change == "width":
        blocks = [(start, {name: matrix[:, :9] for name, matrix in block.items()}) for start, block in blocks]
    elif change == "layer missing":
        blocks = [(start, {"X": block["X"]}) for start, block in blocks]
    with pytest.raises(ValueError, match="sample"):
        write_anndata_blocks(tmp_path / "c.h5ad", blocks, **frames(named, 10), types=TYPES)
    assert list(tmp_path.iterdir()) == []
