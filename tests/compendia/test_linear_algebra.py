"""Products and decompositions: as NumPy's, at every size, and refused where shapes do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.compendia import _imputation
from refinebio_assets.compendia.imputation import LowRankModel, fill_missing
from refinebio_assets.compendia.linear_algebra import (
    accumulate,
    eigh,
    gram,
    in_order,
    multiply,
    orthonormal,
    project,
)

SIZES = st.integers(1, 70)


def numbers(shape, seed, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@settings(max_examples=60)
@given(SIZES, st.integers(1, 600), SIZES, st.integers(0, 2**31))
def test_products_are_as_numpy_makes_them(samples, genes, width, seed):
    rows, basis = numbers((samples, genes), seed), numbers((genes, width), seed + 1)
    part = numbers((samples, width), seed + 2)
    np.testing.assert_allclose(project(rows, basis), rows.astype(float) @ basis, atol=2e-4)
    products = numbers((width, genes), seed + 3)
    expected = products + part.T.astype(float) @ rows
    accumulate(part, rows, products)
    np.testing.assert_allclose(products, expected, atol=1e-4)
    np.testing.assert_allclose(gram(rows), rows.T.astype(float) @ rows, atol=1e-9)
    doubles = part.astype(float)
    np.testing.assert_allclose(gram(doubles), doubles.T @ doubles, atol=1e-9)
    np.testing.assert_allclose(multiply(doubles.T, rows.astype(float)), doubles.T @ rows, atol=1e-9)


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 2**31))
def test_eigenvectors_diagonalise(size, rank, seed):
    factor = numbers((size, min(rank, size)), seed, np.float64) * np.geomspace(1, 1e-5, min(rank, size))
    matrix = factor @ factor.T
    values, vectors = eigh(matrix)
    assert (np.diff(values) <= 0).all()
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(size), atol=1e-12)
    np.testing.assert_allclose(vectors * values @ vectors.T, matrix, atol=1e-12 * max(1, size))


def test_orthonormal_columns_span_the_same_however_far_apart_their_lengths_are():
    directions = numbers((200, 12), 5, np.float64) * np.geomspace(1e6, 1e-3, 12)
    ours = orthonormal(directions).astype(float)
    np.testing.assert_allclose(ours.T @ ours, np.eye(12), atol=1e-5)
    np.testing.assert_allclose(np.abs(np.diag(ours.T @ np.linalg.qr(directions)[0])), 1, atol=1e-5)


def test_a_direction_that_others_span_becomes_zero():
    directions = numbers((50, 3), 6, np.float64)
    directions[:, 2] = 2 * directions[:, 0] - directions[:, 1]
    ours = orthonormal(directions)
    assert (ours[:, 2] == 0).all()
    assert (np.linalg.norm(ours[:, :2], axis=0) > 0.99).all()


@pytest.mark.parametrize("start", [0, 1, 7, 16, 30])
def test_a_cell_is_filled_with_the_same_bits_in_any_block(start):
    values = numbers((50, 301), 7)
    values[np.random.default_rng(8).random(values.shape) < 0.3] = np.nan
    model = LowRankModel(numbers((50, 7), 9), numbers((301, 7), 10))
    whole, part = values.copy(), values[start : start + 20].copy()
    fill_missing(model, whole, 0)
    fill_missing(model, part, start)
    assert part.tobytes() == whole[start : start + 20].tobytes()
    expected = np.where(np.isnan(values), model.scores @ model.axes.T, values)
    np.testing.assert_allclose(whole, expected, atol=1e-5)


def test_results_come_in_order_and_not_all_at_once():
    begun = []

    def work(item):
        begun.append(item)
        return item * item

    results = in_order(work, range(20), threads=3)
    assert next(results) == 0
    assert len(begun) <= 4
    assert list(results) == [item * item for item in range(1, 20)]


@pytest.mark.parametrize(
    ("function", "shapes", "types"),
    [
        (_imputation.project, [(3, 4), (5, 2), (3, 2)], "fff"),
        (_imputation.project, [(3, 4), (4, 2), (3, 3)], "fff"),
        (_imputation.accumulate, [(3, 2), (4, 5), (2, 5)], "fff"),
        (_imputation.accumulate, [(3, 2), (3, 5), (2, 6)], "fff"),
        (_imputation.gram, [(3, 2), (3, 3)], "fd"),
        (_imputation.multiply, [(3, 2), (3, 2), (3, 2)], "ddd"),
        (_imputation.eigen, [(3, 2), (3, 2)], "dd"),
        (_imputation.eigen, [(3, 3), (2, 2)], "dd"),
    ],
)
def test_the_compiled_part_checks_shapes_and_types(function, shapes, types):
    arrays = [np.zeros(shape, one) for shape, one in zip(shapes, types, strict=True)]
    with pytest.raises(ValueError, match=r"must be (\w+ x \w+|square)"):
        function(*arrays)
    with pytest.raises(ValueError, match="float"):
        function(*(array.astype(np.int32) for array in arrays))
    with pytest.raises(TypeError, match="matrices expected"):
        function(*arrays[:-1])
