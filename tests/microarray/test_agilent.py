"""One scanned array, and several of one design, from file to values."""

import gzip

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError, LowQualityError, MalformedFileError
from refinebio_assets.microarray.agilent import (
    Measure,
    combine,
    mean_by_gene,
    process_agilent_file,
    read_scanned_array,
)
from refinebio_assets.microarray.agilent_array import ArrayFormat, name_of
from refinebio_assets.microarray.agilent_background import Background, NormexpFit
from refinebio_assets.microarray.agilent_channels import Colours, decide_colours
from refinebio_assets.microarray.agilent_recipe import AgilentRecipe, Flagged
from refinebio_assets.microarray.two_colour import Between, Within
from tests.microarray.agilent_files import DATA, EXTRACTIONS, GENEPIX, both, extraction_text, oracle, spots

TABLE = "limma_feature_extraction"
HEAD = DATA / "GSM361301_head.txt.gz"


@pytest.fixture(scope="module")
def results():
    return [process_agilent_file(path) for path in EXTRACTIONS]


def _without_controls(values, result):
    return values[:, ~result.is_control]


def test_two_colours_are_processed_as_limma_does(results):
    first, second = results

    np.testing.assert_allclose(np.concatenate([first.ratios.m, second.ratios.m]), both(TABLE, "loess.M"), atol=1e-9)
    assert first.method == "limma-two-colour"
    assert first.parameters["offset"] == 50
    assert first.parameters["columns"]["red"] == ["rMedianSignal", "rBGMedianSignal"]
    assert first.colours.colours is Colours.TWO
    assert first.warnings == ()


def test_arrays_are_made_comparable_as_limma_does(results):
    matrix = combine(results)
    m, a = both(TABLE, "Aquantile.M"), both(TABLE, "Aquantile.A")
    names = results[0].probes[~results[0].is_control].tolist()

    assert matrix.samples == tuple(f"{each.name}_{colour}" for each in results for colour in ("red", "green"))
    assert matrix.parameters["between"] == "Aquantile"
    probe = "A_44_P317301"
    place = [at for at, name in enumerate(names) if name == probe]
    expected = [(a[0] + m[0] / 2), (a[0] - m[0] / 2), (a[1] + m[1] / 2), (a[1] - m[1] / 2)]
    means = [_without_controls(each[None], results[0])[0][place].mean() for each in expected]
    np.testing.assert_allclose(matrix.values[:, matrix.probes.index(probe)], means, atol=1e-9)


@pytest.mark.parametrize("between", [Between.SCALE, Between.QUANTILE, Between.AQUANTILE])
def test_ratios_of_probes_equal_those_of_limma(results, between):
    matrix = combine(results, between=between, measure=Measure.RATIO)

    assert matrix.samples == ("251316214319_cut", "251316214320_cut")
    assert not {"(-)3xSLv1", "BrightCorner"} & set(matrix.probes)
    values = _without_controls(both(TABLE, f"{between}.M"), results[0])
    names = results[0].probes[~results[0].is_control].tolist()
    alone = [at for at, name in enumerate(names) if names.count(name) == 1]
    places = [matrix.probes.index(names[at]) for at in alone]
    np.testing.assert_allclose(matrix.values[:, places], values[:, alone], atol=1e-9)
    assert len(matrix.probes) == len(set(names))


def test_single_channels_are_parts_of_both(results):
    both_channels, red, green = (combine(results, measure=each) for each in (Measure.BOTH, Measure.RED, Measure.GREEN))

    np.testing.assert_array_equal(both_channels.values[::2], red.values)
    np.testing.assert_array_equal(both_channels.values[1::2], green.values)


def test_one_colour_is_processed_as_limma_does():
    results = [process_agilent_file(path, AgilentRecipe(colours=Colours.ONE)) for path in EXTRACTIONS]
    matrix = combine(results)
    names = results[0].probes[~results[0].is_control].tolist()
    expected = _without_controls(both(TABLE, "one.quantile"), results[0])

    alone = [at for at, name in enumerate(names) if names.count(name) == 1]
    places = [matrix.probes.index(names[at]) for at in alone]
    np.testing.assert_allclose(matrix.values[:, places], expected[:, alone], atol=1e-9)
    assert results[0].method == "limma-one-colour"
    assert results[0].parameters["offset"] == 16
    assert "within" not in results[0].parameters
    assert matrix.samples == ("251316214319_cut", "251316214320_cut")
    assert "Processed as an array of one colour" in results[0].warnings[0]


