"""Imputation: equal to iterating exact truncated decompositions in memory, in blocks, resumable, reproducible."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.compendia import _imputation
from refinebio_assets.compendia.imputation import (
    BLOCK_SAMPLES,
    BLOCKS_PER_SUM,
    ImputationState,
    LowRankModel,
    fill_missing,
    iterative_svd,
)
from tests.compendia.iterative_svd import in_memory, truncated


class InMemory:
    """A matrix in memory that counts how often it was read."""

    def __init__(self, values):
        self.values = values
        self.samples_read = 0

    @property
    def shape(self):
        return self.values.shape

    def read(self, start, stop):
        self.samples_read += stop - start
        return self.values[start:stop].copy()


def expression(samples, genes, *, seed=1, missing="platforms", noise=0.4):
    """Log-scale expression: gene means, a decaying low-rank structure, noise; missing by platform or anywhere."""
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(15, genes)) * np.geomspace(1, 0.2, 15)[:, None]
    values = 7 + 2 * rng.normal(size=genes) + 0.6 * rng.normal(size=(samples, 15)) @ axes
    values += noise * rng.normal(size=(samples, genes))
    if missing == "platforms":
        platform = rng.integers(0, 3, samples)
        for one in (1, 2):
            absent = rng.choice(genes, genes // 10, replace=False)
            values[np.ix_(platform == one, absent)] = np.nan
    else:
        values[rng.random(values.shape) < 0.05] = np.nan
    return values.astype(np.float32)


def imputed(values, outcome):
    filled = values.copy()
    fill_missing(outcome.model, filled, 0)
    return filled


@pytest.mark.parametrize("missing", ["platforms", "anywhere"])
def test_equals_the_method_in_memory_after_as_many_iterations(missing):
    values = expression(150, 400, missing=missing)
    expected, iterations = in_memory(values, rank=10)
    outcome = iterative_svd(InMemory(values), rank=10)
    ours, holes = imputed(values, outcome), np.isnan(values)
    assert outcome.iterations == iterations
    assert outcome.converged
    assert np.sqrt(np.mean((ours - expected)[holes] ** 2)) < 1e-3
    assert (ours[~holes] == values[~holes]).all()


def test_the_reference_projects_as_a_truncated_decomposition_does():
    values = np.random.default_rng(5).normal(size=(30, 50)) + 3
    left, lengths, right = np.linalg.svd(values, full_matrices=False)
    expected = (left[:, :4] * lengths[:4]) @ right[:4]
    np.testing.assert_allclose(truncated(values, 4), expected, atol=1e-9)
    np.testing.assert_allclose(truncated(values.T, 4), expected.T, atol=1e-9)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_no_byte(threads):
    values = expression(BLOCK_SAMPLES * BLOCKS_PER_SUM * 2 + 70, 130)
    one, other = (iterative_svd(InMemory(values), rank=6, max_iterations=5, threads=count) for count in (2, threads))
    assert one.model.scores.tobytes() == other.model.scores.tobytes()
    assert one.model.axes.tobytes() == other.model.axes.tobytes()
    assert one.changes == other.changes


def test_a_wide_sketch_is_the_exact_method():
    values = expression(90, 60, noise=0.8)
    expected, iterations = in_memory(values, rank=5)
    outcome = iterative_svd(InMemory(values), rank=5, sketch=60)
    assert outcome.iterations == iterations
    np.testing.assert_allclose(imputed(values, outcome), expected, atol=2e-5)


def test_hidden_values_of_a_low_rank_matrix_are_found_again():
    rng = np.random.default_rng(8)
    truth = (rng.normal(size=(200, 4)) @ rng.normal(size=(4, 120))).astype(np.float32)
    values = truth.copy()
    values[rng.random(values.shape) < 0.1] = np.nan
    outcome = iterative_svd(InMemory(values), rank=4, tolerance=1e-10)
    assert np.abs(imputed(values, outcome) - truth).max() < 0.02


def test_reads_the_data_once_per_iteration_but_where_directions_turn():
    matrix = InMemory(expression(BLOCK_SAMPLES * 2 + 7, 80))
    outcome = iterative_svd(matrix, rank=3, sketch=16)
    assert outcome.iterations < outcome.passes < 2 * outcome.iterations
    assert matrix.samples_read == outcome.passes * matrix.shape[0]
    assert len(outcome.changes) == outcome.iterations


def test_a_matrix_without_gaps_ends_at_the_largest_number_of_iterations_unchanged():
    values = expression(50, 40, missing="platforms")
    values[np.isnan(values)] = 1
    outcome = iterative_svd(InMemory(values), rank=3, max_iterations=4)
    assert (outcome.iterations, outcome.converged) == (4, False)
    assert (imputed(values, outcome) == values).all()


def test_goes_on_from_any_iteration_to_the_same_bytes():
    values = expression(130, 90)
    states: list[ImputationState] = []
    whole = iterative_svd(InMemory(values), rank=6, on_iteration=lambda state: states.append(copy.deepcopy(state)))
    for state in (states[0], states[len(states) // 2], states[-1]):
        again = iterative_svd(InMemory(values), rank=6, state=state)
        assert again.iterations == whole.iterations
        assert again.changes == whole.changes
        assert again.model.scores.tobytes() == whole.model.scores.tobytes()
        assert again.model.axes.tobytes() == whole.model.axes.tobytes()


def test_the_same_data_give_the_same_bytes():
    values = expression(100, 70, missing="anywhere")
    one, other = (iterative_svd(InMemory(values), rank=5) for _ in range(2))
    assert imputed(values, one).tobytes() == imputed(values, other).tobytes()


def test_the_sketch_widens_where_singular_values_hardly_fall():
    flat = np.random.default_rng(2).normal(size=(120, 100)).astype(np.float32)
    flat[np.random.default_rng(3).random(flat.shape) < 0.1] = np.nan
    assert iterative_svd(InMemory(flat), rank=10, max_iterations=12).sketch == 64
    rng = np.random.default_rng(4)
    steep = (rng.normal(size=(120, 4)) @ rng.normal(size=(4, 100))).astype(np.float32)
    steep += 0.01 * rng.normal(size=steep.shape).astype(np.float32)
    steep[rng.random(steep.shape) < 0.1] = np.nan
    assert iterative_svd(InMemory(steep), rank=4, max_iterations=12).sketch == 32


@settings(max_examples=30)
@given(
    st.integers(3, 12), st.integers(3, 12), st.integers(0, 2**31), st.sampled_from(["constant", "zeros", "rank one"])
)
def test_degenerate_matrices_give_finite_values(samples, genes, seed, kind):
    rng = np.random.default_rng(seed)
    values = {
        "constant": np.full((samples, genes), 5.0),
        "zeros": np.zeros((samples, genes)),
        "rank one": np.outer(rng.normal(size=samples), rng.normal(size=genes)),
    }[kind].astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    outcome = iterative_svd(InMemory(values), rank=2, max_iterations=20)
    assert np.isfinite(imputed(values, outcome)).all()


def test_a_sample_and_a_gene_without_any_value_are_filled():
    values = expression(60, 50)
    values[3], values[:, 4] = np.nan, np.nan
    ours = imputed(values, iterative_svd(InMemory(values), rank=4))
    assert np.isfinite(ours).all()


@pytest.mark.parametrize(("rank", "sketch"), [(0, None), (8, None), (20, None), (4, 3)])
def test_ranks_that_cannot_be_are_refused(rank, sketch):
    with pytest.raises(ValueError, match="rank"):
        iterative_svd(InMemory(np.zeros((10, 8), np.float32)), rank=rank, sketch=sketch)


def test_a_block_is_filled_from_its_place_in_the_model():
    model = LowRankModel(np.arange(6, dtype=np.float32).reshape(6, 1), np.array([[1], [10]], np.float32))
    block = np.array([[np.nan, np.nan], [1, np.nan]], np.float32)
    fill_missing(model, block, 3)
    assert block.tolist() == [[3, 30], [1, 40]]


@pytest.mark.parametrize(
    "shapes",
    [
        [(3, 4), (2, 1), (4, 1), (3, 0), (4, 0)],
        [(3, 4), (3, 2), (4, 1), (3, 0), (4, 0)],
        [(3, 4), (3, 1), (5, 1), (3, 0), (4, 0)],
        [(3, 4), (3, 1), (4, 1), (3, 1), (4, 2)],
    ],
)
def test_the_compiled_part_checks_shapes_and_types(shapes):
    arrays = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(ValueError, match="rank"):
        _imputation.fill(*arrays)
    with pytest.raises(ValueError, match="float32"):
        _imputation.fill(*(array.astype(np.float64) for array in arrays))
