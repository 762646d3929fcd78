"""Local regression against R's lowess and limma's weightedLowess and loessFit (tests/data/agilent/oracle.R)."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.microarray import _intensity_fits
from refinebio_assets.microarray.loess import loess_fit, lowess, weighted_lowess
from tests.microarray.agilent_files import DATA


def _cases():
    with gzip.open(DATA / "lowess.tsv.gz", "rt") as file:
        header = file.readline().rstrip("\n").split("\t")[1:]
        rows = [line.rstrip("\n").split("\t") for line in file]
    for case in dict.fromkeys(row[0] for row in rows):
        columns = np.array([row[1:] for row in rows if row[0] == case], dtype=np.float64).T
        yield pytest.param(dict(zip(header, columns, strict=True)), id=case)


CASES = list(_cases())


@pytest.mark.parametrize("case", CASES)
def test_lowess_is_that_of_r(case):
    fitted = lowess(case["x"], case["y"], span=0.4, iterations=3)
    exact = lowess(case["x"], case["y"], span=0.4, iterations=2, delta=0)

    np.testing.assert_allclose(fitted, case["lowess"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(exact, case["lowess0"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_weighted_lowess_is_that_of_limma(case):
    fitted = weighted_lowess(case["x"], case["y"], case["w"] + 0.01, span=0.4)

    np.testing.assert_allclose(fitted, case["weighted"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_loess_fit_is_that_of_limma(case):
    plain, weighted = loess_fit(case["y"], case["x"]), loess_fit(case["y"], case["x"], case["w"])

    np.testing.assert_allclose(plain.fitted, case["fit"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(weighted.fitted, case["weighted.fit"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(plain.residuals, case["y"] - plain.fitted, rtol=1e-12)


def test_what_is_not_finite_is_left_out():
    x, y = np.arange(20.0), np.arange(20.0) ** 2
    x[3], y[5], y[6] = np.nan, np.inf, np.nan
    seen = np.isfinite(x) & np.isfinite(y)

    fit = loess_fit(y, x)

    assert np.isnan(fit.fitted[~seen]).all()
    np.testing.assert_allclose(fit.fitted[seen], loess_fit(y[seen], x[seen]).fitted)


def test_nothing_to_fit_gives_nothing():
    assert np.isnan(loess_fit(np.full(3, np.nan), np.arange(3.0)).residuals).all()


def test_equal_weights_are_as_good_as_none():
    x, y = np.linspace(0, 1, 50), np.sin(np.arange(50.0))

    np.testing.assert_array_equal(loess_fit(y, x, np.full(50, 3.0)).fitted, loess_fit(y, x).fitted)


def test_a_few_points_lie_on_their_own_fit():
    fit = loess_fit(np.array([5.0, 1.0]), np.array([1.0, 2.0]))

    np.testing.assert_array_equal(fit.fitted, [5, 1])


@settings(deadline=None)
@given(st.permutations(range(40)))
def test_the_order_of_points_makes_no_difference(order):
    x, y = np.linspace(-1, 1, 40) ** 3, np.cos(np.arange(40.0))
    place = np.array(order)

    np.testing.assert_allclose(lowess(x[place], y[place]), lowess(x, y)[place], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "span", "iterations", "delta"),
    [
        ([1.0, 0.0], [0.0, 0.0], 0.3, 1, 0.0),
        ([0.0, np.nan], [0.0, 0.0], 0.3, 1, 0.0),
        ([0.0, 1.0], [0.0], 0.3, 1, 0.0),
        ([0.0], [0.0], 0.3, 1, 0.0),
        ([0.0, 1.0], [0.0, 0.0], 0.0, 1, 0.0),
        ([0.0, 1.0], [0.0, 0.0], 0.3, -1, 0.0),
        ([0.0, 1.0], [0.0, 0.0], 0.3, 1, -1.0),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, y, span, iterations, delta):
    fitted = np.empty(len(x))
    with pytest.raises(ValueError, match=r"x|span"):
        _intensity_fits.lowess(np.array(x), np.array(y), span, iterations, delta, fitted)
    with pytest.raises(ValueError, match=r"x|span"):
        _intensity_fits.weighted_lowess(
            np.array(x), np.array(y), np.ones(len(x)), span, min(iterations, 0), delta, fitted
        )


def test_weights_of_nothing_are_refused():
    with pytest.raises(ValueError, match="weights"):
        weighted_lowess(np.arange(3.0), np.arange(3.0), np.zeros(3))


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="length"):
        loess_fit(np.arange(3.0), np.arange(4.0))
    with pytest.raises(ValueError, match="belong"):
        lowess(np.arange(3.0), np.arange(4.0))
