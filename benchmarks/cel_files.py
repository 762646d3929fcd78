"""Reading CEL files against Biopython and, where it is installed, R's affyio: cpu of the call, whole processes, memory.

One array of the size of an HG-U133 Plus 2.0 (1164 x 1164 cells), made up with a fixed seed, as text (version 3), binary
(version 4), and binary compressed with gzip. Each run is a fresh process; the figures are the kernel's (``wait4``).
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIDE = 1164
FILES = {"text": "v3.CEL", "binary": "v4.CEL", "binary gz": "v4.CEL.gz"}
DAT_FIELDS = "\x14  \x14 HG-U133_Plus_2.1sq" + " \x14 " * 9 + "6"
HEADER = f"""Cols={SIDE}
Rows={SIDE}
TotalX={SIDE}
TotalY={SIDE}
OffsetX=0
OffsetY=0
GridCornerUL=233 236
GridCornerUR=8500 265
GridCornerLR=8467 8530
GridCornerLL=199 8501
Axis-invertX=0
AxisInvertY=0
swapXY=0
DatHeader=[0..46133]  array:CLS=8733 RWS=8733 XIN=1  YIN=1  VE=30        2.0 01/02/03 04:05:06 50101790 M10 {DAT_FIELDS}
Algorithm=Percentile
AlgorithmParameters=Percentile:75
"""

OURS = """
import sys, time
from pathlib import Path
from refinebio_assets.microarray.cel import read_cel
read_cel(Path(sys.argv[1]))
cpu = time.process_time()
cel = read_cel(Path(sys.argv[1]))
print("CALL", time.process_time() - cpu, cel.intensities.sum(dtype="f8"))
"""
BIOPYTHON = """
import gzip, sys, time, warnings
warnings.simplefilter("ignore")
from Bio.Affy import CelFile
opened = gzip.open if sys.argv[1].endswith("gz") else open
cpu = time.process_time()
with opened(sys.argv[1], sys.argv[2]) as file:
    cel = CelFile.read(file, version=int(sys.argv[3]))
print("CALL", time.process_time() - cpu, cel.intensities.sum(dtype="f8"))
"""
AFFYIO = """
a <- commandArgs(TRUE)
before <- proc.time()
cel <- affyio::read.celfile(a[1], intensity.means.only = TRUE)
taken <- proc.time() - before
cat("CALL", taken[["user.self"]] + taken[["sys.self"]], format(sum(cel$INTENSITY$MEAN), digits = 17), "\\n")
"""


@dataclass(frozen=True)
class Figures:
    """Of one process: cpu of the call and of all, in seconds; memory in MB; what it read."""

    call: float
    process: float
    megabytes: float
    total: float


def make_files(folder: Path) -> None:
    source = np.random.default_rng(1)
    intensities = np.round(source.lognormal(5.5, 1.2, SIDE * SIDE), 1).astype("<f4")
    text = HEADER
    cells = np.zeros(SIDE * SIDE, dtype=[("mean", "<f4"), ("stdv", "<f4"), ("pixels", "<i2")])
    cells["mean"], cells["stdv"], cells["pixels"] = intensities, 20.5, 9
    texts = (text.encode(), b"Percentile", b"Percentile:75")
    head = struct.pack("<5i", 64, 4, SIDE, SIDE, SIDE * SIDE)
    binary = head + b"".join(struct.pack("<i", len(each)) + each for each in texts)
    binary += struct.pack("<4i", 4, 0, 0, 0) + cells.tobytes()
    lines = [f"[CEL]\nVersion=3\n\n[HEADER]\n{text}\n[INTENSITY]"]
    lines += [f"NumberCells={SIDE * SIDE}", "CellHeader=X\tY\tMEAN\tSTDV\tNPIXELS"]
    lines += [f"{i % SIDE:3d}\t{i // SIDE:3d}\t{value:.1f}\t20.5\t  9" for i, value in enumerate(intensities.tolist())]
    for section, columns in (("MASKS", "X\tY"), ("OUTLIERS", "X\tY"), ("MODIFIED", "X\tY\tORIGMEAN")):
        lines += ["", f"[{section}]", "NumberCells=0", f"CellHeader={columns}"]
    (folder / FILES["text"]).write_text("\n".join([*lines, ""]))
    (folder / FILES["binary"]).write_bytes(binary)
    (folder / FILES["binary gz"]).write_bytes(gzip.compress(binary, 6))


def run(command: Sequence[str]) -> Figures:
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        words = output.read().split()
    if process.returncode or "CALL" not in words:
        raise SystemExit(f"{command[0]} failed")
    call, total = words[words.index("CALL") + 1 :][:2]
    return Figures(float(call), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, float(total))


def peers(path: Path, kind: str, peer_python: str | None) -> dict[str, list[str]]:
    commands = {}
    if peer_python:
        mode, version = ("rt", "3") if kind == "text" else ("rb", "4")
        commands["Biopython"] = [peer_python, "-c", BIOPYTHON, str(path), mode, version]
    has_affyio = (
        shutil.which("Rscript")
        and not subprocess.run(["Rscript", "-e", "library(affyio)"], capture_output=True, check=False).returncode
    )
    if has_affyio:
        commands["affyio"] = ["Rscript", "-e", AFFYIO, str(path)]
    return commands


def ratios(theirs: Figures, ours: Figures) -> str:
    parts = ("call", "process", "megabytes")
    return ", ".join(f"{part} {getattr(theirs, part) / getattr(ours, part):.1f}x" for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", help="a Python with Biopython")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make_files(options.make)
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: a child's peak memory begins with what its parent has.
        subprocess.run([sys.executable, __file__, "--make", folder], check=True)
        for kind, file in FILES.items():
            path = Path(folder, file)
            ours = run([sys.executable, "-c", OURS, str(path)])
            speed = path.stat().st_size / 1e6 / ours.call
            print(f"{kind}: refinebio {ours.call * 1e3:.1f} ms ({speed:.0f} MB/s), {ours.megabytes:.0f} MB")
            for name, command in peers(path, kind, options.peer_python).items():
                theirs = run(command)
                if abs(theirs.total / ours.total - 1) > 1e-6:
                    raise SystemExit(f"{name} reads other intensities: {theirs.total} instead of {ours.total}")
                figures = f"{theirs.call * 1e3:.1f} ms, {theirs.megabytes:.0f} MB"
                print(f"  {name} {figures}; times ours: {ratios(theirs, ours)}")


if __name__ == "__main__":
    main()
