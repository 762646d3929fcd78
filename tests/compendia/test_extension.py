"""A compendium that goes on from an earlier one: old rows are identical, new ones as in a full rebuild, nearly."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from refinebio_assets.compendia.compendium import CompendiumRecipe, SvdAlgorithm, prepare_compendium
from refinebio_assets.compendia.expression_store import ExpressionStore, make_parts, write_parts
from refinebio_assets.compendia.extension import CompendiumModel, prepare_extension, scores_of
from refinebio_assets.compendia.quantile_normalization import quantile_normalize
from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.domain.vocabulary import Technology

GENES = 1000
NAMES = [f"ENSG{number:011d}" for number in range(GENES)]
RECIPE = CompendiumRecipe(rank=8)
KINDS = ("P0", "P0", "P1", "P0", "RNA", "P0", "RNA", "P0", "P1", "P0", "RNA")
TOLERANCE = 0.2
"""Root mean square, on the log2 scale, of what an extension by a tenth imputes otherwise than a full rebuild."""


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    """Parts of two platforms and RNA-seq: eight experiments of 60 samples to start with, one new one of each kind."""
    rng = np.random.default_rng(3)
    folder = tmp_path_factory.mktemp("parts")
    axes, means = rng.normal(size=(8, GENES)), 7 + 2 * rng.normal(size=GENES)
    absent = {"P0": [], "P1": rng.choice(GENES, 150, replace=False), "RNA": rng.choice(GENES, 30, replace=False)}
    parts = {}
    for number, kind in enumerate(KINDS):
        samples = 60 if number < 8 else 16
        values = means + rng.normal(size=(samples, 8)) @ axes + 0.4 * rng.normal(size=(samples, GENES))
        if kind == "RNA":
            values = np.maximum(2**values - 1, 0)
        if number == 9:
            values[3, 400:] = np.nan
        kept = [gene for gene in range(GENES) if gene not in set(absent[kind])]
        made = make_parts(
            values[:, kept].astype(np.float32),
            experiment=f"E{number:02d}",
            organism="HOMO_SAPIENS",
            technology=Technology.RNA_SEQ if kind == "RNA" else Technology.MICROARRAY,
            scale="linear" if kind == "RNA" else "log2",
            genes=[NAMES[gene] for gene in kept],
            samples=[f"S{number:02d}_{one:02d}" for one in range(samples)],
            platforms=[kind] * samples,
        )
        parts[number] = write_parts(folder, made)[0]
    return parts


@pytest.fixture(scope="module")
def first(experiments, tmp_path_factory):
    store = ExpressionStore.of([experiments[number] for number in range(8)])
    return prepare_compendium(store, RECIPE, tmp_path_factory.mktemp("first"), target=np.linspace(0, 14, GENES))


@pytest.fixture(scope="module")
def extended(experiments, first, tmp_path_factory):
    store = ExpressionStore.of(list(experiments.values()))
    model = CompendiumModel.of(first)
    return prepare_extension(store, model, tmp_path_factory.mktemp("extended"), target=first.target)


def whole(prepared, what="normalized"):
    return np.concatenate([getattr(block, what) for block in prepared.blocks()])


def rows_of(prepared, samples):
    places = {sample: row for row, sample in enumerate(prepared.filtered.samples)}
    return [places[sample] for sample in samples]


@pytest.mark.parametrize("what", ["normalized", "imputed", "mask"])
def test_old_samples_keep_their_values_to_the_last_bit(first, extended, what):
    assert extended.filtered.genes == first.filtered.genes
    rows = rows_of(extended, first.filtered.samples)
    assert whole(extended, what)[rows].tobytes() == whole(first, what).tobytes()


def test_new_samples_are_as_in_a_full_rebuild_within_the_tolerance(experiments, extended, tmp_path):
    rebuilt = prepare_compendium(ExpressionStore.of(list(experiments.values())), RECIPE, tmp_path, target=None)
    new = [sample for sample in extended.filtered.samples if sample[:3] in {"S08", "S09", "S10"}]
    genes = [gene for gene in extended.filtered.genes if gene in set(rebuilt.filtered.genes)]
    assert len(genes) > 0.95 * len(rebuilt.filtered.genes)

    def part(prepared, what):
        columns = [prepared.filtered.genes.index(gene) for gene in genes]
        return whole(prepared, what)[rows_of(prepared, new)][:, columns]

    both = part(extended, "mask") & part(rebuilt, "mask")
    assert both.sum() > 2000
    difference = (part(extended, "imputed") - part(rebuilt, "imputed"))[both]
    assert np.sqrt(np.mean(difference**2)) < TOLERANCE


def test_says_what_was_reused(first, extended):
    summary = extended.summary()
    assert summary["extends"] == {"reused": len(first.filtered.samples), "added": 47, "changed": 0, "gone": 0}
    assert summary["iterations"] == first.imputation.iterations
    assert extended.filtered.dropped.keys() == {"S09_03"}
    np.testing.assert_array_equal(whole(extended), quantile_normalize(whole(extended, "imputed"), first.target))


def test_a_sample_whose_expression_changed_counts_as_new(experiments, first, tmp_path):
    values = experiments[0].read().T.copy()
    values[5] += 1
    info = experiments[0].info
    made = make_parts(
        values,
        experiment=info.experiment,
        organism=info.organism,
        technology=info.technology,
        scale=info.scale,
        genes=info.genes,
        samples=info.samples,
        platforms=info.platforms,
    )
    parts = [*write_parts(tmp_path, made), *(experiments[number] for number in range(1, 7))]
    model = CompendiumModel.of(first)
    extended = prepare_extension(ExpressionStore.of(parts), model, tmp_path / "scratch", target=None)
    gone = len(experiments[7].info.samples)
    assert extended.extends == {"reused": len(model.samples) - gone - 1, "added": 0, "changed": 1, "gone": gone}
    same = [sample for sample in extended.filtered.samples if sample != "S00_05"]
    ours, before = whole(extended, "imputed")[rows_of(extended, same)], whole(first, "imputed")[rows_of(first, same)]
    assert ours.tobytes() == before.tobytes()


def test_an_extension_can_be_extended(experiments, first, tmp_path):
    model = CompendiumModel.of(first)
    some = ExpressionStore.of([experiments[number] for number in range(9)])
    middle = prepare_extension(some, model, tmp_path / "middle", target=None)
    everything = ExpressionStore.of(list(experiments.values()))
    last = prepare_extension(everything, CompendiumModel.of(middle), tmp_path / "last", target=None)
    at_once = prepare_extension(everything, model, tmp_path / "once", target=None)
    assert whole(last, "imputed").tobytes() == whole(at_once, "imputed").tobytes()


def test_a_model_reads_back_as_it_was_and_has_the_same_bytes(first, tmp_path):
    model = CompendiumModel.of(first)
    model.save(tmp_path / "model.npz")
    read = CompendiumModel.load(tmp_path / "model.npz")
    read.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "model.npz").read_bytes()
    for field in dataclasses.fields(model):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(model, field.name))
    assert read.recipe == RECIPE
    assert (read.organism, read.iterations) == ("HOMO_SAPIENS", first.imputation.iterations)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no archive"])
def test_a_file_that_is_no_model_is_told(tmp_path, content):
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(MalformedFileError):
        CompendiumModel.load(tmp_path / "model.npz")


def test_a_store_without_a_gene_of_the_compendium_is_refused(experiments, first, tmp_path):
    model = CompendiumModel.of(first)
    model = dataclasses.replace(model, genes=(*model.genes[:-1], "ENSG99999999999"))
    with pytest.raises(InputError, match="ENSG99999999999"):
        prepare_extension(ExpressionStore.of([experiments[0]]), model, tmp_path, target=None)


def test_without_imputation_cells_stay_missing(experiments, tmp_path):
    recipe = CompendiumRecipe(svd_algorithm=SvdAlgorithm.NONE)
    store = ExpressionStore.of([experiments[number] for number in range(8)])
    first = prepare_compendium(store, recipe, tmp_path / "first", target=None)
    everything = ExpressionStore.of(list(experiments.values()))
    extended = prepare_extension(everything, CompendiumModel.of(first), tmp_path / "more", target=None)
    assert extended.imputation is None
    assert np.isnan(whole(extended)).sum() == extended.filtered.missing > 0


def test_scores_are_those_of_the_iterations_with_fixed_axes():
    rng = np.random.default_rng(6)
    axes = np.linalg.qr(rng.normal(size=(50, 3)))[0].astype(np.float32)
    values = rng.normal(size=(4, 50)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    filled = np.nan_to_num(values)
    for iteration in range(6):
        scores = filled @ axes[:, : min(2**iteration, 3)]
        rebuilt = scores @ axes[:, : scores.shape[1]].T
        filled = np.where(np.isnan(values), rebuilt, values)
    np.testing.assert_allclose(scores_of(values, axes, 6), scores, atol=1e-5)
