"""Closed vocabularies: technologies, index lengths, ledger states and reasons, kinds of computed files."""

from __future__ import annotations

from enum import StrEnum


class Technology(StrEnum):
    """How expression was measured."""

    MICROARRAY = "MICROARRAY"
    RNA_SEQ = "RNA_SEQ"
    UNKNOWN = "UNKNOWN"


class IndexLength(StrEnum):
    """The two transcriptome indices of an organism; reads longer than 75 bp use the long one."""

    SHORT = "short"
    LONG = "long"


INDEX_KMER: dict[IndexLength, int] = {IndexLength.SHORT: 23, IndexLength.LONG: 31}
"""Salmon k-mer of each index (refine.bio: 23 short, 31 long)."""

LONG_READ_THRESHOLD = 75
"""Mean read length in bases above which the long index is used (refine.bio: ``> 75``)."""


class SampleState(StrEnum):
    """The one state every accession has in the ledger."""

    DISCOVERED = "discovered"
    SURVEYED = "surveyed"
    DOWNLOADED = "downloaded"
    QUANTIFIED = "quantified"
    PROCESSED = "processed"
    UNSUPPORTED_PLATFORM = "unsupported_platform"
    WRONG_LIBRARY_STRATEGY = "wrong_library_strategy"
    CONTROLLED_ACCESS = "controlled_access"
    NO_RAW_FILE = "no_raw_file"
    CORRUPT_FILE = "corrupt_file"
    FAILED_QC = "failed_qc"
    FAILED_PROCESSING = "failed_processing"
    WITHDRAWN_UPSTREAM = "withdrawn_upstream"
    SUPERSEDED = "superseded"


PROGRESS_STATES: tuple[SampleState, ...] = (
    SampleState.DISCOVERED,
    SampleState.SURVEYED,
    SampleState.DOWNLOADED,
    SampleState.QUANTIFIED,
    SampleState.PROCESSED,
)
"""States on the way to expression, in order."""

INELIGIBLE_STATES = frozenset(
    {
        SampleState.UNSUPPORTED_PLATFORM,
        SampleState.WRONG_LIBRARY_STRATEGY,
        SampleState.CONTROLLED_ACCESS,
        SampleState.NO_RAW_FILE,
        SampleState.WITHDRAWN_UPSTREAM,
        SampleState.SUPERSEDED,
    }
)
"""States decided at survey time: such a sample is never downloaded and does not count for the tximport rules."""

FAILURE_STATES = frozenset({SampleState.CORRUPT_FILE, SampleState.FAILED_QC, SampleState.FAILED_PROCESSING})
"""States of samples that were tried and did not make it; they count as eligible but not as quantified."""


BLACKLISTED_RUN = "blacklisted_run"
"""Ledger reason of runs known to be bad: ``failed_qc`` without ever being tried, never offered for processing."""


def is_eligible(state: SampleState, reason: str) -> bool:
    """Whether a sample in this state, for this reason, is to be processed and counts for the tximport rules."""
    return state not in INELIGIBLE_STATES and reason != BLACKLISTED_RUN


MAX_ATTEMPTS = 5
"""How often work that fails for passing reasons is tried; then expression is made without the sample."""

NO_INDEX = "no_transcriptome_index"
"""Ledger reason of samples whose organism has no transcriptome index; they are tried again when there is one."""


NO_REFERENCE = "no_platform_reference"
"""Ledger reason of arrays whose platform has no reference (probes, genes) yet; importing it brings them back."""

WRONG_CHIP = "wrong_chip"
"""Ledger reason of arrays whose raw file shows another array than can be used: a survey, which has only the
submitter's word, does not undo it."""


IMPORTED = "imported"
"""Ledger reason of samples whose values came with a gene matrix: there is nothing to download or to normalise."""


class PlatformReferenceKind(StrEnum):
    """What a reference says of an array platform.

    The probes of a chip with the genes they are summed up to; the probes of a BeadArray with their genes; which genes
    the identifiers of submitters' tables name.
    """

    CHIP_ANNOTATION = "chip_annotation"
    PROBE_MAP = "probe_map"
    IDENTIFIER_MAP = "identifier_map"


class LedgerKind(StrEnum):
    """What a ledger entry is about."""

    EXPERIMENT = "experiment"
    SAMPLE = "sample"


class ComputedFileKind(StrEnum):
    """What a computed file holds."""

    SOURCE_METADATA = "source_metadata"
    TRANSCRIPTOME_INDEX = "transcriptome_index"
    GENE_TO_TRANSCRIPT_MAP = "gene_to_transcript_map"
    QUANT_SF = "quant_sf"
    SALMON_META = "salmon_meta"
    EXPRESSION_ANNDATA = "expression_anndata"
    EXPRESSION_PARQUET = "expression_parquet"
    TXIMPORT_RDS = "tximport_rds"
    ARRAY_VALUES = "array_values"
    ARRAY_EXPRESSION_ANNDATA = "array_expression_anndata"
    ARRAY_EXPRESSION_PARQUET = "array_expression_parquet"
    EXPRESSION_PART = "expression_part"
    ARRAY_EXPRESSION_PART = "array_expression_part"
    QN_TARGET = "qn_target"
    QN_TARGET_STATE = "qn_target_state"
    COMPENDIUM_ANNDATA = "compendium_anndata"
    COMPENDIUM_ZARR = "compendium_zarr"
    COMPENDIUM_PARQUET = "compendium_parquet"
    COMPENDIUM_TSV = "compendium_tsv"
    COMPENDIUM_ARCHIVE = "compendium_archive"
    COMPENDIUM_MODEL = "compendium_model"
    COMPENDIUM_REPORT = "compendium_report"
    COMPENDIUM_METADATA = "compendium_metadata"
    QUANTPENDIUM_ARCHIVE = "quantpendium_archive"


class CompendiumKind(StrEnum):
    """The two organism-wide artefacts: normalised expression, and the quant files of all RNA-seq samples."""

    COMPENDIUM = "compendium"
    QUANTPENDIUM = "quantpendium"


HARMONIZED_FIELDS: tuple[str, ...] = (
    "sex",
    "age",
    "specimen_part",
    "genetic_information",
    "disease",
    "disease_stage",
    "cell_line",
    "treatment",
    "race",
    "subject",
    "developmental_stage",
    "compound",
    "time",
    "dose",
)
"""The harmonised sample fields: the thirteen of refine.bio, and the dose (``title`` is kept beside them)."""
