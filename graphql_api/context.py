"""What resolvers get of one request: a reader of the catalog, the download links, and a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Self, TypeAlias, TypeVar

import strawberry
from sqlalchemy import Row, Select
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm import Session

from graphql_api.downloads import DownloadLinks
from graphql_api.errors import CatalogUnavailableError, TimedOutError
from refinebio_assets.domain.errors import InputError
from resources.catalog import Catalog

KeyT = TypeVar("KeyT", int, str)
ResultT = TypeVar("ResultT")

Statement: TypeAlias = Select[*tuple[Any, ...]]
AnyRow: TypeAlias = Row[*tuple[Any, ...]]

KEYS_PER_STATEMENT = 10_000
"""SQLite refuses more than 32,766 bound values."""


class Reader:
    """Runs statements in the request's transaction until the deadline.

    Args:
        session: The request's session.
        seconds: How long the request may take.
    """

    def __init__(self, session: Session, *, seconds: float) -> None:
        self.session = session
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._driver_connection: Any = None
        self._lock = Lock()

    def run(self, work: Callable[[Session], ResultT]) -> ResultT:
        """What ``work`` makes of the request's session.

        Raises:
            TimedOutError: The deadline passed.
            InputError: A value of the request cannot be a value of that column.
            CatalogUnavailableError: The database does not answer.
        """
        self.check_deadline()
        try:
            self._driver_connection = self.session.connection().connection.driver_connection
            return work(self.session)
        except (DataError, ValueError) as error:
            self.session.rollback()  # PostgreSQL refuses everything else in a transaction that failed
            # psycopg2 refuses NUL characters and lone surrogates with a ValueError, PostgreSQL numbers out of range
            message = "A text or number of the request cannot be stored in the catalog, so nothing has it."
            raise InputError(message, remedy="Look for control characters and huge numbers.") from error
        except OperationalError as error:
            self.session.rollback()
            self.check_deadline()
            message = "The catalog does not answer."
            raise CatalogUnavailableError(message, remedy="Try again later.") from error

    def rows(self, statement: Statement) -> Sequence[AnyRow]:
        """All rows of a statement."""
        return self.run(lambda session: session.execute(statement).all())

    def scalar(self, statement: Statement) -> Any:
        """The one value of a statement."""
        return self.rows(statement)[0][0]

    def rows_by_keys(
        self, keys: Iterable[KeyT | None], statement: Callable[[Sequence[KeyT]], Statement]
    ) -> list[AnyRow]:
        """Rows for many keys: one statement per 10,000 distinct keys, none for no keys."""
        wanted = list(dict.fromkeys(key for key in keys if key is not None))
        found: list[AnyRow] = []
        for start in range(0, len(wanted), KEYS_PER_STATEMENT):
            found += self.rows(statement(wanted[start : start + KEYS_PER_STATEMENT]))
        return found

    def check_deadline(self) -> None:
        """Raise TimedOutError when the request has taken too long."""
        if time.monotonic() > self._deadline:
            raise timed_out(self.seconds)

    def interrupt(self) -> None:
        """Stop the statement that is running; called from another thread."""
        with self._lock:
            if self._driver_connection is not None:
                # sqlite3 calls it interrupt, psycopg2 cancel; both allow other threads
                stop = getattr(self._driver_connection, "interrupt", None) or self._driver_connection.cancel
                stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """From now on there is nothing to interrupt: the connection goes on to another request."""
        with self._lock:
            self._driver_connection = None


def timed_out(seconds: float) -> TimedOutError:
    """The error for a request that took longer than ``seconds``."""
    return TimedOutError(
        f"The answer took longer than {seconds:g} s.", remedy="Ask for fewer rows or fields at a time."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """One request's context."""

    catalog: Catalog
    reader: Reader
    downloads: DownloadLinks
    operation_name: str | None
    """The operation that the client chose."""
    base_url: str
    """Address of the API as the client sees it, without a slash at the end."""


Info: TypeAlias = strawberry.Info[RequestContext, None]


def values_of(row: AnyRow) -> dict[str, Any]:
    """A row as a mapping by column name, without the columns ``loader_…``, which are not for the node."""
    values = row._asdict()
    return {name: value for name, value in values.items() if not name.startswith("loader_")}


def reader_of(info: Info) -> Reader:
    """The request's reader."""
    return info.context.reader
