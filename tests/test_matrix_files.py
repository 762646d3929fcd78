"""Matrices as files: numbers read back equal, and a file is there completely or not at all."""

from __future__ import annotations

import gzip
import math

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from refinebio_assets.domain.errors import InputError
from refinebio_assets.matrix_files import matrix_format, replacing, write_anndata, write_matrix


def names(prefix, count):
    return [f"{prefix}{index}" for index in range(count)]


def cells_of(path):
    """What the text says, read with nothing but Python."""
    header, *lines = path.read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    return header.split("\t"), [row[0] for row in rows], [[float(cell) for cell in row[1:]] for row in rows]


@given(
    arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5), elements=st.floats()),
    st.integers(1, 5),
)
def test_any_numbers_read_back_equal_from_text(tmp_path_factory, matrix, height):
    path = tmp_path_factory.getbasetemp() / "drawn.tsv"
    blocks = [matrix[start : start + height] for start in range(0, len(matrix), height)]
    write_matrix(path, rows=names("g", len(matrix)), columns=names("s", matrix.shape[1]), blocks=blocks)
    header, genes, cells = cells_of(path)
    assert header == ["Gene", *names("s", matrix.shape[1])]
    assert genes == names("g", len(matrix))
    np.testing.assert_array_equal(np.array(cells), matrix)


def test_not_a_number_and_infinity_are_written_by_name(tmp_path):
    blocks = [np.array([[1.5, math.nan]]), np.array([[math.inf, math.nan]])]
    write_matrix(tmp_path / "x.tsv", rows=["a", "b"], columns=["s", "t"], blocks=blocks)
    assert (tmp_path / "x.tsv").read_text() == "Gene\ts\tt\na\t1.5\tNaN\nb\tinf\tNaN\n"
    table = pd.read_csv(tmp_path / "x.tsv", sep="\t", index_col="Gene")
    np.testing.assert_array_equal(table.to_numpy(), np.concatenate(blocks))


def test_parquet_joins_blocks_and_keeps_every_bit(tmp_path):
    matrix = np.random.default_rng(5).lognormal(size=(2_000, 3))
    blocks = (matrix[start : start + 7] for start in range(0, len(matrix), 7))
    write_matrix(tmp_path / "x.parquet", rows=names("g", 2_000), columns=names("s", 3), blocks=blocks)
    table = pd.read_parquet(tmp_path / "x.parquet")
    np.testing.assert_array_equal(table.drop(columns="Gene").to_numpy(), matrix)
    assert table["Gene"].tolist() == names("g", 2_000)


def test_a_matrix_without_rows_has_a_header(tmp_path):
    write_matrix(tmp_path / "x.tsv.gz", rows=[], columns=["s"], blocks=[])
    assert gzip.decompress((tmp_path / "x.tsv.gz").read_bytes()) == b"Gene\ts\n"


@pytest.mark.parametrize(
    "blocks", [[np.zeros((2, 2))], [np.zeros((3, 1))], [np.zeros((1, 1))], [np.zeros((1, 1))] * 3, []]
)
def test_blocks_that_do_not_fit_their_names_leave_no_file(tmp_path, blocks):
    with pytest.raises(ValueError, match=r"fit|named"):
        write_matrix(tmp_path / "x.tsv", rows=["a", "b"], columns=["s"], blocks=blocks)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("columns", [["s", "s"], ["Gene"], ["a\tb"], ["a\nb"]])
def test_column_names_that_would_break_a_table_are_refused(tmp_path, columns):
    with pytest.raises(InputError, match="unique, without tabs"):
        write_matrix(tmp_path / "x.tsv", rows=["a"], columns=columns, blocks=[np.zeros((1, len(columns)))])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.txt", "x", ".tsv", "x.gz", "x.csv"])
def test_an_unknown_extension_is_bad_input(tmp_path, name):
    with pytest.raises(InputError, match="extension") as caught:
        matrix_format(tmp_path / name)
    assert ".parquet" in str(caught.value)


def test_a_folder_in_place_of_a_file_is_bad_input(tmp_path):
    (tmp_path / "x.tsv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        matrix_format(tmp_path / "x.tsv")


def test_one_matrix_is_no_anndata_and_the_other_way_round(tmp_path):
    with pytest.raises(InputError, match="holds an AnnData"):
        write_matrix(tmp_path / "x.h5ad", rows=[], columns=[], blocks=[])
    with pytest.raises(InputError, match="single matrix"):
        write_anndata(tmp_path / "x.tsv", anndata.AnnData(np.zeros((1, 1))))
    assert not list(tmp_path.iterdir())


def test_an_interrupted_writer_leaves_the_old_content(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("old")

    def stop_half_way():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_to_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="cannot be written"), replacing(tmp_path / "none" / "x.tsv"):
        pass
