"""A real array with what SCAN.UPC makes of it, and small made-up chips."""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.microarray.probe_tables import ProbeTable, read_probe_table
from refinebio_assets.microarray.scan_annotation import ArrayAnnotation
from tests.microarray.array_files import cel_binary

DATA = Path(__file__).parents[1] / "data/affy/scan"
REAL_SIDE = 640


def _rows(name: str) -> list[list[str]]:
    with lzma.open(DATA / name, "rt") as file:
        return list(csv.reader(file, delimiter="\t"))


def reference(column: str) -> dict[str, float]:
    """SCAN.UPC's values: ``SCAN``, ``SCANfast``, ``UPCfast`` per probe set, ``genes`` per gene (by SCANfast)."""
    rows = _rows("genes.tsv.xz" if column == "genes" else "probe_sets.tsv.xz")
    place = 1 if column == "genes" else rows[0].index(column)
    return {row[0]: float(row[place]) for row in rows[1:]}


@cache
def real_table() -> ProbeTable:
    return read_probe_table(DATA / "hgu95av2_c30057.tsv.xz")


@cache
def gene_table() -> ProbeTable:
    """Probes with their genes, like Brainarray's: names end in ``_at``, probes without a gene are missing."""
    genes = dict(_rows("gene_of_probe_set.tsv.xz"))
    table = real_table()
    names = tuple(dict.fromkeys(genes[name] for name in table.probe_sets if name in genes))
    code_of = {name: code for code, name in enumerate(names)}
    codes = np.array([code_of[genes[name]] if name in genes else -1 for name in table.probe_sets], np.int32)
    codes = codes[table.probe_set]
    kept = codes >= 0
    return ProbeTable(x=table.x[kept], y=table.y[kept], sequence=None, probe_set=codes[kept], probe_sets=names)


@cache
def real_annotation(*, genes: bool = False) -> ArrayAnnotation:
    return ArrayAnnotation.build(real_table(), gene_table() if genes else None)


@cache
def real_grid() -> NDArray[np.float32]:
    """Intensities of the whole grid of C30057.CEL; 1 where the chip has no perfect match probe."""
    table = real_table()
    with lzma.open(DATA / "hgu95av2_c30057.tsv.xz", "rt") as file:
        next(file)
        intensities = np.array([line[line.rindex("\t") + 1 :] for line in file], dtype=np.float32)
    grid = np.ones(REAL_SIDE * REAL_SIDE, np.float32)
    grid[table.index(REAL_SIDE)] = intensities
    return grid


@dataclass(frozen=True)
class Chip:
    """A made-up chip: every cell is a probe, ten of them make a probe set."""

    side: int
    letters: NDArray[np.uint8]
    sets: NDArray[np.int64]

    @property
    def sequences(self) -> list[str]:
        return [bytes(row).decode() for row in self.letters]

    def table_text(self, *, suffix: str = "_at") -> str:
        rows = (
            f"{1000 + number}{suffix}\t{cell % self.side}\t{cell // self.side}\t{sequence}"
            for cell, (number, sequence) in enumerate(zip(self.sets.tolist(), self.sequences, strict=True))
        )
        return "\n".join(["Probe Set Name\tProbe X\tProbe Y\tProbe Sequence", *rows, ""])

    def intensities(self, seed: int) -> NDArray[np.float32]:
        """Background by G and C, and signal in every third probe set; whole numbers and a half, as scanners write."""
        generator = np.random.default_rng(seed)
        gc = ((self.letters == ord("C")) | (self.letters == ord("G"))).sum(axis=1)
        y = 6.0 + 0.25 * (gc - 12.5) + generator.normal(0, 0.4, len(gc)) + 3.0 * (self.sets % 3 == 0)
        return (np.round(2 * 2.0**y) / 2 + 0.5).astype(np.float32)

    def cel(self, seed: int, *, chip_type: str = "Made_Up") -> bytes:
        return cel_binary(self.intensities(seed), cols=self.side, chip_type=chip_type)


@cache
def made_up_chip(side: int = 80, seed: int = 1) -> Chip:
    generator = np.random.default_rng(seed)
    letters = np.frombuffer(b"ACGT", np.uint8)[generator.integers(0, 4, (side * side, 25))]
    return Chip(side, letters, generator.permutation(side * side) // 10)
