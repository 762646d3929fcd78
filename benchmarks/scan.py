"""`refinebio compute scan` against SCAN.UPC's recorded cost: cpu and memory of whole processes, one array and a batch.

SCAN.UPC is not measured in the same run: the Bioconductor packages it needs (the chip's above all) are not at hand
everywhere. Its cost was recorded on a virtual machine with 2 cores, with R 4.2.2 and SCAN.UPC of Bioconductor 3.16, on
the same array (C30057, HG-U95Av2, 199,084 probes): user seconds of the call, and of the whole Rscript. Ratios compare
with that, so they are exact only on such a machine. Each of our runs is a fresh process; its figures are those of the
kernel (``wait4``). Where SCAN.UPC is installed, ``--with-scan-upc CEL`` runs it, too.
"""

from __future__ import annotations

import argparse
import lzma
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
REAL = ROOT / "tests/data/affy/scan/hgu95av2_c30057.tsv.xz"
REFINEBIO = ROOT / ".venv/bin/refinebio"

RECORDED_CALL = {"scan.upc-fast": 13.2, "scan.upc": 49.0, "upc-fast": 13.7}
RECORDED_SCRIPT = {"scan.upc-fast": 21.0}
RECORDED_PEAK_MB = 1500.0
PROMISED_SINGLE, PROMISED_BATCH, PROMISED_PEAK_MB, PROMISED_LARGE = 15.0, 50.0, 500.0, 0.3
LARGE_PROBES, LARGE_SIDE = 604_258, 1164

# A process of its own, since a child's peak memory counts from that of its parent at the fork.
MEASURE = """
import os, sys, time
started = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""
LINEAR_ALGEBRA = """
import sys, time
import numpy as np
columns, rows = 80, int(sys.argv[1])
X = np.random.default_rng(0).integers(0, 2, (rows, columns)).astype(float)
y = X @ np.ones(columns)
cpu = time.process_time()
for _ in range(2 * int(sys.argv[2])):
    np.linalg.inv(X.T @ X + np.eye(columns)) @ (X.T @ y)
