"""The evidence of a compendium: known answers, one pass, the same twice, and memory that samples hardly add to."""

from __future__ import annotations

import numpy as np
import orjson
import pandas as pd
import pytest
from scipy.stats import spearmanr

from refinebio_assets.compendia import quality as module
from refinebio_assets.compendia.compendium import CompendiumBlock, CompendiumRecipe, SvdAlgorithm, prepare_compendium
from refinebio_assets.compendia.expression_store import ExpressionStore, local_parts, make_parts, write_parts
from refinebio_assets.compendia.quality import CHECK_NAMES, QualityStatistics, held_out_error
from refinebio_assets.compendia.quality_components import components
from refinebio_assets.compendia.quality_densities import BINS, BINS_PER_UNIT, LOWEST, count_in_bins
from refinebio_assets.compendia.quality_sampling import evenly_spaced, stratified
from refinebio_assets.domain.vocabulary import Technology
from tests.compendia.quality_data import GENES, small


def test_sound_compendium_passes_every_check():
    quality = small().quality()
    assert [check.name for check in quality.checks] == list(CHECK_NAMES)
    assert [check.name for check in quality.checks if not check.passed] == []
    assert quality.blocking == ()


def test_missing_values_are_counted_by_platform_gene_and_sample():
    data = small()
    quality = data.quality()
    found = quality.figures.missingness
    shares = {(one.technology, one.platform): (one.samples, one.missing) for one in found.platforms}
    assert shares == {
        ("RNA_SEQ", "IlluminaHiSeq2000"): (45, 0.0),
        ("MICROARRAY", "GPL96"): (30, 0.0),
        ("MICROARRAY", "GPL97"): (15, 0.1),
    }
    assert found.complete_genes == 54
    assert [gene.gene for gene in found.worst_genes] == list(GENES[:6])
    assert found.worst_genes[0].by_technology == {"MICROARRAY": round(15 / 45, 6), "RNA_SEQ": 0.0}
    assert found.by_gene[0] == 54
    assert found.by_gene[20 * 15 // 90] == 6
    assert found.by_sample[0] == 75
    assert found.by_sample[2] == 15
    assert quality.summary["share_imputed"] == pytest.approx(15 * 6 / (90 * 60), rel=1e-5)
    assert quality.summary["samples_by_technology"] == {"MICROARRAY": 45, "RNA_SEQ": 45}


def test_summary_is_json_and_the_same_however_blocks_are_cut():
    data = small()
    one, other = data.quality(), data.quality(size=17)
    assert orjson.dumps(one.summary) == orjson.dumps(other.summary)
    assert one.checks == other.checks


def test_densities_count_every_value_before_and_after():
    data = small()
    data.imputed[50, 3] = data.measured[50, 3] = 0
    array, rna = data.quality().figures.densities
    assert (array.label, rna.label) == ("MICROARRAY", "RNA_SEQ")
    for density, rows in ((array, slice(0, 45)), (rna, slice(45, 90))):
        expected = np.histogram(data.imputed[rows], bins=BINS, range=(LOWEST, LOWEST + BINS / BINS_PER_UNIT))[0]
        np.testing.assert_array_equal(density.before, expected)
        assert density.after.sum() == 45 * 60
    assert (array.zeros, rna.zeros) == (0, 1)
    assert array.quantiles()["before"][1] == pytest.approx(np.median(data.imputed[:45]), abs=1 / BINS_PER_UNIT)


def test_values_beyond_the_bins_are_counted_in_the_outermost():
    counts = count_in_bins(np.array([-1e30, -16, 0, 31.99, 32, np.inf], np.float32))
    assert counts[0] == 2
    assert counts[-LOWEST * BINS_PER_UNIT] == 1
    assert counts[-1] == 3


def test_components_are_those_of_an_exact_decomposition():
    rng = np.random.default_rng(5)
    groups = np.repeat(["a", "b"], 40)
    values = rng.normal(size=(80, 5)) * [9, 6, 4, 2, 1] @ rng.normal(size=(5, 200)) + 0.05 * rng.normal(size=(80, 200))
    values[groups == "b"] += 40 * rng.normal(size=200)
    found = components(values.astype(np.float32), {"group": tuple(groups)})
    centred = values - values.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    exact = left * singular
    assert found is not None
    np.testing.assert_allclose(np.abs(found.scores), np.abs(exact[:, :4]), atol=2e-3 * np.abs(exact).max())
    np.testing.assert_allclose(found.explained, (singular**2 / (singular**2).sum())[:4], rtol=1e-3)
    assert found.associations["group"][0] > 0.9


def test_components_of_too_few_or_equal_samples_are_none():
    assert components(np.ones((2, 9), np.float32), {}) is None
    assert components(np.ones((8, 9), np.float32), {}) is None


def test_gene_means_stand_in_where_no_sample_was_measured_twice():
    data = small()
    found = data.quality().figures.agreement
    assert found.num_overlapping == 0
    assert found.pairs == ()
    measured = np.where(np.isnan(data.measured), np.nan, data.imputed)
    expected = spearmanr(np.nanmean(measured[:45], axis=0), np.nanmean(measured[45:], axis=0)).statistic
    assert found.means_before.spearman == pytest.approx(expected, abs=1e-3)


def test_samples_measured_twice_are_compared_by_what_was_measured():
    data = small()
    data.samples.loc[["S035", "S050"], "biosample"] = "SAMN01"
    data.samples.loc[["S002", "S080"], "biosample"] = "SAMN02"
    data.samples.loc[["S003", "S004"], "biosample"] = "SAMN03"
    found = data.quality().figures.agreement
    pairs = {pair.biosample: pair for pair in found.pairs}
    assert pairs.keys() == {"SAMN01", "SAMN02"}
    assert (pairs["SAMN01"].array, pairs["SAMN01"].rna_seq, pairs["SAMN01"].genes) == ("S035", "S050", 54)
    expected = spearmanr(data.normalized[35, 6:], data.normalized[50, 6:]).statistic
    assert pairs["SAMN01"].after.spearman == pytest.approx(expected, abs=1e-4)
    stranger = spearmanr(data.normalized[2], data.normalized[50]).statistic
    assert pairs["SAMN02"].stranger.spearman == pytest.approx(stranger, abs=1e-4)


def test_one_technology_is_not_asked_whether_technologies_agree():
    data = small()
    data.samples["technology"] = "MICROARRAY"
    assert data.quality().summary["agreement"] is None


def test_samples_that_stand_for_others_are_of_every_stratum():
    strata = ["a"] * 9000 + ["b"] * 6 + ["c"] * 994
    chosen = stratified(strata, 1000)
    assert len(chosen) <= 1000
    assert (np.diff(chosen) > 0).all()
    counts = {name: sum(strata[place] == name for place in chosen) for name in "abc"}
    assert counts["b"] >= 5
    assert counts["a"] > 8 * counts["c"] > 0
    assert stratified(strata, 10_000).tolist() == list(range(10_000))
    assert evenly_spaced(10, 4).tolist() == [0, 2, 5, 7]


def test_blocks_that_do_not_fit_or_do_not_come_are_refused():
    data = small()
    statistics = QualityStatistics(data.samples, data.genes)
    with pytest.raises(ValueError, match="does not fit"):
        statistics.add(
            CompendiumBlock(
                start=80, normalized=data.normalized[:20], imputed=data.imputed[:20], mask=np.zeros((20, 60), bool)
            )
        )
    statistics.add(next(data.blocks()))
    with pytest.raises(ValueError, match="26 of 90 samples did not come"):
        statistics.finish(data.prepared, held_out=None)


def bytes_of(value, seen=None) -> int:
    """Of all arrays that hang on an object."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.nbytes
    inside = getattr(value, "__dict__", {}).values() or (
        getattr(value, name) for name in getattr(type(value), "__slots__", ())
    )
    return sum(bytes_of(one, seen) for one in inside)


def test_memory_is_bounded_by_construction(monkeypatch):
    """Beyond the samples that stand for all, one more takes a few dozen bytes, however many genes it has."""
    monkeypatch.setattr(module, "MOST_SAMPLES", 50)
    sizes = {}
    for count in (2000, 12_000):
        frame = pd.DataFrame(
            {"technology": "RNA_SEQ", "platform": "P", "biosample": [f"B{number // 2}" for number in range(count)]},
            index=[f"S{number}" for number in range(count)],
        )
        frame.iloc[::2, 0] = "MICROARRAY"
        sizes[count] = bytes_of(QualityStatistics(frame, GENES))
    assert (sizes[12_000] - sizes[2000]) / 10_000 < 60
    assert sizes[2000] > 50 * 60 * 4


def test_compendium_of_real_steps(tmp_path):
    """From parts to evidence, with imputation left out or not."""
    data = small()
    folder = tmp_path / "store"
    folder.mkdir()
    for technology, rows in ((Technology.MICROARRAY, slice(0, 45)), (Technology.RNA_SEQ, slice(45, 90))):
        parts = make_parts(
            data.measured[rows],
            experiment=f"E{technology}",
            organism="HOMO_SAPIENS",
            technology=technology,
            scale="log2",
            genes=data.genes,
            samples=list(data.samples.index[rows]),
            platforms=list(data.samples.platform[rows]),
        )
        write_parts(folder, parts)
    store = ExpressionStore.of(local_parts(folder))
    for algorithm in (SvdAlgorithm.ARPACK, SvdAlgorithm.NONE):
        recipe = CompendiumRecipe(rank=3, svd_algorithm=algorithm)
        prepared = prepare_compendium(store, recipe, tmp_path / algorithm, target=data.target)
        frame = data.samples.loc[list(prepared.filtered.samples)]
        statistics = QualityStatistics(frame, prepared.filtered.genes)
        for block in prepared.blocks():
            statistics.add(block)
        held_out = held_out_error(prepared, frame)
        quality = statistics.finish(prepared, held_out=held_out)
        assert quality.blocking == ()
        assert quality.summary["missingness"]["missing"] > 0
        assert (held_out is None) == (algorithm is SvdAlgorithm.NONE)
        assert (quality.summary["share_imputed"] == 0) == (algorithm is SvdAlgorithm.NONE)
