"""What tells the samples of a block apart, and what is wrong with them."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.expression_store import Floats

Bools = NDArray[np.bool_]
Digests = NDArray[np.uint64]

GLANCE = 16
"""Genes that show at once that a sample is not constant."""


def all_finite(values: Floats) -> bool:
    """Whether all values are numbers. True is certain; False may also be said of numbers too large to add up."""
    return bool(np.isfinite(values.sum()))


def count_not_finite(values: Floats, left_missing: Bools) -> int:
    """Values that are no numbers, but for those left missing."""
    return int(np.count_nonzero(~np.isfinite(values) & ~(left_missing & np.isnan(values))))


def digests_of(observed: Floats, absent: Bools) -> Digests:
    """What tells samples apart: 128 bits over measured values and where there are none, samples x 2."""
    found = np.empty((len(observed), 2), np.uint64)
    for place, (values, missing) in enumerate(zip(observed, absent, strict=True)):
        digest = hashlib.sha256(values.data)
        digest.update(np.packbits(missing).data)
        found[place] = np.frombuffer(digest.digest()[:16], "<u8")
    return found


def is_constant(observed: Floats, absent: Bools) -> bool:
    """Whether all measured values are one; an empty sample is not called constant, nor is one with a single value."""
    first = observed[:GLANCE][~absent[:GLANCE]]
    if (first != first[:1]).any():  # so it is with nearly every sample
        return False
    present = len(absent) - np.count_nonzero(absent)
    if present < 2:
        return False
    same = (observed == observed[np.argmin(absent)]) & ~absent
    return bool(np.count_nonzero(same) == present)


def equal_rows(digests: Digests) -> list[tuple[int, int]]:
    """Positions of equal rows: each with the first like it, in order."""
    order = np.lexsort((np.arange(len(digests)), digests[:, 1], digests[:, 0]))
    ordered = digests[order]
    like_the_one_before = (ordered[1:] == ordered[:-1]).all(axis=1)
    found: list[tuple[int, int]] = []
    for place in np.flatnonzero(like_the_one_before).tolist():
        continues = bool(found) and found[-1][1] == order[place]
        found.append((found[-1][0] if continues else int(order[place]), int(order[place + 1])))
    return sorted(found)
