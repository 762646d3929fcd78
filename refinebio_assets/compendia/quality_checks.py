"""What must be true of a compendium, and what a person should look at: checks with their reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refinebio_assets.compendia.distribution_check import LARGEST_STATISTIC, SMALLEST_P_VALUE, DistributionCheck
from refinebio_assets.compendia.quality_sampling import rounded, share
from refinebio_assets.microarray.gene_identifiers import IdentifierType, identifier_type

LARGEST_UNMAPPED_SHARE = 0.05
"""Share of genes without a stable id above which something went wrong in mapping probes to genes; below, single genes
slipped through."""
LARGEST_SHARE_OF_COPIES = 0.01
"""Share of samples that are copies of other experiments' samples above which it cannot be re-deposition alone."""
NAMED = 20
"""Offenders named in a check's metadata."""

CHECK_NAMES = (
    "empty_samples",
    "constant_samples",
    "duplicated_samples",
    "copies_across_experiments",
    "duplicated_genes",
    "unmapped_genes",
    "finite_values",
    "observed_values_untouched",
    "quantile_normalization_deterministic",
    "distributions_agree",
    "imputation_converged",
    "imputation_beats_gene_means",
)
"""Every compendium gets all of them, in this order."""

_ENSEMBL_ORGANISMS = frozenset(
    (
        *("HOMO_SAPIENS", "MUS_MUSCULUS", "RATTUS_NORVEGICUS", "DANIO_RERIO", "BOS_TAURUS", "CANIS_LUPUS_FAMILIARIS"),
        *("GALLUS_GALLUS", "MACACA_MULATTA", "SUS_SCROFA", "XENOPUS_TROPICALIS", "DROSOPHILA_MELANOGASTER"),
        *("CAENORHABDITIS_ELEGANS", "SACCHAROMYCES_CEREVISIAE", "ARABIDOPSIS_THALIANA"),
    )
)
"""Their stable ids have a form of their own; those of other Ensembl Genomes species are locus names of any form."""


@dataclass(frozen=True, slots=True)
class QualityCheck:
    """One statement about a compendium.

    Attributes:
        name: One of :data:`CHECK_NAMES`.
        passed: Whether it holds.
        blocking: Whether nobody should use the compendium if it does not.
        description: What is checked, what was found, and why it blocks or does not: for a biologist.
        metadata: Figures, as JSON.
    """

    name: str
    passed: bool
    blocking: bool
    description: str
    metadata: dict[str, Any] = field(default_factory=dict)


def check_empty(empty: Sequence[str], samples: int) -> QualityCheck:
    """No sample without a measured value."""
    found = f"{len(empty):,} of {samples:,} samples have no measured value at all."
    why = "Blocking: the sample filter demands measured values, so an empty sample is a fault of the build."
    return _check("empty_samples", f"{found} {why}", _named(empty), passed=not empty, blocking=True)


def check_constant(constant: Sequence[str], samples: int) -> QualityCheck:
    """No sample with one value everywhere."""
    found = f"{len(constant):,} of {samples:,} samples have one and the same value in all genes."
    why = "Blocking: such a sample measures nothing; its raw file or its processing is broken."
    return _check("constant_samples", f"{found} {why}", _named(constant), passed=not constant, blocking=True)


def check_duplicates(
    repeated: Sequence[str], pairs: Sequence[tuple[str, str]], experiments: Mapping[str, str], samples: int
) -> tuple[QualityCheck, QualityCheck]:
    """No sample twice; and how many are copies of another experiment's.

    Args:
        repeated: Accessions that several columns have.
        pairs: Samples whose measured values are equal to the last bit.
        experiments: Experiment by sample.
        samples: How many there are.
    """
    within = [pair for pair in pairs if experiments[pair[0]] == experiments[pair[1]]]
    across = [pair for pair in pairs if experiments[pair[0]] != experiments[pair[1]]]
    found = (
        f"{len(repeated):,} accessions have more than one column, and {len(within):,} pairs of samples of one "
        "experiment have the same values in all genes."
    )
    why = "Blocking: two samples of one experiment are never equal to the last digit; one file was read for two."
    duplicated = _check(
        "duplicated_samples",
        f"{found} {why}",
        {**_named(repeated), **_paired(within)},
        passed=not repeated and not within,
        blocking=True,
    )
    copied = share(len({pair[1] for pair in across}), samples)
    copies = _check(
        "copies_across_experiments",
        f"{len(across):,} pairs of samples of different experiments have the same values ({_percent(copied)} of "
        "samples are such copies). Authors deposit one file in several series, so single ones do not block; they count "
        f"twice in every statistic. Blocking above {_percent(LARGEST_SHARE_OF_COPIES)} of the samples.",
        {**_paired(across), "share": copied},
        passed=not across,
        blocking=copied > LARGEST_SHARE_OF_COPIES,
    )
    return duplicated, copies


def check_gene_names(genes: Sequence[str]) -> QualityCheck:
    """No gene twice."""
    repeated = sorted(gene for gene, count in Counter(genes).items() if count > 1)
    description = (
        f"{len(repeated):,} of {len(genes):,} gene ids are there more than once. Blocking: values of one gene would be "
        "spread over several rows, and most programs that read the matrix would keep one of them at random."
    )
    return _check("duplicated_genes", description, _named(repeated), passed=not repeated, blocking=True)


