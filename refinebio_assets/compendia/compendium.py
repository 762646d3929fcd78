"""A compendium out of core: filters, imputation and quantile normalisation, in memory that the samples do not add to.

Steps and the files they leave in the scratch folder, so that a build that was killed goes on where it was:

1. one pass over the store chooses the genes (:mod:`~refinebio_assets.compendia.filters`);
2. a second writes the filtered samples to ``filtered.f32`` (samples x genes, float32, NaN to be imputed);
3. passes over that file impute (:mod:`~refinebio_assets.compendia.imputation`); ``imputation.npz`` is its state;
4. a last pass fills, normalises and hands the blocks to whoever writes the artefact.

The same store and recipe give the same values, whether or not a build was interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from refinebio_assets.compendia.expression_store import ExpressionStore, Floats, gene_space
from refinebio_assets.compendia.filters import FilterOptions, GeneFilter, choose_genes, filter_block
from refinebio_assets.compendia.imputation import (
    BLOCK_SAMPLES,
    MAX_ITERATIONS,
    RANK,
    SMALLEST_SKETCH,
    TOLERANCE,
    Imputation,
    ImputationState,
    LowRankModel,
    fill_missing,
    iterative_svd,
)
from refinebio_assets.compendia.quantile_normalization import quantile_normalize
from refinebio_assets.domain.fingerprints import fingerprint_of

SECONDS_BETWEEN_CHECKPOINTS = 60.0
_FILTERED, _FACTS, _STATE = "filtered.f32", "filtered.json", "imputation.npz"


class SvdAlgorithm(StrEnum):
    """How exact the decompositions of the imputation are, after the two that refine.bio offers.

    ``arpack`` follows as many directions as it takes to be as good as exact, ``randomized`` sixteen; ``none`` leaves
    missing cells missing.
    """

    ARPACK = "arpack"
    RANDOMIZED = "randomized"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumRecipe:
    """Everything that decides what a compendium's values are, apart from the samples."""

    filters: FilterOptions = field(default_factory=FilterOptions)
    svd_algorithm: SvdAlgorithm = SvdAlgorithm.ARPACK
    rank: int = RANK
    max_iterations: int = MAX_ITERATIONS
    tolerance: float = TOLERANCE

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a build is: which step, and how much of it."""

    step: str
    done: int
    total: int | None


Report = Callable[[Progress], None]


def _say_nothing(_progress: Progress) -> None:
    """The default of who is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilteredSamples:
    """The filtered samples on disk.

    Attributes:
        path: samples x genes, float32, row after row.
        samples: Accessions of the rows.
        genes: Names of the columns.
        dropped: Share of genes of each sample that has too few of them.
        gene_filter: What was kept, as :meth:`GeneFilter.to_dict` says it.
        missing: Cells to impute.
    """

    path: Path
    samples: tuple[str, ...]
    genes: tuple[str, ...]
    dropped: dict[str, float]
    gene_filter: dict[str, Any]
    missing: int

    @property
    def shape(self) -> tuple[int, int]:
        """Samples, genes."""
        return len(self.samples), len(self.genes)

    def read(self, start: int, stop: int) -> Floats:
        """Samples ``start`` to ``stop``, freshly read."""
        width = len(self.genes)
        with self.path.open("rb") as file:
            file.seek(start * width * 4)
            return np.fromfile(file, np.float32, (stop - start) * width).reshape(stop - start, width)


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

    ``imputation`` is None if nothing was imputed; ``target`` None if nothing is quantile-normalised.
    """

    filtered: FilteredSamples
    imputation: Imputation | None
    target: NDArray[np.float64] | None
    recipe: CompendiumRecipe

    def blocks(self, *, report: Report = _say_nothing) -> Iterator[CompendiumBlock]:
        """The values, block by block."""
        samples, _ = self.filtered.shape
        for start in range(0, samples, BLOCK_SAMPLES):
            values = self.filtered.read(start, min(start + BLOCK_SAMPLES, samples))
            mask = np.isnan(values) if self.imputation is not None else np.zeros(values.shape, np.bool_)
            if self.imputation is not None:
                fill_missing(self.imputation.model, values, start)
            normalized = values if self.target is None else quantile_normalize(values, self.target)
            yield CompendiumBlock(start=start, normalized=normalized, imputed=values, mask=mask)
            report(Progress(step="writing", done=min(start + BLOCK_SAMPLES, samples), total=samples))

    def summary(self) -> dict[str, Any]:
        """What a person should know of how it was made, as JSON."""
        samples, genes = self.filtered.shape
        imputation = self.imputation
        return {
            "recipe": self.recipe.to_dict(),
            "filters": self.filtered.gene_filter,
            "samples": samples,
            "genes": genes,
            "samples_dropped": len(self.filtered.dropped),
            "share_imputed": self.filtered.missing / max(1, samples * genes) if imputation is not None else 0.0,
            "iterations": imputation.iterations if imputation is not None else 0,
            "converged": imputation.converged if imputation is not None else None,
            "changes": list(imputation.changes) if imputation is not None else [],
            "quantile_normalized": self.target is not None,
        }


def prepare_compendium(
    store: ExpressionStore,
    recipe: CompendiumRecipe,
    scratch: Path,
    *,
    target: NDArray[np.float64] | None,
    report: Report = _say_nothing,
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
    identity = fingerprint_of("compendium", recipe.to_dict(), gene_space(store.genes), store.identity)
    filtered = _filtered_before(scratch, identity) or _filter(store, recipe, scratch, identity, report)
    if not all(filtered.shape):
        message = f"the filters leave {filtered.shape[0]} samples and {filtered.shape[1]} genes"
        raise ValueError(message)
    imputation = _impute(filtered, recipe, scratch, identity, report) if filtered.missing else None
    if recipe.svd_algorithm is SvdAlgorithm.NONE:
        imputation = None
    return PreparedCompendium(filtered=filtered, imputation=imputation, target=target, recipe=recipe)


def _filtered_before(scratch: Path, identity: str) -> FilteredSamples | None:
    """What an earlier build left, if it is of the same compendium and complete."""
    facts = scratch / _FACTS
    if not facts.exists():
        return None
    values: dict[str, Any] = orjson.loads(facts.read_bytes())
    return _filtered_samples(scratch, values) if values["identity"] == identity else None


def _filtered_samples(scratch: Path, facts: Mapping[str, Any]) -> FilteredSamples:
    return FilteredSamples(
        path=scratch / _FILTERED,
        samples=tuple(facts["samples"]),
        genes=tuple(facts["genes"]),
        dropped=facts["dropped"],
        gene_filter=facts["gene_filter"],
        missing=facts["missing"],
    )


def _filter(
    store: ExpressionStore, recipe: CompendiumRecipe, scratch: Path, identity: str, report: Report
) -> FilteredSamples:
    for name in (_FACTS, _STATE):
        (scratch / name).unlink(missing_ok=True)
    genes = _choose_genes(store, recipe.filters, report)
    samples: list[str] = []
    dropped: dict[str, float] = {}
    missing = done = 0
    with (scratch / _FILTERED).open("wb") as file:
        for block in store.blocks():
            part = filter_block(block, genes)
            part.values.tofile(file)
            missing += int(np.isnan(part.values).sum())
            kept = {block.info.samples[place] for place in part.kept}
            samples += [sample for sample in block.info.samples if sample in kept]
            shares = zip(block.info.samples, part.completeness.tolist(), strict=True)
            dropped |= {sample: share for sample, share in shares if sample not in kept}
            done += len(block.values)
            report(Progress(step="filtering", done=done, total=len(store.samples)))
    facts = {
        "identity": identity,
        "samples": samples,
        "genes": [store.genes[place] for place in genes.kept],
        "dropped": dropped,
        "gene_filter": genes.to_dict(),
        "missing": missing,
    }
    _write(scratch / _FACTS, orjson.dumps(facts))
    return _filtered_samples(scratch, facts)


def _choose_genes(store: ExpressionStore, options: FilterOptions, report: Report) -> GeneFilter:
    done = 0

    def on_block(samples: int) -> None:
        nonlocal done
        done += samples
        report(Progress(step="counting genes", done=done, total=len(store.samples)))

    return choose_genes(store.blocks(), len(store.genes), options, on_block=on_block)


def _impute(
    filtered: FilteredSamples, recipe: CompendiumRecipe, scratch: Path, identity: str, report: Report
) -> Imputation | None:
    if recipe.svd_algorithm is SvdAlgorithm.NONE:
        return None
    saved = time.monotonic()

    def on_iteration(state: ImputationState) -> None:
        nonlocal saved
        report(Progress(step="imputing", done=state.iteration, total=None))
        if time.monotonic() - saved >= SECONDS_BETWEEN_CHECKPOINTS:
            _save_state(scratch / _STATE, state, identity)
            saved = time.monotonic()

    return iterative_svd(
        filtered,
        rank=recipe.rank,
        max_iterations=recipe.max_iterations,
        tolerance=recipe.tolerance,
        sketch=SMALLEST_SKETCH if recipe.svd_algorithm is SvdAlgorithm.RANDOMIZED else None,
        state=_saved_state(scratch / _STATE, identity),
        on_iteration=on_iteration,
    )


def _save_state(path: Path, state: ImputationState, identity: str) -> None:
    temporary = path.with_suffix(".part.npz")
    np.savez(
        temporary,
        identity=np.array(identity),
        iteration=np.array(state.iteration),
        changes=np.array(state.changes),
        basis=state.basis,
        current_scores=state.current.scores,
        current_axes=state.current.axes,
        previous_scores=state.previous.scores,
        previous_axes=state.previous.axes,
    )
    temporary.replace(path)


def _saved_state(path: Path, identity: str) -> ImputationState | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        if str(stored["identity"]) != identity:
            return None
        return ImputationState(
            iteration=int(stored["iteration"]),
            current=LowRankModel(stored["current_scores"], stored["current_axes"]),
            previous=LowRankModel(stored["previous_scores"], stored["previous_axes"]),
            basis=stored["basis"],
            changes=stored["changes"].tolist(),
        )


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_bytes(content)
    temporary.replace(path)
