"""What the tests of arrays have in common: importing references, series of arrays, states and matrices."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import anndata

from examples.synthetic_geo import SyntheticSeries
from tests.end_to_end.conftest import Command
from tests.end_to_end.installation import Installation
from tests.microarray.array_series import gene, probe_map, probe_summary, probe_table

SERIES = "GSE9000101"
QUICK = {"archive_attempts": "1", "archive_timeout_seconds": "2"}


def import_chip(
    command: Command, installation: Installation, folder: Path, *, version: str = "25", **summary: Any
) -> dict[str, Any]:
    status, answer = command(
        installation, "platform", "import", "--platform", "GPL570",
        "--probe-table", str(probe_table(folder)), "--probe-summary", str(probe_summary(folder, **summary)),
        "--source", "brainarray", "--version", version,
    )  # fmt: skip
    assert status == 0
    found: dict[str, Any] = answer
    return found


def states(installation: Installation, experiment: str = SERIES) -> dict[str, tuple[str, str]]:
    with installation.catalog() as catalog:
        return {
            entry.accession: (entry.state.value, entry.reason) for entry in catalog.ledger.of_experiment(experiment)
        }


def matrix(installation: Installation, experiment: str = SERIES, name: str | None = None) -> anndata.AnnData:
    return anndata.read_h5ad(installation.objects / "array_expression" / experiment / f"{name or experiment}.h5ad")


def import_beads(command: Command, installation: Installation, folder: Path, platform: str = "GPL10558") -> None:
    status, imported = command(
        installation, "platform", "import", "--platform", platform, "--probe-map", str(probe_map(folder)),
        "--source", "illumina", "--version", "4",
    )  # fmt: skip
    assert (status, imported["kind"], imported["probes"], imported["genes"]) == (0, "probe_map", 1500, 500)


def bead_series(root: Path, titles: dict[str, int], *, table: bytes) -> SyntheticSeries:
    """A series of BeadArrays whose samples share one table."""
    series = SyntheticSeries(SERIES)
    for title in titles:
        series.add_array_sample(platform="GPL10558", cel=None, title=title)
    series.files[f"{SERIES}_non-normalized.txt.gz"] = gzip.compress(table)
    series.write(root)
    return series


def identifier_map(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "map.tsv"
    rows = [f"{1000 + number}_at\t{gene(number)}" for number in range(360)]
    path.write_text("\n".join(["PROBEID\tENSEMBL", *rows, ""]))
    return path
