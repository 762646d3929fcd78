"""Values of probes, Entrez genes, symbols … become values of Ensembl genes; what becomes of each row is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.gene_identifiers import (
    IdentifierType,
    PatternShares,
    bare_identifier,
    identifier_type,
    is_control,
    pattern_shares,
    split_stable_version,
    turned_into_dates,
)
from refinebio_assets.microarray.identifier_maps import COLUMN_NAMES, IdentifierMap, Overlap

Numbers = NDArray[np.float64]

LEAST_OVERLAP = 0.5
"""refine.bio's rule: a column of the mapping table is that of the data if it has half of their identifiers or more."""


class ConversionPolicy(StrEnum):
    """What becomes of an identifier that stands for several genes."""

    UNIQUE = "unique"
    """It is left out: its value is not that of any one of them."""
    EACH = "each"
    """Every one of them gets its value."""
    REFINEBIO_1 = "refinebio-1"
    """As ``each``; identifiers are compared as they stand, and controls count for the overlap, as in refine.bio."""


class Outcome(StrEnum):
    """What became of an identifier."""

    MAPPED = "mapped"
    AMBIGUOUS = "ambiguous"
    UNMAPPED = "unmapped"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierDetection:
    """What the identifiers of a table are.

    Attributes:
        kind: Their type.
        told_by: ``table`` (overlap with a mapping table), ``pattern`` (what they look like) or ``caller``.
        overlaps: What data and each column of the mapping table have in common; empty without a table.
        patterns: What they look like.
    """

    kind: IdentifierType
    told_by: str
    overlaps: Mapping[IdentifierType, Overlap]
    patterns: PatternShares


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionCounts:
    """Rows by what became of them: ``rows = mapped + ambiguous + unmapped + controls``.

    Attributes:
        rows: Rows of the input.
        identifiers: Distinct identifiers in them.
        mapped: Rows whose value went into one gene (or, with the policies ``each`` and ``refinebio-1``, several).
        ambiguous: Rows left out because their identifier stands for several genes.
        unmapped: Rows whose identifier the mapping table does not know, or knows no gene for.
        controls: Rows of spiked and hybridisation controls.
        to_several: Rows whose value went into several genes.
        genes: Genes of the output.
        genes_of_several: Genes whose value is the mean of several rows.
        without_value: Genes of the output without any value, in any sample.
        dates: Identifiers that a spreadsheet turned into dates.
    """

    rows: int
    identifiers: int
    mapped: int
    ambiguous: int
    unmapped: int
    controls: int
    to_several: int
    genes: int
    genes_of_several: int
    without_value: int
    dates: int


@dataclass(frozen=True, kw_only=True)
class ConvertedGenes:
    """Values by gene.

    Attributes:
        genes: Distinct Ensembl ids without version, sorted.
        versions: Version of each, empty text where unknown.
        values: Shape (genes, samples), float64: the mean of the present values of a gene's rows; NaN if there is none.
        rows_per_gene: How many rows went into each gene, int64.
        outcomes: What became of each row, in the order of the input.
        targets: For each row the genes its identifier stands for.
        detection: What the identifiers are.
        counts: Rows by what became of them.
        method: Version of the method.
        parameters: Policy, overlap that was asked for, and the mapping table's origin.
        warnings: For people.
    """

    genes: tuple[str, ...]
    versions: tuple[str, ...]
    values: Numbers = field(repr=False)
    rows_per_gene: NDArray[np.int64] = field(repr=False)
    outcomes: tuple[Outcome, ...] = field(repr=False)
    targets: tuple[tuple[str, ...], ...] = field(repr=False)
    detection: IdentifierDetection
    counts: ConversionCounts
    method: str
    parameters: Mapping[str, Any]
    warnings: tuple[str, ...]


