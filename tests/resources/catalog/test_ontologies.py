from __future__ import annotations

from collections.abc import Iterable

import pytest

from refinebio_assets.domain.ontologies import SynonymScope, TermName, TermParent, TermRecord, TermRelation
from refinebio_assets.metadata.ontology_files import read_ontology
from resources.catalog import Catalog, ImportedOntology, OntologyImport, OntologySource
from tests.metadata.files import ONTOLOGY
from tests.resources.catalog.statement_count import statements


def term(
    identifier: str,
    label: str | None,
    *,
    exact: Iterable[str] = (),
    related: Iterable[str] = (),
    is_a: Iterable[str] = (),
    part_of: Iterable[str] = (),
    is_obsolete: bool = False,
) -> TermRecord:
    return TermRecord(
        id=identifier,
        label=label,
        synonyms=(
            *(TermName(name, SynonymScope.EXACT) for name in exact),
            *(TermName(name, SynonymScope.RELATED) for name in related),
        ),
        parents=(
            *(TermParent(one, TermRelation.IS_A) for one in is_a),
            *(TermParent(one, TermRelation.PART_OF) for one in part_of),
        ),
        is_obsolete=is_obsolete,
    )


LIVER = [
    term("UBERON:1", "Liver", exact=["iecur"], related=["hepar"], is_a=["UBERON:9"]),
    term("UBERON:2", "lobe of liver", part_of=["UBERON:1"]),
    term("UBERON:3", "left  lobe of liver", exact=["lobus sinister"], is_a=["UBERON:2"], part_of=["UBERON:1"]),
    term("UBERON:4", "old lobe", part_of=["UBERON:1"], is_obsolete=True),
    term("UBERON:5", "eye", exact=["oculus", "organ"]),
    term("UBERON:6", "ear", exact=["auris", "organ"]),
    term("UBERON:9", "organ"),
]


def record(
    catalog: Catalog, terms: list[TermRecord], *, prefix: str = "UBERON", partial: bool = False, dry_run: bool = False
) -> OntologyImport:
    source = OntologySource(prefix=prefix, source="a.obo", sha256="a" * 64, version="2026", is_partial=partial)
    return catalog.record_ontology(source, terms, dry_run=dry_run)


def counts(imported: OntologyImport) -> tuple[int, int, int, int]:
    return imported.added, imported.changed, imported.unchanged, imported.gone


@pytest.fixture
def liver(catalog: Catalog) -> Catalog:
    record(catalog, LIVER)
    return catalog


def test_the_same_ontology_again_changes_nothing(liver: Catalog) -> None:
    assert counts(record(liver, LIVER)) == (0, 0, 7, 0)
    assert liver.ontologies() == [
        ImportedOntology(
            prefix="UBERON",
            version="2026",
            source="a.obo",
            sha256="a" * 64,
            imported_at=liver.ontologies()[0].imported_at,
            terms=6,
        )
    ]


def test_a_new_version_adds_changes_and_makes_obsolete_what_it_lacks(liver: Catalog) -> None:
    new = [*LIVER[1:5], term("UBERON:6", "ear", exact=["auris"]), term("UBERON:9", "organ"), term("UBERON:7", "toe")]
    assert counts(record(liver, new, dry_run=True)) == (1, 1, 5, 1)
    assert counts(record(liver, new)) == (1, 1, 5, 1)
    assert counts(record(liver, new)) == (0, 0, 7, 0)
    assert liver.term_index().lookup("liver") is None
    assert liver.term_labels(["UBERON:1", "UBERON:7"]) == {"UBERON:1": "Liver", "UBERON:7": "toe"}


def test_a_term_that_comes_back_is_not_obsolete_any_more(liver: Catalog) -> None:
    record(liver, LIVER[1:])
    assert counts(record(liver, LIVER)) == (0, 1, 6, 0)
    assert liver.term_index().lookup("liver") == "UBERON:1"


def test_an_excerpt_makes_nothing_obsolete(liver: Catalog) -> None:
    assert counts(record(liver, [term("UBERON:8", "nose")], partial=True)) == (1, 0, 0, 0)
    assert liver.ontologies()[0].terms == 7


