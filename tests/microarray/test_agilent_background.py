"""Background correction against limma 3.54.1 (tests/data/agilent/oracle.R)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from refinebio_assets.domain.errors import InputError, LowQualityError
from refinebio_assets.microarray.agilent_array import GridLayout
from refinebio_assets.microarray.agilent_background import (
    Background,
    NormexpFit,
    NormexpParameters,
    correct_background,
    fit_normexp,
    normexp_signal,
)
from refinebio_assets.microarray.feature_extraction import read_feature_extraction
from tests.microarray.agilent_files import EXTRACTIONS, both


@pytest.fixture(scope="module")
def scanned():
    return [read_feature_extraction(path) for path in EXTRACTIONS]


def _corrected(scanned, colour, method, **settings):
    channels = [(array.channels[colour], array.layout) for array in scanned]
    return np.stack(
        [
            correct_background(channel.foreground, channel.background, method=method, layout=layout, **settings)
            for channel, layout in channels
        ]
    )


@pytest.mark.parametrize("colour", ["red", "green"])
@pytest.mark.parametrize("method", [Background.SUBTRACT, Background.HALF, Background.MINIMUM, Background.MOVINGMIN])
def test_simple_corrections_equal_those_of_limma(scanned, method, colour):
    expected = both("limma_feature_extraction", f"{method}.{colour[0].upper()}")

    np.testing.assert_allclose(_corrected(scanned, colour, method), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("colour", ["red", "green"])
def test_normexp_equals_that_of_limma(scanned, colour):
    expected = both("limma_feature_extraction", f"normexp.{colour[0].upper()}")

    np.testing.assert_allclose(
        _corrected(scanned, colour, Background.NORMEXP, offset=50.0), expected, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("colour", ["red", "green"])
def test_normexp_by_likelihood_equals_that_of_limma(scanned, colour):
    expected = both("limma_feature_extraction", f"mle.{colour[0].upper()}")
    corrected = _corrected(scanned, colour, Background.NORMEXP, offset=50.0, normexp=NormexpFit.MLE)

    np.testing.assert_allclose(corrected, expected, rtol=1e-6, atol=0)


def test_normexp_finds_the_parameters_that_made_the_intensities():
    random = np.random.default_rng(7)
    intensities = random.normal(100, 10, 20_000) + random.exponential(300, 20_000)

    for method in NormexpFit:
        found = fit_normexp(intensities, method)
        assert found.converged
        assert found.mu == pytest.approx(100, abs=3)
        assert found.sigma == pytest.approx(10, rel=0.25)
        assert found.alpha == pytest.approx(300, rel=0.05)


def test_missing_intensities_stay_missing_and_change_nothing():
    random = np.random.default_rng(3)
    full = random.normal(10, 3, 300) + random.exponential(100, 300)
    gaps = np.insert(full, [5, 100], np.nan)

    corrected = correct_background(gaps, None)

    assert np.flatnonzero(np.isnan(corrected)).tolist() == [5, 101]
    np.testing.assert_array_equal(corrected[~np.isnan(gaps)], correct_background(full, None))


@pytest.mark.parametrize("method", [method for method in Background if method is not Background.NORMEXP])
def test_without_a_background_only_normexp_changes_anything(method):
    foreground = np.array([1.0, -2.0, np.nan, 4.0])

    np.testing.assert_array_equal(correct_background(foreground, None, method=method), foreground)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (Background.NONE, [5, 3, np.nan, 9]),
        (Background.SUBTRACT, [4, -1, np.nan, 0]),
        (Background.HALF, [4, 0.5, np.nan, 0.5]),
        (Background.MINIMUM, [4, 2, np.nan, 2]),
    ],
)
def test_negative_and_missing_values(method, expected):
    foreground, background = np.array([5.0, 3, np.nan, 9]), np.array([1.0, 4, 1, 9])

    np.testing.assert_array_equal(correct_background(foreground, background, method=method), expected)
    np.testing.assert_array_equal(
        correct_background(foreground, background, method=method, offset=7.0), np.array(expected) + 7
    )


def test_a_moving_minimum_crosses_the_borders_of_blocks():
    layout = GridLayout(1, 2, 2, 2)
    background = np.array([9.0, 9, 9, 9, 1, 9, 9, 9])  # the first spot of the second block

    corrected = correct_background(np.full(8, 9.0), background, method=Background.MOVINGMIN, layout=layout)

    np.testing.assert_array_equal(corrected, [0, 8, 0, 8, 8, 8, 8, 8])


@pytest.mark.parametrize("layout", [None, GridLayout(1, 1, 2, 3)])
def test_a_moving_minimum_needs_to_know_the_neighbours(layout):
    with pytest.raises(InputError, match="neighbours"):
        correct_background(np.ones(4), np.ones(4), method=Background.MOVINGMIN, layout=layout)


@pytest.mark.parametrize("intensities", [[1.0, 2, 3], [5.0] * 10, [np.nan] * 10, [1.0, np.nan, 2, np.nan, 3]])
def test_too_little_to_tell_signal_from_noise(intensities):
    with pytest.raises(LowQualityError, match="signal from noise"):
        correct_background(np.array(intensities), None)


def test_minimum_needs_one_spot_that_is_brighter_than_its_surroundings():
    with pytest.raises(LowQualityError, match="brighter"):
        correct_background(np.ones(3), np.full(3, 2.0), method=Background.MINIMUM)


def test_far_below_the_noise_the_signal_is_small_and_positive():
    signal = normexp_signal(np.array([-1e6, -1e3, 0.0, 100.0]), NormexpParameters(50.0, 2.0, 300.0))

    assert (signal > 0).all()
    assert (np.diff(signal) >= 0).all()


@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, st.integers(4, 60), elements=st.floats(-1e6, 1e6)))
def test_any_intensities_are_corrected_or_refused(intensities):
    for method in NormexpFit:
        try:
            corrected = correct_background(intensities, None, normexp=method)
        except LowQualityError:
            continue
        assert (corrected >= 0).all()
