"""Figures about the quality of a BeadArray sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DETECTED_BELOW = 0.05
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class SampleQuality:
    """Figures about one sample; None where they cannot be told.

    Attributes:
        missing: Share of probes without a value.
        detected: Share of probes with a detection p-value below 0.05.
        signal_median: Median of the intensities as they are in the table.
        signal_p95: Their 95th percentile.
        not_positive: Share of intensities of 0 or less.
        gc_correlation_before: Correlation of the logarithms of intensities with the number of G and C of the probes.
        gc_correlation_after: The same of the normalised values.
    """

    missing: float
    detected: float | None
    signal_median: float | None
    signal_p95: float | None
    not_positive: float
    gc_correlation_before: float | None
    gc_correlation_after: float | None


def sample_quality(signal: Floats, detection: Floats | None, values: Floats, gc: Floats | None) -> SampleQuality:
    """The figures of a sample.

    Args:
        signal: Intensities of its probes, not logarithms.
        detection: p-values, small for expressed probes.
        values: Normalised.
        gc: Number of G and C per probe, NaN where unknown.
    """
    known = signal[~np.isnan(signal)]
    p = None if detection is None else detection[~np.isnan(detection)]
    positive = np.where(signal > 0.0, signal, np.nan)
    return SampleQuality(
        missing=float(np.isnan(signal).mean()) if len(signal) else 0.0,
        detected=None if p is None or not len(p) else float((p < DETECTED_BELOW).mean()),
        signal_median=float(np.median(known)) if len(known) else None,
        signal_p95=float(np.quantile(known, 0.95)) if len(known) else None,
        not_positive=float((known <= 0.0).mean()) if len(known) else 0.0,
        gc_correlation_before=_correlation(np.log2(positive), gc),
        gc_correlation_after=_correlation(values, gc),
    )


def _correlation(values: Floats, gc: Floats | None) -> float | None:
    if gc is None:
        return None
    both = np.isfinite(values) & np.isfinite(gc)
    if int(both.sum()) < _FEWEST or not values[both].std() > 0.0 or not gc[both].std() > 0.0:
        return None
    return float(np.corrcoef(values[both], gc[both])[0, 1])
