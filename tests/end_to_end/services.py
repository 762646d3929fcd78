"""``refinebio dev`` for a test: its two services on free ports, and who of its processes is left afterwards."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.end_to_end.installation import Installation

START_SECONDS = 300.0
Found = TypeVar("Found")


@dataclass
class Services:
    """Running services of an installation."""

    installation: Installation
    process: subprocess.Popen
    dagster_port: int
    api_port: int

    @property
    def dagster_url(self) -> str:
        return f"http://127.0.0.1:{self.dagster_port}"

    def dagster(self, query: str, **variables: Any) -> Any:
        """What Dagster's own GraphQL answers."""
        return ask(f"{self.dagster_url}/graphql", query, variables)

    def api(self, query: str, **variables: Any) -> Any:
        """What refinebio's GraphQL API answers."""
        return ask(f"http://127.0.0.1:{self.api_port}/graphql", query, variables)

    def wait_until_they_answer(self) -> None:
        def answered() -> bool:
            assert self.process.poll() is None, "the services ended"
            with suppress(URLError, ConnectionError, TimeoutError):
                locations = self.dagster("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
                loaded = locations["workspaceOrError"]["locationEntries"]
                return bool(self.api("{ __typename }")) and [one["loadStatus"] for one in loaded] == ["LOADED"]
            return False

        wait_for(answered, seconds=START_SECONDS)

    def processes(self) -> list[int]:
        """Processes that use the installation's home, but for this one."""
        return processes_of(self.installation.home)


def ask(url: str, query: str, variables: dict[str, Any]) -> Any:
    body = json.dumps({"query": query, "variables": variables}).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=120) as response:
        answer = json.load(response)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def wait_for(what: Callable[[], Found], *, seconds: float) -> Found:
    """The first true value of a function."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.5)
    return found


def processes_of(home: Path) -> list[int]:
    """Processes on this machine with a home folder in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if f"REFINEBIO_HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return sorted(found)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def services(installation: Installation, log: Path) -> Iterator[Services]:
    """``refinebio dev`` until the block ends."""
    dagster_port, api_port = free_port(), free_port()
    installation.settings |= {"REFINEBIO_DAGSTER_PORT": str(dagster_port), "REFINEBIO_API_PORT": str(api_port)}
    with log.open("w") as output:
        process = installation.start("dev", stdout=output, stderr=output)
        running = Services(installation, process, dagster_port, api_port)
        try:
            running.wait_until_they_answer()
            yield running
        finally:
            process.terminate()
            process.wait(timeout=120)
