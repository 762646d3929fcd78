"""Figures of quality of one scanned array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from refinebio_assets.microarray.agilent_array import Booleans, ScannedArray
from refinebio_assets.microarray.agilent_controls import NEGATIVE
from refinebio_assets.microarray.loess import Floats, loess_fit
from refinebio_assets.microarray.two_colour import LogRatios, log2_or_missing

_NORMAL = 1.4826
"""Median absolute deviation times this is the standard deviation of a normal distribution."""


@dataclass(frozen=True, kw_only=True)
class AgilentQuality:
    """Shares are of all spots, 0 to 1; by channel where it says so. None where it does not apply.

    Attributes:
        spots: Spots in the file.
        controls: Those that measure no gene.
        missing: Share without a value after processing.
        flagged: Share that the image analysis calls bad, by channel.
        saturated: Share with most pixels at the scanner's limit, by channel.
        below_background: Share that is not brighter than its surroundings, by channel.
        ma_bias_before: Root mean square of the trend of M along A after background correction, in log2 units.
        ma_bias_after: The same after normalisation within the array.
        median_m_before: Median of M after background correction.
        median_m_after: The same after normalisation.
        negative_controls: Spots of negative controls.
        negative_control_median: Their log2 intensity after background correction, by channel.
        negative_control_spread: Its standard deviation, estimated by the median absolute deviation, by channel.
    """

    spots: int
    controls: int
    missing: float
    flagged: Mapping[str, float]
    saturated: Mapping[str, float]
    below_background: Mapping[str, float]
    ma_bias_before: float | None
    ma_bias_after: float | None
    median_m_before: float | None
    median_m_after: float | None
    negative_controls: int
    negative_control_median: Mapping[str, float]
    negative_control_spread: Mapping[str, float]


def assess(
    array: ScannedArray,
    corrected: Mapping[str, Floats],
    *,
    before: LogRatios | None,
    after: LogRatios | None,
    values: Floats,
) -> AgilentQuality:
    """Compute the figures.

    Args:
        array: As read.
        corrected: Intensities of each channel that was used, after background correction.
        before: M and A after background correction; None for one colour.
        after: The same after normalisation within the array.
        values: The result; NaN is missing.
    """
    channels = {name: array.channels[name] for name in corrected}
    negative = array.control_types == NEGATIVE
    dark = {name: _seen(log2_or_missing(own[negative])) for name, own in corrected.items()}
    return AgilentQuality(
        spots=array.spots,
        controls=int(array.is_control.sum()),
        missing=_share(np.isnan(values)),
        flagged={name: _share(channel.flagged) for name, channel in channels.items()},
        saturated={name: _share(channel.saturated) for name, channel in channels.items()},
        below_background={
            name: _share(channel.foreground <= channel.background)
            for name, channel in channels.items()
            if channel.background is not None
        },
        ma_bias_before=None if before is None else ma_bias(before),
        ma_bias_after=None if after is None else ma_bias(after),
        median_m_before=None if before is None else _median(before.m),
        median_m_after=None if after is None else _median(after.m),
        negative_controls=int(negative.sum()),
        negative_control_median={name: float(np.median(own)) for name, own in dark.items() if len(own)},
        negative_control_spread={name: _spread(own) for name, own in dark.items() if len(own)},
    )


def ma_bias(ratios: LogRatios) -> float:
    """Root mean square of the trend of M along A of one array, in log2 units; NaN if there are no spots."""
    fitted = _seen(loess_fit(ratios.m[0], ratios.a[0]).fitted)
    return float(np.sqrt(np.mean(fitted**2))) if len(fitted) else np.nan


def _median(values: Floats) -> float:
    seen = _seen(values)
    return float(np.median(seen)) if len(seen) else np.nan


def _spread(values: Floats) -> float:
    return float(_NORMAL * np.median(np.abs(values - np.median(values))))


def _seen(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _share(what: Booleans) -> float:
    return float(what.mean()) if what.size else 0.0
