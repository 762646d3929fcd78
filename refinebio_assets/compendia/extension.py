"""A compendium that goes on from an earlier one: old samples keep their values, new ones are added.

What filled the old samples stays: their scores and the gene axes. A new sample gets its scores by the iterations that
the earlier compendium made, with its last axes in place of each iteration's: from the observed cells and from what the
scores before say of the missing ones. That is a recursion of ``rank`` numbers for each sample; the data are read once.

What a full rebuild would do otherwise: it would choose genes and axes from all samples, old and new.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from refinebio_assets import __version__
from refinebio_assets.compendia.checkpoints import save_arrays
from refinebio_assets.compendia.compendium import PreparedCompendium, refuse_nothing
from refinebio_assets.compendia.expression_store import ExpressionStore
from refinebio_assets.compendia.filtered_samples import FilteredSamples, filter_samples
from refinebio_assets.compendia.filters import GENE_COUNTS, CompendiumMethod, FilterOptions, GeneFilter
from refinebio_assets.compendia.imputation import Imputation, LowRankModel, blocks_of
from refinebio_assets.compendia.linear_algebra import Doubles, Floats, gram, multiply, project
from refinebio_assets.compendia.progress import Progress, Report, say_nothing, with_estimates
from refinebio_assets.compendia.recipe import CompendiumRecipe, ImputationMode, SvdAlgorithm
from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.domain.fingerprints import fingerprint_of

FORMAT = "refinebio-compendium-model-1"
CHUNK_SAMPLES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumModel:
    """What of a compendium is needed to add samples to it.

    Attributes:
        organism: UPPER_SNAKE; that of most samples.
        genes: Of the compendium.
        rna_dropped: Those of them whose RNA-seq values count as missing.
        filters: What was kept and why, as :meth:`GeneFilter.to_dict` says it.
        recipe: How it was made.
        samples: In the order of the scores.
        checksums: CRC-32 of each sample's values before imputation.
        scores: samples x rank, float32.
        axes: genes x rank, float32.
        iterations: Decompositions that were made.
        converged: Whether the imputation ended by its tolerance.
    """

    organism: str
    genes: tuple[str, ...]
    rna_dropped: tuple[str, ...]
    filters: dict[str, Any]
    recipe: CompendiumRecipe
    samples: tuple[str, ...]
    checksums: dict[str, int]
    scores: Floats
    axes: Floats
    iterations: int
    converged: bool | None

    @classmethod
    def of(cls, prepared: PreparedCompendium) -> CompendiumModel:
        """The model of a compendium; without imputation its rank is 0."""
        filtered, imputation = prepared.filtered, prepared.imputation
        nothing = LowRankModel.zeros(*filtered.shape)
        model = nothing if imputation is None else imputation.model
        checksums = filtered.rows()["checksum"].tolist()
        return cls(
            organism=filtered.organism,
            genes=filtered.genes,
            rna_dropped=filtered.rna_dropped,
            filters=filtered.gene_filter,
            recipe=prepared.recipe,
            samples=filtered.samples,
            checksums=dict(zip(filtered.samples, checksums, strict=True)),
            scores=model.scores,
            axes=model.axes,
            iterations=0 if imputation is None else imputation.iterations,
            converged=None if imputation is None else imputation.converged,
        )

    def save(self, path: Path) -> None:
        """Write ``.npz``; the same model gives the same bytes."""
        facts = {
            "format": FORMAT,
            "organism": self.organism,
            "filters": self.filters,
            "recipe": self.recipe.to_dict(),
            "iterations": self.iterations,
            "converged": self.converged,
        }
        save_arrays(
            path,
            {
                "facts": np.frombuffer(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS), np.uint8),
                "genes": _names(self.genes),
                "rna_dropped": _names(self.rna_dropped),
                "samples": _names(self.samples),
                "checksums": np.array([self.checksums[sample] for sample in self.samples], np.uint32),
                "scores": self.scores,
                "axes": self.axes,
            },
        )

    @classmethod
    def load(cls, path: Path) -> CompendiumModel:
        """Read what :meth:`save` wrote.

        Raises:
            MalformedFileError: It is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            facts: dict[str, Any] = orjson.loads(arrays["facts"].tobytes())
            if facts["format"] != FORMAT:
                message = f"The file is no model of a compendium of the format {FORMAT}."
                raise MalformedFileError(message, path=path)
            samples = _names_of(arrays["samples"])
            return cls(
                organism=facts["organism"],
                genes=_names_of(arrays["genes"]),
                rna_dropped=_names_of(arrays["rna_dropped"]),
                filters=facts["filters"],
                recipe=_recipe_of(facts["recipe"]),
                samples=samples,
                checksums=dict(zip(samples, arrays["checksums"].tolist(), strict=True)),
                scores=arrays["scores"],
                axes=arrays["axes"],
                iterations=facts["iterations"],
                converged=facts["converged"],
            )
        except (KeyError, ValueError, TypeError, OSError, EOFError) as error:
            message = f"The file is no model of a compendium: {error}"
            raise MalformedFileError(message, path=path, remedy="Build the compendium from the start.") from error


def _names(names: tuple[str, ...]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(names).encode(), np.uint8)


def _names_of(stored: NDArray[np.uint8]) -> tuple[str, ...]:
    text = stored.tobytes().decode()
    return tuple(text.split("\n")) if text else ()


