"""A compendium out of core: the documented steps, whatever is interrupted."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import orjson
import pytest

from refinebio_assets.compendia import compressed_imputation, filtered_samples, imputation_steps
from refinebio_assets.compendia.compendium import CompendiumRecipe, ImputationMode, SvdAlgorithm, prepare_compendium
from refinebio_assets.compendia.expression_store import ExpressionStore, local_parts, make_parts, write_parts
from refinebio_assets.compendia.filters import FilterOptions
from refinebio_assets.compendia.quantile_normalization import quantile_normalize
from refinebio_assets.domain.vocabulary import Technology
from tests.compendia.iterative_svd import in_memory

GENES = [f"ENSG{number:011d}" for number in range(120)]
RECIPE = CompendiumRecipe(rank=5)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two array experiments on platforms with other genes, and one RNA-seq experiment; one array is nearly empty."""
    rng = np.random.default_rng(11)
    folder = tmp_path_factory.mktemp("store")
    axes, means = rng.normal(size=(6, 120)), 7 + 2 * rng.normal(size=120)
    for number, (technology, samples, absent) in enumerate(
        [(Technology.MICROARRAY, 60, 12), (Technology.MICROARRAY, 50, 20), (Technology.RNA_SEQ, 70, 0)]
    ):
        values = means + rng.normal(size=(samples, 6)) @ axes + 0.3 * rng.normal(size=(samples, 120))
        if technology is Technology.RNA_SEQ:
            values = np.maximum(2**values - 1, 0)
            values[rng.random(values.shape) < 0.03] = 0
        if number == 1:
            values[7, 30:] = np.nan
        kept = sorted(rng.choice(120, 120 - absent, replace=False))
        names = [f"S{number}{one:03d}" for one in range(samples)]
        parts = make_parts(
            values[:, kept].astype(np.float32),
            experiment=f"E{number}",
            organism="HOMO_SAPIENS",
            technology=technology,
            scale="linear" if technology is Technology.RNA_SEQ else "log2",
            genes=[GENES[one] for one in kept],
            samples=names,
            platforms=[f"P{number}"] * samples,
        )
        write_parts(folder, parts)
    return ExpressionStore.of(local_parts(folder))


def whole(prepared, what="normalized"):
    return np.concatenate([getattr(block, what) for block in prepared.blocks()])


def test_imputed_and_normalised_as_in_memory(store, tmp_path):
    target = np.linspace(0, 15, 500)
    prepared = prepare_compendium(store, RECIPE, tmp_path, target=target)
    filtered = prepared.filtered.read(0, len(prepared.filtered.samples))
    expected, iterations = in_memory(filtered, rank=5)
    assert prepared.imputation is not None
    assert prepared.imputation.iterations == iterations
    holes = np.isnan(filtered)
    imputed = whole(prepared, "imputed")
    assert np.sqrt(np.mean((imputed - expected)[holes] ** 2)) < 1e-3
    assert (imputed[~holes] == filtered[~holes]).all()
    assert (whole(prepared, "mask") == holes).all()
    np.testing.assert_array_equal(whole(prepared), quantile_normalize(imputed, target))


