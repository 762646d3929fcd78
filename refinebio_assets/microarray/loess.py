"""Local regression of one variable on another: R's ``lowess``, limma's ``weightedLowess`` and ``loessFit``.

Cleveland 1979 (doi:10.1080/01621459.1979.10481038). Values are those of R 4.2 and limma 3.54 to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.microarray import _intensity_fits

Floats = NDArray[np.float64]

SPAN = 0.3
ITERATIONS = 4
LEAST_WEIGHT, LARGEST_WEIGHT = 1e-5, 1e5
DELTA_SHARE = 0.01
"""Points that are this share of the range apart are fitted, those between them interpolated."""
WEIGHTED_POINTS = 200
"""With weights, about so many points are fitted."""
_EQUAL = 1e-15


@dataclass(frozen=True, eq=False)
class LoessFit:
    """What a fit says of each observation; NaN where one of the two variables is not finite.

    Attributes:
        fitted: float64.
        residuals: Observed less fitted.
    """

    fitted: Floats
    residuals: Floats


def lowess(x: Floats, y: Floats, *, span: float = SPAN, iterations: int = 3, delta: float | None = None) -> Floats:
    """Robust locally weighted regression, in the order of ``x``.

    Args:
        x: Finite numbers, at least two, in any order.
        y: As many.
        span: Share of the points that a fit looks at.
        iterations: How often residuals are weighed down; 0 for least squares.
        delta: Distance of points that are fitted; a hundredth of the range of ``x`` if None.

    Raises:
        ValueError: Lengths differ, there are fewer than two points, or something is not finite.
    """
    order, sorted_x, sorted_y = _sorted(x, y)
    if delta is None:
        delta = DELTA_SHARE * float(np.ptp(sorted_x)) if len(sorted_x) else 0.0
    fitted = np.empty_like(sorted_x)
    _intensity_fits.lowess(sorted_x, sorted_y, span, iterations, delta, fitted)
    return _as_given(fitted, order)


def weighted_lowess(
    x: Floats,
    y: Floats,
    weights: Floats,
    *,
    span: float = SPAN,
    iterations: int = ITERATIONS,
    delta: float | None = None,
) -> Floats:
    """The same with weights that count like repeated points.

    Args:
        x: Finite numbers, at least two, in any order.
        y: As many.
        weights: As many, not negative.
        span: Share of the whole weight that a fit looks at.
        iterations: Fits, the first one included.
        delta: Distance of points that are fitted; such that there are about 200 of them if None.

    Raises:
        ValueError: Lengths differ, there are fewer than two points, something is not finite, or all weights are zero.
    """
    order, sorted_x, sorted_y = _sorted(x, y)
    sorted_weights = np.ascontiguousarray(np.asarray(weights, dtype=np.float64)[order])
    fitted = np.empty_like(sorted_x)
    distance = _distance(sorted_x) if delta is None else delta
    _intensity_fits.weighted_lowess(sorted_x, sorted_y, sorted_weights, span, iterations, distance, fitted)
    return _as_given(fitted, order)


def loess_fit(
    y: Floats, x: Floats, weights: Floats | None = None, *, span: float = SPAN, iterations: int = ITERATIONS
) -> LoessFit:
    """The trend of ``y`` along ``x`` among finite values, as limma's ``loessFit`` finds it.

    Args:
        y: Values; NaN and infinities are left out.
        x: As many.
        weights: Not negative, NaN counts as zero; bounded to 0.00001 … 100,000. Equal ones are as good as none.
        span: Share of the points, or of their weight, that a fit looks at.
        iterations: Fits, the first one included.

    Raises:
        ValueError: Lengths differ.
    """
    if len(x) != len(y) or (weights is not None and len(weights) != len(y)):
        message = "x, y and weights must have one length"
        raise ValueError(message)
    seen = np.isfinite(x) & np.isfinite(y)
    fitted, residuals = np.full(len(y), np.nan), np.full(len(y), np.nan)
    if seen.any():
        bounded = None if weights is None else np.clip(np.nan_to_num(weights[seen]), LEAST_WEIGHT, LARGEST_WEIGHT)
        fitted[seen] = _fitted(x[seen], y[seen], bounded, span, iterations)
        residuals[seen] = y[seen] - fitted[seen]
    return LoessFit(fitted, residuals)


def _fitted(x: Floats, y: Floats, weights: Floats | None, span: float, iterations: int) -> Floats:
    if span < 1 / len(x):
        return y
    if weights is None or np.ptp(weights) < _EQUAL:
        return lowess(x, y, span=span, iterations=iterations - 1)
    if len(x) < 4 + 1 / span:
        return _line(x, y, weights)
    return weighted_lowess(x, y, weights, span=span, iterations=iterations)


def _line(x: Floats, y: Floats, weights: Floats) -> Floats:
    """A straight line by weighted least squares, for too few points."""
    design = np.column_stack([np.ones(len(x)), x])
    roots = np.sqrt(weights)
    coefficients = np.linalg.lstsq(design * roots[:, np.newaxis], y * roots, rcond=None)[0]
    return np.asarray(design @ coefficients, dtype=np.float64)


def _sorted(x: Floats, y: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    if len(x) != len(y):
        message = f"{len(x)} and {len(y)} values do not belong together"
        raise ValueError(message)
    order = np.argsort(x, kind="stable")
    return order, np.asarray(x, dtype=np.float64)[order], np.asarray(y, dtype=np.float64)[order]


def _as_given(fitted: Floats, order: NDArray[np.intp]) -> Floats:
    result = np.empty_like(fitted)
    result[order] = fitted
    return result


def _distance(x: Floats) -> float:
    """The smallest that the gaps of so many groups of points can add up to (limma's ``delta``)."""
    if len(x) <= WEIGHTED_POINTS:
        return 0.0
    gaps = np.cumsum(np.sort(np.diff(x)))
    groups = np.arange(WEIGHTED_POINTS)
    return float((gaps[len(gaps) - 1 - groups] / (WEIGHTED_POINTS - groups)).min())
