"""Whether an assay of ArrayExpress can become expression, and if not, why.

The rules are asked in the order of :data:`RULES`; the first that objects decides. ``docs/array_express.md`` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.array_express_assays import Assay, is_rna_seq_strategy
from refinebio_assets.survey.array_express_files import AssayFiles
from refinebio_assets.survey.eligibility import ELIGIBLE_SOURCE, ELIGIBLE_STRATEGY
from refinebio_assets.survey.microarray_platforms import MicroarrayPlatform
from refinebio_assets.survey.sequence_links import PROCESSED_FROM_SRA

_SINGLE_CELL = re.compile(r"single[ _-]?(?:cell|nucle)", re.IGNORECASE)
_NOT_EXPRESSION = re.compile(
    r"\bchip-chip\b|comparative genomic hybridi[sz]ation|genotyping|methylation profiling|tiling path|proteomic|"
    r"binding site identification|\bcgh\b",
    re.IGNORECASE,
)
_GENOMIC_DNA = frozenset({"genomic dna", "gdna"})
_ACCESS_COMMITTEE = re.compile(r"\bEGA[A-Z]?[0-9]{6,}|\bphs[0-9]{6}|\bdbgap\b|\bcontrolled[ -]access\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssayFacts:
    """What the rules look at.

    Attributes:
        assay: The assay.
        organisms: Names of its organisms (two channels may differ).
        platform: The supported array its design names, None if it names none.
        files: Its files.
        geo_series: The GEO series that the study mirrors, None if it does not.
        runs: ENA or SRA accessions of the assay: runs, else experiments.
        sequence_studies: Studies of ENA or SRA that hold the reads.
        asked_ena: Whether ENA was asked for them.
        study_types: What the study says it measures ("transcription profiling by array").
        study_text: Texts of the study in which an access committee would be named.
    """

    assay: Assay
    organisms: tuple[str, ...]
    platform: MicroarrayPlatform | None
    files: AssayFiles
    geo_series: str | None
    runs: tuple[str, ...]
    sequence_studies: tuple[str, ...]
    asked_ena: bool
    study_types: tuple[str, ...]
    study_text: str


def decide(facts: AssayFacts) -> LedgerDecision:
    """The state of an assay after the survey: ``surveyed``, or the reason why it goes no further."""
    for rule in RULES:
        decision = rule(facts)
        if decision is not None:
            return decision
    return _eligible(facts)


def _mirror_of_geo(facts: AssayFacts) -> LedgerDecision | None:
    if facts.geo_series is None:
        return None
    message = (
        f"ArrayExpress copied this assay from the GEO series {facts.geo_series}. It is processed from there: survey "
        f"{facts.geo_series}."
    )
    return LedgerDecision(state=SampleState.SUPERSEDED, reason="processed_from_geo", message=message)


def _single_cell(facts: AssayFacts) -> LedgerDecision | None:
    comments = ("LIBRARY_SOURCE", "LIBRARY_STRATEGY", "LIBRARY_SELECTION")
    told = [value for name in comments for value in facts.assay.comment(name)]
    told += facts.study_types if len(facts.study_types) == 1 else ()
    if not facts.assay.is_sequencing or not any(map(_SINGLE_CELL.search, told)):
        return None
    message = "This is a single-cell (or single-nucleus) library; only bulk RNA-seq is processed."
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="single_cell", message=message)


def _library_strategy(facts: AssayFacts) -> LedgerDecision | None:
    strategies = facts.assay.comment("LIBRARY_STRATEGY") if facts.assay.is_sequencing else ()
    if not strategies or any(map(is_rna_seq_strategy, strategies)):
        return None
    message = f"The library strategy is {', '.join(strategies)}; only {ELIGIBLE_STRATEGY} is processed."
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="library_strategy", message=message)


def _library_source(facts: AssayFacts) -> LedgerDecision | None:
    sources = facts.assay.comment("LIBRARY_SOURCE") if facts.assay.is_sequencing else ()
    if not sources or any(each.upper() == ELIGIBLE_SOURCE for each in sources):
        return None
    message = (
        f"The library was made from {', '.join(sources)} material; only {ELIGIBLE_SOURCE} libraries are processed."
    )
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="library_source", message=message)


def _reads_in_ena(facts: AssayFacts) -> LedgerDecision | None:
    public = bool(facts.sequence_studies) or (bool(facts.runs) and not facts.asked_ena)
    if not facts.assay.is_sequencing or not public:
        return None
    names = ", ".join(facts.runs or facts.sequence_studies)
    study = next(iter(facts.sequence_studies), None) or next(iter(facts.runs))
    message = f"The reads are in the sequence archives as {names} and are processed from there: survey {study}."
    return LedgerDecision(state=SampleState.SUPERSEDED, reason=PROCESSED_FROM_SRA, message=message)


def _reads_elsewhere(facts: AssayFacts) -> LedgerDecision | None:
    if not facts.assay.is_sequencing:
        return None
    if _ACCESS_COMMITTEE.search(facts.study_text):
        message = (
            "The reads are behind an access committee (such as dbGaP or EGA): only the description of this assay is "
            "public. People with an authorisation can get the reads from the archive, refinebio cannot."
        )
        return LedgerDecision(state=SampleState.CONTROLLED_ACCESS, reason="controlled_access", message=message)
    told = "ArrayExpress names no run and no study of the sequence archives"
    if facts.runs:
        told = f"ArrayExpress names {', '.join(facts.runs)}, of which ENA has no public study"
    message = f"{told}: there are no reads to download."
    return LedgerDecision(state=SampleState.NO_RAW_FILE, reason="no_sra_study", message=message)


def _not_rna(facts: AssayFacts) -> LedgerDecision | None:
    materials = _extract_materials(facts.assay)
    if not materials or not all(each.lower().replace("_", " ") in _GENOMIC_DNA for each in materials):
        return None
    message = "Genomic DNA was hybridised to the array, not RNA; only expression arrays are processed."
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="not_rna", message=message)


def _not_expression(facts: AssayFacts) -> LedgerDecision | None:
    if not facts.study_types or not all(map(_NOT_EXPRESSION.search, facts.study_types)):
        return None
    told = ", ".join(facts.study_types)
    message = f"The study does not measure the expression of genes ({told}); only expression arrays are processed."
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="not_expression", message=message)


def _extract_materials(assay: Assay) -> tuple[str, ...]:
    nodes = (node for row in assay.rows for node in row.of("Extract Name"))
    return tuple(each.value for node in nodes for each in node.attributes if each.kind == "Material Type")


def _unknown_organism(facts: AssayFacts) -> LedgerDecision | None:
    if len(facts.organisms) == 1:
        return None
    told = (
        f"is from several organisms ({', '.join(facts.organisms)})"
        if facts.organisms
        else "does not say which organism it is from"
    )
    message = f"The assay {told}, so there are no genes to report its expression for."
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="unknown_organism", message=message)


def _two_colours(facts: AssayFacts) -> LedgerDecision | None:
    if facts.platform is not None or not facts.assay.is_two_colour:
        return None
    array = ", ".join(facts.assay.designs) or "not named"
    message = f"This is a two-colour array ({array}); only one-colour arrays are processed."
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="two_colour_array", message=message)


def _unsupported_platform(facts: AssayFacts) -> LedgerDecision | None:
    if facts.platform is not None or facts.files.has_cel:
        return None
    designs = facts.assay.designs
    if designs:
        told = f"{', '.join(designs)} is not among the supported arrays"
        reason = "unsupported_platform"
    else:
        told = "The study does not say on which array this was measured, and there is no CEL file that would"
        reason = "unknown_platform"
    message = f"{told}; Affymetrix and Illumina expression arrays are processed."
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason=reason, message=message)


def _no_file(facts: AssayFacts) -> LedgerDecision | None:
    if facts.files.chosen:
        return None
    named = [file.name for file in facts.files.named]
    if named:
        told = f"The archive does not have the files the study names for this assay ({', '.join(named)})"
    else:
        told = "The study names no data file for this assay, neither raw nor processed"
    message = f"{told}: there is nothing to download."
    return LedgerDecision(state=SampleState.NO_RAW_FILE, reason="no_raw_file", message=message)


def _eligible(facts: AssayFacts) -> LedgerDecision:
    if facts.platform is None:
        designs = ", ".join(facts.assay.designs)
        told = f"The array {designs} is not in the list" if designs else "The study does not say which array was used"
        message = f"{told}, but there is a CEL file, whose header tells the array; it decides after the download."
        return LedgerDecision(state=SampleState.SURVEYED, reason="platform_from_cel_header", message=message)
    if not facts.files.has_raw:
        message = (
            f"There is no raw file that can be processed; the values the submitter computed on {facts.platform.name} "
            "are taken instead."
        )
        return LedgerDecision(state=SampleState.SURVEYED, reason="submitter_processed", message=message)
    message = f"The assay can be processed: {facts.platform.name} is supported and the raw data are public."
    return LedgerDecision(state=SampleState.SURVEYED, reason="eligible", message=message)


RULES: tuple[Callable[[AssayFacts], LedgerDecision | None], ...] = (
    _mirror_of_geo,
    _single_cell,
    _library_strategy,
    _library_source,
    _reads_in_ena,
    _reads_elsewhere,
    _not_rna,
    _not_expression,
    _unknown_organism,
    _two_colours,
    _unsupported_platform,
    _no_file,
)
