"""``refinebio compute convert-genes``."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import anndata
import numpy as np
import pytest

from refinebio_assets.cli.compute import convert_genes as command
from refinebio_assets.cli.main import main
from refinebio_assets.matrix_reading import read_matrix
from refinebio_assets.microarray.gene_conversion import ConversionPolicy
from refinebio_assets.microarray.gene_identifiers import IdentifierType
from refinebio_assets.microarray.log_state import Scale

DATA = Path(__file__).parents[1] / "data"
GENES = [f"ENSG{number:011d}" for number in range(1, 5)]
TABLE = "ID_REF\tGSM1\tGSM2\nA_at\t1\t2\nB_at\t3\tNA\nC_at\t5\t6\nAFFX-x_at\t7\t8\nD_at\t9\t10\n"
MAP = f"PROBEID\tENSEMBL\nA_at\t{GENES[0]}\nB_at\t{GENES[0]}\nC_at\t{GENES[1]}\nC_at\t{GENES[2]}\nE_at\t{GENES[3]}\n"


@pytest.fixture
def files(tmp_path) -> tuple[str, str]:
    (tmp_path / "table.txt").write_text(TABLE)
    (tmp_path / "map.tsv").write_text(MAP)
    return str(tmp_path / "table.txt"), str(tmp_path / "map.tsv")


def run(*words: object) -> int:
    return main(["compute", "convert-genes", *map(str, words)])


def test_choices_are_those_of_the_library():
    assert set(command.TYPES) == set(IdentifierType)
    assert set(command.POLICIES) == set(ConversionPolicy)
    assert set(command.SCALES) == set(Scale) - {Scale.UNKNOWN, Scale.RATIO}


@pytest.mark.parametrize("extension", [".tsv", ".tsv.gz", ".parquet", ".h5ad", ".zarr"])
def test_a_table_becomes_genes_and_is_written_as_its_extension_says(files, tmp_path, extension):
    out = tmp_path / f"genes{extension}"
    assert run(files[0], "--map", files[1], "--out", out) == 0
    written = read_matrix(out)
    assert written.genes == (GENES[0],)
    assert written.samples == ("GSM1", "GSM2")
    assert written.matrix.tolist() == [[2.0], [2.0]]


def test_json_counts_everything(files, tmp_path, capsys):
    assert run(files[0], "--map", files[1], "--out", tmp_path / "o.tsv", "--policy", "each", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["counts"] == {
        "rows": 5, "identifiers": 5, "mapped": 3, "ambiguous": 0, "unmapped": 1, "controls": 1, "to_several": 1,
        "genes": 3, "genes_of_several": 1, "without_value": 0, "dates": 0,
    }  # fmt: skip
    assert said["method"] == "gene-conversion.each"
    assert said["detection"]["kind"] == "probe"
    assert said["detection"]["overlaps"]["probe"]["of_data"] == 0.75
    assert said["reading"]["missing"] == {"GSM1": 0, "GSM2": 1}
    assert said["scales"]["GSM1"]["scale"] == "unknown"
    assert said["samples"] == 2
    assert said["warnings"]


def test_numbers_read_back_equal_and_versions_have_their_own_column(tmp_path):
    table = DATA / "geo/GSM11805.txt.gz"
    identifiers = DATA / "identifiers"
    maps = ("--map", identifiers / "GPL96.soft.gz", "--map", identifiers / "gencode_v24_chr19.gtf.gz")
    for name in ("o.tsv", "o.h5ad"):
        assert run(table, *maps, "--out", tmp_path / name, "--log2") == 0
    text, stored = read_matrix(tmp_path / "o.tsv"), anndata.read_h5ad(tmp_path / "o.h5ad")
    assert text.samples == ("GSM11805",)
    np.testing.assert_array_equal(text.matrix, stored.X)
    assert tuple(stored.var_names) == text.genes
    assert set(stored.var["gene_version"].str.isdecimal()) == {True}
    assert stored.var["rows_per_gene"].max() > 1
    assert stored.uns["method"] == "gene-conversion.unique"
    assert (tmp_path / "o.tsv").read_text().startswith("Gene\tGSM11805\nENSG")


def test_the_report_has_every_row(files, tmp_path):
    report = tmp_path / "report.tsv"
    assert run(files[0], "--map", files[1], "--out", tmp_path / "o.tsv", "--report", report) == 0
    assert report.read_text().splitlines() == [
        "identifier\toutcome\tgenes",
        f"A_at\tmapped\t{GENES[0]}",
        f"B_at\tmapped\t{GENES[0]}",
        f"C_at\tambiguous\t{GENES[1]}///{GENES[2]}",
        "AFFX-x_at\tcontrol\t",
        "D_at\tunmapped\t",
    ]


def test_matrices_of_other_formats_are_read(files, tmp_path):
    (tmp_path / "map2.tsv").write_text(f"SYMBOL\tENSEMBL\nTP53\t{GENES[0]}\nDDR1\t{GENES[1]}\n")
    matrix = anndata.AnnData(np.array([[1.0, 2.0], [3.0, 4.0]]))
    matrix.var_names, matrix.obs_names = ["TP53", "DDR1"], ["a", "b"]
    matrix.layers["twice"] = matrix.X * 2
    matrix.write_h5ad(tmp_path / "m.h5ad")
    out = tmp_path / "o.parquet"
    assert run(tmp_path / "m.h5ad", "--map", tmp_path / "map2.tsv", "--out", out, "--layer", "twice") == 0
    assert read_matrix(out).matrix.tolist() == [[2, 4], [6, 8]]
    assert run(out, "--map", tmp_path / "map2.tsv", "--out", tmp_path / "again.tsv", "--from", "ensembl") == 0
    assert read_matrix(tmp_path / "again.tsv").matrix.tolist() == [[2, 4], [6, 8]]


def test_too_little_overlap_is_refused_and_nothing_is_left(files, tmp_path, capsys):
    out, report = tmp_path / "o.tsv", tmp_path / "r.tsv"
    words = (files[0], "--map", files[1], "--out", out, "--report", report, "--min-overlap", "0.9", "--json")
    assert run(*words) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "bad_input"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.tsv", "table.txt"]
    assert run(*words[:-3], "--min-overlap", "0.75") == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--out", "o.csv"), "bad_input"),
        (("--out", "none/o.tsv"), "bad_input"),
        (("--out", "o.tsv", "--from", "symbol"), "bad_input"),
        (("--out", "o.tsv", "--value-column", "GSM9"), "bad_input"),
        (("--out", "o.tsv", "--value-column", "#9"), "bad_input"),
        (("--out", "o.tsv", "--min-overlap", "2"), "bad_usage"),
        (("--out", "o.tsv", "--log2"), "low_quality"),
    ],
)
def test_bad_input_exits_2_and_leaves_nothing(files, tmp_path, monkeypatch, capsys, words, code):
    monkeypatch.chdir(tmp_path)
    assert run(files[0], "--map", files[1], *words, "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.tsv", "table.txt"]


def test_columns_can_be_named_where_they_cannot_be_told(files, tmp_path, capsys):
    (tmp_path / "five.txt").write_text("A_at\t1\t2\tx\t3\nB_at\t4\t5\ty\t6\n")
    words = (tmp_path / "five.txt", "--map", files[1], "--out", tmp_path / "o.tsv")
    assert run(*words) == 2
    assert "cannot be told which columns" in capsys.readouterr().err
    assert run(*words, "--id-column", "#1", "--value-column", "#3", "--value-column", "#5") == 0
    assert read_matrix(tmp_path / "o.tsv").matrix.tolist() == [[3.5], [4.5]]


def series(tmp_path: Path) -> tuple[Path, Path]:
    """A sample of intensities, one of calls, and a map of every probe."""
    signal = 2 ** np.random.default_rng(0).normal(7, 2, 400)
    rows = [f"P{n}_at\t{value!r}\t{n % 3}" for n, value in enumerate(signal.tolist())]
    (tmp_path / "series.tsv.gz").write_bytes(gzip.compress(("ID_REF\tGSM1\tGSM2\n" + "\n".join(rows)).encode()))
    pairs = [f"P{n}_at\tENSG{n:011d}" for n in range(400)]
    (tmp_path / "m.tsv").write_text("PROBEID\tENSEMBL\n" + "\n".join(pairs))
    return tmp_path / "series.tsv.gz", tmp_path / "m.tsv"


def test_a_sample_that_cannot_be_brought_to_log2_stops_all_or_is_left_out(tmp_path, capsys):
    table, mapping = series(tmp_path)
    out = tmp_path / "o.tsv"
    words = (table, "--map", mapping, "--out", out, "--log2")
    assert run(*words) == 2
    assert not out.exists()
    assert "GSM2 cannot be brought to log2" in capsys.readouterr().err
    assert run(*words, "--keep-going", "--json") == 2
    said = json.loads(capsys.readouterr().out)
    assert [failure["sample"] for failure in said["failed"]] == ["GSM2"]
    assert said["reading"]["log2"] == {"GSM1": {"conversion": "log2", "not_positive": 0}}
    written, given = read_matrix(out), 2 ** np.random.default_rng(0).normal(7, 2, 400)
    assert written.samples == ("GSM1",)
    np.testing.assert_array_equal(written.matrix[0], np.log2(given))


def test_without_log2_values_stay_as_they_are_and_their_scale_is_told(tmp_path, capsys):
    table, mapping = series(tmp_path)
    assert run(table, "--map", mapping, "--out", tmp_path / "o.tsv", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["scales"]["GSM1"]["scale"], said["scales"]["GSM2"]["scale"]) == ("linear", "unknown")
    given = 2 ** np.random.default_rng(0).normal(7, 2, 400)
    np.testing.assert_array_equal(read_matrix(tmp_path / "o.tsv").matrix[0], given)


def test_a_scale_that_is_said_is_taken(tmp_path):
    table, mapping = series(tmp_path)
    assert run(table, "--map", mapping, "--out", tmp_path / "o.tsv", "--log2", "--scale", "log2") == 0
    assert read_matrix(tmp_path / "o.tsv").samples == ("GSM1", "GSM2")


def test_a_sample_of_a_soft_file_and_a_platform_of_a_family_can_be_named(tmp_path, capsys):
    genes = "".join(f"{n}\tENSG{n:011d}\n" for n in range(1, 21))
    (tmp_path / "m.tsv").write_text("PROBEID\tENSEMBL\n" + genes)
    table = DATA / "geo/soft_ex_dual.txt.gz"
    words = (table, "--map", tmp_path / "m.tsv", "--out", tmp_path / "o.tsv")
    assert run(*words) == 2
    assert "has 3 tables" in capsys.readouterr().err
    assert run(*words, "--sample", "Control Embyronic Stem Cell Replicate 2") == 0
    assert read_matrix(tmp_path / "o.tsv").matrix[0, 0] == -1.1697263
    platform = ("--map", DATA / "geo/soft_ex_family.txt.gz", "--map", tmp_path / "m.tsv")
    assert run(table, *platform, "--platform", "GPL9", "--out", tmp_path / "p.tsv", "--sample", "x") == 2
