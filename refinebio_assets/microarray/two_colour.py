"""Normalisation of log-ratios within and between arrays, with limma as the measure.

Yang et al. 2002 (doi:10.1093/nar/30.4.e15), Smyth and Speed 2003 (doi:10.1016/S1046-2023(03)00155-5), Yang and Thorne
2003. Arrays are rows here: M and A of an array lie together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.quantile_normalization import quantile_normalize, quantile_target
from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.agilent_array import GridLayout
from refinebio_assets.microarray.loess import ITERATIONS, SPAN, Floats, loess_fit


class Within(StrEnum):
    """How the dyes of an array are made comparable."""

    NONE = "none"
    MEDIAN = "median"
    LOESS = "loess"
    PRINT_TIP_LOESS = "printtiploess"


class Between(StrEnum):
    """How arrays are made comparable."""

    NONE = "none"
    SCALE = "scale"
    """Spread of M and of A (of single channels: their median)."""
    QUANTILE = "quantile"
    """All channels of all arrays get one distribution."""
    AQUANTILE = "Aquantile"
    """A gets one distribution, M stays."""


@dataclass(frozen=True, eq=False)
class LogRatios:
    """Two colours of arrays on the log2 scale, both float64, arrays x spots.

    Attributes:
        m: Red less green.
        a: Their mean.
    """

    m: Floats
    a: Floats

    @property
    def red(self) -> Floats:
        """log2 of the red channel."""
        return self.a + self.m / 2

    @property
    def green(self) -> Floats:
        """log2 of the green channel."""
        return self.a - self.m / 2


def log_ratios(red: Floats, green: Floats) -> LogRatios:
    """M and A of intensities; NaN where one of both is missing, zero or less."""
    log_red, log_green = log2_or_missing(red), log2_or_missing(green)
    return LogRatios(log_red - log_green, (log_red + log_green) / 2)


def log2_or_missing(intensities: Floats) -> Floats:
    """log2; NaN for what is missing, zero or less."""
    with np.errstate(invalid="ignore", divide="ignore"):
        positive = intensities > 0
        return np.where(positive, np.log2(np.where(positive, intensities, 1.0)), np.nan)


def normalize_within_arrays(
    ratios: LogRatios,
    method: Within = Within.LOESS,
    *,
    weights: Floats | None = None,
    layout: GridLayout | None = None,
    span: float = SPAN,
    iterations: int = ITERATIONS,
) -> LogRatios:
    """Take the dye bias out of M, one array at a time (limma's ``normalizeWithinArrays``).

    Args:
        ratios: Arrays x spots.
        method: ``none``; ``median``: its (weighted) median is subtracted; ``loess``: its trend along A;
            ``printtiploess``: the trend in each block of the grid.
        weights: Arrays x spots, not negative; None for equal ones.
        layout: The blocks, for ``printtiploess``.
        span: Share of spots that a local fit looks at.
        iterations: Fits, the first one included.

    Raises:
        InputError: ``printtiploess`` without a layout that has as many spots.
    """
    if method is Within.NONE:
        return ratios
    blocks = _blocks(layout, ratios.m.shape[1]) if method is Within.PRINT_TIP_LOESS else [slice(None)]
    m = np.array(ratios.m, dtype=np.float64)
    for row in range(len(m)):
        own = None if weights is None else weights[row]
        if method is Within.MEDIAN:
            m[row] -= _median(m[row], own)
            continue
        for block in blocks:
            part = None if own is None else own[block]
            fit = loess_fit(m[row, block], ratios.a[row, block], part, span=span, iterations=iterations)
            m[row, block] = fit.residuals
    return replace(ratios, m=m)


def _blocks(layout: GridLayout | None, spots: int) -> list[slice]:
    if layout is None or layout.spots != spots:
        message = "The file does not say which spots a print tip made, or they do not fill the grid."
        raise InputError(message, remedy="Use loess instead of printtiploess.")
    size = layout.spot_rows * layout.spot_columns
    return [slice(block * size, (block + 1) * size) for block in range(layout.blocks)]


def _median(values: Floats, weights: Floats | None) -> float:
    seen = ~np.isnan(values)
    if not seen.any():
        return np.nan
    if weights is None:
        return float(np.median(values[seen]))
    return weighted_median(values[seen], np.nan_to_num(weights[seen]))


def weighted_median(values: Floats, weights: Floats) -> float:
    """The value below and above which lies half of the weight; the mean of both neighbours where it lies between."""
    counted = weights > 0
    order = np.argsort(values[counted], kind="stable")
    ordered = values[counted][order]
    if not len(ordered):
        return np.nan
    sums = np.cumsum(weights[counted][order], dtype=np.longdouble)  # as R adds: the half is met to the last bit
    shares = (sums.astype(np.float64) / np.float64(sums[-1])).astype(np.float64)
    place = int((shares < 0.5).sum())
    if shares[place] > 0.5 or place + 1 == len(ordered):
        return float(ordered[place])
    return float((ordered[place] + ordered[place + 1]) / 2)


def normalize_between_arrays(ratios: LogRatios, method: Between = Between.AQUANTILE) -> LogRatios:
    """Make arrays comparable (limma's ``normalizeBetweenArrays``).

    A single array stays as it is, but that ``quantile`` gives its two channels one distribution.

    Args:
        ratios: Arrays x spots.
        method: ``none``, ``scale``, ``quantile`` (both channels of all arrays) or ``Aquantile`` (A only).
    """
    if method is Between.SCALE:
        return LogRatios(_equal_spread(ratios.m), _equal_spread(ratios.a))
    if method is Between.QUANTILE:
        both = normalize_quantiles(np.concatenate([ratios.green, ratios.red]))
        green, red = both[: len(ratios.m)], both[len(ratios.m) :]
        return LogRatios(red - green, (red + green) / 2)
    if method is Between.AQUANTILE:
        return replace(ratios, a=normalize_quantiles(ratios.a))
    return ratios


def normalize_single_channels(values: Floats, method: Between = Between.QUANTILE) -> Floats:
    """The same for arrays of one channel.

    Args:
        values: Arrays x spots.
        method: ``none``, ``scale`` (equal medians) or ``quantile``.

    Raises:
        InputError: The method needs two colours.
    """
    if method is Between.AQUANTILE:
        message = "Aquantile needs two colours."
        raise InputError(message, remedy="Use quantile for one-colour arrays.")
    if method is Between.SCALE:
        return _equal_medians(values)
    return normalize_quantiles(values) if method is Between.QUANTILE else values


def normalize_quantiles(values: Floats) -> Floats:
    """One distribution for all rows, the mean of theirs (limma's ``normalizeQuantiles(ties = TRUE)``).

    Ties get the value at their average rank and missing values stay missing, as in preprocessCore: where the two
    packages treat ties differently by default, limma's ``ties = TRUE`` is what preprocessCore does.
    """
    if len(values) < 2 or values.shape[1] < 2:
        return values
    rows = np.ascontiguousarray(values, dtype=np.float64)
    return np.asarray(quantile_normalize(rows, quantile_target([rows])), dtype=np.float64)


def _equal_spread(values: Floats) -> Floats:
    return _divided(values, np.abs(values)) if len(values) > 1 else values


def _equal_medians(values: Floats) -> Floats:
    return _divided(values, values) if len(values) > 1 else values


def _divided(values: Floats, measured: Floats) -> Floats:
    """By each row's median of what is measured, over the geometric mean of all medians."""
    sizes = np.array([_median(row, None) for row in measured])
    if not (sizes > 0).all():
        message = "An array has a median of zero or less, so that arrays cannot be scaled."
        raise InputError(message, remedy="Use quantile or no normalisation between arrays.")
    logs = np.log(sizes)
    return np.asarray(values / np.exp(logs - logs.mean())[:, np.newaxis], dtype=np.float64)


def average_replicates(values: Floats, names: NDArray[np.object_]) -> tuple[Floats, tuple[str, ...]]:
    """The mean of spots with one name (limma's ``avereps``), in the order in which names appear.

    Args:
        values: Arrays x spots; NaN is left out, and what has nothing else stays NaN.
        names: One per spot.

    Returns:
        Arrays x names, and the names.
    """
    place: dict[str, int] = {}
    codes = np.array([place.setdefault(name, len(place)) for name in names.tolist()], dtype=np.intp)
    means = np.empty((len(values), len(place)))
    for row, own in enumerate(values):
        seen = ~np.isnan(own)
        sums = np.bincount(codes[seen], weights=own[seen], minlength=len(place))
        counts = np.bincount(codes[seen], minlength=len(place))
        with np.errstate(invalid="ignore"):
            means[row] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means, tuple(place)
