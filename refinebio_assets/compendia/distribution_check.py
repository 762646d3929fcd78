"""Do samples share a distribution? Two-sample Kolmogorov-Smirnov tests of pairs of samples.

refine.bio tests 100 pairs after quantile normalisation, on the values above each sample's own median, and warns where
a pair's statistic exceeds 0.001 or its p-value is below 0.8. Its pairs are in effect the first sample with the others,
or (above 200 samples) drawn without a seed, and it reports the pair it tested last. Here the pairs are drawn with a
seed, samples take turns in them, and the worst pair is reported.

The same test says how far two successive QN targets of an organism are apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia._quantiles import largest_step, sort_values

PAIRS = 100
LARGEST_STATISTIC = 0.001
SMALLEST_P_VALUE = 0.8

Vector = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionCheck:
    """The worst of the tested pairs.

    Attributes:
        pairs: How many were tested; 0 with fewer than two samples.
        statistic: Largest Kolmogorov-Smirnov statistic.
        p_value: Smallest p-value.
        worst: Positions of the two samples with the largest statistic; None if none was tested.
        passed: Whether all statistics are at most 0.001 and all p-values at least 0.8, as refine.bio asks.
    """

    pairs: int
    statistic: float
    p_value: float
    worst: tuple[int, int] | None
    passed: bool


class TargetAgreement(NamedTuple):
    """How alike two QN targets are: two-sample Kolmogorov-Smirnov statistic, 0 to 1, and its p-value."""

    statistic: float
    p_value: float


def check_distributions(
    read: Callable[[int], Vector], samples: int, *, pairs: int = PAIRS, seed: int = 123
) -> DistributionCheck:
    """Compare samples in pairs.

    Args:
        read: Gives the values of the sample at a position; NaN is left out.
        samples: How many there are.
        pairs: How many pairs at most.
        seed: Of the choice of pairs: the same seed chooses the same.
    """
    chosen = choose_pairs(samples, pairs, seed=seed)
    upper = {position: upper_half(read(position)) for pair in chosen for position in pair}
    tests = [two_sample_ks(upper[one], upper[other]) for one, other in chosen]
    if not tests:
        return DistributionCheck(pairs=0, statistic=0.0, p_value=1.0, worst=None, passed=True)
    worst = max(range(len(tests)), key=lambda number: tests[number][0])
    statistic, p_value = tests[worst][0], min(p for _, p in tests)
    return DistributionCheck(
        pairs=len(tests),
        statistic=statistic,
        p_value=p_value,
        worst=chosen[worst],
        passed=statistic <= LARGEST_STATISTIC and p_value >= SMALLEST_P_VALUE,
    )


def compare_targets(old: Vector, new: Vector) -> TargetAgreement:
    """How far a QN target is from the one before it.

    All values take part, not only the upper half. The statistic is the largest difference between the shares of values
    up to any number; targets of the same genes and of nearly the same samples have one near 0.

    Args:
        old: Values of a target, in any order; NaN is left out.
        new: Those of another; their number may differ.

    Raises:
        ValueError: A target has no value.
    """
    one, other = _ascending(np.ravel(old)), _ascending(np.ravel(new))
    if not len(one) or not len(other):
        message = "a target needs at least one value"
        raise ValueError(message)
    return TargetAgreement(*two_sample_ks(one, other))


def choose_pairs(samples: int, pairs: int, *, seed: int) -> list[tuple[int, int]]:
    """Different pairs of different samples, at most ``pairs``.

    They go round and round a shuffled circle, so that all samples take part alike.
    """
    possible = min(pairs, samples * (samples - 1) // 2)
    order = np.random.default_rng(seed).permutation(samples).tolist()
    found: dict[tuple[int, int], None] = {}
    for distance in range(1, samples // 2 + 1):
        for place in _spread(samples):
            one, other = order[place], order[(place + distance) % samples]
            found.setdefault((min(one, other), max(one, other)))
            if len(found) >= possible:
                return list(found)
    return list(found)


def _spread(samples: int) -> range | list[int]:
    """Every second place first: these pairs have no sample in common with their neighbours."""
    return [*range(0, samples, 2), *range(1, samples, 2)]


def upper_half(values: Vector) -> NDArray[np.float64]:
    """The values above the sample's own median, ascending, float64."""
    present = _ascending(values)
    if not len(present):
        return present
    median = present[(len(present) - 1) // 2 : len(present) // 2 + 1].mean()
    return present[np.searchsorted(present, median, side="right") :].copy()  # lets go of the lower half


def _ascending(values: Vector) -> NDArray[np.float64]:
    """Without NaN."""
    ordered = np.empty(len(values))
    return ordered[: sort_values(np.ascontiguousarray(values), ordered)]


def two_sample_ks(one: Vector, other: Vector) -> tuple[float, float]:
    """Two-sided two-sample Kolmogorov-Smirnov test of ascending values.

    Returns:
        Statistic and p-value: exact for samples of one size (Hodges 1958), else the limiting distribution. (0, 1) if
        one is empty.
    """
    if not len(one) or not len(other) or np.array_equal(one, other):
        return 0.0, 1.0
    step = largest_step(*(np.ascontiguousarray(values, dtype=np.float64) for values in (one, other)))
    statistic = step / (len(one) * len(other))
    if len(one) == len(other):
        return statistic, _exact_p_value(len(one), step // len(one))
    effective = len(one) * len(other) / (len(one) + len(other))
    return statistic, _limiting_p_value(math.sqrt(effective) * statistic)


@lru_cache(maxsize=256)  # normalised samples differ in one or two steps only
def _exact_p_value(size: int, steps: int) -> float:
    """Share of lattice paths of two samples of one size that leave the band of ``steps`` around the diagonal."""
    if steps == 0:
        return 1.0
    total = 0.0
    for turn in range(size // steps, 0, -1):
        logarithm = (
            2 * math.lgamma(size + 1) - math.lgamma(size - turn * steps + 1) - math.lgamma(size + turn * steps + 1)
        )
        total = math.exp(logarithm) - total
    return min(1.0, max(0.0, 2 * total))


def _limiting_p_value(scaled: float) -> float:
    """Kolmogorov's distribution."""
    if scaled < 0.2:
        return 1.0
    terms = (math.exp(-2 * (turn * scaled) ** 2) * (1 if turn % 2 else -1) for turn in range(1, 101))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))
