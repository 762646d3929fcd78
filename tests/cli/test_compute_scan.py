"""``refinebio compute scan``: CEL files in, a matrix out; good ones beside bad ones; nothing left behind."""

from __future__ import annotations

import gzip
import json

import anndata
import numpy as np
import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.matrix_reading import read_matrix
from refinebio_assets.microarray.affymetrix import process_cel
from refinebio_assets.microarray.cel import read_cel
from refinebio_assets.microarray.scan import METHODS
from refinebio_assets.microarray.scan_annotation import ArrayAnnotation
from tests.microarray.array_files import cel_text
from tests.microarray.scan_arrays import made_up_chip


@pytest.fixture
def study(tmp_path):
    """A probe table, two good arrays, one that ends early."""
    chip = made_up_chip()
    (tmp_path / "probes.tsv").write_text(chip.table_text())
    (tmp_path / "A.CEL").write_bytes(chip.cel(1))
    (tmp_path / "B.CEL.gz").write_bytes(gzip.compress(cel_text(chip.intensities(2), cols=80, chip_type="Made_Up")))
    (tmp_path / "bad.CEL").write_bytes(chip.cel(3)[:30_000])
    return tmp_path


def run(study, *words: str, out: str = "out.tsv", cels: tuple[str, ...] = ("A.CEL", "B.CEL.gz")) -> int:
    files = [str(study / name) for name in cels]
    options = ["--probe-table", str(study / "probes.tsv"), "--out", str(study / out)]
    return main(["compute", "scan", *files, *options, *words])


@pytest.mark.parametrize("extension", [".tsv", ".tsv.gz", ".parquet", ".h5ad", ".zarr"])
def test_arrays_become_a_matrix_in_every_format(study, extension):
    assert run(study, out=f"out{extension}") == 0
    written = read_matrix(study / f"out{extension}")
    annotation = ArrayAnnotation.read(study / "probes.tsv")
    assert written.samples == ("A", "B")
    assert written.genes == annotation.ids
    for row, name in enumerate(("A.CEL", "B.CEL.gz")):
        expected = process_cel(read_cel(study / name), annotation, "scan-fast").values
        assert written.matrix[row].tolist() == expected.tolist()


def test_text_has_genes_in_rows(study):
    assert run(study) == 0
    assert (study / "out.tsv").read_text().startswith("Gene\tA\tB\n1000_at\t")


def test_an_anndata_knows_method_and_figures(study):
    assert run(study, "--method", "upc-fast", out="out.h5ad") == 0
    value = anndata.read_h5ad(study / "out.h5ad")
    assert value.uns["method"] == "upc-fast"
    assert value.uns["parameters"]["convergence_threshold"] == 0.5
    assert value.obs["platform_code"].tolist() == ["madeup", "madeup"]
    assert value.obs["share_of_zeros"].tolist() == [0.0, 0.0]
    assert (value.obs["gc_bias_before"] > 0.3).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_asked_for_and_is_told(study, capsys, method):
    assert run(study, "--method", method, "--json", cels=("A.CEL",)) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["method"], answer["samples"], answer["genes"], answer["failed"]) == (method, 1, 640, [])
    assert answer["parameters"]["trim"] == 0.1
    array = answer["arrays"][0]
    assert (array["sample"], array["platform_code"], array["probes"]) == ("A", "madeup", 6400)
    assert set(array["quality"]) == {
        "share_of_zeros", "gc_bias_before", "gc_bias_after", "explained_share", "background_share",
    }  # fmt: skip


def test_a_summary_gives_genes(study, capsys):
    genes = made_up_chip().table_text().replace("_at\t", "\t").replace("\n1", "\nENSG1")
    (study / "genes.tsv").write_text(genes)
    assert run(study, "--probe-summary", str(study / "genes.tsv"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["genes"] == 640
    assert read_matrix(study / "out.tsv").genes[0] == "ENSG1000"


def test_the_same_arrays_give_the_same_bytes(study):
    assert run(study, "--threads", "1") == 0
    first = (study / "out.tsv").read_bytes()
    assert run(study, "--threads", "2") == 0
    assert (study / "out.tsv").read_bytes() == first


def test_one_bad_file_stops_all_and_leaves_nothing(study, capsys):
    before = {path.name for path in study.iterdir()}
    assert run(study, "--json", cels=("A.CEL", "bad.CEL", "B.CEL.gz")) == 2
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert (error["code"], error["file"]) == ("malformed_file", str(study / "bad.CEL"))
    assert {path.name for path in study.iterdir()} == before


def test_keep_going_writes_the_good_ones_and_lists_the_bad(study, capsys):
    (study / "other.CEL").write_bytes(made_up_chip().cel(4, chip_type="Another"))
    cels = ("bad.CEL", "A.CEL", "other.CEL", "B.CEL.gz")
    assert run(study, "--keep-going", "--json", cels=cels) == 2
    answer = json.loads(capsys.readouterr().out)
    assert [array["sample"] for array in answer["arrays"]] == ["A", "B"]
    assert [(failed["sample"], failed["code"]) for failed in answer["failed"]] == [
        ("bad.CEL", "malformed_file"), ("other.CEL", "bad_input"),
    ]  # fmt: skip
    assert "chip Another, not madeup" in answer["failed"][1]["message"]
    assert read_matrix(study / "out.tsv").samples == ("A", "B")


def test_keep_going_without_any_good_array_writes_nothing(study, capsys):
    assert run(study, "--keep-going", cels=("bad.CEL",)) == 2
    captured = capsys.readouterr()
    assert "Nothing written" in captured.out
    assert "bad.CEL" in captured.err
    assert not (study / "out.tsv").exists()


def test_a_single_array_of_another_chip_is_refused_by_name(study, capsys):
    assert run(study, "--chip", "HG-U133A", cels=("A.CEL",)) == 2
    assert "chip Made_Up, not hgu133a" in capsys.readouterr().err


def test_two_files_of_one_name_are_refused_before_anything_is_read(study, capsys):
    (study / "again").mkdir()
    (study / "again/A.CEL").write_bytes(b"")
    assert run(study, cels=("A.CEL", "again/A.CEL")) == 2
    assert "would both be sample 'A'" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["out.txt", "missing/out.tsv"])
def test_an_output_that_cannot_be_is_refused_first(study, capsys, out):
    assert run(study, out=out, cels=("bad.CEL",)) == 2
    assert "bad.CEL" not in capsys.readouterr().err


def test_warnings_are_said_to_people(study, capsys):
    shuffled = np.random.default_rng(0).permutation(made_up_chip().intensities(1))
    (study / "C.CEL").write_bytes(cel_text(shuffled, cols=80, chip_type="Made_Up"))
    assert run(study, cels=("C.CEL",)) == 0
    assert "may be of another chip" in capsys.readouterr().err


def test_help_names_the_default(capsys):
    assert main(["compute", "scan", "--help"]) == 0
    assert "scan-fast" in capsys.readouterr().out
