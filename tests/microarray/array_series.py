"""Series of GEO with arrays of a made-up chip that calls itself one of the supported ones, and its tables of probes."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np

from examples.synthetic_geo import SyntheticSeries
from tests.microarray.scan_arrays import Chip, made_up_chip

PLUS_2, MOUSE = "HG-U133_Plus_2", "Mouse430_2"
"""Chip types as CEL headers have them: GPL570 and GPL1261."""


@cache
def chip() -> Chip:
    return made_up_chip(side=60, seed=7)


def cel(seed: int, *, chip_type: str = PLUS_2) -> bytes:
    return chip().cel(seed, chip_type=chip_type)


def gene(number: int, *, prefix: str = "ENSG") -> str:
    return f"{prefix}{number:011d}"


def probe_table(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "probe_tab.tsv"
    path.write_text(chip().table_text())
    return path


def probe_summary(folder: Path, *, prefix: str = "ENSG", shift: int = 0) -> Path:
    """Probes by gene: every probe set is one gene (or its neighbour, with ``shift``)."""
    folder.mkdir(parents=True, exist_ok=True)
    made = chip()
    rows = (
        f"{gene((number + shift) % 360, prefix=prefix)}_at\t{cell % made.side}\t{cell // made.side}"
        for cell, number in enumerate(made.sets.tolist())
    )
    path = folder / f"ensg_{prefix}_{shift}.tsv"
    path.write_text("\n".join(["Probe Set Name\tProbe X\tProbe Y", *rows, ""]))
    return path


def series_of_cels(accession: str, seeds: tuple[int, ...], root: Path) -> SyntheticSeries:
    """A series with a good array per seed."""
    series = SyntheticSeries(accession)
    for seed in seeds:
        series.add_array_sample(cel=cel(seed))
    series.write(root)
    return series


BEADS = 1500


@cache
def bead_probes() -> tuple[list[str], list[str]]:
    """Probes of a made-up BeadArray and their sequences; three of them measure one gene."""
    generator = np.random.default_rng(11)
    letters = np.array(list("ACGT"))[generator.integers(0, 4, (BEADS, 50))]
    return [f"ILMN_{1_000_000 + number}" for number in range(BEADS)], ["".join(row) for row in letters]


def probe_map(folder: Path, *, prefix: str = "ENSG") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"beads_{prefix}.tsv"
    rows = (
        f"{probe}\t{sequence}\t{'Perfect' if number % 10 else 'Bad'}\t{gene(number // 3, prefix=prefix)}"
        for number, (probe, sequence) in enumerate(zip(*bead_probes(), strict=True))
    )
    path.write_text("\n".join(["probe_id\tsequence\tquality\tensembl_id", *rows, ""]))
    return path


def bead_columns(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Signals and detection p-values of one sample."""
    generator = np.random.default_rng(seed)
    expressed = generator.random(BEADS) < 0.4
    signal = generator.normal(110, 12, BEADS) + np.where(expressed, 2.0 ** generator.normal(9, 1.5, BEADS), 0.0)
    background = np.sort(generator.normal(110, 12, 800))
    detection = 1.0 - np.searchsorted(background, signal) / len(background)
    return np.round(signal, 2), np.round(detection, 5)


def bead_table(names: dict[str, int], *, spoilt: Collection[str] = ()) -> bytes:
    """A non-normalised table with two columns per sample; those of ``spoilt`` samples hold no numbers."""
    header, columns = ["ID_REF"], [bead_probes()[0]]
    for name, seed in names.items():
        signal, detection = bead_columns(seed)
        header += [f"{name}.AVG_Signal", f"{name}.Detection Pval"]
        columns += [["#REF!"] * BEADS if name in spoilt else signal.tolist(), detection.tolist()]
    lines = ["\t".join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join(["\t".join(header), *lines, ""]).encode()
