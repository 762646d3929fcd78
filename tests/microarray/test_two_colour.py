"""Normalisation within and between arrays against limma 3.54.1 (tests/data/agilent/oracle.R)."""

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.agilent_background import Background, correct_background
from refinebio_assets.microarray.feature_extraction import read_feature_extraction
from refinebio_assets.microarray.genepix import read_genepix
from refinebio_assets.microarray.two_colour import (
    Between,
    LogRatios,
    Within,
    average_replicates,
    log2_or_missing,
    log_ratios,
    normalize_between_arrays,
    normalize_quantiles,
    normalize_single_channels,
    normalize_within_arrays,
    weighted_median,
)
from tests.microarray.agilent_files import EXTRACTIONS, GENEPIX, both, oracle

EXTRACTION, GPR = "limma_feature_extraction", "limma_genepix"


def _ratios(scanned, method, offset=0.0):
    red, green = (
        np.stack(
            [
                correct_background(
                    array.channels[colour].foreground, array.channels[colour].background, method=method, offset=offset
                )
                for array in scanned
            ]
        )
        for colour in ("red", "green")
    )
    return log_ratios(red, green)


@pytest.fixture(scope="module")
def extractions():
    return [read_feature_extraction(path) for path in EXTRACTIONS]


@pytest.fixture(scope="module")
def ratios(extractions):
    return _ratios(extractions, Background.NORMEXP, 50.0)


@pytest.fixture(scope="module")
def with_gaps(extractions):
    """Differences of zero and less have no logarithm."""
    return normalize_within_arrays(_ratios(extractions, Background.SUBTRACT))


@pytest.fixture(scope="module")
def genepix():
    return [read_genepix(path) for path in GENEPIX]


def _equals(values, name, table=EXTRACTION):
    np.testing.assert_allclose(values, both(table, name), rtol=0, atol=1e-9)


def test_m_and_a_equal_those_of_limma(ratios):
    _equals(ratios.a, "A")
    np.testing.assert_allclose(ratios.red - ratios.green, ratios.m, rtol=0, atol=1e-12)


def test_within_arrays_equals_limma(ratios):
    _equals(normalize_within_arrays(ratios, Within.MEDIAN).m, "median.M")
    _equals(normalize_within_arrays(ratios, Within.LOESS).m, "loess.M")


def test_within_arrays_with_weights_equals_limma(ratios):
    weights = both(EXTRACTION, "weights")

    _equals(normalize_within_arrays(ratios, Within.MEDIAN, weights=weights).m, "weighted.median.M")
    _equals(normalize_within_arrays(ratios, Within.LOESS, weights=weights).m, "weighted.loess.M")


@pytest.mark.parametrize("method", [Between.SCALE, Between.QUANTILE, Between.AQUANTILE])
def test_between_arrays_equals_limma(ratios, method):
    normalized = normalize_between_arrays(normalize_within_arrays(ratios), method)

    _equals(normalized.m, f"{method}.M")
    _equals(normalized.a, f"{method}.A")


def test_missing_values_are_left_out_as_in_limma(with_gaps):
    assert np.isnan(with_gaps.m).sum() > 100
    _equals(with_gaps.m, "subtracted.M")


@pytest.mark.parametrize("method", [Between.SCALE, Between.QUANTILE, Between.AQUANTILE])
def test_between_arrays_with_missing_values_equals_limma(with_gaps, method):
    normalized = normalize_between_arrays(with_gaps, method)

    _equals(normalized.m, f"subtracted.{method}.M")
    _equals(normalized.a, f"subtracted.{method}.A")


@pytest.mark.parametrize("method", [Between.SCALE, Between.QUANTILE])
def test_one_colour_equals_limma(extractions, method):
    green = [array.green for array in extractions]
    corrected = np.stack([correct_background(one.foreground, one.background, offset=16.0) for one in green])

    _equals(log2_or_missing(normalize_single_channels(corrected, method)), f"one.{method}")


