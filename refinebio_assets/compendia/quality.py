"""The evidence of a compendium: statistics and checks made while its blocks go by once.

Memory is a few numbers per sample, a few per gene and technology, and the values of a bounded number of samples that
are looked at more closely; all of them are chosen by position, so that the same compendium gives the same evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from refinebio_assets.compendia.compendium import CompendiumBlock, PreparedCompendium
from refinebio_assets.compendia.distribution_check import PAIRS, check_distributions, choose_pairs
from refinebio_assets.compendia.expression_store import Floats
from refinebio_assets.compendia.quality_agreement import (
    Agreement,
    SamplePair,
    correlation,
    overlapping,
    some_of,
)
from refinebio_assets.compendia.quality_checks import (
    CHECK_NAMES,
    QualityCheck,
    check_constant,
    check_converged,
    check_duplicates,
    check_empty,
    check_finite,
    check_gene_names,
    check_imputation,
    check_mapping,
    check_normalization,
    check_untouched,
)
from refinebio_assets.compendia.quality_components import MOST_GENES, MOST_SAMPLES, Components, components
from refinebio_assets.compendia.quality_densities import BINS, Density, all_of, count_in_bins
from refinebio_assets.compendia.quality_digests import (
    Bools,
    all_finite,
    count_not_finite,
    digests_of,
    equal_rows,
    is_constant,
)
from refinebio_assets.compendia.quality_held_out import HeldOutError, held_out_error
from refinebio_assets.compendia.quality_missingness import Groups, Missingness, missingness
from refinebio_assets.compendia.quality_sampling import (
    Positions,
    codes_of,
    column,
    evenly_spaced,
    share,
    strata_of,
    stratified,
)
from refinebio_assets.domain.vocabulary import Technology

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CHECK_NAMES", "HeldOutError", "Quality", "QualityCheck", "QualityStatistics", "held_out_error"]

ROWS_AT_ONCE = 64
COMPARED = 500
"""Samples whose values are compared with those before imputation."""
CHECK_SEED = 123
"""Of the pairs of samples whose distributions are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFigures:
    """What the plots and tables of a report are made of.

    Attributes:
        densities: Values by technology.
        missingness: Where values are missing.
        before: Principal components before quantile normalisation, of the samples in ``labels``.
        after: The same after it.
        labels: ``technology``, ``platform`` and ``experiment`` of the samples of the components.
        component_genes: Genes that the components are made of.
        agreement: Of array and RNA-seq; None if the compendium has one of them only.
        held_out: Error of the imputation; None if it was not measured.
    """

    densities: tuple[Density, ...]
    missingness: Missingness
    before: Components | None
    after: Components | None
    labels: dict[str, tuple[str, ...]]
    component_genes: int
    agreement: Agreement | None
    held_out: HeldOutError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The evidence of a compendium.

    Attributes:
        summary: As JSON, without what only plots need.
        checks: One for each of :data:`CHECK_NAMES`, in their order.
        figures: What plots need; None if there is nothing to plot.
    """

    summary: dict[str, Any]
    checks: tuple[QualityCheck, ...]
    figures: QualityFigures | None = None

    @property
    def blocking(self) -> tuple[QualityCheck, ...]:
        """Checks for which nobody should use this compendium."""
        return tuple(check for check in self.checks if check.blocking and not check.passed)


class _Kept:
    """Rows of a few samples, by position."""

    def __init__(self, positions: Iterable[int], width: int, columns: Positions | None = None) -> None:
        self.positions = np.unique(np.fromiter(positions, np.intp))
        self.columns = slice(None) if columns is None else columns
        self.normalized = np.empty((len(self.positions), width if columns is None else len(columns)), np.float32)
        self.imputed = np.empty_like(self.normalized)
        self.absent = np.empty(self.normalized.shape, np.bool_)

    def add(self, start: int, normalized: Floats, imputed: Floats, absent: Bools) -> None:
        first, last = np.searchsorted(self.positions, [start, start + len(normalized)])
        for place, row in enumerate((self.positions[first:last] - start).tolist(), start=int(first)):
            self.normalized[place] = normalized[row][self.columns]
            self.imputed[place] = imputed[row][self.columns]
            self.absent[place] = absent[row][self.columns]

    def row(self, position: int) -> int:
        return int(np.searchsorted(self.positions, position))


class QualityStatistics:
    """Statistics of blocks that come once.

    Args:
        samples: Index accession; columns ``technology``, ``platform``, ``experiment``, ``organism`` and ``biosample``
            are looked at, any of which may be missing or empty. Rows in the order of the compendium.
        genes: Ids of the columns.
    """

    def __init__(self, samples: pd.DataFrame, genes: Sequence[str]) -> None:
        self.samples = tuple(map(str, samples.index))
        self.genes = tuple(genes)
        self._organisms = frozenset(column(samples, "organism"))
        self._experiments = column(samples, "experiment")
        technologies, technology = codes_of(column(samples, "technology"))
        platforms, platform = codes_of(column(samples, "platform"))
        self._groups = Groups(technologies=technologies, technology=technology, platforms=platforms, platform=platform)
        count, width = len(self.samples), len(self.genes)
        self._histograms = np.zeros((2, len(technologies), BINS), np.int64)
        self._zeros = np.zeros(len(technologies), np.int64)
        self._absent_by_gene = np.zeros((len(technologies), width), np.int64)
        self._absent_by_sample = np.zeros(count, np.int64)
        self._sums = np.zeros((2, len(technologies), width))
        self._digests = np.zeros((count, 2), np.uint64)
        self._constant = np.zeros(count, np.bool_)
        self._came = np.zeros(count, np.bool_)
        self._not_finite = self._imputed = 0
        shown = stratified(strata_of(samples), MOST_SAMPLES).tolist()
        self._shown = _Kept(shown, width, evenly_spaced(width, MOST_GENES))
        drawn = {place for pair in choose_pairs(count, PAIRS, seed=CHECK_SEED) for place in pair}
        self._compared = _Kept(drawn, width)
        self._biosamples = column(samples, "biosample")
        self._overlapping = overlapping(self._biosamples, column(samples, "technology"))
        self._paired = _Kept((place for pair in some_of(self._overlapping) for place in pair), width)

    def add(self, block: CompendiumBlock) -> None:
        """Take a block in.

        Raises:
            ValueError: It does not fit the samples and genes.
        """
        stop = block.start + len(block.normalized)
        if stop > len(self.samples) or block.normalized.shape[1] != len(self.genes):
            message = f"a block of samples {block.start} to {stop} x {block.normalized.shape[1]} genes does not fit"
            raise ValueError(message)
        for first in range(0, len(block.normalized), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            self._add(block.start + first, block.normalized[rows], block.imputed[rows], block.mask[rows])

    def _add(self, start: int, normalized: Floats, imputed: Floats, mask: Bools) -> None:
        stop = start + len(normalized)
        complete = all_finite(imputed) and all_finite(normalized)
        absent = mask if complete else mask | np.isnan(imputed)
        observed = np.where(absent, np.float32(0), imputed)
        self._came[start:stop] = True
        self._absent_by_sample[start:stop] = np.count_nonzero(absent, axis=1)
        self._imputed += int(np.count_nonzero(mask))
        if not complete:
            left_missing = absent & ~mask
            self._not_finite += count_not_finite(normalized, left_missing) + count_not_finite(imputed, left_missing)
        self._digests[start:stop] = digests_of(observed, absent)
        self._constant[start:stop] = [is_constant(*pair) for pair in zip(observed, absent, strict=True)]
        codes = self._groups.technology[start:stop]
        for code in np.unique(codes).tolist():
            rows = slice(None) if (codes == code).all() else codes == code
            self._add_of_technology(code, normalized[rows], imputed[rows], observed[rows], absent[rows])
            for layer, values in enumerate((imputed[rows], normalized[rows])):
                self._histograms[layer, code] += sum(
                    count_in_bins(row if complete else row[~np.isnan(row)]) for row in values
                )
        for kept in (self._shown, self._compared, self._paired):
            kept.add(start, normalized, imputed, absent)

    def _add_of_technology(
        self, code: int, normalized: Floats, imputed: Floats, observed: Floats, absent: Bools
    ) -> None:
        self._absent_by_gene[code] += np.add.reduce(absent.view(np.uint8), axis=0, dtype=np.uint8)
        self._zeros[code] += int(np.count_nonzero(imputed == 0))
        if len(self._groups.technologies) > 1:
            self._sums[0, code] += observed.sum(axis=0)
            self._sums[1, code] += np.where(absent, np.float32(0), normalized).sum(axis=0)

    def finish(self, prepared: PreparedCompendium, *, held_out: HeldOutError | None) -> Quality:
        """The evidence.

        Args:
            prepared: The compendium whose blocks were added.
            held_out: What :func:`held_out_error` found.

        Raises:
            ValueError: Not all samples came.
        """
        if not self._came.all():
            message = f"{int((~self._came).sum())} of {len(self.samples)} samples did not come"
            raise ValueError(message)
        imputation = prepared.imputation
        checks = (
            check_empty(self._named(self._absent_by_sample == len(self.genes)), len(self.samples)),
            check_constant(self._named(self._constant), len(self.samples)),
            *self._check_copies(),
            check_gene_names(self.genes),
            check_mapping(self.genes, self._organisms),
            check_finite(self._not_finite, 2 * len(self.samples) * len(self.genes)),
            self._check_untouched(prepared),
            *self._check_normalization(normalized=prepared.target is not None),
            check_converged(
                imputation.converged if imputation is not None else None,
                imputation.iterations if imputation is not None else 0,
            ),
            check_imputation(
                held_out.worse_than_baseline() if held_out else [], len(held_out.strata) if held_out else 0
            ),
        )
        figures = self._figures(held_out)
        return Quality(summary=self._summary(figures, checks), checks=checks, figures=figures)

    def _named(self, chosen: Bools) -> list[str]:
        return [self.samples[place] for place in np.flatnonzero(chosen).tolist()]

    def _check_copies(self) -> tuple[QualityCheck, QualityCheck]:
        """Samples with the same measured values; constant ones are said to be so elsewhere."""
        repeated = sorted(sample for sample, count in Counter(self.samples).items() if count > 1)
        places = np.flatnonzero(~self._constant & (self._absent_by_sample < len(self.genes)))
        pairs = [(self.samples[places[a]], self.samples[places[b]]) for a, b in equal_rows(self._digests[places])]
        experiments = dict(zip(self.samples, self._experiments, strict=True))
        return check_duplicates(repeated, pairs, experiments, len(self.samples))

    def _check_untouched(self, prepared: PreparedCompendium) -> QualityCheck:
        """Read samples again as they were before imputation, and compare them by their digests."""
        changed = []
        places = evenly_spaced(len(self.samples), COMPARED).tolist()
        for place in places:
            values = prepared.filtered.read(place, place + 1)
            absent = np.isnan(values)
            values[absent] = 0
            if (digests_of(values, absent)[0] != self._digests[place]).any():
                changed.append(self.samples[place])
        return check_untouched(changed, len(places))

    def _check_normalization(self, *, normalized: bool) -> tuple[QualityCheck, QualityCheck]:
        def read(position: int) -> Floats:
            row: Floats = self._compared.normalized[self._compared.row(position)]
            return row

        first, again = (check_distributions(read, len(self.samples), seed=CHECK_SEED) for _ in range(2))
        return check_normalization(first, again, self.samples, normalized=normalized)

    def _figures(self, held_out: HeldOutError | None) -> QualityFigures:
        places = self._shown.positions.tolist()
        groups = self._groups
        labels = {
            "technology": tuple(groups.technologies[groups.technology[place]] for place in places),
            "platform": tuple(groups.platforms[groups.platform[place]] for place in places),
            "experiment": tuple(self._experiments[place] for place in places),
        }
        return QualityFigures(
            densities=tuple(self._density(code) for code in range(len(groups.technologies))),
            missingness=missingness(
                self._absent_by_gene, self._absent_by_sample, self.samples, self.genes, self._groups
            ),
            before=components(self._shown.imputed.copy(), labels),
            after=components(self._shown.normalized.copy(), labels),
            labels=labels,
            component_genes=self._shown.normalized.shape[1],
            agreement=self._agreement(),
            held_out=held_out,
        )

    def _density(self, code: int) -> Density:
        return Density(
            label=self._groups.technologies[code],
            samples=int((self._groups.technology == code).sum()),
            before=self._histograms[0, code],
            after=self._histograms[1, code],
            zeros=int(self._zeros[code]),
        )

    def _agreement(self) -> Agreement | None:
        names = self._groups.technologies
        if Technology.MICROARRAY.value not in names or Technology.RNA_SEQ.value not in names:
            return None
        array, rna = names.index(Technology.MICROARRAY.value), names.index(Technology.RNA_SEQ.value)
        sizes = np.bincount(self._groups.technology, minlength=len(names))
        counts = sizes[:, None] - self._absent_by_gene
        both = (counts[array] > 0) & (counts[rna] > 0)
        means = self._sums[:, [array, rna]][:, :, both] / counts[[array, rna]][:, both]
        return Agreement(
            pairs=tuple(self._pairs()),
            num_overlapping=len(self._overlapping),
            genes=int(both.sum()),
            means=(means[0, 0], means[0, 1]),
            means_before=correlation(means[0, 0], means[0, 1]),
            means_after=correlation(means[1, 0], means[1, 1]),
        )

    def _pairs(self) -> Iterable[SamplePair]:
        """Samples that both technologies measured; compared are genes that neither has imputed."""
        chosen, kept = some_of(self._overlapping), self._paired
        for number, (array, rna) in enumerate(chosen):
            one, other = kept.row(array), kept.row(rna)
            stranger = kept.row(chosen[(number + 1) % len(chosen)][1])
            both = ~(kept.absent[one] | kept.absent[other])
            before = correlation(kept.imputed[one, both], kept.imputed[other, both])
            after = correlation(kept.normalized[one, both], kept.normalized[other, both])
            if before is not None and after is not None:
                with_stranger = ~(kept.absent[one] | kept.absent[stranger])
                yield SamplePair(
                    biosample=self._biosamples[array],
                    array=self.samples[array],
                    rna_seq=self.samples[rna],
                    genes=int(both.sum()),
                    before=before,
                    after=after,
                    stranger=correlation(kept.normalized[one, with_stranger], kept.normalized[stranger, with_stranger])
                    if len(chosen) > 1
                    else None,
                )

    def _summary(self, figures: QualityFigures, checks: Sequence[QualityCheck]) -> dict[str, Any]:
        densities = (*figures.densities, all_of(figures.densities)) if len(figures.densities) > 1 else figures.densities
        return {
            "samples": len(self.samples),
            "genes": len(self.genes),
            "experiments": len(set(self._experiments)),
            "samples_by_technology": {one.label: one.samples for one in figures.densities},
            "share_imputed": share(self._imputed, len(self.samples) * len(self.genes)),
            "missingness": figures.missingness.to_dict(),
            "distributions": {one.label: one.quantiles() for one in densities},
            "components": {
                "samples": len(self._shown.positions),
                "genes": figures.component_genes,
                "before": figures.before.to_dict() if figures.before else None,
                "after": figures.after.to_dict() if figures.after else None,
            },
            "held_out": figures.held_out.to_dict() if figures.held_out else None,
            "agreement": figures.agreement.to_dict() if figures.agreement else None,
            "checks": {check.name: check.passed for check in checks},
        }
