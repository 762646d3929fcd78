"""SCAN: single-channel array normalisation of one array at a time, and UPC, the probability of expression.

Piccolo et al. 2012 (doi:10.1016/j.ygeno.2012.08.003) and 2013 (doi:10.1073/pnas.1305823110). The background that a
probe's sequence explains is taken away, and what remains is divided by the spread of probes with a similar background.

Methods ``scan.upc`` and ``scan.upc-fast`` give the numbers of Bioconductor's SCAN.UPC 2.x (functions ``SCAN`` and
``SCANfast``), ``upc`` and ``upc-fast`` those of its ``UPC`` and ``UPCfast``. ``scan`` and ``scan-fast`` are the same
method without its slips; docs/affymetrix.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, LowQualityError
from refinebio_assets.microarray import _scan, _scan_ranks
from refinebio_assets.microarray.scan_design import Floats, ProbeDesign
from refinebio_assets.microarray.scan_mixture import Mixture, assign_bins, fit_mixture

GROUP_SIZE = 5000
"""Probes of similar background whose spread is estimated together."""
LARGEST_SHARE_OF_ZEROS = 0.01
TRIMMED_SHARE = 0.1
DECIMALS = 8
"""SCAN.UPC rounds probes and probe sets to these."""
LEAST_PROBES = 500
"""The model has 210 parameters; SCAN.UPC needs 5,000 probes."""


@dataclass(frozen=True)
class ScanMethod:
    """A version of the method.

    Attributes:
        name: As the command line and provenance have it.
        sampled_probes: The mixture is fitted to every k-th probe, so that at least about this many remain.
        threshold: Largest relative change of a parameter at which the iteration ends.
        as_scan_upc: With SCAN.UPC's slips, number for number.
        probabilities: UPC (0 to 1) instead of standardised values.
    """

    name: str
    sampled_probes: int
    threshold: float
    as_scan_upc: bool
    probabilities: bool = False

    def parameters(self) -> dict[str, Any]:
        """What provenance records beside the name."""
        return {
            "sampled_probes": self.sampled_probes,
            "convergence_threshold": self.threshold,
            "group_size": GROUP_SIZE,
            "trim": TRIMMED_SHARE,
        }


_FULL, _FAST = (50_000, 0.01), (10_000, 0.5)
METHODS: Mapping[str, ScanMethod] = MappingProxyType(
    {
        method.name: method
        for method in (
            ScanMethod("scan", *_FULL, as_scan_upc=False),
            ScanMethod("scan-fast", *_FAST, as_scan_upc=False),
            ScanMethod("scan.upc", *_FULL, as_scan_upc=True),
            ScanMethod("scan.upc-fast", *_FAST, as_scan_upc=True),
            ScanMethod("upc", *_FULL, as_scan_upc=True, probabilities=True),
            ScanMethod("upc-fast", *_FAST, as_scan_upc=True, probabilities=True),
        )
    }
)
DEFAULT_METHOD = "scan-fast"


@dataclass(frozen=True)
class ScanFit:
    """How the mixture was fitted to one array.

    Attributes:
        method: The method's name.
        probes: How many probes the array has.
        sampled: How many of them the mixture was fitted to.
        iterations: Of expectation-maximisation.
        converged: False if it was stopped at 100 iterations.
        background_share: Share of probes that measure background.
        share_of_zeros: Share of probes with intensity 0.
        explained_share: Share of the variance of log2 intensities that the background model accounts for (R squared).
        tie_breaks: How often noise was added to equal values to get 25 bins; it is R's, and the same every time.
    """

    method: str
    probes: int
    sampled: int
    iterations: int
    converged: bool
    background_share: float
    share_of_zeros: float
    explained_share: float
    tie_breaks: int


def scan(intensities: NDArray[Any], design: ProbeDesign, method: ScanMethod | str) -> tuple[Floats, ScanFit]:
    """Standardise the probes of one array.

    Args:
        intensities: One per probe of ``design``, not negative, not log-transformed, any real dtype. The order
            matters: the mixture is fitted to every k-th probe. SCAN.UPC has probes in the order of their cells
            (y * columns + x).
        design: The probes' sequences.
        method: One of :data:`METHODS`, or its name.

    Returns:
        float64 per probe: standard deviations from the background expected of its sequence, or (``upc``)
        probabilities of being expressed; and how the fit went.

    Raises:
        LowQualityError: More than 1 % of the probes have intensity 0.
        InputError: Intensities that are negative or no numbers, too few probes, or sequences too alike to be modelled.
    """
    version = METHODS[method] if isinstance(method, str) else method
    y, share_of_zeros = _logarithms(intensities, design)
    part = sampled_probes(len(y), version)
    sampled = y[part].copy()
    mixture = fit_mixture(sampled, design.take(part), threshold=version.threshold, as_scan_upc=version.as_scan_upc)
    background = design.fitted(mixture.coefficients[0])
    values, tie_breaks = _values(y, design, background, mixture, version)
    residuals = sampled - background[part]
    fit = ScanFit(
        method=version.name,
        probes=len(y),
        sampled=len(sampled),
        iterations=mixture.iterations,
        converged=mixture.converged,
        background_share=float(mixture.shares[0]),
        share_of_zeros=share_of_zeros,
        explained_share=_explained(sampled, residuals),
        tie_breaks=mixture.tie_breaks + tie_breaks,
    )
    return values, fit


def sampled_probes(probes: int, method: ScanMethod) -> slice:
    """Which of an array's probes the mixture is fitted to: every k-th, at least as many as the method asks for."""
    return slice(None, None, max(probes // method.sampled_probes, 1))


def summarize(values: Floats, members: NDArray[np.int32], starts: NDArray[np.int64]) -> Floats:
    """The mean of each probe set without the lowest and highest tenth of its probes, rounded to 8 decimals.

    Args:
        values: float64 per probe.
        members: Places in ``values``, probe set after probe set.
        starts: Where in ``members`` each probe set starts, and the end.

    Returns:
        float64 per probe set; NaN for one without probes.
    """
    means = np.empty(len(starts) - 1)
    _scan_ranks.trimmed_means(values, members, starts, means, TRIMMED_SHARE)
    return np.round(means, DECIMALS)


def _logarithms(intensities: NDArray[Any], design: ProbeDesign) -> tuple[Floats, float]:
    """log2 of the intensities (plus 1 where the least is 0), and the share of zeros."""
    raw = np.array(intensities, dtype=np.float64)
    if raw.shape != (len(design),):
        message = f"intensities have shape {raw.shape}, there are {len(design)} probes"
        raise ValueError(message)
    if len(raw) < LEAST_PROBES:
        message = f"The array has {len(raw)} probes of 25 letters; the model needs at least {LEAST_PROBES}."
        raise InputError(message, remedy="Check that the probe table holds the whole chip.")
    lowest = float(raw.min())
    if not (lowest >= 0.0 and np.isfinite(raw.max())):
        message = "Intensities must be numbers of 0 or more."
        raise InputError(message, remedy="Give raw scanner intensities: no logarithms, no background subtraction.")
    share = 0.0
    if lowest == 0.0:
        share = float(np.count_nonzero(raw == 0.0)) / len(raw)
        if share > LARGEST_SHARE_OF_ZEROS:
            message = (
                f"{share:.1%} of the probes have intensity 0, more than {LARGEST_SHARE_OF_ZEROS:.0%}: "
                "parts of the array were not hybridised, not scanned, or masked."
            )
            raise LowQualityError(message, remedy="Leave this array out, or look for another scan of it.")
        raw += 1.0
    _scan.log2(raw, raw)
    return raw, share


def _values(
    y: Floats, design: ProbeDesign, background: Floats, mixture: Mixture, method: ScanMethod
) -> tuple[Floats, int]:
    """What is reported per probe, and how often ties had to be broken."""
    if method.probabilities:
        bins, tie_breaks = assign_bins(background)
        fitted = (background, design.fitted(mixture.coefficients[1]))
        return np.round(mixture.signal_probabilities(y, fitted, bins), DECIMALS), tie_breaks
    out = np.empty(len(y))
    starts = _group_starts(len(y), as_scan_upc=method.as_scan_upc)
    _scan_ranks.standardize(y, background, out, starts, method.as_scan_upc)
    return np.round(out, DECIMALS, out=out), 0


def _group_starts(probes: int, *, as_scan_upc: bool) -> NDArray[np.int64]:
    """Ranks at which groups start.

    SCAN.UPC's groups are the ranks 5000 i to 5000 i + 5000 (from 1, both ends included) for i = 1, 2 …: the lowest
    4,999 probes are in none. Otherwise all probes are divided into groups of equal size, 5,000 as nearly as possible.
    """
    if as_scan_upc:
        if probes < GROUP_SIZE:
            message = f"SCAN.UPC needs at least {GROUP_SIZE} probes; this array has {probes}."
            raise InputError(message, remedy="Use the method scan or scan-fast.")
        return np.arange(1, probes // GROUP_SIZE + 1, dtype=np.int64) * GROUP_SIZE - 1
    groups = max(round(probes / GROUP_SIZE), 1)
    return np.arange(1, groups, dtype=np.int64) * probes // groups


def _explained(y: Floats, residuals: Floats) -> float:
    total = float(np.var(y))
    return 1.0 - float(np.var(residuals)) / total if total > 0.0 else 0.0