def test_print_tip_loess_equals_limma(genepix):
    ratios, layout = _ratios(genepix, Background.NORMEXP, 50.0), genepix[0].layout
    weights = both(GPR, "weights")

    plain = normalize_within_arrays(ratios, Within.PRINT_TIP_LOESS, layout=layout)
    weighted = normalize_within_arrays(ratios, Within.PRINT_TIP_LOESS, layout=layout, weights=weights)

    _equals(plain.m, "printtiploess.M", GPR)
    _equals(weighted.m, "weighted.printtiploess.M", GPR)


def test_the_mean_of_replicates_equals_avereps(with_gaps, extractions):
    expected = oracle("limma_avereps")

    values, names = average_replicates(normalize_between_arrays(with_gaps).m, extractions[0].probes)

    assert names == tuple(dict.fromkeys(extractions[0].probes.tolist()))
    np.testing.assert_allclose(values, [expected["M.1"], expected["M.2"]], rtol=0, atol=1e-9)


def test_what_has_no_logarithm_is_missing():
    ratios = log_ratios(np.array([[4.0, 0, -1, np.nan, 8]]), np.array([[2.0, 2, 2, 2, 0]]))

    np.testing.assert_array_equal(ratios.m, [[1, np.nan, np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(ratios.a, [[1.5, np.nan, np.nan, np.nan, np.nan]])


@pytest.mark.parametrize("method", [Between.NONE, Between.SCALE, Between.AQUANTILE])
def test_a_single_array_stays_as_it_is(method):
    ratios = LogRatios(np.array([[1.0, 2.0, -3.0]]), np.array([[4.0, 5.0, 6.0]]))

    normalized = normalize_between_arrays(ratios, method)

    np.testing.assert_allclose(normalized.m, ratios.m)
    np.testing.assert_allclose(normalized.a, ratios.a)


def test_quantile_gives_both_channels_of_a_single_array_one_distribution():
    ratios = LogRatios(np.array([[1.0, 2.0, -2.0]]), np.array([[4.0, 5.0, 6.0]]))

    normalized = normalize_between_arrays(ratios, Between.QUANTILE)

    np.testing.assert_allclose(np.sort(normalized.red), np.sort(normalized.green))


def test_nothing_is_done_where_nothing_is_asked_for(ratios):
    assert normalize_within_arrays(ratios, Within.NONE) is ratios
    assert normalize_between_arrays(ratios, Between.NONE) is ratios


def test_ties_get_the_value_at_their_average_rank():
    normalized = normalize_quantiles(np.array([[1.0, 1, 2, 3], [4.0, 6, 8, 10]]))

    np.testing.assert_allclose(normalized, [[3, 3, 5, 6.5], [2.5, 3.5, 5, 6.5]])


def test_the_weighted_median_lies_where_half_of_the_weight_is():
    values = np.array([3.0, 1.0, 2.0, 4.0])

    assert weighted_median(values, np.array([1.0, 1, 1, 1])) == 2.5
    assert weighted_median(values, np.array([1.0, 1, 5, 1])) == 2
    assert weighted_median(values, np.array([1.0, 1, 0, 0])) == 2
    assert np.isnan(weighted_median(values, np.zeros(4)))


def test_print_tips_are_needed_for_print_tip_loess(ratios):
    with pytest.raises(InputError, match="print tip"):
        normalize_within_arrays(ratios, Within.PRINT_TIP_LOESS)


def test_one_colour_has_no_a():
    with pytest.raises(InputError, match="two colours"):
        normalize_single_channels(np.ones((2, 3)), Between.AQUANTILE)


@pytest.mark.parametrize("row", [[0.0, 0.0, 0.0], [np.nan, np.nan, np.nan]])
def test_arrays_without_spread_cannot_be_scaled(row):
    with pytest.raises(InputError, match="scaled"):
        normalize_single_channels(np.array([row, [1.0, 2.0, 3.0]]), Between.SCALE)
