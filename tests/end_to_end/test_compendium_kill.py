"""``kill -9`` at ten moments of a compendium: built again, it ends with the same bytes, and nothing is left over.

The builds run in processes of their own, forked from one that has the libraries loaded: so a kill costs what the build
costs, not the seconds that starting takes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import anndata
import dagster as dg
import numpy as np
import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.compendia import filtered_samples, imputation_steps
from refinebio_assets.domain.vocabulary import CompendiumKind
from resources.dagster_adapters import shared_catalog
from resources.settings import get_settings
from tests.compendia.organisms import ORGANISM, Organism, environment_of
from tests.end_to_end.installation import Installation

pytestmark = pytest.mark.end_to_end

KILLS = 10
LAST_EVENTS = 3
"""Of a build; a kill there could come when it has ended."""
SEED = 5
SETTINGS = {
    "REFINEBIO_QN_TARGET_MIN_SAMPLES": "10",
    "REFINEBIO_COMPENDIUM_MIN_SAMPLES": "10",
    "REFINEBIO_COMPENDIUM_GENE_COMPLETENESS": "0.6",
}
ONE_FORMAT = {"REFINEBIO_COMPENDIUM_FORMATS": '["h5ad"]'}
GENES = 600
COMMAND = ("compendium", "--organism", "Homo sapiens")
PRELOADED = ["refinebio_assets.runs", "anndata", "zarr", "h5py", "pyarrow.parquet", "matplotlib.figure", __name__]


@pytest.fixture(scope="module")
def forks() -> ForkServerContext:
    """Processes that have the libraries loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def prepare(home: Path) -> Installation:
    """An installation with samples of two technologies and a QN target; nothing of it was processed."""
    organism = Organism(environment=environment_of(home, compendium_gene_completeness=0.6), genes=GENES)
    organism.arrays("GSE101", 90, missing=GENES // 6)
    organism.arrays("GSE102", 30)
    organism.rna_seq("SRP103", 120)
    organism.make_target()
    organism.environment.catalog.dispose()
    return Installation(home, None, SETTINGS)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("prepared") / "home"
    prepare(home)
    return home


def copy_of(prepared: Path, home: Path, **settings: str) -> Installation:
    shutil.copytree(prepared, home)
    return Installation(home, None, SETTINGS | settings)


def run_command(environment: dict[str, str], arguments: tuple[str, ...], said: Path) -> None:
    """What a process does: the command, with checkpoints as often as there can be."""
    os.environ.clear()
    os.environ.update(environment)
    get_settings.cache_clear()
    shared_catalog.cache_clear()
    for module in (filtered_samples, imputation_steps):
        module.SECONDS_BETWEEN_CHECKPOINTS = 0.0
    with said.open("w") as file, redirect_stdout(file), redirect_stderr(file):
        status = main(arguments)
    os._exit(status)


class Build:
    """A build in a process of its own, and what appears on disk meanwhile."""

    def __init__(self, forks: ForkServerContext, installation: Installation, *options: str) -> None:
        self._installation = installation
        self._said = installation.home.with_suffix(".said")
        arguments = (installation.environment, (*COMMAND, *options), self._said)
        self._process = forks.Process(target=run_command, args=arguments)
        self._states: dict[str, dict[int, None]] = {}
        self.events: list[str] = []

    def run(self, until: set[str] | None = None, *, patience: float = 0.0) -> bool:
        """Build; kill it ``patience`` seconds after the first of some events is seen. Whether it was killed."""
        self._process.start()
        seen = set(self._seen())
        while self._process.is_alive():
            new = [event for event in self._seen() if event not in seen]
            seen.update(new)
            self.events += new
            if until is not None and not until.isdisjoint(new):
                time.sleep(patience)
                os.kill(int(self._process.pid or 0), signal.SIGKILL)
                break
            time.sleep(0.004)
        self._process.join(60)
        assert self._process.exitcode in {0, -signal.SIGKILL}, self._said.read_text()
        return self._process.exitcode != 0

    def _seen(self) -> Iterator[str]:
        """Files of the build and folders with them, and how often the states that it keeps were written."""
        home = self._installation.home
        for root in ("scratch/compendia", "objects/compendia"):
            for folder, folders, names in os.walk(home / root):
                folders[:] = [name for name in folders if not name.startswith(".") or name == ".partial"]
                yield os.path.relpath(folder, home)
                for name in sorted(names):
                    if not name.startswith(".") and not name.endswith(".part"):
                        yield self._described(Path(folder, name), home)

    def _described(self, path: Path, home: Path) -> str:
        name = path.relative_to(home).as_posix()
        if path.suffix not in {".json", ".npz"} or "/files" in name:
            return name
        try:
            self._states.setdefault(name, {})[path.stat().st_mtime_ns] = None
        except FileNotFoundError:
            return name
        return f"{name} {len(self._states[name])}"


def answer(forks: ForkServerContext, installation: Installation, *options: str) -> dict[str, Any]:
    """Build undisturbed; what the command says."""
    build = Build(forks, installation, *options, "--json")
    assert not build.run()
    (item,) = json.loads(installation.home.with_suffix(".said").read_text())["items"]
    return dict(item)


def compendium_files(installation: Installation) -> dict[str, str]:
    return {name: sha256 for name, sha256 in installation.stored().items() if name.startswith("compendia/")}


def left_over(installation: Installation) -> list[str]:
    return [path.name for path in installation.scratch.rglob("*") if path.is_file()]


def test_killed_at_ten_moments_a_compendium_ends_with_the_same_bytes(
    prepared: Path, tmp_path: Path, forks: ForkServerContext, figures: Any
) -> None:
    control = copy_of(prepared, tmp_path / "control")
    watched = Build(forks, control)
    assert not watched.run()
    events = watched.events
    assert len(events) >= KILLS + LAST_EVENTS, events

    # Recorded anew, in another order of row numbers, by other processes: only the content decides the bytes.
    twin = prepare(tmp_path / "twin")
    assert not Build(forks, twin).run()
    assert compendium_files(twin) == compendium_files(control)

    victim, chance = copy_of(prepared, tmp_path / "victim"), random.Random(SEED)
    kills = []
    for position in sorted(chance.sample(range(len(events) - LAST_EVENTS), KILLS)):
        build = Build(forks, victim)
        # What is done is not done again, so that this event may not come again: a later one then.
        if build.run(set(events[position:]), patience=chance.uniform(0, 0.02)):
            kills.append(build.events[-1])
    assert not Build(forks, victim).run()
    figures(f"{len(kills)} kills among {len(events)} events, at: {'; '.join(kills)}")

    assert len(kills) >= KILLS // 2
    assert victim.stored() == control.stored()
    assert left_over(victim) == left_over(control) == []
    with victim.catalog() as ours, control.catalog() as undisturbed:
        found, expected = (one.compendia.compendia(ORGANISM, CompendiumKind.COMPENDIUM) for one in (ours, undisturbed))
    assert [(one.version, one.fingerprint, one.details) for one in found] == [
        (one.version, one.fingerprint, one.details) for one in expected
    ]
    with victim.session() as session:
        statuses = {run.status for run in session.instance.get_runs()}
    assert statuses == {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}


def test_more_samples_are_built_as_if_all_had_been_there_from_the_start(
    prepared: Path, tmp_path: Path, forks: ForkServerContext
) -> None:
    grown = copy_of(prepared, tmp_path / "grown", **ONE_FORMAT)
    before = answer(forks, grown)
    parts = {name for name in grown.stored() if name.startswith("expression_parts/")}
    add(grown)
    assert parts < {name for name in grown.stored() if name.startswith("expression_parts/")}

    extended = answer(forks, grown, "--extend")
    assert (extended["outcome"], extended["extends"], extended["samples"]) == ("built", before["version"], 260)
    old, new = matrix(before), matrix(extended)
    kept = new[old.obs_names, old.var_names]
    assert np.array_equal(old.X, kept.X)
    assert np.array_equal(old.layers["before_qn"], kept.layers["before_qn"])

    full = answer(forks, grown)
    assert (full["outcome"], full["extends"], full["samples"]) == ("built", None, 260)
    at_once = copy_of(prepared, tmp_path / "at-once", **ONE_FORMAT)
    add(at_once)
    assert answer(forks, at_once)["version"] == full["version"]
    ours, theirs = compendium_files(grown), compendium_files(at_once)
    assert theirs.items() <= ours.items()
    assert {name.split("/")[2] for name in ours} == {before["version"], extended["version"], full["version"]}


def add(installation: Installation) -> None:
    """Twenty more arrays, and the QN target with them."""
    environment = environment_of(installation.home, compendium_gene_completeness=0.6)
    organism = Organism(environment=environment, genes=GENES)
    organism.arrays("GSE104", 20, missing=GENES // 6)
    target = organism.make_target()
    assert (target.num_samples, target.reused) == (110, 90)
    environment.catalog.dispose()


def matrix(said: dict[str, Any]) -> anndata.AnnData:
    return anndata.read_h5ad(next(file for file in said["files"] if file.endswith(".h5ad")))
