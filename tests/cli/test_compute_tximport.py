"""``refinebio compute tximport``: what it writes, and that it writes nothing when something is wrong."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest

from refinebio_assets.cli.compute.several_values import repeat_option_names
from refinebio_assets.cli.main import main
from tests.rna_seq.quant_files import (
    GENE_OF,
    SAMPLES,
    ZEBRAFISH,
    quant_sf_text,
    unpack_zebrafish,
    write_map,
    write_quant_files,
)

TEXT = quant_sf_text(SAMPLES["C"])


@pytest.fixture
def study(tmp_path):
    """Four quantified samples, a map, and an empty folder for results."""
    write_quant_files(tmp_path / "quant")
    write_map(tmp_path / "map.tsv")
    (tmp_path / "out").mkdir()
    return tmp_path


def words(study, out="out/x.tsv", *more):
    return [
        "compute", "tximport", "--quant", str(study / "quant"), "--tx2gene", str(study / "map.tsv"),
        "--out", str(study / out), *more,
    ]  # fmt: skip


def run(study, out="out/x.tsv", *more):
    return main(words(study, out, *more))


def read(path):
    return pd.read_csv(path, sep="\t", index_col="Gene", float_precision="round_trip")


def expected(study, mode="lengthScaledTPM", value="counts"):
    from refinebio_assets.rna_seq.gene_map import GeneMap
    from refinebio_assets.rna_seq.quant_sf import find_quant_files
    from refinebio_assets.rna_seq.tximport import CountsFromAbundance, Quantity, tximport

    expression = tximport(find_quant_files([study / "quant"]), GeneMap.from_dict(GENE_OF))
    return expression.matrix(CountsFromAbundance(mode), Quantity(value))


@pytest.mark.parametrize(
    ("mode", "value", "reference"),
    [
        ("lengthScaledTPM", "counts", "lengthScaledTPM"),
        ("scaledTPM", "counts", "scaledTPM"),
        ("no", "counts", "counts"),
        ("no", "abundance", "abundance"),
        ("no", "length", "length"),
    ],
)
def test_twenty_real_samples_equal_r_tximport(zebrafish_study, tmp_path, mode, value, reference):
    out = tmp_path / "x.tsv"
    tx2gene = ZEBRAFISH / "genes_to_transcripts.tsv.xz"
    options = ["--counts-from-abundance", mode, "--value", value, "--out", str(out)]
    assert main(["compute", "tximport", "--quant", str(zebrafish_study), "--tx2gene", str(tx2gene), *options]) == 0
    table = read(out)
    with np.load(ZEBRAFISH / "tximport_reference.npz") as wanted:
        assert table.index[::20].tolist() == wanted["genes"].tolist()
        assert table.columns.tolist() == wanted["samples"].tolist()
        np.testing.assert_allclose(table.to_numpy()[::20], wanted[reference], rtol=1e-12)
        np.testing.assert_allclose(table.to_numpy().sum(axis=0), wanted[f"{reference}_column_sums"], rtol=1e-12)


@pytest.fixture(scope="module")
def zebrafish_study(tmp_path_factory):
    return unpack_zebrafish(tmp_path_factory.mktemp("zebrafish"))


@pytest.mark.parametrize("mode", ["lengthScaledTPM", "scaledTPM", "no"])
@pytest.mark.parametrize("value", ["counts", "abundance", "length"])
def test_text_reads_back_as_the_same_numbers(study, mode, value):
    assert run(study, "out/x.tsv", "--counts-from-abundance", mode, "--value", value) == 0
    table = read(study / "out" / "x.tsv")
    assert table.columns.tolist() == ["A", "B", "C", "D"]
    assert table.index.tolist() == ["g0", "g1", "g2", "g3"]
    np.testing.assert_allclose(table.to_numpy(), expected(study, mode, value), rtol=1e-15)


def test_compressed_text_and_parquet_hold_the_same_numbers_and_the_same_bytes_each_time(study):
    for name in ("x.tsv", "x.tsv.gz", "x.parquet"):
        assert run(study, f"out/{name}") == 0
    table = read(study / "out" / "x.tsv")
    assert gzip.decompress((study / "out" / "x.tsv.gz").read_bytes()) == (study / "out" / "x.tsv").read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(study / "out" / "x.parquet").set_index("Gene"), table)
    for name in ("x.tsv", "x.tsv.gz", "x.parquet"):
        before = (study / "out" / name).read_bytes()
        assert run(study, f"out/{name}") == 0
        assert (study / "out" / name).read_bytes() == before


@pytest.mark.parametrize("name", ["x.h5ad", "x.zarr"])
def test_anndata_files_hold_all_layers(study, name):
    for _ in range(2):  # the second time replaces the first
        assert run(study, f"out/{name}", "--counts-from-abundance", "scaledTPM") == 0
    path = study / "out" / name
    value = anndata.read_h5ad(path) if name.endswith("h5ad") else anndata.read_zarr(path)
    assert set(value.layers) == {"counts", "abundance", "length", "lengthScaledTPM", "scaledTPM"}
    np.testing.assert_array_equal(value.X, expected(study, "scaledTPM").T.astype(np.float32))
    assert [path.name for path in (study / "out").iterdir()] == [name]


def test_a_folder_that_is_no_zarr_store_is_not_overwritten(study, capsys):
    (study / "out" / "x.zarr").mkdir()
    (study / "out" / "x.zarr" / "thesis.txt").write_text("irreplaceable")
    assert run(study, "out/x.zarr") == 2
    assert "no zarr store" in capsys.readouterr().err
    assert (study / "out" / "x.zarr" / "thesis.txt").read_text() == "irreplaceable"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_quant_files_and_maps_are_read(study, compress):
    assert run(study, "out/plain.tsv") == 0
    for sample in "ABCD":
        plain = study / "quant" / sample / "quant.sf"
        suffix = {gzip.compress: ".gz", bz2.compress: ".bz2", lzma.compress: ".xz"}[compress]
        plain.with_name("quant.sf" + suffix).write_bytes(compress(plain.read_bytes()))
        plain.unlink()
    (study / "map.tsv").write_bytes(compress((study / "map.tsv").read_bytes()))
    assert run(study) == 0
    assert (study / "out" / "x.tsv").read_bytes() == (study / "out" / "plain.tsv").read_bytes()


def test_the_summary_says_what_was_dropped(study, capsys):
    assert run(study, "out/x.tsv") == 0
    said = capsys.readouterr()
    assert "1 of 7 transcripts are not in the map: left out." in said.err
    assert "4 genes x 4 samples" in said.out
    assert run(study, "out/x.tsv", "--json") == 0
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert summary.pop("seconds") >= 0
    assert said.err == ""
    assert summary == {
        "samples": 4,
        "genes": 4,
        "transcripts": 7,
        "dropped_transcripts": 1,
        "mode": "lengthScaledTPM",
        "value": "counts",
        "out": str(study / "out" / "x.tsv"),
    }


def test_versions_can_be_ignored(study):
    rows = {sample: [(f"{row[0]}.3", *row[1:]) for row in rows] for sample, rows in SAMPLES.items()}
    assert run(study, "out/plain.tsv") == 0
    (study / "quant").rename(study / "plain")
    write_quant_files(study / "quant", rows)
    assert run(study) == 2
    assert run(study, "out/x.tsv", "--ignore-tx-version") == 0
    assert (study / "out" / "x.tsv").read_bytes() == (study / "out" / "plain.tsv").read_bytes()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (TEXT.replace("NumReads", "Counts"), 1, "header"),
        (TEXT[:-3], 8, "truncated"),
        (TEXT.split("\n")[0] + "\n", 2, "no transcript"),
        (TEXT.replace("t4\t", "t8\t"), 5, "t8 is not listed"),
        (TEXT.replace("t4\t300\t252\t0\t0\n", ""), 5, "missing"),
        (TEXT.replace("t4\t", "t1\t"), 5, "twice"),
        (TEXT.replace("252", "NaN"), 5, "finite"),
        (TEXT.replace("3.5", "-3.5"), 3, "negative"),
        ("<!DOCTYPE html>\n<html></html>\n", 1, "HTML"),
        ("", 1, "empty"),
    ],
)
@pytest.mark.parametrize("sample", ["A", "C"])
@pytest.mark.parametrize("out", ["x.tsv", "x.h5ad"])
def test_a_bad_quant_file_is_named_and_leaves_nothing_behind(study, capsys, text, line, message, sample, out):
    bad = study / "quant" / sample / "quant.sf"
    bad.write_text(text)
    assert run(study, f"out/{out}", "--json") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    if sample == "A" and line == 5 and message in {"t8 is not listed", "missing"}:
        assert error["file"] == str(study / "quant" / "B" / "quant.sf")  # the second file differs from the first
    else:
        assert (error["file"], error["line"]) == (str(bad), line)
        assert message in error["message"]
    assert not list((study / "out").iterdir())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--quant", "none/quant.sf"], "no such file"),
        (["--tx2gene", "none.tsv"], "no such file"),
        (["--out", "out/x.xlsx"], "extension"),
        (["--out", "none/x.tsv"], "folder for the output does not exist"),
        (["--counts-from-abundance", "dtuScaledTPM"], "is not one of"),
        (["--value", "tpm"], "is not one of"),
        (["surplus.sf", "--json"], ""),
    ],
)
def test_bad_usage_ends_with_status_two(study, monkeypatch, capsys, more, message):
    monkeypatch.chdir(study)
    assert run(study, "out/x.tsv", *more) == 2
    assert message in capsys.readouterr().err
    assert not list((study / "out").iterdir())


def test_no_transcript_in_the_map_is_bad_input(study, capsys):
    write_map(study / "map.tsv", {"x1": "g1"})
    assert run(study) == 2
    said = capsys.readouterr().err
    assert f"{study / 'map.tsv'}:1: None of the 7 transcripts" in said
    assert not list((study / "out").iterdir())


def test_an_output_of_an_earlier_run_survives_a_failure(study):
    assert run(study) == 0
    before = (study / "out" / "x.tsv").read_bytes()
    (study / "quant" / "D" / "quant.sf").write_text("")
    assert run(study) == 2
    assert (study / "out" / "x.tsv").read_bytes() == before


def test_files_can_be_listed_after_one_option_or_with_one_each(study):
    files = [str(study / "quant" / sample / "quant.sf") for sample in "DAB"]
    common = ["--tx2gene", str(study / "map.tsv"), "--out"]
    listed, repeated = study / "out" / "listed.tsv", study / "out" / "repeated.tsv"
    assert main(["compute", "tximport", "--quant", *files, *common, str(listed)]) == 0
    each = [word for file in files for word in ("--quant", file)]
    assert main(["compute", "tximport", *each, *common, str(repeated)]) == 0
    assert listed.read_bytes() == repeated.read_bytes()
    assert read(listed).columns.tolist() == ["D", "A", "B"]


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("--quant a b --out c", "--quant a --quant b --out c"),
        ("--quant=a b --quant c d", "--quant=a --quant b --quant c --quant d"),
        ("--json a --quant b -- c d", "--json a --quant b -- c d"),
        ("--quant", "--quant"),
        ("--quant --out c", "--quant --out c"),
    ],
)
def test_an_options_name_is_repeated_before_each_of_its_values(given, parsed):
    assert repeat_option_names(given.split(), {"--quant"}) == parsed.split()


def test_nothing_heavy_is_imported_for_text(study):
    program = (
        "import sys; from refinebio_assets.cli.main import main; assert main(sys.argv[1:]) == 0; print(*sys.modules)"
    )
    command = [sys.executable, "-c", program, *words(study)]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split())
    assert (study / "out" / "x.tsv").exists()
    assert not {"pandas", "pyarrow", "anndata", "dagster", "sqlalchemy", "scipy", "numba"} & loaded
