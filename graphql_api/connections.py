"""Relay connections with keyset cursors.

A cursor holds the sort key and the unique key of a row, so a page starts right after that row however many rows were
added or removed meanwhile, and the database never counts rows that it skips.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeAlias, TypeVar

import strawberry
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from graphql_api.context import AnyRow, Reader, Statement
from graphql_api.limits import DEFAULT_PAGE, MAX_PAGE
from refinebio_assets.domain.errors import InputError

if TYPE_CHECKING:
    from graphql_api.accessions.types import Resolution

Column: TypeAlias = ColumnElement[Any] | InstrumentedAttribute[Any]
NodeT = TypeVar("NodeT")
ConnectionT = TypeVar("ConnectionT", bound="Connection[Any]")


@strawberry.enum(description="Direction of a sort order.")
class Direction(Enum):
    """Direction of a sort order."""

    ASC = "asc"
    DESC = "desc"


@strawberry.type(description="Where a page lies in its connection.")
class PageInfo:
    """Where a page lies in its connection."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[NodeT]):
    """A node and its cursor."""

    cursor: str
    node: NodeT


@strawberry.type
class Connection(Generic[NodeT]):
    """One page of nodes."""

    edges: list[Edge[NodeT]]
    nodes: list[NodeT] = strawberry.field(description="The nodes of `edges`, for who needs no cursors.")
    page_info: PageInfo
    unresolved: list[Annotated[Resolution, strawberry.lazy("graphql_api.accessions.types")]] = strawberry.field(
        description="Of the `accessions` asked for, those that name nothing here, each with the reason."
    )
    count: strawberry.Private[Callable[[], int]]

    @strawberry.field(description="Number of nodes on all pages; counted only when asked for.")
    def total_count(self) -> int:
        """Number of nodes on all pages."""
        return self.count()


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many rows, after which cursor."""

    first: int
    after: str | None

    @classmethod
    def of(cls, first: int | None, after: str | None, *, most: int = MAX_PAGE) -> PageRequest:
        """Check the arguments; more than ``most`` becomes ``most``.

        Raises:
            InputError: ``first`` is less than 1.
        """
        wanted = DEFAULT_PAGE if first is None else first
        if wanted < 1:
            message = f"`first` is {wanted}; it must be 1 to {most}."
            raise InputError(message, remedy="Ask for at least one row; use totalCount to count without rows.")
        return cls(min(wanted, most), after)


@dataclass(frozen=True, slots=True)
class Slice(Generic[NodeT]):
    """The rows of a page, their cursors, and whether more follow."""

    rows: Sequence[NodeT] = ()
    cursors: Sequence[str] = ()
    has_next: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyset:
    """A total order of rows: by ``sort`` and, among equals, by ``unique``.

    Args:
        name: Name of the order; a cursor of one order is refused by another.
        unique: A column without equal values and without NULL.
        sort: What to sort by before, never NULL; None to sort by ``unique`` alone.
        descending: Largest first.
    """

    name: str
    unique: Column
    sort: Column | None = None
    descending: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the order."""
        return (self.unique,) if self.sort is None else (self.sort, self.unique)

    @property
    def order(self) -> tuple[ColumnElement[Any], ...]:
        """For ORDER BY."""
        return tuple(column.desc() if self.descending else column.asc() for column in self.columns)

    def select(self, statement: Statement) -> Statement:
        """``statement`` with the order's columns added, so that cursors can be made."""
        return statement.add_columns(*(column.label(f"loader_cursor{i}") for i, column in enumerate(self.columns)))

    def cursor(self, row: AnyRow) -> str:
        """The cursor of a row selected with :meth:`select`."""
        return encode_cursor(self._label, [getattr(row, f"loader_cursor{i}") for i in range(len(self.columns))])

    def after(self, cursor: str) -> ColumnElement[bool]:
        """The condition for rows that come after a cursor.

        Raises:
            InputError: The cursor was not made by this order.
        """
        values = decode_cursor(cursor, self._label, [_python_type(column) for column in self.columns])
        beyond: list[ColumnElement[bool]] = [
            column < value if self.descending else column > value
            for column, value in zip(self.columns, values, strict=True)
        ]
        if self.sort is None:
            return beyond[0]
        return or_(beyond[0], and_(self.sort == values[0], beyond[1]))

    @property
    def _label(self) -> str:
        return f"-{self.name}" if self.descending else self.name


def _python_type(column: Column) -> type:
    """The type of a column's values; a decorated type (UtcDateTime) is asked for what it decorates."""
    python_type: type = getattr(column.type, "impl_instance", column.type).python_type
    return python_type


def encode_cursor(label: str, values: Sequence[Any]) -> str:
    """An opaque cursor of an order's name and a row's values in it."""
    plain = [value.isoformat() if isinstance(value, date) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([label, *plain], separators=(",", ":")).encode()).decode()


