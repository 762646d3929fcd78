"""How values are distributed, counted in bins that are fixed beforehand so that samples need to come only once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.expression_store import Floats
from refinebio_assets.compendia.quality_sampling import rounded

LOWEST, HIGHEST, BINS_PER_UNIT = -16, 32, 16
"""Values of a log2 scale; what lies outside is counted in the outermost bin."""
BINS = (HIGHEST - LOWEST) * BINS_PER_UNIT

Counts = NDArray[np.int64]


def count_in_bins(values: Floats) -> Counts:
    """How many of some values (none of them NaN) each bin has."""
    scaled = np.clip(values, np.float32(LOWEST), np.float32(HIGHEST - 1e-3))
    scaled -= np.float32(LOWEST)
    scaled *= np.float32(BINS_PER_UNIT)
    return np.bincount(scaled.astype(np.intp), minlength=BINS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """The values of some samples, by bin.

    Attributes:
        label: Whose they are.
        samples: How many.
        before: Counts before quantile normalisation.
        after: Counts after it.
        zeros: Exact zeros before quantile normalisation; they are in ``before``, too.
    """

    label: str
    samples: int
    before: Counts
    after: Counts
    zeros: int

    def quantiles(self) -> dict[str, Any]:
        """Median and quartiles before and after, to the width of a bin, as JSON."""
        return {
            "samples": self.samples,
            "zeros": self.zeros,
            "before": [_quantile(self.before, part) for part in (0.25, 0.5, 0.75)],
            "after": [_quantile(self.after, part) for part in (0.25, 0.5, 0.75)],
        }


def _quantile(counts: Counts, part: float) -> float | None:
    """The middle of the bin in which a quantile lies."""
    total = int(counts.sum())
    if not total:
        return None
    place = int(np.searchsorted(np.cumsum(counts), part * total))
    return rounded(LOWEST + (place + 0.5) / BINS_PER_UNIT)


def all_of(densities: tuple[Density, ...]) -> Density:
    """All of them as one."""
    return Density(
        label="all",
        samples=sum(density.samples for density in densities),
        before=np.sum([density.before for density in densities], axis=0),
        after=np.sum([density.after for density in densities], axis=0),
        zeros=sum(density.zeros for density in densities),
    )
