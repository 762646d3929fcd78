"""The imputation of a compendium's filtered samples, with checkpoints: over all of them, or compressed.

Files in the scratch folder: ``sketch.f32`` and ``sketch.npz`` are the compressed rows, ``imputation.npz`` is the state
of the iterations, ``imputed.npz`` the outcome. Each names what it belongs to; a file of something else is not used.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from refinebio_assets.compendia.checkpoints import save_arrays, save_state, saved_state
from refinebio_assets.compendia.compressed_imputation import (
    SKETCH_ROWS,
    Compressed,
    find_groups,
    place_samples,
    save_sketch,
    saved_sketch,
    sketch_groups,
)
from refinebio_assets.compendia.filtered_samples import FilteredSamples
from refinebio_assets.compendia.imputation import (
    LARGEST_SKETCH,
    Imputation,
    ImputationState,
    LowRankModel,
    check_rank,
    iterate,
    iterative_svd,
)
from refinebio_assets.compendia.progress import Progress, Report, iterations_left
from refinebio_assets.compendia.recipe import CompendiumRecipe, ImputationMode, SvdAlgorithm

SECONDS_BETWEEN_CHECKPOINTS = 60.0
SKETCH_PASSES = 2
_SKETCH, _STATE, _OUTCOME = "sketch.f32", "imputation.npz", "imputed.npz"


def impute(
    filtered: FilteredSamples, recipe: CompendiumRecipe, scratch: Path, identity: str, *, report: Report
) -> Imputation | None:
    """Find what fills the missing cells; None if nothing is missing or nothing is to be filled.

    Args:
        filtered: The samples.
        recipe: How.
        scratch: Folder of the checkpoints; what an interrupted run with the same identity left there is gone on with.
        identity: Of the samples and the recipe.
        report: Told how far it is.

    Raises:
        ValueError: There are too few samples or genes for the rank.
    """
    if recipe.svd_algorithm is SvdAlgorithm.NONE or not filtered.missing:
        return None
    check_rank(recipe.rank, filtered.shape)
    known = _saved_outcome(scratch / _OUTCOME, identity)
    if known is not None:
        return known
    outcome = _compressed(filtered, recipe, scratch, identity, report)
    if outcome is None:
        checkpoints = _Checkpoints(scratch / _STATE, identity)
        outcome = _streamed(filtered, recipe, checkpoints, report, checkpoints.saved())
    _save_outcome(scratch / _OUTCOME, outcome, identity)
    return outcome


@dataclass(frozen=True, slots=True)
class _Checkpoints:
    """Where the state of some iterations is kept."""

    path: Path
    identity: str

    def saved(self) -> ImputationState | None:
        return saved_state(self.path, self.identity)

    def save(self, state: ImputationState) -> None:
        save_state(self.path, state, self.identity)


def _streamed(
    filtered: FilteredSamples,
    recipe: CompendiumRecipe,
    checkpoints: _Checkpoints,
    report: Report,
    state: ImputationState | None,
) -> Imputation:
    """Iterations over all samples."""
    return iterative_svd(
        filtered,
        rank=recipe.rank,
        max_iterations=recipe.max_iterations,
        tolerance=recipe.tolerance,
        sketch=recipe.sketch,
        state=state,
        on_iteration=_keeping(recipe, checkpoints, report),
    )


def _compressed(
    filtered: FilteredSamples, recipe: CompendiumRecipe, scratch: Path, identity: str, report: Report
) -> Imputation | None:
    """Iterations over compressed rows; None if that would not be much less."""
    if recipe.imputation is ImputationMode.STREAMING:
        return None
    samples = filtered.shape[0]
    found = saved_sketch(scratch / _SKETCH, identity)
    if found is None:
        always = recipe.imputation is ImputationMode.COMPRESSED
        groups = find_groups(filtered, filtered.rows()["pattern"], always=always)
        if groups is None:
            return None
        count = _counting("sketching", SKETCH_PASSES * samples, report)
        sketch = sketch_groups(filtered, groups, scratch / _SKETCH, on_samples=count)
        save_sketch(sketch, groups, identity)
        found = groups, sketch
    compressed = Compressed(filtered, *found)
    inner = _Checkpoints(scratch / _STATE, f"{identity} compressed")
    streamed_on = saved_state(scratch / _STATE, identity)
    iterated = iterate(
        compressed,
        rank=recipe.rank,
        max_iterations=recipe.max_iterations,
        tolerance=recipe.tolerance,
        sketch=recipe.sketch or min(LARGEST_SKETCH, *filtered.shape),
        state=inner.saved(),
        on_iteration=_keeping(recipe, inner, report, keep=streamed_on is None),
    )
    placed = place_samples(compressed, iterated.state, on_samples=_counting("placing samples", samples, report))
    facts = {
        "groups": len(found[0].missing),
        "rows": compressed.dense_rows,
        "group_rows": SKETCH_ROWS,
        "samples_compressed": samples - len(found[0].kept),
        "iterations": iterated.outcome.iterations,
        "change": placed.change,
    }
    state = replace(iterated.state, current=placed.current, previous=placed.previous, passes=SKETCH_PASSES + 1)
    if state.converged and placed.change >= recipe.tolerance:
        state = streamed_on or replace(state, converged=False, changes=state.changes[:-1])
        outcome = _streamed(filtered, recipe, _Checkpoints(scratch / _STATE, identity), report, state)
    else:
        outcome = replace(iterated.outcome, model=placed.current, passes=state.passes)
    return replace(outcome, compression=facts)


def _counting(step: str, total: int, report: Report) -> Callable[[int], None]:
    done = 0

    def on_samples(samples: int) -> None:
        nonlocal done
        done += samples
        report(Progress(step=step, done=done, total=total))

    return on_samples


def _keeping(
    recipe: CompendiumRecipe, checkpoints: _Checkpoints, report: Report, *, keep: bool = True
) -> Callable[[ImputationState], None]:
    """Reports each iteration, and keeps the state once a minute."""
    began = saved = time.monotonic()
    here = 0

    def on_iteration(state: ImputationState) -> None:
        nonlocal saved, here
        here += 1
        now = time.monotonic()
        left = iterations_left(state.changes, recipe.tolerance, recipe.max_iterations - state.iteration)
        seconds = None if left is None else left * (now - began) / here
        if keep and now - saved >= SECONDS_BETWEEN_CHECKPOINTS:
            checkpoints.save(state)
            saved = time.monotonic()
        report(Progress(step="imputing", done=state.iteration, total=recipe.max_iterations, seconds_left=seconds))

    return on_iteration


def _save_outcome(path: Path, outcome: Imputation, identity: str) -> None:
    facts = {
        "iterations": outcome.iterations,
        "converged": outcome.converged,
        "changes": outcome.changes,
        "passes": outcome.passes,
        "sketch": outcome.sketch,
        "compression": outcome.compression,
    }
    save_arrays(
        path,
        {
            "identity": np.array(identity),
            "facts": np.array(orjson.dumps(facts).decode()),
            "scores": outcome.model.scores,
            "axes": outcome.model.axes,
        },
    )


def _saved_outcome(path: Path, identity: str) -> Imputation | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        if str(stored["identity"]) != identity:
            return None
        facts: dict[str, Any] = orjson.loads(str(stored["facts"]))
        model = LowRankModel(stored["scores"], stored["axes"])
    return Imputation(model=model, **facts | {"changes": tuple(facts["changes"])})
