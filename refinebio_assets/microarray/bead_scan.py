"""SCAN of BeadArrays: what a probe's 50 bases explain of its brightness is taken away, one array at a time.

The mixture is that of Piccolo et al. 2012 (:mod:`.scan_mixture`); the design has 50 positions instead of 25, and groups
of probes with a similar background, which are standardised together, are smaller.

Method ``refinebio-1`` gives the numbers of refine.bio's ``illumina.R`` (function ``scanNorm``) with all its slips, for
background-corrected logarithms as that program makes them; ``bead-scan`` is the method without them. docs/illumina.md
lists the differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray import _bead_scan, _scan_ranks
from refinebio_assets.microarray.scan_mixture import BINS, fit_mixture
from refinebio_assets.microarray.scan_noise import r_normal_numbers

Floats = NDArray[np.float64]

BEAD_SCAN, REFINEBIO_1 = "bead-scan", "refinebio-1"

PROBE_LENGTH = 50
GROUP_SIZES = {BEAD_SCAN: 1000, REFINEBIO_1: 50}
"""Probes of similar background whose spread is estimated together. Of 50 it is mostly chance: replicates agree less,
and every sixth gene of a titration is out of order (docs/illumina.md)."""
SAMPLED_PROBES = 10_000
"""The mixture is fitted to every k-th probe, so that at least about this many remain."""
CONVERGENCE_THRESHOLDS = {BEAD_SCAN: 0.01, REFINEBIO_1: 0.5}
"""``refinebio-1``: largest relative change of a parameter; ``bead-scan``: change of the fitted background in its
standard deviations."""
LEAST_PROBES = 1000
"""refine.bio's; the model has 362 parameters."""
DECIMALS = 8
COEFFICIENTS = 155

_LETTERS = np.frombuffer(b"ACGT", np.uint8)
_OFFSET_OF_T = 60  # refine.bio counts T from 60 bases; the model is the same, its coefficients are others
_NOISE = 1e-7
_NOISE_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class BeadDesign:
    """The sequences of probes as the linear model sees them. One per platform, shared by its arrays.

    Attributes:
        codes: probes x 25, uint8: two bases each, 4 * first + second with A, C, G, T = 0 to 3.
        numbers: probes x 5, float64: the number of T, and the squared numbers of A, C, G and T.
    """

    codes: NDArray[np.uint8]
    numbers: Floats

    @classmethod
    def from_sequences(cls, sequences: Sequence[str]) -> BeadDesign:
        """The design of probes in the order given.

        Args:
            sequences: 50 letters A, C, G, T each; lower case is understood.

        Raises:
            InputError: One is something else.
        """
        usable = usable_sequences(sequences)
        if not usable.all():
            at = int(np.argmin(usable))
            message = f"{sequences[at][:60]!r} is no sequence of {PROBE_LENGTH} letters A, C, G, T."
            raise InputError(message, remedy="Leave such probes out.")
        letters = np.frombuffer("".join(sequences).upper().encode("ascii"), np.uint8).reshape(-1, PROBE_LENGTH)
        bases = np.searchsorted(_LETTERS, letters).astype(np.uint8)
        counts = np.array([(bases == base).sum(axis=1) for base in range(3)], dtype=np.float64)
        of_t = _OFFSET_OF_T - counts.sum(axis=0)
        numbers = np.array([of_t, *counts**2, of_t**2]).T
        return cls(np.ascontiguousarray(4 * bases[:, 0::2] + bases[:, 1::2]), np.ascontiguousarray(numbers))

    def __len__(self) -> int:
        """The number of probes."""
        return len(self.codes)

    def take(self, which: NDArray[Any] | slice) -> BeadDesign:
        """The design of some of the probes: a mask, places or a slice."""
        return BeadDesign(np.ascontiguousarray(self.codes[which]), np.ascontiguousarray(self.numbers[which]))

    def fitted(self, coefficients: Floats) -> Floats:
        """The model's value of every probe; equal sequences have equal values to the last bit."""
        values = np.empty(len(self))
        _bead_scan.predict(self.codes, self.numbers, values, coefficients)
        return values

    def least_squares(self, y: Floats, weights: Floats) -> Floats:
        """The 155 coefficients that minimise the weighted squared residuals of ``y``.

        Raises:
            InputError: The probes do not determine them.
        """
        coefficients = np.empty(COEFFICIENTS)
        if not _bead_scan.least_squares(self.codes, self.numbers, weights, y, coefficients):
            message = (
                "The probe sequences do not determine the model's 155 coefficients: they are too few or too alike."
            )
            raise InputError(message, remedy="Check that the platform table holds the whole array.")
        return coefficients


