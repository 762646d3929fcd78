"""Quantile normalisation: equal to preprocessCore, whatever the ties, gaps, types and threads."""

from __future__ import annotations

import gzip
from fractions import Fraction
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
    TargetState,
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


def bytes_of(state):
    return state.high.tobytes(), state.low.tobytes(), state.samples


UNEVEN = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, -0.0, np.nan, 1e-40, 1e-12, 1e12, -1e12, 0.1])


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 6)), elements=UNEVEN),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**31),
)
def test_order_blocks_and_interruptions_change_no_bit_of_a_target(matrix, dtype, seed):
    matrix, rng = matrix.astype(dtype), np.random.default_rng(seed)
    whole = TargetAccumulator(matrix.shape[1])
    whole.add(matrix)
    pieces = TargetAccumulator(matrix.shape[1])
    for rows in np.array_split(rng.permutation(len(matrix)), int(rng.integers(1, 5))):
        pieces = TargetAccumulator.from_state(pieces.state())
        pieces.add(matrix[rows], threads=2)
    assert bytes_of(pieces.state()) == bytes_of(whole.state())
    if whole.samples:
        assert pieces.target().tobytes() == whole.target().tobytes()


def test_sums_are_exact_where_float64_alone_would_round():
    matrix = np.array([[1e12], [0.1], [-1e12], [2.0**-60], [1e-30]])
    accumulator = TargetAccumulator(1)
    accumulator.add(matrix)
    high, low, samples = accumulator.state()
    on_grid = Fraction(round(Fraction(0.1) * 2**60), 2**60) + Fraction(1, 2**60)
    assert Fraction(high[0]) + Fraction(low[0]) == on_grid
    assert (high[0], samples) == (float(on_grid), 5)


def test_many_float32_samples_have_the_exact_mean():
    matrix = np.random.default_rng(8).lognormal(3, 4, size=(3000, 3)).astype(np.float32)
    ordered = np.sort(matrix, axis=1)
    exact = [sum(map(Fraction, ordered[:, gene].tolist())) for gene in range(3)]
    assert quantile_target([matrix]).tolist() == [float(one) / 3000 for one in exact]


def test_accumulators_of_parts_merge_to_that_of_the_whole():
    matrix = np.random.default_rng(9).normal(size=(30, 20)).astype(np.float32)
    whole, first, second = (TargetAccumulator(20) for _ in range(3))
    whole.add(matrix)
    first.add(matrix[:11])
    second.add(matrix[11:])
    first.merge(second.state())
    assert bytes_of(first.state()) == bytes_of(whole.state())


def test_a_state_is_a_copy_and_a_broken_one_is_refused():
    accumulator = TargetAccumulator(2)
    state = accumulator.state()
    accumulator.add(np.ones((1, 2)))
    assert state.samples == state.high.sum() == 0
    with pytest.raises(ValueError, match="no state of a target"):
        TargetAccumulator.from_state(TargetState(np.zeros(2), np.zeros(3), 1))
    with pytest.raises(ValueError, match="no state of a target"):
        TargetAccumulator.from_state(TargetState(np.zeros(2), np.zeros(2), -1))
    with pytest.raises(ValueError, match="as long as"):
        accumulator.merge(TargetState(np.zeros(3), np.zeros(3), 1))


def test_infinite_values_make_infinite_sums_and_harm_no_other_gene():
    target = quantile_target([np.array([[1.0, np.inf, -np.inf], [2.0, 3.0, 4.0]])])
    assert target.tolist() == [-np.inf, 2.0, np.inf]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(value=st.floats(-1e6, 1e6, width=32), genes=st.integers(1, 9), length=st.integers(1, 9))
def test_constant_samples_get_the_middle_of_the_target(dtype, value, genes, length):
    target = np.arange(length, dtype=float)
    normalized = quantile_normalize(np.full((2, genes), value, dtype), target)
    np.testing.assert_allclose(normalized, (length - 1) / 2, rtol=1e-6)
    np.testing.assert_allclose(quantile_target([np.full((3, genes), value, dtype)]), value, rtol=1e-15, atol=1e-18)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30, unique=True))
def test_a_lone_sample_is_its_own_target_and_stays_as_it_is(values):
    sample = np.array([values])
    target = quantile_target([sample])
    np.testing.assert_allclose(target, np.sort(values), rtol=0, atol=2.0**-60)
    np.testing.assert_allclose(quantile_normalize(sample, target), sample, rtol=0, atol=2.0**-60)


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
        lambda: _quantiles.add_sorted(np.zeros((2, 3)), np.zeros(2), np.zeros(3)),
        lambda: _quantiles.add_sorted(np.zeros((2, 3)), np.zeros(3), np.zeros(2)),
        lambda: _quantiles.add_sorted(np.zeros((2, 3)), np.zeros(3), np.zeros(3, dtype=np.float32)),
        lambda: _quantiles.add_sorted(np.zeros((2, 3), dtype=np.int32), np.zeros(3), np.zeros(3)),
        lambda: _quantiles.add_vector(np.zeros(2), np.zeros(3), np.zeros(3)),
        lambda: _quantiles.add_vector(np.zeros((3, 1)), np.zeros(3), np.zeros(3)),
        lambda: _quantiles.sort_values(np.zeros(2), np.zeros(3)),
        lambda: _quantiles.sort_values(np.zeros((2, 1)), np.zeros(2)),
        lambda: _quantiles.largest_step(np.zeros(2), np.zeros(2, dtype=np.float32)),
        lambda: _quantiles.apply(np.zeros((2, 3)), np.zeros(3), np.zeros((2, 2))),
        lambda: _quantiles.apply(np.zeros((2, 3)), np.zeros(3), np.zeros((2, 3), dtype=np.float32)),
        lambda: _quantiles.apply(np.zeros((2, 3)), np.zeros(0), np.zeros((2, 3))),
        lambda: _quantiles.apply(np.zeros((2, 3)), np.zeros(3, dtype=np.float32), np.zeros((2, 3))),
    ],
)
def test_the_compiled_part_checks_what_it_is_given(call):
    with pytest.raises(ValueError, match=r"must|at least"):
        call()
