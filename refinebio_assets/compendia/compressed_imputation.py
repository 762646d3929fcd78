"""Imputation over a few rows for each platform instead of all samples.

Samples of one platform miss the same genes. What an iteration puts into their missing cells is then one linear map of
their observed cells, the same for all of them. So the gene directions of the whole imputation depend on such a group
only through ``H = X'X`` of its observed cells: any rows with the same ``H`` take its place, and the iterations, with
their stop rule, go on exactly as over all samples.

``H`` is approximated by :data:`SKETCH_ROWS` rows (Nyström's approximation; Halko, Martinsson & Tropp 2011,
https://doi.org/10.1137/090771806, section 5.4) and by what is left of its diagonal, as if each gene had a row of its
own. The first pass measures random directions. What it finds is imputed to learn which directions all groups together
need; the second pass measures each group along these and its own leading ones. Samples of small groups, and those that
miss cells of their own, stay as they are. A last pass gives every sample its scores, by the map of its group, and
measures what the last iteration really changed: where that is not below the tolerance, iterations over all samples
finish the work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia._imputation import fill
from refinebio_assets.compendia.checkpoints import save_arrays
from refinebio_assets.compendia.imputation import (
    RANK,
    TOLERANCE,
    Decomposition,
    ImputationState,
    LowRankModel,
    SampleBlocks,
    Sums,
    add_blocks,
    blocks_of,
    iterate,
    truncated,
)
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

SKETCH_ROWS = 64
"""Rows that stand for a group."""
GROUP_COST = 256
"""Samples that take as long in an iteration as one compressed group."""
SMALLEST_GROUP = 2 * GROUP_COST
FEWEST_CELLS = 2**29
"""2 GiB: a matrix that lies in the page cache is read so fast that the sketch does not pay."""
FEWEST_GENES = 5000
"""What a sketch leaves out is noise that averages over genes: below that many it is felt."""
SMALLEST_SAVING = 3
"""By how much the iterations must become shorter for the passes of the sketch to pay."""
SKETCH_BYTES = 256 * 2**20
"""For the directions of all groups while they are measured: the largest groups have room in it."""
CHUNK_SAMPLES = 256
SHARED_DIRECTIONS = 16
FIRST_ITERATIONS = 40
TAIL_STEPS = 8
"""The first one leaves an error of rows per gene, each later one that share of the error before."""
_SLICE = 16

OnSamples = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Groups:
    """Which samples are compressed.

    Attributes:
        of_sample: Number of each sample's group; -1 for those that stay as they are.
        missing: groups x genes: what the samples of a group miss.
    """

    of_sample: NDArray[np.int32]
    missing: NDArray[np.bool_]

    @property
    def kept(self) -> NDArray[np.intp]:
        """Positions of the samples that stay as they are."""
        return np.flatnonzero(self.of_sample < 0)


def most_groups(genes: int) -> int:
    """How many groups there may be."""
    return max(1, SKETCH_BYTES // (genes * SKETCH_ROWS * 12))


def find_groups(matrix: SampleBlocks, patterns: NDArray[np.uint64], *, always: bool = False) -> Groups | None:
    """Which groups of samples to compress; None if it would not make iterations much shorter.

    Args:
        matrix: samples x genes.
        patterns: A hash of what each sample misses.
        always: Compress what can be, whether it pays or not.
    """
    samples, genes = matrix.shape
    found, first, number, counts = np.unique(patterns, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((found, -counts))[: most_groups(genes)]
    order = order[counts[order] >= (SKETCH_ROWS if always else SMALLEST_GROUP)]
    cost = len(order) * GROUP_COST + samples - int(counts[order].sum())
    small = genes < FEWEST_GENES or samples * genes < FEWEST_CELLS
    if not len(order) or (not always and (small or cost * SMALLEST_SAVING > samples)):
        return None
    numbers = np.full(len(found), -1, np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    missing = np.stack([np.isnan(matrix.read(int(first[one]), int(first[one]) + 1)[0]) for one in order])
    return Groups(numbers[number].astype(np.int32), missing)


@dataclass(frozen=True, slots=True)
class Sketch:
    """Rows in place of samples.

    Attributes:
        path: groups x :data:`SKETCH_ROWS` rows of genes, float32, NaN where the group misses a gene.
        tails: groups x genes: square roots of what the rows leave of the diagonal of ``H``; 0 for missing genes.
    """

    path: Path
    tails: Floats


def sketch_groups(matrix: SampleBlocks, groups: Groups, path: Path, *, on_samples: OnSamples) -> Sketch:
    """Two passes: find the leading directions of each group, measure it along them; write its rows.

    Args:
        matrix: samples x genes.
        groups: Which samples are compressed.
        path: Where the rows go; ``{path}.npz`` beside it takes the rest, last.
        on_samples: Told how many samples were read.
    """
    count, genes = groups.missing.shape
    directions = np.random.default_rng(0).standard_normal((genes, SKETCH_ROWS)).astype(np.float32)
    bases = np.where(groups.missing[:, :, None], np.float32(0), directions)
    measured = _measure(matrix, groups, bases, on_samples)
    shared = _shared_directions(Compressed(matrix, groups, _write_rows(path, bases, measured, groups.missing)))
    own = SKETCH_ROWS - shared.shape[1]
    for number in range(count):
        observed = np.where(groups.missing[number][:, None], np.float32(0), shared)
        bases[number] = orthonormal(np.concatenate([observed, measured.along[number, :own].T], axis=1))
    return _write_rows(path, bases, _measure(matrix, groups, bases, on_samples), groups.missing)


def _shared_directions(compressed: Compressed) -> Floats:
    """The leading directions of a first, rougher imputation: genes x width."""
    width = min(SHARED_DIRECTIONS, *compressed.shape)
    iterated = iterate(
        compressed, rank=min(RANK, width - 1), max_iterations=FIRST_ITERATIONS, tolerance=TOLERANCE, sketch=width
    )
    return iterated.state.basis


def _write_rows(path: Path, bases: Floats, measured: _Measured, missing: NDArray[np.bool_]) -> Sketch:
    tails = np.zeros(missing.shape, np.float32)
    with path.open("wb") as file:
        for number, absent in enumerate(missing):
            factor = _nystrom(bases[number], np.ascontiguousarray(measured.along[number].T))
            rows, tails[number] = _without_tail(factor, measured.diagonals[number])
            tails[number, absent] = 0
            rows[:, absent] = np.nan
            rows.tofile(file)
    return Sketch(path, tails)


def save_sketch(sketch: Sketch, groups: Groups, identity: str) -> None:
    """Keep what is not in the file of rows."""
    save_arrays(
        sketch.path.with_suffix(".npz"),
        {
            "identity": np.array(identity),
            "tails": sketch.tails,
            "of_sample": groups.of_sample,
            "missing": groups.missing,
        },
    )


def saved_sketch(path: Path, identity: str) -> tuple[Groups, Sketch] | None:
    """A sketch that an earlier run made of the same samples, if it is whole."""
    facts = path.with_suffix(".npz")
    if not facts.exists() or not path.exists():
        return None
    with np.load(facts, allow_pickle=False) as stored:
        if str(stored["identity"]) != identity:
            return None
        groups, sketch = Groups(stored["of_sample"], stored["missing"]), Sketch(path, stored["tails"])
    return (groups, sketch) if path.stat().st_size == 4 * SKETCH_ROWS * groups.missing.size else None


@dataclass(frozen=True, slots=True)
class _Measured:
    """``(HB)'`` and the diagonal of ``H``, for each group and its directions ``B``."""

    along: Doubles
    diagonals: Doubles