def test_a_dry_run_writes_nothing(catalog: Catalog) -> None:
    assert counts(record(catalog, LIVER, dry_run=True)) == (7, 0, 0, 0)
    assert catalog.ontologies() == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("liver", "UBERON:1"),
        ("  LIVER\n", "UBERON:1"),
        ("Left lobe  of liver", "UBERON:3"),
        ("Iecur", "UBERON:1"),
        ("organ", "UBERON:9"),
        ("oculus", "UBERON:5"),
        ("hepar", None),
        ("old lobe", None),
        ("live", None),
        ("", None),
        ("liver%", None),
        ("li\0ver", None),
        ("liver" * 10_000, None),
    ],
)
def test_a_name_finds_the_one_term_that_is_called_so(liver: Catalog, name: str, found: str | None) -> None:
    assert liver.term_index().lookup(name) == found
    assert liver.term_index(["UBERON", "CL"]).lookup(name) == found


def test_a_name_of_two_terms_finds_none_of_them(liver: Catalog) -> None:
    record(liver, [*LIVER, term("UBERON:10", "foot", exact=["pes"]), term("UBERON:11", "hoof", exact=["pes"])])
    assert liver.term_index().lookup("pes") is None


def test_of_several_ontologies_the_one_named_first_counts(liver: Catalog) -> None:
    record(liver, [term("EFO:1", "liver"), term("EFO:2", "iecur")], prefix="EFO")
    assert liver.term_index(["UBERON", "EFO"]).lookup("liver") == "UBERON:1"
    assert liver.term_index(["EFO", "UBERON"]).lookup("liver") == "EFO:1"
    assert liver.term_index(["UBERON", "EFO"]).lookup("iecur") == "EFO:2", "a label outweighs a synonym"
    assert liver.term_index().lookup("liver") is None, "nothing says which of them is meant"
    assert liver.term_index(["MONDO"]).lookup("liver") is None


def test_names_that_differ_only_after_the_indexed_part_are_told_apart(catalog: Catalog) -> None:
    record(catalog, [term("UBERON:1", "x" * 300 + "a"), term("UBERON:2", "x" * 300 + "b")])
    assert catalog.term_index().lookup("X" * 300 + "b") == "UBERON:2"
    assert catalog.term_index().lookup("x" * 300) is None


def test_a_name_is_asked_for_once_and_without_ontologies_never(catalog: Catalog) -> None:
    empty = catalog.term_index()
    with statements(catalog) as without:
        assert empty.lookup("liver") is None
    record(catalog, LIVER)
    index = catalog.term_index()
    with statements(catalog) as asked:
        assert [index.lookup(name) for name in ("liver", "Liver", " liver")] == ["UBERON:1"] * 3
    assert without == []
    assert sum(statement.startswith("SELECT") for statement in asked) == 1


def test_what_lies_below_a_term_is_found_however_deep(liver: Catalog) -> None:
    assert liver.terms_below("UBERON:1") == ["UBERON:1", "UBERON:2", "UBERON:3"]
    assert liver.terms_below("UBERON:9") == ["UBERON:1", "UBERON:2", "UBERON:3", "UBERON:9"]
    assert liver.terms_below("UBERON:3") == ["UBERON:3"]
    assert liver.terms_below("nothing") == ["nothing"]


def test_a_circle_of_terms_has_an_end(catalog: Catalog) -> None:
    record(catalog, [term("UBERON:1", "a", is_a=["UBERON:2"]), term("UBERON:2", "b", part_of=["UBERON:1"])])
    assert catalog.terms_below("UBERON:1") == ["UBERON:1", "UBERON:2"]


def test_a_cell_line_is_no_part_of_the_one_it_was_derived_from(catalog: Catalog) -> None:
    derived = TermRecord(id="CVCL:2", label="b", parents=(TermParent("CVCL:1", TermRelation.DERIVES_FROM),))
    record(catalog, [term("CVCL:1", "a"), derived], prefix="CVCL")
    assert catalog.terms_below("CVCL:1") == ["CVCL:1"]


def test_the_real_liver_has_its_lobes_below_it(catalog: Catalog) -> None:
    content = read_ontology(ONTOLOGY / "UBERON_liver.json.zst")
    assert counts(record(catalog, list(content.terms)))[0] == 236
    assert counts(record(catalog, list(content.terms))) == (0, 0, 236, 0)
    below = catalog.terms_below("UBERON:0002107")
    assert len(below) == 75
    assert set(catalog.term_labels(below).values()) >= {"liver", "right lobe of liver", "hepatic vein"}
