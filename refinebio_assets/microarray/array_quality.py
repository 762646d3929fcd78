"""What the arrays of an experiment look like beside each other: agreement with the median array, copies, empty ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

LEAST_CORRELATION = 0.5
"""Below it an array looks like none of its experiment; arrays of one tissue correlate by 0.9 and more."""
LEAST_ARRAYS = 3
"""With two arrays, each is as far from their median as the other."""
MOST_POINTS = 4000
"""Points of an MA plot; 20,000 hide each other."""

Matrix = NDArray[np.float32]


def correlation_to_median(matrix: Matrix) -> NDArray[np.float64]:
    """Pearson's correlation of each array with the gene-wise median of all.

    Args:
        matrix: samples x genes; NaN where a gene is not on the array.

    Returns:
        One per sample; NaN for fewer than three arrays, and for arrays without spread.
    """
    correlations = np.full(len(matrix), np.nan)
    if len(matrix) < LEAST_ARRAYS:
        return correlations
    with np.errstate(invalid="ignore"):
        median = np.nanmedian(matrix, axis=0) if np.isnan(matrix).any() else np.median(matrix, axis=0)
    for number, row in enumerate(matrix):
        both = np.isfinite(row) & np.isfinite(median)
        correlations[number] = pearson(row[both], median[both])
    return correlations


def pearson(left: NDArray[np.floating], right: NDArray[np.floating]) -> float:
    """Pearson's correlation; NaN if one side has no spread."""
    if len(left) < 2:
        return float("nan")
    a, b = left.astype(np.float64), right.astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread > 0.0 else float("nan")


def content_hash(genes: Sequence[str], values: NDArray[np.float32]) -> str:
    """A hash of genes and values: two samples of one hash are one array submitted twice."""
    digest = hashlib.sha256("\n".join(genes).encode())
    digest.update(np.ascontiguousarray(values, dtype="<f4").tobytes())
    return digest.hexdigest()


def duplicates(hashes: Mapping[str, str]) -> dict[str, str]:
    """The samples that repeat another one, each with the first sample (by accession) of its content."""
    first: dict[str, str] = {}
    repeated: dict[str, str] = {}
    for sample in sorted(hashes):
        original = first.setdefault(hashes[sample], sample)
        if original != sample:
            repeated[sample] = original
    return repeated


def has_signal(values: NDArray[np.floating]) -> bool:
    """Whether values are there and differ."""
    finite = values[np.isfinite(values)]
    return len(finite) > 1 and float(np.ptp(finite)) > 0.0


def ma_points(matrix: Matrix, sample: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (A) and difference (M) of a sample's values and the median array, at most :data:`MOST_POINTS` of them."""
    median = np.nanmedian(matrix.astype(np.float64), axis=0)
    row = matrix[sample].astype(np.float64)
    both = np.flatnonzero(np.isfinite(row) & np.isfinite(median))
    chosen = both[:: max(1, len(both) // MOST_POINTS)]
    return (row[chosen] + median[chosen]) / 2, row[chosen] - median[chosen]
