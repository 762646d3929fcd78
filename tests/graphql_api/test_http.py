"""GraphQL over HTTP, and the pages around it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from graphql_api.pages import STATIC
from tests.graphql_api.conftest import Api

STATS = "{ stats { numSamples } }"


def test_a_query_can_be_sent_by_get_with_variables(api: Api) -> None:
    query = (
        "query Q($first: Int) { samples(first: $first) { nodes { accession } } } query Other { stats { numSamples } }"
    )
    parameters = {"query": query, "variables": json.dumps({"first": 1}), "operationName": "Q"}
    answer = api.client.get("/graphql", params=parameters).json()
    assert answer["data"] == {"samples": {"nodes": [{"accession": "SRR00100001"}]}}


def test_get_never_executes_a_mutation(api: Api) -> None:
    response = api.client.get("/graphql", params={"query": "mutation { anything }"})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert response.json()["errors"][0]["extensions"]["code"] == "bad_request"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'[{"query": "{ stats { numSamples } }"}]', 400),
        (b'{"query": 1}', 400),
        (b'{"query": ""}', 400),
        (b'{"query": "{ a }", "variables": []}', 400),
        (b'{"query": "{ a }", "operationName": 1}', 400),
        (b'{"query": "query A { stats { numSamples } }", "operationName": "C"}', 400),
        (b'{"query": "subscription { x }"}', 400),
        (b'{"query": "fragment F on Query { stats { numSamples } }"}', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"query": "\\ud800"}', 400),
    ],
)
def test_requests_without_one_operation_are_bad_requests(api: Api, body: bytes, status: int) -> None:
    response = api.client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"]["code"] == "bad_request"


def test_one_of_several_operations_must_be_named(api: Api) -> None:
    query = "query A { stats { numSamples } } query B { stats { numExperiments } }"
    assert api.error(query)["extensions"]["code"] == "bad_input"
    response = api.client.post("/graphql", json={"query": query, "operationName": "B"})
    assert response.json()["data"] == {"stats": {"numExperiments": 4}}


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_other_media_types_are_not_understood(api: Api, media_type: str) -> None:
    response = api.client.post("/graphql", content=json.dumps({"query": STATS}), headers={"Content-Type": media_type})
    assert response.status_code == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(api: Api, method: str) -> None:
    assert api.client.request(method, "/graphql").status_code == 405


def test_bad_variables_of_a_get_request_are_a_bad_request(api: Api) -> None:
    for variables in ("{", "[1]", "1"):
        assert api.client.get("/graphql", params={"query": STATS, "variables": variables}).status_code == 400
    assert api.client.get("/graphql").status_code == 400


def test_the_newer_media_type_says_by_status_that_a_document_was_refused(api: Api) -> None:
    accept = {"Accept": "application/graphql-response+json, application/json"}
    good = api.client.post("/graphql", json={"query": STATS}, headers=accept)
    refused = api.client.post("/graphql", json={"query": "{ nothing }"}, headers=accept)
    failed = api.client.post("/graphql", json={"query": "{ samples(first: 0) { totalCount } }"}, headers=accept)
    assert [answer.status_code for answer in (good, refused, failed)] == [200, 400, 200]
    assert good.headers["content-type"] == "application/graphql-response+json"
    assert "data" not in refused.json()
    assert failed.json()["data"] is None


def test_whole_numbers_beyond_64_bits_in_annotations_are_answered(sqlite_api: Api) -> None:
    large = 2**70
    with sqlite_api.catalog.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE samples SET annotations = ? WHERE id = 1", (json.dumps({"large": large}),))
    response = sqlite_api.client.post("/graphql", json={"query": "{ samples(first: 1) { nodes { annotations } } }"})
    assert json.loads(response.text)["data"]["samples"]["nodes"][0]["annotations"] == {"large": large}


def test_every_answer_forbids_foreign_scripts_and_guessed_types(api: Api) -> None:
    for path in ("/", "/graphql", "/health", "/static/graphiql/page.js", "/files/x", "/nothing"):
        headers = api.client.get(path, headers={"Accept": "text/html"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self';" in policy


def test_pages_load_only_files_that_are_served_here(api: Api) -> None:
    for path in ("/", "/graphql"):
        page = api.client.get(path, headers={"Accept": "text/html,application/xhtml+xml"})
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert addresses
        for address in addresses:
            assert api.client.get(address).status_code in {200, 400 if address == "/graphql" else 200}
        assert "<script>" not in page.text


def test_a_browser_gets_graphiql_and_its_example_is_a_valid_query(api: Api) -> None:
    script = (STATIC / "graphiql" / "page.js").read_text()
    example = script.split("`")[1]
    assert api.ask(example)["experiments"]["totalCount"] == 4
    assert "graphiql.min.js" in api.client.get("/graphql", headers={"Accept": "text/html"}).text


def test_static_files_end_at_their_folder(api: Api) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"):
        assert api.client.get(path).status_code == 404


def test_health_names_version_and_database(api: Api) -> None:
    health: dict[str, Any] = api.client.get("/health").json()
    assert (health["status"], health["database"]) == ("ok", api.catalog.engine.dialect.name)
    assert health["version"]
