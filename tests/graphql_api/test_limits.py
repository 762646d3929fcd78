"""Hostile and mistaken requests get a typed error, quickly, and never a stack trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from graphql_api.app import create_app
from graphql_api.limits import MAX_COST
from resources.catalog import Catalog
from resources.settings import Settings
from tests.graphql_api.conftest import Api, serve


def code_of(api: Api, query: str, **variables: Any) -> str:
    code: str = api.error(query, **variables)["extensions"]["code"]
    return code


def test_first_below_one_is_bad_input(api: Api) -> None:
    for first in (0, -5):
        error = api.error("query ($first: Int) { samples(first: $first) { totalCount } }", first=first)
        assert error["extensions"]["code"] == "bad_input"
        assert error["path"] == ["samples"]
        assert str(first) in error["message"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "bm90IGpzb24=",
        "WyJzYW1wbGVzIiwieCJd",
        "WyJzYW1wbGVzIiwtMV0=",
        "WyJzYW1wbGVzIiw5OTk5OTk5OTk5OTk5OTk5OTk5OTldXQ==",
        "W1tbW1tbW1tbW1tbXV0=",
        "é",
        "WyJleHBlcmltZW50cyIsMV0=",
    ],
)
def test_what_is_no_cursor_of_the_list_is_bad_input(api: Api, cursor: str) -> None:
    for accessions in (None, ["GSE1"]):
        query = """query ($after: String, $accessions: [String!]) { samples(after: $after, accessions: $accessions) {
            totalCount } }"""
        assert code_of(api, query, after=cursor, accessions=accessions) == "bad_input"


def test_a_cursor_of_another_order_is_bad_input(api: Api) -> None:
    page = api.ask("{ samples(first: 1, orderBy: {field: TITLE}) { pageInfo { endCursor } } }")["samples"]
    cursor = page["pageInfo"]["endCursor"]
    query = """query ($after: String, $d: Direction!) { samples(after: $after, orderBy: {field: TITLE, direction:
        $d}) { totalCount } }"""
    assert api.ask(query, after=cursor, d="ASC")
    assert code_of(api, query, after=cursor, d="DESC") == "bad_input"


@pytest.mark.parametrize(
    ("node_id", "code"),
    [
        ("", "bad_input"),
        ("nonsense", "bad_input"),
        ("U2FtcGxlOg==", "bad_input"),
        ("é", "bad_input"),
        ("U2FtcGxlOlNSUjk5OTk5OTk5OQ==", "not_found"),
        ("Q29tcHV0ZWRGaWxlOi0x", "not_found"),
        ("Tm90aGluZzox", "not_found"),
        ("Q29tcHV0ZWRGaWxlOjk5OTk5OTk5OTk5OTk5OTk5OTk5", "not_found"),
    ],
)
def test_an_unknown_node_is_an_error_with_a_code(api: Api, node_id: str, code: str) -> None:
    assert code_of(api, "query ($id: ID!) { node(id: $id) { id } }", id=node_id) == code


def test_of_many_nodes_only_the_unknown_ones_are_missing(api: Api) -> None:
    known = api.ask("{ samples(first: 1) { nodes { id } } }")["samples"]["nodes"][0]["id"]
    answer = api.post("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["U2FtcGxlOlg=", known])
    assert answer["data"]["nodes"] == [None, {"id": known}]
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["nodes", 0], "not_found")


@pytest.mark.parametrize(
    "query",
    [
        "{ samples(first: 99999999999) { totalCount } }",
        "{ nothing }",
        "{ samples }",
        "query ($x: Nothing) { stats { numSamples } }",
        "{ samples(filter: {states: [ALMOST]}) { totalCount } }",
        "mutation { x }",
        "{ ...A } fragment A on Query { ...A }",
    ],
)
def test_documents_that_do_not_fit_the_schema_are_refused_without_suggestions(api: Api, query: str) -> None:
    for error in api.post(query)["errors"]:
        assert error["extensions"]["code"] == "validation_failed"
        assert "Did you mean" not in error["message"]


def test_variables_that_do_not_fit_their_type_are_refused(api: Api) -> None:
    query = """query ($first: Int, $since: DateTime) { samples(first: $first) { totalCount } ledger(filter:
        {updatedSince: $since}) { totalCount } }"""
    assert code_of(api, query, first=2**40) == "validation_failed"
    assert code_of(api, query, first="many") == "validation_failed"
    assert code_of(api, query, since="yesterday") == "validation_failed"


@pytest.mark.parametrize("query", ["{", "}", "{ stats { numSamples }", "query (", '"', "{ a(b: ) }"])
def test_what_is_no_graphql_is_a_syntax_error(api: Api, query: str) -> None:
    assert code_of(api, query) == "syntax_error"


def doubling_fragments(depth: int, last: str) -> str:
    spreads = [f"fragment F{i} on Experiment {{ ...F{i + 1} ...F{i + 1} }}" for i in range(depth)]
    return "{ experiments { nodes { ...F0 } } } " + " ".join(spreads) + f" fragment F{depth} on Experiment {{ {last} }}"


@pytest.mark.parametrize(
    "query",
    [
        "{" + " ".join(f"a{i}: stats {{ numSamples }}" for i in range(16)) + "}",
        "{" + "stats { numSamples }" * 1_000 + "}",
        "query " + "@include(if: true) " * 2_000 + "{ stats { numSamples } }",
        "{ samples { nodes { " + "experiments { samples { nodes { " * 6 + "id" + " } } }" * 6 + " } } }",
        "{ samples(first: 1) { nodes { " + "experiments { id " * 300 + "}" * 300 + " } } }",
        "{" * 990 + "}" * 990,
        doubling_fragments(60, "a1: accession a2: accession"),
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
    ],
    ids=["aliases", "fields", "directives", "depth", "nesting", "braces", "fragments", "introspection"],
)
def test_documents_made_to_hurt_are_refused(api: Api, query: str) -> None:
    errors = api.post(query)["errors"]
    assert {error["extensions"]["code"] for error in errors} <= {"too_complex", "validation_failed", "syntax_error"}


def test_cost_counts_the_objects_an_operation_can_return(api: Api) -> None:
    def cost(query: str, **variables: Any) -> dict[str, int]:
        found: dict[str, int] = api.post(query, **variables)["extensions"]["cost"]
        return found

    assert cost("{ stats { numSamples } }") == {"requested": 1, "allowed": MAX_COST}
    assert cost("{ samples(first: 7) { nodes { accession } } }")["requested"] == 8
    assert cost("{ samples { edges { node { accession } } } }")["requested"] == 21
    paged = """query ($n: Int = 3) { experiments(first: $n) { nodes { samples(first: 100) { edges { node {
        computedFiles { id } } } } } } }"""
    assert cost(paged)["requested"] == 1 + 3 * (2 + 100 * (1 + 5))
    assert cost(paged, n=2)["requested"] == 1 + 2 * (2 + 100 * (1 + 5))
    assert cost('{ resolve(accessions: ["A", "B"]) { query } }')["requested"] == 2
    assert (
        cost("{ samples(first: 2) { ...S } } fragment S on SampleConnection { nodes { organism { name } } }")[
            "requested"
        ]
        == 5
    )


def test_a_cost_bomb_is_refused_before_anything_is_read(sqlite_api: Api) -> None:
    bomb = """{ experiments(first: 100) { nodes { samples(first: 100) { nodes { experiments { samples(first: 100)
        { nodes { id } } } } } } } }"""
    with sqlite_api.statements() as sent:
        answer = sqlite_api.post(bomb)
    assert sent == []
    assert answer["errors"][0]["extensions"]["code"] == "too_complex"
    assert answer["extensions"]["cost"]["requested"] > MAX_COST


def test_more_accessions_than_allowed_are_bad_input(sqlite_api: Api) -> None:
    query = "query ($accessions: [String!]) { samples(accessions: $accessions) { totalCount unresolved { query } } }"
    assert len(sqlite_api.ask(query, accessions=[f"S{n}" for n in range(10_000)])["samples"]["unresolved"]) == 10_000
    assert code_of(sqlite_api, query, accessions=[f"S{n}" for n in range(10_001)]) == "bad_input"


def test_a_body_that_is_too_large_is_refused_whether_announced_or_not(api: Api) -> None:
    body = json.dumps({"query": "{ stats { numSamples } }", "padding": "x" * 10_000_000}).encode()
    headers = {"Content-Type": "application/json"}
    announced = api.client.post("/graphql", content=body, headers=headers)
    streamed = api.client.post(
        "/graphql", content=(body[i : i + 65536] for i in range(0, len(body), 65536)), headers=headers
    )
    for response in (announced, streamed):
        assert response.status_code == 413
        assert response.json()["errors"][0]["extensions"]["code"] == "bad_request"


def test_a_slow_statement_is_stopped_at_the_time_limit(catalog: Catalog, tmp_path: Path) -> None:
    api = serve(catalog, tmp_path / "home", request_seconds=1.0)
    slow = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "postgresql": "SELECT pg_sleep(60)",
    }[catalog.engine.dialect.name]

    def make_slow(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return (slow, ()) if "samples" in statement else (statement, parameters)

    event.listen(catalog.engine, "before_cursor_execute", make_slow, retval=True)
    response = api.client.post("/graphql", json={"query": "{ samples { totalCount nodes { id } } }"})
    event.remove(catalog.engine, "before_cursor_execute", make_slow)
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"]["code"] == "timed_out"
    assert api.ask("{ samples { totalCount } }") == {"samples": {"totalCount": 20}}


def test_a_defect_is_masked(sqlite_api: Api) -> None:
    with sqlite_api.catalog.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE samples SET technology = 'PHRENOLOGY'")
    error = sqlite_api.error("{ samples { nodes { id } } }")
    assert error["extensions"]["code"] == "internal_error"
    assert "PHRENOLOGY" not in json.dumps(error)


def test_a_database_that_is_gone_is_said_so(tmp_path: Path) -> None:
    catalog = Catalog.connect(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    client = TestClient(create_app(Settings(home=tmp_path), catalog))
    catalog.dispose()
    for leftover in tmp_path.glob("catalog.sqlite*"):
        leftover.unlink()
    (tmp_path / "catalog.sqlite").mkdir()
    answer = client.post("/graphql", json={"query": "{ stats { numSamples } }"}).json()
    assert answer["errors"][0]["extensions"]["code"] == "catalog_unavailable"
    health = client.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "unavailable")
