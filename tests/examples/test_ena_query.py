import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.ena_query import QuerySyntaxError, parse_query

ROW = {
    "tax_id": "3702",
    "first_public": "2026-01-10",
    "last_updated": "",
    "library_strategy": "RNA-Seq",
    "instrument_model": "Illumina HiSeq 2500",
}


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("", True),
        ("tax_eq(3702)", True),
        ("tax_eq(9606)", False),
        ("tax_eq(9606) OR tax_eq(3702)", True),
        ('library_strategy="RNA-Seq"', True),
        ('library_strategy="rna-seq"', True),
        ('library_strategy!="RNA-Seq"', False),
        ('instrument_model="*HiSeq*"', True),
        ('instrument_model="HiSeq"', False),
        ("first_public>=2026-01-10", True),
        ("first_public>2026-01-10", False),
        ("first_public<2026-01-11 AND first_public>=2026-01-01", True),
        ("last_updated<=2030-01-01", False),
        ("unknown_field=3", False),
        ("NOT tax_eq(3702)", False),
        ("tax_eq(1) OR tax_eq(3702) AND tax_eq(1)", False),
        ("(tax_eq(1) OR tax_eq(3702)) AND NOT (tax_eq(1))", True),
    ],
)
def test_queries_select_rows(query, matches):
    assert parse_query(query)(ROW) is matches


@pytest.mark.parametrize(
    "query", ["(", "tax_eq(3702", "AND", "a=", "a ~ b", "tax_eq(1) tax_eq(2)", 'a="b', "a(b)", ")"]
)
def test_queries_outside_the_grammar_are_refused(query):
    with pytest.raises(QuerySyntaxError):
        parse_query(query)


@given(st.text(alphabet='()"=<>!* ANDORTtax_eq123-é', max_size=40))
def test_any_text_is_a_query_or_refused(text):
    try:
        matches = parse_query(text)
    except QuerySyntaxError:
        return
    assert matches(ROW) in (True, False)
