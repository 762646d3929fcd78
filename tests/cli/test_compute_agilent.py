"""``refinebio compute agilent``: what it writes, and that it writes nothing when something is wrong."""

from __future__ import annotations

import json
import shutil

import anndata
import numpy as np
import pandas as pd
import pytest

from refinebio_assets.cli.main import main
from tests.microarray.agilent_files import ARRAYS, DATA, EXTRACTIONS, GENEPIX, both, extraction_text, spots

PROBE = "A_44_P317301"
PLACE = 3
"""Where it is among the spots; it is there once."""


@pytest.fixture
def run(tmp_path, capsys):
    """Run the command on files; its exit status, the answer, and the table if there is one."""

    def call(*words, out="out.tsv", status=0):
        target = tmp_path / out
        assert main(["compute", "agilent", *map(str, words), "--out", str(target), "--json"]) == status
        answer = json.loads(capsys.readouterr().out)
        table = None
        if target.exists() and out.endswith(".tsv"):
            table = pd.read_csv(target, sep="\t", index_col="Gene", float_precision="round_trip")
        return answer, table

    return call


def test_both_channels_of_each_array_are_written(run):
    answer, table = run(*EXTRACTIONS)

    assert list(table.columns) == [f"{name}_{colour}" for name in ARRAYS for colour in ("red", "green")]
    m, a = both("limma_feature_extraction", "Aquantile.M"), both("limma_feature_extraction", "Aquantile.A")
    np.testing.assert_allclose(table.loc[PROBE, f"{ARRAYS[1]}_red"], a[1, PLACE] + m[1, PLACE] / 2, atol=1e-9)
    assert answer["method"] == "limma-two-colour"
    assert answer["probes"] == len(table)
    assert answer["arrays"][0]["colours"] == "two"
    assert answer["arrays"][0]["quality"]["ma_bias_after"] < answer["arrays"][0]["quality"]["ma_bias_before"]
    assert answer["failed"] == []


@pytest.mark.parametrize("between", ["scale", "quantile", "Aquantile"])
def test_ratios_equal_those_of_limma(run, between):
    _, table = run(*EXTRACTIONS, "--channel", "ratio", "--between", between)

    expected = both("limma_feature_extraction", f"{between}.M")[:, PLACE]
    np.testing.assert_allclose(table.loc[PROBE], expected, rtol=0, atol=1e-9)


def test_the_steps_can_be_chosen(run):
    options = ["--background", "subtract", "--within", "loess", "--between", "none", "--channel", "ratio"]

    answer, table = run(*EXTRACTIONS, *options)

    expected = both("limma_feature_extraction", "subtracted.M")[:, PLACE]
    np.testing.assert_allclose(table.loc[PROBE], expected, rtol=0, atol=1e-9)
    assert answer["parameters"]["background"] == "subtract"
    assert answer["parameters"]["offset"] == 0


def test_all_options_reach_provenance(run):
    answer, _ = run(
        *GENEPIX, "--signal", "median", "--normexp", "mle", "--offset", "20", "--within", "printtiploess",
        "--flagged", "unweighted", "--channel", "green", "--between", "scale",
    )  # fmt: skip

    wanted = {
        "signal": "median", "normexp": "mle", "offset": 20, "within": "printtiploess", "flagged": "unweighted",
        "measure": "green", "between": "scale",
    }  # fmt: skip
    assert answer["parameters"].items() >= wanted.items()
    assert answer["parameters"]["columns"]["red"] == ["F635 Median", "B635 Median"]


def test_scan_of_two_colours(run):
    answer, table = run(EXTRACTIONS[0], "--method", "scan.upc-two-colour", "--channel", "red")

    assert answer["method"] == "scan.upc-two-colour"
    assert table.shape[1] == 1


def test_one_colour_gives_one_column_per_array(run):
    answer, table = run(*EXTRACTIONS, "--colours", "one")

    expected = both("limma_feature_extraction", "one.quantile")[:, PLACE]
    assert list(table.columns) == list(ARRAYS)
    np.testing.assert_allclose(table.loc[PROBE], expected, rtol=0, atol=1e-9)
    assert answer["method"] == "limma-one-colour"


@pytest.fixture
def gene_map(tmp_path):
    """Every probe of the array has a gene; two probes share one."""
    from refinebio_assets.microarray.feature_extraction import read_feature_extraction

    array = read_feature_extraction(EXTRACTIONS[0])
    probes = dict.fromkeys(array.probes[~array.is_control].tolist())
    rows = [f"{probe}\tENSRNOG{max(number, 1):011d}" for number, probe in enumerate(probes)]
    path = tmp_path / "map.tsv"
    path.write_text("\n".join(["PROBEID\tENSEMBL", *rows]) + "\n")
    return path


