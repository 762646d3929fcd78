"""A compendium out of core: filters, imputation and quantile normalisation, in memory that the samples do not add to.

Steps and the files they leave in the scratch folder, so that a build that was killed goes on where it was:

1. one pass over the store chooses the genes (:mod:`~refinebio_assets.compendia.filters`);
2. a second writes the filtered samples to disk (:mod:`~refinebio_assets.compendia.filtered_samples`);
3. passes over these impute (:mod:`~refinebio_assets.compendia.imputation_steps`);
4. a last pass fills, normalises and hands the blocks to whoever writes the artefact.

The same store and recipe give the same values, whether or not a build was interrupted, with any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets import __version__
from refinebio_assets.compendia.expression_store import ExpressionStore, Floats, gene_space
from refinebio_assets.compendia.filtered_samples import FilteredSamples, filter_samples
from refinebio_assets.compendia.imputation import Imputation, fill_missing
from refinebio_assets.compendia.imputation_steps import impute
from refinebio_assets.compendia.progress import Progress, Report, say_nothing, with_estimates
from refinebio_assets.compendia.quantile_normalization import quantile_normalize
from refinebio_assets.compendia.recipe import CompendiumRecipe, ImputationMode, SvdAlgorithm
from refinebio_assets.domain.fingerprints import fingerprint_of

__all__ = [
    "CompendiumBlock",
    "CompendiumRecipe",
    "FilteredSamples",
    "ImputationMode",
    "PreparedCompendium",
    "Progress",
    "Report",
    "SvdAlgorithm",
    "prepare_compendium",
]

WRITTEN_SAMPLES = 256
"""Samples of a finished block: several threads can normalise it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumBlock:
    """Finished samples, in the order of the compendium.

    Attributes:
        start: Position of the first one.
        normalized: Imputed and quantile-normalised, samples x genes, float32.
        imputed: The same before quantile normalisation.
        mask: Which cells were imputed.
    """

    start: int
    normalized: Floats
    imputed: Floats
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCompendium:
    """A compendium whose values are known; :meth:`blocks` computes them one block at a time.

    ``imputation`` is None if nothing was imputed; ``target`` None if nothing is quantile-normalised; ``extends`` None
    unless it goes on from an earlier compendium.
    """

    filtered: FilteredSamples
    imputation: Imputation | None
    target: NDArray[np.float64] | None
    recipe: CompendiumRecipe
    extends: dict[str, int] | None = None

    def blocks(self, *, report: Report = say_nothing) -> Iterator[CompendiumBlock]:
        """The values, block by block."""
        told = with_estimates(report)
        samples, _ = self.filtered.shape
        for start in range(0, samples, WRITTEN_SAMPLES):
            values = self.filtered.read(start, min(start + WRITTEN_SAMPLES, samples))
            mask = np.isnan(values) if self.imputation is not None else np.zeros(values.shape, np.bool_)
            if self.imputation is not None:
                fill_missing(self.imputation.model, values, start)
            normalized = values if self.target is None else quantile_normalize(values, self.target)
            yield CompendiumBlock(start=start, normalized=normalized, imputed=values, mask=mask)
            told(Progress(step="writing", done=min(start + WRITTEN_SAMPLES, samples), total=samples))

    def summary(self) -> dict[str, Any]:
        """What a person should know of how it was made, as JSON; the same after an interruption as without."""
        samples, genes = self.filtered.shape
        imputation = self.imputation
        return {
            "recipe": self.recipe.to_dict(),
            "filters": self.filtered.gene_filter,
            "samples": samples,
            "genes": genes,
            "samples_dropped": len(self.filtered.dropped),
            "share_imputed": self.filtered.missing / max(1, samples * genes) if imputation is not None else 0.0,
            **_summary_of(imputation),
            "extends": self.extends,
            "quantile_normalized": self.target is not None,
        }


def _summary_of(imputation: Imputation | None) -> dict[str, Any]:
    if imputation is None:
        return {
            "imputation": None,
            "iterations": 0,
            "converged": None,
            "changes": [],
            "passes": 0,
            "compression": None,
        }
    return {
        "imputation": "streaming" if imputation.compression is None else "compressed",
        "iterations": imputation.iterations,
        "converged": imputation.converged,
        "changes": list(imputation.changes),
        "passes": imputation.passes,
        "compression": imputation.compression,
    }


def prepare_compendium(
    store: ExpressionStore,
    recipe: CompendiumRecipe,
    scratch: Path,
    *,
    target: NDArray[np.float64] | None,
    report: Report = say_nothing,
) -> PreparedCompendium:
    """Filter and impute.

    Args:
        store: The expression of the organism.
        recipe: How.
        scratch: Folder for intermediate files; what an interrupted build of the same compendium left there is used.
        target: The QN target, any length; None leaves values as they are.
        report: Told how far it is.

    Raises:
        ValueError: No gene or no sample is left, or too few for the rank.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    told = with_estimates(report)
    identity = fingerprint_of("compendium", __version__, recipe.to_dict(), gene_space(store.genes), store.identity)
    filtered = filter_samples(store, recipe.filters, scratch, identity, report=told)
    refuse_nothing(filtered)
    imputation = impute(filtered, recipe, scratch, identity, report=told)
    return PreparedCompendium(filtered=filtered, imputation=imputation, target=target, recipe=recipe)


def refuse_nothing(filtered: FilteredSamples) -> None:
    """Refuse a compendium of which the filters leave nothing.

    Raises:
        ValueError: No gene or no sample is left.
    """
    if not all(filtered.shape):
        message = f"the filters leave {filtered.shape[0]} samples and {filtered.shape[1]} genes"
        raise ValueError(message)
