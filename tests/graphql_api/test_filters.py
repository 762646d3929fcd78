"""Filters: all conditions hold; texts of the client are values, never SQL or patterns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graphql_api.conftest import Api

SAMPLES = "query ($filter: SampleFilter) { samples(filter: $filter) { totalCount } }"
EXPERIMENTS = "query ($filter: ExperimentFilter) { experiments(filter: $filter) { totalCount } }"
LEDGER = "query ($filter: LedgerFilter) { ledger(filter: $filter) { totalCount } }"


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 20),
        ({"experiments": ["gse1", "SRP000002"]}, 10),
        ({"organisms": ["Danio rerio"], "states": ["FAILED_QC"]}, 2),
        ({"states": []}, 0),
        ({"reasons": ["because_processed"]}, 12),
        ({"platforms": ["Illumina HiSeq 2000"], "technologies": ["RNA_SEQ"], "sources": ["SRA"]}, 20),
        ({"technologies": ["MICROARRAY"]}, 0),
        ({"libraryStrategies": ["RNA-Seq"], "libraryLayouts": ["PAIRED"], "hasRaw": True}, 20),
        ({"hasRaw": False}, 0),
        ({"harmonized": [{"field": "specimen_part", "values": ["HEART"]}]}, 8),
        ({"harmonized": [{"field": "sex", "values": ["heart"]}]}, 0),
        ({"harmonized": [{"field": "specimen_part"}]}, 20),
        ({"harmonized": [{"field": "sex"}]}, 0),
        ({"contains": "heart"}, 8),
        ({"contains": "srr001"}, 5),
    ],
)
def test_samples_fit_all_conditions(api: Api, wanted: dict[str, Any], count: int) -> None:
    assert api.ask(SAMPLES, filter=wanted)["samples"]["totalCount"] == count


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"technologies": ["RNA_SEQ"], "sources": ["SRA"], "institutions": ["Example Institute"]}, 4),
        ({"organisms": ["3702"]}, 2),
        ({"platforms": ["zebrafish"]}, 0),
        ({"states": ["PROCESSED"], "sampleStates": ["CONTROLLED_ACCESS"]}, 4),
        ({"sampleStates": ["SURVEYED"]}, 0),
        ({"hasPublication": True}, 2),
        ({"hasPublication": False}, 2),
        ({"publishedSince": "2020-01-02", "publishedUntil": "2020-01-03"}, 2),
        ({"contains": "REGENERATION 3"}, 1),
    ],
)
def test_experiments_fit_all_conditions(api: Api, wanted: dict[str, Any], count: int) -> None:
    assert api.ask(EXPERIMENTS, filter=wanted)["experiments"]["totalCount"] == count


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"kinds": ["EXPERIMENT"]}, 5),
        ({"retryable": True}, 0),
        ({"updatedSince": "2026-11-01T12:00:00"}, 25),
        ({"updatedSince": "2026-11-01T13:00:00+00:00"}, 0),
        ({"reasons": ["new_upstream"]}, 1),
    ],
)
def test_ledger_entries_fit_all_conditions(api: Api, wanted: dict[str, Any], count: int) -> None:
    assert api.ask(LEDGER, filter=wanted)["ledger"]["totalCount"] == count


@pytest.mark.parametrize(
    "text", ["%", "_", "\\", "' OR 1=1 --", '"; DROP TABLE samples; --', "1) UNION SELECT 1 --", "$1", "%(x)s", ":x"]
)
def test_texts_that_mean_something_in_sql_are_only_texts(api: Api, text: str) -> None:
    for wanted in (
        {"contains": text},
        {"experiments": [text]},
        {"reasons": [text]},
        {"platforms": [text]},
        {"organisms": [text]},
    ):
        assert api.ask(SAMPLES, filter=wanted)["samples"]["totalCount"] == 0
    assert api.ask(EXPERIMENTS, filter={"contains": text})["experiments"]["totalCount"] == 0
    found = api.ask(
        """query ($text: String!) { resolve(accessions: [$text]) { outcome }
        ledger(accessions: [$text]) { nodes { id } } }""",
        text=text,
    )
    assert found == {"resolve": [{"outcome": "UNSUPPORTED"}], "ledger": {"nodes": []}}
    assert api.ask(SAMPLES)["samples"]["totalCount"] == 20


def test_texts_that_no_database_can_hold_are_bad_input_or_found_nowhere(api: Api) -> None:
    answer = api.post(SAMPLES, filter={"contains": "a\x00b"})
    if "errors" in answer:
        assert answer["errors"][0]["extensions"]["code"] == "bad_input"
    else:
        assert answer["data"]["samples"]["totalCount"] == 0
    # a statement that was refused does not take the rest of the request with it
    both = """query ($filter: SampleFilter) { samples(filter: $filter) { totalCount } stats { numSamples } }"""
    assert api.post(both, filter={"contains": "\x00"})["data"] is None or api.ask("{ stats { numSamples } }")
