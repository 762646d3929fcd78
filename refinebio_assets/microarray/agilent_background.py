"""Background correction of scanned arrays, with limma's ``backgroundCorrect`` as the measure.

``normexp`` takes what is above the local background for a sum of normal noise and an exponential signal, and gives the
signal that is expected (Ritchie et al. 2007, doi:10.1093/bioinformatics/btm412; Silver et al. 2009,
doi:10.1093/biostatistics/kxn042). Values are those of limma 3.54: ``normexp.method = "saddle"`` by the same
simplex, ``"mle"`` to where Newton's method ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, LowQualityError
from refinebio_assets.microarray import _intensity_fits
from refinebio_assets.microarray.agilent_array import GridLayout

Floats = NDArray[np.float64]

FEWEST_INTENSITIES = 4
SMALLEST_SIGNAL = 1e-6
"""What limma gives where rounding would make a signal negative."""
_HALF = 0.5
_OTHER_METHOD = "Look at the scan, or use another background correction than normexp."
_ZERO = 1e-18
_MOST_NEWTON_STEPS = 100
_LARGEST_DAMPING = 1e12


class Background(StrEnum):
    """How the background is taken off."""

    NONE = "none"
    SUBTRACT = "subtract"
    HALF = "half"
    """Differences below a half become a half."""
    MINIMUM = "minimum"
    """Differences of zero or less become half of the smallest positive one."""
    MOVINGMIN = "movingmin"
    """The smallest background of a spot and its eight neighbours is subtracted."""
    NORMEXP = "normexp"


class NormexpFit(StrEnum):
    """How the parameters of normexp are estimated."""

    SADDLE = "saddle"
    MLE = "mle"


@dataclass(frozen=True)
class NormexpParameters:
    """Normal noise and exponential signal.

    Attributes:
        mu: Mean of the noise.
        sigma: Its standard deviation.
        alpha: Mean of the signal.
        converged: The search ended by itself.
    """

    mu: float
    sigma: float
    alpha: float
    converged: bool = True


def correct_background(
    foreground: Floats,
    background: Floats | None,
    *,
    method: Background = Background.NORMEXP,
    offset: float = 0.0,
    normexp: NormexpFit = NormexpFit.SADDLE,
    layout: GridLayout | None = None,
) -> Floats:
    """Intensities of one channel of one array without their background.

    Without background intensities, only ``normexp`` changes anything. Missing intensities (NaN) stay missing.

    Args:
        foreground: One per spot.
        background: The same; None if there is none.
        method: How.
        offset: Added afterwards: it keeps ratios of small intensities small.
        normexp: How the parameters are estimated.
        layout: Where the spots are, for ``movingmin``.

    Raises:
        InputError: ``movingmin`` without a layout that has as many spots.
        LowQualityError: There are too few intensities, or too equal ones, to tell signal from noise.
    """
    if background is None and method is not Background.NORMEXP:
        method = Background.NONE
    net = foreground if background is None or method is Background.NONE else foreground - background
    if method is Background.HALF:
        net = np.maximum(net, _HALF)
    elif method is Background.MINIMUM:
        net = _above_zero(net)
    elif method is Background.MOVINGMIN and background is not None:
        net = foreground - _moving_minimum(background, layout)
    elif method is Background.NORMEXP:
        net = normexp_signal(net, fit_normexp(net, normexp))
    return np.asarray(net + offset, dtype=np.float64)


def _above_zero(net: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        low, high = net < _ZERO, net >= _ZERO
    if low.any() and not high.any():
        message = "No spot is brighter than its surroundings."
        raise LowQualityError(message, remedy="Look at the scan.")
    return np.where(low, net.min(where=high, initial=np.inf) / 2, net)


def _moving_minimum(background: Floats, layout: GridLayout | None) -> Floats:
    if layout is None or layout.spots != len(background):
        message = "The spots do not fill a grid of rows and columns, so that a spot's neighbours are not known."
        raise InputError(message, remedy="Use another background correction than movingmin.")
    four = (layout.block_rows, layout.block_columns, layout.spot_rows, layout.spot_columns)
    image = background.reshape(four).transpose(0, 2, 1, 3)
    rows, columns = four[0] * four[2], four[1] * four[3]
    padded = np.pad(image.reshape(rows, columns), 1, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).reshape(rows, columns, 9)
    smallest = np.fmin.reduce(around, axis=2)
    in_blocks = smallest.reshape(four[0], four[2], four[1], four[3]).transpose(0, 2, 1, 3)
    return np.asarray(in_blocks.reshape(-1), dtype=np.float64)


def fit_normexp(intensities: Floats, method: NormexpFit = NormexpFit.SADDLE) -> NormexpParameters:
    """Estimate noise and signal.

    Args:
        intensities: Foreground less background; NaN is left out.
        method: Saddle-point approximation, or the exact likelihood from there.

    Raises:
        LowQualityError: There are fewer than four intensities, all of them are equal, or no parameters fit.
    """
    seen = np.ascontiguousarray(intensities[~np.isnan(intensities)], dtype=np.float64)
    if len(seen) < FEWEST_INTENSITIES or not np.ptp(seen) > 0:
        message = f"{len(seen)} intensities, all of them equal or nearly none, do not tell signal from noise."
        raise LowQualityError(message, remedy=_OTHER_METHOD)
    parameters = _first_parameters(seen)
    distinct, codes = np.unique(seen, return_inverse=True)
    try:
        converged, _, _ = _intensity_fits.fit_normexp(distinct, codes.astype(np.int64), parameters)
    except ValueError as error:
        message = "The intensities look like nothing that normexp knows: its likelihood has no value."
        raise LowQualityError(message, remedy=_OTHER_METHOD) from error
    if method is NormexpFit.MLE:
        parameters, converged = _by_likelihood(seen, parameters)
    mu, log_sigma, log_alpha = parameters.tolist()
    return NormexpParameters(mu, float(np.exp(log_sigma)), float(np.exp(log_alpha)), converged)


def normexp_signal(intensities: Floats, parameters: NormexpParameters) -> Floats:
    """The signal that is expected behind each intensity: positive, NaN where the intensity is missing."""
    signal = np.empty(len(intensities), dtype=np.float64)
    contiguous = np.ascontiguousarray(intensities, dtype=np.float64)
    _intensity_fits.normexp_signal(contiguous, parameters.mu, parameters.sigma, parameters.alpha, signal)
    with np.errstate(invalid="ignore"):
        if (signal < 0).any():
            return np.maximum(signal, SMALLEST_SIGNAL)
    return signal


def _first_parameters(x: Floats) -> Floats:
    """Mean of the noise, logs of its deviation and of the signal's mean: where limma begins its search."""
    lowest, low, lower, highest = _quantiles(x, (0.0, 0.05, 0.1, 1.0))
    mu = low if low > lowest else lower if lower > lowest else lowest + 0.05 * (highest - lowest)
    noise = x[x < mu]
    variance = float(np.mean((noise - mu) ** 2)) if len(noise) else 0.0
    if not variance > 0:
        message = "The faintest intensities are all equal: there is no noise to tell the signal from."
        raise LowQualityError(message, remedy=_OTHER_METHOD)
    alpha = float(x.mean()) - mu
    return np.array([mu, np.log(variance) / 2, np.log(alpha if alpha > 0 else SMALLEST_SIGNAL)])


