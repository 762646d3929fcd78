"""Fixtures for the database: every test of the catalog runs on SQLite and on PostgreSQL.

And the figures that tests measure: they are printed below the results.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from resources.catalog import Catalog
from resources.catalog.models import Base
from tests.object_stores import folder_store, s3_address, s3_store, store
from tests.postgres_service import PostgresService, empty_tables, postgres_service

__all__ = ["folder_store", "s3_address", "s3_store", "store"]  # fixtures that are defined elsewhere


# How long an example takes says something about the machine only. The same examples are drawn every time, so that a
# failure is the change's and not chance's; `NEW_EXAMPLES=1 ./scripts/test` draws new ones and finds what is left.
hypothesis.settings.register_profile(
    "new examples", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "same examples", parent=hypothesis.settings.get_profile("new examples"), derandomize=True, database=None
)
hypothesis.settings.load_profile("new examples" if os.environ.get("NEW_EXAMPLES") else "same examples")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresService]:
    """A PostgreSQL server (each pytest-xdist worker starts its own)."""
    with postgres_service() as service:
        yield service


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresService) -> Iterator[str]:
    """URL of a migrated, empty catalog to copy."""
    with postgres.database() as url:
        Catalog.connect(url).dispose()
        yield url


@pytest.fixture(scope="session")
def postgres_catalog_url(postgres: PostgresService, postgres_template: str) -> Iterator[str]:
    """URL of a migrated catalog that the tests of this process use one after the other."""
    with postgres.database(postgres_template) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_catalog_url: str) -> str:
    """URL of a migrated, empty catalog (emptying one takes 20 ms, copying one 200 ms)."""
    empty_tables(postgres_catalog_url, [table.name for table in Base.metadata.sorted_tables])
    return postgres_catalog_url


@pytest.fixture
def fresh_postgres_url(postgres: PostgresService) -> Iterator[str]:
    """URL of an empty database, for tests that change tables."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite catalog to copy."""
    path = tmp_path_factory.mktemp("catalog") / "template.sqlite"
    Catalog.connect(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a migrated, empty catalog of this test's own."""
    path = tmp_path / "catalog.sqlite"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def catalog_url(request: pytest.FixtureRequest) -> str:
    """URL of a migrated, empty catalog on each database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def fresh_sqlite_url(tmp_path: Path) -> str:
    """URL of a database that does not exist yet."""
    return f"sqlite:///{tmp_path}/fresh/catalog.sqlite"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def fresh_catalog_url(request: pytest.FixtureRequest) -> str:
    """URL of a database without tables, of each kind."""
    url: str = request.getfixturevalue(f"fresh_{request.param}_url")
    return url


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    """An empty catalog on each database."""
    catalog = Catalog.connect(catalog_url)
    yield catalog
    catalog.dispose()


@pytest.fixture
def sqlite_catalog(sqlite_url: str) -> Iterator[Catalog]:
    """An empty catalog on SQLite, for tests that are not about the database."""
    catalog = Catalog.connect(sqlite_url)
    yield catalog
    catalog.dispose()


FIGURES = "figures"


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Notes a line with what a test measured; all are printed at the end of the test run."""
    return lambda line: record_property(FIGURES, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests measured."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    measured = [
        (report.nodeid, str(line)) for report in reports for name, line in report.user_properties if name == FIGURES
    ]
    if measured:
        terminalreporter.section("measured")
    for node, line in measured:
        terminalreporter.write_line(f"{node.split('::')[-1]}: {line}")
