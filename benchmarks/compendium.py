"""A compendium against the way it is made in memory: pandas joins and fancyimpute, whole processes, equal numbers.

Both read the same files: the parts of an expression store, made by ``synthetic_store.py``. The peer does what
refine.bio does, in its order and with its calls where they decide time or memory: outer joins of data frames, row sums
and their percentile, log2, zeros remembered column by column, the filters by ``dropna``, IterativeSVD, and the way back
into a data frame by ``from_records``. In its favour: it reads binary files (refine.bio reads text, twice), takes the
logarithm once, is normalised by qnorm instead of the slower preprocessCore, is not checked afterwards, and writes no
text.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from measuring import ROOT, TIMER, Run, least, run
from synthetic_store import SyntheticOrganism

from refinebio_assets.compendia.expression_store import local_parts
from refinebio_assets.compendia.quantile_normalization import TargetAccumulator

OURS = """
import json, sys, time
from pathlib import Path
import numpy as np
from refinebio_assets.compendia.compendium import prepare_compendium
from refinebio_assets.compendia.expression_store import ExpressionStore, local_parts
from refinebio_assets.compendia.recipe import CompendiumRecipe, SvdAlgorithm
store, target, out, algorithm = Path(sys.argv[1]), np.fromfile(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
clocks = lambda: (time.process_time(), time.perf_counter())
seen = {"reading the store": clocks()}
def report(progress):
    now = clocks()
    step = "imputing" if progress.step not in ("counting genes", "filtering", "writing") else progress.step
    seen[step] = now
parts = ExpressionStore.of(local_parts(store))
seen["reading the store"] = clocks()
recipe = CompendiumRecipe(svd_algorithm=SvdAlgorithm(algorithm))
prepared = prepare_compendium(parts, recipe, out / "scratch", target=target, report=report)
seen["imputing"] = clocks()
with (out / "imputed.f32").open("wb") as imputed, (out / "normalized.f32").open("wb") as normalized:
    for block in prepared.blocks():
        block.imputed.tofile(imputed)
        block.normalized.tofile(normalized)
seen["writing"] = clocks()
before = (0.0, 0.0)
for (step, now), previous in zip(list(seen.items())[1:], seen.values()):
    print("CALL", step.replace(" ", "-"), now[0] - previous[0], now[1] - previous[1])
names = {"samples": list(prepared.filtered.samples), "genes": list(prepared.filtered.genes)}
(out / "names.json").write_text(json.dumps(names))
summary = prepared.summary()
print("SAID iterations", summary["iterations"])
"""
PEER = f"""{TIMER}
import json, sys, warnings
from pathlib import Path
import numpy as np, pandas as pd, qnorm
from fancyimpute import IterativeSVD
warnings.simplefilter("ignore")
store, target, out, algorithm = Path(sys.argv[1]), np.fromfile(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
with call("reading"):
    frames = {{"MICROARRAY": [], "RNA_SEQ": []}}
    for path in sorted(store.glob("*.json")):
        info = json.loads(path.read_text())
        genes = (store / ("genes_" + info["gene_space"] + ".txt")).read_text().split()
        values = np.load(store / (info["sha256"] + ".npy"))
        frames[info["technology"]].append(pd.DataFrame(values, index=genes, columns=info["samples"]))
with call("joining"):
    array, rna = (pd.concat(frames.pop(kind), axis=1, join="outer") for kind in ("MICROARRAY", "RNA_SEQ"))
    samples = array.shape[1] + rna.shape[1]
    counts = array.notna().sum(axis=1).add(rna.notna().sum(axis=1), fill_value=0)
    kept = sorted(counts.index[counts > samples * 0.5])
    array, rna = (frame.reindex(index=kept, columns=sorted(frame.columns)) for frame in (array, rna))
with call("filters"):
    sums = rna.sum(axis=1)
    threshold = np.percentile(sums[rna.notna().any(axis=1)], 10)
    rna = rna.drop([gene for gene, value in sums.items() if value < threshold])
    rna = np.log2(rna + 1)
    zeros = {{sample: rna.index[np.where(rna[sample] == 0)] for sample in rna.columns}}
    rna[rna == 0] = np.nan
    merged = array.merge(rna, how="outer", left_index=True, right_index=True)
    del array, rna
    merged = merged.dropna(axis="index", thresh=merged.shape[1] * 0.7)
    merged = merged.dropna(axis="columns", thresh=merged.shape[0] * 0.5)
    for sample, genes in zeros.items():
        if sample in merged:
            merged.loc[merged.index.intersection(genes), sample] = 0.0
    genes, names = merged.index, merged.columns
    matrix = merged.T.replace([np.inf, -np.inf], np.nan)
    del merged
solver = IterativeSVD(rank=10, svd_algorithm=algorithm, verbose=False)
iterations = [0]
converged = solver._converged
def counted(*args, **kwargs):
    iterations[0] += 1
    return converged(*args, **kwargs)
solver._converged = counted
with call("imputing"):
    imputed = solver.fit_transform(matrix)
del matrix
with call("back-to-a-frame"):
    frame = pd.DataFrame.from_records(imputed.T)
    frame.index, frame.columns = genes, names
with call("writing"):
    imputed.astype(np.float32).tofile(out / "imputed.f32")
    del imputed
    places = (np.linspace(0, 1, length) for length in (len(frame), len(target)))
    normalized = qnorm.quantile_normalize(frame, target=np.interp(*places, target))
    np.ascontiguousarray(normalized.to_numpy(np.float32).T).tofile(out / "normalized.f32")
(out / "names.json").write_text(json.dumps({{"samples": list(names), "genes": list(genes)}}))
print("SAID iterations", iterations[0])
"""
PEERS_FILTERS = ("reading", "joining", "filters", "back-to-a-frame")
OUR_FILTERS = ("counting-genes", "filtering")


def make_target(store: Path, target: Path) -> None:
    """The mean of the sorted samples of the largest platform."""
    parts = [part for part in local_parts(store) if part.info.platforms[0] == "A"]
    accumulator = TargetAccumulator(len(parts[0].info.genes))
    for part in parts:
        accumulator.add(np.ascontiguousarray(part.read().T))
    accumulator.target().tofile(target)


def differences(ours: Path, theirs: Path, missing: Path) -> str:
    """How far the two are apart before quantile normalisation, on the cells that were imputed and on the others."""
    mine, other = (json.loads((folder / "names.json").read_text()) for folder in (ours, theirs))
    if mine["genes"] != other["genes"] or sorted(mine["samples"]) != sorted(other["samples"]):
        raise SystemExit("they do not have the same genes and samples")
    shape = len(mine["samples"]), len(mine["genes"])
    place = {sample: row for row, sample in enumerate(other["samples"])}
    order = [place[sample] for sample in mine["samples"]]
    a, b, holes = (
        np.memmap(path, np.float32, "r", shape=shape)
        for path in (ours / "imputed.f32", theirs / "imputed.f32", missing)
    )
    squares = count = largest = touched = 0
    for row, peers_row in enumerate(order):
        hole = np.isnan(holes[row])
        difference = np.abs(a[row].astype(float) - b[peers_row])
        squares, count = squares + (difference[hole] ** 2).sum(), count + hole.sum()
        largest = max(largest, difference[hole].max(initial=0))
        touched = max(touched, difference[~hole].max(initial=0))
    return (
        f"{count / (shape[0] * shape[1]):.1%} imputed; difference there rms {np.sqrt(squares / max(1, count)):.1e}, "
        f"largest {largest:.1e}; elsewhere {touched:.1e}"
    )


def used(one: Run, calls: tuple[str, ...]) -> float:
    return sum(one.calls[call].cpu for call in calls)


def print_results(results: dict[str, Run], samples: int) -> None:
    for name, one in results.items():
        print(
            f"{name}: process cpu {one.process.cpu:.1f} s, wall {one.process.wall:.1f} s, peak {one.peak_mb:.0f} MB, "
            f"{one.said['iterations']} iterations"
        )
        print(
            "   " + ", ".join(f"{call} {time.cpu:.2f} cpu s ({time.wall:.2f} wall)" for call, time in one.calls.items())
        )
    if len(results) < 2:
        return
    ours, peer = results["ours"], results["peer"]
    mine, theirs = used(ours, OUR_FILTERS), used(peer, PEERS_FILTERS)
    impute = peer.calls["imputing"].cpu / ours.calls["imputing"].cpu
    print(
        f"RATIO whole process: wall {peer.process.wall / ours.process.wall:.1f}x (promised 10x), "
        f"cpu {peer.process.cpu / ours.process.cpu:.1f}x, memory {peer.peak_mb / ours.peak_mb:.1f}x (promised 10x)"
    )
    print(f"RATIO imputation: cpu {impute:.1f}x (promised 11x)")
    print(
        f"RATIO joins and filters: cpu {theirs / mine:.1f}x (promised 30x); {1000 * mine / samples:.2f} ms a sample, "
        f"theirs {1000 * theirs / samples:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--svd-algorithm", choices=["arpack", "randomized"], default="arpack")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--without-peer", action="store_true")
    parser.add_argument("--peer-python", type=Path, default=ROOT / ".venv-benchmarks/bin/python")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="compendium-benchmark-") as name:
        scratch = Path(name)
        store, target = scratch / "store", scratch / "target.f64"
        for _ in SyntheticOrganism(options.samples, options.genes).write(store):
            pass
        make_target(store, target)
        commands = {"ours": [ROOT / ".venv/bin/python", "-c", OURS], "peer": [options.peer_python, "-c", PEER]}
        if options.without_peer:
            commands.pop("peer")
        runs: dict[str, list[Run]] = {who: [] for who in commands}
        for repeat in range(options.repeats):
            for who, command in commands.items():
                out = scratch / f"{who}{repeat}"
                out.mkdir()
                runs[who].append(run([*command, store, target, out, options.svd_algorithm]))
        print(f"{options.samples} samples x {options.genes} genes, {options.svd_algorithm}")
        print_results({who: least(each) for who, each in runs.items()}, options.samples)
        if not options.without_peer:
            print(differences(scratch / "ours0", scratch / "peer0", scratch / "ours0/scratch/filtered.f32"))


if __name__ == "__main__":
    main()
