"""SCAN for two-colour arrays: the two channels of one array, standardised and made uncorrelated.

A spot's two log2 intensities are centred and multiplied by the inverse square root of their covariance matrix, so that
each channel has mean 0 and variance 1 and the two are uncorrelated. Nothing but the array itself is needed.

``scan.upc-two-colour`` gives the numbers of ``SCAN_TwoColor`` of Bioconductor's SCAN.UPC 2.x (Piccolo et al. 2012,
doi:10.1016/j.ygeno.2012.08.003). It takes no account of probe sequences, estimates from control spots too, and fails
where an intensity is zero. ``scan-two-colour`` estimates from spots of genes only, one group of probes with about as
many G and C at a time where sequences are known, and leaves spots without intensity missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import LowQualityError
from refinebio_assets.microarray.agilent_array import Booleans
from refinebio_assets.microarray.agilent_table import Names
from refinebio_assets.microarray.loess import Floats
from refinebio_assets.microarray.two_colour import log2_or_missing

SCAN_TWO_COLOUR, SCAN_UPC_TWO_COLOUR = "scan-two-colour", "scan.upc-two-colour"
METHODS = (SCAN_TWO_COLOUR, SCAN_UPC_TWO_COLOUR)

SMALLEST_GROUP = 500
"""Probes whose covariance is estimated together; groups of fewer join the one with the nearest number of G and C."""
_SMALLEST_RATIO = 1e-12


def scan_two_colour(red: Floats, green: Floats) -> tuple[Floats, Floats]:
    """As SCAN.UPC's ``SCAN_TwoColor``.

    Args:
        red: Median intensities, positive, one per spot.
        green: The same.

    Returns:
        Standardised red (its ``Channel1``) and green (``Channel2``).

    Raises:
        LowQualityError: An intensity is missing, zero or less, or one channel follows from the other.
    """
    logs = np.stack([log2_or_missing(red), log2_or_missing(green)])
    missing = int(np.isnan(logs).any(axis=0).sum())
    if missing:
        message = f"{missing} spots have an intensity that is missing, zero or less."
        raise LowQualityError(message, remedy=f"Use {SCAN_TWO_COLOUR}, which leaves these missing.")
    whitened = _whitened(logs, logs)
    return whitened[0], whitened[1]


def scan_two_colour_by_composition(
    red: Floats, green: Floats, *, sequences: Names | None = None, is_control: Booleans | None = None
) -> tuple[Floats, Floats]:
    """The corrected method.

    Args:
        red: Median intensities, one per spot.
        green: The same.
        sequences: Probe sequences, empty where unknown; None if none is known.
        is_control: Spots that are not estimated from; None if all are.

    Returns:
        Standardised red and green, NaN where one of both intensities is missing, zero or less.

    Raises:
        LowQualityError: Too few spots have both, or one channel follows from the other.
    """
    logs = np.stack([log2_or_missing(red), log2_or_missing(green)])
    seen: Booleans = ~np.asarray(np.isnan(logs).any(axis=0), dtype=np.bool_)
    measured: Booleans = seen if is_control is None else seen & ~is_control
    result = np.full_like(logs, np.nan)
    groups = np.zeros(len(red), dtype=np.int64) if sequences is None else gc_groups(sequences, measured)
    for group in np.unique(groups[seen]):
        inside = seen & (groups == group)
        estimated = measured & (groups == group)
        result[:, inside] = _whitened(logs[:, inside], logs[:, estimated if estimated.any() else measured])
    return result[0], result[1]


def gc_groups(sequences: Names, measured: Booleans, *, smallest: int = SMALLEST_GROUP) -> NDArray[np.int64]:
    """Group probes by their number of G and C.

    Args:
        sequences: Probe sequences; what has none is a group of its own, or joins all others.
        measured: Spots that count for the size of a group.
        smallest: Groups with fewer of these join the nearest one that has as many.

    Returns:
        A number per spot: G and C of the group's probes; all 0 if no group is large enough.
    """
    counts = np.array([_gc(sequence) for sequence in sequences.tolist()], dtype=np.int64)
    present, sizes = np.unique(counts[measured & (counts >= 0)], return_counts=True)
    large = present[sizes >= smallest]
    if not len(large):
        return np.zeros(len(counts), dtype=np.int64)
    nearest = {count: int(large[np.abs(large - count).argmin()]) for count in np.unique(counts).tolist()}
    nearest[-1] = int(large[np.abs(large - np.median(counts[measured & (counts >= 0)])).argmin()])
    return np.array([nearest[count] for count in counts.tolist()], dtype=np.int64)


def _gc(sequence: str) -> int:
    """-1 without a sequence."""
    upper = sequence.upper()
    return upper.count("G") + upper.count("C") if upper else -1


def _whitened(logs: Floats, estimated: Floats) -> Floats:
    """2 x spots, centred and multiplied by the inverse square root of the covariance of other spots."""
    spots = estimated.shape[1]
    if spots < 3:
        message = f"Only {spots} spots have intensities in both channels."
        raise LowQualityError(message, remedy="Look at the scan.")
    values, vectors = np.linalg.eigh(np.cov(estimated))
    if not values[0] > _SMALLEST_RATIO * values[1]:
        message = "One channel follows from the other: there is nothing to separate."
        raise LowQualityError(message, remedy="Check that both channels were scanned.")
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    return np.asarray(inverse_root @ (logs - estimated.mean(axis=1, keepdims=True)), dtype=np.float64)
