"""``refinebio status`` and ``refinebio resolve``: every question gets an answer, in words and in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog import Catalog
from resources.settings import get_settings
from tests.resources.catalog.studies import CONTROLLED, array, change, sample, series, study


@pytest.fixture(autouse=True)
def catalog_of_the_command(
    catalog: Catalog, catalog_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Two studies with one shared sample, one discovered study."""
    samples = [sample("SRR0000001", title="gill [red]"), sample("SRR0000002"), sample("SRR0000003", CONTROLLED)]
    catalog.record_survey(study("SRP000001", samples=samples), metadata_sha256="a" * 64, run_id="run-1")
    shared = [sample("SRR0000002"), sample("SRR0000004", experiment_accession="SRX0000001")]
    catalog.record_survey(study("SRP000002", samples=shared, aliases=("PRJNA000001",)), metadata_sha256="a" * 64)
    catalog.ledger.discover(["SRP000003"], source="ENA")
    tools = {"salmon": "1.10.3"}
    catalog.ledger.set_states([change("SRR0000001", SampleState.QUANTIFIED, tool_versions=tools, run_id="run-2")])
    catalog.refresh_experiment_state("SRP000001")
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path))
    monkeypatch.setenv("REFINEBIO_DATABASE_URL", catalog_url)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(words) == status
    return capsys.readouterr().out


def run_json(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> Any:
    return json.loads(run(capsys, *words, "--json", status=status))


def test_status_of_an_experiment_lists_every_sample_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = run_json(capsys, "status", "GSE000001")["items"]
    assert (item["query"], item["outcome"], item["experiment"], item["state"]) == (
        "GSE000001",
        "found",
        "SRP000001",
        "surveyed",
    )
    assert item["message"] == "1 of 2 eligible samples quantified; 1 under controlled access."
    assert item["counts"] == {"controlled_access": 1, "quantified": 1, "surveyed": 1}
    assert [row["accession"] for row in item["samples"]] == ["SRR0000001", "SRR0000002", "SRR0000003"]
    first = item["samples"][0]
    assert first.pop("updated_at").endswith("+00:00")
    assert first == {
        "accession": "SRR0000001",
        "title": "gill [red]",
        "organism": "DANIO_RERIO",
        "platform": "Illumina HiSeq 2500",
        "state": "quantified",
        "reason": "quantified",
        "message": "It is quantified.",
        "run_id": "run-2",
        "tool_versions": {"salmon": "1.10.3"},
    }


def test_status_shows_the_table_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "status", "SRP000001")
    assert "SRP000001 (Larvae in the cold): surveyed. 1 of 2 eligible samples quantified" in shown
    assert "gill [red]" in shown
    assert "The reads are behind an access committee." in shown
    assert "Samples: 1 controlled_access, 1 quantified, 1 surveyed" in shown