def test_says_what_was_left_out_and_imputed(store, tmp_path):
    prepared = prepare_compendium(store, RECIPE, tmp_path, target=None)
    assert list(prepared.filtered.dropped) == ["S1007"]
    summary = prepared.summary()
    assert summary["samples"] == 179
    assert summary["samples_dropped"] == 1
    assert summary["filters"]["samples_in_store"] == 180
    assert summary["filters"]["rna_low_expression"] > 0
    assert 0 < summary["share_imputed"] < 0.2
    assert summary["quantile_normalized"] is False


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", ["counting genes", "filtering", "imputing"])
def test_an_interrupted_build_ends_with_the_same_bytes(store, tmp_path, step, monkeypatch):
    expected = whole(prepare_compendium(store, RECIPE, tmp_path / "whole", target=None)).tobytes()
    for module in (filtered_samples, imputation_steps):
        monkeypatch.setattr(module, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    reports = []

    def killed_there(progress):
        reports.append(progress.step)
        if progress.step == step and reports.count(step) == 2:
            raise KilledError

    with pytest.raises(KilledError):
        prepare_compendium(store, RECIPE, tmp_path / "cut", target=None, report=killed_there)
    later = []
    prepared = prepare_compendium(store, RECIPE, tmp_path / "cut", target=None, report=later.append)
    assert whole(prepared).tobytes() == expected
    if step == "imputing":
        assert {progress.step for progress in later} == {"imputing"}
        assert later[0].done > 1


@pytest.mark.parametrize(("name", "left"), [("filtered.f32", 1000), ("filtered.rows", 7), ("filtered.f32", 0)])
def test_a_file_that_was_cut_short_is_written_again(store, tmp_path, name, left):
    expected = whole(prepare_compendium(store, RECIPE, tmp_path, target=None)).tobytes()
    os.truncate(tmp_path / name, left)
    steps = []
    prepared = prepare_compendium(store, RECIPE, tmp_path, target=None, report=lambda now: steps.append(now.step))
    assert "filtering" in steps
    assert whole(prepared).tobytes() == expected


def test_filtering_goes_on_with_the_next_part(store, tmp_path, monkeypatch):
    monkeypatch.setattr(filtered_samples, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    expected = whole(prepare_compendium(store, RECIPE, tmp_path / "whole", target=None)).tobytes()

    def killed_in_the_third_part(progress):
        if progress.step == "filtering" and progress.done == 180:
            raise KilledError

    with pytest.raises(KilledError):
        prepare_compendium(store, RECIPE, tmp_path / "cut", target=None, report=killed_in_the_third_part)
    with (tmp_path / "cut" / "filtered.f32").open("ab") as file:
        file.write(b"what was not yet named")
    later = []
    prepared = prepare_compendium(store, RECIPE, tmp_path / "cut", target=None, report=later.append)
    assert [progress.done for progress in later if progress.step == "filtering"] == [180]
    assert "counting genes" not in {progress.step for progress in later}
    assert whole(prepared).tobytes() == expected


def test_says_the_same_of_itself_after_an_interruption(store, tmp_path):
    first = prepare_compendium(store, RECIPE, tmp_path, target=None).summary()
    again = prepare_compendium(store, RECIPE, tmp_path, target=None).summary()
    assert orjson.dumps(again) == orjson.dumps(first)
    assert first["imputation"] == "streaming"
    assert first["passes"] > first["iterations"]


def test_imputing_is_told_with_the_most_iterations_and_what_is_left(store, tmp_path):
    told = []
    prepared = prepare_compendium(store, RECIPE, tmp_path, target=None, report=told.append)
    imputing = [progress for progress in told if progress.step == "imputing"]
    assert [progress.done for progress in imputing] == list(range(1, prepared.imputation.iterations + 1))
    assert {progress.total for progress in imputing} == {200}
    assert imputing[-1].seconds_left is not None
    assert all(progress.total == 180 for progress in told if progress.step == "filtering")


def test_another_recipe_does_not_use_what_an_earlier_one_left(store, tmp_path):
    prepare_compendium(store, RECIPE, tmp_path, target=None)
    strict = CompendiumRecipe(rank=5, filters=FilterOptions(sample_completeness=0.95))
    again = prepare_compendium(store, strict, tmp_path, target=None)
    assert len(again.filtered.samples) < 179
    fresh = prepare_compendium(store, strict, tmp_path / "fresh", target=None)
    assert whole(again).tobytes() == whole(fresh).tobytes()


def test_without_imputation_missing_cells_stay_missing(store, tmp_path):
    recipe = CompendiumRecipe(svd_algorithm=SvdAlgorithm.NONE)
    prepared = prepare_compendium(store, recipe, tmp_path, target=None)
    assert prepared.imputation is None
    assert np.isnan(whole(prepared)).sum() == prepared.filtered.missing > 0


def test_filters_that_leave_nothing_are_told(store, tmp_path):
    strict = CompendiumRecipe(filters=FilterOptions(gene_completeness=1.01))
    with pytest.raises(ValueError, match="0 genes"):
        prepare_compendium(store, strict, tmp_path, target=None)


def compress_everything(monkeypatch):
    monkeypatch.setattr(compressed_imputation, "SKETCH_ROWS", 48)
    return CompendiumRecipe(rank=5, imputation=ImputationMode.COMPRESSED)


def test_a_compressed_imputation_is_recorded_and_fills_as_a_streamed_one(store, tmp_path, monkeypatch):
    recipe = compress_everything(monkeypatch)
    streamed = prepare_compendium(store, RECIPE, tmp_path / "streamed", target=None)
    prepared = prepare_compendium(store, recipe, tmp_path / "compressed", target=None)
    summary = prepared.summary()
    assert summary["imputation"] == "compressed"
    assert summary["passes"] == 3
    assert summary["compression"]["samples_compressed"] > 100
    assert summary["iterations"] == streamed.summary()["iterations"]
    difference = (whole(prepared, "imputed") - whole(streamed, "imputed"))[whole(prepared, "mask")]
    assert np.sqrt(np.mean(difference**2)) < 0.03


@pytest.mark.parametrize("step", ["sketching", "imputing", "placing samples", "writing"])
def test_an_interrupted_compressed_build_ends_with_the_same_bytes(store, tmp_path, step, monkeypatch):
    recipe = compress_everything(monkeypatch)
    monkeypatch.setattr(imputation_steps, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    first = prepare_compendium(store, recipe, tmp_path / "whole", target=None)

    def killed_there(progress):
        if progress.step == step:
            raise KilledError

    def build(report):
        prepared = prepare_compendium(store, recipe, tmp_path / "cut", target=None, report=report)
        return prepared, np.concatenate([block.imputed for block in prepared.blocks(report=report)])

    with pytest.raises(KilledError):
        build(killed_there)
    later = []
    again, values = build(later.append)
    assert values.tobytes() == whole(first, "imputed").tobytes()
    assert orjson.dumps(again.summary()) == orjson.dumps(first.summary())
    assert "filtering" not in {progress.step for progress in later}
    assert ("sketching" in {progress.step for progress in later}) == (step == "sketching")


def test_iterations_over_all_samples_finish_what_a_compressed_imputation_left(store, tmp_path, monkeypatch):
    recipe = compress_everything(monkeypatch)
    placed = imputation_steps.place_samples

    def not_yet_there(*arguments, **options):
        return replace(placed(*arguments, **options), change=2e-5)

    monkeypatch.setattr(imputation_steps, "place_samples", not_yet_there)
    prepared = prepare_compendium(store, recipe, tmp_path, target=None)
    summary = prepared.summary()
    assert summary["passes"] > 3
    assert summary["iterations"] >= summary["compression"]["iterations"]
    assert summary["converged"]
    assert len(summary["changes"]) == summary["iterations"]
