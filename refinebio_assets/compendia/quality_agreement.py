"""Do array and RNA-seq agree? By samples that both measured, or, where there are none, by the genes' means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.expression_store import Floats
from refinebio_assets.compendia.quality_sampling import evenly_spaced, rounded
from refinebio_assets.domain.vocabulary import Technology

MOST_PAIRS = 100
FEWEST_GENES = 10

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's and Pearson's coefficients."""

    spearman: float
    pearson: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePair:
    """One biological sample, measured twice.

    Attributes:
        biosample: Its accession.
        array: Sample accession of the array.
        rna_seq: Sample accession of the sequencing run.
        genes: Measured (not imputed) in both.
        before: Agreement before quantile normalisation.
        after: Agreement after it.
        stranger: As ``after``, with another pair's RNA-seq; None if there is only one pair.
    """

    biosample: str
    array: str
    rna_seq: str
    genes: int
    before: Correlation
    after: Correlation
    stranger: Correlation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How the technologies agree.

    Attributes:
        pairs: Samples measured by both; none is the usual case.
        num_overlapping: How many there are, of which ``pairs`` has at most :data:`MOST_PAIRS`.
        genes: Genes whose means are compared.
        means: Mean of each of these genes by technology: (array, RNA-seq), before quantile normalisation.
        means_before: How these agree.
        means_after: How they agree after quantile normalisation.
    """

    pairs: tuple[SamplePair, ...]
    num_overlapping: int
    genes: int
    means: tuple[Doubles, Doubles]
    means_before: Correlation | None
    means_after: Correlation | None

    def to_dict(self) -> dict[str, Any]:
        """Medians over pairs, as JSON."""
        pairs = self.pairs
        strangers = [pair.stranger.spearman for pair in pairs if pair.stranger]
        return {
            "overlapping_samples": self.num_overlapping,
            "median_spearman_before": _median([pair.before.spearman for pair in pairs]),
            "median_spearman_after": _median([pair.after.spearman for pair in pairs]),
            "median_pearson_before": _median([pair.before.pearson for pair in pairs]),
            "median_pearson_after": _median([pair.after.pearson for pair in pairs]),
            "median_spearman_of_strangers": _median(strangers),
            "genes_in_both": self.genes,
            "gene_means_spearman_before": self.means_before.spearman if self.means_before else None,
            "gene_means_pearson_before": self.means_before.pearson if self.means_before else None,
            "gene_means_spearman_after": self.means_after.spearman if self.means_after else None,
            "gene_means_pearson_after": self.means_after.pearson if self.means_after else None,
        }


def overlapping(biosamples: Sequence[str], technologies: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of the first array and the first RNA-seq sample of each biosample that has both."""
    first: dict[str, dict[str, int]] = {}
    for position, (biosample, technology) in enumerate(zip(biosamples, technologies, strict=True)):
        if biosample:
            first.setdefault(biosample, {}).setdefault(technology, position)
    both = (Technology.MICROARRAY.value, Technology.RNA_SEQ.value)
    return [(of[both[0]], of[both[1]]) for of in first.values() if both[0] in of and both[1] in of]


def some_of(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most :data:`MOST_PAIRS`."""
    return [pairs[place] for place in evenly_spaced(len(pairs), MOST_PAIRS)]


def correlation(one: Floats | Doubles, other: Floats | Doubles) -> Correlation | None:
    """Of two vectors; None with too few values or without spread."""
    if len(one) < FEWEST_GENES:
        return None
    pearson, spearman = _pearson(one, other), _pearson(_ranks(one), _ranks(other))
    if pearson is None or spearman is None:
        return None
    return Correlation(spearman=rounded(spearman, 4), pearson=rounded(pearson, 4))


def _pearson(one: Floats | Doubles, other: Floats | Doubles) -> float | None:
    """In float64, without BLAS: the same on any number of threads."""
    a, b = one.astype(np.float64) - one.mean(dtype=np.float64), other.astype(np.float64) - other.mean(dtype=np.float64)
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / size if size > 0 else None


def _ranks(values: Floats | Doubles) -> Doubles:
    """Average ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2.0)[places]


def _median(values: Sequence[float]) -> float | None:
    return rounded(float(np.median(values)), 4) if values else None
