"""The schema as it is checked in, and the rules it keeps."""

from __future__ import annotations

import re
from pathlib import Path

from graphql import GraphQLObjectType, build_schema, get_named_type, parse, print_type, validate

import graphql_api
from graphql_api.schema import NAMED, NUMBERED, print_schema

CHECKED_IN = Path(graphql_api.__file__).parent / "schema.graphql"
SCHEMA = build_schema(print_schema())


def test_the_schema_is_the_one_that_is_checked_in() -> None:
    assert CHECKED_IN.read_text() == print_schema(), (
        "run: refinebio serve --print-schema --out graphql_api/schema.graphql"
    )


def test_clients_can_rely_on_the_root_fields() -> None:
    assert SCHEMA.query_type is not None
    promised = {
        "node",
        "nodes",
        "experiments",
        "samples",
        "organisms",
        "platforms",
        "resolve",
        "compendia",
        "qnTargets",
        "transcriptomeIndices",
        "stats",
    }
    assert promised <= set(SCHEMA.query_type.fields)


def test_every_node_type_can_be_fetched_again() -> None:
    interface = SCHEMA.get_type("Node")
    nodes = {
        name
        for name, type_ in SCHEMA.type_map.items()
        if isinstance(type_, GraphQLObjectType) and interface in type_.interfaces
    }
    assert nodes == {*NAMED, *NUMBERED}


def test_every_connection_pages_the_same_way() -> None:
    for type_ in SCHEMA.type_map.values():
        for name, field in getattr(type_, "fields", {}).items():
            target = get_named_type(getattr(field, "type", None))
            if isinstance(target, GraphQLObjectType) and target.name.endswith("Connection"):
                assert {"first", "after"} <= set(field.args), name
                assert print_type(type_).count("first: Int = 20") >= 1
                assert {"edges", "nodes", "pageInfo", "totalCount"} <= set(target.fields)


def test_every_type_and_root_field_is_described() -> None:
    assert SCHEMA.query_type is not None
    described = [type_ for name, type_ in SCHEMA.type_map.items() if not name.startswith("__")]
    missing = [type_.name for type_ in described if not type_.description and not type_.name.endswith("Edge")]
    assert missing == ["Query"]
    assert all(field.description for field in SCHEMA.query_type.fields.values())


def test_the_examples_of_the_documentation_fit_the_schema() -> None:
    project = CHECKED_IN.parent.parent
    for page in (project / "docs" / "graphql_api.md", project / "README.md"):
        examples = re.findall(r"```graphql\n(.*?)```", page.read_text(), flags=re.DOTALL)
        assert examples, page
        for example in examples:
            assert validate(SCHEMA, parse(example)) == [], example


def test_the_examples_for_the_shell_fit_the_schema() -> None:
    page = (CHECKED_IN.parent.parent / "docs" / "graphql_api.md").read_text()
    queries = re.findall(r'"query":\s+"((?:[^"\\]|\\.)*)"', page)
    assert len(queries) == 4
    for query in queries:
        assert validate(SCHEMA, parse(query.replace('\\"', '"'))) == [], query
