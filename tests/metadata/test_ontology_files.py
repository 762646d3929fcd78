from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.ontologies import SynonymScope, TermName, TermParent, TermRecord, TermRelation
from refinebio_assets.metadata.ontology_content import OntologyContent
from refinebio_assets.metadata.ontology_files import read_ontology
from tests.metadata.files import ONTOLOGY

OBO = """format-version: 1.2
data-version: releases/2026-01-01
ontology: uberon

[Term]
id: UBERON:0002107
name: liver
synonym: "jecur" RELATED [BTO:0000759]
synonym: "iecur\\, \\"old\\"" EXACT LATIN []
synonym: "hepatic organ" []
is_a: UBERON:0000062 {source="x"} ! organ
relationship: BFO:0000050 UBERON:0002423 ! hepatobiliary system
relationship: develops_from UBERON:0008835 ! hepatic diverticulum
alt_id: UBERON:0009999

[Term]
id: UBERON:0000169
name: obsolete thing
is_obsolete: true
replaced_by: UBERON:0002107

[Term]
id: CL:0000182
name: hepatocyte

[Typedef]
id: part_of
name: part of
"""
OBO_GRAPH = {
    "graphs": [
        {
            "id": "http://purl.obolibrary.org/obo/uberon.owl",
            "meta": {"version": "http://purl.obolibrary.org/obo/uberon/releases/2026-01-01/uberon.owl"},
            "nodes": [
                {
                    "id": "http://purl.obolibrary.org/obo/UBERON_0002107",
                    "lbl": "liver",
                    "type": "CLASS",
                    "meta": {
                        "synonyms": [
                            {"pred": "hasExactSynonym", "val": 'iecur, "old"'},
                            {"pred": "hasRelatedSynonym", "val": "jecur"},
                            {"pred": "hasRelatedSynonym", "val": "hepatic organ"},
                        ],
                        "basicPropertyValues": [
                            {
                                "pred": "http://www.geneontology.org/formats/oboInOwl#hasAlternativeId",
                                "val": "UBERON:0009999",
                            }
                        ],
                    },
                },
                {
                    "id": "http://purl.obolibrary.org/obo/UBERON_0000169",
                    "lbl": "obsolete thing",
                    "type": "CLASS",
                    "meta": {
                        "deprecated": True,
                        "basicPropertyValues": [
                            {
                                "pred": "http://purl.obolibrary.org/obo/IAO_0100001",
                                "val": "http://purl.obolibrary.org/obo/UBERON_0002107",
                            }
                        ],
                    },
                },
                {"id": "http://purl.obolibrary.org/obo/CL_0000182", "lbl": "hepatocyte", "type": "CLASS"},
                {"id": "http://purl.obolibrary.org/obo/BFO_0000050", "lbl": "part of", "type": "PROPERTY"},
            ],
            "edges": [
                {
                    "sub": "http://purl.obolibrary.org/obo/UBERON_0002107",
                    "pred": "is_a",
                    "obj": "http://purl.obolibrary.org/obo/UBERON_0000062",
                },
                {
                    "sub": "http://purl.obolibrary.org/obo/UBERON_0002107",
                    "pred": "http://purl.obolibrary.org/obo/BFO_0000050",
                    "obj": "http://purl.obolibrary.org/obo/UBERON_0002423",
                },
                {
                    "sub": "http://purl.obolibrary.org/obo/UBERON_0002107",
                    "pred": "http://purl.obolibrary.org/obo/RO_0002202",
                    "obj": "http://purl.obolibrary.org/obo/UBERON_0008835",
                },
            ],
        }
    ]
}
OWL = """<?xml version="1.0"?>
<!DOCTYPE rdf:RDF [ <!ENTITY obo "http://purl.obolibrary.org/obo/" > ]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:owl="http://www.w3.org/2002/07/owl#"
    xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xmlns:obo="http://purl.obolibrary.org/obo/"
    xmlns:oboInOwl="http://www.geneontology.org/formats/oboInOwl#">
  <owl:Ontology rdf:about="http://purl.obolibrary.org/obo/uberon.owl"><owl:versionInfo>2026-01-01</owl:versionInfo></owl:Ontology>
  <owl:ObjectProperty rdf:about="&obo;BFO_0000050"><rdfs:label>part of</rdfs:label></owl:ObjectProperty>
  <owl:Class rdf:about="&obo;UBERON_0002107">
    <rdfs:label xml:lang="de">Leber</rdfs:label>
    <rdfs:label>liver</rdfs:label>
    <oboInOwl:hasExactSynonym>iecur, "old"</oboInOwl:hasExactSynonym>
    <oboInOwl:hasRelatedSynonym>jecur</oboInOwl:hasRelatedSynonym>
    <oboInOwl:hasRelatedSynonym>hepatic organ</oboInOwl:hasRelatedSynonym>
    <oboInOwl:hasAlternativeId>UBERON:0009999</oboInOwl:hasAlternativeId>
    <rdfs:subClassOf rdf:resource="&obo;UBERON_0000062"/>
    <rdfs:subClassOf><owl:Restriction><owl:onProperty rdf:resource="&obo;BFO_0000050"/>
      <owl:someValuesFrom rdf:resource="&obo;UBERON_0002423"/></owl:Restriction></rdfs:subClassOf>
    <rdfs:subClassOf><owl:Restriction><owl:onProperty rdf:resource="&obo;RO_0002202"/>
      <owl:someValuesFrom rdf:resource="&obo;UBERON_0008835"/></owl:Restriction></rdfs:subClassOf>
  </owl:Class>
  <owl:Class rdf:about="&obo;UBERON_0000169"><rdfs:label>obsolete thing</rdfs:label>
    <owl:deprecated>true</owl:deprecated><obo:IAO_0100001 rdf:resource="&obo;UBERON_0002107"/></owl:Class>
  <owl:Class rdf:about="&obo;CL_0000182"><rdfs:label>hepatocyte</rdfs:label></owl:Class>
</rdf:RDF>
"""
EXPECTED = (
    TermRecord(id="CL:0000182", label="hepatocyte"),
    TermRecord(id="UBERON:0000169", label="obsolete thing", is_obsolete=True, replaced_by="UBERON:0002107"),
    TermRecord(
        id="UBERON:0002107",
        label="liver",
        synonyms=(
            TermName("hepatic organ", SynonymScope.RELATED),
            TermName('iecur, "old"', SynonymScope.EXACT),
            TermName("jecur", SynonymScope.RELATED),
        ),
        parents=(
            TermParent("UBERON:0000062", TermRelation.IS_A),
            TermParent("UBERON:0002423", TermRelation.PART_OF),
        ),
    ),
    TermRecord(id="UBERON:0009999", is_obsolete=True, replaced_by="UBERON:0002107"),
)


