"""The check that samples share a distribution: right, fair to all samples, and the same every time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from refinebio_assets.compendia.distribution_check import (
    check_distributions,
    choose_pairs,
    compare_targets,
    two_sample_ks,
    upper_half,
)
from refinebio_assets.compendia.quantile_normalization import quantile_normalize, quantile_target


@given(st.integers(0, 2**31), st.integers(1, 60), st.floats(0, 2))
def test_equals_the_exact_test_of_samples_of_one_size(seed, size, shift):
    rng = np.random.default_rng(seed)
    one, other = np.sort(rng.normal(size=size)), np.sort(rng.normal(shift, size=size))
    expected = stats.ks_2samp(one, other, method="exact")
    statistic, p_value = two_sample_ks(one, other)
    assert statistic == pytest.approx(expected.statistic)
    assert p_value == pytest.approx(expected.pvalue, abs=1e-9)


@given(st.integers(0, 2**31), st.integers(200, 400), st.integers(200, 400))
def test_is_near_the_exact_test_of_samples_of_two_sizes(seed, first, second):
    rng = np.random.default_rng(seed)
    one, other = np.sort(rng.normal(size=first)), np.sort(rng.normal(0.1, size=second))
    expected = stats.ks_2samp(one, other, method="asymp")
    statistic, p_value = two_sample_ks(one, other)
    assert statistic == pytest.approx(expected.statistic)
    assert p_value == pytest.approx(expected.pvalue, abs=0.06)


def test_normalised_samples_pass_and_others_do_not():
    matrix = np.random.default_rng(1).normal(np.arange(30)[:, None] / 10, size=(30, 2000))
    raw = check_distributions(matrix.__getitem__, 30)
    assert not raw.passed
    assert raw.statistic > 0.5
    normalized = quantile_normalize(matrix, quantile_target([matrix]))
    assert check_distributions(normalized.__getitem__, 30).passed


def test_one_sample_out_of_line_is_found_and_named():
    matrix = np.tile(np.arange(1000.0), (50, 1))
    matrix[37] += 100
    check = check_distributions(matrix.__getitem__, 50)
    assert not check.passed
    assert check.worst is not None
    assert 37 in check.worst


@given(st.integers(0, 60), st.integers(1, 120))
def test_pairs_are_different_fair_and_reproducible(samples, most):
    pairs = choose_pairs(samples, most, seed=1)
    assert pairs == choose_pairs(samples, most, seed=1)
    assert len(pairs) == len(set(pairs)) == min(most, samples * (samples - 1) // 2)
    assert all(0 <= one < other < samples for one, other in pairs)
    shares = Counter(position for pair in pairs for position in pair)
    if pairs:
        assert max(shares.values()) - min(shares.get(position, 0) for position in range(samples)) <= 2


def test_the_upper_half_is_what_lies_above_the_median_without_missing_values():
    assert upper_half(np.array([3.0, np.nan, 1.0, 2.0, 4.0])).tolist() == [3.0, 4.0]
    assert upper_half(np.array([np.nan])).tolist() == []


@pytest.mark.parametrize("samples", [0, 1])
def test_fewer_than_two_samples_have_nothing_to_compare(samples):
    check = check_distributions(np.zeros((1, 3)).__getitem__, samples)
    assert (check.pairs, check.passed, check.worst) == (0, True, None)


@given(st.integers(0, 2**31), st.integers(1, 60), st.integers(0, 9))
def test_successive_targets_are_compared_with_all_their_values_in_any_order(seed, size, more):
    rng = np.random.default_rng(seed)
    old, new = rng.normal(size=size), rng.normal(0.5, size=size + more)
    expected = stats.ks_2samp(old, new)
    agreement = compare_targets(np.append(old, np.nan), new)
    assert agreement.statistic == pytest.approx(expected.statistic)
    assert 0 <= agreement.p_value <= 1
    assert agreement == compare_targets(np.sort(old), new[::-1])
    assert agreement.statistic == compare_targets(new, old).statistic


def test_equal_targets_agree_and_shifted_ones_do_not():
    target = np.sort(np.random.default_rng(2).normal(7, 2, 20_000))
    assert compare_targets(target, target) == (0.0, 1.0)
    near, far = compare_targets(target, target + 0.001), compare_targets(target, target + 1)
    assert near.statistic < 0.002
    assert near.p_value > 0.99
    assert far.statistic > 0.15
    assert far.p_value < 1e-100


def test_a_target_without_values_cannot_be_compared():
    with pytest.raises(ValueError, match="at least one value"):
        compare_targets(np.array([np.nan]), np.ones(3))
