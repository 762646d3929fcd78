"""``refinebio compute illumina``."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import anndata
import numpy as np
import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.matrix_reading import read_matrix

DATA = Path(__file__).parents[1] / "data/illumina"
TABLE, SEQUENCES = DATA / "lumi_example_4_non-normalized.txt.gz", DATA / "lumi_example_probe_sequences.tsv.gz"


def run(*words, capsys=None):
    status = main(["compute", "illumina", *map(str, words), *(["--json"] if capsys else [])])
    return status, json.loads(capsys.readouterr().out) if capsys else None


@pytest.fixture(scope="module")
def limma():
    with np.load(DATA / "lumi_example_4_reference.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """The probes with made genes: every third is ambiguous, every seventh bad."""
    lines = gzip.decompress(SEQUENCES.read_bytes()).decode().splitlines()
    rows = ["probe_id\tsequence\tensembl_id\tquality"]
    for at, line in enumerate(lines[1:]):
        probe, _, sequence = line.split("\t")
        genes = f"ENSG{at // 2:011d}" + (f"///ENSG{at + 90_000:011d}" if at % 3 == 0 else "")
        rows.append(f"{probe}\t{sequence}\t{genes}\t{'Bad' if at % 7 == 0 else 'Perfect'}")
    path = tmp_path_factory.mktemp("platform") / "humanv1.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    ("method", "key"), [("nec", "nec"), ("neqc", "neqc"), ("refinebio-1", "scan_norm"), ("neqc", "neqc_controls")]
)
def test_methods_give_the_numbers_of_their_references(tmp_path, limma, method, key):
    out = tmp_path / "out.tsv"
    more = ["--controls", DATA / "lumi_example_4_controls.txt"] if key == "neqc_controls" else []
    assert run(TABLE, "--out", out, "--method", method, "--platform-table", SEQUENCES, *more)[0] == 0
    written = read_matrix(out)
    assert written.samples == ("A01", "A02", "B01", "B02")
    assert written.genes[::10] == tuple(limma["probes"])
    assert np.abs(written.matrix[:, ::10] - limma[key]).max() < 2e-8


def test_what_was_read_and_found_is_told(tmp_path, capsys):
    out = tmp_path / "out.tsv"
    status, told = run(TABLE, "--out", out, capsys=capsys)
    assert status == 0
    assert (told["samples"], told["genes"], told["rows"], told["method"]) == (4, 8000, "probes", "nec")
    assert told["table"]["id_column"] == "ID_REF"
    assert told["table"]["columns"][1] == {"name": "A02", "signal": 3, "detection": 4, "beads": None, "stderr": None}
    assert told["confidence"] == told["table"]["confidence"] > 0.8
    assert told["table"]["evidence"]
    assert told["arrays"][0]["background"]["mu"] == pytest.approx(142.09, abs=0.1)
    assert told["arrays"][0]["quality"]["missing"] == 0
    assert told["failed"] == told["warnings"] == []


def test_probes_become_genes(tmp_path, platform, capsys):
    out = tmp_path / "out.h5ad"
    status, told = run(TABLE, "--out", out, "--platform-table", platform, capsys=capsys)
    assert status == 0
    assert told["method"] == "bead-scan"
    assert told["platform"] == "humanv1"
    assert told["platforms"] == [{"platform": "humanv1", "of_platform": 100.0, "of_data": 100.0, "shared": 8000}]
    counts = told["probes"]
    assert counts["probes"] == 8000
    assert counts["good"] == 8000 - 1143
    assert counts["good"] == counts["unique"] + counts["ambiguous"]
    written = anndata.read_h5ad(out)
    assert written.shape == (4, counts["genes"])
    assert written.var["probes"].sum() == counts["unique"]
    assert set(written.var["probes"]) == {1, 2}
    assert written.uns["method"] == "bead-scan"


def test_a_probe_map_decides_for_ambiguous_probes(tmp_path, platform, capsys):
    chosen = tmp_path / "map.tsv"
    chosen.write_text("probe_id\tensembl_id\nGI_13236494-S\tENSG00000000001\nGI_10440565-S\tENSG00000099999\n")
    words = (TABLE, "--out", tmp_path / "out.tsv", "--platform-table", platform, "--method", "nec")
    _, before = run(*words, capsys=capsys)
    _, after = run(*words, "--probe-map", chosen, capsys=capsys)
    assert before["probes"]["chosen"] == 0
    assert after["probes"]["chosen"] <= 1
    assert after["probes"]["unique"] == before["probes"]["unique"]


def test_the_platform_is_found_among_several(tmp_path, platform, capsys):
    other = tmp_path / "other.tsv"
    other.write_text("probe_id\tquality\nILMN_1\tGood\nGI_5729919-S\tGood\n")
    status, told = run(TABLE, "--out", tmp_path / "o.tsv", "--platform-table", other, platform, capsys=capsys)
    assert status == 0
    assert told["platform"] == "humanv1"
    assert [one["platform"] for one in told["platforms"]] == ["other", "humanv1"]


def test_a_table_of_another_platform_is_refused(tmp_path, capsys):
    other = tmp_path / "rat.tsv"
    other.write_text("probe_id\tquality\n" + "".join(f"ILMN_{at}\tGood\n" for at in range(1, 99)))
    status, told = run(TABLE, "--out", tmp_path / "o.tsv", "--platform-table", other, capsys=capsys)
    assert status == 2
    assert "none of the platforms" in told["error"]["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["rat.tsv"]


def test_columns_get_the_accessions_of_their_samples(tmp_path, capsys):
    samples = tmp_path / "samples.tsv"
    samples.write_text("accession\ttitle\tdescription\nGSM1\tA01\t\nGSM2\tliver\tA02\nGSM3\tx\ty\n")
    out = tmp_path / "out.tsv"
    status, told = run(TABLE, "--out", out, "--samples", samples, capsys=capsys)
    assert status == 0
    assert read_matrix(out).samples == ("GSM1", "GSM2", "B01", "B02")
    assert [one["matched_by"] for one in told["arrays"]] == ["title", "description", "none", "none"]


def test_a_doubtful_table_is_refused_and_nothing_is_left(tmp_path, capsys):
    table = tmp_path / "doubtful.txt"
    table.write_text("GENE\ta\tb\n" + "".join(f"g{at}\t{at * 7 % 997}.5\t{at * 11 % 983}.5\n" for at in range(300)))
    status, told = run(table, "--out", tmp_path / "o.tsv", capsys=capsys)
    assert status == 2
    assert told["error"]["code"] == "uncertain_table"
    assert told["error"]["confidence"] < 0.7
    assert told["error"]["evidence"]
    assert [path.name for path in tmp_path.iterdir()] == ["doubtful.txt"]


@pytest.fixture
def one_bad(tmp_path):
    """A table whose third sample has equal p-values only."""
    lines = [line.split("\t") for line in gzip.decompress(TABLE.read_bytes()).decode().splitlines()]
    for cells in lines[1:]:
        cells[6] = "0"
    path = tmp_path / "one_bad.txt"
    path.write_text("\n".join("\t".join(cells) for cells in lines) + "\n")
    return path


def test_one_bad_sample_stops_everything(one_bad, tmp_path, capsys):
    status, told = run(one_bad, "--out", tmp_path / "o.tsv", capsys=capsys)
    assert status == 2
    assert told["error"]["code"] == "low_quality"
    assert not (tmp_path / "o.tsv").exists()


@pytest.mark.parametrize("method", ["nec", "neqc"])
def test_keep_going_writes_the_good_samples_and_lists_the_bad(one_bad, tmp_path, capsys, method):
    out = tmp_path / "o.tsv"
    status, told = run(one_bad, "--out", out, "--keep-going", "--method", method, capsys=capsys)
    assert status == 2
    assert [one["sample"] for one in told["failed"]] == ["B01"]
    assert read_matrix(out).samples == ("A01", "A02", "B02")


@pytest.mark.parametrize("extension", [".tsv.gz", ".parquet", ".zarr"])
def test_every_format_is_written(tmp_path, extension):
    out = tmp_path / f"out{extension}"
    assert run(DATA / "4343238080_A_ProbeSummary.1500.txt.gz", "--out", out)[0] == 0
    written = read_matrix(out)
    assert written.samples == ("4343238080_A",)
    assert written.matrix[0, 0] == pytest.approx(np.log2(179.164), rel=1e-6)


def test_a_list_of_samples_without_accessions_is_bad_input(tmp_path, capsys):
    samples = tmp_path / "samples.tsv"
    samples.write_text("name\nx\n")
    status, told = run(TABLE, "--out", tmp_path / "o.tsv", "--samples", samples, capsys=capsys)
    assert (status, told["error"]["line"]) == (2, 1)
