"""SCAN of two-colour arrays against SCAN.UPC's own functions on the same files (tests/data/agilent/scan_upc.tsv.gz)."""

import numpy as np
import pytest

from refinebio_assets.domain.errors import LowQualityError
from refinebio_assets.microarray.feature_extraction import read_feature_extraction
from refinebio_assets.microarray.scan_two_colour import gc_groups, scan_two_colour, scan_two_colour_by_composition
from tests.microarray.agilent_files import EXTRACTIONS, oracle


@pytest.fixture(scope="module", params=EXTRACTIONS, ids=lambda path: path.name)
def array(request):
    return read_feature_extraction(request.param)


@pytest.fixture
def channels():
    random = np.random.default_rng(5)
    signal = random.lognormal(7, 1.5, 4000)
    return signal * random.lognormal(0.5, 0.3, 4000), signal * random.lognormal(0, 0.3, 4000)


def test_values_equal_those_of_scan_upc(array):
    expected = oracle("scan_upc")

    red, green = scan_two_colour(array.red.foreground, array.green.foreground)

    np.testing.assert_allclose(red, expected[f"{array.name}.red"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(green, expected[f"{array.name}.green"], rtol=0, atol=1e-9)


def test_channels_are_standardised_and_uncorrelated(channels):
    both = np.stack(scan_two_colour(*channels))

    np.testing.assert_allclose(np.cov(both), np.eye(2), atol=1e-10)
    np.testing.assert_allclose(both.mean(axis=1), 0, atol=1e-10)


def test_without_controls_sequences_and_gaps_both_methods_are_one(channels):
    np.testing.assert_allclose(scan_two_colour_by_composition(*channels), scan_two_colour(*channels), atol=1e-12)


def test_a_group_of_probes_is_standardised_by_itself(channels):
    sequences = np.array(["ACGT" * 15, "ATAT" * 15] * 2000, dtype=object)
    red, green = scan_two_colour_by_composition(*channels, sequences=sequences)

    for group in (sequences == "ACGT" * 15, sequences == "ATAT" * 15):
        alone = scan_two_colour(channels[0][group], channels[1][group])
        np.testing.assert_allclose([red[group], green[group]], alone, atol=1e-10)


def test_controls_are_not_estimated_from_and_get_values(channels):
    control = np.arange(4000) % 4 == 0
    red, green = (np.where(control, channel * 50, channel) for channel in channels)

    values = np.stack(scan_two_colour_by_composition(red, green, is_control=control))

    np.testing.assert_allclose(values[:, ~control], scan_two_colour(red[~control], green[~control]), atol=1e-10)
    assert np.isfinite(values).all()


def test_spots_without_intensity_are_missing_or_refused(channels):
    red, green = channels[0].copy(), channels[1].copy()
    red[3], green[5] = 0.0, np.nan

    values = np.stack(scan_two_colour_by_composition(red, green))

    assert np.flatnonzero(np.isnan(values).any(axis=0)).tolist() == [3, 5]
    with pytest.raises(LowQualityError, match="2 spots"):
        scan_two_colour(red, green)


def test_small_groups_join_the_nearest_one():
    counts = [10] * 6 + [12] * 2 + [20] * 5 + [19]
    sequences = np.array(["G" * count + "A" * (60 - count) for count in counts] + [""], dtype=object)

    groups = gc_groups(sequences, np.ones(15, dtype=bool), smallest=5)

    assert groups.tolist() == [10] * 8 + [20] * 6 + [10]


def test_without_large_groups_all_are_one():
    groups = gc_groups(np.array(["ACGT", "AAAA"], dtype=object), np.ones(2, dtype=bool))

    assert groups.tolist() == [0, 0]


@pytest.mark.parametrize("red", [[2.0, 4, 8, 16], [3.0, 3, 3, 3]])
def test_channels_that_follow_from_each_other_are_refused(red):
    with pytest.raises(LowQualityError, match="follows"):
        scan_two_colour(np.array(red), np.array([2.0, 4, 8, 16]))


def test_too_few_spots_are_refused():
    with pytest.raises(LowQualityError, match="Only 2"):
        scan_two_colour(np.array([1.0, 2.0]), np.array([2.0, 1.0]))
