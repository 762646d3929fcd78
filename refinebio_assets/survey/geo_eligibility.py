"""Whether a GEO sample can become expression, and if not, why. ``docs/geo.md`` lists the reasons.

The rules are asked in the order of :data:`RULES`; the first that objects decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from refinebio_assets.domain.records import LedgerDecision, OriginalFile
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.eligibility import ELIGIBLE_STRATEGY
from refinebio_assets.survey.microarray_platforms import MicroarrayPlatform
from refinebio_assets.survey.sequence_links import PROCESSED_FROM_SRA

ELIGIBLE = "eligible"
SUBMITTER_PROCESSED = "submitter_processed"
PLATFORM_FROM_CEL = "platform_from_cel_header"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoSampleFacts:
    """What the rules look at.

    Attributes:
        described: Whether the payload describes the sample, not only lists it.
        sequencing: Whether it was sequenced.
        library_strategy: As submitted; empty if not given.
        sra: Accessions in the sequence archives that the sample or its series is related to, studies first; if ENA was
            asked, those that it has.
        sra_named: What GEO says about where the reads are.
        organisms: Names of the organisms of the first channel.
        organism: The organism the sample counts for, UPPER_SNAKE; None if none or several are named.
        molecule: What was hybridised, as submitted.
        channels: How many channels it has.
        platform_accession: The GPL of the sample itself; None if not given.
        platform_title: What GEO calls it.
        platform: The supported array; None if it is no such array.
        raw_files: Its raw data files.
        has_table: Whether the submitter gave a table of processed values.
    """

    described: bool
    sequencing: bool
    library_strategy: str
    sra: tuple[str, ...]
    sra_named: tuple[str, ...]
    organisms: tuple[str, ...]
    organism: str | None
    molecule: str
    channels: int
    platform_accession: str | None
    platform_title: str
    platform: MicroarrayPlatform | None
    raw_files: tuple[OriginalFile, ...]
    has_table: bool

    @property
    def has_cel(self) -> bool:
        """Whether there is a CEL file, whose header names the array."""
        return any(file.kind == "cel" for file in self.raw_files)

    @property
    def platform_in_words(self) -> str:
        """``GPL570 ([HG-U133_Plus_2] Affymetrix …)``."""
        if self.platform_accession is None:
            return "an array that GEO does not name"
        return f"{self.platform_accession} ({self.platform_title})" if self.platform_title else self.platform_accession


def decide(facts: GeoSampleFacts) -> LedgerDecision:
    """The state of a sample after the survey: ``surveyed``, or the reason why it goes no further."""
    for rule in RULES:
        decision = rule(facts)
        if decision is not None:
            return decision
    if facts.platform is None:
        message = (
            f"The sample was measured on {facts.platform_in_words}, which is not among the supported platforms; its "
            "CEL file names the array, so it is tried."
        )
        return LedgerDecision(state=SampleState.SURVEYED, reason=PLATFORM_FROM_CEL, message=message)
    if not facts.raw_files:
        message = f"There are no raw data; the values that the submitter computed on {facts.platform.name} are used."
        return LedgerDecision(state=SampleState.SURVEYED, reason=SUBMITTER_PROCESSED, message=message)
    message = f"The sample can be processed: {facts.platform.name}, with raw data."
    return LedgerDecision(state=SampleState.SURVEYED, reason=ELIGIBLE, message=message)


def _not_described(facts: GeoSampleFacts) -> LedgerDecision | None:
    if facts.described:
        return None
    message = "The series lists this sample, but GEO does not describe it: it is withdrawn or not public."
    return LedgerDecision(state=SampleState.WITHDRAWN_UPSTREAM, reason="sample_not_described", message=message)


def _library_strategy(facts: GeoSampleFacts) -> LedgerDecision | None:
    if not facts.sequencing or facts.library_strategy.upper() in {"", ELIGIBLE_STRATEGY.upper()}:
        return None
    message = f"The library strategy is {facts.library_strategy}; only {ELIGIBLE_STRATEGY} is processed."
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="library_strategy", message=message)


def _sequenced(facts: GeoSampleFacts) -> LedgerDecision | None:
    if not facts.sequencing:
        return None
    if not facts.sra:
        told = "GEO does not say where in the sequence archives its reads are"
        if facts.sra_named:
            told = f"ENA has no public study with the reads that GEO names ({', '.join(facts.sra_named)})"
        message = f"The sample was sequenced, but {told}."
        return LedgerDecision(state=SampleState.NO_RAW_FILE, reason="no_sra_study", message=message)
    message = f"The sample was sequenced; its reads are processed from the sequence archive, as {', '.join(facts.sra)}."
    return LedgerDecision(state=SampleState.SUPERSEDED, reason=PROCESSED_FROM_SRA, message=message)


def _two_colours(facts: GeoSampleFacts) -> LedgerDecision | None:
    # Some submitters describe one-colour arrays with a second channel (GSE113945), so the supported ones pass.
    if facts.channels < 2 or facts.platform is not None:
        return None
    message = f"This is a two-colour array ({facts.platform_in_words}); only one-colour arrays are processed."
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="two_colour_array", message=message)


def _unsupported_platform(facts: GeoSampleFacts) -> LedgerDecision | None:
    if facts.platform is not None or facts.has_cel:
        return None
    message = (
        f"The sample was measured on {facts.platform_in_words}, which is not among the supported platforms; arrays of "
        "Affymetrix and Illumina BeadArrays are processed."
    )
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="unsupported_platform", message=message)


def _unknown_organism(facts: GeoSampleFacts) -> LedgerDecision | None:
    if facts.organism is not None:
        return None
    told = (
        f"GEO names several organisms ({', '.join(facts.organisms)})"
        if len(facts.organisms) > 1
        else "GEO does not say which organism the sample is from"
    )
    message = f"{told}, so there are no genes to name."
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="unknown_organism", message=message)


def _not_rna(facts: GeoSampleFacts) -> LedgerDecision | None:
    if facts.molecule.strip().lower() not in {"genomic dna", "protein"}:
        return None
    message = f"{facts.molecule} was measured, not RNA."
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="not_rna", message=message)


def _no_raw_file(facts: GeoSampleFacts) -> LedgerDecision | None:
    if facts.raw_files or facts.has_table:
        return None
    message = "GEO has neither raw data of this sample nor a table of values."
    return LedgerDecision(state=SampleState.NO_RAW_FILE, reason="no_raw_file", message=message)


RULES: tuple[Callable[[GeoSampleFacts], LedgerDecision | None], ...] = (
    _not_described,
    _library_strategy,
    _sequenced,
    _two_colours,
    _unsupported_platform,
    _unknown_organism,
    _not_rna,
    _no_raw_file,
)
