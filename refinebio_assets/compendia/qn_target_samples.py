"""Which samples make an organism's QN target.

As in refine.bio: at least 100 samples, processed from raw data, of Affymetrix arrays of the organism's most common
platform, all with the same genes. refine.bio takes the genes of whichever sample it reads first; here they are those of
most samples. An organism without enough arrays, but with as many RNA-seq samples, gets a target of these, over the
genes that all of them have; in refine.bio it never gets one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from refinebio_assets.domain.vocabulary import Technology

AFFYMETRIX = "AFFYMETRIX"
LEAST_SHARED_GENES = 0.9
"""Part of the genes of most RNA-seq samples that a sample must have: no strange matrix may shrink the target."""

NO_RAW_DATA = "It was not processed from raw data."
NO_VALUES = "Its expression is not in the store: materialise the expression of its experiment again."
NOT_AFFYMETRIX = "Its array is not one of Affymetrix."
NO_PLATFORM = "Nobody knows on which platform it was measured."


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSample:
    """A processed sample that could be in a target.

    Attributes:
        accession: Of the sample.
        technology: How it was measured.
        platform: Accession of the platform, None if nobody knows.
        manufacturer: Of the platform.
        allowed: Whether it was processed from raw data, or need not be.
        gene_space: Identifies the genes that it has; None if its expression is not in the store.
        unfit: Why its values must not be used, although they are there.
    """

    accession: str
    technology: Technology
    platform: str | None
    manufacturer: str | None
    allowed: bool
    gene_space: str | None
    unfit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChoice:
    """The samples of a target.

    Attributes:
        technology: Of all of them.
        platform: Of all of them; None for RNA-seq.
        genes: Those of the target, sorted.
        samples: Accessions, sorted. Which of them have no missing values is known when they are read.
        arrays: Arrays of the most common platform, whatever genes they have.
        rna_seq: RNA-seq samples, whatever genes they have.
        left_out: Why other samples of this technology are not among them.
    """

    technology: Technology
    platform: str | None
    genes: tuple[str, ...]
    samples: tuple[str, ...]
    arrays: int = 0
    rna_seq: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def eligible(self) -> int:
        """How many samples there would be, were they all of the same genes."""
        return self.rna_seq if self.technology is Technology.RNA_SEQ else self.arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFewSamples:
    """Why an organism has no target, in numbers.

    Attributes:
        platform: The most common platform of Affymetrix arrays, None without any array.
        arrays: Samples of that platform.
        same_genes: Those of them whose values are in the store, and of the genes of most.
        rna_seq: RNA-seq samples that could be in a target.
        least: How many are needed.
    """

    platform: str | None
    arrays: int
    same_genes: int
    rna_seq: int
    least: int

    def sentence(self, organism: str) -> str:
        """For people."""
        arrays = "no Affymetrix arrays"
        if self.platform is not None:
            arrays = f"{self.arrays} Affymetrix arrays of its most common platform ({self.platform})"
            if self.same_genes < self.arrays:
                arrays += f", of which {self.same_genes} have values of the same genes,"
        return (
            f"{organism} has {arrays} and {self.rna_seq} RNA-seq samples that are processed from raw data; a QN target "
            f"needs {self.least} of either (REFINEBIO_QN_TARGET_MIN_SAMPLES)."
        )


def is_affymetrix(manufacturer: str | None) -> bool:
    """Whether a manufacturer is Affymetrix, as archives write it."""
    return AFFYMETRIX in (manufacturer or "").upper()


def choose_samples(
    samples: Iterable[TargetSample], genes: Mapping[str, tuple[str, ...]], *, least: int
) -> TargetChoice | TooFewSamples:
    """Choose the samples of a target; the order in which they come changes nothing.

    Args:
        samples: All processed samples of the organism.
        genes: The genes of each gene space.
        least: How many a target needs.
    """
    known = sorted(samples, key=lambda one: one.accession)
    arrays = _choose_arrays([one for one in known if one.technology is Technology.MICROARRAY], genes)
    rna_seq = _choose_rna_seq([one for one in known if one.technology is Technology.RNA_SEQ], genes)
    for choice in (arrays, rna_seq):
        if len(choice.samples) >= least:
            return replace(choice, arrays=arrays.arrays, rna_seq=rna_seq.rna_seq)
    return TooFewSamples(
        platform=arrays.platform,
        arrays=arrays.arrays,
        same_genes=len(arrays.samples),
        rna_seq=len(rna_seq.samples),
        least=least,
    )


def most_common(names: Iterable[str]) -> str | None:
    """The most frequent name, the first in alphabetical order of several; None of nothing."""
    counts = Counter(names)
    return min(counts, key=lambda name: (-counts[name], name), default=None)


def _choose_arrays(samples: Sequence[TargetSample], genes: Mapping[str, tuple[str, ...]]) -> TargetChoice:
    left_out = {one.accession: reason for one in samples if (reason := _unfit_array(one)) is not None}
    fit = [one for one in samples if one.accession not in left_out]
    platform = most_common(str(one.platform) for one in fit)
    on_platform = [one for one in fit if one.platform == platform]
    for one in fit:
        if one.platform != platform:
            left_out[one.accession] = f"It was measured on {one.platform}, the target is of {platform}."
    stored, space = _stored(on_platform, left_out)
    left_out |= _with_other_genes([one for one in stored if one.gene_space != space], genes, space)
    return TargetChoice(
        technology=Technology.MICROARRAY,
        platform=platform,
        genes=genes[space] if space is not None else (),
        samples=tuple(one.accession for one in stored if one.gene_space == space),
        arrays=len(on_platform),
        left_out=left_out,
    )


def _choose_rna_seq(samples: Sequence[TargetSample], genes: Mapping[str, tuple[str, ...]]) -> TargetChoice:
    left_out = {one.accession: NO_RAW_DATA for one in samples if not one.allowed}
    fit = [one for one in samples if one.allowed]
    stored, space = _stored(fit, left_out)
    usual = frozenset(genes[space]) if space is not None else frozenset()
    spaces = {str(one.gene_space) for one in stored}
    close = {one for one in spaces if len(usual.intersection(genes[one])) >= LEAST_SHARED_GENES * len(usual)}
    left_out |= _with_other_genes([one for one in stored if one.gene_space not in close], genes, space)
    return TargetChoice(
        technology=Technology.RNA_SEQ,
        platform=None,
        genes=tuple(sorted(usual.intersection(*(genes[one] for one in close)))),
        samples=tuple(one.accession for one in stored if one.gene_space in close),
        rna_seq=len(fit),
        left_out=left_out,
    )


def _unfit_array(one: TargetSample) -> str | None:
    if one.platform is None:
        return NO_PLATFORM
    if not is_affymetrix(one.manufacturer):
        return NOT_AFFYMETRIX
    return None if one.allowed else NO_RAW_DATA


def _stored(samples: Sequence[TargetSample], left_out: dict[str, str]) -> tuple[list[TargetSample], str | None]:
    """Samples that have usable values in the store, and the genes of most of them; the others are left out."""
    for one in samples:
        if one.unfit is not None or one.gene_space is None:
            left_out[one.accession] = one.unfit or NO_VALUES
    stored = [one for one in samples if one.accession not in left_out]
    return stored, most_common(str(one.gene_space) for one in stored)


def _with_other_genes(
    samples: Sequence[TargetSample], genes: Mapping[str, tuple[str, ...]], usual: str | None
) -> dict[str, str]:
    """Reasons for samples that do not have the usual genes; made once for each gene space."""
    there = frozenset(genes[usual]) if usual is not None else frozenset()
    reasons = {}
    for space in {str(one.gene_space) for one in samples}:
        shared = len(there.intersection(genes[space]))
        reasons[space] = (
            f"Its {len(genes[space]):,} genes are not the {len(there):,} that most samples have ({shared:,} are the "
            "same)."
        )
    return {one.accession: reasons[str(one.gene_space)] for one in samples}
