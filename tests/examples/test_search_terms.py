import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.ena_query import QuerySyntaxError
from examples.search_terms import parse_terms, words_occur

WORD = re.compile(r"[^\s()]+")


def matches(query, present):
    return parse_terms(query, WORD, lambda word: lambda row: word in row["words"])({"words": present.split()})


@pytest.mark.parametrize(
    ("query", "present", "found"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a b", "a", False),
        ("a AND b", "a b", True),
        ("a OR b", "b", True),
        ("a OR b AND c", "a", True),
        ("(a OR b) AND c", "a", False),
        ("NOT a", "b", True),
        ("a NOT b", "a b", False),
        ("a AND (b OR (c AND NOT d))", "a c", True),
        ("or", "or", True),
    ],
)
def test_queries_select(query, present, found):
    assert matches(query, present) is found


@pytest.mark.parametrize("query", ["", " ", "(", "a)", "(a", "AND", "a AND", "a OR", "NOT", "()", "a AND OR b"])
def test_queries_that_are_none_are_refused(query):
    with pytest.raises(QuerySyntaxError):
        matches(query, "a")


@given(st.text(alphabet="ab()ANDORT ", max_size=30))
def test_any_text_is_a_query_or_refused(text):
    try:
        found = matches(text, "a AND")
    except QuerySyntaxError:
        return
    assert found in (True, False)


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("liver", "The Liver.", True),
        ("liver", "deliver", False),
        ("mouse liver", "mouse-liver cells", True),
        ("liver mouse", "mouse liver", False),
        ("", "anything", False),
        ('"', "anything", False),
    ],
)
def test_phrases_occur_as_whole_words(phrase, text, found):
    assert words_occur(phrase, text) is found
