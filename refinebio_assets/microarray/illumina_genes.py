"""From probes of BeadArrays to Ensembl genes: which probes count, and what happens to ambiguous ones.

- Probes whose quality is neither ``Good`` nor ``Perfect`` are left out, after normalising: the model has more to learn
  from with them.
- A probe of one gene counts for it. One of several genes is ambiguous: it is left out, unless a probe map says which
  gene it is for (refine.bio has such maps; method ``refinebio-1`` uses them).
- A gene with several probes has the mean of their values; how many there were is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.microarray.illumina_platform import BeadPlatform

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeCounts:
    """What became of the probes.

    Attributes:
        probes: In the normalised values.
        good: Of good quality.
        unique: Of these, with one gene.
        chosen: Of these, with several genes, of which a probe map chose one.
        ambiguous: Of these, with several genes: left out.
        unmapped: Of these, without a gene: left out.
        genes: With at least one probe.
    """

    probes: int
    good: int
    unique: int
    chosen: int
    ambiguous: int
    unmapped: int
    genes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneMapping:
    """Which probes make up which gene.

    Attributes:
        genes: Sorted.
        rows: Places of the probes that count.
        gene_of: For each of them, the place of its gene.
        counts: What became of the probes.
    """

    genes: tuple[str, ...] = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    gene_of: NDArray[np.int64] = field(repr=False)
    counts: ProbeCounts

    @property
    def probes_per_gene(self) -> NDArray[np.int64]:
        """How many probes each gene has."""
        return np.bincount(self.gene_of, minlength=len(self.genes))

    def summarize(self, values: Matrix) -> Matrix:
        """The mean of each gene's probes.

        Args:
            values: samples x probes; NaN is left out.

        Returns:
            samples x genes, float64; NaN for a gene without a value.
        """
        result = np.empty((len(values), len(self.genes)))
        for at, row in enumerate(values[:, self.rows]):
            known = ~np.isnan(row)
            sums = np.bincount(self.gene_of[known], weights=row[known], minlength=len(self.genes))
            counts = np.bincount(self.gene_of[known], minlength=len(self.genes))
            with np.errstate(invalid="ignore"):
                result[at] = sums / counts
        return result


def map_genes(
    probes: Sequence[str], platform: BeadPlatform | None, *, probe_map: Mapping[str, str] | None = None
) -> GeneMapping:
    """Find the gene of each probe.

    Args:
        probes: Identifiers, as in the table.
        platform: Genes and qualities; without genes, ``probe_map`` alone says which gene a probe is for.
        probe_map: Probe -> gene for probes of several genes.
    """
    chosen = probe_map or {}
    places = np.full(len(probes), -1) if platform is None else platform.places(probes)
    is_good = np.ones(0, dtype=np.bool_) if platform is None else platform.is_good()
    genes = None if platform is None else platform.genes
    found: dict[int, str] = {}
    tally = {"good": 0, "unique": 0, "chosen": 0, "ambiguous": 0, "unmapped": 0}
    for row, (probe, place) in enumerate(zip(probes, places.tolist(), strict=True)):
        if place >= 0 and not is_good[place]:
            continue
        tally["good"] += 1
        own = genes[place] if genes is not None and place >= 0 else ()
        name = platform.probes[place] if platform is not None and place >= 0 else probe
        if len(own) == 1:
            found[row], kind = own[0], "unique"
        elif (own or genes is None) and (gene := chosen.get(name) or chosen.get(probe)):
            found[row], kind = gene, "chosen"
        else:
            kind = "ambiguous" if own else "unmapped"
        tally[kind] += 1
    names = tuple(sorted(set(found.values())))
    at = {name: place for place, name in enumerate(names)}
    return GeneMapping(
        genes=names,
        rows=np.fromiter(found, dtype=np.int64, count=len(found)),
        gene_of=np.fromiter((at[gene] for gene in found.values()), dtype=np.int64, count=len(found)),
        counts=ProbeCounts(probes=len(probes), genes=len(names), **tally),
    )
