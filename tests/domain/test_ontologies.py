import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.imported_metadata import Value, ValueType, read_value, stored_value
from refinebio_assets.domain.ontologies import comparable_name, name_key, term_id, value_term_id


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("UBERON:0002107", "UBERON:0002107"),
        (" UBERON:0002107 ", "UBERON:0002107"),
        ("UBERON_0002107", "UBERON:0002107"),
        ("http://purl.obolibrary.org/obo/UBERON_0002107", "UBERON:0002107"),
        ("http://www.ebi.ac.uk/efo/EFO_0000246", "EFO:0000246"),
        ("http://www.orpha.net/ORDO/Orphanet_790", "Orphanet:790"),
        ("CVCL_0395", "CVCL:0395"),
        ("CVCL_E548", "CVCL:E548"),
        ("CVCL_ABCD", "CVCL:ABCD"),
        ("DOID:4", "DOID:4"),
        ("NCBITaxon:9606", "NCBITaxon:9606"),
        ("EFO_PATO:0000383", "EFO_PATO:0000383"),
        ("liver", None),
        ("part_of", None),
        ("", None),
        (":1", None),
        ("12:30", None),
        ("UBERON:0002107 liver", None),
        ("UBERON:" + "1" * 300, None),
        ("http://purl.obolibrary.org/obo/uberon.owl", None),
    ],
)
def test_term_ids_are_known_however_they_are_written(written: str, found: str | None) -> None:
    assert term_id(written) == found


@pytest.mark.parametrize("text", ["day:3", "passage_12", "GSM:1a", "batch:7", "SRR_1234567", "x1", "male"])
def test_a_value_is_not_taken_for_a_term_because_it_has_a_colon(text: str) -> None:
    assert value_term_id(text) is None


@given(st.text())
def test_a_term_id_is_its_own_id(text: str) -> None:
    found = term_id(text)
    assert found is None or term_id(found) == found


@given(st.text(max_size=600))
def test_comparing_names_again_changes_nothing(text: str) -> None:
    assert name_key(text) == comparable_name(text)[:255]
    assert comparable_name(f"  {text}\n") == comparable_name(text)


@given(
    st.tuples(st.booleans(), st.just("bool"))
    | st.tuples(st.integers(), st.just("int"))
    | st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.just("float"))
    | st.tuples(st.text(), st.just("text"))
)
def test_a_value_reads_back_equal_and_of_its_type(given_value: tuple[Value, ValueType]) -> None:
    value, value_type = given_value
    found = read_value(stored_value(value), value_type)
    assert found == value
    assert type(found) is type(value)


def test_no_number_cannot_be_stored() -> None:
    with pytest.raises(ValueError, match="nan"):
        stored_value(float("nan"))
