"""A compendium of a made organism of any size, out of core: time by step, passes, memory, error on hidden cells.

The store (``synthetic_store.py``) is generated in parts on disk; then, in a process of its own, a QN target is made of
the largest platform, genes and samples are filtered, missing cells imputed, and the quantile-normalised values written
as float32. The store's parts are deleted as soon as they have been filtered, unless ``--keep`` says otherwise: disk is
needed for the values twice. ``--keep`` also keeps the result, and a store that is there already is used again.

The generator knows the values of cells that are missing because their platform lacks the gene: the imputed ones are
compared with them for some samples, beside the plain mean of the gene.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measuring import ROOT, Run, run
from synthetic_store import RNA_SEQ, PartPlan, SyntheticOrganism

from refinebio_assets.compendia.compendium import PreparedCompendium, prepare_compendium
from refinebio_assets.compendia.expression_store import ExpressionStore, local_parts
from refinebio_assets.compendia.progress import Progress
from refinebio_assets.compendia.quantile_normalization import TargetAccumulator
from refinebio_assets.compendia.recipe import CompendiumRecipe, SvdAlgorithm

EVALUATED_SAMPLES = 500
SECONDS_BETWEEN_LINES = 15.0
FILTER_STEPS = ("counting genes", "filtering")


class Steps:
    """Says on stderr how far a build is, and on stdout what each step took."""

    def __init__(self, parts: list[Path]) -> None:
        self._to_delete = parts
        self._step, self._since, self._said = "", (0.0, 0.0), 0.0

    def __call__(self, progress: Progress) -> None:
        """What ``report`` is."""
        if progress.step != self._step:
            self.begin(progress.step)
        if time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            print(f"{time.strftime('%H:%M:%S')} {progress.step} {progress.done}/{progress.total}", file=sys.stderr)

    def begin(self, step: str) -> None:
        """The step before ends. Once samples are filtered, the store is not needed any more."""
        if self._step:
            cpu, wall = time.process_time() - self._since[0], time.perf_counter() - self._since[1]
            print("CALL", self._step.replace(" ", "-"), cpu, wall, flush=True)
        if self._step == "filtering":
            for path in self._to_delete:
                path.unlink()
        self._step, self._since = step, (time.process_time(), time.perf_counter())


def build(store: Path, out: Path, organism: SyntheticOrganism, *, algorithm: str, keep: bool) -> None:
    """The measured process."""
    parts = local_parts(store)
    steps = Steps([] if keep else sorted(store.glob("*.npy")))
    steps.begin("target")
    accumulator: TargetAccumulator | None = None
    for part in parts:
        if part.info.platforms[0] == "A":
            accumulator = accumulator or TargetAccumulator(len(part.info.genes))
            accumulator.add(np.ascontiguousarray(part.read().T))
    target = accumulator.target() if accumulator else None
    recipe = CompendiumRecipe(svd_algorithm=SvdAlgorithm(algorithm))
    steps.begin("opening")
    opened = ExpressionStore.of(parts)
    prepared = prepare_compendium(opened, recipe, out / "scratch", target=target, report=steps)
    steps.begin("writing")
    evaluation = Evaluation(prepared, organism)
    with (out / "normalized.f32").open("wb") as file:
        for block in prepared.blocks(report=steps):
            block.normalized.tofile(file)
            evaluation.take(block.start, block.imputed, block.mask)
    steps.begin("evaluation")
    said = prepared.summary()
    said["peak_mb_of_the_build"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said["errors"] = evaluation.errors()
    print("SAID summary", json.dumps(said, default=str))
    if not keep:
        shutil.rmtree(out)


class Evaluation:
    """Imputed cells of some samples beside the values the generator hid."""

    def __init__(self, prepared: PreparedCompendium, organism: SyntheticOrganism) -> None:
        samples, _ = prepared.filtered.shape
        rows = np.unique(np.linspace(0, samples - 1, min(samples, EVALUATED_SAMPLES)).astype(int))
        self._names = {int(row): prepared.filtered.samples[row] for row in rows}
        place = {name: column for column, name in enumerate(organism.names)}
        self._columns = np.array([place[name] for name in prepared.filtered.genes])
        self._organism = organism
        self._seen: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def take(self, start: int, imputed: np.ndarray, mask: np.ndarray) -> None:
        """Keep what is evaluated of a block."""
        for row in range(start, start + len(imputed)):
            if row in self._names:
                self._seen[self._names[row]] = imputed[row - start].copy(), mask[row - start].copy()

    def errors(self) -> dict[str, dict[str, float]]:
        """Root mean squared error and correlation with the truth, over the cells that arrays and RNA-seq lack."""
        found: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {"arrays": [], "RNA-seq": []}
        means = self._means()
        for part, name, truth in self._truths():
            imputed, mask = self._seen[name]
            kind = "RNA-seq" if part.platform == RNA_SEQ else "arrays"
            found[kind].append((imputed[mask], truth[mask], means[mask]))
        return {kind: _error(cells) for kind, cells in found.items() if cells}

    def _truths(self) -> Iterator[tuple[PartPlan, str, np.ndarray]]:
        """Of each evaluated sample, in the genes of the compendium and on its scale."""
        for part in self._organism.plan:
            wanted = [row for row, name in enumerate(part.accessions) if name in self._seen]
            truth = self._organism.truth(part)[:, self._columns] if wanted else None
            for row in wanted if truth is not None else ():
                line = np.maximum(truth[row], 0) if part.platform == RNA_SEQ else truth[row]
                yield part, part.accessions[row], line

    def _means(self) -> np.ndarray:
        """Of each gene over the observed cells of the evaluated samples."""
        lines = [np.where(mask, np.nan, imputed) for imputed, mask in self._seen.values()]
        return np.nanmean(lines, axis=0)


def _error(cells: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[str, float]:
    imputed, truth, means = (np.concatenate(column) for column in zip(*cells, strict=True))
    return {
        "cells": len(truth),
        "rmse": float(np.sqrt(np.mean((imputed - truth) ** 2))),
        "rmse_of_gene_means": float(np.sqrt(np.mean((means - truth) ** 2))),
        "correlation": float(np.corrcoef(imputed, truth)[0, 1]),
    }


def generate(organism: SyntheticOrganism, store: Path) -> None:
    started, done, said = time.monotonic(), 0, 0.0
    for samples in organism.write(store):
        done += samples
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            print(f"{time.strftime('%H:%M:%S')} generating {done}/{organism.samples}", file=sys.stderr)
    (store / "complete").touch()
    print(f"generated in {time.monotonic() - started:.0f} s")


def print_result(one: Run, organism: SyntheticOrganism) -> None:
    summary = json.loads(one.said["summary"])
    samples, genes = summary["samples"], summary["genes"]
    size = samples * genes * 4
    print(f"{organism.samples} samples -> compendium of {samples} samples x {genes} genes, {size / 1e9:.1f} GB")
    for name, used in one.calls.items():
        print(
            f"  {name:16s} {used.wall:8.1f} s wall  {used.cpu:8.1f} s cpu  {1000 * used.cpu / samples:7.3f} ms a sample"
        )
    wall, cpu = (sum(getattr(used, kind) for used in one.calls.values()) for kind in ("wall", "cpu"))
    print(f"  {'in all':16s} {wall:8.1f} s wall  {cpu:8.1f} s cpu  {1000 * cpu / samples:7.3f} ms a sample")
    print(f"  {1000 * wall / samples:.3f} ms wall a sample, {size / 1e6 / wall:.0f} MB of values a second")
    print(f"  peak memory {summary['peak_mb_of_the_build']:.0f} MB (with the evaluation {one.peak_mb:.0f} MB)")
    print(
        f"  {summary['share_imputed']:.1%} imputed ({summary['imputation']}), {summary['iterations']} iterations, "
        f"converged: {summary['converged']}; {summary['passes']} passes to impute, 2 to filter, 1 to write"
    )
    for kind, error in summary["errors"].items():
        print(
            f"  {error['cells']:.0f} hidden cells of {kind}: RMSE {error['rmse']:.3f} (gene means "
            f"{error['rmse_of_gene_means']:.3f}), correlation {error['correlation']:.4f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--genes", type=int, default=20_000, help="of the compendium")
    parser.add_argument("--svd-algorithm", choices=["arpack", "randomized", "none"], default="arpack")
    parser.add_argument("--folder", type=Path, help="where store and result are kept; a temporary one if not given")
    parser.add_argument("--keep", action="store_true", help="keep the store and the result")
    parser.add_argument("--build", action="store_true", help="only build, in this process; the store is there")
    options = parser.parse_args()
    organism = SyntheticOrganism(options.samples, options.genes)
    with tempfile.TemporaryDirectory(prefix="large-compendium-") as name:
        folder = options.folder or Path(name)
        store, out = folder / "store", folder / "result"
        if options.build:
            out.mkdir(exist_ok=True)
            build(store, out, organism, algorithm=options.svd_algorithm, keep=options.keep)
            return
        if not (store / "complete").exists():
            needed = 2.1 * options.samples * options.genes * 4
            folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < needed:
                raise SystemExit(f"{needed / 1e9:.0f} GB are needed in {folder}")
            generate(organism, store)
        command = [ROOT / ".venv/bin/python", Path(__file__), "--build", "--samples", str(options.samples)]
        command += ["--genes", str(options.genes), "--svd-algorithm", options.svd_algorithm, "--folder", folder]
        print_result(run([*command, *(["--keep"] if options.keep else [])], show_progress=True), organism)
        if not options.keep:
            shutil.rmtree(store)


if __name__ == "__main__":
    main()
