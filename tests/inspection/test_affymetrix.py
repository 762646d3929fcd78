"""Affymetrix' files are told by their content and described by the readers that processing uses."""

import gzip
import json

import pytest

from refinebio_assets.inspection.inspection import inspect_files
from tests.microarray import array_files
from tests.microarray.seeds import DATA

KINDS = {
    "Test3-1.v3.CEL.gz": "affymetrix_cel",
    "Test3-1.v4.CEL.gz": "affymetrix_cel",
    "Test3-1.calvin.CEL.gz": "affymetrix_cel",
    "affy_v3_example.CEL": "affymetrix_cel",
    "Test3.text.CDF.gz": "affymetrix_cdf",
    "Test3.xda.CDF.gz": "affymetrix_cdf",
    "HG-U95Av2_probe_tab.200.gz": "probe_table",
    "hgu95av2_ensg_probe.200.tsv.gz": "probe_table",
    "HGFocus_Hs_ENSG_mapping.200.txt.gz": "probe_table",
    "HuGene-1_0-st-v1.r4.10_probesets.pgf": "affymetrix_pgf",
}


def answer(path):
    (report,) = inspect_files([path])
    return json.loads(json.dumps(report.to_dict()))  # also that it is JSON


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_told_by_its_content(name, tmp_path):
    elsewhere = tmp_path / "nameless"
    elsewhere.write_bytes((DATA / name).read_bytes())
    told = answer(elsewhere)
    assert "error" not in told
    assert told["kind"] == KINDS[name]
    assert told["evidence"]
    assert told["header"]


@pytest.mark.parametrize("version", ["v3", "v4", "calvin"])
def test_a_cel_file_shows_array_and_intensities(version):
    header = answer(DATA / f"Test3-1.{version}.CEL.gz")["header"]
    assert (header["chip_type"], header["rows"], header["cols"]) == ("Test3", 126, 126)
    assert header["platform"] == {"code": "test3", "name": None, "is_supported": False, "has_brainarray": False}
    assert (header["intensity"]["minimum"], header["intensity"]["maximum"]) == (73.5, 24221)
    assert header["algorithm"] == "Percentile"


def test_a_supported_platform_is_named(tmp_path):
    path = tmp_path / "a.CEL"
    path.write_bytes(array_files.cel_binary([1.0, 2.0], cols=2, chip_type="HuGene-1_0-st-v1"))
    platform = answer(path)["header"]["platform"]
    assert (platform["code"], platform["is_supported"], platform["has_brainarray"]) == ("hugene10st", True, True)


def test_what_is_odd_is_a_warning():
    (warning,) = answer(DATA / "affy_v3_example.CEL")["warnings"]
    assert "4 of 29 lines repeat a cell" in warning


def test_half_a_file_is_an_error_that_still_names_the_kind():
    told = answer(DATA / "GSM306831.beginning.CEL.gz")
    assert (told["kind"], told["error"]["code"]) == ("affymetrix_cel", "malformed_file")
    assert "cells are there" in told["error"]["message"]


def test_layouts_and_libraries_are_counted(tmp_path):
    assert answer(DATA / "Test3.xda.CDF.gz")["header"]["types"] == {"expression": 345}
    assert answer(DATA / "HG-U95Av2_probe_tab.200.gz")["header"]["probes"] == 199
    for name, data, probes in (("a.pgf", array_files.PGF, 3), ("a.clf", array_files.CLF, 6)):
        path = tmp_path / name
        path.write_bytes(gzip.compress(data))
        assert answer(path)["header"]["probes"] == probes
