"""The mixture of SCAN: each probe's log2 intensity is background or signal, both linear in its sequence.

Expectation-maximisation as in Piccolo et al. 2012: two linear models (:mod:`.scan_design`), whose variances depend on
the bin of the background's fitted value (25 bins of equal size), and one share of background probes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray import _scan, _scan_ranks
from refinebio_assets.microarray.scan_design import Floats, ProbeDesign
from refinebio_assets.microarray.scan_noise import r_normal_numbers

BINS = 25
MOST_ITERATIONS = 100
_WEIGHT_IN_VARIANCES = 0.01
"""Added to responsibilities when variances are estimated, so that no bin is without weight."""
_TIE_BREAK = 1e-7
_MOST_TIE_BREAKS = 10


@dataclass(frozen=True, eq=False)
class Mixture:
    """Parameters of the two components: background first, signal second.

    Attributes:
        shares: Of the probes, 2.
        coefficients: 2 x 80.
        variances: Squared log2 units, 2 x 25 bins.
        iterations: How many were done.
        converged: Whether the parameters had settled before the last allowed iteration.
        tie_breaks: How often noise was added because equal values left fewer than 25 bins.
    """

    shares: Floats
    coefficients: Floats
    variances: Floats
    iterations: int
    converged: bool
    tie_breaks: int

    def signal_probabilities(self, y: Floats, fitted: tuple[Floats, Floats], bins: NDArray[np.uint8]) -> Floats:
        """Per probe the probability that it measures signal rather than background."""
        return 1.0 - self._background(y, fitted, bins)

    def _background(self, y: Floats, fitted: tuple[Floats, Floats], bins: NDArray[np.uint8]) -> Floats:
        background = np.empty(len(y))
        _scan.responsibilities(y, *fitted, bins, background, self.variances, self.shares)
        return background


def assign_bins(values: Floats) -> tuple[NDArray[np.uint8], int]:
    """25 bins of equal size, from the lowest to the highest value.

    Where equal values leave fewer bins, normal noise of 1e-7 is added to all values, with R's generator and the seeds
    1, 2, 3 … until there are 25, as SCAN.UPC does.

    Returns:
        The bin of every value (0 to 24), and how many times noise was added.

    Raises:
        InputError: Too few different values.
    """
    bins = np.empty(len(values), np.uint8)
    for seed in range(1, _MOST_TIE_BREAKS + 2):
        if len(values) >= BINS and _scan_ranks.quantile_bins(values, bins, BINS) == BINS:
            return bins, seed - 1
        values = values + r_normal_numbers(len(values), seed) * _TIE_BREAK
    message = f"{len(values)} probes cannot be divided into {BINS} bins by brightness."
    raise InputError(message, remedy="Check that the probe table holds the whole chip.")


def fit_mixture(y: Floats, design: ProbeDesign, *, threshold: float, as_scan_upc: bool) -> Mixture:
    """Fit the mixture to the log2 intensities of some probes.

    Args:
        y: log2 intensities, float64, finite.
        design: Of the same probes.
        threshold: The iteration ends when no parameter changes by more than this share of itself.
        as_scan_upc: Reproduce SCAN.UPC: the first variances of the signal are weighted by the background's
            responsibilities, and a change is divided by the signed old value, so that parameters below zero never
            count. Otherwise the signal's own responsibilities and absolute values are taken.

    Raises:
        InputError: The probes do not determine the model, or all of them end up in one component.
    """
    middle = np.partition(y, len(y) // 2 - 2)[len(y) // 2 - 2] if len(y) >= 2 * BINS else np.inf
    background = (y <= middle).astype(np.float64)
    bins, tie_breaks = assign_bins(y)
    shares = _shares(background)
    coefficients = [design.least_squares(y, background), design.least_squares(y, 1.0 - background)]
    fitted = (design.fitted(coefficients[0]), design.fitted(coefficients[1]))
    of_signal = background if as_scan_upc else 1.0 - background
    variances = np.stack([_variances(y, fitted[0], background, bins), _variances(y, fitted[1], of_signal, bins)])
    old = np.concatenate([shares, coefficients[0], variances[0], coefficients[1], variances[1]])
    for iteration in range(1, MOST_ITERATIONS + 1):
        _scan.responsibilities(y, *fitted, bins, background, variances, shares)
        signal = 1.0 - background
        shares = _shares(background)
        coefficients[0] = design.least_squares(y, background / variances[0][bins])
        first = design.fitted(coefficients[0])
        bins, added = assign_bins(first)
        tie_breaks += added
        coefficients[1] = design.least_squares(y, signal / variances[1][bins])
        fitted = (first, design.fitted(coefficients[1]))
        variances = np.stack([_variances(y, fitted[0], background, bins), _variances(y, fitted[1], signal, bins)])
        new = np.concatenate([shares, coefficients[0], variances[0], coefficients[1], variances[1]])
        change = np.max(np.abs(new - old) / (old if as_scan_upc else np.abs(old)))
        if change <= threshold:
            break
        old = new
    return Mixture(shares, np.stack(coefficients), variances, iteration, bool(change <= threshold), tie_breaks)


def _shares(background: Floats) -> Floats:
    share = float(background.mean())
    if not 0.0 < share < 1.0:
        message = "Background and signal cannot be told apart: all probes look alike."
        raise InputError(message, remedy="Look at the image: the array may be blank or saturated.")
    return np.array([share, 1.0 - share])


def _variances(y: Floats, fitted: Floats, responsibility: Floats, bins: NDArray[np.uint8]) -> Floats:
    variances = np.empty(BINS)
    _scan.bin_variances(y, fitted, responsibility + _WEIGHT_IN_VARIANCES, bins, variances)
    return variances
