"""Principal components of a part of the samples, and how much of them technology, platform and experiment explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.expression_store import Floats
from refinebio_assets.compendia.linear_algebra import accumulate, eigh, gram, multiply, orthonormal, project
from refinebio_assets.compendia.quality_sampling import codes_of, rounded

COMPONENTS = 4
MOST_SAMPLES, MOST_GENES = 2000, 2000
FEWEST_SAMPLES = 3
_SKETCH, _POWER_PASSES = 16, 3
_STEPS = 4000
"""Scores are rounded to so many parts of the largest one: far finer than a plot shows, far coarser than what differs
between processors."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Principal components.

    Attributes:
        scores: samples x components, float64, rounded.
        explained: Share of the variance that each component has.
        associations: Share of each component's variance between the groups of a grouping, by its name.
    """

    scores: Doubles
    explained: tuple[float, ...]
    associations: dict[str, tuple[float, ...]]

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without the scores."""
        return {"explained": list(self.explained), **{name: list(each) for name, each in self.associations.items()}}


def components(values: Floats, groupings: Mapping[str, Sequence[str]]) -> Components | None:
    """Principal components of samples x genes; missing values count as their gene's mean.

    Args:
        values: float32; changed in place.
        groupings: Label of each sample by grouping.

    Returns:
        None with fewer than three samples, or if they are all the same.
    """
    if len(values) < FEWEST_SAMPLES:
        return None
    centred = _centred(values)
    total = float(np.einsum("ij,ij->", centred, centred, dtype=np.float64))
    if total <= 0:
        return None
    scores = _leading(centred)
    explained = (scores**2).sum(axis=0) / total
    largest = np.abs(scores).max()
    scores = np.round(scores / largest * _STEPS) / _STEPS * float(f"{largest:.4g}")
    associations = {name: _between(scores, labels) for name, labels in groupings.items()}
    return Components(scores=scores, explained=tuple(rounded(part, 4) for part in explained), associations=associations)


def _centred(values: Floats) -> Floats:
    """Each gene's mean taken off, in place."""
    present = ~np.isnan(values)
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    means = values.sum(axis=0, dtype=np.float64) / np.maximum(present.sum(axis=0), 1)
    values -= means.astype(np.float32)
    values[~present] = 0
    return values


def _leading(centred: Floats) -> Doubles:
    """Scores of the leading components (randomized range finder with power passes), signs so that the largest is +."""
    width = min(_SKETCH, *centred.shape)
    basis = orthonormal(np.random.default_rng(0).standard_normal((centred.shape[1], width)))
    for _ in range(_POWER_PASSES):
        products = np.zeros((width, centred.shape[1]), np.float32)
        accumulate(project(centred, basis), centred, products)
        basis = orthonormal(products.T)
    sketch = project(centred, basis)
    _, directions = eigh(gram(sketch))
    scores = multiply(sketch.astype(np.float64), np.ascontiguousarray(directions[:, :COMPONENTS]))
    tallest = scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])]
    return scores * np.where(tallest < 0, -1.0, 1.0)


def _between(scores: Doubles, labels: Sequence[str]) -> tuple[float, ...]:
    """Sum of squares between groups over all of it (eta squared), by component."""
    names, codes = codes_of(labels)
    sizes = np.bincount(codes, minlength=len(names))
    spread = ((scores - scores.mean(axis=0)) ** 2).sum(axis=0)
    found = []
    for component in range(scores.shape[1]):
        means = np.bincount(codes, weights=scores[:, component], minlength=len(names)) / sizes
        between = float((sizes * (means - scores[:, component].mean()) ** 2).sum())
        found.append(rounded(between / spread[component], 3) if spread[component] > 0 else 0.0)
    return tuple(found)
