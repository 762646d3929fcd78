"""The catalog's database: engine, transactions, and bringing the schema up to date.

SQLite is used in WAL mode, so that readers never wait for a writer. A transaction that will write takes the write lock
at its beginning (``BEGIN IMMEDIATE``): one that read first and wanted to write later would fail at once with "database
is locked" when another process has written in between, whatever the busy time-out
(https://www.sqlite.org/isolation.html, https://www.sqlite.org/rescode.html#busy_snapshot).
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import Session

from refinebio_assets.domain.errors import ConfigurationError
from resources.catalog.migrations import HEAD_REVISION

SQLITE_BUSY_SECONDS = 30.0
"""How long a process waits for another one's write transaction on SQLite."""

MIGRATION_LOCK = 7_246_324_646
"""Key of the PostgreSQL advisory lock that makes processes migrate one after another ("refinebio" on a telephone)."""

_BEGIN_OPTION = "refinebio_sqlite_begin"


def create_catalog_engine(url: str) -> Engine:
    """An engine for a SQLite or PostgreSQL URL; the folder of a SQLite file is created.

    Raises:
        ConfigurationError: The URL is malformed or names another database.
    """
    parsed = _catalog_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).absolute().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": SQLITE_BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite_connection)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _catalog_url(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        parsed.get_dialect()
    except ValueError:
        # A port that is no number; it may be a part of the password, so neither it nor the cause is told.
        message = "The catalog's database URL cannot be used: its host and port cannot be read."
        raise ConfigurationError(message, remedy=_URL_REMEDY) from None
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        message = f"The catalog's database URL cannot be used: {error}"
        raise ConfigurationError(message, remedy=_URL_REMEDY) from error
    if backend not in {"sqlite", "postgresql"}:
        message = f"The catalog cannot be kept in {backend!r}."
        raise ConfigurationError(message, remedy=_URL_REMEDY)
    return parsed


_URL_REMEDY = "Set REFINEBIO_DATABASE_URL to sqlite:///file or postgresql+psycopg2://user:password@host/database."


def _prepare_sqlite_connection(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    connection.execute("PRAGMA foreign_keys = ON")
    # In WAL mode NORMAL survives a killed process; only a power cut can lose the last commits, never damage the file.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN_OPTION, "BEGIN"))


class Database:
    """An engine and its transactions.

    ``session()`` is for anything that writes; ``reading()`` is for pure reads, which on SQLite never wait for a writer.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing_engine = engine.execution_options(**{_BEGIN_OPTION: "BEGIN IMMEDIATE"})

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction that may write: committed on success, rolled back on error."""
        with Session(self._writing_engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that only reads."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the schema to the newest revision; safe when several processes start at once.

        Raises:
            ConfigurationError: The database was written by a newer version of refinebio.
        """
        if self._revision() == HEAD_REVISION:
            return
        if self.engine.dialect.name == "sqlite":
            self._migrate_sqlite()
            return
        with self.engine.begin() as connection:
            connection.execute(select(text("pg_advisory_xact_lock(:key)")).params(key=MIGRATION_LOCK))
            _upgrade(connection)

    def _revision(self) -> str | None:
        with self.engine.connect() as connection:
            return _read_revision(connection)

    def _migrate_sqlite(self) -> None:
        with _file_lock(self.engine.url.database):
            with self.engine.connect() as connection:
                # WAL is a lasting property of the file; it cannot be switched on inside a transaction.
                connection.execution_options(**{_BEGIN_OPTION: "PRAGMA journal_mode = WAL"}).begin().rollback()
            with self._writing_engine.begin() as connection:
                _upgrade(connection)


def _read_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _upgrade(connection: Connection) -> None:
    if _read_revision(connection) == HEAD_REVISION:
        return
    from alembic import command
    from alembic.util import CommandError

    from resources.catalog.migrations.configuration import alembic_config

    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        message = f"The catalog's tables are of a revision that this version does not know: {error}"
        raise ConfigurationError(message, remedy="Install the refinebio version that wrote the catalog.") from error


@contextmanager
def _file_lock(database: str | None) -> Iterator[None]:
    if not database or database == ":memory:":
        yield
        return
    with Path(f"{database}.migration-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
