"""An application over a filled catalog, and a client that asks it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from graphql_api.app import create_app
from resources.catalog import Catalog
from resources.settings import Settings
from tests.graphql_api import content
from tests.postgres_service import PostgresService


@dataclass
class Api:
    """The API as a client sees it, and the statements it sends to the database."""

    client: TestClient
    catalog: Catalog

    def post(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        response = self.client.post("/graphql", json={"query": query, "variables": variables})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def ask(self, query: str, **variables: Any) -> Any:
        """The answer's data; there must be no error."""
        answer = self.post(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def error(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer's only error."""
        (error,) = self.post(query, **variables)["errors"]
        found: dict[str, Any] = error
        return found

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """The SQL statements sent meanwhile."""
        seen: list[str] = []

        def remember(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.lstrip().upper().startswith("SELECT"):
                seen.append(statement)

        event.listen(self.catalog.engine, "before_cursor_execute", remember)
        try:
            yield seen
        finally:
            event.remove(self.catalog.engine, "before_cursor_execute", remember)


def serve(catalog: Catalog, home: Path, *, experiments: int = 4, samples: int = 5, **options: Any) -> Api:
    """An API over ``catalog``, filled."""
    with catalog.session() as session:
        content.fill(session, experiments=experiments, samples=samples)
    app = create_app(Settings(home=home), catalog, **options)
    return Api(TestClient(app, raise_server_exceptions=False), catalog)


@contextmanager
def empty_database(request: pytest.FixtureRequest, database: str, folder: Path) -> Iterator[str]:
    """URL of a migrated, empty catalog."""
    if database == "sqlite":
        path = folder / "catalog.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    service: PostgresService = request.getfixturevalue("postgres")
    with service.database(request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Four experiments of five samples on each database, shared by all tests: only read it."""
    folder = tmp_path_factory.mktemp("api")
    with empty_database(request, request.param, folder) as url:
        catalog = Catalog.connect(url)
        yield serve(catalog, folder / "home")
        catalog.dispose()


@pytest.fixture
def sqlite_api(sqlite_catalog: Catalog, tmp_path: Path) -> Api:
    """The same on SQLite, for one test alone."""
    return serve(sqlite_catalog, tmp_path / "home")
