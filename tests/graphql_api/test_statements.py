"""The number of SQL statements depends on the document, never on the number of rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.catalog import Catalog
from tests.graphql_api.conftest import serve

FILES = """{ experiments(first: 20) { edges { node { accession samples(first: 100) { edges { node { accession
    computedFiles { filename kind sizeBytes sha256 downloadUrl } } } } } } } }"""
FILES_WITH_SHORTCUT = FILES.replace("edges { node {", "nodes {").replace("} } } } } } } }", "} } } } } }")
EVERYTHING = """{ experiments(first: 20) { totalCount nodes {
    aliases organisms { name numSamples } platforms { name } numSamples numProcessedSamples sampleStates { count }
    annotations coverage { numSamples fields { field share } unmatchedKeys { key } }
    ledger { state history { state } } history { state } computedFiles { filename result {
        processor { name } } }
    samples(first: 40) { totalCount nodes { aliases organism { name } platform { name } harmonized {
        field value unit ontologyTermId rawKey rawValue rule }
        annotations
      experiments { accession } originalFiles { filename } history { state } ledger { state } computedFiles {
          filename result { metrics } } } }
    } } }"""


@pytest.mark.parametrize(
    ("query", "most"),
    [(FILES, 3), (FILES_WITH_SHORTCUT, 3), (EVERYTHING, 35)],
    ids=["edges", "nodes", "everything"],
)
def test_statements_do_not_grow_with_rows(catalog: Catalog, tmp_path: Path, query: str, most: int) -> None:
    few = serve(catalog, tmp_path / "home", experiments=3, samples=5)
    with few.statements() as for_few:
        few.ask(query)
    with catalog.session() as session:
        for table in (
            "ledger",
            "ledger_history",
            "computed_files",
            "transcriptome_indices",
            "computational_results",
            "original_file_samples",
            "original_files",
            "sample_harmonized_values",
            "sample_aliases",
            "experiment_samples",
            "samples",
            "experiment_aliases",
            "experiments",
            "processors",
            "organisms",
            "platforms",
        ):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    many = serve(catalog, tmp_path / "home", experiments=20, samples=100)
    with many.statements() as for_many:
        found = many.ask(query)["experiments"]
    assert len(found.get("edges") or found["nodes"]) == 20
    assert len(for_few) == len(for_many) <= most


def test_files_of_all_samples_are_there(tmp_path: Path, sqlite_catalog: Catalog) -> None:
    api = serve(sqlite_catalog, tmp_path / "home", experiments=20, samples=100)
    experiments = api.ask(FILES_WITH_SHORTCUT)["experiments"]["nodes"]
    samples = [sample for experiment in experiments for sample in experiment["samples"]["nodes"]]
    assert len(samples) == len({sample["accession"] for sample in samples}) == 2_000
    assert sum(len(sample["computedFiles"]) for sample in samples) == 1_000


def test_total_counts_are_counted_only_when_asked_for(sqlite_catalog: Catalog, tmp_path: Path) -> None:
    api = serve(sqlite_catalog, tmp_path / "home")
    with api.statements() as without:
        api.ask("{ samples { nodes { accession } } }")
    with api.statements() as with_count:
        api.ask("{ samples { totalCount nodes { accession } } }")
    assert (len(without), len(with_count)) == (1, 2)


def test_figures_over_everything_take_one_statement_each(sqlite_catalog: Catalog, tmp_path: Path) -> None:
    api = serve(sqlite_catalog, tmp_path / "home", experiments=20, samples=40)
    with api.statements() as sent:
        api.ask("""{ stats { sources { source sampleStates { count } } reasons { reason } unsupportedPlatforms { name }
            coverage { source coverage { fields { field } unmatchedKeys { key } } } } }""")
    assert len(sent) == 6


def test_nodes_take_one_statement_per_type(sqlite_catalog: Catalog, tmp_path: Path) -> None:
    api = serve(sqlite_catalog, tmp_path / "home")
    found = api.ask("{ experiments { nodes { id } } samples(first: 20) { nodes { id } } }")
    ids = [node["id"] for part in ("experiments", "samples") for node in found[part]["nodes"]]
    with api.statements() as sent:
        nodes = api.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Sample { organism { name } } } }", ids=ids)[
            "nodes"
        ]
    assert len(nodes) == 24
    assert len(sent) == 3
