"""Building blocks of the catalog's statements: many rows in few statements, alike on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Row, Select, Table, Text, any_, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session

ValueT = TypeVar("ValueT")

CHUNK = 500
"""Values in one IN list; SQLite builds before 3.32 allow 999 parameters a statement."""

VALUES_PER_STATEMENT = 20_000
"""Values that are looked up in one statement, see :func:`is_one_of`; bounds the size of its text."""


def chunks(values: Iterable[ValueT]) -> Iterator[list[ValueT]]:
    """The values in lists of at most :data:`CHUNK`."""
    every = list(values)
    for start in range(0, len(every), CHUNK):
        yield every[start : start + CHUNK]


def rows_where_in(
    session: Session, query: Select[*tuple[Any, ...]], column: InstrumentedAttribute[Any], values: Iterable[Any]
) -> list[Row[*tuple[Any, ...]]]:
    """The rows of a query whose column has one of the values; a statement for each 20,000 of them."""
    every = list(values)
    return [
        row
        for start in range(0, len(every), VALUES_PER_STATEMENT)
        for row in session.execute(query.where(is_one_of(session, column, every[start : start + VALUES_PER_STATEMENT])))
    ]


def is_one_of(session: Session, column: InstrumentedAttribute[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """The condition that a text or number column has one of the values, which are one bound value together.

    An IN list would be limited to 32,766 values on SQLite (999 in old builds), and be parsed anew for each length.
    """
    if session.get_bind().dialect.name == "postgresql":
        # Text, not the column's own type: a cast to VARCHAR(n) cuts what is longer, and would find something else.
        kind = BigInteger() if column.type.python_type is int else Text()
        return column == any_(bindparam(None, list(values), type_=postgresql.ARRAY(kind)))
    listed = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(listed.c.value))


def upsert(
    session: Session,
    model: type[DeclarativeBase],
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    returning: Sequence[InstrumentedAttribute[Any]] = (),
) -> list[Row[Any]]:
    """Insert the rows; where the key exists already, its other columns are set. All rows must have the same columns.

    Rows are written in the order of their keys, so that two processes never wait for each other in a circle.
    """
    if not rows:
        return []
    table = _table(model)
    statement = _insert(session, table)
    changes = {name: statement.excluded[name] for name in rows[0] if name not in {*key, "created_at"}}
    if changes:
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changes)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    ordered = sorted((dict(row) for row in rows), key=lambda row: tuple(row[name] for name in key))
    if not returning:
        session.execute(statement, ordered)
        return []
    return list(session.execute(statement.returning(*returning), ordered))


def insert_missing(
    session: Session,
    model: type[DeclarativeBase],
    rows: Sequence[Mapping[str, Any]],
    *,
    returning: InstrumentedAttribute[ValueT],
) -> list[ValueT]:
    """Insert the rows that are not there yet, and give back the asked column of those that were inserted."""
    if not rows:
        return []
    statement = _insert(session, _table(model)).on_conflict_do_nothing().returning(returning)
    return list(session.execute(statement, [dict(row) for row in rows]).scalars())


def _table(model: type[DeclarativeBase]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - narrows the declared type: our models are all plain tables
    return table


def _insert(session: Session, table: Table) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def storable_text(text: str) -> str:
    """The text without what a database cannot hold: NUL characters (PostgreSQL) and lone surrogates (both)."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def plain_json(value: Any) -> Any:
    """The value as it comes back from a JSON column, so that stored and new values can be compared.

    NaN and infinities become null: PostgreSQL has no JSON for them.

    Raises:
        TypeError: It holds something that JSON has no form for.
    """
    return json.loads(json.dumps(value, default=_json_form), parse_constant=lambda _: None)


def _json_form(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    message = f"{type(value).__name__} cannot be stored as JSON"
    raise TypeError(message)
