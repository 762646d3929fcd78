"""How far imputed values are from the truth: measured values are hidden, imputed again, and compared.

Two kinds are hidden in one go, in a part of the samples and genes: single cells at random, as where a spot of an array
failed; and whole blocks of genes of one technology and platform, as where a platform has no probe for them, which is
what most missing values of a compendium are. A block's genes stay measured in as many samples as the gene filter asks
for. What is imputed is compared with what was measured, and so is the simplest guess: the gene's mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.compendium import PreparedCompendium
from refinebio_assets.compendia.expression_store import Floats
from refinebio_assets.compendia.imputation import LowRankModel, iterative_svd
from refinebio_assets.compendia.quality_sampling import (
    Positions,
    codes_of,
    column,
    evenly_spaced,
    rounded,
    strata_of,
    stratified,
)
from refinebio_assets.compendia.recipe import CompendiumRecipe, SvdAlgorithm

if TYPE_CHECKING:
    import pandas as pd

MOST_CELLS = 4_000_000
"""2,000 samples x 2,000 genes: a tenth of the work of imputing 20,000 genes, and many times the rank in either
direction."""
FEWEST_SAMPLES, FEWEST_GENES = 20, 50
RANDOM_SHARE, BLOCK_SHARE = 0.02, 0.05
MOST_BLOCKS = 8
"""Technology and platform strata that lose a block of genes: those with most samples."""
FEWEST_CELLS = 20
"""Fewer hidden cells tell nothing."""
_SEED = 0
_CELLS_AT_ONCE = 1_000_000

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumError:
    """Imputed against measured values of one stratum.

    Attributes:
        technology: Of the samples.
        platform: Of the samples; empty for all platforms of the technology.
        hiding: ``random cells`` or ``gene block``.
        samples: Samples with hidden cells.
        genes: Genes with hidden cells.
        cells: Hidden cells.
        rmse: Root of the mean squared difference, on the log2 scale, before quantile normalisation.
        baseline_rmse: The same of the gene's mean over the samples of the technology that still have it (all samples if
            none has).
        correlation: Pearson's, over all hidden cells: high by genes being high or low alone.
        correlation_within_genes: The same of what differs from the baseline: how well samples are told apart.
    """

    technology: str
    platform: str
    hiding: str
    samples: int
    genes: int
    cells: int
    rmse: float
    baseline_rmse: float
    correlation: float | None
    correlation_within_genes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutError:
    """The error by stratum, and on how much of the compendium it was measured."""

    strata: tuple[StratumError, ...]
    samples: int
    genes: int
    iterations: int
    converged: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "random_share": RANDOM_SHARE, "block_share": BLOCK_SHARE}

    def worse_than_baseline(self) -> list[str]:
        """Names of the strata where the gene's mean would have been the better guess."""
        return [
            " ".join(filter(None, [one.technology, one.platform, one.hiding]))
            for one in self.strata
            if one.rmse > one.baseline_rmse
        ]


