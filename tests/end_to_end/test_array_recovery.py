"""Arrays on bad days: kills, an unwell archive, and what the sensors do about them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.faults import Fault
from tests.end_to_end.array_installation import QUICK, SERIES, import_chip, matrix, states
from tests.end_to_end.conftest import Command, Install
from tests.microarray.array_series import series_of_cels
from tests.sensors.ticks import Ticks, let_time_pass

pytestmark = pytest.mark.end_to_end


def test_an_ingest_that_is_killed_between_arrays_goes_on_where_it_was(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = series_of_cels(SERIES, tuple(range(1, 7)), tmp_path / "studies")
    installation = install(tmp_path / "studies", parallel_samples="1", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    slow = series.samples[3].accession
    installation.archive.faults.add(Fault(match=f"{slow}_array", kind="slow", seconds=60))
    process = installation.start("ingest", SERIES, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: bool(installation.archive.requests_for(f"{slow}_array")))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    done = [sample for sample, (state, _) in states(installation).items() if state == "quantified"]
    assert len(done) == 3
    installation.archive.faults.clear()
    installation.archive.forget_requests()

    status, _ = command(installation, "ingest", SERIES)

    assert status == 0
    fetched = {request.path.rpartition("/")[2] for request in installation.archive.requests_for(r"\.CEL\.gz")}
    assert fetched == {f"{sample.accession}_array.CEL.gz" for sample in series.samples[3:]}
    assert {state for state, _ in states(installation).values()} == {"processed"}
    assert not any(".tmp" in name for name in installation.stored())
    assert not list((installation.scratch / "arrays").iterdir())

    untouched = install(tmp_path / "studies", **QUICK)
    import_chip(command, untouched, tmp_path / "chip")
    assert command(untouched, "ingest", SERIES)[0] == 0
    same = {name: sha for name, sha in installation.stored().items() if name.startswith("array_expression/")}
    assert same == {name: sha for name, sha in untouched.stored().items() if name.startswith("array_expression/")}


def wait_until(happened: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_the_automation_carries_arrays_to_expression_once_their_reference_is_there(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series_of_cels(SERIES, (1, 2), tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    with installation.session() as session:
        session.catalog.ledger.discover([SERIES], source="geo")
        Ticks(session).until_idle()
    assert set(states(installation).values()) == {("surveyed", "no_platform_reference")}
    import_chip(command, installation, tmp_path / "chip")
    with installation.session() as session:
        ticks = Ticks(session)
        let_time_pass(session, 1)
        ticks.until_idle()
        assert ("experiment_automation", SERIES, True) in ticks.executed
    assert set(states(installation).values()) == {("processed", "processed")}
    assert matrix(installation).n_obs == 2


def test_arrays_that_an_unwell_archive_did_not_give_are_tried_again(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = series_of_cels(SERIES, (1, 2), tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    unlucky = series.samples[1].accession
    installation.archive.faults.add(Fault(match=f"{unlucky}_array", kind="status", status=503))
    status, answer = command(installation, "ingest", SERIES)
    assert (status, answer["items"][0]["outcome"]) == (1, "waiting")
    assert states(installation)[unlucky] == ("surveyed", "archive_unavailable")
    assert matrix(installation).n_obs == 1
    installation.archive.faults.clear()
    with installation.session() as session:
        let_time_pass(session, 1)
        ticks = Ticks(session)
        assert ticks.tick("retry_transient_failures") == [SERIES]
        assert ticks.executed == [("retry_transient_failures", SERIES, True)]
    assert matrix(installation).n_obs == 2