def test_print_tips_are_corrected_where_the_file_knows_them():
    result = process_agilent_file(GENEPIX[0], AgilentRecipe(within=Within.PRINT_TIP_LOESS))
    weighted = process_agilent_file(
        GENEPIX[0], AgilentRecipe(within=Within.PRINT_TIP_LOESS, flagged=Flagged.UNWEIGHTED)
    )

    assert result.format is ArrayFormat.GENEPIX
    np.testing.assert_allclose(result.ratios.m[0], oracle("limma_genepix")["printtiploess.M.1"], atol=1e-9)
    np.testing.assert_allclose(weighted.ratios.m[0], oracle("limma_genepix")["weighted.printtiploess.M.1"], atol=1e-9)


def test_flagged_spots_may_be_missing():
    kept, missing = (
        process_agilent_file(GENEPIX[0], AgilentRecipe(flagged=each)) for each in (Flagged.KEEP, Flagged.MISSING)
    )

    assert not np.isnan(kept.ratios.m).any()
    assert np.isnan(missing.ratios.m).mean() == missing.quality.missing == kept.quality.flagged["red"] > 0


@pytest.mark.parametrize("method", ["scan-two-colour", "scan.upc-two-colour"])
def test_scan_needs_no_other_array(method):
    recipe = AgilentRecipe(method=method)
    results = [process_agilent_file(path, recipe) for path in EXTRACTIONS]

    together, alone = combine(results, measure=Measure.RED), combine(results[:1], measure=Measure.RED)

    assert together.method == method
    assert together.parameters["between"] == "none"
    np.testing.assert_array_equal(together.values[0], alone.values[0])
    if method == "scan.upc-two-colour":
        assert results[0].ratios.red[0] == pytest.approx(oracle("scan_upc")["251316214319_cut.red"], abs=1e-9)


def test_scan_needs_two_colours():
    with pytest.raises(InputError, match="needs two colours"):
        process_agilent_file(extraction_text(spots(two_colours=False)), AgilentRecipe(method="scan-two-colour"))


def test_figures_of_quality(results):
    quality = results[0].quality

    assert (quality.spots, quality.controls) == (1080, int(results[0].is_control.sum()))
    assert quality.ma_bias_after < 0.02 < quality.ma_bias_before
    assert abs(quality.median_m_after) < 0.02 < abs(quality.median_m_before)
    assert quality.negative_controls > 5
    assert 0 < quality.negative_control_spread["green"] < 0.2
    assert quality.flagged == {"green": 0, "red": 0}
    assert 0 < quality.below_background["red"] < 0.2


def test_one_colour_has_no_bias_of_dyes():
    quality = process_agilent_file(extraction_text(spots(two_colours=False))).quality

    assert quality.ma_bias_before is None
    assert list(quality.flagged) == ["green"]


@pytest.mark.parametrize(
    "recipe", [AgilentRecipe(), AgilentRecipe(background=Background.SUBTRACT, within=Within.MEDIAN)]
)
def test_a_file_that_was_cut_off_is_refused(recipe):
    with pytest.raises(MalformedFileError, match="36 features, but its statistics speak of 43931") as raised:
        process_agilent_file(HEAD, recipe)

    assert raised.value.path == HEAD


def test_a_part_of_a_file_is_taken_if_that_is_allowed():
    result = process_agilent_file(HEAD, AgilentRecipe(allow_partial=True))

    assert result.quality.spots == 36
    assert "statistics speak of 43931" in result.warnings[0]


def test_parameters_name_what_was_done():
    recipe = AgilentRecipe(normexp=NormexpFit.MLE, offset=5.0, within=Within.NONE)
    parameters = process_agilent_file(EXTRACTIONS[0], recipe).parameters

    assert (parameters["normexp"], parameters["offset"], parameters["within"]) == ("mle", 5.0, "none")
    assert "span" not in parameters
    assert AgilentRecipe(background=Background.HALF).offset_for(Colours.TWO) == 0


def _without(rows, *columns):
    return [{key: value for key, value in row.items() if key not in columns} for row in rows]


def _array(**changes):
    rows = spots()
    for row in rows:
        row |= {key: value(row) if callable(value) else value for key, value in changes.items()}
    return rows


