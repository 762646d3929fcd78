"""On which scale a sample's values are: intensities, their logarithms, or ratios. Decided by evidence, never assumed.

What is known of array values: scanners count to 65,535; signals are positive but for background subtraction, spread
over two to four decades and are skewed to the right; their logarithms are hardly skewed, and do not reach 32 (base 2),
21 (base e) or 9 (base 10). Ratios of two channels lie around 1, their logarithms around 0. Where values cannot be told
apart by that (natural logarithms and logarithms to base 2 of dim arrays overlap), the numbers themselves may: before
the logarithm was taken they had a few decimals. What submitters say is evidence where the values allow it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refinebio_assets.domain.errors import InputError

Numbers = NDArray[np.float64]

LEAST_CONFIDENCE = 0.6
"""Below it a scale is ``unknown``."""
LEAST_VALUES = 8
LEAST_DISTINCT = 6
_FEW_VALUES = 100
"""The largest of so few values says little about how far values reach."""
_LOG_LIMIT = 32.0
_SATURATED = 65_535.0
_LARGEST_NATURAL = 11.6
"""ln(65,535) is 11.09; scaled intensities reach somewhat more. Surely more than natural logarithms is 12.5."""


class Scale(StrEnum):
    """The scale of values."""

    LINEAR = "linear"
    LOG2 = "log2"
    LOG10 = "log10"
    LN = "ln"
    RATIO = "ratio"
    UNKNOWN = "unknown"


BASES = {Scale.LOG2: 2.0, Scale.LOG10: 10.0, Scale.LN: math.e}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleEvidence:
    """What was measured on the finite values.

    Attributes:
        values: How many there are.
        distinct: How many distinct ones.
        minimum: The smallest.
        low: 1 % quantile.
        median: The middle.
        high: 99 % quantile.
        maximum: The largest.
        skewness: Distance of ``high`` to the median, divided by that of ``low``; 1 is symmetric, infinity one-sided.
        negative: Part of values below 0.
        over_100: Part of values above 100.
        grid: For each base the part of values whose antilogarithm is a number of at most one decimal, among those
            precise enough to tell; bases without such values left out.
        said: Scale that the submitter's words speak of; None if they do not.
    """

    values: int
    distinct: int
    minimum: float
    low: float
    median: float
    high: float
    maximum: float
    skewness: float
    negative: float
    over_100: float
    grid: dict[str, float]
    said: Scale | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """The scale of a sample's values.

    Attributes:
        scale: ``unknown`` if it cannot be told.
        confidence: 0 to 1.
        evidence: What was measured.
        reason: Why, for people.
    """

    scale: Scale
    confidence: float
    evidence: ScaleEvidence
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Log2Values:
    """Values on the scale of logarithms to base 2, and how they got there.

    Attributes:
        values: Shape of the input, float64; NaN where there was none, or no logarithm.
        conversion: ``none``, ``log2``, ``/ log10(2)`` or ``/ ln(2)``.
        not_positive: Values of 0 and below, which have no logarithm: they became NaN.
    """

    values: Numbers
    conversion: str
    not_positive: int


def log_state(values: ArrayLike, *, said: str = "") -> LogState:
    """Tell on which scale values are.

    Args:
        values: Those of one sample, any shape; NaN and infinity are passed over.
        said: What the submitter says about them (description of the column, of data processing), if known.

    Returns:
        The scale, with confidence, evidence and reason. It does not depend on the order of the values.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    numbers = np.sort(numbers[np.isfinite(numbers)])
    evidence = _measured(numbers, said)
    scale, confidence, reason = _decided(evidence)
    if scale is not Scale.UNKNOWN and evidence.values < _FEW_VALUES:
        confidence -= 0.1
        reason += f"; there are only {evidence.values} values"
    if scale is not Scale.UNKNOWN and confidence < LEAST_CONFIDENCE - 1e-9:
        scale, reason = Scale.UNKNOWN, f"probably {scale}, but not surely: {reason}"
    return LogState(scale=scale, confidence=round(max(confidence, 0.0), 3), evidence=evidence, reason=reason)


