"""Tables of BeadArrays and IDAT files are told by their content, with how they would be read and why."""

import gzip
import json
from pathlib import Path

import pytest

from refinebio_assets.inspection.inspection import inspect_files

DATA = Path(__file__).parents[1] / "data/illumina"


def answer(path):
    (report,) = inspect_files([path])
    return json.loads(json.dumps(report.to_dict()))  # also that it is JSON


def test_a_table_is_described_as_it_would_be_read():
    told = answer(DATA / "lumi_example_4_non-normalized.txt.gz")
    assert (told["kind"], told["compression"]) == ("illumina_table", ["gzip"])
    assert told["confidence"] > 0.8
    assert told["columns"][:3] == ["ID_REF", "A01", "Detection Pval"]
    assert told["header"]["sample_columns"][0] == {
        "name": "A01", "signal": 1, "detection": 2, "beads": None, "stderr": None,
    }  # fmt: skip
    assert told["header"]["is_accepted"]
    assert any("follow the signals" in line for line in told["evidence"])
    assert told["warnings"] == []


def test_a_doubtful_table_is_told_with_its_doubts(tmp_path):
    lines = gzip.decompress((DATA / "lumi_example_4_non-normalized.txt.gz").read_bytes()).decode().splitlines()
    path = tmp_path / "nameless.txt"
    path.write_text("\n".join(lines[1:300]) + "\n")
    told = answer(path)
    assert told["kind"] == "illumina_table"
    assert told["confidence"] < 0.7
    assert not told["header"]["is_accepted"]
    assert "there is no header" in told["warnings"][-1]


def test_a_damaged_table_keeps_its_kind(tmp_path):
    path = tmp_path / "cut.txt"
    path.write_text("PROBE_ID\tS1.AVG_Signal\tS1.Detection Pval\n1\n2\n")
    told = answer(path)
    assert told["kind"] == "illumina_table"
    assert told["error"]["code"] == "malformed_file"


@pytest.mark.parametrize("name", ["lumi_example_probe_sequences.tsv.gz", "illuminaRatv1.tsv"])
def test_tables_about_probes_are_no_signals(name):
    assert answer(DATA / name)["kind"] == "table"


def test_an_idat_file_says_why_it_is_not_read(tmp_path):
    told = answer(DATA / "4343238080_A_Grn.128.idat")
    assert told["kind"] == "illumina_idat"
    assert told["header"] == {"version": 1, "is_encrypted": True, "fields": None, "array": "4343238080_A_Grn"}
    assert "encrypted" in told["warnings"][0]
    path = tmp_path / "methylation.idat"
    path.write_bytes(b"IDAT" + (3).to_bytes(8, "little") + (19).to_bytes(4, "little") + b"\0" * 40)
    told = answer(path)
    assert (told["header"]["is_encrypted"], told["header"]["fields"]) == (False, 19)
    path.write_bytes(b"IDAT" + b"\x09" * 30)
    assert answer(path)["error"]["code"] == "malformed_file"
