"""Imputation of missing values by iterated truncated singular value decomposition, one block of samples at a time.

The method is that of refine.bio's compendia (IterativeSVD of fancyimpute, after Troyanskaya et al. 2001,
https://doi.org/10.1093/bioinformatics/17.6.520): missing cells start at zero; each iteration decomposes the filled
matrix and replaces the missing cells by those of its truncated decomposition, whose rank is 1, 2, 4, 8 … up to the one
asked for; it ends when the missing cells' sum of squared changes falls below ``tolerance`` times their sum of squares.

There the filled matrix lies in memory, with several copies. Here it exists only block by block: a missing cell is the
inner product of its sample's and its gene's place in the last decomposition, so what is kept is two thin matrices. One
pass over the data makes one iteration: a randomized decomposition (Halko, Martinsson & Tropp 2011,
https://doi.org/10.1137/090771806) that starts from the axes of the iteration before, which the next one hardly moves.
Memory is ``(samples + 2 x genes) x sketch`` float32 and float64 numbers and one block, whatever the matrix's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia._imputation import fill

Floats = NDArray[np.float32]

RANK = 10
MAX_ITERATIONS = 200
TOLERANCE = 1e-5
BLOCK_SAMPLES = 64
BLOCKS_PER_SUM = 16
"""Blocks summed in float32 before their sum is added in float64."""
SMALLEST_SKETCH, LARGEST_SKETCH = 16, 64
SLOW_CONVERGENCE = 0.2
"""Squared ratio of the last sketched to the last used singular value above which the sketch is widened: by about this
factor the error of the axes shrinks in one pass."""
_SMALLEST_NORM = float(np.finfo(np.float32).eps)


class SampleBlocks(Protocol):
    """A matrix of samples x genes that is read in blocks of samples."""

    @property
    def shape(self) -> tuple[int, int]:
        """Samples, genes."""

    def read(self, start: int, stop: int) -> Floats:
        """Samples ``start`` to ``stop``: a new C-contiguous float32 array, NaN where a value is missing."""


@dataclass(frozen=True, slots=True)
class LowRankModel:
    """A truncated decomposition: a cell is the inner product of a row of ``scores`` and a row of ``axes``.

    ``scores`` is samples x rank, ``axes`` genes x rank, both float32.
    """

    scores: Floats
    axes: Floats

    @classmethod
    def zeros(cls, samples: int, genes: int) -> LowRankModel:
        """A model of zeros (rank 0)."""
        return cls(np.zeros((samples, 0), np.float32), np.zeros((genes, 0), np.float32))

    def rows(self, start: int, stop: int) -> Floats:
        """The scores of some samples."""
        return self.scores[start:stop]


@dataclass(slots=True, kw_only=True)
class ImputationState:
    """Where an imputation is after an iteration; enough to go on from there with the same result.

    Attributes:
        iteration: Iterations done.
        current: The decomposition of the last iteration.
        previous: That of the iteration before.
        basis: Where the next decomposition starts: genes x sketch, float32, orthonormal.
        changes: Relative squared change of the missing cells, one per iteration but the last.
        converged: Whether the last iteration's change is below the tolerance.
    """

    iteration: int
    current: LowRankModel
    previous: LowRankModel
    basis: Floats
    changes: list[float] = field(default_factory=list)
    converged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imputation:
    """How an imputation went.

    Attributes:
        model: Fills the missing cells.
        iterations: Decompositions made, as fancyimpute counts them.
        converged: Whether it ended by the tolerance, not by the largest number of iterations.
        changes: Relative squared change of the missing cells by iteration.
        passes: How often the data were read.
        sketch: Width of the last sketch.
    """

    model: LowRankModel
    iterations: int
    converged: bool
    changes: tuple[float, ...]
    passes: int
    sketch: int


def iterative_svd(
    matrix: SampleBlocks,
    *,
    rank: int = RANK,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
    sketch: int | None = None,
    power_passes: int = 0,
    state: ImputationState | None = None,
    on_iteration: Callable[[ImputationState], None] | None = None,
) -> Imputation:
    """Find the low-rank model that fills the missing cells of a matrix.

    Args:
        matrix: samples x genes; NaN is missing.
        rank: Largest rank of the decomposition.
        max_iterations: After so many iterations it ends in any case.
        tolerance: It ends when the missing cells' squared change falls below this share of their sum of squares.
        sketch: Directions followed beside each other, at least the rank; by how fast they separate if None.
        power_passes: Further passes per iteration; each makes the decomposition more exact.
        state: Go on from there.
        on_iteration: Told the state after each iteration, to keep it or to show how far it is.

    Returns:
        The model; :func:`fill_missing` applies it to a block.

    Raises:
        ValueError: The rank is not below both numbers of samples and genes, or the sketch is narrower than the rank.
    """
    samples, genes = matrix.shape
    if not 0 < rank < min(samples, genes):
        message = f"the rank must be above 0 and below {min(samples, genes)} for {samples} samples and {genes} genes"
        raise ValueError(message)
    width = min(max(sketch or SMALLEST_SKETCH, rank), samples, genes)
    if sketch is not None and sketch < rank:
        message = f"a sketch of {sketch} directions cannot hold rank {rank}"
        raise ValueError(message)
    now = state or _first_state(samples, genes, width)
    passes = 0
    while not now.converged and now.iteration < max_iterations:
        for _ in range(power_passes):
            now.basis = _decompose(matrix, now).basis
            passes += 1
        found = _decompose(matrix, now)
        passes += 1
        if now.iteration:
            now.changes.append(found.change)
            if found.change < tolerance:
                now.converged = True
                break
        used = min(2**now.iteration, rank)
        now = ImputationState(
            iteration=now.iteration + 1,
            current=LowRankModel(
                np.ascontiguousarray(found.scores[:, :used]), np.ascontiguousarray(found.axes[:, :used])
            ),
            previous=now.current,
            basis=found.basis if sketch is not None else _widened(found, used, min(samples, genes)),
            changes=now.changes,
        )
        if on_iteration is not None:
            on_iteration(now)
    return Imputation(
        model=now.current,
        iterations=now.iteration,
        converged=now.converged,
        changes=tuple(now.changes),
        passes=passes,
        sketch=now.basis.shape[1],
    )


def fill_missing(model: LowRankModel, block: Floats, start: int) -> None:
    """Replace the missing cells of a block by the model's values, in place.

    Args:
        model: The model.
        block: Samples ``start`` to ``start + len(block)`` x genes, C-contiguous float32.
        start: Which sample is the block's first.
    """
    rows = model.rows(start, start + len(block))
    nothing = LowRankModel.zeros(*block.shape)
    fill(block, rows, model.axes, nothing.scores, nothing.axes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decomposition:
    """A sketched decomposition of the filled matrix; columns by decreasing singular value.

    ``change`` is how far the two models that filled it are apart on the missing cells, relative and squared.
    """

    scores: Floats
    axes: Floats
    singular_values: NDArray[np.float64]
    change: float

    @property
    def basis(self) -> Floats:
        return self.axes


def _first_state(samples: int, genes: int, width: int) -> ImputationState:
    """Missing cells are zero, and any directions will do."""
    nothing = LowRankModel.zeros(samples, genes)
    directions = np.random.default_rng(0).standard_normal((genes, width))
    return ImputationState(iteration=0, current=nothing, previous=nothing, basis=_orthonormal(directions))


def _orthonormal(directions: NDArray[np.float64]) -> Floats:
    return np.ascontiguousarray(np.linalg.qr(directions)[0], dtype=np.float32)


def _widened(found: _Decomposition, used: int, most: int) -> Floats:
    """The basis of the next pass: with twice the directions if those in use are hardly larger than the last one."""
    basis, values = found.basis, found.singular_values
    width = basis.shape[1]
    wider = min(2 * width, LARGEST_SKETCH, most)
    slow = values[used - 1] > 0 and (values[-1] / values[used - 1]) ** 2 > SLOW_CONVERGENCE
    if not slow or wider <= width:
        return basis
    more = np.random.default_rng(width).standard_normal((len(basis), wider - width))
    return _orthonormal(np.concatenate([basis.astype(np.float64), more], axis=1))


def _blocks(samples: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + BLOCK_SAMPLES, samples)) for start in range(0, samples, BLOCK_SAMPLES))


def _decompose(matrix: SampleBlocks, state: ImputationState) -> _Decomposition:
    """One pass: fill each block, follow the basis through it."""
    samples, genes = matrix.shape
    basis = state.basis
    width = basis.shape[1]
    sketch = np.empty((samples, width), np.float32)
    products = np.zeros((width, genes))
    running = np.zeros((width, genes), np.float32)
    gram = np.zeros((width, width))
    moved = size = 0.0
    for number, (start, stop) in enumerate(_blocks(samples), start=1):
        block = matrix.read(start, stop)
        current, previous = state.current, state.previous
        block_moved, block_size = fill(
            block, current.rows(start, stop), current.axes, previous.rows(start, stop), previous.axes
        )
        moved, size = moved + block_moved, size + block_size
        part = block @ basis
        sketch[start:stop] = part
        running += part.T @ block
        exact = part.astype(np.float64)
        gram += exact.T @ exact
        if number % BLOCKS_PER_SUM == 0:
            products += running
            running[:] = 0
    products += running
    undefined = size == 0 or (size < _SMALLEST_NORM < moved)
    return _truncated(sketch, gram, products, change=np.inf if undefined else moved / size)


def _truncated(
    sketch: Floats, gram: NDArray[np.float64], products: NDArray[np.float64], *, change: float
) -> _Decomposition:
    """The decomposition of ``QQ'X``, where ``Q`` spans the sketch ``Y = XV``.

    Args:
        sketch: ``Y``, samples x width.
        gram: ``Y'Y``.
        products: ``Y'X``, width x genes.
        change: Goes into the result.
    """
    lengths, directions = np.linalg.eigh(gram)
    kept = lengths > 1e-12 * max(lengths[-1], np.finfo(np.float64).tiny)
    whitening = np.where(kept, directions / np.sqrt(np.where(kept, lengths, 1.0)), 0.0)
    left, values, right = np.linalg.svd(whitening.T @ products, full_matrices=False)
    scores = sketch @ (whitening @ left * values).astype(np.float32)
    return _Decomposition(
        scores=scores,
        axes=np.ascontiguousarray(right.T, dtype=np.float32),
        singular_values=values,
        change=float(change),
    )