print(time.process_time() - cpu)
"""


@dataclass(frozen=True)
class Run:
    """What one process used."""

    cpu: float
    wall: float
    peak_mb: float


def run(command: list[str | Path]) -> Run:
    """Run a process and see what it used."""
    measured = [sys.executable, "-S", "-c", MEASURE, *map(str, command)]
    finished = subprocess.run(measured, capture_output=True, text=True, cwd=ROOT, check=False)
    if finished.returncode:
        raise SystemExit(f"{command} failed:\n{finished.stderr}")
    return Run(*map(float, finished.stdout.split()[-3:]))


def least(runs: list[Run]) -> Run:
    """Field by field the least: what is left when the neighbours on the machine keep quiet."""
    return Run(*(min(column) for column in zip(*(vars(one).values() for one in runs), strict=True)))


def compute(cels: list[Path], table: Path, method: str, out: Path) -> list[str | Path]:
    """The command line."""
    return [REFINEBIO, "compute", "scan", *cels, "--probe-table", table, "--method", method, "--out", out]


def make_real(folder: Path, copies: int) -> tuple[list[Path], Path]:
    """The real array as text CEL files, gzip, and its probe table."""
    import gzip

    from tests.microarray.array_files import cel_text
    from tests.microarray.scan_arrays import REAL_SIDE, real_grid

    table = folder / "HG-U95Av2_probe_tab.gz"
    table.write_bytes(gzip.compress(lzma.decompress(REAL.read_bytes())))
    content = gzip.compress(cel_text(np.round(real_grid().astype(float), 1), cols=REAL_SIDE, chip_type="HG_U95Av2"))
    paths = [folder / f"C{number}.CEL.gz" for number in range(copies)]
    for path in paths:
        path.write_bytes(content)
    return paths, table


def make_large(folder: Path, copies: int) -> tuple[list[Path], Path]:
    """Synthetic arrays of the size of HG-U133 Plus 2: binary CEL files, gzip, and a probe table."""
    import gzip

    from tests.microarray.array_files import cel_binary

    generator = np.random.default_rng(1)
    letters = np.frombuffer(b"ACGT", np.uint8)[generator.integers(0, 4, (LARGE_PROBES, 25))]
    cells = np.sort(generator.permutation(LARGE_SIDE * LARGE_SIDE)[:LARGE_PROBES])
    sets = generator.permutation(LARGE_PROBES) // 11
    rows = zip(sets.tolist(), cells.tolist(), letters.view("S25").ravel().tolist(), strict=True)
    text = "".join(f"{s}_at\t{c % LARGE_SIDE}\t{c // LARGE_SIDE}\t{letter.decode()}\n" for s, c, letter in rows)
    table = folder / "large_probe_tab.gz"
    table.write_bytes(gzip.compress(f"Probe Set Name\tProbe X\tProbe Y\tProbe Sequence\n{text}".encode(), 4))
    gc = ((letters == ord("C")) | (letters == ord("G"))).sum(axis=1)
    paths = []
    for number in range(copies):
        noise = generator.normal(0, 0.5, LARGE_PROBES)
        signal = generator.gamma(2, 1.2, LARGE_PROBES) * (sets % 5 < 2)
        grid = np.full(LARGE_SIDE * LARGE_SIDE, 100.0)
        grid[cells] = np.round(2.0 ** (6 + 0.15 * (gc - 12) + noise + signal), 1)
        paths.append(folder / f"L{number}.CEL.gz")
        paths[-1].write_bytes(gzip.compress(cel_binary(grid, cols=LARGE_SIDE, chip_type="Large"), 6))
    return paths, table


def report(name: str, figure: float, unit: str, *, promised: float, more_is_better: bool) -> bool:
    """One line per promise."""
    kept = figure >= promised if more_is_better else figure <= promised
    sign = ">=" if more_is_better else "<="
    print(f"{'ok  ' if kept else 'FAIL'} {name:<58} {figure:8.2f} {unit:<6} (promised {sign} {promised:g})")
    return kept


def real_array(folder: Path, *, batch: int, repeats: int) -> bool:
    """One array and a batch of the real chip."""
    cels, table = make_real(folder, batch)
    kept = True
    for method, recorded in RECORDED_CALL.items():
        one = least([run(compute(cels[:1], table, method, folder / "one.tsv")) for _ in range(repeats)])
        many = least([run(compute(cels, table, method, folder / "many.tsv")) for _ in range(repeats)])
        each = many.cpu / batch
        print(f"{method}; SCAN.UPC's call: {recorded} cpu s (recorded)")
        for arrays, what in ((1, one), (batch, many)):
            print(f"     {arrays} arrays: {what.cpu:.2f} cpu s, {what.wall:.2f} s, {what.peak_mb:.0f} MB")
        kept &= report(
            f"{method}, one array, our process / R's call", recorded / one.cpu, "x",
            promised=PROMISED_SINGLE, more_is_better=True,
        )  # fmt: skip
        kept &= report(
            f"{method}, per array of {batch} / R's call", recorded / each, "x",
            promised=PROMISED_BATCH, more_is_better=True,
        )  # fmt: skip
        kept &= report(f"{method}, memory", many.peak_mb, "MB", promised=PROMISED_PEAK_MB, more_is_better=False)
        if method in RECORDED_SCRIPT:
            print(f"     process / whole Rscript: {RECORDED_SCRIPT[method] / one.cpu:.1f}x less cpu,", end=" ")
            print(f"{RECORDED_PEAK_MB / one.peak_mb:.0f}x less memory")
    return kept


def large_array(folder: Path, *, batch: int, repeats: int) -> bool:
    """Arrays of 604,258 probes: what one more array costs in a batch."""
    cels, table = make_large(folder, batch)
    out = folder / "large.tsv"
    one = least([run(compute(cels[:1], table, "scan-fast", out)) for _ in range(repeats)])
    many = least([run(compute(cels, table, "scan-fast", out)) for _ in range(repeats)])
    each = (many.cpu - one.cpu) / (batch - 1)
    print(f"604,258 probes, scan-fast: one array {one.cpu:.2f} cpu s, {batch} arrays {many.cpu:.2f} cpu s")
    kept = report("604,258 probes, each further array", each, "cpu s", promised=PROMISED_LARGE, more_is_better=False)
    return kept & report("604,258 probes, memory", many.peak_mb, "MB", promised=PROMISED_PEAK_MB, more_is_better=False)


def dense_baseline() -> None:
    """For orientation: only the normal equations of a dense matrix, by numpy, as often as SCANfast needs them."""
    from refinebio_assets.microarray.scan import scan
    from tests.microarray.scan_arrays import REAL_SIDE, real_annotation, real_grid

    annotation = real_annotation()
    intensities = real_grid()[annotation.y.astype(np.int64) * REAL_SIDE + annotation.x]
    started = time.process_time()
    _, fit = scan(intensities, annotation.design, "scan.upc-fast")
    ours = time.process_time() - started
    command = [sys.executable, "-c", LINEAR_ALGEBRA, str(fit.sampled), str(fit.iterations)]
    theirs = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(f"     only the dense normal equations, numpy: {theirs:.3f} cpu s; our fit and values: {ours:.3f} cpu s")


def side_by_side(cel: Path, folder: Path) -> None:
    """SCAN.UPC itself, where it is installed, and how far the values are apart."""
    import csv

    from resources.tools.scan_upc_r import scan_upc

    started = time.perf_counter()
    theirs = scan_upc(cel, "SCANfast")
    print(f"SCAN.UPC, SCANfast, whole process: {time.perf_counter() - started:.1f} s")
    _, table = make_real(folder, 1)
    run(compute([cel], table, "scan.upc-fast", folder / "ours.tsv"))
    with (folder / "ours.tsv").open() as file:
        ours = {row[0]: float(row[1]) for row in list(csv.reader(file, delimiter="\t"))[1:]}
    print(f"largest difference: {max(abs(ours[name] - value) for name, value in theirs.items()):.1e}")


def main() -> None:
    """Print every ratio; exit status 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--with-scan-upc", type=Path, metavar="CEL", help="an HG-U95Av2 array")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.with_scan_upc:
            side_by_side(options.with_scan_upc, folder)
        kept = real_array(folder, batch=options.batch, repeats=options.repeats)
        dense_baseline()
        kept &= large_array(folder, batch=options.batch, repeats=options.repeats)
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
