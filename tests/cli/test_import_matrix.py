"""``refinebio import``: what it prints, its exit statuses, and that an import can be removed again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from refinebio_assets.cli.main import main
from resources.settings import get_settings

SAID = ["--experiment", "LOCAL-MINE", "--organism", "Homo sapiens", "--technology", "microarray", "--scale", "log2"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    get_settings.cache_clear()
    yield tmp_path / "home"
    get_settings.cache_clear()


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    path = tmp_path / "matrix.tsv"
    path.write_text("Gene\ta\tb\nENSG00000000003.1\t7\t8\nENSG00000000005\tNA\t4.5\nAFFX-1\t1\t1\n")
    return path


def test_it_says_what_it_did_and_can_be_undone(home: Path, matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(matrix), *SAID, "--platform", "GPL8300", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["experiment"], done["outcome"], done["samples"], done["genes"]) == ("LOCAL-MINE", "imported", 2, 2)
    assert (done["missing"], done["rows_left_out"], done["first_left_out"]) == (1, 1, ["AFFX-1"])

    assert main(["import", str(matrix), *SAID, "--platform", "hgu95av2"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "LOCAL-MINE: 2 samples x 2 genes, unchanged"
    assert told[1:] == ["1 rows are no Ensembl genes and were left out: AFFX-1", "1 values are missing"]

    (part,) = (home / "objects" / "expression_parts").rglob("*.npy")
    content = part.read_bytes()
    assert main(["unsurvey", "LOCAL-MINE", "--yes", "--json"]) == 0
    (removed,) = json.loads(capsys.readouterr().out)["items"]
    assert (removed["outcome"], removed["samples"]) == ("removed", ["LOCAL-MINE-a", "LOCAL-MINE-b"])
    left = [path.name for path in (home / "objects").rglob("*") if path.is_file()]
    assert [name for name in left if not name.startswith("genes_")] == []

    part.write_bytes(content)  # as if the removal had been interrupted
    assert main(["unsurvey", "--leftovers", "--yes", "--json"]) == 0
    (removed,) = json.loads(capsys.readouterr().out)["items"]
    assert (removed["experiment"], len(removed["objects"]), part.exists()) == ("LOCAL-MINE", 1, False)


def test_bad_input_is_told_with_file_and_line(home: Path, matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix.write_text("Gene\ta\tb\nENSG00000000003\t7\t8\nENSG00000000005\tx\t4.5\n")
    assert main(["import", str(matrix), *SAID, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["file"], error["line"]) == ("malformed_file", str(matrix), 3)
    assert main(["import", str(matrix.with_name("none.tsv")), *SAID]) == 2
    assert "no such file" in capsys.readouterr().err
    assert not (home / "objects").exists() or not list((home / "objects").rglob("*.npy"))


def test_an_archives_accession_is_no_name_of_an_import(home: Path, matrix: Path) -> None:
    assert main(["import", str(matrix), *SAID[2:], "--experiment", "GSE1"]) == 2


def test_the_archives_are_not_asked_about_it(home: Path, matrix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(matrix), *SAID]) == 0
    capsys.readouterr()
    assert main(["survey", "LOCAL-MINE", "LOCAL-MINE-a", "--json"]) == 2
    items = json.loads(capsys.readouterr().out)["items"]
    assert {item["outcome"] for item in items} == {"unsupported_accession"}
    assert all("no archive to ask" in item["message"] for item in items)
