"""Clients that ask a local archive, or a scripted transport, and never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from examples.local_archive import LocalArchive
from resources.archives import ArchiveClient, Archives
from resources.archives.retry import RetryPolicy
from resources.settings import Settings

ClientFor = Callable[..., ArchiveClient]


@pytest.fixture
def sleeps() -> list[float]:
    """The waits a client would have made."""
    return []


@pytest.fixture
def client_for(sleeps: list[float]) -> Iterator[ClientFor]:
    """Makes a client of a local archive with a short time-out; waits are recorded, not made."""
    clients: list[ArchiveClient] = []

    def make(archive: LocalArchive, *, timeout_seconds: float = 5.0, attempts: int = 3) -> ArchiveClient:
        settings = Settings(
            archive_mirror_url=archive.url, archive_timeout_seconds=timeout_seconds, archive_attempts=attempts
        )
        client = ArchiveClient.from_settings(settings, sleep=sleeps.append)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def archives_for(client_for: ClientFor) -> Callable[..., Archives]:
    """Makes all archives over one local archive."""
    return lambda archive, **options: Archives(client_for(archive, **options))


@pytest.fixture
def scripted(sleeps: list[float]) -> Iterator[Callable[[Callable[[httpx.Request], httpx.Response]], ArchiveClient]]:
    """Makes a client whose requests a function answers."""
    clients: list[ArchiveClient] = []

    def make(handler: Callable[[httpx.Request], httpx.Response]) -> ArchiveClient:
        client = ArchiveClient(
            retry=RetryPolicy(attempts=3, sleep=sleeps.append), transport=httpx.MockTransport(handler)
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """A folder for synthetic studies."""
    folder = tmp_path / "studies"
    folder.mkdir()
    return folder
