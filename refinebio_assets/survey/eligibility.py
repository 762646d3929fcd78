"""Whether a sequencing run can become expression, and if not, why: one decision with a reason code and a sentence.

The rules are asked in the order of :data:`RULES`; the first that objects decides. ``docs/eligibility.md`` lists the
reasons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.archive_rows import Row, entries, text
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sra_files import ReadFiles

ELIGIBLE_STRATEGY = "RNA-Seq"
ELIGIBLE_SOURCE = "TRANSCRIPTOMIC"

INELIGIBLE_SELECTIONS = frozenset(
    {
        "5-methylcytidine antibody",
        "cage",
        "cf-h",
        "cf-m",
        "cf-s",
        "cf-t",
        "chip",
        "chip-seq",
        "dnase",
        "hmpr",
        "mbd2 protein methyl-cpg binding domain",
        "mda",
        "mf",
        "mnase",
        "msll",
        "race",
        "reduced representation",
        "restriction digest",
    }
)
"""Selections of INSDC's vocabulary (SRA.experiment.xsd, in lower case) that keep DNA, or only ends of transcripts.

Those that say nothing of the kind (``other``, ``unspecified``, ``RANDOM``, ``size fractionation`` …) decide nothing:
submitters choose them for ordinary RNA-seq.
"""

_SUPPRESSED = frozenset(
    {"suppressed", "temporary_suppressed", "temporary suppressed", "cancelled", "killed", "withdrawn"}
)
_CONTROLLED = frozenset({"controlled", "controlled access", "controlled_access", "controlled-access"})
_SINGLE_CELL = re.compile(r"single[ _-]?(?:cell|nucle)|\bs[cn]rna\b", re.IGNORECASE)
_ACCESS_COMMITTEE = re.compile(r"\bdbgap\b|\bphs[0-9]{6}|\bEGA[A-Z]?[0-9]{6,}|\bcontrolled[ -]access\b", re.IGNORECASE)
_ACCESS_COLUMNS = (
    "sample_title",
    "sample_description",
    "sample_alias",
    "experiment_title",
    "study_title",
    "study_alias",
    "run_alias",
    "project_name",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the rules look at: the archive's row, the BioSample's attributes as one text, read files, organism."""

    run: str
    row: Row
    biosample_text: str
    organism: str | None
    reads: ReadFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityRules:
    """The eligibility rules with the tables they ask.

    Attributes:
        registry: Supported platforms.
        blacklist: Run accessions that are never processed.
    """

    registry: PlatformRegistry
    blacklist: Collection[str] = frozenset()

    def decide(self, facts: RunFacts) -> LedgerDecision:
        """The state of a run after the survey: ``surveyed``, or the reason why it goes no further."""
        for rule in RULES:
            decision = rule(self, facts)
            if decision is not None:
                return decision
        message = "The run can be processed: bulk RNA-seq on a supported instrument, with public reads."
        return LedgerDecision(state=SampleState.SURVEYED, reason="eligible", message=message)


def _withdrawn(_: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    status = text(facts.row, "status").lower()
    if status not in _SUPPRESSED:
        return None
    message = f"The archive has withdrawn this run (status: {status})."
    return LedgerDecision(state=SampleState.WITHDRAWN_UPSTREAM, reason="suppressed_upstream", message=message)


def _controlled_access(_: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    status_says_so = text(facts.row, "status").lower() in _CONTROLLED
    if not status_says_so and (facts.reads.files or not mentions_access_committee(facts)):
        return None
    message = (
        "The reads are behind an access committee (such as dbGaP or EGA): only the description of this run is public. "
        "People with an authorisation can get the reads from the archive, refinebio cannot."
    )
    return LedgerDecision(state=SampleState.CONTROLLED_ACCESS, reason="controlled_access", message=message)


def mentions_access_committee(facts: RunFacts) -> bool:
    """Whether title, description, aliases, broker or BioSample speak of dbGaP, EGA or controlled access."""
    texts = [text(facts.row, column) for column in _ACCESS_COLUMNS] + [facts.biosample_text]
    return text(facts.row, "broker_name").upper() == "EGA" or any(map(_ACCESS_COMMITTEE.search, texts))


def _unknown_organism(_: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    if facts.organism is not None:
        return None
    names = entries(facts.row, "scientific_name")
    told = (
        f"names several organisms ({', '.join(names)})" if len(names) > 1 else "does not say which organism it is from"
    )
    message = f"The archive {told}, so there is no reference transcriptome to compare the reads with."
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="unknown_organism", message=message)


def _unsupported_platform(rules: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    instrument = text(facts.row, "instrument_model")
    if instrument and rules.registry.supports_rna_seq(instrument):
        return None
    told = f"{instrument} is not among the supported instruments" if instrument else "The archive names no instrument"
    message = f"{told}; reads of short-read Illumina and Ion Torrent instruments are processed."
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="unsupported_platform", message=message)


def _single_cell(_: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    columns = ("library_source", "library_strategy", "library_selection")
    if not any(_SINGLE_CELL.search(text(facts.row, column)) for column in columns):
        return None
    message = "This is a single-cell (or single-nucleus) library; only bulk RNA-seq is processed."
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="single_cell", message=message)


def _library_strategy(_: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    strategy = text(facts.row, "library_strategy")
    if strategy.upper() == ELIGIBLE_STRATEGY.upper():
        return None
    told = f"The library strategy is {strategy}" if strategy else "The archive gives no library strategy"
    message = f"{told}; only {ELIGIBLE_STRATEGY} is processed."
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="library_strategy", message=message)


def _library_source(_: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    source = text(facts.row, "library_source")
    if source.upper() == ELIGIBLE_SOURCE:
        return None
    told = (
        f"The library was made from {source} material"
        if source
        else "The archive does not say what the library was made from"
    )
    message = f"{told}; only {ELIGIBLE_SOURCE} libraries are processed."
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="library_source", message=message)


def _library_selection(_: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    selection = text(facts.row, "library_selection")
    if selection.lower() not in INELIGIBLE_SELECTIONS:
        return None
    message = (
        f"The library was selected by {selection}, which keeps ends of transcripts or DNA only; whole transcripts are "
        "needed to quantify genes."
    )
    return LedgerDecision(state=SampleState.WRONG_LIBRARY_STRATEGY, reason="library_selection", message=message)


def _no_raw_file(_: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    if facts.reads.files:
        return None
    if text(facts.row, "fastq_ftp"):
        told = "The FASTQ files the archive lists are neither one file nor a pair, and there is no SRA file"
    elif text(facts.row, "submitted_ftp"):
        told = "The archive has only the submitter's own files of this run, no FASTQ and no SRA file"
    else:
        told = "The archive lists no FASTQ and no SRA file of this run"
    message = f"{told}: there are no reads to download."
    return LedgerDecision(state=SampleState.NO_RAW_FILE, reason="no_raw_file", message=message)


def _blacklisted(rules: EligibilityRules, facts: RunFacts) -> LedgerDecision | None:
    if facts.run not in rules.blacklist:
        return None
    message = (
        "The run is on the list of RNA-seq runs that refine.bio does not process. The list, of April 2019, gives no "
        "reasons."
    )
    return LedgerDecision(state=SampleState.FAILED_QC, reason="blacklisted_run", message=message)


RULES: tuple[Callable[[EligibilityRules, RunFacts], LedgerDecision | None], ...] = (
    _withdrawn,
    _controlled_access,
    _unknown_organism,
    _unsupported_platform,
    _single_cell,
    _library_strategy,
    _library_source,
    _library_selection,
    _no_raw_file,
    _blacklisted,
)
