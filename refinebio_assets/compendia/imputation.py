"""Imputation of missing values by iterated truncated singular value decomposition, one block of samples at a time.

The method is that of refine.bio's compendia (IterativeSVD of fancyimpute, after Troyanskaya et al. 2001,
https://doi.org/10.1093/bioinformatics/17.6.520): missing cells start at zero; each iteration decomposes the filled
matrix and replaces the missing cells by those of its truncated decomposition, whose rank is 1, 2, 4, 8 … up to the one
asked for; it ends when the missing cells' sum of squared changes falls below ``tolerance`` times their sum of squares.

There the filled matrix lies in memory, with several copies. Here it exists only block by block: a missing cell is the
inner product of its sample's and its gene's place in the last decomposition, so what is kept is two thin matrices. One
pass over the data makes one iteration: a randomized decomposition (Halko, Martinsson & Tropp 2011,
https://doi.org/10.1137/090771806) that starts from the axes of the iteration before, which the next one hardly moves.
Memory is ``(samples + 2 x genes) x sketch`` float32 and float64 numbers and one block for each thread, whatever the
matrix's size. Blocks and the order of sums are fixed: the number of threads and the processor change no byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from refinebio_assets.compendia._imputation import fill
from refinebio_assets.compendia.linear_algebra import (
    Doubles,
    Floats,
    accumulate,
    eigh,
    gram,
    in_order,
    multiply,
    orthonormal,
    project,
)

RANK = 10
MAX_ITERATIONS = 200
TOLERANCE = 1e-5
BLOCK_SAMPLES = 64
BLOCKS_PER_SUM = 16
"""Blocks summed in float32 before their sum is added in float64."""
SMALLEST_SKETCH, LARGEST_SKETCH = 32, 64
"""Directions followed by the algorithm ``randomized`` always and by ``arpack`` at first, and by ``arpack`` at most."""
SLOW_CONVERGENCE = 0.2
"""Squared ratio of the last sketched to the last used singular value above which the sketch is widened: by about this
factor the error of the axes shrinks in one pass."""
TURNED, MOST_REPEATS = 0.1, 3
"""An iteration is made again, at most so often, if its directions lie farther than this outside of those followed: when
it begins, and when the rank grows. A small matrix takes a tenth of it."""
SMALL_MATRIX = 2**23
"""Cells up to which further passes cost nothing worth saving."""
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
        passes: How often the data were read so far.
    """

    iteration: int
    current: LowRankModel
    previous: LowRankModel
    basis: Floats
    changes: list[float] = field(default_factory=list)
    converged: bool = False
    passes: int = 0


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
        compression: What the iterations went over instead of the samples; None if they went over these.
    """

    model: LowRankModel
    iterations: int
    converged: bool
    changes: tuple[float, ...]
    passes: int
    sketch: int
    compression: dict[str, float] | None = None


def iterative_svd(
    matrix: SampleBlocks,
    *,
    rank: int = RANK,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
    sketch: int | None = None,
    state: ImputationState | None = None,
    on_iteration: Callable[[ImputationState], None] | None = None,
    threads: int | None = None,
) -> Imputation:
    """Find the low-rank model that fills the missing cells of a matrix.

    Args:
        matrix: samples x genes; NaN is missing.
        rank: Largest rank of the decomposition.
        max_iterations: After so many iterations it ends in any case.
        tolerance: It ends when the missing cells' squared change falls below this share of their sum of squares.
        sketch: Directions followed beside each other, at least the rank; by how fast they separate if None.
        state: Go on from there.
        on_iteration: Told the state after each iteration, to keep it or to show how far it is.
        threads: How many share the work; as many as processors if None. They change nothing but the time.

    Returns:
        The model; :func:`fill_missing` applies it to a block.

    Raises:
        ValueError: The rank is not below both numbers of samples and genes, or the sketch is narrower than the rank.
    """
    check_rank(rank, matrix.shape)
    if sketch is not None and sketch < rank:
        message = f"a sketch of {sketch} directions cannot hold rank {rank}"
        raise ValueError(message)
    return iterate(
        _Streaming(matrix, threads),
        rank=rank,
        max_iterations=max_iterations,
        tolerance=tolerance,
        sketch=sketch,
        state=state,
        on_iteration=on_iteration,
    ).outcome


def check_rank(rank: int, shape: tuple[int, int]) -> None:
    """Refuse a rank that a matrix of samples x genes cannot have.

    Raises:
        ValueError: It is not below both numbers.
    """
    samples, genes = shape
    if not 0 < rank < min(samples, genes):
        message = f"the rank must be above 0 and below {min(samples, genes)} for {samples} samples and {genes} genes"
        raise ValueError(message)


class Decomposer(Protocol):
    """What can be filled from a state's models and decomposed."""

    @property
    def rows(self) -> int:
        """Rows of a model's scores."""

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and genes of the matrix it stands for."""

    def decompose(self, state: ImputationState, used: int) -> Decomposition:
        """Fill, follow the state's basis, give the scores of ``used`` directions."""


