"""BeadArrays against limma (nec, in one run) and refine.bio's illumina.R (its measured cost): cpu, equal numbers.

The arrays are the four of ``tests/data/illumina``, 8,000 probes each; for the size of a whole HumanHT-12 they are
repeated six times with made sequences. refine.bio's program cannot be installed from package registries: its 3.8 cpu-
seconds per array of 8,000 probes were measured with R 4.2.2 on this file.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from refinebio_assets.microarray.bead_scan import BeadDesign, bead_scan
from refinebio_assets.microarray.illumina_platform import read_platform_table
from refinebio_assets.microarray.illumina_table import read_bead_table
from refinebio_assets.microarray.normexp import nec

DATA = Path(__file__).resolve().parents[1] / "tests" / "data" / "illumina"
TABLE = DATA / "lumi_example_4_non-normalized.txt.gz"
SECONDS_OF_REFINE_BIO = 3.8

R = """
suppressMessages(library(limma))
a <- commandArgs(TRUE)
t <- read.delim(gzfile(a[1]), check.names = FALSE, row.names = 1)
s <- as.matrix(t[, seq(1, ncol(t), 2)]); p <- as.matrix(t[, seq(2, ncol(t), 2)])
before <- proc.time()
for (i in 1:as.integer(a[3])) x <- nec(s, detection.p = p)
cat("CALL", sum((proc.time() - before)[1:2]) / as.integer(a[3]), "\\n")
write.table(x, a[2], sep = "\\t", quote = FALSE)
"""


def cpu_of(call: Callable[[], object], repeats: int) -> float:
    """The least cpu seconds of several calls."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        seconds.append(time.process_time() - started)
    return min(seconds)


def against_limma(repeats: int) -> None:
    """``nec`` of four arrays."""
    table = read_bead_table(TABLE)
    ours = cpu_of(lambda: nec(table.signal, table.detection), repeats)
    with tempfile.TemporaryDirectory(prefix="illumina-benchmark-") as scratch:
        out = Path(scratch) / "nec.tsv"
        command = ["Rscript", "-e", R, str(TABLE), str(out), str(repeats)]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode:
            raise SystemExit(f"limma failed:\n{finished.stderr}")
        theirs = float(finished.stdout.split()[1])
        values = np.loadtxt(out, skiprows=1, usecols=range(1, 5), delimiter="\t").T
    difference = np.abs(np.log2(nec(table.signal, table.detection)[0]) - np.log2(values)).max()
    print(
        f"nec, 4 arrays of 8,000 probes: ours {ours:.3f} cpu s, limma {theirs:.3f}, largest difference {difference:.1e}"
    )
    print(f"RATIO nec limma/ours {theirs / ours:.1f}x")


def against_refine_bio(repeats: int) -> None:
    """SCAN of one array of 8,000 probes, and of 48,000."""
    table = read_bead_table(TABLE)
    sequences = read_platform_table(DATA / "lumi_example_probe_sequences.tsv.gz").sequences or ()
    y = nec(np.log2(table.signal), table.detection)[0][0]
    shuffled = np.random.default_rng(0)
    more = ["".join(shuffled.permutation(list(one))) for _ in range(5) for one in sequences]
    large, noise = np.tile(y, 6), shuffled.normal(0, 0.01, 6 * len(y))
    for name, values, texts in (("8,000", y, list(sequences)), ("48,000", large + noise, [*sequences, *more])):
        design = BeadDesign.from_sequences(texts)
        for method in ("refinebio-1", "bead-scan"):
            seconds = cpu_of(lambda v=values, d=design, m=method: bead_scan(v, d, m), repeats)  # type: ignore[misc]  # bound at once
            print(f"{method}, one array of {name} probes: {seconds:.3f} cpu s")
            if name == "8,000":
                print(f"RATIO {method} refine.bio/ours {SECONDS_OF_REFINE_BIO / seconds:.0f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    started = time.process_time()
    table = read_bead_table(TABLE)
    print(f"reading the table: {time.process_time() - started:.2f} cpu s, confidence {table.confidence}")
    against_limma(options.repeats)
    against_refine_bio(options.repeats)


if __name__ == "__main__":
    main()