def test_status_of_a_sample_is_its_entry(capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = run_json(capsys, "status", "srs0000003")["items"]
    assert (item["experiment"], item["state"], item["reason"]) == ("SRP000001", "controlled_access", "dbgap")
    assert [row["accession"] for row in item["samples"]] == ["SRR0000003"]


def test_status_of_an_accession_of_several_runs_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = run_json(capsys, "status", "SRX0000001")["items"]
    assert [row["accession"] for row in item["samples"]] == ["SRR0000001", "SRR0000004"]
    assert (item["state"], item["counts"]) == (None, {"quantified": 1, "surveyed": 1})


def test_status_of_an_ambiguous_accession_has_an_item_for_each_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    items = run_json(capsys, "status", "PRJNA000001")["items"]
    assert [(item["outcome"], item["experiment"]) for item in items] == [
        ("ambiguous", "SRP000001"),
        ("ambiguous", "SRP000002"),
    ]


def test_status_of_a_discovered_experiment_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = run_json(capsys, "status", "SRP000003")["items"]
    assert (item["state"], item["samples"], item["counts"]) == ("discovered", [], {})
    assert "Samples: none" in run(capsys, "status", "SRP000003")


@pytest.mark.parametrize(
    ("accessions", "status"),
    [(["SRP999999"], 3), (["nonsense"], 2), (["SRP999999", "nonsense"], 2), (["SRP000001"], 0)],
)
def test_the_exit_status_tells_what_was_not_found_and_the_others_are_shown(
    capsys: pytest.CaptureFixture[str], accessions: list[str], status: int
) -> None:
    items = run_json(capsys, "status", *accessions, "SRP000002", status=status)["items"]
    assert items[-1]["experiment"] == "SRP000002"
    assert len(items) == len(accessions) + 1
    shown = run(capsys, "status", *accessions, "SRP000002", status=status)
    assert all(accession in shown for accession in accessions)


def test_history_shows_every_state(capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = run_json(capsys, "status", "SRR0000001", "--history")["items"]
    steps = item["history"]["SRR0000001"]
    assert [(step["state"], step["run_id"]) for step in steps] == [("surveyed", "run-1"), ("quantified", "run-2")]
    shown = run(capsys, "status", "SRR0000001", "--history")
    assert "History of SRR0000001" in shown
    assert "run-2" in shown


def test_summary_of_an_experiment_leaves_the_samples_out(capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = run_json(capsys, "status", "SRP000001", "--summary")["items"]
    assert "samples" not in item
    assert item["counts"] == {"controlled_access": 1, "quantified": 1, "surveyed": 1}
    assert "SRR0000001" not in run(capsys, "status", "SRP000001", "--summary")


def test_summary_of_everything_counts_states_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    summary = run_json(capsys, "status", "--summary")["summary"]
    assert summary["experiments"] == {"discovered": 1, "surveyed": 2}
    assert summary["samples"] == {"controlled_access": 1, "quantified": 1, "surveyed": 2}
    assert summary["reasons"][0] == {"state": "surveyed", "reason": "eligible", "count": 2}
    assert "Most frequent reasons" in run(capsys, "status", "--summary")


@pytest.mark.parametrize("command", ["status", "resolve"])
def test_no_accession_is_bad_usage(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run_json(capsys, command, status=2)["error"]["code"] == "bad_usage"


def test_resolve_answers_in_the_order_asked(capsys: pytest.CaptureFixture[str]) -> None:
    items = run_json(capsys, "resolve", "SAMN0000002", "GSE000001", "SRP999999", status=3)["items"]
    assert [item["outcome"] for item in items] == ["found", "found", "not_found"]
    assert items[0]["experiments"] == ["SRP000001", "SRP000002"]
    assert items[0]["samples"] == ["SRR0000002"]
    assert items[1]["aliases"] == ["PRJNA000001"]


@pytest.mark.parametrize(("accession", "status"), [("GSE000001", 0), ("PRJNA000001", 0), ("GSE404", 3), ("x y", 2)])
def test_resolve_exits_with_the_worst_outcome(capsys: pytest.CaptureFixture[str], accession: str, status: int) -> None:
    assert accession in run(capsys, "resolve", accession, status=status)


def test_resolve_reads_a_file_and_standard_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from io import StringIO

    path = tmp_path / "accessions.txt"
    path.write_text("# my study\nSRP000002\n\n  SRR0000001  # the first\n")
    items = run_json(capsys, "resolve", "SRP000001", "--file", str(path))["items"]
    assert [item["query"] for item in items] == ["SRP000001", "SRP000002", "SRR0000001"]
    path.write_bytes("\ufeffSRP000002\r\nSRP000002\r\n".encode())  # as spreadsheets save lists
    items = run_json(capsys, "resolve", "--file", str(path))["items"]
    assert [(item["query"], item["outcome"]) for item in items] == [("SRP000002", "found")] * 2
    monkeypatch.setattr("sys.stdin", StringIO("SRP000002\n"))
    assert run_json(capsys, "resolve", "--file", "-")["items"][0]["query"] == "SRP000002"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_resolve_names_a_file_it_cannot_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "accessions.txt"
    if content is not None:
        path.write_bytes(content)
    error = run_json(capsys, "resolve", "--file", str(path), status=2)["error"]
    assert (error["code"], error["file"]) == ("bad_input", str(path))


def test_a_dry_run_knows_the_names_of_samples_that_follow_no_grammar(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    assay = array("E-MTAB-1-chip_1")
    catalog.record_survey(series("E-MTAB-1", [assay], source=SourceArchive.ARRAY_EXPRESS), metadata_sha256="a" * 64)
    known, unknown = run_json(capsys, "survey", "--dry-run", "E-MTAB-1-chip_1", "E-MTAB-1-chip_2", status=2)["items"]
    assert (known["outcome"], known["partition"], known["known"]) == ("routed", "E-MTAB-1", True)
    assert (known["source"], known["state"]) == ("ARRAY_EXPRESS", "surveyed")
    assert unknown["outcome"] == "unsupported_accession"
