"""Fixtures of the end-to-end tests: installations over local archives, and the bundled genome for made-up studies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from examples.local_archive import BUNDLED_STUDIES
from refinebio_assets.cli.main import main
from tests.end_to_end.installation import Installation, installed

BUNDLED_STUDY = BUNDLED_STUDIES / "SRP010938"
PLANTS = "ftp.ensemblgenomes.ebi.ac.uk/pub/release-57/plants"
ORGANISM = "ARABIDOPSIS_THALIANA"

Install = Callable[..., Installation]
Command = Callable[..., tuple[int, Any]]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Makes installations: ``install(study_folder, …, parallel_samples="4")``; the bundled study is always served."""
    with ExitStack() as stack:
        made: list[Installation] = []

        def make(*studies: Path, **settings: str) -> Installation:
            home = tmp_path / f"home-{len(made)}"
            made.append(stack.enter_context(installed(home, [BUNDLED_STUDY, *studies], **settings)))
            return made[-1]

        yield make


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``refinebio ARGUMENTS --json`` in this process, which spares the imports: exit status and answer."""

    def run(installation: Installation, *arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        with installation.in_process():
            status = main([*arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture(scope="session")
def transcripts() -> dict[str, str]:
    """Transcripts of the bundled genome (as RSEM extracts them) by name, to draw reads from."""
    path = Path(__file__).parents[1] / "data/rnaseq/rsem/arabidopsis.transcripts.fa.gz"
    sequences: dict[str, list[str]] = {}
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        if line.startswith(">"):
            lines = sequences.setdefault(line[1:].split()[0], [])
        else:
            lines.append(line)
    return {name: "".join(parts) for name, parts in sequences.items()}


@pytest.fixture(scope="session")
def genome_files() -> tuple[Path, Path]:
    """Genome FASTA and annotation of the bundled study."""
    folder = BUNDLED_STUDY / "files" / PLANTS
    name = "Arabidopsis_thaliana.TAIR10"
    fasta = folder / f"fasta/arabidopsis_thaliana/dna/{name}.dna.toplevel.fa.gz"
    return fasta, folder / f"gtf/arabidopsis_thaliana/{name}.57.gtf.gz"
