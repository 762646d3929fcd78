"""QN target, normalisation and the check of distributions against preprocessCore, qnorm and plain pandas and scipy.

Everybody reads the same file of float32 samples (made, log scale, rounded so that some values are tied). Each run is a
fresh process; the peers use one thread, so we do unless ``--threads`` says more. Peers of the target: preprocessCore's
``normalize.quantiles.determine.target`` and the running sum of pandas-sorted samples that refine.bio makes; the check's
peer is refine.bio's: 100 pairs of columns of a data frame, their upper halves taken value by value, and SciPy's test.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from measuring import ROOT, TIMER, Run, least, run

OURS = f"""{TIMER}
import sys
import numpy as np
from refinebio_assets.compendia.distribution_check import check_distributions
from refinebio_assets.compendia.quantile_normalization import quantile_normalize, quantile_target
matrix = np.fromfile(sys.argv[1], np.float32).reshape(-1, int(sys.argv[2]))
with call("target"):
    target = quantile_target([matrix], threads=int(sys.argv[5]))
with call("apply"):
    normalized = quantile_normalize(matrix, target, threads=int(sys.argv[5]))
with call("check"):
    check = check_distributions(normalized.__getitem__, len(normalized))
target.tofile(sys.argv[3] + ".target")
normalized[:20].tofile(sys.argv[3] + ".normalized")
"""
QNORM = f"""{TIMER}
import sys
import numpy as np
import qnorm
matrix = np.fromfile(sys.argv[1], np.float32).reshape(-1, int(sys.argv[2])).T
target = np.fromfile(sys.argv[4])
with call("apply"):
    normalized = qnorm.quantile_normalize(matrix, target=target)
normalized[:, :20].T.astype(np.float32).tofile(sys.argv[3] + ".normalized")
"""
PANDAS = f"""{TIMER}
import sys
import numpy as np
import pandas as pd
from scipy import stats
matrix = np.fromfile(sys.argv[1], np.float32).reshape(-1, int(sys.argv[2]))
frame = pd.DataFrame(matrix.T, index=["ENSG%011d" % gene for gene in range(matrix.shape[1])])
with call("target"):
    sums = None
    for sample in frame.columns:
        ordered = frame[sample].sort_values().to_numpy(dtype=float)
        sums = ordered if sums is None else sums + ordered
    target = sums / frame.shape[1]
target.tofile(sys.argv[3] + ".target")
order = np.random.default_rng(1).permutation(frame.shape[1])
pairs = [(order[2 * one % len(order)], order[(2 * one + 1) % len(order)]) for one in range(100)]
with call("check"):
    for one, other in pairs:
        halves = []
        for column in (frame.iloc[:, one], frame.iloc[:, other]):
            median = np.median(column)
            halves.append([column.iloc[place] for place in range(len(column)) if column.iloc[place] > median])
        stats.kstest(*halves)
"""
R = """
suppressMessages(library(preprocessCore))
a <- commandArgs(TRUE); genes <- as.integer(a[2])
matrix <- matrix(readBin(a[1], "numeric", file.size(a[1]) / 4, 4), nrow = genes)
say <- function(name, before) { t <- proc.time() - before; cat("CALL", name, sum(t[1:2]), t[3], "\\n") }
before <- proc.time(); target <- normalize.quantiles.determine.target(matrix); say("target", before)
before <- proc.time(); normalized <- normalize.quantiles.use.target(matrix, target); say("apply", before)
writeBin(target, paste0(a[3], ".target"))
writeBin(as.vector(normalized[, 1:20]), paste0(a[3], ".normalized"), 4)
"""
PROMISES = {"preprocessCore apply": 8, "preprocessCore target": 10, "qnorm apply": 6, "pandas target": 10}


def make_samples(path: Path, samples: int, genes: int) -> None:
    """Log-scale samples of different distributions with ties."""
    rng = np.random.default_rng(1)
    means = rng.normal(7, 2.5, genes)
    with path.open("wb") as file:
        for _ in range(samples):
            values = means * rng.uniform(0.9, 1.1) + rng.normal(0, rng.uniform(0.5, 1.5), genes)
            np.maximum(values.round(4), 0).astype(np.float32).tofile(file)


def print_table(results: dict[str, Run], samples: int) -> None:
    print(f"{'':18s}" + "".join(f"{name + ': cpu ms/sample':>26s}" for name in ("target", "apply")) + "    peak MB")
    for name, one in results.items():
        cells = [
            f"{1000 * one.calls[call].cpu / samples:26.3f}" if call in one.calls else f"{'-':>26s}"
            for call in ("target", "apply")
        ]
        print(f"{name:18s}{''.join(cells)}  {one.peak_mb:9.0f}")


def print_ratios(results: dict[str, Run], scratch: Path) -> None:
    ours = results["ours"]
    for name, one in results.items():
        for call, used in one.calls.items():
            if name == "ours" or call == "check":
                continue
            kind, type_ = ("target", np.float64) if call == "target" else ("normalized", np.float32)
            mine, theirs = (np.fromfile(scratch / f"{who}.{kind}", type_) for who in ("ours", name))
            print(
                f"RATIO {name} {call}: cpu {used.cpu / ours.calls[call].cpu:.1f}x "
                f"(promised {PROMISES[f'{name} {call}']}x), process memory {one.peak_mb / ours.peak_mb:.1f}x, "
                f"largest difference {np.abs(mine - theirs).max():.1e}"
            )
    if "pandas" in results:
        mine, theirs = ours.calls["check"].cpu, results["pandas"].calls["check"].cpu
        print(f"RATIO check: ours {mine:.3f} cpu s (promised 0.1), theirs {theirs:.1f}: {theirs / mine:.0f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", nargs="*", default=["preprocessCore", "qnorm", "pandas"])
    parser.add_argument("--peer-python", type=Path, default=ROOT / ".venv-benchmarks/bin/python")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qn-benchmark-") as name:
        scratch = Path(name)
        samples = scratch / "samples.f32"
        make_samples(samples, options.samples, options.genes)
        common = {who: [samples, str(options.genes), scratch / who] for who in ("ours", *options.peers)}
        python = ROOT / ".venv/bin/python"
        commands = {
            "ours": [python, "-c", OURS],
            "preprocessCore": ["Rscript", "-e", R],
            "qnorm": [options.peer_python, "-c", QNORM],
            "pandas": [options.peer_python, "-c", PANDAS],
        }
        runs: dict[str, list[Run]] = {who: [] for who in common}
        for _ in range(options.repeats):
            for who, arguments in common.items():
                more = [scratch / "ours.target", str(options.threads)]
                runs[who].append(run([*commands[who], *arguments, *more]))
        results = {who: least(each) for who, each in runs.items()}
        print(f"{options.samples} samples x {options.genes} genes")
        print_table(results, options.samples)
        print_ratios(results, scratch)


if __name__ == "__main__":
    main()
