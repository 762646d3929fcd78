"""Samples go in block by block, genes come out row by row, and numbers come back equal."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from refinebio_assets.compendia import gene_major
from refinebio_assets.compendia.gene_major import GeneMajorMatrix, write_text

ANY_CELLS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=5),
    elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Slabs, buffers and blocks of a few samples."""
    monkeypatch.setattr(gene_major, "SLAB_SAMPLES", 10)
    monkeypatch.setattr(gene_major, "BUFFER_SAMPLES", 4)
    monkeypatch.setattr(gene_major, "CELLS_AT_A_TIME", 50)


@pytest.mark.parametrize("cuts", [[25], [1] * 25, [7, 3, 10, 5], [4, 4, 4, 4, 9], [10, 10, 5]])
def test_the_matrix_is_turned_round_however_it_is_cut(tmp_path, cuts):
    matrix = np.random.default_rng(0).normal(size=(25, 13)).astype(np.float32)
    turned = GeneMajorMatrix(tmp_path, 25, 13)
    for start, stop in pairwise(np.cumsum([0, *cuts])):
        turned.add(matrix[start:stop])
    blocks = list(turned.blocks())
    assert [first for first, _ in blocks] == list(range(0, 13, 2))
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), matrix.T)
    assert [(slab.start, slab.stop) for slab in turned.slabs] == [(0, 10), (10, 20), (20, 25)]


def test_samples_that_are_missing_or_too_many_are_noticed(tmp_path):
    turned = GeneMajorMatrix(tmp_path, 3, 2)
    turned.add(np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match="3 samples are expected, "):
        list(turned.blocks())
    with pytest.raises(ValueError, match="more came"):
        turned.add(np.zeros((2, 2), np.float32))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(matrix=ANY_CELLS)
def test_any_numbers_come_back_from_text_equal(tmp_path, matrix):
    turned = GeneMajorMatrix(tmp_path, *matrix.shape)
    turned.add(matrix)
    genes = [f"G{number}" for number in range(matrix.shape[1])]
    samples = [f"S{number}" for number in range(matrix.shape[0])]
    out = io.BytesIO()
    write_text(out, turned, genes, samples)
    header, *lines = out.getvalue().decode().splitlines()
    assert header == "\t".join(["Gene", *samples])
    assert [line.split("\t")[0] for line in lines] == genes
    read = np.array([[np.float32(cell) for cell in line.split("\t")[1:]] for line in lines])
    np.testing.assert_array_equal(read, matrix.T)


def test_numbers_are_as_short_as_can_be(tmp_path):
    turned = GeneMajorMatrix(tmp_path, 4, 1)
    turned.add(np.array([[0.1], [1 / 3], [np.nan], [2]], np.float32))
    out = io.BytesIO()
    write_text(out, turned, ["G\t1"], ["a", "b\n", "c", "d"])
    assert out.getvalue() == b"Gene\ta\tb \tc\td\nG 1\t0.1\t0.33333334\tNaN\t2.0\n"
