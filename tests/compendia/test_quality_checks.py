"""Each check, on a compendium where it must fail."""

from __future__ import annotations

import numpy as np
import pytest

from refinebio_assets.compendia.distribution_check import DistributionCheck
from refinebio_assets.compendia.quality_checks import (
    check_converged,
    check_imputation,
    check_mapping,
    check_normalization,
    unmapped_ids,
)
from tests.compendia.quality_data import GENES, outcome, small


def failing(data):
    return {check.name: check for check in data.quality().checks if not check.passed}


def set_row(data, row, values):
    data.measured[row] = data.imputed[row] = data.normalized[row] = values


def copy_row(data, row, of):
    for layer in (data.measured, data.imputed, data.normalized):
        layer[row] = layer[of]


def test_empty_sample():
    data = small()
    data.measured[4] = np.nan
    found = failing(data)
    assert found.keys() == {"empty_samples"}
    assert found["empty_samples"].blocking
    assert found["empty_samples"].metadata == {"count": 1, "named": ["S004"]}


@pytest.mark.parametrize("value", [0.0, 3.25])
def test_constant_sample(value):
    data = small()
    set_row(data, 4, value)
    data.measured[4, 10] = np.nan
    data.imputed[4, 10] = 9  # what is imputed does not make a sample alive
    found = failing(data)
    assert found["constant_samples"].blocking
    assert found["constant_samples"].metadata["named"] == ["S004"]


def test_two_samples_of_one_experiment_with_the_same_values():
    data = small()
    copy_row(data, 5, of=2)
    copy_row(data, 9, of=2)
    found = failing(data)
    assert found.keys() == {"duplicated_samples"}
    assert found["duplicated_samples"].blocking
    assert found["duplicated_samples"].metadata["pairs"] == [["S002", "S005"], ["S002", "S009"]]


def test_accession_that_is_there_twice():
    data = small()
    data.samples.index = ["S000", "S000", *data.samples.index[2:]]
    found = failing(data)
    assert found["duplicated_samples"].blocking
    assert found["duplicated_samples"].metadata["named"] == ["S000"]


def test_samples_that_differ_in_what_is_missing_are_not_copies():
    data = small()
    copy_row(data, 5, of=2)
    data.measured[5, 11] = np.nan
    assert "duplicated_samples" not in failing(data)


def test_few_copies_across_experiments_are_said_and_do_not_block():
    data = small(samples=240)
    copy_row(data, 200, of=2)
    found = failing(data)
    assert found.keys() == {"copies_across_experiments"}
    assert not found["copies_across_experiments"].blocking
    assert found["copies_across_experiments"].metadata["pairs"] == [["S002", "S200"]]


def test_many_copies_across_experiments_block():
    data = small()
    for row in range(4):
        copy_row(data, 60 + row, of=row)
    assert failing(data)["copies_across_experiments"].blocking


def test_gene_that_is_there_twice():
    data = small(genes=(*GENES[:-1], GENES[0]))
    found = failing(data)
    assert found.keys() == {"duplicated_genes"}
    assert found["duplicated_genes"].metadata["named"] == [GENES[0]]


@pytest.mark.parametrize(
    ("wrong", "blocking"), [(["1007_s_at"], False), (["1007_s_at", "TP53", "NM_000546.6", "ENSG00000000003.14"], True)]
)
def test_ids_that_are_no_stable_ids_block_above_a_share(wrong, blocking):
    check = check_mapping([*wrong, *GENES[len(wrong) :]], {"HOMO_SAPIENS"})
    assert not check.passed
    assert check.blocking is blocking
    assert check.metadata["named"] == sorted(wrong)


def test_locus_names_count_where_an_organism_has_no_ids_of_ensembls_form():
    rice = ["Os01g0100100", "Os01g0100200"]
    assert unmapped_ids(rice, {"ORYZA_SATIVA"}) == []
    assert unmapped_ids(["SPAC212.11", "PF3D7_0100100"], {"PLASMODIUM_FALCIPARUM"}) == []
    assert unmapped_ids([*rice, "1007_s_at", "NM_000546"], {"ORYZA_SATIVA"}) == ["1007_s_at", "NM_000546"]
    assert unmapped_ids(["TP53", "BRCA1"], {"HOMO_SAPIENS"}) == ["BRCA1", "TP53"]
    assert unmapped_ids(["YAL001C", "WBGene00000001", "FBgn0000003", "AT1G01010"], {"X"}) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layer", ["normalized", "imputed"])
def test_value_that_is_no_number(value, layer):
    data = small()
    getattr(data, layer)[33, 2] = value
    found = outcome(data.quality(), "finite_values")
    assert (found.passed, found.blocking, found.metadata["not_finite"]) == (False, True, 1)


def test_values_that_are_left_missing_are_not_faults():
    data = small()
    data.imputes = False
    data.imputed[:] = data.measured
    data.normalized[np.isnan(data.measured)] = np.nan
    quality = data.quality()
    assert outcome(quality, "finite_values").passed
    assert outcome(quality, "observed_values_untouched").passed
    assert quality.summary["share_imputed"] == 0
    assert quality.figures.missingness.missing == pytest.approx(15 * 6 / (90 * 60), rel=1e-5)
    data.normalized[0, 0] = np.nan
    assert not outcome(data.quality(), "finite_values").passed


def test_measured_value_that_imputation_changed():
    data = small()
    data.imputed[7, 7] = np.nextafter(data.imputed[7, 7], np.float32(99))
    found = failing(data)
    assert found.keys() == {"observed_values_untouched"}
    assert found["observed_values_untouched"].blocking
    assert found["observed_values_untouched"].metadata == {"count": 1, "named": ["S007"], "samples_compared": 90}


def test_samples_that_are_not_normalised_alike():
    data = small()
    data.normalized[45:] += 1
    found = failing(data)
    assert found.keys() == {"distributions_agree"}
    assert not found["distributions_agree"].blocking
    assert found["distributions_agree"].metadata["statistic"] > 0.1


def test_compendium_without_target_is_not_asked_for_one_distribution():
    data = small()
    data.target = None
    data.normalized = data.imputed
    quality = data.quality()
    assert outcome(quality, "distributions_agree").passed
    assert "not quantile-normalised" in outcome(quality, "distributions_agree").description


def test_normalisation_check_that_gives_another_answer_when_repeated():
    one = DistributionCheck(pairs=1, statistic=0.0, p_value=1.0, worst=(0, 1), passed=True)
    other = DistributionCheck(pairs=1, statistic=0.1, p_value=1.0, worst=(0, 1), passed=False)
    repeated, _ = check_normalization(one, other, ["A", "B"], normalized=True)
    assert (repeated.passed, repeated.blocking) == (False, True)


def test_imputation_that_did_not_settle_or_is_worse_than_the_mean_is_said():
    assert not check_converged(False, 200).passed
    assert check_converged(None, 0).passed
    worse = check_imputation(["RNA_SEQ random cells"], 3)
    assert (worse.passed, worse.blocking, worse.metadata) == (False, False, {"worse": ["RNA_SEQ random cells"]})