def to_log2(values: ArrayLike, scale: Scale) -> Log2Values:
    """Bring values to logarithms to base 2.

    Raises:
        InputError: The scale is ``unknown`` or ``ratio``: ratios are no expression levels, whatever their logarithm.
    """
    numbers = np.array(values, dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    if scale in {Scale.UNKNOWN, Scale.RATIO}:
        message = f"Values on the scale {scale} cannot be made logarithms of intensities."
        raise InputError(message, remedy="Say the scale if you know it: linear, log2, log10 or ln.")
    if scale is Scale.LOG2:
        return Log2Values(values=numbers, conversion="none", not_positive=0)
    if scale is Scale.LINEAR:
        positive = numbers > 0
        not_positive = int((~positive & ~np.isnan(numbers)).sum())
        logarithms = np.log2(numbers, where=positive, out=np.full_like(numbers, np.nan))
        return Log2Values(values=logarithms, conversion="log2", not_positive=not_positive)
    conversion = "/ log10(2)" if scale is Scale.LOG10 else "/ ln(2)"
    factor = math.log10(2) if scale is Scale.LOG10 else math.log(2)
    return Log2Values(values=numbers / factor, conversion=conversion, not_positive=0)


def _measured(numbers: Numbers, said: str) -> ScaleEvidence:
    if not len(numbers):
        return ScaleEvidence(
            values=0,
            distinct=0,
            **dict.fromkeys(("minimum", "low", "median", "high", "maximum", "skewness"), math.nan),
            negative=0.0,
            over_100=0.0,
            grid={},
            said=scale_said(said),
        )
    low, middle, high = (float(number) for number in np.quantile(numbers / 2, (0.01, 0.5, 0.99)) * 2)
    up, down = high / 2 - middle / 2, middle / 2 - low / 2
    return ScaleEvidence(
        values=len(numbers),
        distinct=len(np.unique(numbers)),
        minimum=float(numbers[0]),
        low=low,
        median=middle,
        high=high,
        maximum=float(numbers[-1]),
        skewness=up / down if down > 0 else (math.inf if up > 0 else 1.0),
        negative=float(np.searchsorted(numbers, 0.0) / len(numbers)),
        over_100=float(1 - np.searchsorted(numbers, 100.0, side="right") / len(numbers)),
        grid={str(scale): share for scale in BASES if (share := _on_grid(numbers, scale)) is not None},
        said=scale_said(said),
    )


Verdict = tuple[Scale, float, str]


def _decided(evidence: ScaleEvidence) -> Verdict:
    if evidence.values < LEAST_VALUES or evidence.distinct < LEAST_DISTINCT:
        return Scale.UNKNOWN, 1.0, f"{evidence.values} values, {evidence.distinct} of them distinct, say nothing"
    if evidence.distinct <= 20 and evidence.values >= 10 * evidence.distinct:
        return Scale.UNKNOWN, 0.9, f"only {evidence.distinct} distinct values: calls, classes or ranks"
    if evidence.minimum >= 0 and evidence.maximum <= 1:
        return Scale.UNKNOWN, 0.9, "all values are between 0 and 1: p-values, fractions or percentiles"
    if evidence.high > _LOG_LIMIT:
        return _large(evidence)
    return _centred(evidence) or _wide_but_small(evidence) or _logarithms(evidence)


def _large(evidence: ScaleEvidence) -> Verdict:
    """Values that no logarithm of an intensity reaches."""
    reaches = f"values reach {evidence.high:.4g} (99 % quantile), no logarithm does"
    if evidence.skewness < 1.8:
        return Scale.UNKNOWN, 0.8, f"{reaches}, but they are not skewed as intensities are: ranks or rescaled values"
    said = _contradicted(evidence, Scale.LINEAR)
    return Scale.LINEAR, 0.97, f"{reaches}, and they are skewed to the right{said}"


def _centred(evidence: ScaleEvidence) -> Verdict | None:
    """Logarithms of ratios (around 0), and ratios (around 1)."""
    if evidence.said is Scale.RATIO:
        return Scale.RATIO, 0.8, "the submitter speaks of ratios, and the values are small"
    if evidence.said in BASES and evidence.negative < 0.2:
        return None
    few = evidence.values < _FEW_VALUES
    around_zero = abs(evidence.median) <= 0.2 * (evidence.high - evidence.low) and evidence.maximum <= 16
    if around_zero and (0.2 <= evidence.negative <= 0.8 or (few and evidence.negative > 0.02)):
        share = f"{evidence.negative:.0%} of the values are negative, the median is {evidence.median:.3g}"
        confidence = 0.9 if 0.2 <= evidence.negative <= 0.8 else 0.7
        return Scale.RATIO, confidence, f"{share}: logarithms of ratios, or centred values"
    if 0.6 <= evidence.median <= 1.15 and evidence.low > 0 and evidence.skewness < 15 and evidence.minimum >= 0:
        balance = math.log(evidence.high / evidence.median) / max(math.log(evidence.median / evidence.low), 1e-9)
        if 1 / 3 <= balance <= 3:
            return Scale.RATIO, 0.8, f"positive values balanced around {evidence.median:.3g}: ratios, not logarithms"
    return None


def _wide_but_small(evidence: ScaleEvidence) -> Verdict | None:
    """Intensities of a small unit, such as those divided by the median: the largest are far from all others."""
    if evidence.values < _FEW_VALUES or evidence.high <= 0 or evidence.median < 0:
        return None
    if evidence.maximum > 3 * evidence.high and evidence.skewness > 4 and evidence.maximum > _LOG_LIMIT:
        reason = (
            f"values are few over {evidence.high:.3g} and reach {evidence.maximum:.4g}: intensities of a small unit"
        )
        return Scale.LINEAR, 0.75, reason
    return None


def _logarithms(evidence: ScaleEvidence) -> Verdict:
    reaches = f"values reach {evidence.maximum:.4g} and have a median of {evidence.median:.3g}"
    if evidence.negative > 0.3:
        return Scale.UNKNOWN, 0.8, f"{evidence.negative:.0%} of the values are negative, and they are not around 0"
    if evidence.maximum > _LOG_LIMIT:
        return Scale.UNKNOWN, 0.8, f"one value is {evidence.maximum:.4g}, all others could be logarithms"
    likely = [scale for scale in BASES if _possible(evidence, scale)]
    told = _by_grid(evidence) or _as_said(evidence, likely)
    if told is not None:
        return told
    if evidence.maximum > _LARGEST_NATURAL:
        return _beyond_natural(evidence, reaches)
    surely_no_ratios = evidence.negative < 0.05 and evidence.maximum >= 3 and evidence.values >= _FEW_VALUES
    if likely == [Scale.LOG10] and surely_no_ratios:
        return Scale.LOG10, 0.8, f"{reaches}: logarithms to base 10"
    fits = f"this fits {' and '.join(likely)}" if likely else "neither intensities nor their logarithms do so"
    return Scale.UNKNOWN, 0.7, f"{reaches}: {fits}"


def _as_said(evidence: ScaleEvidence, likely: list[Scale]) -> Verdict | None:
    if evidence.said is None or evidence.said not in likely:
        return None
    return evidence.said, 0.9, f"the values fit {evidence.said}, as the submitter says"


def _beyond_natural(evidence: ScaleEvidence, reaches: str) -> Verdict:
    if evidence.skewness > 40 and evidence.median > 1:
        return Scale.UNKNOWN, 0.7, f"{reaches}, and they are skewed as no logarithm is"
    confidence = 0.9 if evidence.maximum > 12.5 else 0.55
    return Scale.LOG2, confidence, f"{reaches}, more than natural logarithms of a scanner's counts: base 2"


def _possible(evidence: ScaleEvidence, scale: Scale) -> bool:
    """Whether the values could be logarithms of intensities to a base: seen as counts, they reach what arrays reach."""
    unit = math.log(BASES[scale])
    top, middle, spread = (
        number * unit / math.log(2) for number in (evidence.maximum, evidence.median, evidence.high - evidence.low)
    )
    return 8.0 <= top <= 24.0 and 3.0 <= middle <= 15.0 and 2.0 <= spread <= 18.0 and middle < 0.9 * top


def _by_grid(evidence: ScaleEvidence) -> Verdict | None:
    on_grid = {Scale(name): share for name, share in evidence.grid.items() if share > 0.9}
    if len(on_grid) != 1:
        return None
    scale, share = on_grid.popitem()
    if scale is Scale.LOG10 and evidence.maximum > 8:
        return None
    return scale, 0.95, f"{share:.0%} of the values are logarithms ({scale}) of numbers with one decimal"


def _on_grid(numbers: Numbers, scale: Scale) -> float | None:
    """How many values are logarithms of numbers with at most one decimal; None if too few are precise enough."""
    base = BASES[scale]
    if numbers[-1] > math.log(_SATURATED * 100, base) or numbers[0] < -20:
        return None
    digits = _decimals(numbers)
    tenths = 10 * base**numbers
    uncertain = tenths * math.log(base) * 0.5 * 10.0**-digits
    telling = (uncertain < 0.05) & (tenths < 1e6) & (tenths > 20)
    if telling.sum() < 50:
        return None
    off = np.abs(tenths[telling] - np.round(tenths[telling]))
    return float((off <= uncertain[telling] + 1e-6 * tenths[telling]).mean())


def _decimals(numbers: Numbers) -> int:
    """With how many decimals most values were written."""
    some = numbers[:: max(1, len(numbers) // 200)]
    return next((digits for digits in range(12) if np.mean(np.abs(np.round(some, digits) - some) < 1e-13) > 0.95), 12)


_WORDS = {
    Scale.RATIO: r"(?<![a-z])ratios?\b|log2?[\s_-]*ratio|fold[\s_-]*change",
    Scale.LOG10: r"log[\s_-]*10|base[\s_-]*10\b|common log",
    Scale.LN: r"natural log|\bln\b|base[\s_-]*e\b|log[\s_-]*e\b",
    Scale.LOG2: r"log[\s_(-]*2(?![0-9])|base[\s_-]*(?:2|two)\b|\bgc-?rma\b|\brma\b",
    Scale.LINEAR: r"\bmas[\s_]*[45]|not log|unlogged|linear|average difference|without log",
}
"""RMA gives logarithms to base 2 (Irizarry et al. 2003), MAS 4 and 5 intensities (Affymetrix 2002)."""


def scale_said(text: str) -> Scale | None:
    """The scale that a submitter's words speak of; None if of none or of several."""
    found = [scale for scale, words in _WORDS.items() if re.search(words, text, re.IGNORECASE)]
    if Scale.RATIO in found:
        return Scale.RATIO
    return found[0] if len(found) == 1 else None


def _contradicted(evidence: ScaleEvidence, scale: Scale) -> str:
    if evidence.said is None or evidence.said is scale:
        return ""
    return f" (although the submitter speaks of {evidence.said})"
