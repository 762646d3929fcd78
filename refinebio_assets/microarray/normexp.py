"""Background correction of BeadArrays by a normal + exponential convolution, with limma's semantics.

An observed intensity is background (normal) plus signal (exponential); the corrected one is the expected signal given
the observed (Ritchie et al. 2007, doi:10.1093/bioinformatics/btm412). Mean and deviation of the background are those of
negative controls (Shi, Oshlack & Smyth 2010, doi:10.1093/nar/gkq871): given ones, or, where a file has none, those that
its detection p-values imply, since a p-value is the share of negative controls brighter than the probe.

``nec`` and ``neqc`` give the numbers of the functions of these names in Bioconductor's limma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.quantile_normalization import quantile_normalize, quantile_target
from refinebio_assets.domain.errors import InputError, LowQualityError

Floats = NDArray[np.float64]

OFFSET = 16.0
"""Added to corrected intensities, so that their logarithms vary less (limma's default)."""

LEAST_ALPHA = 10.0
"""The mean signal is at least this."""

SMALLEST_SIGNAL = 1e-6
FEWEST_P_VALUES = 3
FEWEST_CONTROLS = 2

_FAR = -8.0  # below it the ratio of density and distribution is a continued fraction
_FRACTION_TERMS = 60


@dataclass(frozen=True, slots=True)
class NormexpParameters:
    """The model of one array.

    Attributes:
        mu: Mean of the background.
        sigma: Its standard deviation.
        alpha: Mean of the signal.
    """

    mu: float
    sigma: float
    alpha: float


def fit_detection_p(signal: Floats, detection: Floats, *, rises_with_signal: bool | None = None) -> NormexpParameters:
    """The model that an array's detection p-values imply (limma's ``normexp.fit.detection.p``).

    Between two probes whose p-values differ lie as many negative controls as the p-values differ by.

    Args:
        signal: Intensities, float64; NaN is left out.
        detection: p-values of the same probes.
        rises_with_signal: They are ``1 - p``; told by the brightest and the darkest probe if None.

    Raises:
        LowQualityError: The p-values have fewer than three different values, or no spread of controls follows.
    """
    known = ~(np.isnan(signal) | np.isnan(detection))
    y, p = signal[known], detection[known]
    if not len(y):
        message = "No probe has both a signal and a detection p-value."
        raise LowQualityError(message, remedy="Leave the sample out, or look at its columns.")
    if rises_with_signal is None:
        rises_with_signal = bool(p[y.argmax()] >= p[y.argmin()])
    p = p if rises_with_signal else 1.0 - p
    order = np.lexsort((y, p))
    y, p = y[order], p[order]
    at = np.flatnonzero(np.diff(p) != 0.0) + 1
    if len(at) < FEWEST_P_VALUES - 1:
        message = f"The detection p-values have only {len(at) + 1} different values: no background can be estimated."
        raise LowQualityError(message, remedy="Leave the sample out, or give negative controls.")
    between = (y[at] + y[at - 1]) / 2.0
    weights = p[at] - p[at - 1]
    weights = weights / weights.min()
    controls = weights.sum()
    mu = float(np.average(between, weights=weights))
    variance = float(np.average((between - mu) ** 2, weights=weights) * controls / (controls - 1.0))
    return _checked(mu, variance, float(np.nanmean(signal)))


def fit_controls(signal: Floats, controls: Floats) -> NormexpParameters:
    """The model by negative controls (limma's ``normexp.fit.control``).

    Args:
        signal: Intensities of the probes.
        controls: Intensities of the negative controls of the same array.

    Raises:
        InputError: There are fewer than two controls.
        LowQualityError: They are all alike.
    """
    values = controls[~np.isnan(controls)]
    if len(values) < FEWEST_CONTROLS:
        message = f"There are {len(values)} negative controls; at least {FEWEST_CONTROLS} are needed."
        raise InputError(message, remedy="Give the control probe profile of the same arrays.")
    return _checked(float(values.mean()), float(values.var(ddof=1)), float(np.nanmean(signal)))


def _checked(mu: float, variance: float, mean: float) -> NormexpParameters:
    if not (variance > 0.0 and math.isfinite(variance) and math.isfinite(mean)):
        message = "The background of this array has no spread that could be estimated."
        raise LowQualityError(message, remedy="Leave the sample out, or give negative controls.")
    return NormexpParameters(mu, math.sqrt(variance), max(mean - mu, LEAST_ALPHA))


def normexp_signal(values: Floats, parameters: NormexpParameters) -> Floats:
    """The expected signals given the intensities (limma's ``normexp.signal``); never below 1e-6."""
    sigma = parameters.sigma
    z = (values - parameters.mu) / sigma - sigma / parameters.alpha
    return np.asarray(np.where(np.isnan(z), np.nan, np.maximum(sigma * _mean_above_zero(z), SMALLEST_SIGNAL)))


def _mean_above_zero(z: Floats) -> Floats:
    """Mean of a normal variable of mean z and variance 1, given that it is above zero: z + density / distribution."""
    result = np.array(z, dtype=np.float64)
    near = z >= _FAR
    some = z[near]
    density = np.exp(-0.5 * some**2) / math.sqrt(2.0 * math.pi)
    distribution = 0.5 * np.fromiter(map(math.erfc, (some / -math.sqrt(2.0)).tolist()), np.float64, len(some))
    result[near] = some + density / distribution
    far = z < _FAR
    t = -z[far]
    fraction = np.zeros_like(t)
    for term in range(_FRACTION_TERMS, 1, -1):  # Laplace: density / tail = t + 1 / (t + 2 / (t + 3 / ...))
        fraction = term / (t + fraction)
    result[far] = 1.0 / (t + fraction)
    return result


def nec(
    signal: Floats, detection: Floats | None = None, *, controls: Floats | None = None, offset: float = OFFSET
) -> tuple[Floats, list[NormexpParameters]]:
    """Correct the background of arrays (limma's ``nec``).

    Args:
        signal: samples x probes, float64, not logarithms.
        detection: samples x probes, detection p-values in either direction; the first sample tells in which.
        controls: samples x negative controls; used instead of p-values if given.
        offset: Added at the end.

    Returns:
        samples x probes, corrected intensities, not logarithms; and the model of each sample.

    Raises:
        InputError: Neither p-values nor controls are given, or there are too few controls.
        LowQualityError: The background of a sample cannot be estimated.
    """
    if controls is not None:
        models = [fit_controls(*both) for both in zip(signal, controls, strict=True)]
    elif detection is not None:
        first = _rises(signal[0], detection[0])
        models = [fit_detection_p(y, p, rises_with_signal=first) for y, p in zip(signal, detection, strict=True)]
    else:
        message = "The background can be estimated only from detection p-values or negative controls."
        raise InputError(message, remedy="Give a table with detection p-values, or the control probe profile.")
    corrected = np.array([normexp_signal(row, model) for row, model in zip(signal, models, strict=True)])
    return corrected + offset, models


def _rises(signal: Floats, detection: Floats) -> bool:
    known = ~(np.isnan(signal) | np.isnan(detection))
    y, p = signal[known], detection[known]
    return bool(len(y)) and bool(p[y.argmax()] >= p[y.argmin()])


def neqc(
    signal: Floats, detection: Floats | None = None, *, controls: Floats | None = None, offset: float = OFFSET
) -> tuple[Floats, list[NormexpParameters]]:
    """Correct the background, give all samples one distribution, take logarithms (limma's ``neqc``).

    Args:
        signal: As for :func:`nec`.
        detection: As for :func:`nec`.
        controls: As for :func:`nec`; they take part in the distribution.
        offset: As for :func:`nec`.

    Returns:
        samples x probes, log2 intensities; and the model of each sample.
    """
    corrected, models = nec(signal, detection, controls=controls, offset=offset)
    together = corrected
    if controls is not None:
        rows = zip(controls, models, strict=True)
        together = np.concatenate([corrected, np.array([normexp_signal(*row) for row in rows]) + offset], axis=1)
    normalised = quantile_normalize(together, quantile_target([together]))
    return np.log2(normalised[:, : signal.shape[1]]), models
