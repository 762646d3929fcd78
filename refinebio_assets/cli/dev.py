"""``refinebio dev``: the Dagster UI with its daemon (sensors, backfills) and the GraphQL API, in one terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from refinebio_assets.cli.common import read_settings, say

if TYPE_CHECKING:
    from resources.settings import Settings

STOP_SECONDS = 15.0


@click.command()
def dev() -> None:
    """Dagster UI, GraphQL API and sensors; Ctrl-C ends them all."""
    settings = read_settings()
    raise SystemExit(run_services(settings))


def service_commands(settings: Settings) -> dict[str, list[str]]:
    """The programs that ``refinebio dev`` runs, by name."""
    dagster = [sys.executable, "-m", "dagster", "dev", "-m", "refinebio_assets.definitions"]
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

    home = prepare_dagster_home(settings)
    variables = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "REFINEBIO_HOME": str(settings.home.absolute()),
        **(environment or {}),
    }
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
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


def _wait(children: Mapping[str, subprocess.Popen[bytes]]) -> int:
    while True:
        for name, child in children.items():
            status = child.poll()
            if status is not None:
                say(f"{name} ended with status {status}.")
                return 1 if status else 0
        time.sleep(0.5)


def _stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
