"""One Affymetrix array: from a CEL file to a value per gene or probe set, with what its quality looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.array_names import array_code
from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.cel import CelFile, CelHeader
from refinebio_assets.microarray.scan import METHODS, ScanFit, ScanMethod, sampled_probes, scan, summarize
from refinebio_assets.microarray.scan_annotation import ArrayAnnotation

LEAST_COVERED = 0.8
"""Probe tables reach to the last rows and columns of their chip, but for a frame of control cells."""
LEAST_EXPLAINED = 0.02
"""Sequences explain a fifth and more of the background on arrays seen, and nothing on an array of another chip."""


@dataclass(frozen=True, kw_only=True)
class ArrayQuality:
    """How good an array is.

    Attributes:
        share_of_zeros: Share of probes with intensity 0; more than 1 % is an error.
        gc_bias_before: Spearman's correlation of a probe's G and C with its intensity, over the sampled probes.
        gc_bias_after: The same with its value after SCAN: nearer to 0.
        explained_share: Share of the variance of log2 intensities that the background model accounts for.
        background_share: Share of probes that measure background.
    """

    share_of_zeros: float
    gc_bias_before: float
    gc_bias_after: float
    explained_share: float
    background_share: float


@dataclass(frozen=True, kw_only=True, eq=False)
class AffymetrixResult:
    """Values of one array.

    Attributes:
        genes: Genes or probe sets, sorted; those of the annotation.
        values: One per gene, float64.
        method: Version of the method (``scan-fast``).
        parameters: Of the method.
        platform_code: From the CEL file's header (``hgu133plus2``); empty if it does not say.
        quality: Figures.
        fit: How the mixture was fitted.
        warnings: What is odd, in words.
    """

    genes: tuple[str, ...]
    values: NDArray[np.float64]
    method: str
    parameters: Mapping[str, Any]
    platform_code: str
    quality: ArrayQuality
    fit: ScanFit
    warnings: tuple[str, ...]


def process_cel(
    cel: CelFile, annotation: ArrayAnnotation, method: ScanMethod | str, *, path: Path | None = None
) -> AffymetrixResult:
    """Normalise one array and sum it up.

    Args:
        cel: The array.
        annotation: Of its chip.
        method: One of :data:`~refinebio_assets.microarray.scan.METHODS`, or its name.
        path: What errors name.

    Raises:
        LowQualityError: More than 1 % of the probes have intensity 0.
        InputError: The array is of another chip than the annotation, or cannot be modelled.
    """
    version = METHODS[method] if isinstance(method, str) else method
    check_chip(cel, annotation, path=path)
    intensities = cel.intensities[annotation.y.astype(np.int64) * cel.cols + annotation.x]
    try:
        values, fit = scan(intensities, annotation.design, version)
    except InputError as error:
        error.path = error.path or path
        raise
    part = sampled_probes(len(intensities), version)
    gc = annotation.gc_counts[part]
    return AffymetrixResult(
        genes=annotation.ids,
        values=summarize(values, annotation.members, annotation.starts),
        method=version.name,
        parameters=version.parameters(),
        platform_code=cel.platform_code(),
        quality=ArrayQuality(
            share_of_zeros=fit.share_of_zeros,
            gc_bias_before=spearman(intensities[part], gc),
            gc_bias_after=spearman(values[part], gc),
            explained_share=fit.explained_share,
            background_share=fit.background_share,
        ),
        fit=fit,
        warnings=(*(warning.message for warning in cel.warnings), *_warnings(fit)),
    )


def check_chip(cel: CelHeader, annotation: ArrayAnnotation, *, path: Path | None = None) -> None:
    """Whether an array can be of the annotation's chip.

    Raises:
        InputError: Its header names another chip, or its grid is smaller or much larger than the annotation's.
    """
    remedy = "Give the probe table of this chip, or process arrays of each chip on their own."
    rows, cols = annotation.least_size
    if annotation.code and cel.chip_type and array_code(cel.chip_type) != annotation.code:
        message = f"This is an array of the chip {cel.chip_type}, not {annotation.code}."
        raise InputError(message, path=path, remedy=remedy)
    if rows > cel.rows or cols > cel.cols:
        message = f"The probe table names cells off the array: it needs {rows} rows and {cols} columns, the array"
        message += f" ({cel.chip_type or 'chip unknown'}) has {cel.rows} and {cel.cols}."
        raise InputError(message, path=path, remedy=remedy)
    if rows < LEAST_COVERED * cel.rows or cols < LEAST_COVERED * cel.cols:
        message = f"The probe table covers {rows} rows and {cols} columns of an array"
        message += f" ({cel.chip_type or 'chip unknown'}) of {cel.rows} and {cel.cols}: it is of another chip."
        raise InputError(message, path=path, remedy=remedy)


def spearman(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Spearman's rank correlation; equal values share their mean rank. NaN if all are equal on one side."""
    a, b = (_mean_ranks(values) for values in (left, right))
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread > 0.0 else float("nan")


def _mean_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - 0.5 * (counts - 1.0))[inverse]


def _warnings(fit: ScanFit) -> tuple[str, ...]:
    warnings = []
    if not fit.converged:
        warnings.append(f"The mixture had not settled after {fit.iterations} iterations; its last state was used.")
    if fit.tie_breaks:
        warnings.append("Many probes have equal intensities; noise of 1e-7 was added to tell 25 bins apart.")
    if fit.explained_share < LEAST_EXPLAINED:
        warnings.append(
            f"Sequences explain {fit.explained_share:.2%} of the intensities' variance: "
            "the probe table may be of another chip."
        )
    return tuple(warnings)