@dataclass(frozen=True, slots=True)
class _Hidden:
    """Cells that were hidden: where, what was there, and why (-1 random, else the number of the block)."""

    rows: Positions
    columns: Positions
    truth: Floats
    block: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A part of the compendium in memory, as imputation reads it."""

    values: Floats

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    def read(self, start: int, stop: int) -> Floats:
        return self.values[start:stop].copy()


def held_out_error(
    prepared: PreparedCompendium, samples: pd.DataFrame, *, most_samples: int = 2000
) -> HeldOutError | None:
    """Hide measured values, impute again with the same recipe, compare.

    Args:
        prepared: The compendium.
        samples: Index accession, columns ``technology`` and ``platform``; rows in the compendium's order.
        most_samples: Look at no more; fewer genes are looked at where that would be more than :data:`MOST_CELLS`.

    A compendium without missing values is looked at, too: what others would get by the recipe.

    Returns:
        None if missing values are left missing, or if there are too few samples or genes to say anything.
    """
    if prepared.recipe.svd_algorithm is SvdAlgorithm.NONE:
        return None
    count, width = prepared.filtered.shape
    rows = stratified(strata_of(samples), min(most_samples, count))
    columns = evenly_spaced(width, max(FEWEST_GENES, MOST_CELLS // max(len(rows), 1)))
    fewest = min(len(rows), len(columns))
    if len(rows) < FEWEST_SAMPLES or len(columns) < FEWEST_GENES or prepared.recipe.rank >= fewest:
        return None
    values = np.empty((len(rows), len(columns)), np.float32)
    for place, row in enumerate(rows.tolist()):
        values[place] = prepared.filtered.read(row, row + 1)[0, columns]
    some = samples.iloc[rows]
    hidden = _hide(values, some, prepared.recipe)
    imputation = iterative_svd(
        _Matrix(values),
        rank=prepared.recipe.rank,
        max_iterations=prepared.recipe.max_iterations,
        tolerance=prepared.recipe.tolerance,
        sketch=prepared.recipe.sketch,
    )
    return HeldOutError(
        strata=tuple(_compare(values, some, hidden, imputation.model)),
        samples=len(rows),
        genes=len(columns),
        iterations=imputation.iterations,
        converged=imputation.converged,
    )


def _hide(values: Floats, samples: pd.DataFrame, recipe: CompendiumRecipe) -> _Hidden:
    """Set cells of samples x genes to NaN, in place."""
    block = np.full(values.shape, -2, np.int16)
    for number, (rows, columns) in enumerate(_blocks(values, strata_of(samples), recipe.filters.gene_completeness)):
        block[np.ix_(rows, columns)] = number
    rng = np.random.default_rng(_SEED)
    for row in block:
        chosen = rng.random(len(row), dtype=np.float32) < RANDOM_SHARE
        row[chosen & (row == -2)] = -1
    block[np.isnan(values)] = -2
    rows, columns = np.nonzero(block != -2)
    truth = values[rows, columns]
    values[rows, columns] = np.nan
    return _Hidden(rows, columns, truth, block[rows, columns])


def _blocks(values: Floats, strata: tuple[str, ...], completeness: float) -> Iterator[tuple[Positions, Positions]]:
    """Samples and genes of each block; no gene is in two.

    Samples are all of a stratum, unless the gene filter would drop a gene that so many samples lack.
    """
    names, codes = codes_of(strata)
    measured = (~np.isnan(values)).sum(axis=0)
    most = int((1 - completeness) * len(values))
    largest = sorted(range(len(names)), key=lambda code: (-int((codes == code).sum()), code))[:MOST_BLOCKS]
    free = np.ones(values.shape[1], np.bool_)
    if len(names) < 2:
        return
    for code in largest:
        of_stratum = np.flatnonzero(codes == code)
        rows = of_stratum[evenly_spaced(len(of_stratum), most)]
        lost = (~np.isnan(values[rows])).sum(axis=0)
        enough = (measured - lost >= completeness * len(values)) & (lost > 0.9 * len(rows)) & free
        candidates = np.flatnonzero(enough)
        columns = candidates[evenly_spaced(len(candidates), int(BLOCK_SHARE * values.shape[1]))]
        free[columns] = False
        if len(rows) * len(columns) >= FEWEST_CELLS:
            yield rows, columns


def _compare(values: Floats, samples: pd.DataFrame, hidden: _Hidden, model: LowRankModel) -> Iterator[StratumError]:
    """The error of each kind of hiding by technology, and by platform for blocks."""
    names, technology = codes_of(column(samples, "technology"))
    platforms = column(samples, "platform")
    imputed = _imputed(model, hidden)
    baseline = _gene_means(values, technology, len(names))[technology[hidden.rows], hidden.columns]
    for code, name in enumerate(names):
        chosen = (hidden.block == -1) & (technology[hidden.rows] == code)
        yield from _error(hidden, imputed, baseline, chosen, (name, "", "random cells"))
    for number in range(int(hidden.block.max(initial=-1)) + 1):
        chosen = hidden.block == number
        if chosen.any():
            row = int(hidden.rows[np.argmax(chosen)])
            stratum = (names[technology[row]], platforms[row], "gene block")
            yield from _error(hidden, imputed, baseline, chosen, stratum)


def _imputed(model: LowRankModel, hidden: _Hidden) -> Doubles:
    """The model's values of the hidden cells."""
    found = np.empty(len(hidden.rows))
    for start in range(0, len(found), _CELLS_AT_ONCE):
        part = slice(start, start + _CELLS_AT_ONCE)
        found[part] = np.einsum("ij,ij->i", model.scores[hidden.rows[part]], model.axes[hidden.columns[part]])
    return found


def _gene_means(values: Floats, technology: Positions, technologies: int) -> Doubles:
    """Mean of what is left, technologies x genes; over all samples where a technology has nothing left."""
    counts = np.empty((technologies, values.shape[1]))
    sums = np.empty_like(counts)
    for code in range(technologies):
        of_technology = values[technology == code]
        counts[code] = (~np.isnan(of_technology)).sum(axis=0)
        sums[code] = np.nansum(of_technology, axis=0, dtype=np.float64)
    overall = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), overall)


def _error(
    hidden: _Hidden, imputed: Doubles, baseline: Doubles, chosen: NDArray[np.bool_], stratum: tuple[str, str, str]
) -> Iterator[StratumError]:
    """Nothing if there are too few cells."""
    if int(chosen.sum()) < FEWEST_CELLS:
        return
    truth, guess, mean = hidden.truth[chosen].astype(np.float64), imputed[chosen], baseline[chosen]
    technology, platform, hiding = stratum
    yield StratumError(
        technology=technology,
        platform=platform,
        hiding=hiding,
        samples=len(np.unique(hidden.rows[chosen])),
        genes=len(np.unique(hidden.columns[chosen])),
        cells=len(truth),
        rmse=_rmse(guess - truth),
        baseline_rmse=_rmse(mean - truth),
        correlation=_correlation(guess, truth),
        correlation_within_genes=_correlation(guess - mean, truth - mean),
    )


def _rmse(differences: Doubles) -> float:
    return rounded(float(np.sqrt(np.mean(differences**2))), 4)


def _correlation(one: Doubles, other: Doubles) -> float | None:
    """Pearson's; None without spread."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return rounded(float((a * b).sum()) / size, 4) if size > 1e-12 else None