def _measure(matrix: SampleBlocks, groups: Groups, bases: Floats, on_samples: OnSamples) -> _Measured:
    """One pass over the data."""
    count, genes = groups.missing.shape
    measured, diagonals = np.zeros((count, SKETCH_ROWS, genes)), np.zeros((count, genes))

    def along(work: tuple[int, Floats, int]) -> None:
        number, rows, first = work
        part = project(rows, bases[number][:, first : first + _SLICE])
        products = np.zeros((_SLICE, genes), np.float32)
        accumulate(part, rows, products)
        measured[number, first : first + _SLICE] += products

    for start, stop in blocks_of(matrix.shape[0], CHUNK_SAMPLES):
        block = np.nan_to_num(matrix.read(start, stop), copy=False, nan=0.0)
        numbers = groups.of_sample[start:stop]
        for number in np.unique(numbers[numbers >= 0]).tolist():
            rows = np.ascontiguousarray(block[numbers == number])
            diagonals[number] += np.square(rows).sum(axis=0)
            for _ in in_order(along, ((number, rows, first) for first in range(0, SKETCH_ROWS, _SLICE))):
                pass
        on_samples(stop - start)
    return _Measured(measured, diagonals)


def _nystrom(basis: Floats, measured: Doubles) -> Doubles:
    """Orthogonal columns ``F`` with ``FF' = (HB)(B'HB)^-1(HB)'``: genes x width."""
    core = multiply(basis.astype(np.float64).T, measured)
    values, directions = eigh((core + core.T) / 2)
    kept = values > 1e-10 * max(values[0], float(np.finfo(np.float64).tiny))
    roots = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    factor = multiply(measured, directions * roots)
    return multiply(factor, eigh(gram(factor))[1])