@dataclass(frozen=True, slots=True)
class Iterated:
    """The outcome and the state that it ended with."""

    outcome: Imputation
    state: ImputationState


def iterate(
    decomposer: Decomposer,
    *,
    rank: int,
    max_iterations: int,
    tolerance: float,
    sketch: int | None,
    state: ImputationState | None = None,
    on_iteration: Callable[[ImputationState], None] | None = None,
) -> Iterated:
    """Decompose and fill until the missing cells hardly change; arguments as in :func:`iterative_svd`."""
    small = decomposer.shape[0] * decomposer.shape[1] <= SMALL_MATRIX
    now = state or _first_state(decomposer, min(max(sketch or SMALLEST_SKETCH, rank), *decomposer.shape))
    while not now.converged and now.iteration < max_iterations:
        used = min(2**now.iteration, rank)
        found = _decomposed(decomposer, now, used, turned=0.1 * TURNED if small else TURNED)
        if now.iteration:
            now.changes.append(found.change)
            if found.change < tolerance:
                now.converged = True
                break
        now = ImputationState(
            iteration=now.iteration + 1,
            current=LowRankModel(found.scores, np.ascontiguousarray(found.axes[:, :used])),
            previous=now.current,
            basis=found.axes if sketch is not None else _widened(found, used, min(decomposer.shape)),
            changes=now.changes,
            passes=now.passes,
        )
        if on_iteration is not None:
            on_iteration(now)
    outcome = Imputation(
        model=now.current,
        iterations=now.iteration,
        converged=now.converged,
        changes=tuple(now.changes),
        passes=now.passes,
        sketch=now.basis.shape[1],
    )
    return Iterated(outcome, now)


def _decomposed(decomposer: Decomposer, state: ImputationState, used: int, *, turned: float) -> Decomposition:
    """One pass, and further ones as long as the directions in use turn away from those that were followed."""
    found = decomposer.decompose(state, used)
    state.passes += 1
    for _ in range(MOST_REPEATS):
        if _turned(state.basis, found.axes[:, :used]) < turned:
            break
        state.basis = found.axes
        found = decomposer.decompose(state, used)
        state.passes += 1
    return found


def _turned(basis: Floats, axes: Floats) -> float:
    """How far axes lie outside of what a basis spans: 0 inside, 1 across."""
    inside = np.zeros((basis.shape[1], axes.shape[1]), np.float32)
    accumulate(basis, axes, inside)
    return float(np.sqrt(max(0.0, 1 - float(np.square(inside.astype(np.float64)).sum()) / axes.shape[1])))


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
class Decomposition:
    """A sketched decomposition of the filled matrix; directions by decreasing singular value.

    Attributes:
        scores: rows x directions in use.
        axes: genes x width of the sketch.
        singular_values: One per axis.
        change: How far the two models that filled it are apart on the missing cells, relative and squared.
    """

    scores: Floats
    axes: Floats
    singular_values: Doubles
    change: float


@dataclass(slots=True)
class Sums:
    """What a pass adds up: ``Y'Y`` and ``Y'X`` of the filled matrix ``X`` and its sketch ``Y``, and the stop rule's."""

    gram: Doubles
    products: Doubles
    moved: float = 0.0
    size: float = 0.0

    @classmethod
    def zeros(cls, width: int, genes: int) -> Sums:
        """Of nothing."""
        return cls(np.zeros((width, width)), np.zeros((width, genes)))


def _first_state(decomposer: Decomposer, width: int) -> ImputationState:
    """Missing cells are zero, and any directions will do."""
    genes = decomposer.shape[1]
    nothing = LowRankModel.zeros(decomposer.rows, genes)
    directions = np.random.default_rng(0).standard_normal((genes, width))
    return ImputationState(iteration=0, current=nothing, previous=nothing, basis=orthonormal(directions))


