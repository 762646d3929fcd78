"""Records that a survey produces and the catalog keeps: immutable values without behaviour of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.vocabulary import SampleState, Technology

OriginalFileKind = Literal["fastq", "sra", "cel", "table", "archive", "genome_fasta", "gtf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalFile:
    """A file in a public archive.

    ``mate`` is 1 or 2 for paired FASTQ, 0 otherwise. ``size_bytes`` and ``md5`` are what the archive announces, None
    if it does not.
    """

    url: str
    filename: str
    kind: OriginalFileKind
    mate: int = 0
    size_bytes: int | None = None
    md5: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonizedValue:
    """One harmonised metadata value and where it came from.

    ``rule`` names the harmonisation rule; ``raw_key`` and ``raw_value`` are what the submitter wrote.
    """

    field: str
    value: str
    raw_key: str
    raw_value: str
    rule: str
    unit: str | None = None
    ontology_term_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerDecision:
    """A state with its machine-readable reason and a message a biologist understands."""

    state: SampleState
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRecord:
    """A sample: for sequencing one run (as in refine.bio), for arrays one GSM or assay.

    ``aliases`` are other accessions of the same sample (SRX, SRS, SAMN, GSM) without its own. ``annotations`` is the
    raw, unflattened metadata of the archives. ``organism`` is the UPPER_SNAKE name.
    """

    accession: str
    source: SourceArchive
    title: str
    organism: str | None
    taxonomy_id: int | None
    technology: Technology
    platform_accession: str | None = None
    platform_name: str | None = None
    manufacturer: str | None = None
    run_accession: str | None = None
    experiment_accession: str | None = None
    secondary_sample_accession: str | None = None
    biosample_accession: str | None = None
    aliases: tuple[str, ...] = ()
    library_strategy: str | None = None
    library_source: str | None = None
    library_selection: str | None = None
    library_layout: str | None = None
    has_raw: bool = True
    source_url: str | None = None
    harmonized: tuple[HarmonizedValue, ...] = ()
    annotations: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[OriginalFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRecord:
    """An experiment (study, series). ``aliases`` are its accessions in other archives, without its own."""

    accession: str
    source: SourceArchive
    title: str
    description: str = ""
    technology: Technology = Technology.UNKNOWN
    aliases: tuple[str, ...] = ()
    institution: str | None = None
    protocol: str | None = None
    pubmed_id: str | None = None
    publication_doi: str | None = None
    publication_title: str | None = None
    publication_authors: tuple[str, ...] = ()
    source_url: str | None = None
    first_published: date | None = None
    last_updated: date | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedSample:
    """A sample and what the survey decided about it (``surveyed`` if it is eligible)."""

    record: SampleRecord
    decision: LedgerDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyResult:
    """All that one survey of an experiment found.

    Invariant: every sample accession in the payload is in ``samples`` exactly once, eligible or not.
    """

    experiment: ExperimentRecord
    samples: tuple[SurveyedSample, ...]
    coverage: Mapping[str, int] = field(default_factory=dict)
    """Raw metadata keys that no harmonisation rule took, with the number of samples that have them."""
    linked_studies: tuple[str, ...] = ()
    """Experiments of the sequence archives that hold the reads of samples of this one: they are surveyed too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenomeSource:
    """Where an organism's genome and annotation lie, for building a transcriptome index.

    ``division`` is the Ensembl division (``EnsemblVertebrates``, ``EnsemblPlants`` …), ``collection`` the folder of
    a collection database (bacteria, fungi) or None.
    """

    organism: str
    taxonomy_id: int
    division: str
    release: str
    assembly: str
    genome_fasta: OriginalFile
    gtf: OriginalFile
    cdna_fasta: OriginalFile | None = None
    collection: str | None = None
    strain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantFileRecord:
    """A usable quant file: where it lies in the object store, what it was made from, and how much mapped."""

    sample: str
    key: str
    sha256: str
    size_bytes: int
    fingerprint: str
    num_processed: int | None = None
    num_mapped: int | None = None
    percent_mapped: float | None = None
    library_type: str | None = None
    index_length: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantFiles:
    """The usable quant files of an experiment, by sample.

    ``organism`` is UPPER_SNAKE; several are joined with commas.
    """

    experiment: str
    organism: str
    files: tuple[QuantFileRecord, ...]
