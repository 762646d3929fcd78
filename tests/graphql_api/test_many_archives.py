"""Series and the studies with their reads, mirrors, platforms that are left out, coverage by archive."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from graphql_api.app import create_app
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog import Catalog
from resources.settings import Settings
from tests.graphql_api.conftest import Api
from tests.resources.catalog.studies import SUPERSEDED, array, sample, series, study

UNSUPPORTED = LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="platform", message="Not supported.")


@pytest.fixture
def api(catalog: Catalog, tmp_path: Path) -> Api:
    """A sequenced series and its study, and a series of arrays of which one is not supported."""
    samples = [array("GSM51", SUPERSEDED, aliases=("SRX0000051",), harmonized=()), array("GSM52", SUPERSEDED)]
    other = array("GSM62", UNSUPPORTED, platform_accession="GPL9", platform_name="Old chip", harmonized=())
    run = sample("SRR0000051", aliases=("GSM51",))
    for result in (
        series("GSE5", samples),
        study("SRP000005", [run], aliases=("GSE5", "E-GEOD-5")),
        series("GSE6", [array("GSM61"), other]),
    ):
        catalog.record_survey(result, metadata_sha256="a" * 64)
    catalog.ledger.discover(["E-MTAB-1", "GSE7"], source="geo")
    return Api(TestClient(create_app(Settings(home=tmp_path / "home"), catalog)), catalog)


def test_a_superseded_series_and_its_mirror_resolve_to_the_study(api: Api) -> None:
    query = """query ($accessions: [String!]!) { resolve(accessions: $accessions) { query outcome message
        supersededAccessions experiments { accession } samples { nodes { accession } } } }"""
    asked = ["GSM51", "e-geod-5", "GSE5", "GPL570", "GSE6"]
    found = api.ask(query, accessions=asked)["resolve"]
    assert [one["query"] for one in found] == asked
    assert [one["outcome"] for one in found] == ["FOUND", "FOUND", "FOUND", "UNSUPPORTED", "FOUND"]
    assert [one["supersededAccessions"] for one in found] == [["GSM51"], ["GSE5"], ["GSE5"], [], []]
    assert found[1]["experiments"] == found[2]["experiments"] == [{"accession": "SRP000005"}]
    assert found[2]["samples"]["nodes"] == [{"accession": "SRR0000051"}]
    assert found[2]["message"] == "GSE5 is processed from its reads: see SRP000005."


def test_a_superseded_series_is_listed_with_its_reason(api: Api) -> None:
    query = "query ($filter: ExperimentFilter) { experiments(filter: $filter) { nodes { accession reason message } } }"
    (found,) = api.ask(query, filter={"states": ["SUPERSEDED"], "reasons": ["all_samples_superseded"]})["experiments"][
        "nodes"
    ]
    assert found["accession"] == "GSE5"
    assert api.ask(query, filter={"reasons": ["nothing"]})["experiments"]["nodes"] == []
    ruled_out = api.ask(query, filter={"sampleReasons": ["platform"], "sources": ["GEO"]})["experiments"]["nodes"]
    assert [one["accession"] for one in ruled_out] == ["GSE6"]
    aged = api.ask(query, filter={"harmonized": [{"field": "age"}, {"field": "sex", "values": ["FEMALE"]}]})
    assert [one["accession"] for one in aged["experiments"]["nodes"]] == ["GSE5", "SRP000005", "GSE6"]
    male = api.ask(query, filter={"harmonized": [{"field": "sex", "values": ["male"]}]})
    assert male["experiments"]["nodes"] == []


def test_samples_of_a_mirror_are_those_of_the_series(api: Api) -> None:
    query = """{ samples(filter: {experiments: ["E-GEOD-6"]}) { nodes { accession } } }"""
    assert [one["accession"] for one in api.ask(query)["samples"]["nodes"]] == ["GSM61", "GSM62"]


def test_stats_tell_states_by_archive_reasons_and_unsupported_platforms(api: Api) -> None:
    stats = api.ask("""{ stats {
        sources { source experimentStates { state count } sampleStates { state count } }
        reasons(first: 2) { state reason numSamples }
        unsupportedPlatforms { accession name technology numSamples numExperiments }
        sampleStates { state count } experimentStates { state count } } }""")["stats"]
    assert stats["sources"] == [
        {
            "source": "SRA",
            "experimentStates": [{"state": "SURVEYED", "count": 1}],
            "sampleStates": [{"state": "SURVEYED", "count": 1}],
        },
        {
            "source": "GEO",
            "experimentStates": [{"state": state, "count": 1} for state in ("DISCOVERED", "SUPERSEDED", "SURVEYED")],
            "sampleStates": [
                {"state": "SUPERSEDED", "count": 2},
                {"state": "SURVEYED", "count": 1},
                {"state": "UNSUPPORTED_PLATFORM", "count": 1},
            ],
        },
        {
            "source": "ARRAY_EXPRESS",
            "experimentStates": [{"state": "DISCOVERED", "count": 1}],
            "sampleStates": [],
        },
    ]
    assert stats["reasons"] == [
        {"state": "SUPERSEDED", "reason": "processed_from_sra", "numSamples": 2},
        {"state": "SURVEYED", "reason": "eligible", "numSamples": 2},
    ]
    assert stats["unsupportedPlatforms"] == [
        {"accession": "GPL9", "name": "Old chip", "technology": "MICROARRAY", "numSamples": 1, "numExperiments": 1}
    ]
    assert sum(one["count"] for one in stats["sampleStates"]) == 5
    assert sum(one["count"] for one in stats["experimentStates"]) == 5


def test_coverage_is_told_by_archive(api: Api) -> None:
    query = """query ($source: SourceArchive) { stats { coverage(source: $source) { source coverage { numSamples
        fields { field numSamples share } unmatchedKeys(first: 1) { key numSamples } } } } }"""
    found = api.ask(query)["stats"]["coverage"]
    assert [one["source"] for one in found] == ["SRA", "GEO"]
    assert found[1]["coverage"] == {
        "numSamples": 4,
        "fields": [{"field": field, "numSamples": 2, "share": 0.5} for field in ("age", "sex")],
        "unmatchedKeys": [{"key": "strain", "numSamples": 4}],
    }
    assert api.ask(query, source="GEO")["stats"]["coverage"] == found[1:]
    assert api.ask(query, source="ARRAY_EXPRESS")["stats"]["coverage"] == []


def test_a_list_of_less_than_one_is_bad_input(api: Api) -> None:
    error = api.error("{ stats { reasons(first: 0) { reason } } }")
    assert error["extensions"]["code"] == "bad_input"
