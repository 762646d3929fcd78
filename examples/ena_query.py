"""The part of ENA's query language that discovery needs: comparisons, ``tax_eq()``, AND, OR, NOT and parentheses.

Grammar (https://ena-docs.readthedocs.io/en/latest/retrieval/programmatic-access/advanced-search.html)::

    query      := conjunction ("OR" conjunction)*
    conjunction:= term ("AND" term)*
    term       := "NOT" term | "(" query ")" | "tax_eq" "(" number ")" | field operator value
    operator   := "=" | "!=" | "<" | "<=" | ">" | ">="

Dates are compared as ISO text, everything else as text; ``*`` in a quoted value stands for any characters.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

Row = Mapping[str, Any]
Predicate = Callable[[Row], bool]

_TOKEN = re.compile(r'\s*(?:(?P<quoted>"[^"]*")|(?P<sign><=|>=|!=|[=<>()])|(?P<word>[^\s=<>!()"]+))')

_ORDER: dict[str, Callable[[str, str], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class QuerySyntaxError(ValueError):
    """A query the archive would answer with status 400."""


def parse_query(text: str) -> Predicate:
    """A function that tells whether a row matches the query; an empty query matches every row.

    Raises:
        QuerySyntaxError: The text follows no grammar rule.
    """
    tokens = _tokens(text)
    if not tokens:
        return lambda _row: True
    parser = _Parser(tokens)
    predicate = parser.query()
    if parser.peek() is not None:
        raise QuerySyntaxError(parser.complaint())
    return predicate


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            message = f"cannot read the query from {stripped[position : position + 20]!r} on"
            raise QuerySyntaxError(message)
        tokens.append(match.group().strip())
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0

    def peek(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def complaint(self) -> str:
        return f"unexpected {self.peek() or 'end of query'}"

    def query(self) -> Predicate:
        alternatives = [self._conjunction()]
        while self._skip("OR"):
            alternatives.append(self._conjunction())
        return lambda row: any(matches(row) for matches in alternatives)

    def _conjunction(self) -> Predicate:
        conditions = [self._term()]
        while self._skip("AND"):
            conditions.append(self._term())
        return lambda row: all(matches(row) for matches in conditions)

    def _term(self) -> Predicate:
        if self._skip("NOT"):
            negated = self._term()
            return lambda row: not negated(row)
        if self._skip("("):
            inner = self.query()
            self._expect(")")
            return inner
        name = self._take()
        if name.lower() == "tax_eq":
            self._expect("(")
            taxon = self._take()
            self._expect(")")
            return lambda row: str(row.get("tax_id", "")) == taxon
        return _comparison(name, self._take(), self._take().strip('"'))

    def _take(self) -> str:
        token = self.peek()
        if token is None or token in ("(", ")"):
            raise QuerySyntaxError(self.complaint())
        self._next += 1
        return token

    def _skip(self, token: str) -> bool:
        found = (self.peek() or "").upper() == token
        self._next += found
        return found

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            raise QuerySyntaxError(self.complaint())


def _comparison(field: str, sign: str, value: str) -> Predicate:
    if sign in _ORDER:
        compare = _ORDER[sign]
        return lambda row: bool(row.get(field)) and compare(str(row[field]), value)
    if sign not in ("=", "!="):
        message = f"unexpected {sign}"
        raise QuerySyntaxError(message)
    pattern = value.lower().replace("[", "[[]").replace("?", "[?]")
    return lambda row: fnmatchcase(str(row.get(field, "")).lower(), pattern) == (sign == "=")
