"""``refinebio dev``: the Dagster UI with its daemon (sensors, backfills) and the GraphQL API, in one terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import click

from refinebio_assets.cli.common import read_settings, say

if TYPE_CHECKING:
    from resources.settings import Settings

STOP_SECONDS = 15.0
"""How long a service may take to end by itself."""
GROUP_SECONDS = 5.0
"""How long what a service leaves behind may take after a signal."""


@click.command()
def dev() -> None:
    """Dagster UI, GraphQL API and sensors; Ctrl-C ends them all."""
    settings = read_settings()
    raise SystemExit(run_services(settings))


def service_commands(settings: Settings) -> dict[str, list[str]]:
    """The programs that ``refinebio dev`` runs, by name."""
    from refinebio_assets.dagster_instance import prepare_workspace

    dagster = [sys.executable, "-m", "dagster", "dev", "-w", str(prepare_workspace(settings))]
    return {
        "Dagster": [*dagster, "-h", settings.api_host, "-p", str(settings.dagster_port)],
        "API": [sys.executable, "-m", "refinebio_assets", "serve"],
    }


def addresses(settings: Settings) -> dict[str, str]:
    """Where the services answer."""
    return {
        "Dagster UI": f"http://{settings.api_host}:{settings.dagster_port}",
        "GraphQL": f"http://{settings.api_host}:{settings.api_port}/graphql",
    }


def run_services(settings: Settings, *, environment: Mapping[str, str] | None = None) -> int:
    """Run the services until one ends or the user stops them.

    Args:
        settings: Settings of this process.
        environment: Variables added to the services' environment.

    Returns:
        0 after an interruption by the user, otherwise the status of the service that ended first.
    """
    from refinebio_assets.dagster_instance import prepare_dagster_home
    from refinebio_assets.runs import open_session

    home = prepare_dagster_home(settings)
    with open_session(settings):
        pass  # before anybody works: the catalog is migrated, and what a killed process left is tidied up
    variables = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "REFINEBIO_HOME": str(settings.home.absolute()),
        **(environment or {}),
    }
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        with _stopped_by_signals():
            for name, command in service_commands(settings).items():
                children[name] = subprocess.Popen(command, env=variables, start_new_session=True)
            for name, address in addresses(settings).items():
                say(f"{name:<11} {address}")
            say("Ctrl-C ends both.")
            return _wait(children)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(list(children.values()))


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Take an end of the session and a polite kill for what Ctrl-C is: the services must not outlive this process."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        # A second signal must not interrupt the stopping.
        for number in before:
            signal.signal(number, signal.SIG_IGN)


def _wait(children: Mapping[str, subprocess.Popen[bytes]]) -> int:
    while True:
        for name, child in children.items():
            status = child.poll()
            if status is not None:
                say(f"{name} ended with status {status}.")
                return 1 if status else 0
        time.sleep(0.5)


def _stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """End the services, then whatever they started and left (web server, daemon, code server, runs)."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=max(0.1, deadline - time.monotonic()))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)
        _wait_for_groups(children, seconds=GROUP_SECONDS)
    for child in children:
        child.wait()


def _wait_for_groups(children: Sequence[subprocess.Popen[bytes]], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_group_lives(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)


def _group_lives(child: subprocess.Popen[bytes]) -> bool:
    child.poll()
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    return True
