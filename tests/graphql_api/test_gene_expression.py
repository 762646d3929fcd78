"""Gene slices over GraphQL: the genes and samples that are asked for, in pages, in few statements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from graphql_api.app import create_app
from refinebio_assets.domain.vocabulary import LedgerKind, SampleState, Technology
from resources.catalog import Catalog
from resources.catalog.ledger_changes import StateChange
from resources.catalog.models import Sample, SampleHarmonizedValue
from resources.object_store import ObjectStore
from resources.settings import Settings
from tests.expression_records import record_expression
from tests.graphql_api.conftest import Api

GENES = ["ENSG00000000003", "ENSG00000000005", "ENSG00000000419"]
ARRAY_GENES = GENES[1:]
FISH = ["ENSDARG00000000001", "ENSDARG00000000002"]
SLICE = """query ($genes: [String!]!, $filter: GeneExpressionFilter, $log2: Boolean! = false, $first: Int = 20,
    $after: String) { geneExpression(genes: $genes, filter: $filter, log2: $log2, first: $first, after: $after) {
        found notFound genes { query gene found } totalCount pageInfo { hasNextPage endCursor }
        unresolved { query outcome message }
        nodes { accession experiment organism technology platform scale values } } }"""


def serve(catalog: Catalog, home: Path) -> Api:
    """Human RNA-seq (SRP000001: SRR1, SRR2), human arrays (GSE2: GSM1-GSM3) and fish (SRP000003)."""
    settings = Settings(home=home)
    store = ObjectStore.from_url(settings.store_url)
    rna = np.array([[1.5, 0.1, 3.0], [4.0, np.nan, 6.0]], np.float32)
    record_expression(
        catalog, store, rna, experiment="SRP000001", samples=["SRR0000001", "SRR0000002"], genes=GENES,
        technology=Technology.RNA_SEQ,
    )  # fmt: skip
    arrays = np.array([[-1.25, 2], [3, 4], [5, 6]], np.float32)
    record_expression(catalog, store, arrays, experiment="GSE2", samples=["GSM1", "GSM2", "GSM3"], genes=ARRAY_GENES)
    record_expression(
        catalog, store, np.ones((1, 2), np.float32), experiment="SRP000003", samples=["SRR0000003"], genes=FISH,
        organism="DANIO_RERIO", technology=Technology.RNA_SEQ,
    )  # fmt: skip
    return Api(TestClient(create_app(settings, catalog), raise_server_exceptions=False), catalog)


@pytest.fixture
def api(catalog: Catalog, tmp_path: Path) -> Api:
    return serve(catalog, tmp_path / "home")


@pytest.fixture
def lite(sqlite_catalog: Catalog, tmp_path: Path) -> Api:
    return serve(sqlite_catalog, tmp_path / "home")


def sliced(api: Api, genes: list[str], wanted: dict[str, Any] | None = None, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = api.ask(SLICE, genes=genes, filter=wanted, **variables)["geneExpression"]
    return found


def values(found: dict[str, Any]) -> dict[str, list[float | None]]:
    return {node["accession"]: node["values"] for node in found["nodes"]}


def test_genes_come_in_the_order_asked_with_what_samples_are(api: Api) -> None:
    found = sliced(api, [GENES[1], "ENSG99999999999", f"{GENES[0]}.17", GENES[0]], {"organisms": ["9606"]})
    assert found["genes"] == [
        {"query": GENES[1], "gene": GENES[1], "found": True},
        {"query": "ENSG99999999999", "gene": None, "found": False},
        {"query": f"{GENES[0]}.17", "gene": GENES[0], "found": True},
    ]
    assert (found["found"], found["notFound"]) == ([GENES[1], GENES[0]], ["ENSG99999999999"])
    assert values(found) == {
        "SRR0000001": [0.1, None, 1.5],
        "SRR0000002": [None, None, 4.0],
        "GSM1": [-1.25, None, None],
        "GSM2": [3.0, None, None],
        "GSM3": [5.0, None, None],
    }
    assert found["nodes"][0] == {
        "accession": "SRR0000001",
        "experiment": "SRP000001",
        "organism": "HOMO_SAPIENS",
        "technology": "RNA_SEQ",
        "platform": "IlluminaHiSeq2500",
        "scale": "LINEAR",
        "values": [0.1, None, 1.5],
    }
    assert {node["scale"] for node in found["nodes"][2:]} == {"LOG2"}


@pytest.mark.parametrize(
    ("wanted", "samples"),
    [
        ({"organisms": ["Homo sapiens"], "technologies": ["MICROARRAY"]}, ["GSM1", "GSM2", "GSM3"]),
        ({"platforms": ["IlluminaHiSeq2500"], "organisms": ["HOMO_SAPIENS"]}, ["SRR0000001", "SRR0000002"]),
        ({"platforms": ["Illumina HiSeq 2500"], "experiments": ["srp000001"]}, ["SRR0000001", "SRR0000002"]),
        ({"samples": ["GSM3", "SRR0000002"]}, ["SRR0000002", "GSM3"]),
        ({"experiments": ["GSE2"], "samples": ["GSM2", "SRR0000001"]}, ["GSM2"]),
        ({"experiments": ["E-GEOD-2"]}, ["GSM1", "GSM2", "GSM3"]),
        ({"experiments": ["GSE2"], "organisms": ["Danio rerio"]}, []),
        ({"harmonized": [{"field": "sex", "values": ["Female"]}]}, ["GSM2"]),
    ],
    ids=["technology", "platform", "platform name", "samples", "both", "alias", "nothing", "harmonised"],
)
def test_samples_are_filtered(api: Api, wanted: dict[str, Any], samples: list[str]) -> None:
    with api.catalog.session() as session:
        key = session.query(Sample.id).where(Sample.accession == "GSM2").scalar()
        value = {"value": "female", "raw_key": "sex", "raw_value": "F", "rule": "sex"}
        session.add(SampleHarmonizedValue(sample_id=key, field="sex", **value))
    found = sliced(api, GENES, wanted)
    assert [node["accession"] for node in found["nodes"]] == samples
    assert found["totalCount"] == len(samples)


def test_without_a_filter_the_genes_say_which_organisms_are_meant(lite: Api) -> None:
    assert values(sliced(lite, [FISH[1]])) == {"SRR0000003": [1.0]}
    assert len(values(sliced(lite, [FISH[0], GENES[0]]))) == 6
    assert values(sliced(lite, ["TP53"])) == {}


def test_only_processed_samples_are_given(lite: Api) -> None:
    entry = lite.catalog.ledger.entries(["GSM1"])["GSM1"]
    assert entry.state == SampleState.PROCESSED
    from refinebio_assets.domain.records import LedgerDecision

    failed = LedgerDecision(state=SampleState.FAILED_QC, reason="bad", message="Bad.")
    lite.catalog.ledger.set_states(
        [StateChange(accession="GSM1", kind=LedgerKind.SAMPLE, experiment_accession="GSE2", decision=failed)]
    )
    assert list(values(sliced(lite, GENES, {"experiments": ["GSE2"]}))) == ["GSM2", "GSM3"]


def test_linear_values_become_log2_if_asked(lite: Api) -> None:
    found = sliced(lite, [GENES[0], GENES[2]], {"organisms": ["9606"]}, log2=True)
    assert {node["scale"] for node in found["nodes"]} == {"LOG2"}
    assert values(found)["SRR0000001"] == pytest.approx([np.log2(2.5), 2.0])
    assert values(found)["GSM1"] == [None, 2.0]


def test_pages_follow_one_another(lite: Api) -> None:
    seen: list[str] = []
    after = None
    for rest in (3, 1, 0):
        found = sliced(lite, GENES[:1], {"organisms": ["9606"]}, first=2, after=after)
        seen += values(found)
        assert found["pageInfo"]["hasNextPage"] is bool(rest and len(seen) < 5)
        after = found["pageInfo"]["endCursor"]
    assert seen == ["SRR0000001", "SRR0000002", "GSM1", "GSM2", "GSM3"]
    error = lite.error(SLICE, genes=GENES, after="bm90IG9uZQ==")
    assert error["extensions"]["code"] == "bad_input"


def test_accessions_that_name_nothing_are_told(lite: Api) -> None:
    found = sliced(lite, GENES, {"experiments": ["SRP000001", "SRP999999"], "samples": ["SRR0000001", "nonsense"]})
    assert list(values(found)) == ["SRR0000001"]
    assert [(one["query"], one["outcome"]) for one in found["unresolved"]] == [
        ("SRP999999", "NOT_FOUND"),
        ("nonsense", "UNSUPPORTED"),
    ]


def test_a_shared_sample_is_taken_from_the_experiment_that_is_named(lite: Api, tmp_path: Path) -> None:
    store = ObjectStore.from_url(Settings(home=tmp_path / "home").store_url)
    again = np.array([[7.0, 8.0], [9.0, 10.0]], np.float32)
    record_expression(lite.catalog, store, again, experiment="GSE1", samples=["GSM1", "GSM9"], genes=ARRAY_GENES)
    assert values(sliced(lite, ARRAY_GENES[:1], {"organisms": ["9606"]}))["GSM1"] == [-1.25]
    assert values(sliced(lite, ARRAY_GENES[:1], {"experiments": ["GSE1"]})) == {"GSM1": [7.0], "GSM9": [9.0]}
    found = sliced(lite, ARRAY_GENES[:1], {"experiments": ["GSE1", "GSE2"], "samples": ["GSM9"]})
    assert [(node["experiment"], node["values"]) for node in found["nodes"]] == [("GSE1", [9.0])]


def test_a_sample_leads_to_its_metadata(lite: Api) -> None:
    query = """{ geneExpression(genes: ["ENSG00000000003"], filter: {samples: ["SRR0000001"]}) {
        edges { cursor node { sample { title state organism { taxonomyId } } } } } }"""
    (edge,) = lite.ask(query)["geneExpression"]["edges"]
    assert edge["node"]["sample"] == {
        "title": "sample SRR0000001",
        "state": "PROCESSED",
        "organism": {"taxonomyId": 9606},
    }


@pytest.mark.parametrize(
    ("genes", "says"), [([], "needs genes"), (["ENSG1", " "], "empty"), ([f"G{n}" for n in range(101)], "too many")]
)
def test_impossible_genes_are_bad_input(lite: Api, genes: list[str], says: str) -> None:
    error = lite.error(SLICE, genes=genes)
    assert error["extensions"]["code"] == "bad_input"
    assert says in error["message"]


def test_genes_and_samples_cost(lite: Api) -> None:
    def cost(query: str, **variables: Any) -> int:
        return int(lite.post(query, **variables)["extensions"]["cost"]["requested"])

    plain = "{ geneExpression(genes: %s, first: %d) { nodes { accession values } } }"
    assert cost(plain % ('["A", "B"]', 7)) == 1 + 7 + 7 * 2
    assert cost(plain % ('"A"', 5_000)) == 1 + 1_000 + 1_000
    paged = "query ($g: [String!]!) { geneExpression(genes: $g) { nodes { accession } } }"
    assert cost(paged, g=["A", "B", "C"]) == 1 + 20 + 20 * 3
    error = lite.error(plain % (str([f"G{n}" for n in range(60)]).replace("'", '"'), 1_000))
    assert error["extensions"]["code"] == "too_complex"


def test_statements_depend_on_neither_samples_nor_experiments(lite: Api, tmp_path: Path) -> None:
    def count(first: int) -> int:
        with lite.statements() as sent:
            sliced(lite, GENES, {"organisms": ["Homo sapiens"], "experiments": ["GSE2", "SRP000001"]}, first=first)
        return len(sent)

    few = count(1)
    store = ObjectStore.from_url(Settings(home=tmp_path / "home").store_url)
    for number in range(10, 22):
        samples = [f"GSM{number}{one}" for one in range(3)]
        record_expression(
            lite.catalog, store, np.ones((3, 2)), experiment=f"GSE{number}", samples=samples, genes=ARRAY_GENES
        )
    with lite.statements() as sent:
        found = sliced(lite, GENES, {"organisms": ["Homo sapiens"]}, first=100)
    assert len(found["nodes"]) == 41
    assert len(sent) <= few == count(100) <= 15


def test_a_missing_part_is_a_coded_error(lite: Api, tmp_path: Path) -> None:
    for path in (tmp_path / "home").rglob("GSE2/*.npy"):
        path.unlink()
    assert values(sliced(lite, GENES[:1], {"experiments": ["SRP000001"]})) == {"SRR0000001": [1.5], "SRR0000002": [4.0]}
    error = lite.error(SLICE, genes=GENES, filter={"experiments": ["GSE2"]})
    assert error["extensions"]["code"] == "malformed_file"
    assert "GSE2" in error["message"]


def test_other_genes_of_damaged_names_are_not_given(lite: Api, tmp_path: Path) -> None:
    for path in (tmp_path / "home").rglob("DANIO_RERIO/genes_*.txt"):
        path.write_text("ENSDARG00000000002\nENSDARG00000000001\n")
    error = lite.error(SLICE, genes=FISH, filter={"organisms": ["7955"]})
    assert error["extensions"]["code"] == "malformed_file"
    assert "damaged" in error["message"]
