"""One sample from a submitter's table to expression per gene."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError, LowQualityError
from refinebio_assets.microarray.gene_conversion import ConversionPolicy
from refinebio_assets.microarray.gene_identifiers import IdentifierType
from refinebio_assets.microarray.identifier_map_files import read_identifier_map
from refinebio_assets.microarray.identifier_maps import IdentifierMap, MapOrigin
from refinebio_assets.microarray.log_state import Scale
from refinebio_assets.microarray.submitter_processed import SubmitterSettings, process_submitter_sample
from refinebio_assets.microarray.submitter_tables import SubmitterTable, read_submitter_table
from refinebio_assets.survey.geo_tables import read_sample_tables

DATA = Path(__file__).parents[1] / "data"


@cache
def gpl96_to_genes() -> IdentifierMap:
    identifiers = DATA / "identifiers"
    platform = read_identifier_map(identifiers / "GPL96.soft.gz")
    return platform.completed_by(read_identifier_map(identifiers / "gencode_v24_chr19.gtf.gz"))


@cache
def gsm11805() -> SubmitterTable:
    return read_submitter_table(DATA / "geo/GSM11805.txt.gz")


def one_gene_each(table: SubmitterTable) -> IdentifierMap:
    genes = [f"ENSG{number:011d}" for number in range(len(table.ids))]
    return IdentifierMap(
        columns={
            IdentifierType.PROBE: np.array(table.ids.tolist(), dtype=object),
            IdentifierType.ENSEMBL_GENE: np.array(genes, dtype=object),
        },
        origin=MapOrigin(format="table", source="made", version="0"),
    )


def test_intensities_become_log2_before_rows_of_a_gene_are_averaged():
    result = process_submitter_sample(gsm11805(), gpl96_to_genes())
    targets = gpl96_to_genes().targets(IdentifierType.PROBE)
    rows = dict(zip(gsm11805().ids.tolist(), gsm11805().values[:, 0].tolist(), strict=True))
    for gene, value in zip(result.genes, result.values, strict=True):
        logs = [math.log2(rows[probe]) for probe in rows if targets.get(probe) == (gene,)]
        assert value == pytest.approx(sum(logs) / len(logs), rel=1e-12)
    assert result.sample == "GSM11805"
    assert result.log_state.scale is Scale.LINEAR
    assert result.parameters["conversion"] == "log2"
    assert result.method == "submitter-processed.unique"
    assert any("converted to log2" in warning for warning in result.warnings)


def test_quality_counts_everything():
    quality = process_submitter_sample(gsm11805(), gpl96_to_genes()).quality
    assert quality.rows == 22_283
    assert quality.controls == 68
    assert quality.missing == quality.not_positive == 0
    assert quality.overlap == 1.0
    assert (quality.scale, quality.conversion) == ("linear", "log2")
    assert 0.05 < quality.mapped < 0.06  # one chromosome
    assert 4 < quality.median < 12
    assert 1 < quality.interquartile_range < 6
    assert quality.genes > 700
    assert all(isinstance(value, int | float | str) for value in asdict(quality).values())


def test_logarithms_are_left_as_they_are():
    table = read_submitter_table(DATA / "identifiers/GSM27446.soft.gz")
    result = process_submitter_sample(table, one_gene_each(table))
    measured = [not name.startswith("AFFX") for name in table.ids]
    assert result.values.tolist() == table.values[measured, 0].tolist()
    assert result.quality.conversion == "none"
    assert result.parameters["scale_told_by"] == "evidence"


def test_a_table_of_the_soft_reader_gives_the_same():
    tables = []
    read_sample_tables(DATA / "geo/GSM11805.txt.gz", tables.append)
    from_soft = process_submitter_sample(read_submitter_table(tables[0]), gpl96_to_genes())
    from_text = process_submitter_sample(gsm11805(), gpl96_to_genes())
    assert from_soft.genes == from_text.genes
    np.testing.assert_array_equal(from_soft.values, from_text.values)


def test_with_and_without_header_agree_in_every_gene():
    lines = [f"{name}\t{value}" for name, value in zip(gsm11805().ids, gsm11805().values[:, 0].tolist(), strict=True)]
    with_header = read_submitter_table(("ID_REF\tVALUE\n" + "\n".join(lines)).encode())
    without = read_submitter_table("\n".join(lines).encode())
    results = [process_submitter_sample(table, gpl96_to_genes()) for table in (with_header, without)]
    assert results[0].genes == results[1].genes
    np.testing.assert_array_equal(results[0].values, results[1].values)


def test_ratios_are_refused_unless_they_are_asked_for():
    table = read_submitter_table(DATA / "identifiers/GSM804.txt.gz")
    with pytest.raises(LowQualityError, match="no expression levels") as error:
        process_submitter_sample(table, one_gene_each(table))
    assert error.value.remedy
    kept = process_submitter_sample(table, one_gene_each(table), settings=SubmitterSettings(keep_ratios=True))
    assert kept.quality.scale == "ratio"
    assert any("ratios, not expression levels" in warning for warning in kept.warnings)
    present = table.values[np.isfinite(table.values[:, 0]), 0]
    assert kept.values.tolist() == present.tolist()


def natural() -> SubmitterTable:
    table = read_submitter_table(DATA / "identifiers/GSM27446.soft.gz")
    return replace(table, values=table.values * math.log(2), descriptions={})


def test_a_scale_that_cannot_be_told_is_refused_until_someone_says_it():
    table = natural()
    with pytest.raises(LowQualityError, match="cannot be told"):
        process_submitter_sample(table, one_gene_each(table))
    told = process_submitter_sample(table, one_gene_each(table), said="natural log of the signal")
    set_by_hand = process_submitter_sample(table, one_gene_each(table), settings=SubmitterSettings(scale=Scale.LN))
    np.testing.assert_array_equal(told.values, set_by_hand.values)
    original = read_submitter_table(DATA / "identifiers/GSM27446.soft.gz").values[:, 0]
    measured = [not name.startswith("AFFX") for name in table.ids]
    np.testing.assert_allclose(told.values, original[measured], rtol=1e-14)
    assert set_by_hand.parameters["scale_told_by"] == "caller"
    assert set_by_hand.quality.scale_confidence == 1.0


def test_a_scale_that_contradicts_the_values_is_taken_with_a_warning():
    settings = SubmitterSettings(scale=Scale.LOG2)
    result = process_submitter_sample(gsm11805(), gpl96_to_genes(), settings=settings)
    assert any("look like linear" in warning for warning in result.warnings)


def test_values_without_logarithm_are_counted_and_too_many_are_refused():
    table = gsm11805()
    few = replace(table, values=np.where(table.values < 20, -1.0, table.values))
    result = process_submitter_sample(few, gpl96_to_genes())
    assert 0.1 < result.quality.not_positive < 0.2
    assert any("0 or negative" in warning for warning in result.warnings)
    many = replace(table, values=np.where(table.values < 400, -1.0, table.values))
    with pytest.raises(LowQualityError, match="have no logarithm"):
        process_submitter_sample(many, gpl96_to_genes(), settings=SubmitterSettings(scale=Scale.LINEAR))


def test_genes_without_a_value_are_not_in_the_result():
    table = gsm11805()
    holes = table.values.copy()
    holes[::2] = np.nan
    result = process_submitter_sample(replace(table, values=holes), gpl96_to_genes())
    assert np.isfinite(result.values).all()
    assert len(result.genes) == len(result.versions) == len(result.values) == len(result.rows_per_gene)
    assert result.quality.missing == pytest.approx(0.5, abs=1e-4)
    assert result.conversion.counts.without_value > 0


def test_the_wrong_platform_is_refused():
    other = read_identifier_map(DATA / "identifiers/illuminaHumanv4.tsv.gz")
    with pytest.raises(InputError, match="too few of the identifiers"):
        process_submitter_sample(gsm11805(), other)


def test_each_sample_of_a_series_is_a_sample():
    one = gsm11805()
    series = replace(one, values=np.column_stack([one.values[:, 0], one.values[:, 0] * 2]), samples=("A", "B"))
    first, second = (process_submitter_sample(series, gpl96_to_genes(), column=column) for column in (0, 1))
    assert (first.sample, second.sample) == ("A", "B")
    np.testing.assert_allclose(second.values, first.values + 1, rtol=1e-12)


def test_the_originals_policy_can_be_asked_for():
    settings = SubmitterSettings(policy=ConversionPolicy.REFINEBIO_1)
    result = process_submitter_sample(gsm11805(), gpl96_to_genes(), settings=settings)
    assert result.method == "submitter-processed.refinebio-1"
    assert result.conversion.counts.ambiguous == 0
    assert len(result.genes) > len(process_submitter_sample(gsm11805(), gpl96_to_genes()).genes)