def _quantiles(x: Floats, shares: tuple[float, ...]) -> list[float]:
    """Of type 7. Between two equal values it is that value, to the last bit: ``x < quantile`` is asked later."""
    ordered = np.sort(x)
    result = []
    for share in shares:
        place = (len(x) - 1) * share
        below = int(place)
        above, part = min(below + 1, len(x) - 1), place - below
        low, high = float(ordered[below]), float(ordered[above])
        result.append(low if part == 0 or low == high else (1 - part) * low + part * high)
    return result


def _by_likelihood(x: Floats, saddle: Floats) -> tuple[Floats, bool]:
    """Newton's method, damped, from the saddle-point's parameters; these again if it finds nothing better."""
    now = saddle * np.array([1.0, 2.0, 1.0])  # log of the variance
    value, gradient, hessian = _likelihood(x, now)
    start, damping, converged = value, 0.0, False
    for _ in range(_MOST_NEWTON_STEPS):
        step = _newton_step(gradient, hessian, damping)
        tried_value, tried_gradient, tried_hessian = _likelihood(x, now - step)
        if np.isfinite(tried_value) and tried_value <= value:
            small = bool(np.all(np.abs(step) <= 1e-9 * (1.0 + np.abs(now))))
            now, value, gradient, hessian = now - step, tried_value, tried_gradient, tried_hessian
            damping = damping / 10 if damping > 1e-6 else 0.0
            if small:
                converged = True
                break
        elif damping > _LARGEST_DAMPING or bool(np.all(np.abs(step) <= 1e-12 * (1.0 + np.abs(now)))):
            converged = damping <= _LARGEST_DAMPING
            break
        else:
            damping = max(10 * damping, 1e-3)
    return (now * np.array([1.0, 0.5, 1.0]), converged) if value < start else (saddle, converged)


def _newton_step(gradient: Floats, hessian: Floats, damping: float) -> Floats:
    """Along the inverse of the Hessian, whose eigenvalues are made positive; towards the gradient as damping grows."""
    values, vectors = np.linalg.eigh(hessian)
    positive = np.maximum(np.abs(values), 1e-12 * np.abs(values).max(initial=1e-300)) * (1.0 + damping)
    return np.asarray(vectors @ ((vectors.T @ gradient) / positive), dtype=np.float64)


def _likelihood(x: Floats, parameters: Floats) -> tuple[float, Floats, Floats]:
    """Minus twice the log-likelihood with gradient and Hessian, in mu, log(sigma^2), log(alpha)."""
    sums = np.empty(10)
    _intensity_fits.normexp_likelihood(x, np.ascontiguousarray(parameters), sums)
    hessian = np.empty((3, 3))
    hessian[np.triu_indices(3)] = sums[4:]
    hessian.T[np.triu_indices(3)] = sums[4:]
    if not np.isfinite(sums).all():
        return np.inf, np.zeros(3), np.eye(3)
    return float(sums[0]), sums[1:4], hessian
