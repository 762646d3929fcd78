"""tximport against R's tximport (with readr) and pytximport: cpu of the call, whole processes, memory, equal numbers.

The twenty real zebrafish files of ``tests/data`` are replicated with their digits permuted, so that no two files are
equal but all look like Salmon's. Each run is a fresh process; the figures are those of the kernel (``wait4``).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data" / "zebrafish"

OURS = """
import sys, time
from pathlib import Path
from refinebio_assets.rna_seq.gene_map import GeneMap
from refinebio_assets.rna_seq.quant_sf import find_quant_files
from refinebio_assets.rna_seq.tximport import tximport
sources, gene_map = find_quant_files([Path(sys.argv[1])]), GeneMap.read(Path(sys.argv[2]))
cpu, wall = time.process_time(), time.perf_counter()
expression = tximport(sources, gene_map)
expression.length_scaled_tpm()
print("CALL", time.process_time() - cpu, time.perf_counter() - wall)
"""
PYTXIMPORT = """
import sys, time
from pathlib import Path
import pandas as pd
from pytximport import tximport
files = sorted(Path(sys.argv[1]).glob("*/quant.sf"))
gene_map = pd.read_csv(sys.argv[2], sep="\\t", names=["gene_id", "transcript_id"])
cpu, wall = time.process_time(), time.perf_counter()
as_they_are = {"ignore_transcript_version": False, "ignore_after_bar": False}
value = tximport(files, "salmon", gene_map, "length_scaled_tpm", **as_they_are)
print("CALL", time.process_time() - cpu, time.perf_counter() - wall)
table = pd.DataFrame(value.X.T, index=value.var_names, columns=[path.parent.name for path in files])
table.to_csv(sys.argv[3], sep="\\t", index_label="Gene")
"""
R = """
suppressMessages({library(tximport); library(readr)})
a <- commandArgs(TRUE)
files <- sort(Sys.glob(file.path(a[1], "*", "quant.sf"))); names(files) <- basename(dirname(files))
genes <- read_tsv(a[2], col_names = c("gene_id", "tx_name"), show_col_types = FALSE)
before <- proc.time()
tx2gene <- genes[, c("tx_name", "gene_id")]
txi <- tximport(files, type = "salmon", tx2gene = tx2gene, countsFromAbundance = "lengthScaledTPM")
took <- proc.time() - before
cat("CALL", sum(took[1:2]), took[3], "\\n")
write_tsv(data.frame(Gene = rownames(txi$counts), txi$counts, check.names = FALSE), a[3])
"""

# A process of its own, since a child's peak memory counts from that of its parent at the fork.
MEASURE = """
import os, sys, time
started = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - started
print("PROCESS-WITH-CALL", usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Run:
    """What one process used: seconds and MB; the call's are None where the process has no such part."""

    call_cpu: float | None
    call_wall: float | None
    cpu: float
    wall: float
    peak_mb: float


def run(command: Sequence[str | Path]) -> Run:
    """Run a process and see what it used."""
    measured = [sys.executable, "-S", "-c", MEASURE, *map(str, command)]
    finished = subprocess.run(measured, capture_output=True, text=True, cwd=ROOT, check=False)
    if finished.returncode:
        raise SystemExit(f"{command} failed:\n{finished.stderr}")
    said = {
        line.split()[0]: list(map(float, line.split()[1:])) for line in finished.stdout.splitlines() if "CALL" in line
    }
    call_cpu, call_wall = said.get("CALL", (None, None))
    return Run(call_cpu, call_wall, *said["PROCESS-WITH-CALL"])


def replicate(originals: Path, folder: Path, count: int) -> None:
    """``count`` different quant files made of the original ones; decimals keep their length, zeros stay zeros."""
    texts = [path.read_bytes().splitlines(keepends=True) for path in sorted(originals.glob("*/quant.sf"))]
    header = texts[0][0]
    first_fields = [[b"\t".join(line.split(b"\t", 2)[:2]) for line in text[1:]] for text in texts]
    numbers = [b"".join(line.split(b"\t", 2)[2] for line in text[1:]) for text in texts]
    for index in range(count):
        which, generator = index % len(texts), random.Random(index)
        digits = bytes(generator.sample(b"123456789", 9)) if index >= len(texts) else b"123456789"
        permuted = numbers[which].translate(bytes.maketrans(b"123456789", digits)).splitlines(keepends=True)
        sample = folder / f"S{index:04d}"
        sample.mkdir(parents=True)
        lines = (b"%s\t%s" % pair for pair in zip(first_fields[which], permuted, strict=True))
        (sample / "quant.sf").write_bytes(header + b"".join(lines))


def largest_difference(ours: Path, theirs: Path) -> float:
    """The largest relative difference of two tables with the same genes and samples."""
    left, right = (
        pd.read_csv(path, sep="\t", index_col="Gene", float_precision="round_trip") for path in (ours, theirs)
    )
    if set(left.index) != set(right.index) or set(left.columns) != set(right.columns):
        raise SystemExit(f"{ours} and {theirs} do not have the same genes and samples")
    a, b = left.to_numpy(), right.loc[left.index, left.columns].to_numpy()
    return float((np.abs(a - b) / np.where(b == 0, 1, np.abs(b))).max())


def least(runs: Sequence[Run]) -> Run:
    """Field by field the least of several runs: what is left when the neighbours on the machine keep quiet."""
    columns = zip(*(vars(one).values() for one in runs), strict=True)
    return Run(*(None if None in column else min(column) for column in columns))


def read_all(study: Path) -> None:
    """Everybody finds the files in the page cache."""
    for path in study.glob("*/quant.sf"):
        path.read_bytes()


def compare(
    study: Path, tx2gene: Path, out: Path, *, python: Path, repeats: int, names: Sequence[str]
) -> dict[str, Run]:
    """Alternating runs of everybody; the tables are left in ``out``."""
    cli = [ROOT / ".venv/bin/refinebio", "compute", "tximport", "--quant", study, "--tx2gene", tx2gene]
    commands: dict[str, list[str | Path]] = {
        "ours, the call": [sys.executable, "-c", OURS, study, tx2gene],
        "ours, the command": [*cli, "--out", out / "ours.tsv"],
        "R tximport + readr": ["Rscript", "-e", R, study, tx2gene, out / "R.tsv"],
        "pytximport": [python, "-c", PYTXIMPORT, study, tx2gene, out / "pytximport.tsv"],
    }
    wanted = {name: command for name, command in commands.items() if name.startswith("ours") or name in names}
    runs: dict[str, list[Run]] = {name: [] for name in wanted}
    for _ in range(repeats):
        for name, command in wanted.items():
            read_all(study)
            runs[name].append(run(command))
    return {name: least(list_of_runs) for name, list_of_runs in runs.items()}


def report(count: int, results: dict[str, Run], out: Path) -> None:
    """A table and one line per ratio."""
    print(f"\n{count} files           call: cpu s   wall s   process: cpu s   wall s   peak MB")
    for name, one in results.items():
        call = "      -        -" if one.call_cpu is None else f"{one.call_cpu:7.2f}  {one.call_wall:7.2f}"
        print(f"{name:20s}     {call}         {one.cpu:7.2f}  {one.wall:7.2f}   {one.peak_mb:7.0f}")
    call, command = results.pop("ours, the call"), results.pop("ours, the command")
    for name, peer in results.items():
        table = out / ("R.tsv" if name.startswith("R") else "pytximport.tsv")
        print(
            f"RATIO n={count} {name}: call cpu {peer.call_cpu / call.call_cpu:.1f}x, "
            f"process cpu {peer.cpu / command.cpu:.1f}x, process wall {peer.wall / command.wall:.1f}x, "
            f"memory {peer.peak_mb / command.peak_mb:.1f}x (with all matrices {peer.peak_mb / call.peak_mb:.1f}x), "
            f"largest relative difference {largest_difference(out / 'ours.tsv', table):.1e}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-python", type=Path, default=ROOT / ".venv-benchmarks/bin/python")
    parser.add_argument("--peers", nargs="*", default=["R tximport + readr", "pytximport"])
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    figures: dict[int, dict[str, dict[str, float | None]]] = {}
    with tempfile.TemporaryDirectory(prefix="tximport-benchmark-") as name:
        scratch = Path(name)
        with tarfile.open(DATA / "SRP095529_quant_sf.tar.xz") as archive:
            archive.extractall(scratch / "originals", filter="data")
        tx2gene = scratch / "tx2gene.tsv"
        with tempfile.TemporaryFile() as text:
            subprocess.run(["xz", "-dc", DATA / "genes_to_transcripts.tsv.xz"], stdout=text, check=True)
            text.seek(0)
            tx2gene.write_bytes(text.read())
        for count in options.samples:
            study = scratch / f"study{count}"
            replicate(scratch / "originals", study, count)
            results = compare(
                study, tx2gene, scratch, python=options.peer_python, repeats=options.repeats, names=options.peers
            )
            figures[count] = {who: vars(one) for who, one in results.items()}
            report(count, results, scratch)
            shutil.rmtree(study)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
