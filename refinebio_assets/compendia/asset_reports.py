"""What Dagster's pages and logs say of compendia, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from refinebio_assets import plots
from refinebio_assets.compendia.progress import Progress
from refinebio_assets.compendia.quality_densities import BINS_PER_UNIT, HIGHEST, LOWEST, Density
from refinebio_assets.compendia.run_environment import Log
from refinebio_assets.compendia.watching import watcher

LINES_OF_A_STEP = 5
"""Each line of the log is a row in Dagster's database."""

COUNTS = {
    "samples_in_store": "samples with expression",
    "rna_seq_samples": "of them RNA-seq",
    "genes_in_store": "genes of any of them",
    "genes_present": "genes that enough samples have",
    "rna_low_expression": "of them hardly expressed in RNA-seq: missing there",
    "genes_kept": "genes in the compendium",
}


class ProgressLog:
    """Tells whoever watches, and now and then the log, how far a build is.

    Args:
        organism: Whose build.
        log: The run's log.
    """

    def __init__(self, organism: str, log: Log) -> None:
        self._organism = organism
        self._log = log
        self._last: tuple[str, int] | None = None

    def __call__(self, progress: Progress) -> None:
        """A build is so far."""
        watcher().progress(self._organism, progress)
        part = progress.done * LINES_OF_A_STEP // progress.total if progress.total else 0
        if (progress.step, part) != self._last:
            self._last = progress.step, part
            of = f" {progress.done:,} of {progress.total:,}" if progress.total else ""
            self._log.info("%s: %s%s", self._organism, progress.step, of)


def reasons_list(left_out: Mapping[str, int]) -> str:
    """How many samples are left out for which reason, as Markdown."""
    return "\n".join(f"- **{count:,}**: {reason}" for reason, count in left_out.items()) or "none"


def counts_table(filters: Mapping[str, Any]) -> str:
    """What each step of the filters left, as Markdown."""
    lines = ["| step | count |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {text} | {filters[name]:,} |" for name, text in COUNTS.items() if name in filters)])


def checks_table(checks: Sequence[Mapping[str, Any]]) -> str:
    """The checks and what they found, as Markdown."""
    lines = ["| check | | what was found |", "|---|---|---|"]
    for check in checks:
        outcome = "passed" if check["passed"] else "**failed**" if check["blocking"] else "look at it"
        lines.append(f"| {check['name']} | {outcome} | {check['description']} |")
    return "\n".join(lines)


def density_plot(densities: Sequence[Density]) -> str:
    """Distribution of values by technology before and after quantile normalisation, as Markdown with the image."""
    curves = {}
    for density in densities:
        for when, counts in (("before QN", density.before), ("after QN", density.after)):
            total = max(int(counts.sum()), 1)
            curves[f"{density.label}, {when}"] = (counts * (BINS_PER_UNIT / total)).tolist()
    edges = [LOWEST + (place + 0.5) / BINS_PER_UNIT for place in range((HIGHEST - LOWEST) * BINS_PER_UNIT)]
    return plots.curves(edges, curves, label="log2 expression", title="densities before and after QN")
