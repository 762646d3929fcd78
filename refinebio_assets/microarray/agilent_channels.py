"""Whether an array has one colour or two, by what is in its file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from refinebio_assets.microarray.agilent_array import Channel, ScannedArray

_BRIGHT_PERCENTILE = 99
_LEAST_SHARE_OF_GREEN = 0.02
_MOST_CONFLICT = 0.7
_PROTOCOL = re.compile(r"^\W*GE([12])[\W_]", re.IGNORECASE)


class Colours(StrEnum):
    """How many dyes were on the array."""

    ONE = "one"
    TWO = "two"


@dataclass(frozen=True)
class ColourDecision:
    """How many colours an array has, and why.

    Attributes:
        colours: One or two.
        confidence: 1 if everything in the file agrees.
        evidence: What speaks for it, and what does not.
    """

    colours: Colours
    confidence: float
    evidence: tuple[str, ...]


def decide_colours(array: ScannedArray, *, annotated: Colours | None = None) -> ColourDecision:
    """Decide by intensities first; the header can only lower the confidence.

    An array has two colours if it has columns for red, and if its bright spots are bright in red, too: scanners of two
    lasers write a red channel of nothing but noise for arrays that had one dye.

    Args:
        array: As read.
        annotated: What the submitter says. It is recorded and decides nothing: labels in annotations are often those of
            another platform's protocol.
    """
    colours, reason = _by_intensities(array)
    agree, against = [reason], list[str]()
    said = dict(_by_header(array.header))
    if annotated is not None:
        said["the submitter's annotation"] = annotated
    for source, claim in said.items():
        (agree if claim is colours else against).append(f"{source} says {claim} colour{'s' * (claim is Colours.TWO)}")
    confidence = _MOST_CONFLICT if against else 1.0 if len(agree) > 1 or array.red is None else 0.9
    return ColourDecision(colours, confidence, (*agree, *(f"but {each}" for each in against)))


def _by_intensities(array: ScannedArray) -> tuple[Colours, str]:
    if array.red is None:
        return Colours.ONE, "there are no columns of a red channel"
    green, red = _brightness(array.green), _brightness(array.red)
    share = red / green if green > 0 else np.inf if red > 0 else 0.0
    seen = array.red.foreground[~np.isnan(array.red.foreground)]
    if not len(seen) or np.ptp(seen) == 0:
        return Colours.ONE, "all red intensities are missing or equal"
    if share < _LEAST_SHARE_OF_GREEN:
        return Colours.ONE, f"bright red spots have {share:.1%} of the intensity of bright green ones: noise"
    return Colours.TWO, f"bright red spots have {share:.0%} of the intensity of bright green ones"


def _brightness(channel: Channel) -> float:
    """How far bright spots are above the middle of their surroundings, or of the darkest if these are not known."""
    seen = channel.foreground[~np.isnan(channel.foreground)]
    if not len(seen):
        return 0.0
    around = None if channel.background is None else channel.background[~np.isnan(channel.background)]
    dark = np.median(around) if around is not None and len(around) else np.percentile(seen, 1)
    return max(0.0, float(np.percentile(seen, _BRIGHT_PERCENTILE) - dark))


def _by_header(header: Mapping[str, str]) -> list[tuple[str, Colours]]:
    said: list[tuple[str, Colours]] = []
    by_number = {"1": Colours.ONE, "2": Colours.TWO}
    channels = header.get("Scan_NumChannels", "")
    if channels in by_number:
        said.append(("the scan's number of channels", by_number[channels]))
    protocol = _PROTOCOL.match(header.get("Protocol_Name", ""))
    if protocol:
        said.append(("the extraction protocol", by_number[protocol[1]]))
    mode = {"0": Colours.ONE, "1": Colours.TWO}.get(header.get("FeatureExtractor_ColorMode", ""))
    if mode is not None:
        said.append(("the extraction's colour mode", mode))
    lasers = header.get("Wavelengths", "").split()
    if lasers:
        said.append(("the header's wavelengths", Colours.ONE if len(lasers) == 1 else Colours.TWO))
    return said