def detect_identifiers(
    ids: Sequence[str],
    mapping: IdentifierMap | None = None,
    *,
    kind: IdentifierType | None = None,
    least_overlap: float = LEAST_OVERLAP,
    with_controls: bool = False,
) -> IdentifierDetection:
    """Tell what identifiers are: the column of the mapping table that has most of them, or else what they look like.

    Args:
        ids: Identifiers; repeated ones count once.
        mapping: A mapping table.
        kind: Their type if it is known; it has to reach ``least_overlap`` all the same.
        least_overlap: Part of the distinct identifiers that the column must have.
        with_controls: Whether controls count as identifiers that are not found.

    Raises:
        InputError: No column has enough of them; or there is no table, and too few look like one known type.
    """
    patterns = pattern_shares(ids)
    if mapping is None:
        found = kind or patterns.likeliest
        if found is None or patterns.shares.get(found, 0.0) < least_overlap:
            raise _unrecognised(ids, patterns, found, least_overlap)
        told_by = "caller" if kind else "pattern"
        return IdentifierDetection(kind=found, told_by=told_by, overlaps={}, patterns=patterns)
    if kind is not None and kind not in mapping.columns:
        raise mapping.lacks(kind)
    overlaps = mapping.overlap(ids, with_controls=with_controls)
    best = kind or max(overlaps, key=lambda each: (overlaps[each].of_data, overlaps[each].of_map))
    if not overlaps[best].shared or overlaps[best].of_data < least_overlap:
        raise _too_little_overlap(ids, mapping, overlaps, patterns, least_overlap)
    return IdentifierDetection(kind=best, told_by="caller" if kind else "table", overlaps=overlaps, patterns=patterns)


def convert_genes(
    ids: Sequence[str] | NDArray[np.str_],
    values: NDArray[np.floating],
    mapping: IdentifierMap | None,
    *,
    policy: ConversionPolicy = ConversionPolicy.UNIQUE,
    kind: IdentifierType | None = None,
    least_overlap: float = LEAST_OVERLAP,
) -> ConvertedGenes:
    """Give values to Ensembl genes.

    Args:
        ids: Identifier of each row.
        values: Shape (rows,) or (rows, samples); NaN where there is no value.
        mapping: The mapping table; None if the identifiers are Ensembl genes already.
        policy: What becomes of identifiers that stand for several genes.
        kind: Type of the identifiers; found if None.
        least_overlap: Part of the distinct identifiers that the mapping table must have.

    Raises:
        InputError: The table has too few of the identifiers or no Ensembl genes; or there is none, and the identifiers
            are something else than Ensembl genes; or not one row has a gene.
    """
    policy = ConversionPolicy(policy)
    names = [str(name) for name in ids]
    matrix = np.asarray(values, dtype=np.float64).reshape(len(names), -1)
    as_before = policy is ConversionPolicy.REFINEBIO_1
    detection = detect_identifiers(names, mapping, kind=kind, least_overlap=least_overlap, with_controls=as_before)
    if mapping is None and detection.kind is not IdentifierType.ENSEMBL_GENE:
        message = f"The identifiers are of the type {detection.kind}, and there is no mapping table."
        raise InputError(message, remedy="Give the mapping table of the platform or organism.")
    targets, version_of = _targets(names, mapping, detection, as_they_stand=as_before)
    outcomes = tuple(_outcome(name, found, policy) for name, found in zip(names, targets, strict=True))
    genes, rows, places = _memberships(targets, outcomes)
    if not genes:
        message = f"None of {len(names)} rows has a gene."
        raise InputError(message, remedy="Give the mapping table of the platform and organism.")
    rows_per_gene = np.bincount(places, minlength=len(genes))
    means = _means(matrix, rows, places, len(genes))
    counts = _counted(names, targets, outcomes, rows_per_gene, means)
    return ConvertedGenes(
        genes=genes,
        versions=tuple(version_of.get(gene, "") for gene in genes),
        values=means,
        rows_per_gene=rows_per_gene,
        outcomes=outcomes,
        targets=tuple(targets),
        detection=detection,
        counts=counts,
        method=f"gene-conversion.{policy}",
        parameters={
            "policy": str(policy),
            "identifiers": str(detection.kind),
            "least_overlap": least_overlap,
            "mapping": None if mapping is None else mapping.origin.source,
            "mapping_version": None if mapping is None else mapping.origin.version,
            "mapping_release": None if mapping is None else mapping.origin.release,
        },
        warnings=_warnings(counts, detection),
    )


def _targets(
    names: Sequence[str], mapping: IdentifierMap | None, detection: IdentifierDetection, *, as_they_stand: bool
) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """The genes of each row, and what versions of them are known."""
    kind = detection.kind
    if mapping is None:
        split = [split_stable_version(name) for name in names]
        genes: list[tuple[str, ...]] = [
            (gene,) if identifier_type(gene) is IdentifierType.ENSEMBL_GENE else () for gene, _ in split
        ]
        return genes, {gene: version for gene, version in split if version}
    of = mapping.targets(kind)
    if as_they_stand:
        return [of.get(name, ()) for name in names], mapping.version_of
    return [of.get(name) or of.get(bare_identifier(name, kind), ()) for name in names], mapping.version_of