def _recipe_of(facts: dict[str, Any]) -> CompendiumRecipe:
    filters = facts["filters"]
    return CompendiumRecipe(
        **facts
        | {
            "filters": FilterOptions(**filters | {"method": CompendiumMethod(filters["method"])}),
            "svd_algorithm": SvdAlgorithm(facts["svd_algorithm"]),
            "imputation": ImputationMode(facts["imputation"]),
        }
    )


def prepare_extension(
    store: ExpressionStore,
    model: CompendiumModel,
    scratch: Path,
    *,
    target: NDArray[np.float64] | None,
    report: Report = say_nothing,
) -> PreparedCompendium:
    """Filter all samples by an earlier compendium's genes, and give the new ones scores.

    Args:
        store: The expression of the organism, that of the earlier compendium's samples included.
        model: The earlier compendium. A sample keeps its scores, and so its values to the last bit, if its expression
            is what it was; one whose expression has changed counts as new.
        scratch: Folder for intermediate files; what an interrupted run of the same left there is used.
        target: The QN target that the earlier compendium was normalised to.
        report: Told how far it is.

    Returns:
        Samples in the store's order; ``extends`` counts ``reused``, ``added``, ``changed`` and ``gone`` samples.

    Raises:
        InputError: The store lacks a gene of the model, or the model has no axes for cells that are missing.
        ValueError: No sample is left.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    told = with_estimates(report)
    identity = fingerprint_of(
        "extension", __version__, model.recipe.to_dict(), model.genes, model.rna_dropped, store.identity
    )
    filtered = filter_samples(store, _gene_filter(store, model), scratch, identity, report=told)
    refuse_nothing(filtered)
    rows = {sample: row for row, sample in enumerate(model.samples)}
    checksums = filtered.rows()["checksum"].tolist()
    old = np.array([rows.get(sample, -1) for sample in filtered.samples], np.intp)
    pairs = zip(filtered.samples, checksums, strict=True)
    same = np.array([model.checksums.get(sample) == checksum for sample, checksum in pairs], np.bool_)
    reused = (old >= 0) & same
    counts = {
        "reused": int(reused.sum()),
        "added": int((old < 0).sum()),
        "changed": int(((old >= 0) & ~same).sum()),
        "gone": len(set(model.samples) - set(filtered.samples)),
    }
    imputation = None
    if model.recipe.svd_algorithm is not SvdAlgorithm.NONE and filtered.missing:
        imputation = _impute(filtered, model, np.where(reused, old, -1), told)
    return PreparedCompendium(
        filtered=filtered, imputation=imputation, target=target, recipe=model.recipe, extends=counts
    )


def _gene_filter(store: ExpressionStore, model: CompendiumModel) -> GeneFilter:
    places = {gene: place for place, gene in enumerate(store.genes)}
    absent = [gene for gene in model.genes if gene not in places]
    if absent:
        message = f"No sample has {len(absent)} genes of the compendium any more, {absent[0]} for example."
        raise InputError(message, remedy="Build the compendium from the start.")
    low = frozenset(model.rna_dropped)
    return GeneFilter(
        kept=np.array([places[gene] for gene in model.genes], np.intp),
        rna_dropped=np.array([gene in low for gene in model.genes], np.bool_),
        options=model.recipe.filters,
        counts={name: model.filters[name] for name in GENE_COUNTS},
        low_expression_threshold=model.filters["low_expression_threshold"],
    )


def _impute(filtered: FilteredSamples, model: CompendiumModel, old: NDArray[np.intp], report: Report) -> Imputation:
    """The old scores, and new ones where ``old`` is -1."""
    samples, rank = filtered.shape[0], model.axes.shape[1]
    if not rank:
        message = "Cells of new samples are missing, but the compendium had none to learn from."
        raise InputError(message, remedy="Build the compendium from the start.")
    scores = np.empty((samples, rank), np.float32)
    kept = old >= 0
    scores[kept] = model.scores[old[kept]]
    for start, stop in blocks_of(samples, CHUNK_SAMPLES):
        new = np.flatnonzero(~kept[start:stop])
        if len(new):
            values = filtered.read(start, stop)[new]
            scores[start + new] = scores_of(values, model.axes, model.iterations)
        report(Progress(step="placing samples", done=stop, total=samples))
    return Imputation(
        model=LowRankModel(scores, model.axes),
        iterations=model.iterations,
        converged=bool(model.converged),
        changes=(),
        passes=1,
        sketch=rank,
    )


def scores_of(values: Floats, axes: Floats, iterations: int) -> Floats:
    """Scores of samples after so many iterations with fixed axes, from missing cells of zero.

    Args:
        values: samples x genes, float32, NaN where a value is missing.
        axes: genes x rank, orthonormal columns by decreasing singular value.
        iterations: Each uses the first 1, 2, 4, 8 … axes.

    Returns:
        samples x rank.
    """
    rank = axes.shape[1]
    missing = np.isnan(values)
    observed = project(np.where(missing, np.float32(0), values), axes).astype(np.float64)
    scores = np.zeros(observed.shape)
    grams: dict[bytes, Doubles] = {}
    for row, absent in enumerate(missing):
        key = absent.tobytes()
        if key not in grams:
            grams[key] = gram(axes[absent])
        for iteration in range(iterations):
            used = min(2**iteration, rank)
            scores[row : row + 1] = observed[row : row + 1] + multiply(scores[row : row + 1], grams[key])
            scores[row, used:] = 0
    return scores.astype(np.float32)
