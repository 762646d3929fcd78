from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.cli.main import main
from resources.catalog import Catalog
from resources.settings import get_settings
from tests.metadata.files import CONTRIBUTED, ONTOLOGY
from tests.resources.catalog.studies import sample, study

SOURCE = ["--source-name", "Ours", "--methods-url", "https://example.org/methods"]


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> Iterator[Catalog]:
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REFINEBIO_DATABASE_URL", sqlite_url)
    get_settings.cache_clear()
    catalog = Catalog.connect(sqlite_url)
    runs = [
        sample("DRR000897"),
        sample("DRR001173"),
        sample("SRR1958001", secondary_sample_accession="SRS891844"),
        sample("SRR1958002", secondary_sample_accession="SRS891844"),
    ]
    catalog.record_survey(study(samples=runs), metadata_sha256="a" * 64)
    yield catalog
    catalog.dispose()
    get_settings.cache_clear()


def run(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, Any]:
    status = main(["metadata", "import", *(str(word) for word in words), "--json"])
    return status, json.loads(capsys.readouterr().out)


def figures(result: dict[str, Any]) -> tuple[int, ...]:
    return tuple(result[name] for name in ("added", "changed", "unchanged", "samples", "unknown_samples", "malformed"))


def test_several_ontologies_are_imported_at_once(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    files = [ONTOLOGY / name for name in ("UBERON_liver.json.zst", "uo.owl.gz", "cellosaurus_subset.xml.gz")]
    status, result = run(capsys, "ontology", *files)
    assert status == 0
    assert {item["prefix"]: item["added"] for item in result["items"]} == {"UBERON": 236, "UO": 559, "CVCL": 34}
    assert run(capsys, "ontology", files[0], "--dry-run")[1]["items"][0]["unchanged"] == 236
    assert catalog.term_index().lookup("LIVER") == "UBERON:0002107"


def test_a_bad_ontology_does_not_stop_the_others(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    several = ONTOLOGY / "interneuron_CL_UBERON.obo.gz"
    status, result = run(capsys, "ontology", CONTRIBUTED / "keywords.json", several, ONTOLOGY / "uo.owl.gz")
    assert status == 2
    assert [(item["error"] or {}).get("code") for item in result["items"]] == ["malformed_file", "bad_input", None]
    assert "--prefix" in result["items"][1]["error"]["remedy"]
    assert [one.prefix for one in catalog.ontologies()] == ["UO"]


def test_ontologies_of_an_excerpt_are_chosen_by_prefix(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "ontology", ONTOLOGY / "UBERON_liver.json.zst", "--release", "2026-04-01")
    file = ONTOLOGY / "interneuron_CL_UBERON.obo.gz"
    status, result = run(capsys, "ontology", file, "--prefix", "cl", "--prefix", "UBERON", "--partial")
    assert status == 0
    assert [(item["prefix"], item["gone"]) for item in result["items"]] == [("CL", 0), ("UBERON", 0)]
    versions = {one.prefix: one.version for one in catalog.ontologies()}
    assert versions == {"CL": None, "UBERON": "2026-04-01"}
    assert run(capsys, "ontology", file, "--prefix", "MONDO")[0] == 2


def test_an_excerpt_that_is_not_called_one_is_remarked_on(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "ontology", ONTOLOGY / "interneuron_CL_UBERON.obo.gz", "--prefix", "UBERON")
    file = ONTOLOGY / "UBERON_liver.json.zst"
    (item,) = run(capsys, "ontology", file, "--dry-run")[1]["items"]
    assert item["gone"] > 236
    assert "--partial" in item["message"]
    (item,) = run(capsys, "ontology", file, "--dry-run", "--partial")[1]["items"]
    assert (item["gone"], item["message"]) == (0, None)


def test_keywords_are_imported_and_unknown_samples_listed(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    report = tmp_path / "report.tsv"
    status, result = run(capsys, "keywords", CONTRIBUTED / "keywords.json", *SOURCE, "--report", report)
    assert status == 0
    assert figures(result) == (16, 0, 0, 2, 1, 0)
    assert [problem["sample"] for problem in result["problems"]] == ["DRR001174"]
    assert report.read_text().splitlines() == [
        "kind\tposition\tsample\tmessage",
        "unknown_sample\tentry 2 (DRR001174)\tDRR001174\tThe catalog has no such sample.",
    ]
    assert figures(run(capsys, "keywords", CONTRIBUTED / "keywords.json", *SOURCE)[1]) == (0, 0, 16, 2, 1, 0)


def test_malformed_entries_are_reported_and_the_others_stored(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "attributes.json"
    entries = [
        {
            "sample_accession": "DRR001173",
            "attributes": [{"EFO:0000246": {"value": 1}}, {"EFO:0000721": {"value": []}}],
        },
        {"sample_accession": "DRR000897", "attributes": [{"PATO:0000047": {"value": "male"}}]},
    ]
    file.write_text(json.dumps(entries))
    status, result = run(capsys, "attributes", file, *SOURCE, "--dry-run")
    assert (status, figures(result)) == (2, (2, 0, 0, 2, 0, 1))
    status, result = run(capsys, "attributes", file, *SOURCE)
    assert (status, figures(result)) == (2, (2, 0, 0, 2, 0, 1))
    assert [(problem["kind"], problem["position"]) for problem in result["problems"]] == [
        ("malformed", "entry 0 (DRR001173), attribute 1 (EFO:0000721)"),
        ("text_value", "entry 1 (DRR000897), attribute 0 (PATO:0000047)"),
    ]
    assert figures(run(capsys, "attributes", file, *SOURCE)[1])[:3] == (0, 0, 2)


def test_metasra_finds_runs_by_the_table_or_by_the_catalog(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    file = CONTRIBUTED / "metasra.json"
    status, result = run(capsys, "metasra", file, "--accessions", CONTRIBUTED / "SRA_Accessions.tab")
    assert (status, figures(result)) == (0, (6, 0, 0, 2, 1, 0))
    assert result["source_name"] == "MetaSRA"
    assert figures(run(capsys, "metasra", file)[1]) == (0, 0, 6, 2, 1, 0)


def test_what_stands_before_a_damage_is_stored(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from refinebio_assets.metadata import import_run

    monkeypatch.setattr(import_run, "BATCH", 2)
    file, report = tmp_path / "keywords.json", tmp_path / "report.tsv"
    file.write_text('{"DRR000897": ["UBERON:0000001", "UBERON:0000002"],\n "DRR001173": ["UBERON')
    status, result = run(capsys, "keywords", file, *SOURCE, "--report", report)
    assert (status, result["error"]["code"], result["error"]["line"]) == (2, "malformed_file", 2)
    assert list(tmp_path.glob("*report*")) == []
    file.write_text('{"DRR000897": ["UBERON:0000001", "UBERON:0000002"]}')
    assert figures(run(capsys, "keywords", file, *SOURCE)[1])[:3] == (0, 0, 2)


@pytest.mark.parametrize("words", [["attributes", "nothing.json", *SOURCE], ["keywords", "nothing.json", *SOURCE]])
def test_a_file_that_is_not_there_is_bad_input(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    status, result = run(capsys, *words)
    assert (status, result["error"]["code"]) == (2, "bad_input")


def test_a_report_that_cannot_be_written_is_said_before_anything_is_imported(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["keywords", CONTRIBUTED / "keywords.json", *SOURCE]
    status, result = run(capsys, *words, "--report", tmp_path / "no" / "report.tsv")
    assert (status, result["error"]["code"]) == (2, "bad_input")
    assert figures(run(capsys, *words)[1])[0] == 16


def test_people_read_what_happened(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metadata", "import", "keywords", str(CONTRIBUTED / "keywords.json"), *SOURCE, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "Ours: 16 would be added, 0 would be changed, 0 unchanged. Samples: 2." in shown
    assert "DRR001174" in shown