def _outcome(name: str, genes: tuple[str, ...], policy: ConversionPolicy) -> Outcome:
    if is_control(name):
        return Outcome.CONTROL
    if not genes:
        return Outcome.UNMAPPED
    if len(genes) > 1 and policy is ConversionPolicy.UNIQUE:
        return Outcome.AMBIGUOUS
    return Outcome.MAPPED


def _memberships(
    targets: Sequence[tuple[str, ...]], outcomes: Sequence[Outcome]
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    """Genes, sorted; and for each pair of row and gene the row and the gene's place, ordered by gene, then row."""
    pairs = [(row, gene) for row, genes in enumerate(targets) if outcomes[row] is Outcome.MAPPED for gene in genes]
    genes = sorted({gene for _, gene in pairs})
    place = {gene: at for at, gene in enumerate(genes)}
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    places = np.array([place[gene] for _, gene in pairs], dtype=np.int64)
    order = np.argsort(places, kind="stable")
    return tuple(genes), rows[order], places[order]


def _means(matrix: Numbers, rows: NDArray[np.int64], places: NDArray[np.int64], genes: int) -> Numbers:
    """The mean of the present values of each gene's rows; one column at a time, to need no more memory than they do."""
    starts = np.searchsorted(places, np.arange(genes))
    means = np.empty((genes, matrix.shape[1]))
    for sample in range(matrix.shape[1]):
        column = matrix[rows, sample]
        present = np.isfinite(column)
        counts = np.add.reduceat(present, starts, dtype=np.int64)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            means[:, sample] = np.add.reduceat(np.where(present, column, 0.0), starts) / counts
    return means


def _counted(
    names: Sequence[str],
    targets: Sequence[tuple[str, ...]],
    outcomes: Sequence[Outcome],
    rows_per_gene: NDArray[np.int64],
    means: Numbers,
) -> ConversionCounts:
    count = {outcome: outcomes.count(outcome) for outcome in Outcome}
    several = sum(len(genes) > 1 and each is Outcome.MAPPED for genes, each in zip(targets, outcomes, strict=True))
    return ConversionCounts(
        rows=len(names),
        identifiers=len(set(names)),
        mapped=count[Outcome.MAPPED],
        ambiguous=count[Outcome.AMBIGUOUS],
        unmapped=count[Outcome.UNMAPPED],
        controls=count[Outcome.CONTROL],
        to_several=several,
        genes=len(rows_per_gene),
        genes_of_several=int((rows_per_gene > 1).sum()),
        without_value=int(np.isnan(means).all(axis=1).sum()),
        dates=turned_into_dates(names),
    )


def _too_little_overlap(
    ids: Sequence[str],
    mapping: IdentifierMap,
    overlaps: Mapping[IdentifierType, Overlap],
    patterns: PatternShares,
    least: float,
) -> InputError:
    found = ", ".join(f"{COLUMN_NAMES[kind]} {overlap.of_data:.1%}" for kind, overlap in overlaps.items())
    message = (
        f"{mapping.origin.source} has too few of the identifiers ({', '.join(ids[:3])} …): {found}; {least:.0%} are "
        f"needed. They look like {_looks(patterns)}."
    )
    return InputError(message, remedy="Give the mapping table of the platform that the values were measured with.")


def _unrecognised(ids: Sequence[str], patterns: PatternShares, kind: IdentifierType | None, least: float) -> InputError:
    message = f"The identifiers ({', '.join(ids[:3])} …) look like {_looks(patterns)}"
    message += f"; {least:.0%} of the type {kind} are needed." if kind else "."
    return InputError(message, remedy="Give a mapping table that has them.")


def _looks(patterns: PatternShares) -> str:
    return ", ".join(f"{kind} {share:.0%}" for kind, share in patterns.shares.items()) or "nothing known"


def _warnings(counts: ConversionCounts, detection: IdentifierDetection) -> tuple[str, ...]:
    said = []
    if counts.unmapped:
        said.append(f"{counts.unmapped} of {counts.rows} rows have an identifier without a known gene: left out.")
    if counts.ambiguous:
        said.append(f"{counts.ambiguous} of {counts.rows} rows have an identifier of several genes: left out.")
    if counts.controls:
        said.append(f"{counts.controls} rows of controls were left out.")
    if counts.dates:
        said.append(f"{counts.dates} symbols look like dates (2-Sep for SEPT2): a spreadsheet has damaged them.")
    seen_as = detection.patterns.likeliest
    if detection.told_by == "caller" and seen_as not in {None, detection.kind}:
        said.append(f"The identifiers were said to be {detection.kind}; most look like {seen_as}.")
    return tuple(said)