def check_mapping(genes: Sequence[str], organisms: Collection[str]) -> QualityCheck:
    """All gene ids are Ensembl stable ids."""
    unmapped = unmapped_ids(genes, organisms)
    found = share(len(unmapped), len(genes))
    description = (
        f"{len(unmapped):,} of {len(genes):,} genes ({_percent(found)}) have an id that is no Ensembl stable id (probe "
        "sets, symbols, accessions, ids with a version). Genes of array and RNA-seq samples meet only by stable ids. "
        f"Blocking above {_percent(LARGEST_UNMAPPED_SHARE)}: then a whole source of samples was not mapped."
    )
    metadata = {**_named(unmapped), "share": found, "largest_share": LARGEST_UNMAPPED_SHARE}
    too_many = found > LARGEST_UNMAPPED_SHARE
    return _check("unmapped_genes", description, metadata, passed=not unmapped, blocking=too_many)


def unmapped_ids(genes: Sequence[str], organisms: Collection[str]) -> list[str]:
    """The ids that are no Ensembl stable ids, each once, sorted.

    Stable ids of plants, fungi, protists and most insects are locus names of any form (``Os01g0100100``): where none of
    the ids has Ensembl's own form and the organism is not one that has it, whatever looks like a name counts as one.
    """
    own_form = {gene for gene in genes if _is_stable_id(gene)}
    others = sorted(set(genes) - own_form)
    if own_form or not _ENSEMBL_ORGANISMS.isdisjoint(organisms):
        return others
    return [gene for gene in others if identifier_type(gene) not in {IdentifierType.SYMBOL, None} or not gene.strip()]


def _is_stable_id(gene: str) -> bool:
    """Of Ensembl's form, without a version and without what Brainarray's probe sets end in."""
    return identifier_type(gene) is IdentifierType.ENSEMBL_GENE and "." not in gene and not gene.endswith("_at")


def check_finite(not_finite: int, cells: int) -> QualityCheck:
    """Every value is a number, but for what is missing where nothing was imputed."""
    description = (
        f"{not_finite:,} of {cells:,} values (before and after quantile normalisation) are infinite or no number; what "
        "was left missing on purpose is not counted. Blocking: one such value spoils every mean it goes into."
    )
    metadata = {"not_finite": not_finite, "cells": cells}
    return _check("finite_values", description, metadata, passed=not not_finite, blocking=True)


def check_untouched(changed: Sequence[str], looked_at: int) -> QualityCheck:
    """Imputation replaced missing values only."""
    description = (
        f"{len(changed):,} of {looked_at:,} samples that were compared with their values before imputation differ in a "
        "measured value, or in which values are marked as imputed. Blocking: imputation must fill gaps only."
    )
    metadata = {**_named(changed), "samples_compared": looked_at}
    return _check("observed_values_untouched", description, metadata, passed=not changed, blocking=True)


def check_normalization(
    first: DistributionCheck, again: DistributionCheck, samples: Sequence[str], *, normalized: bool
) -> tuple[QualityCheck, QualityCheck]:
    """The quantile normalisation check gives one answer, and the samples have one distribution."""
    worst = [samples[place] for place in first.worst] if first.worst else []
    metadata = {
        "pairs": first.pairs,
        "statistic": rounded(first.statistic),
        "p_value": rounded(first.p_value),
        "worst": worst,
        "normalized": normalized,
    }
    figures = (
        f"{first.pairs} pairs of samples, drawn with a fixed seed: largest Kolmogorov-Smirnov statistic "
        f"{first.statistic:.3g}, smallest p-value {first.p_value:.3g}."
    )
    same = "the same" if first == again else "another result"
    repeated = _check(
        "quantile_normalization_deterministic",
        f"{figures} Repeated, the check gave {same}. Blocking: a check that changes its mind proves nothing.",
        metadata,
        passed=first == again,
        blocking=True,
    )
    tolerance = "genes that tie (equal counts in RNA-seq) keep equal values, which the test sees"
    agree = _check(
        "distributions_agree",
        f"{figures} Expected: at most {LARGEST_STATISTIC} and at least {SMALLEST_P_VALUE}. "
        + (
            f"Not blocking: {tolerance}."
            if normalized
            else "Not asked for: this compendium is not quantile-normalised."
        ),
        metadata,
        passed=first.passed or not normalized,
        blocking=False,
    )
    return repeated, agree


def check_converged(converged: bool | None, iterations: int) -> QualityCheck:  # noqa: FBT001  # a fact, not a switch
    """The imputation came to its end by itself."""
    if converged is None:
        found = "Nothing was imputed."
    else:
        found = f"The imputation {'settled' if converged else 'had not settled'} after {iterations} iterations."
    description = (
        f"{found} Not blocking: imputed values that still move are uncertain by more than they moved in the last "
        "iteration, measured values are not concerned."
    )
    metadata = {"iterations": iterations}
    return _check("imputation_converged", description, metadata, passed=converged is not False, blocking=False)


def check_imputation(worse: Sequence[str], strata: int) -> QualityCheck:
    """Imputed values are closer to the truth than the gene's mean."""
    found = (
        f"In {len(worse)} of {strata} groups of hidden values, imputation came less close than the gene's mean."
        if strata
        else "No values were hidden: too few samples or genes, or nothing is imputed."
    )
    description = (
        f"{found} Not blocking: imputed values are marked as such; where this fails, leave them out of an analysis."
    )
    metadata = {"worse": list(worse)}
    return _check("imputation_beats_gene_means", description, metadata, passed=not worse, blocking=False)


def _check(name: str, description: str, metadata: dict[str, Any], *, passed: bool, blocking: bool) -> QualityCheck:
    return QualityCheck(name, passed, blocking, description, metadata)


def _paired(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {"num_pairs": len(pairs), "pairs": [list(pair) for pair in pairs[:NAMED]]}


def _named(offenders: Sequence[str]) -> dict[str, Any]:
    return {"count": len(offenders), "named": list(offenders[:NAMED])}


def _percent(value: float) -> str:
    return f"{100 * value:.2g} %"
