"""Fixtures for the database: every test of the catalog runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.catalog import Catalog
from tests.postgres_service import PostgresService, postgres_service


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


@pytest.fixture
def postgres_url(postgres: PostgresService, postgres_template: str) -> Iterator[str]:
    """URL of a migrated, empty catalog of this test's own."""
    with postgres.database(postgres_template) as url:
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