@pytest.mark.parametrize(
    ("rows", "header", "colours", "confidence"),
    [
        (spots(), {"Scan_NumChannels": "2"}, Colours.TWO, 1.0),
        (spots(), {}, Colours.TWO, 0.9),
        (spots(), {"Scan_NumChannels": "1"}, Colours.TWO, 0.7),
        (spots(two_colours=False), {}, Colours.ONE, 1.0),
        (spots(two_colours=False), {"Protocol_Name": "GE2_107_Sep09"}, Colours.ONE, 0.7),
        (_array(rMedianSignal=0), {"Protocol_Name": "GE1_107_Sep09 (Read Only)"}, Colours.ONE, 1.0),
        (_array(rMedianSignal=""), {"FeatureExtractor_ColorMode": "0"}, Colours.ONE, 1.0),
        (_array(rMedianSignal=lambda row: 50 + int(row["Col"]) % 3), {}, Colours.ONE, 0.9),
        (_without(spots(), "gBGMedianSignal", "rBGMedianSignal"), {"Scan_NumChannels": "2"}, Colours.TWO, 1.0),
    ],
)
def test_the_number_of_colours_follows_from_intensities_before_words(rows, header, colours, confidence):
    array = read_scanned_array(extraction_text(rows, header={"made": "1"} | header))

    found = decide_colours(array)

    assert (found.colours, found.confidence) == (colours, confidence)
    assert found.evidence


def test_annotations_are_recorded_and_decide_nothing():
    found = decide_colours(read_scanned_array(EXTRACTIONS[0]), annotated=Colours.ONE)

    assert found.colours is Colours.TWO
    assert "but the submitter's annotation says one colour" in found.evidence
    assert found.confidence == 0.7


def test_doubts_are_told():
    content = extraction_text(spots(), header={"Scan_NumChannels": "1"})

    assert "but the scan's number of channels says one colour" in process_agilent_file(content).warnings[0]


def test_red_cannot_be_made_up():
    with pytest.raises(InputError, match="no columns of a red channel"):
        process_agilent_file(extraction_text(spots(two_colours=False)), AgilentRecipe(colours=Colours.TWO))


def test_an_array_without_values_is_refused():
    with pytest.raises(LowQualityError, match="Not one spot"):
        process_agilent_file(
            extraction_text(_array(gMedianSignal=5, gBGMedianSignal=9)), AgilentRecipe(background=Background.SUBTRACT)
        )


def test_only_arrays_of_one_kind_are_combined(results):
    other = spots(1080)
    one = process_agilent_file(extraction_text(spots(1080, two_colours=False)))

    for odd, message in (
        (process_agilent_file(extraction_text(other)), "another design"),
        (one, "has one colour"),
        (process_agilent_file(EXTRACTIONS[1], AgilentRecipe(offset=1.0)), "another way"),
    ):
        with pytest.raises(InputError, match=message):
            combine([results[0], odd])


@pytest.mark.parametrize("measure", [Measure.RED, Measure.RATIO])
def test_one_colour_has_green_only(measure):
    one = process_agilent_file(extraction_text(spots(two_colours=False)))

    with pytest.raises(InputError, match=f"have no {measure}"):
        combine([one], measure=measure)


def test_the_mean_of_the_probes_of_a_gene():
    values = np.array([[1.0, 2, np.nan, 4], [5.0, 7, 8, 9]])

    genes, means = mean_by_gene(
        ["p1", "p2", "p3", "p4"], values, {"p1": "ENSG2", "p2": "ENSG2", "p3": "ENSG1", "p9": "X"}
    )

    assert genes == ("ENSG1", "ENSG2")
    np.testing.assert_array_equal(means, [[np.nan, 1.5], [8, 6]])
    with pytest.raises(InputError, match="None of 4 probes"):
        mean_by_gene(["p1", "p2", "p3", "p4"], values, {})


def test_files_are_told_by_their_content():
    content = gzip.decompress(GENEPIX[0].read_bytes())

    assert read_scanned_array(content).format is ArrayFormat.GENEPIX
    assert read_scanned_array(EXTRACTIONS[0].read_bytes()).format is ArrayFormat.FEATURE_EXTRACTION
    assert read_scanned_array(extraction_text(spots(9)).decode().encode("utf-16")).spots == 9


@pytest.mark.parametrize(
    "content", [b"ID_REF\tVALUE\n1\t2\n", b"<html>", b'ATF\t1.0\n5\t5\n"Type=GenePix ArrayList V1.0"\n']
)
def test_other_files_are_refused(content):
    with pytest.raises(MalformedFileError, match="neither"):
        read_scanned_array(content)


def test_arrays_are_called_after_their_files(tmp_path):
    for name in ("US1_2.txt.gz", "US1_2.GPR", "US1_2.txt", "US1_2"):
        assert name_of(tmp_path / name) == "US1_2"
    assert name_of(tmp_path / "a.b.txt") == "a.b"
    assert name_of(None) == "array"
