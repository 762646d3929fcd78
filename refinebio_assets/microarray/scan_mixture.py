"""The mixture of SCAN: each probe's log2 intensity is background or signal, both linear in its sequence.

Expectation-maximisation as in Piccolo et al. 2012: two linear models (:mod:`.scan_design`), whose variances depend on
the bin of the background's fitted value (25 bins of equal size), and one share of background probes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray import _scan, _scan_ranks
from refinebio_assets.microarray.scan_design import Floats
from refinebio_assets.microarray.scan_noise import r_normal_numbers

Bins = NDArray[np.uint8]

BINS = 25
MOST_ITERATIONS = 100
_WEIGHT_IN_VARIANCES = 0.01
"""Added to responsibilities when variances are estimated, so that no bin is without weight."""
_TIE_BREAK = 1e-7
_MOST_TIE_BREAKS = 10


class LinearDesign(Protocol):
    """A linear model of probes by their sequences: :class:`.scan_design.ProbeDesign`, or one of longer probes."""

    def fitted(self, coefficients: Floats, /) -> Floats:
        """The model's value of every probe."""
        ...

    def least_squares(self, y: Floats, weights: Floats, /) -> Floats:
        """The coefficients that minimise the weighted squared residuals of ``y``."""
        ...


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

    def signal_probabilities(self, y: Floats, fitted: tuple[Floats, Floats], bins: Bins) -> Floats:
        """Per probe the probability that it measures signal rather than background."""
        background = np.empty(len(y))
        _scan.responsibilities(y, *fitted, bins, background, self.variances, self.shares)
        return 1.0 - background


def assign_bins(values: Floats) -> tuple[Bins, int]:
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


def fit_mixture(
    y: Floats, design: LinearDesign, *, threshold: float, as_scan_upc: bool, by_fitted: bool = False
) -> Mixture:
    """Fit the mixture to the log2 intensities of some probes.

    Args:
        y: log2 intensities, float64, finite.
        design: Of the same probes.
        threshold: The iteration ends when no parameter changes by more than this share of itself.
        as_scan_upc: Reproduce SCAN.UPC: the first variances of the signal are weighted by the background's
            responsibilities, and a change is divided by the signed old value, so that parameters below zero never
            count. Otherwise the signal's own responsibilities and absolute values are taken.
        by_fitted: The iteration ends when the fitted background changes by less than ``threshold`` of its standard
            deviation (root mean square over the probes), whatever single coefficients near zero do.

    Raises:
        InputError: The probes do not determine the model, or all of them end up in one component.
    """
    state = _first_guess(y, design, as_scan_upc=as_scan_upc)
    change, iterations = np.inf, 0
    while change > threshold and iterations < MOST_ITERATIONS:
        old, state = state, _improved(state, y, design)
        change = _change_of_fit(old, state) if by_fitted else _change(old, state, signed=as_scan_upc)
        iterations += 1
    return Mixture(
        shares=state.shares,
        coefficients=np.stack(state.coefficients),
        variances=state.variances,
        iterations=iterations,
        converged=change <= threshold,
        tie_breaks=state.tie_breaks,
    )


@dataclass(frozen=True, eq=False)
class _State:
    """Parameters between two iterations, with what follows from them for the probes."""

    shares: Floats
    coefficients: tuple[Floats, Floats]
    variances: Floats
    fitted: tuple[Floats, Floats]
    bins: Bins
    tie_breaks: int

    def parameters(self) -> Floats:
        """All of them, one after the other."""
        return np.concatenate([self.shares, *self.coefficients, *self.variances])


def _change(old: _State, new: _State, *, signed: bool) -> float:
    """The largest change of a parameter as a share of its old value."""
    before = old.parameters()
    return float(np.max(np.abs(new.parameters() - before) / (before if signed else np.abs(before))))


def _change_of_fit(old: _State, new: _State) -> float:
    difference = float(np.mean((new.fitted[0] - old.fitted[0]) ** 2))
    return float(np.sqrt(difference / new.variances[0].mean()))


def _first_guess(y: Floats, design: LinearDesign, *, as_scan_upc: bool) -> _State:
    """The darker half of the probes is background, the other signal; bins are those of the intensities themselves."""
    bins, tie_breaks = assign_bins(y)
    middle = len(y) // 2 - 2  # SCAN.UPC: the value at rank floor(n / 2) - 1, counted from 1
    background = (y <= np.partition(y, middle)[middle]).astype(np.float64)
    signal = 1.0 - background
    coefficients = (design.least_squares(y, background), design.least_squares(y, signal))
    fitted = (design.fitted(coefficients[0]), design.fitted(coefficients[1]))
    weights = (background, background if as_scan_upc else signal)
    return _State(_shares(background), coefficients, _variances(y, fitted, weights, bins), fitted, bins, tie_breaks)


def _improved(state: _State, y: Floats, design: LinearDesign) -> _State:
    """One round of expectation and maximisation; bins follow the new background before the signal is fitted."""
    background = np.empty(len(y))
    _scan.responsibilities(y, *state.fitted, state.bins, background, state.variances, state.shares)
    signal = 1.0 - background
    shares = _shares(background)
    first = design.least_squares(y, background / state.variances[0][state.bins])
    fitted_first = design.fitted(first)
    bins, tie_breaks = assign_bins(fitted_first)
    second = design.least_squares(y, signal / state.variances[1][bins])
    fitted = (fitted_first, design.fitted(second))
    variances = _variances(y, fitted, (background, signal), bins)
    return _State(shares, (first, second), variances, fitted, bins, state.tie_breaks + tie_breaks)


def _shares(background: Floats) -> Floats:
    share = float(background.mean())
    if not 0.0 < share < 1.0:
        message = "Background and signal cannot be told apart: all probes look alike."
        raise InputError(message, remedy="Look at the image: the array may be blank or saturated.")
    return np.array([share, 1.0 - share])


def _variances(y: Floats, fitted: tuple[Floats, Floats], weights: tuple[Floats, Floats], bins: Bins) -> Floats:
    """Per component and bin the weighted mean square of the residuals, 2 x 25."""
    variances = np.empty((2, BINS))
    for component in (0, 1):
        of_bins = weights[component] + _WEIGHT_IN_VARIANCES
        _scan.bin_variances(y, fitted[component], of_bins, bins, variances[component])
    return variances
