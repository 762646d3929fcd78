"""Quantile normalisation with the semantics of preprocessCore, in blocks of samples.

A *target* is a distribution: as many sorted values as there are genes. Normalising a sample replaces each of its values
by that of the target at the same rank, so that all samples share one distribution (Bolstad et al. 2003,
https://doi.org/10.1093/bioinformatics/19.2.185). Ties, missing values and targets of another length are treated as in
preprocessCore 1.60 (``normalize.quantiles.determine.target`` and ``normalize.quantiles.use.target``):

- tied values get the target's value at their average rank; between two ranks, the mean of both;
- missing values (NaN) stay missing; the ranks of the others are stretched over the whole target;
- so are they where sample and target differ in length, with linear interpolation.

Two cases preprocessCore leaves undefined: NaN that is not R's NA counts as missing here (there it is sorted as a
number), and a lone value gets the middle of the target (there it is divided by zero).

The sums behind a target are exact (see :class:`TargetAccumulator`): the same samples give the same bytes in whatever
order, blocks and threads they come, and when later ones are added to what earlier ones left.

Samples are rows here, because a sample's values then lie together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia._quantiles import add_sorted, add_vector, apply

Matrix = NDArray[np.floating[Any]]
"""float32 or float64."""

BLOCK_SAMPLES = 64
"""Samples that one thread takes at a time, at most."""


class TargetState(NamedTuple):
    """What a target is made of: enough to go on exactly.

    Attributes:
        high: Sums of the sorted samples, rounded to float64.
        low: What the rounding left; ``high + low`` is the exact sum.
        samples: How many were summed.
    """

    high: NDArray[np.float64]
    low: NDArray[np.float64]
    samples: int


class TargetAccumulator:
    """The mean of sorted samples, made one block at a time: memory for two vectors, however many samples there are.

    Sums are pairs of float64 numbers. Values are taken to multiples of 2^-60 (8.7e-19), which float32 ones of at least
    1.5e-11 are as they come; while a sum is below 2^46 (7e13) nothing is ever rounded away, so that order and blocks do
    not matter. Larger sums are good to 106 bits, but their last bits may depend on the order.

    Args:
        genes: Genes of a sample.
    """

    def __init__(self, genes: int) -> None:
        self.samples = 0
        self._high, self._low = _no_sums(genes)

    @classmethod
    def from_state(cls, state: TargetState) -> TargetAccumulator:
        """Go on from where another one was.

        Raises:
            ValueError: The vectors do not have one length, or the number of samples is negative.
        """
        high, low, samples = state
        if high.ndim != 1 or high.shape != low.shape or samples < 0:
            message = f"sums of shape {high.shape} and {low.shape} of {samples} samples are no state of a target"
            raise ValueError(message)
        accumulator = cls(len(high))
        accumulator._high[:], accumulator._low[:] = high, low
        accumulator.samples = int(samples)
        return accumulator

    def state(self) -> TargetState:
        """Where it is; a copy."""
        return TargetState(self._high.copy(), self._low.copy(), self.samples)

    def add(self, samples: Matrix, *, threads: int | None = None) -> None:
        """Take samples into the mean.

        Args:
            samples: samples x genes, float32 or float64; a sample's missing values are left out and the others
                stretched over its length. A sample without any value is left out.
            threads: How many; as many as there are processors if None.

        Raises:
            ValueError: The samples have another number of genes, or another type.
        """
        rows = _as_rows(samples)
        if rows.shape[1] != len(self._high):
            message = f"samples of {rows.shape[1]} genes do not fit into a target of {len(self._high)}"
            raise ValueError(message)

        def state_of(block: slice) -> TargetState:
            high, low = _no_sums(rows.shape[1])
            return TargetState(high, low, add_sorted(rows[block], high, low))

        with ThreadPoolExecutor(_threads(threads)) as pool:
            for state in pool.map(state_of, _blocks(len(rows), _threads(threads))):
                self.merge(state)

    def merge(self, state: TargetState) -> None:
        """Take in what another accumulator summed.

        Raises:
            ValueError: It is one of another number of genes.
        """
        add_vector(state.high, self._high, self._low)
        add_vector(state.low, self._high, self._low)
        self.samples += state.samples

    def target(self) -> NDArray[np.float64]:
        """The target of the samples so far: one value per gene, ascending; a new vector.

        Raises:
            ValueError: No sample was added.
        """
        if not self.samples:
            message = "a target needs at least one sample with values"
            raise ValueError(message)
        return self._high / self.samples


def quantile_target(blocks: Iterable[Matrix], *, threads: int | None = None) -> NDArray[np.float64]:
    """The target of all samples: the mean of their sorted values.

    Args:
        blocks: Matrices of samples x genes with the same genes, float32 or float64.
        threads: As in :meth:`TargetAccumulator.add`.

    Returns:
        As many values as genes, ascending.

    Raises:
        ValueError: There are no samples, or their numbers of genes differ.
    """
    accumulator: TargetAccumulator | None = None
    for block in blocks:
        accumulator = accumulator or TargetAccumulator(block.shape[1])
        accumulator.add(block, threads=threads)
    return (accumulator or TargetAccumulator(0)).target()


def quantile_normalize(
    samples: Matrix, target: NDArray[np.float64], *, out: Matrix | None = None, threads: int | None = None
) -> Matrix:
    """Give samples the distribution of a target.

    Args:
        samples: samples x genes, float32 or float64. NaN is missing and stays so.
        target: The distribution, in any order; NaN in it is left out. Its length may differ from the number of genes.
        out: Where to write; ``samples`` itself is allowed if it is C-contiguous. A new matrix if None.
        threads: How many; as many as there are processors if None.

    Returns:
        ``out``: the same shape and type as ``samples``.

    Raises:
        ValueError: The target has no value, or types or shapes do not fit.
    """
    sorted_target = np.sort(np.asarray(target, dtype=np.float64).ravel())
    sorted_target = sorted_target[~np.isnan(sorted_target)]
    if not len(sorted_target):
        message = "a target needs at least one value"
        raise ValueError(message)
    rows = _as_rows(samples)
    result = np.empty_like(rows) if out is None else out
    if result.shape != rows.shape or result.dtype != rows.dtype or not result.flags.c_contiguous:
        message = "out must be C-contiguous, with the shape and type of the samples"
        raise ValueError(message)
    with ThreadPoolExecutor(_threads(threads)) as pool:
        blocks = _blocks(len(rows), _threads(threads))
        done: list[Future[None]] = [pool.submit(apply, rows[one], sorted_target, result[one]) for one in blocks]
        for each in done:
            each.result()
    return result


def _no_sums(genes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.zeros(genes), np.zeros(genes)


def _blocks(samples: int, threads: int) -> Iterator[slice]:
    """Blocks for all threads to have one."""
    size = min(BLOCK_SAMPLES, max(1, -(-samples // threads)))
    return (slice(start, start + size) for start in range(0, samples, size))


def _as_rows(samples: Matrix) -> Matrix:
    """C-contiguous, float32 or float64."""
    if samples.ndim != 2:
        message = f"samples x genes expected, not {samples.ndim} dimension(s)"
        raise ValueError(message)
    if samples.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        message = f"float32 or float64 expected, not {samples.dtype}"
        raise ValueError(message)
    return np.ascontiguousarray(samples)


def _threads(threads: int | None) -> int:
    return max(1, threads or len(os.sched_getaffinity(0)))
