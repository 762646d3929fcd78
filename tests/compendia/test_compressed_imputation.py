"""Compressed imputation: the same iterations as over all samples, three passes over the data."""

from __future__ import annotations

import numpy as np
import pytest

from refinebio_assets.compendia import compressed_imputation as module
from refinebio_assets.compendia.compressed_imputation import (
    SKETCH_ROWS,
    Compressed,
    find_groups,
    place_samples,
    sketch_groups,
)
from refinebio_assets.compendia.imputation import fill_missing, iterate, iterative_svd
from tests.compendia.iterative_svd import in_memory
from tests.compendia.test_imputation import InMemory


def platforms(samples, genes, *, seed=1, noise=0.4, count=3):
    """Samples of platforms that miss other genes and have a level of their own; and the platform of each."""
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(15, genes)) * np.geomspace(1, 0.2, 15)[:, None]
    values = 7 + 2 * rng.normal(size=genes) + 0.6 * rng.normal(size=(samples, 15)) @ axes
    values += noise * rng.normal(size=(samples, genes))
    platform = rng.integers(0, count, samples)
    for one in range(1, count):
        values[np.ix_(platform == one, rng.choice(genes, genes // 10, replace=False))] = np.nan
        values[platform == one] += 0.5 * rng.normal(size=genes)
    return values.astype(np.float32), platform.astype(np.uint64)


def compressed_imputation(values, patterns, folder, *, rank=10, on_samples=lambda _samples: None):
    matrix = InMemory(values)
    groups = find_groups(matrix, patterns, always=True)
    sketch = sketch_groups(matrix, groups, folder / "sketch.f32", on_samples=on_samples)
    compressed = Compressed(matrix, groups, sketch)
    iterated = iterate(compressed, rank=rank, max_iterations=200, tolerance=1e-5, sketch=64)
    placed = place_samples(compressed, iterated.state, on_samples=on_samples)
    filled = values.copy()
    fill_missing(placed.current, filled, 0)
    return filled, iterated.outcome, placed, matrix


def test_equals_the_method_in_memory_after_as_many_iterations(tmp_path):
    values, platform = platforms(240, 4000)
    expected, iterations = in_memory(values, rank=10)
    ours, outcome, placed, _ = compressed_imputation(values, platform, tmp_path)
    holes = np.isnan(values)
    assert outcome.iterations == iterations
    assert np.sqrt(np.mean((ours - expected)[holes] ** 2)) < 1e-3
    assert np.abs(ours - expected)[holes].max() < 0.02
    assert (ours[~holes] == values[~holes]).all()
    assert placed.change == pytest.approx(outcome.changes[-1], rel=1e-3)


def test_rows_that_stand_for_all_of_a_group_give_the_exact_result(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SKETCH_ROWS", 96)
    values, platform = platforms(400, 96)
    expected, iterations = in_memory(values, rank=6)
    ours, outcome, _, _ = compressed_imputation(values, platform, tmp_path, rank=6)
    assert outcome.iterations == iterations
    assert np.sqrt(np.mean((ours - expected)[np.isnan(values)] ** 2)) < 1e-3


def test_cells_missing_in_single_samples_are_filled_as_over_all_samples(tmp_path):
    values, platform = platforms(240, 3000)
    rng = np.random.default_rng(4)
    odd = rng.choice(240, 30, replace=False)
    values[odd[:, None], rng.integers(0, 3000, (30, 40))] = np.nan
    platform[odd] = 1000 + np.arange(30)
    streamed = iterative_svd(InMemory(values), rank=10, sketch=64)
    ours, outcome, _, _ = compressed_imputation(values, platform, tmp_path)
    expected = values.copy()
    fill_missing(streamed.model, expected, 0)
    assert outcome.iterations == streamed.iterations
    assert np.sqrt(np.mean((ours - expected)[np.isnan(values)] ** 2)) < 1e-3


def test_reads_the_data_three_times(tmp_path):
    values, platform = platforms(300, 200)
    counted = []
    _, _, _, matrix = compressed_imputation(values, platform, tmp_path, rank=5, on_samples=counted.append)
    groups = len(np.unique(platform))
    assert sum(counted) == 3 * len(values)
    assert matrix.samples_read == 3 * len(values) + groups


def test_the_same_data_give_the_same_bytes(tmp_path):
    values, platform = platforms(300, 200)
    one, other = (compressed_imputation(values, platform, tmp_path, rank=5)[0] for _ in range(2))
    assert one.tobytes() == other.tobytes()


def test_small_groups_and_samples_of_their_own_stay_as_they_are():
    values, platform = platforms(400, 100)
    platform[:30], platform[30:40] = 77, 100 + np.arange(10)
    groups = find_groups(InMemory(values), platform, always=True)
    assert set(np.flatnonzero(groups.of_sample < 0)) == set(range(40))
    assert len(groups.missing) == 3
    for number in range(3):
        assert (np.isnan(values[groups.of_sample == number]) == groups.missing[number]).all()


@pytest.mark.parametrize(
    ("sizes", "genes", "pays"),
    [
        ([50_000, 50_000], 6000, True),
        ([50_000, 50_000] + [1] * 30_000, 6000, True),
        ([50_000, 50_000] + [1] * 60_000, 6000, False),
        ([70_000, 70_000], 4000, False),
        ([40_000, 40_000], 6000, False),
        ([510] * 250, 6000, False),
    ],
)
def test_compresses_where_iterations_become_a_third(sizes, genes, pays):
    class Empty:
        shape = (sum(sizes), genes)

        def read(self, start, stop):
            return np.zeros((stop - start, genes), np.float32)

    patterns = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    assert (find_groups(Empty(), patterns) is not None) == pays


def test_rows_of_a_sketch_take_the_place_of_the_samples(tmp_path):
    values, platform = platforms(500, 700, count=1)
    matrix = InMemory(values)
    groups = find_groups(matrix, platform, always=True)
    sketch = sketch_groups(matrix, groups, tmp_path / "sketch.f32", on_samples=lambda _samples: None)
    rows = np.fromfile(sketch.path, np.float32).reshape(SKETCH_ROWS, 700).astype(np.float64)
    ours = rows.T @ rows + np.diag(sketch.tails[0].astype(np.float64) ** 2)
    truth = values.T.astype(np.float64) @ values
    np.testing.assert_allclose(np.diag(ours), np.diag(truth), rtol=1e-3)
    leading = np.linalg.eigvalsh(ours)[::-1][:15], np.linalg.eigvalsh(truth)[::-1][:15]
    np.testing.assert_allclose(*leading, rtol=2e-3)
