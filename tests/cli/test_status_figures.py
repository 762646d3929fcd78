"""``refinebio status``: where a series' data went, figures over everything, metadata coverage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog import Catalog
from resources.settings import get_settings
from tests.resources.catalog.studies import SUPERSEDED, array, sample, series, study

UNSUPPORTED = LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="platform", message="Not supported.")


@pytest.fixture(autouse=True)
def catalog_of_the_command(
    catalog: Catalog, catalog_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A sequenced series, and a series with an array that is not supported."""
    other = array("GSM62", UNSUPPORTED, platform_accession="GPL9", platform_name="Old chip", harmonized=())
    catalog.record_survey(series("GSE5", [array("GSM51", SUPERSEDED)]), metadata_sha256="a" * 64)
    catalog.record_survey(series("GSE6", [array("GSM61"), other]), metadata_sha256="a" * 64)
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path))
    monkeypatch.setenv("REFINEBIO_DATABASE_URL", catalog_url)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def survey_its_study(catalog: Catalog) -> None:
    found = study("SRP000005", [sample("SRR0000051", aliases=("GSM51",))], aliases=("GSE5",))
    catalog.record_survey(found, metadata_sha256="a" * 64)


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(words) == status
    return capsys.readouterr().out


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return json.loads(run(capsys, *words, "--json"))


def test_a_superseded_series_is_shown_itself_while_its_study_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = run_json(capsys, "status", "GSE5")["items"]
    assert (item["outcome"], item["experiment"], item["state"]) == ("found", "GSE5", "superseded")
    assert [row["accession"] for row in item["samples"]] == ["GSM51"]


def test_a_superseded_series_leads_to_its_study(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    survey_its_study(catalog)
    gone, there = run_json(capsys, "status", "E-GEOD-5")["items"]
    assert (gone["outcome"], gone["experiment"], gone["state"]) == ("superseded", "GSE5", "superseded")
    assert (gone["linked_studies"], gone["counts"]) == (["SRP000005"], {"superseded": 1})
    assert (there["outcome"], there["experiment"], there["state"]) == ("found", "SRP000005", "surveyed")
    assert [row["accession"] for row in there["samples"]] == ["SRR0000051"]
    shown = run(capsys, "status", "GSE5")
    assert "Sequencing studies with its reads: SRP000005" in shown
    assert "GSE5 is processed from its reads: see SRP000005." in shown
    assert "SRR0000051" in shown


def test_a_superseded_sample_leads_to_its_run(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    survey_its_study(catalog)
    (item,) = run_json(capsys, "status", "GSM51")["items"]
    assert (item["note"], item["experiment"]) == ("GSM51 is processed from its reads: see SRR0000051.", "SRP000005")


def test_the_summary_names_archives_reasons_and_unsupported_platforms(capsys: pytest.CaptureFixture[str]) -> None:
    summary = run_json(capsys, "status", "--summary")["summary"]
    assert summary["experiments"] == {"superseded": 1, "surveyed": 1}
    assert summary["samples"] == {"superseded": 1, "surveyed": 1, "unsupported_platform": 1}
    assert summary["sources"] == [
        {"source": "GEO", "experiments": summary["experiments"], "samples": summary["samples"]}
    ]
    assert summary["unsupported_platforms"] == [
        {"accession": "GPL9", "name": "Old chip", "technology": "MICROARRAY", "samples": 1, "experiments": 1}
    ]
    shown = run(capsys, "status", "--summary")
    assert all(text in shown for text in ("By archive", "Unsupported platforms", "Old chip", "processed_from_sra"))


def test_coverage_is_shown_by_archive_and_by_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    (geo,) = run_json(capsys, "status", "--coverage")["coverage"]
    assert (geo["source"], geo["samples"]) == ("GEO", 3)
    assert geo["fields"][0] == {"field": "age", "samples": 2, "share": 2 / 3}
    assert geo["unmatched"] == [{"key": "strain", "samples": 4}]
    (item,) = run_json(capsys, "status", "GSE6", "--coverage", "--summary")["items"]
    assert item["coverage"]["fields"][0] == {"field": "age", "samples": 1, "share": 0.5}
    assert "samples" not in item
    assert "66.7%" in run(capsys, "status", "--coverage")
    assert "GSE6: keys that no rule takes" in run(capsys, "status", "GSE6", "--coverage")
    assert set(run_json(capsys, "status", "--coverage", "--summary")) == {"coverage", "summary"}