def decode_cursor(cursor: str, label: str, types: Sequence[type]) -> list[Any]:
    """The values in a cursor.

    Raises:
        InputError: It is no cursor, or one of another order.
    """
    try:
        found, *plain = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if found == label and len(plain) == len(types):
            return [_cursor_value(value, kind) for value, kind in zip(plain, types, strict=True)]
    except (binascii.Error, ValueError, TypeError, RecursionError):
        pass  # told below, as for a cursor of another list
    message = f"{cursor[:80]!r} is not a cursor of this list."
    raise InputError(message, remedy="Take cursors from `endCursor` of the page before, with the same arguments.")


def _cursor_value(value: Any, kind: type[Any]) -> Any:
    """``value`` as ``kind``; ValueError or TypeError if it is none."""
    if issubclass(kind, datetime | date):
        moment = kind.fromisoformat(value)
        if isinstance(moment, datetime) and moment.tzinfo is None:
            raise ValueError(value)
        return moment
    if type(value) is not kind or (kind is int and not 0 <= value < 2**63):
        raise ValueError(value)
    return value


def page_of(reader: Reader, statement: Statement, keyset: Keyset, page: PageRequest) -> Slice[AnyRow]:
    """One page of a statement's rows."""
    wanted = keyset.select(statement).order_by(*keyset.order).limit(page.first + 1)
    if page.after is not None:
        wanted = wanted.where(keyset.after(page.after))
    return _cut(reader.rows(wanted), keyset, page)


def pages_by_parent(
    reader: Reader,
    statement: Statement,
    *,
    parent: ColumnElement[Any],
    parents: Sequence[int],
    keyset: Keyset,
    page: PageRequest,
) -> Mapping[int, Slice[AnyRow]]:
    """The first rows of many parents in one statement, by numbering the rows of each.

    Args:
        reader: The request's reader.
        statement: Rows of all parents.
        parent: The column that says whose a row is.
        parents: Keys of the parents wanted.
        keyset: Order of a parent's rows.
        page: How many of each parent, after which cursor.
    """
    if len(parents) == 1:
        return {parents[0]: page_of(reader, statement.where(parent == parents[0]), keyset, page)}
    if page.after is not None:
        statement = statement.where(keyset.after(page.after))
    number = func.row_number().over(partition_by=parent, order_by=keyset.order)
    numbered = keyset.select(statement).add_columns(parent.label("loader_parent"), number.label("loader_number"))

    def first_rows(keys: Sequence[int]) -> Statement:
        rows = numbered.where(parent.in_(keys)).subquery()
        return (
            select(rows)
            .where(rows.c.loader_number <= page.first + 1)
            .order_by(rows.c.loader_parent, rows.c.loader_number)
        )

    grouped: dict[int, list[AnyRow]] = {key: [] for key in parents}
    for row in reader.rows_by_keys(parents, first_rows):
        grouped[row.loader_parent].append(row)
    return {key: _cut(rows, keyset, page) for key, rows in grouped.items()}


def _cut(rows: Sequence[AnyRow], keyset: Keyset, page: PageRequest) -> Slice[AnyRow]:
    kept = rows[: page.first]
    return Slice(kept, [keyset.cursor(row) for row in kept], len(rows) > page.first)


def listed_page(
    label: str, keys: Sequence[str], page: PageRequest, fetch: Callable[[Sequence[str]], Mapping[str, NodeT]]
) -> Slice[NodeT]:
    """One page of a list whose order the client gave (accessions in input order).

    Args:
        label: Name of the order, for the cursor.
        keys: All keys in the order wanted, without repetition.
        page: How many, after which cursor.
        fetch: Loads the nodes of a page's keys.
    """
    start = 0
    if page.after is not None:
        start = decode_cursor(page.after, label, [int])[0] + 1
    chosen = keys[start : start + page.first]
    nodes = fetch(chosen)
    cursors = [encode_cursor(label, [start + i]) for i in range(len(chosen))]
    return Slice([nodes[key] for key in chosen], cursors, len(keys) > start + len(chosen))


def connect(
    connection_type: type[ConnectionT],
    nodes: Sequence[Any],
    found: Slice[Any],
    *,
    page: PageRequest,
    count: Callable[[], int],
    unresolved: Sequence[Any] = (),
    **further: Any,
) -> ConnectionT:
    """The connection of a page's nodes; ``found`` holds their cursors, ``further`` what only this connection has."""
    info = PageInfo(
        has_next_page=found.has_next,
        has_previous_page=page.after is not None,
        start_cursor=found.cursors[0] if found.cursors else None,
        end_cursor=found.cursors[-1] if found.cursors else None,
    )
    edges = [Edge(cursor=cursor, node=node) for cursor, node in zip(found.cursors, nodes, strict=True)]
    return connection_type(
        edges=edges, nodes=list(nodes), page_info=info, unresolved=list(unresolved), count=count, **further
    )
