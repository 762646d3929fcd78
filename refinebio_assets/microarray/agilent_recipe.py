"""How scanned arrays are processed: the choices, what they are by default, and what they are called in provenance."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from refinebio_assets.microarray.agilent_array import Signal
from refinebio_assets.microarray.agilent_background import Background, NormexpFit
from refinebio_assets.microarray.agilent_channels import Colours
from refinebio_assets.microarray.loess import ITERATIONS, SPAN
from refinebio_assets.microarray.scan_two_colour import SCAN_TWO_COLOUR, SCAN_UPC_TWO_COLOUR, SMALLEST_GROUP
from refinebio_assets.microarray.two_colour import Between, Within

LIMMA = "limma"
METHODS = (LIMMA, SCAN_TWO_COLOUR, SCAN_UPC_TWO_COLOUR)

OFFSETS = {Colours.TWO: 50.0, Colours.ONE: 16.0}
"""Added after normexp: what limma's user's guide takes for two colours and for one."""


class Flagged(StrEnum):
    """What becomes of spots that the image analysis calls bad."""

    KEEP = "keep"
    """They stay: limma's default."""
    MISSING = "missing"
    """They have no value."""
    UNWEIGHTED = "unweighted"
    """They have a value, but the dye bias is not estimated from them."""


@dataclass(frozen=True, kw_only=True)
class AgilentRecipe:
    """The choices for one array. Method versions are ``limma-two-colour``, ``limma-one-colour`` and those of SCAN.

    Attributes:
        method: ``limma``, ``scan-two-colour`` or ``scan.upc-two-colour``; SCAN takes intensities as they are, without
            background correction.
        signal: Summary of a spot's pixels.
        background: Background correction.
        normexp: How its parameters are estimated.
        offset: Added after background correction; None for :data:`OFFSETS` with normexp, and for 0 without.
        within: How dyes are made comparable (two colours only).
        span: Share of spots that a local fit looks at.
        iterations: Of the local fit.
        flagged: What becomes of spots that the image analysis calls bad.
        colours: One or two; found from the file if None.
        annotated_colours: What the submitter says; recorded, decides nothing.
        allow_partial: Take files that have fewer features than they say.
    """

    method: str = LIMMA
    signal: Signal = Signal.AUTO
    background: Background = Background.NORMEXP
    normexp: NormexpFit = NormexpFit.SADDLE
    offset: float | None = None
    within: Within = Within.LOESS
    span: float = SPAN
    iterations: int = ITERATIONS
    flagged: Flagged = Flagged.KEEP
    colours: Colours | None = None
    annotated_colours: Colours | None = None
    allow_partial: bool = False

    @property
    def is_scan(self) -> bool:
        """One of SCAN's methods."""
        return self.method != LIMMA

    def method_for(self, colours: Colours) -> str:
        """The method version that provenance records."""
        return self.method if self.is_scan else f"{LIMMA}-{colours}-colour"

    def offset_for(self, colours: Colours) -> float:
        """What is added after background correction."""
        if self.offset is not None:
            return self.offset
        return OFFSETS[colours] if self.background is Background.NORMEXP else 0.0

    def parameters_for(self, colours: Colours) -> dict[str, Any]:
        """What provenance records beside the method."""
        parameters: dict[str, Any] = {"signal": str(self.signal), "flagged": str(self.flagged)}
        if self.is_scan:
            return parameters | ({"smallest_gc_group": SMALLEST_GROUP} if self.method == SCAN_TWO_COLOUR else {})
        parameters |= {"background": str(self.background), "offset": self.offset_for(colours)}
        if self.background is Background.NORMEXP:
            parameters["normexp"] = str(self.normexp)
        if colours is Colours.TWO:
            parameters["within"] = str(self.within)
            if self.within in {Within.LOESS, Within.PRINT_TIP_LOESS}:
                parameters |= {"span": self.span, "iterations": self.iterations}
        return parameters

    def between_for(self, colours: Colours) -> Between:
        """How arrays are made comparable if nobody says it: not at all after SCAN, which is a method of one array."""
        if self.is_scan:
            return Between.NONE
        return Between.AQUANTILE if colours is Colours.TWO else Between.QUANTILE
