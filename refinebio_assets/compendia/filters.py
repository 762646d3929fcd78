"""Which genes and samples go into a compendium, decided in one pass over the store, with every count kept.

The order is that of refine.bio's compendia (its defects are kept only by method ``refinebio-1``):

1. genes that more than half of all samples have;
2. in RNA-seq samples, genes whose sum over samples is below the 10th percentile become missing;
3. RNA-seq values become log2(x + 1), once;
4. zeros of RNA-seq count as missing in what follows, and are put back afterwards (on an array's log2 scale zero is a
   value as any other);
5. genes that fewer than 70 % of all samples have are dropped, then samples that have fewer than half of the genes.

Values that are not finite are missing from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia._filters import count, count_filled, take
from refinebio_assets.compendia.expression_store import Floats, SampleBlock
from refinebio_assets.domain.vocabulary import Technology

GENE_COUNTS = (
    "samples_in_store",
    "rna_seq_samples",
    "genes_in_store",
    "genes_present",
    "rna_low_expression",
    "genes_kept",
)
"""What is counted when genes are chosen."""


class CompendiumMethod(StrEnum):
    """How a compendium is made.

    ``refinebio-2`` is as documented. ``refinebio-1`` is what refine.bio's program does: RNA-seq sums are those of log2
    values, genes that no RNA-seq sample has take part in the percentile with a sum of zero, and the logarithm is taken
    twice.
    """

    DOCUMENTED = "refinebio-2"
    ORIGINAL = "refinebio-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterOptions:
    """The thresholds, as shares of samples or genes, and the method."""

    method: CompendiumMethod = CompendiumMethod.DOCUMENTED
    gene_presence: float = 0.5
    low_expression_percentile: float = 10.0
    gene_completeness: float = 0.7
    sample_completeness: float = 0.5


@dataclass(slots=True)
class _GeneCounts:
    """What one pass learns about every gene of the store."""

    array_present: NDArray[np.int64]
    rna_present: NDArray[np.int64]
    rna_filled: NDArray[np.int64]
    rna_sum: NDArray[np.float64]
    samples: int = 0
    rna_samples: int = 0

    @classmethod
    def of(cls, genes: int) -> _GeneCounts:
        zeros = np.zeros((3, genes), np.int64)
        return cls(zeros[0], zeros[1], zeros[2], np.zeros(genes))

    @property
    def present(self) -> NDArray[np.int64]:
        return self.array_present + self.rna_present

    def add(self, block: SampleBlock, options: FilterOptions) -> None:
        values = np.ascontiguousarray(block.values)
        self.samples += len(values)
        if block.info.technology is not Technology.RNA_SEQ:
            count(values, self.array_present, np.zeros_like(self.array_present), None)
            return
        self.rna_samples += len(values)
        if options.method is CompendiumMethod.DOCUMENTED:
            count(values, self.rna_present, self.rna_filled, self.rna_sum)
            return
        count(values, self.rna_present, self.rna_filled, None)
        not_needed = np.zeros((2, values.shape[1]), np.int64)
        count(to_log2(block, values.copy()), not_needed[0], not_needed[1], self.rna_sum)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneFilter:
    """Which genes a compendium has, and why others are not there.

    Attributes:
        kept: Positions of the genes among the store's.
        rna_dropped: Whether RNA-seq values of each *kept* gene count as missing, because it is hardly expressed.
        options: The thresholds.
        counts: What each step left: :data:`GENE_COUNTS`.
        low_expression_threshold: Sum below which a gene counts as hardly expressed; None without RNA-seq.
    """

    kept: NDArray[np.intp]
    rna_dropped: NDArray[np.bool_]
    options: FilterOptions
    counts: dict[str, int]
    low_expression_threshold: float | None

    def to_dict(self) -> dict[str, Any]:
        """What a person should know of it, as JSON."""
        return {**asdict(self.options), **self.counts, "low_expression_threshold": self.low_expression_threshold}


def choose_genes(
    blocks: Iterable[SampleBlock],
    genes: int,
    options: FilterOptions,
    *,
    on_block: Callable[[int], None] = lambda _samples: None,
) -> GeneFilter:
    """Decide which genes are kept, in one pass.

    Args:
        blocks: All samples of the store.
        genes: Genes of the store.
        options: The thresholds.
        on_block: Told how many samples each block had.
    """
    seen = _GeneCounts.of(genes)
    for block in blocks:
        seen.add(block, options)
        on_block(len(block.values))
    present = seen.present > options.gene_presence * seen.samples
    threshold = _low_expression_threshold(seen, present, options)
    low = present & (seen.rna_sum < threshold) if threshold is not None else np.zeros(genes, np.bool_)
    filled = seen.array_present + np.where(low, 0, seen.rna_filled)
    kept = np.flatnonzero(present & (filled >= options.gene_completeness * seen.samples))
    return GeneFilter(
        kept=kept,
        rna_dropped=low[kept],
        options=options,
        low_expression_threshold=threshold,
        counts={
            "samples_in_store": seen.samples,
            "rna_seq_samples": seen.rna_samples,
            "genes_in_store": genes,
            "genes_present": int(present.sum()),
            "rna_low_expression": int(low.sum()),
            "genes_kept": len(kept),
        },
    )


def _low_expression_threshold(seen: _GeneCounts, present: NDArray[np.bool_], options: FilterOptions) -> float | None:
    """The percentile of the sums of the genes that RNA-seq samples have."""
    if not seen.rna_samples or not options.low_expression_percentile:
        return None
    measured = present & (seen.rna_present > 0) if options.method is CompendiumMethod.DOCUMENTED else present
    if not measured.any():
        return None
    return float(np.percentile(seen.rna_sum[measured], options.low_expression_percentile))


@dataclass(frozen=True, slots=True, kw_only=True)
class FilteredBlock:
    """Samples in the genes of the compendium.

    Attributes:
        values: Kept samples x kept genes, float32, log2 scale, zeros put back; NaN is to be imputed.
        kept: Positions of the kept samples in the block.
        completeness: Share of genes that each sample of the block has, whether kept or not.
    """

    values: Floats
    kept: NDArray[np.intp]
    completeness: NDArray[np.float64]


def filter_block(block: SampleBlock, genes: GeneFilter) -> FilteredBlock:
    """Take the genes of the compendium, bring values to log2, drop samples that have too few genes."""
    values = np.empty((len(block.values), len(genes.kept)), np.float32)
    take(np.ascontiguousarray(block.values), genes.kept.astype(np.int64), values)
    if block.info.technology is Technology.RNA_SEQ:
        to_log2(block, values)
        if genes.options.method is CompendiumMethod.ORIGINAL:
            _log2_of_one_more(values)
        values[:, genes.rna_dropped] = np.nan
        filled = np.empty(len(values), np.int64)
        count_filled(values, filled)
    else:
        filled = np.isfinite(values).sum(axis=1)
    completeness = filled / max(1, values.shape[1])
    kept = np.flatnonzero(completeness >= genes.options.sample_completeness)
    if len(kept) < len(values):
        values = values[kept]
    return FilteredBlock(values=values, kept=kept, completeness=completeness)


def to_log2(block: SampleBlock, values: Floats) -> Floats:
    """Bring values of a block to the log2(x + 1) scale, in place; those that are on a log2 scale stay as they are."""
    return _log2_of_one_more(values) if block.info.scale == "linear" else values


def _log2_of_one_more(values: Floats) -> Floats:
    """What has no logarithm becomes missing."""
    np.add(values, np.float32(1), out=values)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.log2(values, out=values)
    values[np.isneginf(values)] = np.nan
    return values
