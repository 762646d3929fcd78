"""Boolean queries as Entrez and BioStudies take them: terms with AND, OR, NOT and parentheses.

What a term is and how it matches differs between the two (``gse[ETYP]``, ``organism:"Homo sapiens"``) and is given;
terms that stand side by side must both match. Words AND, OR, NOT count in capitals only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from examples.ena_query import QuerySyntaxError

Row = Mapping[str, Any]
Predicate = Callable[[Row], bool]
ReadTerm = Callable[[str], Predicate]

_OPERATORS = frozenset({"AND", "OR", "NOT", "(", ")"})


def parse_terms(text: str, term: re.Pattern[str], read_term: ReadTerm) -> Predicate:
    """A function that tells whether a row matches a query.

    Args:
        text: The query.
        term: What one term looks like; tried after parentheses.
        read_term: Gives the meaning of a term.

    Raises:
        QuerySyntaxError: The text is empty or no such query.
    """
    parser = _Parser(_tokens(text, term), read_term)
    predicate = parser.alternatives()
    if parser.peek() is not None:
        message = f"unexpected {parser.peek()}"
        raise QuerySyntaxError(message)
    return predicate


def _tokens(text: str, term: re.Pattern[str]) -> list[str]:
    tokens: list[str] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
        elif text[position] in "()":
            tokens.append(text[position])
            position += 1
        elif match := term.match(text, position):
            tokens.append(match.group().strip())
            position = match.end()
        else:
            message = f"cannot read the query from {text[position : position + 20]!r} on"
            raise QuerySyntaxError(message)
    return tokens


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str], read_term: ReadTerm) -> None:
        self._tokens = tokens
        self._next = 0
        self._read_term = read_term

    def peek(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def alternatives(self) -> Predicate:
        either = [self._conjunction()]
        while self._skip("OR"):
            either.append(self._conjunction())
        return lambda row: any(matches(row) for matches in either)

    def _conjunction(self) -> Predicate:
        conditions = [self._condition()]
        while self.peek() not in (None, "OR", ")"):
            self._skip("AND")
            conditions.append(self._condition())
        return lambda row: all(matches(row) for matches in conditions)

    def _condition(self) -> Predicate:
        if self._skip("NOT"):
            negated = self._condition()
            return lambda row: not negated(row)
        if self._skip("("):
            inner = self.alternatives()
            if not self._skip(")"):
                message = "a parenthesis is not closed"
                raise QuerySyntaxError(message)
            return inner
        token = self.peek()
        if token is None or token in _OPERATORS:
            message = f"unexpected {token or 'end of query'}"
            raise QuerySyntaxError(message)
        self._next += 1
        return self._read_term(token)

    def _skip(self, token: str) -> bool:
        found = self.peek() == token
        self._next += found
        return found


def words_occur(phrase: str, text: str) -> bool:
    """Whether a phrase occurs in a text as whole words, whatever the letter case."""
    words = re.findall(r"\w+", phrase.lower())
    return bool(words) and re.search(r"\b" + r"\W+".join(map(re.escape, words)) + r"\b", text.lower()) is not None
