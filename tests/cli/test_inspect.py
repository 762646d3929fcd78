"""``refinebio inspect``: one object per line, tables for people, exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from refinebio_assets.cli.main import main
from tests.inspection.fixtures import DATA, GEO, INSPECTION, KINDS

FAMILY = GEO / "GSE611_family.soft.gz"


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.soft"
    path.write_text("<!doctype html><title>404</title>")
    return path


def test_json_is_one_object_per_line_and_file(capsys):
    paths = [str(FAMILY), str(INSPECTION / "accessions.txt")]
    assert main(["inspect", "--json", *paths]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["file"] for each in told] == paths
    expected = {
        "file", "kind", "confidence", "compression", "evidence", "experiments", "samples", "columns",
        "header", "warnings",
    }  # fmt: skip
    assert [each.keys() for each in told] == [expected, expected]


def test_an_unreadable_file_is_an_error_object_and_the_others_are_shown(page, tmp_path, capsys):
    missing = tmp_path / "missing"
    assert main(["inspect", "--json", str(page), str(missing), str(FAMILY)]) == 2
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each.get("error", {}).get("code") for each in told] == ["malformed_file", "bad_input", None]
    assert told[0]["error"]["line"] == 1
    assert len(told[2]["samples"]) == 12


def test_people_see_kind_experiments_samples_and_errors(page, capsys):
    assert main(["inspect", str(FAMILY), str(page)]) == 2
    out = capsys.readouterr().out
    for words in ("geo_soft_family", "GSE611", "GSM9238", "12 surveyed", "MUS_MUSCULUS", "web page (404)", "Download"):
        assert words in out


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_can_be_shown_as_text(name, capsys):
    assert main(["inspect", str(DATA / name)]) == 0
    assert KINDS[name][0] in capsys.readouterr().out


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path, capsys):
    path = tmp_path / "GSE1_family.soft"
    path.write_text("^SERIES = GSE1\n!Series_title = \x1b[2Jgone\n^SAMPLE = GSM1\n!Sample_title = \x1b]0;x\x07\n")
    assert main(["inspect", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_names_that_are_no_utf_8_are_shown(tmp_path):
    path = tmp_path.joinpath("caf\udce9.txt")
    path.write_text("hello")
    for option in ([], ["--json"]):
        command = [sys.executable, "-m", "refinebio_assets", "inspect", *option, str(path)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_no_file_is_bad_usage(capsys):
    assert main(["inspect"]) == 2
    assert "FILE" in capsys.readouterr().err