def usable_sequences(sequences: Sequence[str]) -> NDArray[np.bool_]:
    """Which are 50 letters A, C, G, T."""
    letters = frozenset("ACGTacgt")
    return np.array([len(one) == PROBE_LENGTH and letters.issuperset(one) for one in sequences], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class BeadScanFit:
    """How the mixture was fitted to one array.

    Attributes:
        method: ``bead-scan`` or ``refinebio-1``.
        probes: How many the array has.
        sampled: How many of them the mixture was fitted to.
        iterations: Of expectation-maximisation.
        converged: False if it was stopped at 100 iterations.
        background_share: Share of probes that measure background.
        explained_share: Share of the variance of the logarithms that the background model accounts for (R squared).
    """

    method: str
    probes: int
    sampled: int
    iterations: int
    converged: bool
    background_share: float
    explained_share: float


def parameters(method: str) -> dict[str, Any]:
    """What provenance records beside the method's name."""
    return {
        "sampled_probes": SAMPLED_PROBES,
        "convergence_threshold": CONVERGENCE_THRESHOLDS[method],
        "group_size": GROUP_SIZES[method],
        "bins": BINS,
    }


def bead_scan(values: Floats, design: BeadDesign, method: str = BEAD_SCAN) -> tuple[Floats, BeadScanFit]:
    """Standardise the probes of one array.

    Args:
        values: log2 intensities, background-corrected, one per probe of ``design``, finite. Their order matters: the
            mixture is fitted to every k-th probe.
        design: The probes' sequences.
        method: ``bead-scan``, or ``refinebio-1`` for refine.bio's numbers.

    Returns:
        float64 per probe: standard deviations from the background expected of its sequence, rounded to 8 decimals; and
        how the fit went.

    Raises:
        InputError: There are too few probes, values that are no numbers, or sequences too alike to be modelled.
    """
    y = np.array(values, dtype=np.float64)
    if y.shape != (len(design),):
        message = f"{y.shape} values for {len(design)} probes"
        raise ValueError(message)
    if len(y) < LEAST_PROBES:
        message = f"{len(y)} probes have a sequence; SCAN needs at least {LEAST_PROBES}."
        raise InputError(message, remedy="Check that the platform table is that of the array.")
    if not np.isfinite(y).all():
        message = "Some values are no numbers."
        raise InputError(message, remedy="Leave probes without a value out.")
    as_original = method == REFINEBIO_1
    if as_original:
        y += _noise(len(y))
    part = slice(None, None, max(len(y) // SAMPLED_PROBES, 1))
    sampled = y[part].copy()
    mixture = fit_mixture(
        sampled,
        design.take(part),
        threshold=CONVERGENCE_THRESHOLDS[method],
        as_scan_upc=as_original,
        by_fitted=not as_original,
    )
    background = design.fitted(mixture.coefficients[0])
    out = np.empty(len(y))
    _scan_ranks.standardize(y, background, out, _group_starts(len(y), as_original=as_original), as_original)
    total = float(np.var(sampled))
    fit = BeadScanFit(
        method=method,
        probes=len(y),
        sampled=len(sampled),
        iterations=mixture.iterations,
        converged=mixture.converged,
        background_share=float(mixture.shares[0]),
        explained_share=1.0 - float(np.var(sampled - background[part])) / total if total > 0.0 else 0.0,
    )
    return np.round(out, DECIMALS), fit


@lru_cache(maxsize=2)
def _noise(probes: int) -> Floats:
    """What refine.bio adds, the same for each array of a size."""
    return r_normal_numbers(probes, _NOISE_SEED) * _NOISE


def _group_starts(probes: int, *, as_original: bool) -> NDArray[np.int64]:
    """Ranks at which groups start.

    refine.bio's groups are the ranks 50 i to 50 i + 50 (from 1, both ends included) for i = 1, 2 …: the lowest 49
    probes are in none, and the last group may have a single one. Otherwise all groups are of equal size.
    """
    if as_original:
        size = GROUP_SIZES[REFINEBIO_1]
        return np.arange(1, probes // size + 1, dtype=np.int64) * size - 1
    groups = max(round(probes / GROUP_SIZES[BEAD_SCAN]), 1)
    return np.arange(1, groups, dtype=np.int64) * probes // groups
