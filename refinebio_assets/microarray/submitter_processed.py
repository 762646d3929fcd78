"""One sample's values as its submitter computed them, in log2 per Ensembl gene: the fallback without raw data.

Nothing is assumed: on which scale the values are is told by evidence (:mod:`log_state`), what the identifiers are by a
mapping table (:mod:`gene_conversion`), and what was decided is in the result. What cannot be told is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import LowQualityError
from refinebio_assets.microarray.gene_conversion import (
    LEAST_OVERLAP,
    ConversionPolicy,
    ConvertedGenes,
    IdentifierDetection,
    convert_genes,
)
from refinebio_assets.microarray.gene_identifiers import IdentifierType
from refinebio_assets.microarray.identifier_maps import IdentifierMap
from refinebio_assets.microarray.log_state import BASES, Log2Values, LogState, Scale, log_state, to_log2
from refinebio_assets.microarray.submitter_tables import SubmitterTable

METHOD = "submitter-processed"
LEAST_GENES = 1
MOST_WITHOUT_LOGARITHM = 0.5
"""A sample of which more values are 0 or negative has lost its lower half to a subtraction of background."""
_MANY_WITHOUT_LOGARITHM = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitterQuality:
    """Figures of one sample; shares are 0 to 1.

    Attributes:
        rows: Rows of the table.
        missing: Share of rows without a value.
        not_positive: Share of the values that have no logarithm (0 and below), if a logarithm was taken.
        scale: Scale of the submitted values.
        scale_confidence: Of that; 1 if the caller said it.
        conversion: What was done to reach log2.
        overlap: Share of the distinct identifiers that the mapping table has; of what they look like without one.
        mapped: Share of rows whose value went into a gene, controls left out.
        ambiguous: Share of rows with an identifier of several genes, controls left out.
        controls: Rows of controls.
        genes: Genes with a value.
        median: Of the genes' values, log2.
        interquartile_range: Of the genes' values, log2.
        table_confidence: Of the choice of columns.
    """

    rows: int
    missing: float
    not_positive: float
    scale: str
    scale_confidence: float
    conversion: str
    overlap: float
    mapped: float
    ambiguous: float
    controls: int
    genes: int
    median: float
    interquartile_range: float
    table_confidence: float


@dataclass(frozen=True, kw_only=True)
class SubmitterResult:
    """Expression of one sample.

    Attributes:
        sample: The sample's name in the table.
        genes: Distinct Ensembl ids without version, sorted; those without a value are left out.
        versions: Version of each, empty text where unknown.
        values: Shape (genes,), float64, log2 (ratios as submitted, if they were asked for).
        rows_per_gene: How many rows went into each gene.
        log_state: The scale of the submitted values and the evidence.
        conversion: What became of the identifiers.
        quality: Figures.
        method: Version of the method.
        parameters: All settings.
        warnings: What a person should know.
    """

    sample: str
    genes: tuple[str, ...] = field(repr=False)
    versions: tuple[str, ...] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)
    rows_per_gene: NDArray[np.int64] = field(repr=False)
    log_state: LogState
    conversion: ConvertedGenes = field(repr=False)
    quality: SubmitterQuality
    method: str
    parameters: Mapping[str, Any]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitterSettings:
    """How submitted values are made expression per gene.

    Attributes:
        scale: Scale of the values, if a person knows it; told by evidence if None.
        keep_ratios: Give ratios of two channels as they are; they are refused otherwise.
        policy: What becomes of identifiers of several genes.
        kind: Type of the identifiers; found if None.
        least_overlap: Share of the identifiers that the mapping table must have.
    """

    scale: Scale | None = None
    keep_ratios: bool = False
    policy: ConversionPolicy = ConversionPolicy.UNIQUE
    kind: IdentifierType | None = None
    least_overlap: float = LEAST_OVERLAP


DEFAULT = SubmitterSettings()


def process_submitter_sample(
    table: SubmitterTable,
    mapping: IdentifierMap | None,
    *,
    column: int = 0,
    said: str = "",
    settings: SubmitterSettings = DEFAULT,
) -> SubmitterResult:
    """Make expression per gene of one sample's submitted values.

    The logarithm is taken before rows of one gene are averaged.

    Args:
        table: The submitter's table.
        mapping: Which genes its identifiers stand for; None if they are Ensembl genes.
        column: Which of the table's samples.
        said: What the submitter says about the values (``data_processing``); added to what the table itself says.
        settings: How.

    Raises:
        LowQualityError: The scale cannot be told, the values are ratios, most have no logarithm, or none is left.
        InputError: The mapping table has too few of the identifiers.
    """
    scale, policy = settings.scale, settings.policy
    submitted = table.values[:, column]
    told = " ".join((*table.descriptions.values(), said))
    state = log_state(submitted, said=told)
    logs = _on_log2(submitted, scale or state.scale, state, keep_ratios=settings.keep_ratios)
    converted = convert_genes(
        table.ids, logs.values, mapping, policy=policy, kind=settings.kind, least_overlap=settings.least_overlap
    )
    present = np.isfinite(converted.values[:, 0])
    if present.sum() < LEAST_GENES:
        message = f"None of {len(present)} genes has a value."
        raise LowQualityError(message, remedy="Look at the table: its values may be in another column.")
    genes = tuple(gene for gene, there in zip(converted.genes, present, strict=True) if there)
    quality = _quality(table, column, scale or state.scale, logs, converted)
    confidence = 1.0 if scale else state.confidence
    quality = replace(quality, scale_confidence=confidence)
    return SubmitterResult(
        sample=table.samples[column],
        genes=genes,
        versions=tuple(version for version, there in zip(converted.versions, present, strict=True) if there),
        values=converted.values[present, 0],
        rows_per_gene=converted.rows_per_gene[present],
        log_state=state,
        conversion=converted,
        quality=quality,
        method=f"{METHOD}.{policy}",
        parameters={
            **converted.parameters,
            "scale": quality.scale,
            "scale_told_by": "caller" if scale else "evidence",
            "conversion": logs.conversion,
        },
        warnings=(*table.warnings, *_warnings(state, scale, logs, quality), *converted.warnings),
    )


def _on_log2(values: NDArray[np.float64], scale: Scale, state: LogState, *, keep_ratios: bool) -> Log2Values:
    if scale is Scale.RATIO and keep_ratios:
        return Log2Values(values=np.where(np.isfinite(values), values, np.nan), conversion="none", not_positive=0)
    if scale not in {Scale.LINEAR, *BASES}:
        what = "These are no expression levels" if scale is Scale.RATIO else "It cannot be told what the values are"
        message = f"{what}: {state.reason}."
        raise LowQualityError(message, remedy="If you know the scale, say it: linear, log2, log10 or ln.")
    logs = to_log2(values, scale)
    present = int(np.isfinite(values).sum())
    if logs.not_positive > MOST_WITHOUT_LOGARITHM * present:
        message = f"{logs.not_positive} of {present} values are 0 or negative and have no logarithm."
        raise LowQualityError(message, remedy="Look for values from before the background was subtracted.")
    return logs


def _quality(
    table: SubmitterTable,
    column: int,
    scale: Scale,
    logs: Log2Values,
    converted: ConvertedGenes,
) -> SubmitterQuality:
    values = converted.values[np.isfinite(converted.values[:, 0]), 0]
    low, middle, high = (float(number) for number in np.quantile(values, (0.25, 0.5, 0.75)))
    counts, rows = converted.counts, max(len(table.ids), 1)
    measured = max(counts.rows - counts.controls, 1)
    present = int(np.isfinite(table.values[:, column]).sum())
    return SubmitterQuality(
        rows=counts.rows,
        missing=(len(table.ids) - present) / rows,
        not_positive=logs.not_positive / max(present, 1),
        scale=str(scale),
        scale_confidence=1.0,
        conversion=logs.conversion,
        overlap=_overlap(converted.detection),
        mapped=counts.mapped / measured,
        ambiguous=counts.ambiguous / measured,
        controls=counts.controls,
        genes=len(values),
        median=middle,
        interquartile_range=high - low,
        table_confidence=table.confidence,
    )


def _overlap(detection: IdentifierDetection) -> float:
    if detection.overlaps:
        return detection.overlaps[detection.kind].of_data
    return detection.patterns.shares.get(detection.kind, 0.0)


def _warnings(state: LogState, scale: Scale | None, logs: Log2Values, quality: SubmitterQuality) -> list[str]:
    said = []
    if scale is not None and state.scale not in {scale, Scale.UNKNOWN}:
        said.append(f"The scale was said to be {scale}; the values look like {state.scale}: {state.reason}.")
    if quality.not_positive > _MANY_WITHOUT_LOGARITHM:
        said.append(f"{logs.not_positive} values are 0 or negative: they have no logarithm and are missing.")
    if logs.conversion != "none":
        said.append(f"Values were converted to log2 ({logs.conversion}): {state.reason}.")
    if quality.scale == Scale.RATIO:
        said.append("These are ratios, not expression levels; they are given as submitted.")
    return said
