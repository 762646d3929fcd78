"""Small quant files for tests, and the twenty real ones of zebrafish study SRP095529."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

HEADER = "Name\tLength\tEffectiveLength\tTPM\tNumReads"
ZEBRAFISH = Path(__file__).parents[1] / "data" / "zebrafish"
Row = Sequence[object]

# Genes g1 (t1, t2), g2 (t3), g3 (t4, t5; never expressed), g0 (t7); the map does not know t6; sample B has one gene.
SAMPLES: dict[str, list[Row]] = {
    "A": [
        ("t1", 100, 50.5, 10.25, 3),
        ("t2", 200, 151.125, 0, 0),
        ("t3", 1000, 951.5, 889.75, 120.5),
        ("t4", 300, 250, 0, 0),
        ("t5", 500, 451, 0, 0),
        ("t6", 700, 650, 50, 7),
        ("t7", 80, 31.25, 100, 2.5),
    ],
    "B": [
        ("t1", 100, 52.5, 0, 0),
        ("t2", 200, 148.5, 0, 0),
        ("t3", 1000, 949, 999900, 300),
        ("t4", 300, 251, 0, 0),
        ("t5", 500, 450, 0, 0),
        ("t6", 700, 649, 100, 7),
        ("t7", 80, 30.5, 0, 0),
    ],
    "C": [
        ("t1", 100, 49.5, 2, 1),
        ("t2", 200, 150, 8, 3.5),
        ("t3", 1000, 955, 0, 0),
        ("t4", 300, 252, 0, 0),
        ("t5", 500, 449, 0, 0),
        ("t6", 700, 651, 0, 0),
        ("t7", 80, 29, 90, 11),
    ],
    "D": [
        ("t1", 100, 51, 5, 2),
        ("t2", 200, 152, 0.5, 0.25),
        ("t3", 1000, 940, 10, 1.5),
        ("t4", 300, 249, 0, 0),
        ("t5", 500, 452, 0, 0),
        ("t6", 700, 652, 0, 0),
        ("t7", 80, 33, 0, 0),
    ],
}
GENE_OF = {"t1": "g1", "t2": "g1", "t3": "g2", "t4": "g3", "t5": "g3", "t7": "g0", "t9": "g9"}


def quant_sf_text(rows: Iterable[Row], header: str = HEADER) -> str:
    return header + "\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows)


def write_quant_files(folder: Path, samples: dict[str, list[Row]] = SAMPLES) -> Path:
    """``folder/<sample>/quant.sf`` for each sample."""
    for sample, rows in samples.items():
        (folder / sample).mkdir(parents=True)
        (folder / sample / "quant.sf").write_text(quant_sf_text(rows))
    return folder


def write_map(path: Path, gene_of: dict[str, str] = GENE_OF) -> Path:
    """Gene and transcript without a header, as refine.bio's ``genes_to_transcripts.txt``."""
    path.write_text("".join(f"{gene}\t{transcript}\n" for transcript, gene in gene_of.items()))
    return path


def unpack_zebrafish(folder: Path) -> Path:
    """The real study: twenty sample folders below ``folder``."""
    with tarfile.open(ZEBRAFISH / "SRP095529_quant_sf.tar.xz") as archive:
        archive.extractall(folder)  # our own file; the filters came with Python 3.11.4, Debian 12 has 3.11.2
    return folder
