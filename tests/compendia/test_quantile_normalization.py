"""Quantile normalisation: equal to preprocessCore, whatever the ties, gaps, types and threads."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from refinebio_assets.compendia import _quantiles
from refinebio_assets.compendia.quantile_normalization import (
    TargetAccumulator,
    quantile_normalize,
    quantile_target,
)

DATA = Path(__file__).parents[1] / "data" / "qn"


def table(name):
    return pd.read_csv(DATA / f"{name}.tsv.gz", sep="\t", index_col="Gene", float_precision="round_trip")


def rows(frame):
    return np.ascontiguousarray(frame.to_numpy(dtype=np.float64).T)


@pytest.fixture(scope="module")
def target():
    with gzip.open(DATA / "ALL_target_first100.txt.gz", "rt") as file:
        return np.array([float(line) for line in file])


def plain_target(matrix):
    """The definition, for samples with missing values, in numpy."""
    genes = matrix.shape[1]
    places = np.linspace(0, 1, genes) if genes > 1 else np.array([0.5])
    present = [np.sort(row[~np.isnan(row)]) for row in matrix]
    stretched = [
        np.interp(places, np.linspace(0, 1, len(one)), one) if len(one) > 1 else one for one in present if len(one)
    ]
    return np.mean([np.broadcast_to(one, genes) for one in stretched], axis=0)


def plain_normalize(matrix, target):
    """The definition in numpy: average ranks, the mean of two target values between them, else interpolation."""
    target = np.sort(target)
    out = np.full_like(matrix, np.nan)
    for row, line in zip(matrix, out, strict=True):
        present = ~np.isnan(row)
        values = row[present]
        ranks = np.array([(np.sum(values < one) + 1 + np.sum(values <= one)) / 2 for one in values])
        if present.all() and len(row) == len(target):
            low = target[np.floor(ranks).astype(int) - 1]
            line[present] = (low + target[np.ceil(ranks).astype(int) - 1]) / 2
        else:
            share = (ranks - 1) / (len(values) - 1) if len(values) > 1 else np.array([0.5])[: len(values)]
            line[present] = np.interp(share, np.linspace(0, 1, len(target)), target) if len(target) > 1 else target[0]
    return out


@pytest.mark.parametrize(("given_name", "expected_name"), [("input_missing", "missing"), ("rounded", "ties")])
def test_equals_preprocesscore_with_missing_values_and_ties(given_name, expected_name, target):
    frame = table("input").round() if given_name == "rounded" else table(given_name)
    expected = rows(table(expected_name))
    ours = quantile_normalize(rows(frame), target)
    tied_in_print_only = np.zeros_like(ours, dtype=bool)
    if given_name != "rounded":
        tied_in_print_only = np.array([pd.Series(row).duplicated(keep=False).to_numpy() for row in rows(frame)])
    compared = ~np.isnan(expected) & ~tied_in_print_only
    assert (np.isnan(ours) == np.isnan(expected)).all()
    assert compared.sum() > 0.9 * expected.size
    np.testing.assert_allclose(ours[compared], expected[compared], rtol=0, atol=1e-10)


def test_equals_preprocesscore_where_the_target_has_another_length(target):
    given_values, expected = rows(table("input")), rows(table("use_target"))
    ours = quantile_normalize(given_values, target)
    tied = np.array([pd.Series(row).duplicated(keep=False).to_numpy() for row in given_values])
    assert tied.sum() < 10
    np.testing.assert_allclose(ours[~tied], expected[~tied], rtol=0, atol=1e-10)


def test_a_matrix_normalised_to_its_own_target_has_that_distribution_in_every_sample():
    matrix = np.random.default_rng(3).normal(size=(70, 500))
    target = quantile_target([matrix])
    normalized = quantile_normalize(matrix, target)
    np.testing.assert_allclose(np.sort(normalized, axis=1), np.broadcast_to(target, matrix.shape), rtol=0, atol=0)
    assert (np.argsort(normalized, axis=1) == np.argsort(matrix, axis=1)).all()


VALUES = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, -0.0, 1.0, 1.0, np.nan, np.nan, 1e-40, 3.5])
MATRICES = arrays.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=VALUES)
TARGETS = arrays.arrays(np.float64, st.integers(1, 14), elements=st.floats(-1e6, 1e6))


@given(MATRICES, TARGETS, st.sampled_from([np.float32, np.float64]))
def test_ties_gaps_constants_and_single_values_as_defined(matrix, target, dtype):
    ours = quantile_normalize(matrix.astype(dtype), target)
    assert ours.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-9
    expected = plain_normalize(matrix.astype(dtype).astype(np.float64), target)
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)


@given(MATRICES.filter(lambda matrix: not np.isnan(matrix).all()), st.sampled_from([np.float32, np.float64]))
def test_the_target_is_the_mean_of_sorted_samples_stretched_over_gaps(matrix, dtype):
    given_values = matrix.astype(dtype)
    expected = plain_target(given_values.astype(np.float64))
    np.testing.assert_allclose(quantile_target([given_values]), expected, rtol=1e-9, atol=1e-9)


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 40)), elements=st.floats(width=32)))
def test_infinities_sort_to_the_ends_and_nothing_else_is_lost(matrix):
    target = np.arange(matrix.shape[1], dtype=float)
    ours = quantile_normalize(matrix, target)
    assert (np.isnan(ours) == np.isnan(matrix)).all()
    np.testing.assert_allclose(ours, plain_normalize(matrix.astype(float), target), rtol=1e-6, atol=1e-6)


def test_the_number_of_threads_and_of_blocks_changes_no_bit():
    matrix = np.random.default_rng(5).lognormal(size=(300, 400)).astype(np.float32)
    whole = quantile_target([matrix], threads=1)
    assert (quantile_target([matrix], threads=5) == whole).all()
    pieces = quantile_target([matrix[:128], matrix[128:]], threads=2)
    assert (pieces == whole).all()
    one, five = (quantile_normalize(matrix, whole, threads=threads) for threads in (1, 5))
    assert one.tobytes() == five.tobytes()


def test_a_target_goes_on_from_where_it_was():
    matrix = np.random.default_rng(6).normal(size=(40, 50))
    first = TargetAccumulator(50)
    first.add(matrix[:25])
    later = TargetAccumulator.resume(first.target(), first.samples)
    later.add(matrix[25:])
    assert later.samples == 40
    np.testing.assert_allclose(later.target(), quantile_target([matrix]), rtol=1e-13)


def test_samples_without_values_do_not_count_for_a_target():
    accumulator = TargetAccumulator(3)
    accumulator.add(np.array([[1.0, 2.0, 3.0], [np.nan] * 3]))
    assert accumulator.samples == 1
    assert accumulator.target().tolist() == [1.0, 2.0, 3.0]


def test_normalises_in_place():
    matrix = np.random.default_rng(7).normal(size=(100, 30))
    expected = quantile_normalize(matrix, np.arange(30.0))
    assert quantile_normalize(matrix, np.arange(30.0), out=matrix) is matrix
    assert (matrix == expected).all()


@pytest.mark.parametrize(
    ("samples", "target", "complaint"),
    [
        (np.zeros(3), np.ones(3), "samples x genes"),
        (np.zeros((2, 3), dtype=np.int64), np.ones(3), "float32 or float64"),
        (np.zeros((2, 3)), np.array([]), "at least one value"),
        (np.zeros((2, 3)), np.array([np.nan]), "at least one value"),
    ],
)
def test_what_cannot_be_normalised_is_refused_in_words(samples, target, complaint):
    with pytest.raises(ValueError, match=complaint):
        quantile_normalize(samples, target)


def test_a_target_of_nothing_and_of_unequal_genes_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        quantile_target([])
    with pytest.raises(ValueError, match="do not fit"):
        quantile_target([np.zeros((2, 3)), np.zeros((2, 4))])


@pytest.mark.parametrize(
    "call",
    [
        lambda: _quantiles.add_sorted(np.zeros((2, 3)), np.zeros(2)),
        lambda: _quantiles.add_sorted(np.zeros((2, 3), dtype=np.int32), np.zeros(3)),
        lambda: _quantiles.apply(np.zeros((2, 3)), np.zeros(3), np.zeros((2, 2))),
        lambda: _quantiles.apply(np.zeros((2, 3)), np.zeros(3), np.zeros((2, 3), dtype=np.float32)),
        lambda: _quantiles.apply(np.zeros((2, 3)), np.zeros(0), np.zeros((2, 3))),
        lambda: _quantiles.apply(np.zeros((2, 3)), np.zeros(3, dtype=np.float32), np.zeros((2, 3))),
    ],
)
def test_the_compiled_part_checks_what_it_is_given(call):
    with pytest.raises(ValueError, match=r"must|at least"):
        call()
