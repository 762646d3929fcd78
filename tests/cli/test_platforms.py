"""``refinebio platform import`` and ``list``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.cli.main import main
from resources.settings import get_settings
from tests.microarray.array_series import probe_map, probe_summary, probe_table

CHIP = ("--source", "brainarray", "--version", "25")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    yield tmp_path / "home"
    get_settings.cache_clear()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    status = main(["platform", *arguments, "--json"])
    printed = capsys.readouterr()
    return status, json.loads(printed.out) if printed.out else None, printed.err


def test_a_chip_is_imported_under_any_of_its_names_and_listed(capsys, tmp_path: Path, home: Path) -> None:
    files = ("--probe-table", str(probe_table(tmp_path)), "--probe-summary", str(probe_summary(tmp_path)))
    shas = set()
    for name in ("hgu133plus2", "GPL570", "A-AFFY-44", "HG-U133_Plus_2"):
        status, answer, _ = run(capsys, "import", "--platform", name, *files, *CHIP)
        assert status == 0
        assert (answer["platform"], answer["kind"], answer["probes"]) == ("hgu133plus2", "chip_annotation", 3600)
        shas.add(answer["sha256"])
    assert answer["outcome"] == "unchanged"
    (sha,) = shas
    assert (home / f"objects/platform_references/hgu133plus2/chip_annotation/{sha}/hgu133plus2.npz").is_file()
    status, answer, _ = run(capsys, "list")
    listed = {item["platform"]: item for item in answer["items"]}
    assert len(listed) > 100
    (shown,) = listed["hgu133plus2"]["references"]
    assert (shown["sha256"], shown["version"], shown["organism"]) == (sha, "25", "HOMO_SAPIENS")
    assert listed["Illumina_HumanHT-12_V4.0"]["references"] == []


def test_a_probe_map_is_the_same_reference_however_it_is_packed(capsys, tmp_path: Path) -> None:
    import gzip

    plain = probe_map(tmp_path)
    packed = tmp_path / "beads.tsv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    found = [
        run(capsys, "import", "--platform", "GPL10558", "--probe-map", str(path), *CHIP)[1] for path in (plain, packed)
    ]
    assert found[0]["sha256"] == found[1]["sha256"]
    assert [answer["outcome"] for answer in found] == ["imported", "unchanged"]
    assert (found[0]["probes"], found[0]["genes"], found[0]["organism"]) == (1500, 500, "HOMO_SAPIENS")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--platform", "GPL570"), "exactly one of"),
        (("--platform", "GPL570", "--probe-map", "{map}", "--probe-table", "{table}"), "exactly one of"),
        (("--platform", "GPL570", "--probe-map", "{map}", "--probe-summary", "{table}"), "belongs to a --probe-table"),
        (("--platform", "GPL6480", "--probe-map", "{map}"), "not among the supported"),
        (("--platform", "GPL570", "--probe-table", "{map}"), "names no probe sets"),
        (("--platform", "GPL570", "--identifier-map", "/nowhere/map.tsv"), "no such file"),
        (("--platform", "GPL570", "--probe-table", "{table}", "--organism", "!"), "no organism name"),
    ],
)
def test_what_cannot_be_imported_is_refused_and_leaves_nothing(
    capsys, tmp_path: Path, home: Path, arguments: tuple[str, ...], message: str
) -> None:
    files = {"map": probe_map(tmp_path), "table": probe_table(tmp_path)}
    status, _, errors = run(capsys, "import", *(one.format(**files) for one in arguments), *CHIP)
    assert status == 2
    assert message in errors
    assert not (home / "objects").exists()


def test_a_table_without_genes_keeps_the_probe_sets_of_the_maker(capsys, tmp_path: Path) -> None:
    status, answer, _ = run(
        capsys, "import", "--platform", "GPL570", "--probe-table", str(probe_table(tmp_path)), *CHIP
    )
    assert (status, answer["genes"], answer["organism"]) == (0, 0, None)


def test_a_table_whose_probe_sets_are_genes_is_its_own_summary(capsys, tmp_path: Path) -> None:
    path = tmp_path / "ensg_probe.tsv"
    rows = probe_table(tmp_path).read_text().splitlines()
    path.write_text(
        "\n".join([rows[0], *(f"ENSG{int(row[:4]):011d}_at{row[row.index(chr(9)) :]}" for row in rows[1:]), ""])
    )
    status, answer, _ = run(capsys, "import", "--platform", "GPL570", "--probe-table", str(path), *CHIP)
    assert (status, answer["genes"], answer["organism"]) == (0, 360, "HOMO_SAPIENS")
