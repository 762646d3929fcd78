"""Ontology terms, attributes and keywords through the API."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.domain.imported_metadata import AttributeEntry, KeywordEntry
from refinebio_assets.metadata.ontology_files import read_ontology
from resources.catalog import Catalog, OntologySource
from tests.graphql_api.conftest import Api, serve
from tests.graphql_api.content import sample_accession
from tests.metadata.files import ONTOLOGY

URL = "https://example.org/methods"
SAMPLES = (
    """query ($filter: SampleFilter) { samples(filter: $filter, first: 100) { totalCount nodes { accession } } }"""
)
METADATA = """query ($accessions: [String!]) { samples(accessions: $accessions) { nodes {
    attributes { term { id label } value
        valueTerm { id label } unit { id label } probability source { name methodsUrl } }
    keywords { id label source { name }
        term { isObsolete parents { relation term { label } } synonyms { name scope } } }
} } }"""
LIVER, RIGHT_LOBE = "UBERON:0002107", "UBERON:0001114"


def attribute(name: str, term: str, value: Any, value_type: Any, **changes: Any) -> AttributeEntry:
    return AttributeEntry(sample=name, term_id=term, value=value, value_type=value_type, **changes)


def import_metadata(catalog: Catalog, *, samples: int = 1) -> None:
    for file in ("UBERON_liver.json.zst", "uo.owl.gz"):
        content = read_ontology(ONTOLOGY / file)
        source = OntologySource(prefix=content.own_prefix() or "", source=file, sha256="a" * 64)
        catalog.record_ontology(source, content.terms)
    first, second = sample_accession(1, 1), sample_accession(1, 2)
    entries = [
        attribute(first, "EFO:0000246", 36.5, "float", unit_id="UO:0000036", probability=0.75),
        attribute(first, "EFO:0000635", RIGHT_LOBE, "term"),
        attribute(first, "PATO:0000384", False, "bool"),
        KeywordEntry(sample=first, term_id=RIGHT_LOBE),
        KeywordEntry(sample=second, term_id=LIVER),
        KeywordEntry(sample=second, term_id="CL:0000182"),
    ]
    entries += [
        KeywordEntry(sample=sample_accession(2, number), term_id=f"UBERON:{1 + number:07d}")
        for number in range(1, samples + 1)
    ]
    catalog.record_contributed_metadata("MetaSRA", URL, entries)


@pytest.fixture
def api(catalog: Catalog, tmp_path: Path) -> Api:
    found = serve(catalog, tmp_path / "home")
    import_metadata(catalog)
    return found


def test_a_sample_has_its_attributes_with_their_types(api: Api) -> None:
    (found,) = api.ask(METADATA, accessions=[sample_accession(1, 1)])["samples"]["nodes"]
    source = {"name": "MetaSRA", "methodsUrl": URL}
    rest = {"valueTerm": None, "unit": None, "probability": None, "source": source}
    assert found["attributes"] == [
        rest
        | {
            "term": {"id": "EFO:0000246", "label": None},
            "value": 36.5,
            "unit": {"id": "UO:0000036", "label": "year"},
            "probability": 0.75,
        },
        rest
        | {
            "term": {"id": "EFO:0000635", "label": None},
            "value": RIGHT_LOBE,
            "valueTerm": {"id": RIGHT_LOBE, "label": "right lobe of liver"},
        },
        rest | {"term": {"id": "PATO:0000384", "label": None}, "value": False},
    ]


def test_a_sample_has_its_keywords_with_their_terms(api: Api) -> None:
    one, two = api.ask(METADATA, accessions=[sample_accession(1, 1), sample_accession(1, 2)])["samples"]["nodes"]
    (keyword,) = one["keywords"]
    assert (keyword["id"], keyword["label"], keyword["source"]) == (
        RIGHT_LOBE,
        "right lobe of liver",
        {"name": "MetaSRA"},
    )
    assert {"relation": "BROADER", "term": {"label": "lobe of liver"}} in keyword["term"]["parents"]
    assert [(row["id"], row["label"]) for row in two["keywords"]] == [("CL:0000182", None), (LIVER, "liver")]


@pytest.mark.parametrize(
    ("terms", "samples"),
    [
        ([LIVER], [(1, 1), (1, 2)]),
        ([RIGHT_LOBE], [(1, 1)]),
        (["http://purl.obolibrary.org/obo/UBERON_0001113"], [(1, 1)]),
        (["CL:0000182"], [(1, 2)]),
        (["CL:0000182", RIGHT_LOBE], [(1, 1), (1, 2)]),
        (["UBERON:9999999"], []),
        ([], []),
    ],
)
def test_samples_are_found_by_a_keyword_or_what_lies_below_it(
    api: Api, terms: list[str], samples: list[tuple[int, int]]
) -> None:
    found = api.ask(SAMPLES, filter={"keywords": terms})["samples"]
    assert [node["accession"] for node in found["nodes"]] == [sample_accession(*one) for one in samples]
    assert found["totalCount"] == len(samples)


def test_terms_come_by_id_in_input_order(api: Api) -> None:
    query = "query ($ids: [String!]) { ontologyTerms(ids: $ids) { id label isObsolete replacedBy } }"
    ids = ["UO_0000036", "UBERON:9999999", LIVER, "nonsense", LIVER, "UBERON:0000027"]
    year, unknown, liver, nonsense, again, obsolete = api.ask(query, ids=ids)["ontologyTerms"]
    assert year["label"] == "year"
    assert unknown is nonsense is None
    assert liver == again == {"id": LIVER, "label": "liver", "isObsolete": False, "replacedBy": None}
    assert obsolete["isObsolete"]
    assert obsolete["replacedBy"].startswith("UBERON:")


def test_terms_are_found_by_name_the_closest_first(api: Api) -> None:
    query = """query ($text: String!, $ontologies: [String!], $first: Int) {
        ontologyTerms(search: $text, ontologies: $ontologies, first: $first) { id label } }"""
    found = api.ask(query, text=" LIVER ", first=4)["ontologyTerms"]
    assert found[0] == {"id": LIVER, "label": "liver"}
    assert len(found) == 4
    assert all("liver" in row["label"] for row in found[:2])
    assert api.ask(query, text="ear", ontologies=["UO"])["ontologyTerms"][0]["label"] in {"year", "linear"}
    assert api.ask(query, text="liver", ontologies=["CL"])["ontologyTerms"] == []
    assert api.ask(query, text="100%_")["ontologyTerms"] == []


@pytest.mark.parametrize("arguments", ["", '(ids: ["UO:1"], search: "x")', '(search: "  ")'])
def test_terms_are_asked_for_in_one_way(api: Api, arguments: str) -> None:
    assert api.error(f"{{ ontologyTerms{arguments} {{ id }} }}")["extensions"]["code"] == "bad_input"


def test_the_example_of_the_documentation_is_answered(api: Api) -> None:
    page = (Path(__file__).parents[2] / "docs" / "imported_metadata.md").read_text()
    (example,) = re.findall(r"```graphql\n(.*?)```", page, flags=re.DOTALL)
    found = api.ask(example)
    assert found["samples"]["totalCount"] == 2
    assert found["ontologyTerms"][0]["id"] == LIVER


def test_statements_do_not_grow_with_samples(catalog: Catalog, tmp_path: Path) -> None:
    api = serve(catalog, tmp_path / "home", experiments=2, samples=40)
    import_metadata(catalog, samples=40)
    with api.statements() as for_one:
        api.ask(METADATA, accessions=[sample_accession(1, 1)])
    with api.statements() as for_many:
        api.ask(METADATA, accessions=["SRP000001", "SRP000002"])
    assert len(for_many) <= len(for_one)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"keywords": ["UBERON:0002107", "liver"]}, "'liver' is no id of an ontology term"),
        ({"keywords": ["' OR 1=1 --"]}, "is no id of an ontology term"),
        ({"harmonized": [{"field": "tissue", "values": ["liver"]}]}, "'tissue' is no harmonised field"),
    ],
)
def test_a_filter_that_could_find_nothing_is_an_error(api: Api, wanted: dict[str, Any], told: str) -> None:
    error = api.error(SAMPLES, filter=wanted)
    assert (error["extensions"]["code"], told in error["message"]) == ("bad_input", True)
