"""Which samples and genes stand for the rest where looking at all would cost too much: always the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

LEAST_OF_STRATUM = 5
"""Samples that even the smallest stratum is represented by, as long as that leaves room for the others."""

Positions = NDArray[np.intp]


def rounded(value: float, digits: int = 6) -> float:
    """To significant digits: what is left does not depend on the order in which a processor added things up."""
    return float(f"{value:.{digits}g}")


def share(part: float, whole: float) -> float:
    """Rounded; 0 of nothing."""
    return rounded(part / whole) if whole else 0.0


def column(samples: pd.DataFrame, name: str) -> tuple[str, ...]:
    """A column as text; empty where it has no value or is not there."""
    if name not in samples:
        return ("",) * len(samples)
    return tuple(map(str, samples[name].astype(object).where(samples[name].notna(), "")))


def codes_of(labels: Sequence[str]) -> tuple[tuple[str, ...], Positions]:
    """The different labels, sorted, and which of them each one is."""
    names = tuple(sorted(set(labels)))
    places = {name: place for place, name in enumerate(names)}
    return names, np.fromiter((places[label] for label in labels), np.intp, len(labels))


def strata_of(samples: pd.DataFrame) -> tuple[str, ...]:
    """Technology and platform of each sample, as one label."""
    pairs = zip(column(samples, "technology"), column(samples, "platform"), strict=True)
    return tuple("\t".join(pair) for pair in pairs)


def evenly_spaced(count: int, most: int) -> Positions:
    """At most ``most`` of ``count`` positions, ascending, as far from each other as can be."""
    if count <= most:
        return np.arange(count)
    return np.arange(most) * count // most


def stratified(strata: Sequence[str], most: int) -> Positions:
    """At most ``most`` positions, ascending: of each stratum about its share, and a few of the smallest."""
    names, codes = codes_of(strata)
    if len(codes) <= most:
        return np.arange(len(codes))
    sizes = np.bincount(codes, minlength=len(names))
    least = min(LEAST_OF_STRATUM, most // len(names))
    quotas = np.minimum(sizes, least + (most - least * len(names)) * sizes // len(codes))
    members = (np.flatnonzero(codes == code) for code in range(len(names)))
    chosen = [of[evenly_spaced(len(of), int(quota))] for of, quota in zip(members, quotas, strict=True)]
    return np.sort(np.concatenate(chosen))
