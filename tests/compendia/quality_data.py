"""Small compendia whose evidence is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from refinebio_assets.compendia.compendium import CompendiumBlock, CompendiumRecipe
from refinebio_assets.compendia.quality import Quality, QualityStatistics

GENES = tuple(f"ENSG{number:011d}" for number in range(60))


@dataclass
class Small:
    """A compendium in memory: what was measured, what was filled in, and what came out."""

    measured: np.ndarray
    imputed: np.ndarray
    normalized: np.ndarray
    samples: pd.DataFrame
    genes: tuple[str, ...]
    target: Any = None
    imputes: bool = True
    recipe: CompendiumRecipe = field(default_factory=lambda: CompendiumRecipe(rank=3))

    @property
    def prepared(self) -> Any:
        measured = self.measured
        return SimpleNamespace(
            filtered=SimpleNamespace(shape=measured.shape, read=lambda start, stop: measured[start:stop].copy()),
            imputation=SimpleNamespace(converged=True, iterations=7) if self.imputes else None,
            target=self.target,
            recipe=self.recipe,
        )

    def blocks(self, size=64):
        mask = np.isnan(self.measured) & self.imputes
        for start in range(0, len(self.measured), size):
            rows = slice(start, start + size)
            yield CompendiumBlock(
                start=start, normalized=self.normalized[rows], imputed=self.imputed[rows], mask=mask[rows]
            )

    def quality(self, *, held_out=None, size=64) -> Quality:
        statistics = QualityStatistics(self.samples, self.genes)
        for block in self.blocks(size):
            statistics.add(block)
        return statistics.finish(self.prepared, held_out=held_out)


def small(samples=90, genes=GENES, *, seed=1) -> Small:
    """Arrays on two platforms (a third and a sixth of the samples) and RNA-seq; the smaller one lacks six genes."""
    rng = np.random.default_rng(seed)
    shape = (samples, len(genes))
    means = 7 + 2 * rng.normal(size=len(genes))
    full = means + rng.normal(size=(samples, 2)) @ rng.normal(size=(2, len(genes))) + 0.1 * rng.normal(size=shape)
    full = full.astype(np.float32)
    first, second = samples // 3, samples // 2
    measured = full.copy()
    measured[first:second, :6] = np.nan
    order = np.sort(full, axis=1).mean(axis=0, dtype=np.float64)
    normalized = order[full.argsort(axis=1).argsort(axis=1)].astype(np.float32)
    technology = ["MICROARRAY"] * second + ["RNA_SEQ"] * (samples - second)
    platform = ["GPL96"] * first + ["GPL97"] * (second - first) + ["IlluminaHiSeq2000"] * (samples - second)
    frame = pd.DataFrame(
        {
            "experiment": [f"E{place}" for place in platform],
            "platform": platform,
            "technology": technology,
            "organism": "HOMO_SAPIENS",
            "title": "",
            "biosample": "",
        },
        index=[f"S{number:03d}" for number in range(samples)],
    )
    return Small(measured, full, normalized, frame, tuple(genes), target=order)


def outcome(quality: Quality, name: str) -> Any:
    """The check of a name."""
    (found,) = [check for check in quality.checks if check.name == name]
    return found
