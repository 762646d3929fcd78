"""An expression store of a made organism: any number of samples, written in parts, any part made again by its number.

Log-scale expression is gene means, offsets of technology and platform, a low-rank signal and noise. A quarter of the
samples are RNA-seq (linear scale, with zeros; a tenth of the genes is hardly expressed, so that the filters drop them
from RNA-seq); the others are of six array platforms, each of which lacks some genes that all others have. About 7 % of
the cells of the compendium are missing. Some further genes are on one small platform only and are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.expression_store import make_parts, write_parts
from refinebio_assets.domain.vocabulary import Technology

ORGANISM = "HOMO_SAPIENS"
RNA_SEQ = "RNA-seq"
SHARES = {RNA_SEQ: 0.25, "A": 0.25, "B": 0.18, "C": 0.12, "D": 0.10, "E": 0.06, "F": 0.04}
LACKING = {"A": 0.02, "B": 0.03, "C": 0.03, "D": 0.04, "E": 0.25, "F": 0.40}
"""Share of the compendium's genes that a platform lacks; no two lack the same gene."""
LOW_EXPRESSION, RARE = 0.1, 0.03
RANK, NOISE = 30, 0.4
SMALLEST_PART, LARGEST_PART = 20, 500

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PartPlan:
    """What a part holds: its number, its samples' platform and how many there are."""

    number: int
    platform: str
    samples: int

    @property
    def accessions(self) -> list[str]:
        """Of the samples."""
        return [f"S{self.number:06d}_{sample:04d}" for sample in range(self.samples)]


@dataclass(frozen=True)
class SyntheticOrganism:
    """``genes`` is how many the compendium will have."""

    samples: int
    genes: int
    seed: int = 1

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the compendium's genes, then of the rare ones."""
        return tuple(f"ENSG{gene:011d}" for gene in range(self.genes + int(RARE * self.genes)))

    @cached_property
    def plan(self) -> tuple[PartPlan, ...]:
        """Parts of random sizes; each takes the platform that is furthest behind its share."""
        rng, parts = np.random.default_rng(self.seed), []
        largest = min(LARGEST_PART, max(SMALLEST_PART + 1, self.samples // 40))
        done = dict.fromkeys(SHARES, 0)
        while (left := self.samples - sum(done.values())) > 0:
            size = min(left, int(rng.integers(SMALLEST_PART, largest)))
            platform = max(SHARES, key=lambda one: SHARES[one] * (self.samples - left + size) - done[one])
            parts.append(PartPlan(len(parts), platform, size))
            done[platform] += size
        return tuple(parts)

    @cached_property
    def _structure(self) -> tuple[Floats, Floats, dict[str, Floats]]:
        """Means, axes (rank x genes), offsets by platform."""
        rng, width = np.random.default_rng([self.seed, 2]), len(self.names)
        means = np.maximum(rng.normal(7, 2, width), 4)
        means[self._order[: int(LOW_EXPRESSION * self.genes)]] = 0.5
        axes = rng.normal(size=(RANK, width)) * np.geomspace(1, 0.1, RANK)[:, None]
        array = rng.normal(0, 0.5, width)
        offsets = {platform: rng.normal(0, 0.2, width) + (platform != RNA_SEQ) * array for platform in SHARES}
        return (
            means.astype(np.float32),
            axes.astype(np.float32),
            {platform: values.astype(np.float32) for platform, values in offsets.items()},
        )

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """The compendium's genes shuffled: hardly expressed ones first, then those that platforms lack, one by one."""
        return np.random.default_rng([self.seed, 1]).permutation(self.genes)

    @cached_property
    def has(self) -> dict[str, NDArray[np.bool_]]:
        """Which genes a platform has."""
        place, has = int(LOW_EXPRESSION * self.genes), {}
        for platform in SHARES:
            own = np.arange(len(self.names)) < self.genes
            lacking = int(LACKING.get(platform, 0) * self.genes)
            own[self._order[place : place + lacking]] = False
            place += lacking
            has[platform] = own
        has["F"][self.genes :] = True
        return has

    def truth(self, part: PartPlan) -> Floats:
        """Log-scale values of all genes, also of those that the platform lacks: samples x genes."""
        rng = np.random.default_rng([self.seed, 3, part.number])
        means, axes, offsets = self._structure
        values = 0.6 * rng.standard_normal((part.samples, RANK), np.float32) @ axes
        values += np.float32(NOISE) * rng.standard_normal(values.shape, np.float32)
        values += means + offsets[part.platform]
        return values

    def write(self, folder: Path) -> Iterator[int]:
        """Write the store, part by part; gives the samples of each."""
        folder.mkdir(parents=True, exist_ok=True)
        for part in self.plan:
            has, values = self.has[part.platform], self.truth(part)
            linear = part.platform == RNA_SEQ
            if linear:
                values = np.maximum(np.exp2(values) - 1, 0)
            made = make_parts(
                values[:, has],
                experiment=f"E{part.number:06d}",
                organism=ORGANISM,
                technology=Technology.RNA_SEQ if linear else Technology.MICROARRAY,
                scale="linear" if linear else "log2",
                genes=[name for name, there in zip(self.names, has, strict=True) if there],
                samples=part.accessions,
                platforms=[part.platform] * part.samples,
            )
            write_parts(folder, made)
            yield part.samples
