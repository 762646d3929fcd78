"""``kill -9`` at random moments of an ingest: run again, it ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from examples.synthetic import SyntheticStudy, simulated_reads
from resources.catalog.models import Base, LedgerHistory
from tests.end_to_end.installation import Installation

pytestmark = pytest.mark.end_to_end

STUDY = "SRP900002"
SAMPLES = 4
KILLS = 10
SEED = 9
UNWATCHED = re.compile(r"\.(tmp|part|json|new|lock)$|/\.|salmon/\w+/|/(genomes|indices|samples|tools)$|(?<!seq)\.bin$")
"""Names that come and go, and the many small files of Salmon."""


@pytest.fixture(scope="module")
def study(tmp_path_factory, transcripts) -> Path:
    """Four paired-end samples of reads drawn from the transcripts of the bundled genome."""
    made = SyntheticStudy(STUDY)
    for seed in range(SAMPLES):
        made.add_run(fastq=simulated_reads(transcripts, pairs=1500, seed=seed), attributes={"tissue": "leaf"})
    return made.write(tmp_path_factory.mktemp("studies"))


@dataclass
class Watched:
    """An ingest and what can be seen of it from outside, in order: requests, files, states of the ledger."""

    installation: Installation
    events: list[str] = field(default_factory=list)

    def run(self, until: set[str] | None = None, *, patience: float = 0.0) -> bool:
        """Ingest; kill it at the first of the events ``until`` (and ``patience`` seconds). Whether it was killed."""
        self.installation.archive.forget_requests()
        seen = set(self._seen())
        process = self.installation.start("ingest", STUDY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None:
            new = [event for event in self._seen() if event not in seen]
            seen.update(new)
            self.events += new
            if until is not None and not until.isdisjoint(new):
                time.sleep(patience)
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.002)
        _, errors = process.communicate(timeout=60)
        assert process.returncode in {0, -signal.SIGKILL}, errors
        return process.returncode != 0

    def _seen(self) -> Iterator[str]:
        requests = (f"request {request.target}" for request in self.installation.archive.requests)
        yield from dict.fromkeys(requests)
        yield from (f"file {name}" for name in sorted(self._files()) if not UNWATCHED.search(name))
        yield from self._states()

    def _files(self) -> Iterator[str]:
        for root in (self.installation.objects, self.installation.scratch):
            for folder, folders, names in os.walk(root):
                yield from (os.path.relpath(Path(folder, name), self.installation.home) for name in [*folders, *names])

    def _states(self) -> list[str]:
        path = self.installation.home / "catalog.sqlite"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            rows = connection.execute("SELECT accession, state FROM ledger_history ORDER BY id").fetchall()
        except sqlite3.OperationalError:  # no tables yet
            return []
        finally:
            connection.close()
        return [f"{accession} {state}" for accession, state in rows]


def moments(events: list[str], seed: int) -> list[tuple[int, float]]:
    """Ten positions among the events, one at random in each tenth, each with a random delay of up to 50 ms."""
    chance = random.Random(seed)
    bounds = [(len(events) - 3) * tenth // KILLS for tenth in range(KILLS + 1)]
    return [(chance.randrange(bounds[i], bounds[i + 1]), chance.uniform(0, 0.05)) for i in range(KILLS)]


def processes_of(home: Path) -> list[str]:
    """Command lines of living processes that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(home) in command:
            found.append(command)
    return found


def wait_until_alone(home: Path) -> list[str]:
    """Processes of the home that are still there after two seconds."""
    deadline = time.monotonic() + 2
    while (left := processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def content(installation: Installation) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the catalog but the history, without times, run ids, attempts and numbers that only count rows."""
    links = {"result_id": "computational_results", "processor_id": "processors"}
    natural = {"computational_results": "fingerprint", "processors": "environment_sha256"}
    tables: dict[str, list[tuple[Any, ...]]] = {}
    with installation.catalog() as catalog, catalog.engine.connect() as connection:
        names = {
            table: dict(tuple(row) for row in connection.execute(text(f"SELECT id, {column} FROM {table}")))
            for table, column in natural.items()
        }
        for table in set(Base.metadata.sorted_tables) - {LedgerHistory.__table__}:
            columns = [column.name for column in table.columns if not re.search(r"(^id|^run_id|^at|_at)$", column.name)]
            if table.name == "ledger":
                columns.remove("attempts")
            rows = connection.execute(text(f"SELECT {', '.join(columns)} FROM {table.name}"))
            tables[table.name] = sorted(
                (
                    tuple(names[links[c]][v] if c in links and v else str(v) for c, v in zip(columns, row, strict=True))
                    for row in rows
                ),
            )
    notes = tables["catalog_properties"]
    tables["catalog_properties"] = [
        (name, "a time" if name.startswith("surveyed:") else value) for name, value in notes
    ]
    return tables


def histories(installation: Installation) -> dict[str, list[tuple[str, str, str]]]:
    """What the ledger remembers of every accession, oldest first."""
    with installation.catalog() as catalog:
        accessions = [STUDY, *(entry.accession for entry in catalog.ledger.of_experiment(STUDY))]
        return {a: [(row.state, row.reason, row.message) for row in catalog.ledger.history(a)] for a in accessions}


def dagster_runs(installation: Installation) -> list[dg.DagsterRun]:
    with installation.session() as session:
        return list(session.instance.get_runs())


def assert_sane(ours: dict[str, list], undisturbed: dict[str, list]) -> None:
    """Samples have gone the same way; the experiment may have said in between how far it was."""
    assert {name: steps for name, steps in ours.items() if name != STUDY} == {
        name: steps for name, steps in undisturbed.items() if name != STUDY
    }
    assert [step for step in ours[STUDY] if step in undisturbed[STUDY]] == undisturbed[STUDY]
    for steps in ours.values():
        assert all(before != after for before, after in pairwise(steps)), "the same entry twice"


def test_killed_at_ten_random_moments_an_ingest_ends_as_if_it_never_was(install, study, figures):
    control = install(study, parallel_samples="2")
    watched = Watched(control)
    assert not watched.run()
    events = watched.events
    assert len(events) > 50

    killed = install(study, parallel_samples="2")
    victim, kills = Watched(killed), []
    for position, patience in moments(events, SEED):
        # What is done is not done again, so that this event may not come again: a later one then.
        if victim.run(set(events[position:]), patience=patience):
            kills.append(victim.events[-1])
            assert wait_until_alone(killed.home) == [], "a program outlived the process that started it"
    assert not victim.run()
    figures(f"{len(kills)} kills among {len(events)} events, after: {'; '.join(kills)}")

    assert len(kills) == KILLS
    assert killed.stored() == control.stored()
    assert content(killed) == content(control)
    assert_sane(histories(killed), histories(control))
    assert {path.parent.name for path in killed.scratch.rglob("*") if path.is_file()} <= {"tools"}
    assert sum(1 for path in (killed.scratch / "tools").iterdir()) == 1
    with killed.catalog() as catalog:
        assert catalog.ledger.counts(STUDY) == {"processed": SAMPLES}
        assert catalog.ledger_is_complete(STUDY) == (SAMPLES, SAMPLES)
    unfinished = {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED}
    statuses = [run.status for run in dagster_runs(killed)]
    assert unfinished.isdisjoint(statuses)
    assert statuses.count(dg.DagsterRunStatus.FAILURE) >= KILLS // 2
