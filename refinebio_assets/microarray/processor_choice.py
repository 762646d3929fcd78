"""Which method an array sample is processed with, and from which of its files. docs/array_expression.md has a table.

The order of the rules is refine.bio's: a CEL file decides whatever else is said; values that the submitter computed are
taken where there is nothing raw; then the manufacturer of the supported platform decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from refinebio_assets.domain.records import LedgerDecision, OriginalFile
from refinebio_assets.domain.vocabulary import PlatformReferenceKind, SampleState

_CEL = re.compile(r"\.cel(?:\.(?:gz|bz2|xz|zip|z))?$", re.IGNORECASE)
_READS = re.compile(r"\.(?:fastq|fq|sra)(?:\.gz)?$|(?<![A-Z])[SED]RR\d{5,}", re.IGNORECASE)
_TEXT = re.compile(r"\.txt(?:\.gz)?$", re.IGNORECASE)
_FAMILY = re.compile(r"^GSE\d+_family\.(?:soft\.gz|xml\.tgz)$", re.IGNORECASE)
_RAW_ARCHIVE = re.compile(r"_RAW\.(?:tar|zip)$", re.IGNORECASE)
_PROCESSED = ".processed"


class ArrayProcessor(StrEnum):
    """How a sample is processed; the value is the processor's name in provenance."""

    AFFYMETRIX = "Affymetrix SCAN"
    BEAD_ARRAY = "Illumina SCAN"
    AGILENT_TWO_COLOR = "Agilent two-colour"
    AGILENT_ONE_COLOR = "Agilent one-colour"
    SUBMITTER_PROCESSED = "Submitter-processed"


class ArrayInput(StrEnum):
    """What kind of file the values come from."""

    FILE = "file"
    ARCHIVE = "archive"
    FAMILY = "family"


REFERENCE_OF: Mapping[ArrayProcessor, PlatformReferenceKind] = {
    ArrayProcessor.AFFYMETRIX: PlatformReferenceKind.CHIP_ANNOTATION,
    ArrayProcessor.BEAD_ARRAY: PlatformReferenceKind.PROBE_MAP,
    ArrayProcessor.AGILENT_TWO_COLOR: PlatformReferenceKind.IDENTIFIER_MAP,
    ArrayProcessor.AGILENT_ONE_COLOR: PlatformReferenceKind.IDENTIFIER_MAP,
    ArrayProcessor.SUBMITTER_PROCESSED: PlatformReferenceKind.IDENTIFIER_MAP,
}
"""The reference of the platform that each processor needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorChoice:
    """The method and the file that a sample is processed with."""

    processor: ArrayProcessor
    input: ArrayInput
    file: OriginalFile


def choose_processor(
    files: Sequence[OriginalFile],
    *,
    has_raw: bool,
    manufacturer: str | None,
    is_supported: bool,
    annotations: Mapping[str, Any] | None = None,
) -> ProcessorChoice | LedgerDecision:
    """Choose the method for a sample.

    Args:
        files: Its files, as the survey chose them.
        has_raw: Whether these are raw data.
        manufacturer: ``AFFYMETRIX``, ``ILLUMINA``, ``AGILENT …``, in any letter case; of the platform as submitted.
        is_supported: Whether that platform is among the supported ones.
        annotations: The archive's metadata of the sample; Agilent arrays are told apart by their labelling protocols.

    Returns:
        The choice, or why there is none.
    """
    maker = (manufacturer or "").upper()
    cel = next((file for file in files if is_cel(file)), None)
    if cel is not None:
        return ProcessorChoice(processor=ArrayProcessor.AFFYMETRIX, input=ArrayInput.FILE, file=cel)
    if not files:
        message = "The archive has no file of this sample that could be processed."
        return LedgerDecision(state=SampleState.NO_RAW_FILE, reason="no_raw_file", message=message)
    if all(_READS.search(file.filename) for file in files):
        message = "Its files are reads of a sequencer, which are processed from the sequence archives."
        return LedgerDecision(state=SampleState.NO_RAW_FILE, reason="reads_beside_arrays", message=message)
    file = files[0]
    if not has_raw or _PROCESSED in file.url.lower():
        return _choice(ArrayProcessor.SUBMITTER_PROCESSED, file)
    if not is_supported and file.kind != "archive":
        message = "The array is not among the supported platforms, and there is no CEL file whose header would name it."
        return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="unsupported_platform", message=message)
    return _by_manufacturer(maker, file, annotations or {})


def _by_manufacturer(
    maker: str, file: OriginalFile, annotations: Mapping[str, Any]
) -> ProcessorChoice | LedgerDecision:
    if maker == "ILLUMINA":
        return _choice(ArrayProcessor.BEAD_ARRAY, file)
    if maker.startswith("AGILENT"):
        two_colour = has_two_agilent_labels(annotations)
        return _choice(ArrayProcessor.AGILENT_TWO_COLOR if two_colour else ArrayProcessor.AGILENT_ONE_COLOR, file)
    if maker == "AFFYMETRIX" and file.kind != "archive":
        # Text instead of a CEL file is what the submitter's software made of it.
        return _choice(ArrayProcessor.SUBMITTER_PROCESSED, file)
    if file.kind == "archive":
        return _choice(ArrayProcessor.AFFYMETRIX, file)
    message = "Nobody says who made the array, so it is not known how its files are to be read."
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="unknown_manufacturer", message=message)


def _choice(processor: ArrayProcessor, file: OriginalFile) -> ProcessorChoice:
    kind = ArrayInput.ARCHIVE if file.kind == "archive" else ArrayInput.FILE
    if _FAMILY.match(file.filename):
        kind = ArrayInput.FAMILY
    return ProcessorChoice(processor=processor, input=kind, file=file)


def is_cel(file: OriginalFile) -> bool:
    """Whether a file is a CEL file by its kind or name."""
    return file.kind == "cel" or _CEL.search(file.filename) is not None


def is_text(name: str) -> bool:
    """Whether a file is a text table by its name."""
    return _TEXT.search(name) is not None


def has_two_agilent_labels(annotations: Mapping[str, Any]) -> bool:
    """Whether the labelling protocols of both channels are Agilent's (refine.bio's rule for two-colour arrays)."""
    attributes = annotations.get("geo", annotations)
    protocols = [attributes.get(f"label_protocol_ch{channel}") for channel in (1, 2)]
    return all("AGILENT" in " ".join(_texts(protocol)).upper() for protocol in protocols)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


def raw_archive(annotations: Mapping[str, Any]) -> str | None:
    """Address of the archive with the raw files of a whole series (``GSE…_RAW.tar``), None if it has none.

    Args:
        annotations: Of the experiment.
    """
    series = annotations.get("series", {})
    for name, value in series.items():
        if name.startswith("supplementary_file"):
            for url in _texts(value):
                if _RAW_ARCHIVE.search(url):
                    return url
    return None
