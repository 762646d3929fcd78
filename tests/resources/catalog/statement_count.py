"""Counting the SQL statements of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from resources.catalog import Catalog


@contextmanager
def statements(catalog: Catalog) -> Iterator[list[str]]:
    """The statements sent to the database within the block; one for a whole batch of rows."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(catalog.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(catalog.engine, "before_cursor_execute", note)