def _widened(found: Decomposition, used: int, most: int) -> Floats:
    """The basis of the next pass: with twice the directions if those in use are hardly larger than the last one."""
    basis, values = found.axes, found.singular_values
    width = basis.shape[1]
    wider = min(2 * width, LARGEST_SKETCH, most)
    slow = values[used - 1] > 0 and (values[-1] / values[used - 1]) ** 2 > SLOW_CONVERGENCE
    if not slow or wider <= width:
        return basis
    more = np.random.default_rng(width).standard_normal((len(basis), wider - width))
    return orthonormal(np.concatenate([basis.astype(np.float64), more], axis=1))


def blocks_of(samples: int, size: int = BLOCK_SAMPLES, first: int = 0) -> Iterator[tuple[int, int]]:
    """Start and stop of each block."""
    return ((start, min(start + size, samples)) for start in range(first, samples, size))


@dataclass(frozen=True, slots=True)
class _Streaming:
    """Decompositions of a matrix that is read once for each."""

    matrix: SampleBlocks
    threads: int | None

    @property
    def rows(self) -> int:
        return self.matrix.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape

    def decompose(self, state: ImputationState, used: int) -> Decomposition:
        sketch = np.empty((self.rows, state.basis.shape[1]), np.float32)
        sums = Sums.zeros(state.basis.shape[1], self.shape[1])
        add_blocks(self.matrix, state, sketch, sums, threads=self.threads)
        return truncated(sketch, sums, used)


def add_blocks(
    matrix: SampleBlocks, state: ImputationState, sketch: Floats, sums: Sums, *, threads: int | None = None
) -> None:
    """One pass: fill each block, follow the basis through it.

    Args:
        matrix: Its samples are the first rows of the state's models.
        state: Whose models fill it and whose basis is followed.
        sketch: Takes the sketch of these samples.
        sums: Are added to.
        threads: How many share the work.
    """
    samples, genes = matrix.shape
    current, previous, basis = state.current, state.previous, state.basis
    width = basis.shape[1]

    def of_chunk(chunk: tuple[int, int]) -> tuple[Floats, Doubles, float, float]:
        running, products = np.zeros((width, genes), np.float32), np.zeros((width, width))
        moved = size = 0.0
        for start, stop in blocks_of(chunk[1], first=chunk[0]):
            block = matrix.read(start, stop)
            apart = fill(block, current.rows(start, stop), current.axes, previous.rows(start, stop), previous.axes)
            moved, size = moved + apart[0], size + apart[1]
            part = project(block, basis)
            sketch[start:stop] = part
            accumulate(part, block, running)
            products += gram(part)
        return running, products, moved, size

    chunks = blocks_of(samples, BLOCK_SAMPLES * BLOCKS_PER_SUM)
    for running, products, moved, size in in_order(of_chunk, chunks, threads=threads):
        sums.products += running
        sums.gram += products
        sums.moved += moved
        sums.size += size


def truncated(sketch: Floats, sums: Sums, used: int) -> Decomposition:
    """The decomposition of ``QQ'X``, where ``Q`` spans the sketch ``Y = XV``.

    Args:
        sketch: ``Y``, rows x width.
        sums: ``Y'Y``, ``Y'X`` and how far the models are apart.
        used: Directions whose scores are wanted.
    """
    lengths, directions = eigh(sums.gram)
    whitening = directions * _inverse_roots(lengths)
    products = np.ascontiguousarray(sums.products.T)
    squares, left = eigh(multiply(multiply(whitening.T, gram(products)), whitening))
    values = np.sqrt(np.maximum(squares, 0.0))
    rotation = multiply(whitening, left)
    axes = multiply(products, rotation * _inverse_roots(squares))
    undefined = sums.size == 0 or (sums.size < _SMALLEST_NORM < sums.moved)
    return Decomposition(
        scores=project(sketch, (rotation * values)[:, :used].astype(np.float32)),
        axes=axes.astype(np.float32),
        singular_values=values,
        change=np.inf if undefined else float(sums.moved / sums.size),
    )


def _inverse_roots(values: Doubles) -> Doubles:
    """``1 / sqrt``, and zero for what is rounding beside the largest value."""
    kept = values > 1e-12 * max(values[0], float(np.finfo(np.float64).tiny))
    return np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
