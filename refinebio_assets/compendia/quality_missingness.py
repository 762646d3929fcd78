"""Where values are missing (and were imputed): by platform, gene and sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.quality_sampling import Positions, rounded, share

SHARE_BINS = 20
WORST = 15

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformMissingness:
    """Of the samples of one platform: how many genes on average have no measured value."""

    technology: str
    platform: str
    samples: int
    missing: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneMissingness:
    """Share of samples in which a gene has no measured value: all of them, and by technology."""

    gene: str
    missing: float
    by_technology: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMissingness:
    """Share of genes of which a sample has no measured value."""

    sample: str
    platform: str
    missing: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Missingness:
    """All of it; shares are parts of cells, 0 to 1.

    Attributes:
        missing: Of all cells.
        platforms: By technology and platform, most samples first.
        by_gene: Genes by share of samples without value, in :data:`SHARE_BINS` bins from 0 to 1.
        by_sample: Samples by share of genes without value, likewise.
        complete_genes: Genes measured in every sample.
        worst_genes: The genes with most missing values.
        worst_samples: The samples with most missing values.
    """

    missing: float
    platforms: tuple[PlatformMissingness, ...]
    by_gene: tuple[int, ...]
    by_sample: tuple[int, ...]
    complete_genes: int
    worst_genes: tuple[GeneMissingness, ...]
    worst_samples: tuple[SampleMissingness, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def missingness(
    of_gene: Counts, of_sample: Counts, samples: Sequence[str], genes: Sequence[str], groups: Groups
) -> Missingness:
    """From counts of missing cells.

    Args:
        of_gene: technologies x genes.
        of_sample: One per sample.
        samples: Accessions.
        genes: Ids.
        groups: Technology and platform of the samples.
    """
    by_gene = of_gene.sum(axis=0)
    return Missingness(
        missing=share(int(of_sample.sum()), len(samples) * len(genes)),
        platforms=_by_platform(of_sample, len(genes), groups),
        by_gene=_binned(by_gene, len(samples)),
        by_sample=_binned(of_sample, len(genes)),
        complete_genes=int((by_gene == 0).sum()),
        worst_genes=tuple(_gene(place, of_gene, genes, groups) for place in _worst(by_gene)),
        worst_samples=tuple(
            SampleMissingness(
                sample=samples[place],
                platform=groups.platforms[groups.platform[place]],
                missing=share(int(of_sample[place]), len(genes)),
            )
            for place in _worst(of_sample)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Technology and platform of the samples: their names, and which of them each sample has."""

    technologies: tuple[str, ...]
    technology: Positions
    platforms: tuple[str, ...]
    platform: Positions


def _by_platform(of_sample: Counts, genes: int, groups: Groups) -> tuple[PlatformMissingness, ...]:
    width = len(groups.platforms)
    code = groups.technology * width + groups.platform
    samples = np.bincount(code, minlength=len(groups.technologies) * width)
    missing = np.bincount(code, weights=of_sample, minlength=len(samples))
    found = [
        PlatformMissingness(
            technology=groups.technologies[place // width],
            platform=groups.platforms[place % width],
            samples=int(samples[place]),
            missing=share(float(missing[place]), int(samples[place]) * genes),
        )
        for place in np.flatnonzero(samples).tolist()
    ]
    return tuple(sorted(found, key=lambda one: (-one.samples, one.technology, one.platform)))


def _binned(counts: Counts, whole: int) -> tuple[int, ...]:
    """All in the last bin is all missing."""
    places = np.minimum(counts * SHARE_BINS // max(whole, 1), SHARE_BINS - 1)
    return tuple(np.bincount(places, minlength=SHARE_BINS).tolist())


def _worst(counts: Counts) -> list[int]:
    """Positions of the largest counts above 0, largest first, ties in order."""
    order = np.argsort(-counts, kind="stable")[:WORST]
    return [int(place) for place in order if counts[place]]


def _gene(place: int, of_gene: Counts, genes: Sequence[str], groups: Groups) -> GeneMissingness:
    sizes = np.bincount(groups.technology, minlength=len(groups.technologies))
    return GeneMissingness(
        gene=genes[place],
        missing=share(int(of_gene[:, place].sum()), int(sizes.sum())),
        by_technology={
            name: rounded(int(of_gene[code, place]) / int(sizes[code])) for code, name in enumerate(groups.technologies)
        },
    )
