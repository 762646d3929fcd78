"""``refinebio metadata harmonize``: which experiments, what changes, and what is said about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.cli.common import run_main
from refinebio_assets.cli.metadata import metadata
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sources import survey_payload
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import get_settings
from resources.source_metadata_files import source_metadata_key
from tests.survey.test_reharmonise_run import GEO, PAYLOADS, SRA, by_older_rules, put


@pytest.fixture(autouse=True)
def store_of_the_command(
    sqlite_catalog: Catalog, sqlite_url: str, folder_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectStore]:
    """Two experiments that went through older rules; the payload of the array series is lost."""
    registry = PlatformRegistry.load()
    for document in PAYLOADS.values():
        sha256 = put(folder_store, document)
        sqlite_catalog.record_survey(by_older_rules(survey_payload(document, registry)), metadata_sha256=sha256)
    folder_store.delete(source_metadata_key(GEO, sha256))
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path))
    monkeypatch.setenv("REFINEBIO_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("REFINEBIO_OBJECT_STORE_URL", folder_store.uri("x").removesuffix("/x"))
    get_settings.cache_clear()
    yield folder_store
    get_settings.cache_clear()


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert run_main(metadata, ["harmonize", *words]) == status
    return capsys.readouterr().out


def run_json(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> Any:
    return json.loads(run(capsys, *words, "--json", status=status))


def test_a_dry_run_shows_how_many_values_of_each_field_would_change(capsys: pytest.CaptureFixture[str]):
    shown = run(capsys, SRA, "--dry-run")
    assert "would_change" in shown
    assert ["sex", "2", "0", "0", "0"] in [line.split() for line in shown.splitlines()]
    assert "Nothing was changed" in shown
    assert run_json(capsys, SRA, "--dry-run")["fields"]["age"] == {
        "added": 0,
        "changed": 2,
        "removed": 1,
        "provenance": 0,
    }


def test_an_experiment_is_asked_for_by_any_of_its_accessions(capsys: pytest.CaptureFixture[str]):
    (item,) = run_json(capsys, "SRR1000001")["items"]
    assert (item["experiment"], item["outcome"], item["version_before"]) == (SRA, "changed", "1")
    (item,) = run_json(capsys, SRA)["items"]
    assert item["outcome"] == "unchanged"


def test_what_fails_is_said_and_the_others_are_done(capsys: pytest.CaptureFixture[str]):
    failed, done = run_json(capsys, "--all", status=1)["items"]
    assert (failed["experiment"], failed["error"]["code"]) == (GEO, "object_store_error")
    assert "not in the object store" in failed["message"]
    assert (done["experiment"], done["outcome"]) == (SRA, "changed")


def test_only_experiments_of_older_rules_are_left_to_do(capsys: pytest.CaptureFixture[str]):
    run(capsys, SRA)
    assert [item["experiment"] for item in run_json(capsys, "--outdated", status=1)["items"]] == [GEO]


def test_accessions_that_name_nothing_are_said_in_words(capsys: pytest.CaptureFixture[str]):
    items = run_json(capsys, "SRP999999", SRA, status=3)["items"]
    assert [(item["experiment"], item["outcome"]) for item in items] == [("SRP999999", "not_found"), (SRA, "changed")]


@pytest.mark.parametrize("words", [[], [SRA, "--all"], ["--all", "--outdated"]])
def test_it_must_be_said_which_experiments(capsys: pytest.CaptureFixture[str], words: list[str]):
    error = run_json(capsys, *words, status=2)["error"]
    assert error["code"] == "bad_input"
    assert "--all" in error["remedy"]
