"""The catalog: what the platform knows about experiments, samples, files, results, and the state of each of them."""

from resources.catalog.accessions import Resolution
from resources.catalog.array_samples import ArrayFile, ArrayToProcess
from resources.catalog.catalog import Catalog
from resources.catalog.compendium_records import (
    CompendiumInfo,
    CompendiumSample,
    CompendiumToRecord,
    OrganismCounts,
    OrganismQuantFile,
    PlatformCounts,
    QnTargetInfo,
    QnTargetToRecord,
)
from resources.catalog.computed_files import ComputedFileInfo
from resources.catalog.expression_parts import ExpressionPartInfo, PartContent
from resources.catalog.imported_metadata import MetadataImport
from resources.catalog.ledger import Ledger, LedgerHistoryRow, ReasonCount
from resources.catalog.ledger_changes import LedgerRow, StateChange
from resources.catalog.ontologies import ImportedOntology, OntologyImport, OntologySource
from resources.catalog.platform_references import (
    DetectedPlatformToRecord,
    PlatformReferenceInfo,
    PlatformReferenceToRecord,
    PlatformSamples,
    RecordedReference,
)
from resources.catalog.removal import Removal
from resources.catalog.results import FileToRecord, RecordedResult, ResultToRecord
from resources.catalog.samples import QuantFileInfo, SampleStatus, SampleToProcess
from resources.catalog.summary import MetadataCoverage, SourceStates, UnsupportedPlatform
from resources.catalog.survey import SurveyOutcome
from resources.catalog.term_index import TermIndex
from resources.catalog.transcriptome_indices import TranscriptomeIndexInfo, TranscriptomeIndexToRecord

__all__ = [
    "ArrayFile",
    "ArrayToProcess",
    "Catalog",
    "CompendiumInfo",
    "CompendiumSample",
    "CompendiumToRecord",
    "ComputedFileInfo",
    "DetectedPlatformToRecord",
    "ExpressionPartInfo",
    "FileToRecord",
    "ImportedOntology",
    "Ledger",
    "LedgerHistoryRow",
    "LedgerRow",
    "MetadataCoverage",
    "MetadataImport",
    "OntologyImport",
    "OntologySource",
    "OrganismCounts",
    "OrganismQuantFile",
    "PartContent",
    "PlatformCounts",
    "PlatformReferenceInfo",
    "PlatformReferenceToRecord",
    "PlatformSamples",
    "QnTargetInfo",
    "QnTargetToRecord",
    "QuantFileInfo",
    "ReasonCount",
    "RecordedReference",
    "RecordedResult",
    "Removal",
    "Resolution",
    "ResultToRecord",
    "SampleStatus",
    "SampleToProcess",
    "SourceStates",
    "StateChange",
    "SurveyOutcome",
    "TermIndex",
    "TranscriptomeIndexInfo",
    "TranscriptomeIndexToRecord",
    "UnsupportedPlatform",
]
