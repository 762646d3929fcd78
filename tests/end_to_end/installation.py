"""An installation of refinebio for a test: a home folder of its own over a local archive.

``run`` and ``start`` use it as a person would, in processes of their own; ``in_process`` points this process at it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.local_archive import BUNDLED_STUDIES, LocalArchive
from refinebio_assets.runs import Session, open_session
from resources.catalog import Catalog
from resources.dagster_adapters import shared_catalog
from resources.settings import Settings, get_settings

PROJECT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("refinebio")
QUICK_ARCHIVE = {
    "REFINEBIO_ARCHIVE_BACKOFF_SECONDS": "0.01",
    "REFINEBIO_ARCHIVE_REQUESTS_PER_SECOND": "10000",
}
"""The local archive needs no politeness."""


@dataclass(slots=True)
class Installation:
    """A home folder, and the archive it asks (None: whatever the command serves itself, as the demo does).

    ``settings`` are further variables, such as ``REFINEBIO_PARALLEL_SAMPLES``.
    """

    home: Path
    archive: LocalArchive | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that uses this installation and knows nothing of others."""
        own = {name: value for name, value in os.environ.items() if not is_ours(name)}
        path = os.pathsep.join([str(PROGRAM.parent), own.get("PATH", "")])
        mirror = {"REFINEBIO_ARCHIVE_MIRROR_URL": self.archive.url} if self.archive is not None else {}
        return own | {"PATH": path, "REFINEBIO_HOME": str(self.home)} | mirror | QUICK_ARCHIVE | self.settings

    @property
    def objects(self) -> Path:
        return self.home / "objects"

    @property
    def scratch(self) -> Path:
        return self.home / "scratch"

    def start(self, *arguments: str, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE) -> subprocess.Popen:
        """Start ``refinebio ARGUMENTS`` in a session of its own."""
        command = [PROGRAM, *arguments]
        return subprocess.Popen(
            command, env=self.environment, cwd=PROJECT, stdout=stdout, stderr=stderr, text=True, start_new_session=True
        )

    def run(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess:
        """Run ``refinebio ARGUMENTS`` to its end."""
        return subprocess.run(
            [PROGRAM, *arguments],
            env=self.environment, cwd=PROJECT, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def json(self, *arguments: str, status: int = 0, timeout: float = 600) -> Any:
        """What ``refinebio ARGUMENTS --json`` prints; the exit status is checked."""
        done = self.run(*arguments, "--json", timeout=timeout)
        assert done.returncode == status, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def stored(self) -> dict[str, str]:
        """sha256 of every file in the object store by path, hidden and temporary ones too."""
        return sha256_of_files(self.objects)

    def expression(self, experiment: str) -> Path:
        """The stored expression (AnnData) of an experiment."""
        return self.objects / "rna_seq_expression" / experiment / f"{experiment}.h5ad"

    def quant_file(self, experiment: str, run: str) -> Path:
        return self.objects / "quant_files" / experiment / run / "quant.sf.gz"

    @contextmanager
    def catalog(self) -> Iterator[Catalog]:
        """The catalog, by a connection of its own."""
        catalog = Catalog.connect(f"sqlite:///{self.home / 'catalog.sqlite'}")
        try:
            yield catalog
        finally:
            catalog.dispose()

    @contextmanager
    def in_process(self) -> Iterator[Settings]:
        """Make this the installation of this process; afterwards all is as before."""
        before = dict(os.environ)
        _replace_environment(self.environment)
        _forget()
        settings = get_settings()
        try:
            yield settings
        finally:
            shared_catalog(settings.catalog_url).dispose()
            _replace_environment(before)
            _forget()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """An open Dagster instance and catalog in this process, as a command has it."""
        with self.in_process() as settings, open_session(settings) as session:
            yield session


def is_ours(variable: str) -> bool:
    return variable.startswith("REFINEBIO_") or variable == "DAGSTER_HOME"


def _replace_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _forget() -> None:
    get_settings.cache_clear()
    shared_catalog.cache_clear()


def sha256_of_files(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by its path there."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def installed(
    home: Path, studies: Path | Sequence[Path] | None = BUNDLED_STUDIES, **settings: str
) -> Iterator[Installation]:
    """An installation over an archive that serves study folders; without any (None), without an archive.

    Keywords are settings: ``parallel_samples="4"``.
    """
    variables = {f"REFINEBIO_{name.upper()}": value for name, value in settings.items()}
    if studies is None:
        yield Installation(home, None, variables)
        return
    with LocalArchive(studies).serve() as archive:
        yield Installation(home, archive, variables)
