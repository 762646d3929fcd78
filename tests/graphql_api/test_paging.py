"""Connections: every row exactly once, in a total order, wherever the pages are cut."""

from __future__ import annotations

from typing import Any

import pytest

from resources.catalog.models import Experiment, Sample
from tests.graphql_api.conftest import Api
from tests.graphql_api.content import MOMENT

SAMPLES = """query ($first: Int, $after: String, $orderBy: SampleOrder, $filter: SampleFilter, $accessions:
    [String!]) {
    found: samples(first: $first, after: $after, orderBy: $orderBy, filter: $filter, accessions: $accessions) {
        totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { accession }
            } } }"""
EXPERIMENTS = SAMPLES.replace("SampleOrder", "ExperimentOrder").replace("SampleFilter", "ExperimentFilter")
EXPERIMENTS = EXPERIMENTS.replace("samples(", "experiments(")


def walk(api: Api, query: str, *, first: int, **variables: Any) -> list[str]:
    """Accessions of all pages."""
    seen: list[str] = []
    after = None
    while True:
        page = api.ask(query, first=first, after=after, **variables)["found"]
        assert len(page["edges"]) <= first
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        seen += [edge["node"]["accession"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(seen)
            return seen
        after = page["pageInfo"]["endCursor"]
        assert after == page["edges"][-1]["cursor"]


@pytest.mark.parametrize("field", [None, "ACCESSION", "TITLE", "CREATED_AT"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_pages_of_samples_hold_every_row_once_although_sort_keys_are_equal(
    api: Api, field: str | None, direction: str
) -> None:
    order = None if field is None else {"field": field, "direction": direction}
    whole = walk(api, SAMPLES, first=100, orderBy=order)
    assert len(set(whole)) == 20
    for first in (1, 3, 7):
        assert walk(api, SAMPLES, first=first, orderBy=order) == whole


@pytest.mark.parametrize("field", ["ACCESSION", "TITLE", "FIRST_PUBLISHED", "LAST_UPDATED", "CREATED_AT"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_pages_of_experiments_hold_every_row_once_although_dates_are_missing(
    api: Api, field: str, direction: str
) -> None:
    order = {"field": field, "direction": direction}
    whole = walk(api, EXPERIMENTS, first=100, orderBy=order)
    assert len(set(whole)) == 4
    assert walk(api, EXPERIMENTS, first=1, orderBy=order) == whole


def test_unknown_dates_come_first(api: Api) -> None:
    ascending = walk(api, EXPERIMENTS, first=2, orderBy={"field": "FIRST_PUBLISHED"})
    assert ascending == ["SRP000003", "SRP000001", "SRP000002", "SRP000004"]


def test_a_row_that_appears_while_paging_shifts_nothing(sqlite_api: Api) -> None:
    order = {"field": "ACCESSION"}
    first = sqlite_api.ask(EXPERIMENTS, first=2, orderBy=order)["found"]
    with sqlite_api.catalog.session() as session:
        session.add(
            Experiment(
                accession="SRP000000",
                source="SRA",
                title="",
                technology="RNA_SEQ",
                created_at=MOMENT,
                updated_at=MOMENT,
            )
        )
    second = sqlite_api.ask(EXPERIMENTS, first=2, after=first["pageInfo"]["endCursor"], orderBy=order)["found"]
    assert [edge["node"]["accession"] for edge in second["edges"]] == ["SRP000003", "SRP000004"]


def test_samples_of_an_experiment_are_paged_on_their_own(api: Api) -> None:
    query = """query ($after: String, $accessions: [String!]) { experiments(accessions: $accessions) { nodes {
        samples(first: 2, after: $after) { totalCount nodes { accession } pageInfo { endCursor hasNextPage } } } }
            }"""
    seen: list[str] = []
    after, more = None, True
    while more:
        (experiment,) = api.ask(query, after=after, accessions=["SRP000002"])["experiments"]["nodes"]
        page = experiment["samples"]
        assert page["totalCount"] == 5
        seen += [sample["accession"] for sample in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert seen == [f"SRR0020000{number}" for number in range(1, 6)]


def test_each_of_many_experiments_has_its_own_first_samples(api: Api) -> None:
    found = api.ask("""{ experiments { nodes { samples(first: 2, orderBy: {field: ACCESSION, direction: DESC}) {
        pageInfo { hasNextPage } nodes { accession } } } } }""")["experiments"]["nodes"]
    assert [[sample["accession"] for sample in experiment["samples"]["nodes"]] for experiment in found] == [
        [f"SRR00{number}00005", f"SRR00{number}00004"] for number in range(1, 5)
    ]
    assert all(experiment["samples"]["pageInfo"]["hasNextPage"] for experiment in found)


def test_first_above_one_hundred_becomes_one_hundred(sqlite_api: Api) -> None:
    with sqlite_api.catalog.session() as session:
        session.add_all(
            [
                Sample(accession=f"GSM{n}", source="GEO", title="", technology="MICROARRAY", owner_experiment_id=1)
                for n in range(200)
            ]
        )
    page = sqlite_api.ask(SAMPLES, first=2_000_000)["found"]
    assert len(page["edges"]) == 100
    assert page["totalCount"] == 220


def test_accessions_are_answered_in_input_order_whatever_their_spelling(api: Api) -> None:
    asked = ["GSE3", " srp000001 ", "SRP404404", "not an accession", "GSE3", "SRR00200001", "SRP999999"]
    found = api.ask(
        """query ($accessions: [String!]) { experiments(accessions: $accessions) {
        totalCount nodes { accession } unresolved { query outcome message } } }""",
        accessions=asked,
    )["experiments"]
    assert [one["accession"] for one in found["nodes"]] == ["SRP000003", "SRP000001", "SRP000002"]
    assert found["totalCount"] == 3
    assert [(one["query"], one["outcome"]) for one in found["unresolved"]] == [
        ("SRP404404", "NOT_FOUND"),
        ("not an accession", "UNSUPPORTED"),
        ("SRP999999", "FOUND"),
    ]
    assert all(one["message"] for one in found["unresolved"])


def test_accessions_are_paged_in_input_order(api: Api) -> None:
    asked = [f"SAMN{number:08}" for number in (20, 3, 11, 7, 1)]
    expected = ["SRR00400005", "SRR00100003", "SRR00300001", "SRR00200002", "SRR00100001"]
    for first in (1, 2, 5):
        assert walk(api, SAMPLES, first=first, accessions=asked) == expected
    by_accession = {"field": "ACCESSION", "direction": "DESC"}
    assert walk(api, SAMPLES, first=2, accessions=asked, orderBy=by_accession) == sorted(expected, reverse=True)
    processed = {"states": ["PROCESSED"], "organisms": ["Danio rerio"]}
    assert walk(api, SAMPLES, first=2, accessions=asked, filter=processed) == ["SRR00300001", "SRR00100001"]


def test_an_experiment_among_sample_accessions_gives_its_samples(api: Api) -> None:
    assert walk(api, SAMPLES, first=2, accessions=["GSE2"]) == [f"SRR0020000{number}" for number in range(1, 6)]


def test_resolving_says_what_each_accession_names_in_input_order(api: Api) -> None:
    found = api.ask(
        """query ($accessions: [String!]!) { resolve(accessions: $accessions) { query outcome type
            experimentAccessions sampleAccessions
        aliases experiments { title } samples(first: 2) { totalCount nodes { accession } pageInfo { hasNextPage } }
            ledger { state } } }""",
        accessions=["SAMN00000006", "nonsense", "GSE1", "SRP999999"],
    )["resolve"]
    assert [one["outcome"] for one in found] == ["FOUND", "UNSUPPORTED", "FOUND", "FOUND"]
    assert (found[0]["type"], found[0]["sampleAccessions"]) == ("biosample", ["SRR00200001"])
    assert found[0]["ledger"] == [{"state": "PROCESSED"}]
    assert found[2]["experiments"] == [{"title": "Same title"}]
    assert found[2]["samples"]["totalCount"] == 5
    assert found[2]["samples"]["nodes"] == [{"accession": "SRR00100001"}, {"accession": "SRR00100002"}]
    assert found[2]["samples"]["pageInfo"] == {"hasNextPage": True}
    assert found[3]["experiments"] == []
    assert found[3]["ledger"] == [{"state": "DISCOVERED"}]