def test_genes_are_the_means_of_their_probes(run, gene_map):
    _, probes = run(*EXTRACTIONS, "--channel", "ratio", out="probes.tsv")
    answer, genes = run(*EXTRACTIONS, "--channel", "ratio", "--gene-map", gene_map)

    np.testing.assert_allclose(genes.loc["ENSRNOG00000000001"], probes.iloc[:2].mean(), atol=1e-12)
    np.testing.assert_allclose(genes.iloc[1:], probes.iloc[2:], atol=1e-12)
    assert answer["genes"] == len(genes) == len(probes) - 1
    assert answer["conversion"]["genes_of_several"] == 1


@pytest.mark.parametrize("out", ["out.h5ad", "out.zarr", "out.parquet", "out.tsv.gz"])
def test_every_format_holds_the_same_numbers(run, tmp_path, out):
    _, table = run(*EXTRACTIONS)
    run(*EXTRACTIONS, out=out)
    path = tmp_path / out

    if out.endswith((".h5ad", ".zarr")):
        value = anndata.read_h5ad(path) if out.endswith(".h5ad") else anndata.read_zarr(path)
        np.testing.assert_allclose(value.X.T, table, rtol=1e-6)
        assert value.obs["array"].tolist() == [ARRAYS[0], ARRAYS[0], ARRAYS[1], ARRAYS[1]]
        assert value.uns["method"] == "limma-two-colour"
    else:
        read = pd.read_parquet(path).set_index("Gene") if out.endswith(".parquet") else pd.read_csv(
            path, sep="\t", index_col="Gene", float_precision="round_trip"
        )  # fmt: skip
        np.testing.assert_array_equal(read, table)


@pytest.fixture
def bad_files(tmp_path):
    """One that is cut off, one of another design, one of one colour, one that is something else."""
    cut = tmp_path / "cut.txt.gz"
    shutil.copy(DATA / "GSM361301_head.txt.gz", cut)
    other, one, page = tmp_path / "other.txt", tmp_path / "one.txt", tmp_path / "page.txt"
    other.write_bytes(extraction_text(spots(1080)))
    one.write_bytes(extraction_text(spots(1080, two_colours=False)))
    page.write_text("<html><body>Moved</body></html>")
    return [cut, other, one, page]


@pytest.mark.parametrize("number", range(4))
def test_one_bad_file_stops_everything(run, bad_files, tmp_path, number):
    answer, table = run(EXTRACTIONS[0], bad_files[number], status=2)

    assert answer["error"]["file"] == str(bad_files[number])
    assert answer["error"]["remedy"]
    assert table is None
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith((".out", "out"))]


def test_keep_going_writes_the_good_ones_and_lists_the_bad_ones(run, bad_files):
    answer, table = run(*EXTRACTIONS, *bad_files, "--channel", "ratio", "--keep-going", status=2)

    assert list(table.columns) == list(ARRAYS)
    np.testing.assert_allclose(table.loc[PROBE], both("limma_feature_extraction", "loess.M")[:, PLACE], atol=1e-9)
    assert [each["file"] for each in answer["failed"]] == [str(path) for path in bad_files]
    assert answer["failed"][3]["code"] == "malformed_file"


def test_the_design_that_most_arrays_have_is_kept(run, bad_files):
    answer, table = run(bad_files[1], *EXTRACTIONS, "--channel", "ratio", "--keep-going", status=2)

    assert list(table.columns) == list(ARRAYS)
    assert "another design" in answer["failed"][0]["message"]


def test_with_no_good_file_nothing_is_written(run, bad_files):
    answer, table = run(bad_files[3], "--keep-going", status=2)

    assert table is None
    assert (answer["out"], answer["arrays"], answer["samples"]) == (None, [], 0)


def test_a_part_of_a_file_is_taken_if_that_is_allowed(run, bad_files):
    answer, _ = run(bad_files[0], "--allow-partial")

    assert answer["arrays"][0]["quality"]["spots"] == 36
    assert "statistics speak of 43931" in answer["arrays"][0]["warnings"][0]


def test_two_files_of_one_name_are_refused(run, tmp_path):
    shutil.copy(EXTRACTIONS[0], tmp_path / EXTRACTIONS[0].name)

    answer, _ = run(EXTRACTIONS[0], tmp_path / EXTRACTIONS[0].name, status=2)

    assert "would both be array" in answer["error"]["message"]


@pytest.mark.parametrize(
    "options", [["--between", "Aquantile"], ["--channel", "ratio"], ["--method", "scan-two-colour"]]
)
def test_what_needs_two_colours_is_refused_for_one(run, options):
    answer, table = run(EXTRACTIONS[0], "--colours", "one", *options, status=2)

    assert answer["error"]["code"] == "bad_input"
    assert table is None


def test_a_person_sees_what_was_written_and_what_is_doubtful(tmp_path, capsys):
    out = tmp_path / "out.tsv"

    assert main(["compute", "agilent", str(EXTRACTIONS[0]), "--colours", "one", "--out", str(out)]) == 0

    printed = capsys.readouterr()
    assert f"{out}: " in printed.out
    assert "1 columns by limma-one-colour" in printed.out
    assert "Processed as an array of one colour" in printed.err
