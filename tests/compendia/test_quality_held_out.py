"""Hidden values come back where the data have a structure, and the gene's mean is the yardstick."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refinebio_assets.compendia.compendium import CompendiumRecipe, SvdAlgorithm
from refinebio_assets.compendia.filters import FilterOptions
from refinebio_assets.compendia.quality import held_out_error
from refinebio_assets.compendia.quality_held_out import BLOCK_SHARE, RANDOM_SHARE
from tests.compendia.quality_data import small

MANY = tuple(f"ENSG{number:011d}" for number in range(400))


@pytest.fixture(scope="module")
def data():
    return small(samples=180, genes=MANY)


@pytest.fixture(scope="module")
def found(data):
    return held_out_error(data.prepared, data.samples)


def test_strata_are_technologies_for_cells_and_platforms_for_blocks(found):
    strata = [(one.hiding, one.technology, one.platform) for one in found.strata]
    assert strata == [
        ("random cells", "MICROARRAY", ""),
        ("random cells", "RNA_SEQ", ""),
        ("gene block", "RNA_SEQ", "IlluminaHiSeq2000"),
        ("gene block", "MICROARRAY", "GPL96"),
        ("gene block", "MICROARRAY", "GPL97"),
    ]


def test_random_cells_of_low_rank_data_come_back(found):
    for one in found.strata[:2]:
        assert one.rmse < 0.5 * one.baseline_rmse
        assert one.correlation > 0.97
        assert one.correlation_within_genes > 0.8
        assert one.cells == pytest.approx(RANDOM_SHARE * 90 * 400, rel=0.2)


def test_blocks_leave_each_gene_in_as_many_samples_as_the_filter_asks_for(found):
    rna, affymetrix, small_platform = found.strata[2:]
    assert rna.samples == 54  # 30 % of 180, of the 90 RNA-seq samples
    assert affymetrix.samples == 54
    assert small_platform.samples == 30
    assert {one.genes for one in found.strata[2:]} == {int(BLOCK_SHARE * 400)}


def test_baseline_is_the_mean_of_what_is_left_of_the_gene(data):
    """Arrays and RNA-seq whose genes are constant within each: their mean is exact, and nothing can beat it."""
    constant = small(samples=180, genes=MANY)
    constant.measured[:90] = np.linspace(2, 9, 400, dtype=np.float32)
    constant.measured[90:] = np.linspace(9, 2, 400, dtype=np.float32)
    found = held_out_error(constant.prepared, constant.samples)
    assert [one.baseline_rmse for one in found.strata] == pytest.approx([0] * len(found.strata), abs=1e-5)
    assert found.worse_than_baseline()


def test_the_same_twice_and_nothing_is_changed(data, found):
    before = data.measured.copy()
    assert held_out_error(data.prepared, data.samples) == found
    np.testing.assert_array_equal(data.measured, before)


def test_looks_at_no_more_samples_than_asked(data):
    assert 55 < held_out_error(data.prepared, data.samples, most_samples=60).samples <= 60


def test_one_stratum_has_random_cells_only():
    data = small(samples=60, genes=MANY)
    data.samples["technology"], data.samples["platform"] = "MICROARRAY", "GPL96"
    assert [one.hiding for one in held_out_error(data.prepared, data.samples).strata] == ["random cells"]


@pytest.mark.parametrize(
    ("samples", "genes", "rank", "algorithm"),
    [(15, 400, 3, "arpack"), (60, 40, 3, "arpack"), (60, 400, 60, "arpack"), (60, 400, 3, "none")],
)
def test_none_where_there_is_too_little_or_nothing_is_imputed(samples, genes, rank, algorithm):
    data = small(samples=samples, genes=MANY[:genes])
    data.recipe = CompendiumRecipe(rank=rank, svd_algorithm=SvdAlgorithm(algorithm))
    assert held_out_error(data.prepared, data.samples) is None


def test_filter_that_lets_no_gene_be_missing_has_no_blocks():
    data = small(samples=60, genes=MANY)
    data.recipe = replace(data.recipe, filters=FilterOptions(gene_completeness=1.0))
    assert {one.hiding for one in held_out_error(data.prepared, data.samples).strata} == {"random cells"}
