"""Bins, groups and trimmed means without sorting whole arrays give what sorting gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray import _scan_ranks
from refinebio_assets.microarray.scan_mixture import BINS, assign_bins
from refinebio_assets.microarray.scan_noise import r_normal_numbers

finite = st.floats(-1e300, 1e300) | st.integers(-3, 3).map(float)
vectors = st.lists(finite, min_size=1, max_size=200).map(np.array)


@settings(deadline=None)
@given(vectors)
@example(np.array([1.0, 1.0 + 2**-52, 1e308, -1e308]))
def test_bins_count_the_quantiles_below(values):
    ordered = np.sort(values)
    ranks = [len(values) * k // BINS for k in range(1, BINS + 1)]
    quantiles = np.array([ordered[rank - 1] for rank in ranks if rank])
    expected = (values[:, None] > quantiles).sum(axis=1)
    bins = np.empty(len(values), np.uint8)
    used = _scan_ranks.quantile_bins(values, bins, BINS)
    np.testing.assert_array_equal(bins, expected)
    assert used == len(set(expected.tolist()))


@settings(deadline=None)
@given(vectors, st.data())
def test_groups_follow_the_stable_order(fitted, data):
    starts = np.array(
        sorted(data.draw(st.sets(st.integers(0, len(fitted) - 1), max_size=min(6, len(fitted))))), np.int64
    )
    y = np.random.default_rng(len(fitted)).normal(size=len(fitted)) + np.clip(fitted, -1e6, 1e6)
    fitted = np.clip(fitted, -1e6, 1e6)
    order = np.argsort(fitted, kind="stable")
    expected = np.zeros(len(fitted))
    for low, high in zip([0, *starts], [*starts, len(fitted)], strict=True):
        group = order[low:high]
        residuals = (y - fitted)[group]
        spread = np.sqrt(np.mean(residuals**2)) if len(group) else 0.0
        expected[group] = residuals / spread if spread else 0.0
    out = np.empty(len(fitted))
    _scan_ranks.standardize(y, fitted, out, starts, False)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def test_groups_of_scan_upc_leave_the_lowest_out_and_share_their_first_probe():
    fitted = np.arange(10.0)
    residuals = np.array([9.0, 9.0, 1.0, -1.0, 2.0, 2.0, -3.0, 3.0, 3.0, 3.0])
    out = np.empty(10)
    _scan_ranks.standardize(fitted + residuals, fitted, out, np.array([2, 4, 6]), True)
    first, second = np.sqrt((1 + 1 + 4) / 3), np.sqrt((4 + 4 + 9) / 3)
    expected = [0, 0, 1 / first, -1 / first, 2 / second, 2 / second, -1, 1, 1, 1]
    np.testing.assert_allclose(out, expected, rtol=1e-14)


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=60), max_size=8), st.sampled_from([0.0, 0.1, 0.3]))
def test_trimmed_means_are_those_of_sorted_values(sets, share):
    values = np.array([value for each in sets for value in each] or [0.0])
    sizes = [len(each) for each in sets]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    members, means = np.arange(sum(sizes), dtype=np.int32), np.empty(len(sets))
    _scan_ranks.trimmed_means(values, members, starts, means, share)
    for each, mean in zip(sets, means.tolist(), strict=True):
        cut = int(len(each) * share)
        kept = sorted(each)[cut : len(each) - cut]
        assert np.isnan(mean) if not each else mean == pytest.approx(sum(kept) / len(kept), rel=1e-9, abs=1e-9)


def test_more_values_than_fit_a_bucket_each_are_ordered_too():
    values = np.random.default_rng(0).normal(size=150_000)
    bins, number = assign_bins(values)
    assert number == 0
    assert np.bincount(bins).tolist() == [6000] * BINS
    assert (np.diff(bins[np.argsort(values)].astype(int)) >= 0).all()


def test_noise_is_that_of_r():
    assert r_normal_numbers(3, 1).tolist() == [-0.62645381074233242, 0.18364332422208224, -0.83562861241004716]
    many = r_normal_numbers(200_000, 2)
    assert many[[0, -1]].tolist() == [-0.89691454662498138, -0.97173273717211439]
    assert [many.min(), many.max()] == [-4.2053494794708497, 4.4709009365369683]


def test_equal_values_are_told_apart_by_noise_that_does_not_move_others():
    values = np.repeat([1.0, 2.0], 100)
    bins, number = assign_bins(values)
    assert number >= 1
    assert np.bincount(bins).tolist() == [8] * BINS
    assert bins[:100].max() <= bins[100:].min()
    assert values.tolist() == [1.0] * 100 + [2.0] * 100


def test_fewer_values_than_bins_are_refused():
    with pytest.raises(InputError, match="24 probes cannot be divided into 25 bins"):
        assign_bins(np.arange(24.0))


def test_kernels_refuse_what_does_not_fit():
    values, members = np.zeros(3), np.zeros(3, np.int32)
    bad = [
        lambda: _scan_ranks.quantile_bins(values, np.zeros(2, np.uint8), 25),
        lambda: _scan_ranks.quantile_bins(values, np.zeros(3, np.uint8), 0),
        lambda: _scan_ranks.quantile_bins(values, np.zeros(3, np.uint8), 256),
        lambda: _scan_ranks.quantile_bins(np.array([1.0, np.nan, 2.0]), np.zeros(3, np.uint8), 25),
        lambda: _scan_ranks.quantile_bins(np.zeros(0), np.zeros(0, np.uint8), 25),
        lambda: _scan_ranks.standardize(values, values, np.zeros(3), np.array([3]), False),
        lambda: _scan_ranks.standardize(values, values, np.zeros(3), np.array([-1]), False),
        lambda: _scan_ranks.standardize(values, values, np.zeros(3), np.array([2, 1]), False),
        lambda: _scan_ranks.standardize(values, np.zeros(2), np.zeros(3), np.array([0]), False),
        lambda: _scan_ranks.trimmed_means(values, members + 3, np.array([0, 3]), np.zeros(1), 0.1),
        lambda: _scan_ranks.trimmed_means(values, members - 1, np.array([0, 3]), np.zeros(1), 0.1),
        lambda: _scan_ranks.trimmed_means(values, members, np.array([0, 2]), np.zeros(1), 0.1),
        lambda: _scan_ranks.trimmed_means(values, members, np.array([0, 4, 3]), np.zeros(2), 0.1),
        lambda: _scan_ranks.trimmed_means(values, members, np.array([0, 3]), np.zeros(2), 0.1),
        lambda: _scan_ranks.trimmed_means(values, members, np.array([0, 3]), np.zeros(1), 0.5),
    ]
    for call in bad:
        with pytest.raises(ValueError, match=r"."):
            call()