def _without_tail(factor: Doubles, diagonal: Doubles) -> tuple[Floats, Floats]:
    """Rows and the roots of a diagonal that together have the diagonal of ``H``, and its size along each column.

    The diagonal of the rest lies in the leading directions, too: what it adds there is taken from the rows, as in the
    probabilistic view of principal components (Tipping & Bishop 1999, https://doi.org/10.1111/1467-9868.00196).
    """
    squares = factor**2
    sizes = squares.sum(axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    shares = np.ones_like(sizes)
    rest = diagonal
    for _ in range(TAIL_STEPS):
        rest = np.maximum(diagonal - multiply(squares, shares[:, None])[:, 0], 0)
        along = multiply(rest[None], squares)[0] / sizes
        shares = np.maximum(1 - along / sizes, 0)
    return np.ascontiguousarray((factor * np.sqrt(shares)).T, dtype=np.float32), np.sqrt(rest).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of the sketch, then the samples that stay as they are."""

    matrix: SampleBlocks
    sketch: Sketch
    kept: NDArray[np.intp]

    @property
    def sketched(self) -> int:
        return len(self.sketch.tails) * SKETCH_ROWS

    @property
    def shape(self) -> tuple[int, int]:
        return self.sketched + len(self.kept), self.matrix.shape[1]

    def read(self, start: int, stop: int) -> Floats:
        genes = self.shape[1]
        out = np.empty((stop - start, genes), np.float32)
        inside = max(0, min(stop, self.sketched) - start)
        if inside:
            with self.sketch.path.open("rb") as file:
                file.seek(start * genes * 4)
                out[:inside] = np.fromfile(file, np.float32, inside * genes).reshape(inside, genes)
        wanted = self.kept[max(start - self.sketched, 0) : max(stop - self.sketched, 0)]
        place = inside
        for run in np.split(wanted, np.flatnonzero(np.diff(wanted) != 1) + 1):
            if len(run):
                out[place : place + len(run)] = self.matrix.read(int(run[0]), int(run[-1]) + 1)
                place += len(run)
        return out


class Compressed:
    """Decompositions of a matrix through its sketch.

    Its models' scores are those of the sketch's rows, of the samples that stay as they are, and, for each group, of one
    row for each gene with the value 1 there and nothing else: the map from observed cells to scores.
    """

    def __init__(self, matrix: SampleBlocks, groups: Groups, sketch: Sketch) -> None:
        self.matrix, self.groups, self.sketch = matrix, groups, sketch
        self._dense = _Rows(matrix, sketch, groups.kept)

    @property
    def dense_rows(self) -> int:
        """Rows but those of the maps."""
        return self._dense.shape[0]

    @property
    def rows(self) -> int:
        """Rows of a model's scores."""
        return self.dense_rows + self.groups.missing.size

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix that is compressed."""
        return self.matrix.shape

    def decompose(self, state: ImputationState, used: int) -> Decomposition:
        """Fill, follow the basis, give the scores of the directions in use."""
        width = state.basis.shape[1]
        sketch, sums = np.empty((self.rows, width), np.float32), Sums.zeros(width, self.shape[1])
        add_blocks(self._dense, state, sketch, sums)
        numbers = range(len(self.sketch.tails))
        for of_group in in_order(lambda number: self._tail(number, state, sketch), numbers):
            sums.gram += of_group.gram
            sums.products += of_group.products
            sums.moved += of_group.moved
            sums.size += of_group.size
        return truncated(sketch, sums, used)

    def map_of(self, model: LowRankModel, number: int) -> Floats:
        """From observed cells of a group to scores: genes x rank."""
        genes = self.shape[1]
        start = self.dense_rows + number * genes
        return model.rows(start, start + genes)

    def _tail(self, number: int, state: ImputationState, sketch: Floats) -> Sums:
        """What the rest of a group's diagonal adds."""
        genes, width = state.basis.shape
        missing = self.groups.missing[number]
        weights = self.sketch.tails[number][:, None]
        now, before = (self.map_of(model, number) for model in (state.current, state.previous))
        axes, axes_before = state.current.axes[missing], state.previous.axes[missing]
        across = np.zeros((now.shape[1], width), np.float32)
        accumulate(axes, state.basis[missing], across)
        part = project(now, across)
        part += np.where(missing[:, None], np.float32(0), state.basis)
        start = self.dense_rows + number * genes
        sketch[start : start + genes] = part
        weighted = part * weights
        shares = multiply(weighted.T.astype(np.float64), (now * weights).astype(np.float64))
        products = np.ascontiguousarray((weighted * weights).T, dtype=np.float64)
        products[:, missing] += multiply(shares, axes.T.astype(np.float64))
        rank = now.shape[1]
        squares = gram(np.concatenate([now, before], axis=1) * weights) * gram(
            np.concatenate([axes, -axes_before], axis=1)
        )
        return Sums(gram(weighted), products, float(squares.sum()), float(squares[rank:, rank:].sum()))


@dataclass(frozen=True, slots=True)
class Placed:
    """Every sample's scores in the last two models.

    ``change`` is how far these are apart on the missing cells of all samples, relative and squared.
    """

    current: LowRankModel
    previous: LowRankModel
    change: float


def place_samples(compressed: Compressed, state: ImputationState, *, on_samples: OnSamples) -> Placed:
    """One pass: the scores of all samples, by the maps of their groups."""
    matrix, groups = compressed.matrix, compressed.groups
    samples = matrix.shape[0]
    models = (state.current, state.previous)
    ranks = [model.axes.shape[1] for model in models]
    scores = np.empty((samples, sum(ranks)), np.float32)
    raw = slice(len(compressed.sketch.tails) * SKETCH_ROWS, compressed.dense_rows)
    scores[groups.kept] = np.concatenate([model.scores[raw] for model in models], axis=1)
    maps = [
        np.concatenate([compressed.map_of(model, number) for model in models], axis=1)
        for number in range(len(compressed.sketch.tails))
    ]

    def of_block(bounds: tuple[int, int]) -> tuple[int, float, float]:
        start, stop = bounds
        block = matrix.read(start, stop)
        numbers = groups.of_sample[start:stop]
        observed = np.nan_to_num(block, nan=0.0)
        for number in np.unique(numbers[numbers >= 0]).tolist():
            of_group = np.flatnonzero(numbers == number)
            scores[start + of_group] = project(observed[of_group], maps[number])
        now, before = np.split(scores[start:stop], [ranks[0]], axis=1)
        apart = fill(block, np.ascontiguousarray(now), models[0].axes, np.ascontiguousarray(before), models[1].axes)
        return stop - start, *apart

    moved = size = 0.0
    for count, block_moved, block_size in in_order(of_block, blocks_of(samples, CHUNK_SAMPLES)):
        moved, size = moved + block_moved, size + block_size
        on_samples(count)
    current, previous = np.split(scores, [ranks[0]], axis=1)
    return Placed(
        LowRankModel(np.ascontiguousarray(current), state.current.axes),
        LowRankModel(np.ascontiguousarray(previous), state.previous.axes),
        moved / size if size else float("inf"),
    )