def read(tmp_path: Path, content: str | bytes) -> OntologyContent:
    path = tmp_path / "ontology"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_ontology(path)


@pytest.mark.parametrize("content", [OBO, json.dumps(OBO_GRAPH), OWL], ids=["obo", "obo graph", "owl"])
def test_the_same_ontology_in_three_formats_has_the_same_terms(tmp_path: Path, content: str) -> None:
    found = read(tmp_path, content)
    assert found.terms == EXPECTED
    assert found.own_prefix() == "UBERON"
    assert found.version is not None
    assert "2026-01-01" in found.version


@pytest.mark.parametrize("compress", [gzip.compress, lambda data: pa.compress(data, "zstd", asbytes=True)])
def test_compressed_files_are_told_by_their_content(tmp_path: Path, compress) -> None:
    assert read(tmp_path, compress(OBO.encode())).terms == EXPECTED


def test_a_real_obo_file_that_strict_parsers_refuse_is_read() -> None:
    found = read_ontology(ONTOLOGY / "interneuron_CL_UBERON.obo.gz")
    assert found.prefixes() == {"UBERON": 875, "CL": 186}
    assert found.own_prefix() is None
    terms = {term.id: term for term in found.terms}
    assert terms["CL:0000037"].label == "hematopoietic stem cell"
    assert TermName("blood forming stem cell", SynonymScope.EXACT) in terms["CL:0000037"].synonyms
    assert sum(parent.relation is TermRelation.PART_OF for term in found.terms for parent in term.parents) > 600


def test_a_real_owl_file_of_individuals_is_read() -> None:
    found = read_ontology(ONTOLOGY / "uo.owl.gz")
    terms = {term.id: term for term in found.terms}
    assert found.own_prefix() == "UO"
    assert len(terms) == 559
    assert terms["UO:0000036"].label == "year"
    assert TermParent("UO:0000003", TermRelation.IS_A) in terms["UO:0000036"].parents
    assert TermName("ms", SynonymScope.EXACT) in terms["UO:0000028"].synonyms


def test_cell_lines_are_read_from_both_formats_of_cellosaurus() -> None:
    of_xml = read_ontology(ONTOLOGY / "cellosaurus_subset.xml.gz")
    assert (of_xml.own_prefix(), of_xml.version, len(of_xml.terms)) == ("CVCL", "38.0", 34)
    terms = {term.id: term for term in of_xml.terms}
    assert terms["CVCL:E548"].label == "#15310-LN"
    assert TermName("TER-461", SynonymScope.EXACT) in terms["CVCL:E548"].synonyms
    assert sum(len(term.parents) for term in of_xml.terms) == 14
    (lncap,) = read_ontology(ONTOLOGY / "CVCL_0395.txt").terms
    assert (lncap.id, lncap.label) == ("CVCL:0395", "LNCaP")
    assert TermName("Ln-Cap", SynonymScope.EXACT) in lncap.synonyms


def test_a_table_of_ancestors_keeps_only_the_nearest() -> None:
    found = read_ontology(ONTOLOGY / "UBERON_liver.json.zst")
    terms = {term.id: term for term in found.terms}
    assert terms["UBERON:0001114"].label == "right lobe of liver"
    assert {parent.relation for term in found.terms for parent in term.parents} == {TermRelation.BROADER}
    assert TermParent("UBERON:0001113", TermRelation.BROADER) in terms["UBERON:0001114"].parents
    assert "UBERON:0002107" not in {parent.id for parent in terms["UBERON:0001114"].parents}
    assert terms["UBERON:0000027"].is_obsolete
    assert terms["UBERON:0000027"].replaced_by is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no ontology in a format"),
        ("<html><body>Service unavailable</body></html>", "no ontology in a format"),
        ("{}", "neither OBO Graphs nor terms"),
        ('{"samples": []}', "neither OBO Graphs nor terms"),
        ('{"graphs": [{"nodes": [{"lbl": "x"}]}]}', "not built as its beginning promises"),
        ('{"graphs": [', "no JSON"),
        ("format-version: 1.2\n", "no ontology term"),
        ("format-version: 1.2\n\n[Term]\nid UBERON\n", "cannot be read as OBO"),
        (OWL[: OWL.index("</rdf:RDF>")], "cannot be read as XML"),
        (gzip.compress(OBO.encode(), mtime=0)[:100], "end in the middle"),
        (pa.compress(OBO.encode(), "zstd", asbytes=True)[:100], "cannot be read to its end"),
    ],
)
def test_what_is_no_ontology_is_refused_with_its_place(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(MalformedFileError, match=message) as caught:
        read(tmp_path, content)
    assert caught.value.path == tmp_path / "ontology"


def test_an_error_in_obo_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(MalformedFileError) as caught:
        read(tmp_path, "format-version: 1.2\n\n[Term]\nid: UBERON:0000001\nname liver\n")
    assert caught.value.line == 5


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(MalformedFileError, match="no such file"):
        read_ontology(tmp_path / "nothing.obo")
