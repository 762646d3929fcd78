"""Quantification with Salmon: the flags, what Salmon says of a sample, and what that means for the sample.

Salmon: Patro et al. 2017, doi:10.1038/nmeth.4197. The flags are refine.bio's. Running the program is
:mod:`resources.tools.salmon`'s business.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from refinebio_assets.domain.errors import MalformedFileError, ToolFailedError
from refinebio_assets.domain.organisms import scientific_name
from refinebio_assets.domain.records import LedgerDecision, OriginalFile
from refinebio_assets.domain.vocabulary import SampleState

_COMPRESS_LEVEL = 6
_TOO_FEW_FRAGMENTS = "indicative of a mismatch between the reference and sample"
"""What Salmon writes when next to nothing maps; it then exits with status 1 and leaves no counts."""

_REPLACED = {"-1", "-2", "-r", "-o"}


class QuantificationMethod(StrEnum):
    """Method versions of the quantification."""

    REFINEBIO_1 = "refinebio-1"
    """refine.bio's flags: paired reads that came as ``.sra`` get no GC-bias correction, the same reads as FASTQ do."""

    REFINEBIO_2 = "refinebio-2"
    """The default: the flags depend on the library only, so a run gives the same result from either archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SalmonQuantification:
    """What Salmon reports of one sample.

    ``num_processed`` and ``num_mapped`` count fragments: pairs for a paired library, reads otherwise.
    ``percent_mapped`` is 0 to 100. Where Salmon had too little to say a number (NaN), it is None. ``library_type`` is
    Salmon's code (https://salmon.readthedocs.io/en/latest/library_type.html).
    """

    salmon_version: str
    library_type: str
    num_processed: int
    num_mapped: int
    percent_mapped: float
    num_decoy_fragments: int
    num_dovetail_fragments: int
    fragment_length_mean: float | None
    fragment_length_sd: float | None
    num_targets: int
    num_eq_classes: int
    seq_bias_correct: bool
    gc_bias_correct: bool
    index_seq_hash: str
    index_name_hash: str
    compatible_fragment_ratio: float | None
    num_assigned_fragments: int
    strand_mapping_bias: float | None

    @property
    def is_paired(self) -> bool:
        """Whether the library is paired: its type starts with the mates' orientation (I, O or M)."""
        return self.library_type[:1] in {"I", "O", "M"}


def quant_flags(
    *,
    paired: bool,
    source: Literal["fastq", "sra"] = "fastq",
    method: QuantificationMethod = QuantificationMethod.REFINEBIO_2,
) -> tuple[str, ...]:
    """Salmon's flags for a library, without those that name files and threads.

    Args:
        paired: Whether there are two mate files.
        source: The container the reads came in; it matters to ``refinebio-1`` only.
        method: The method version.
    """
    common = ("--seqBias", "--dumpEq", "--writeUnmappedNames")
    without_gc = method is QuantificationMethod.REFINEBIO_1 and source == "sra"
    if not paired or without_gc:
        return ("-l", "A", *common)
    return ("-l", "A", "--biasSpeedSamp", "5", "--gcBias", *common)


def read_quantification(directory: Path) -> SalmonQuantification:
    """Read ``aux_info/meta_info.json`` and ``lib_format_counts.json`` of a finished quantification.

    Raises:
        MalformedFileError: One of them is missing, not JSON or lacks a value.
    """
    meta = _read_json(directory / "aux_info" / "meta_info.json")
    counts = _read_json(directory / "lib_format_counts.json")
    try:
        return _quantification(meta, counts)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        message = f"Salmon's report lacks a usable value: {error}."
        raise MalformedFileError(message, path=directory) from error


def whole_quant_sf(directory: Path, quantification: SalmonQuantification) -> bytes:
    """The quant file of a finished quantification.

    Raises:
        ToolFailedError: It has not a line for every transcript: Salmon does not notice that a disk is full.
    """
    content = (directory / "quant.sf").read_bytes()
    lines = content.count(b"\n")
    if lines != quantification.num_targets + 1 or not content.endswith(b"\n"):
        message = (
            f"salmon ended without an error but left a quant.sf of {lines} lines, not of a header and "
            f"{quantification.num_targets} transcripts."
        )
        raise ToolFailedError(message, exit_status_of_tool=0)
    return content


def quality_decision(quantification: SalmonQuantification, min_mapping_rate: float, *, organism: str) -> LedgerDecision:
    """What the mapping rate means for a sample: quantified, or failed.

    Args:
        quantification: Salmon's report.
        min_mapping_rate: Percentage of fragments that must map at least.
        organism: UPPER_SNAKE name of the organism of the index.
    """
    fragments = "read pairs" if quantification.is_paired else "reads"
    if quantification.num_processed == 0:
        return LedgerDecision(
            state=SampleState.CORRUPT_FILE,
            reason="no_reads",
            message="Salmon found no reads in the files of this sample.",
        )
    # Rounded down: 9.97 % must not read as "10.0 %, at least 10 % are needed".
    share = (
        f"{math.floor(quantification.percent_mapped * 10) / 10:.1f} % of {quantification.num_processed:,} {fragments}"
    )
    transcriptome = f"the transcriptome of {scientific_name(organism)}"
    if quantification.percent_mapped < min_mapping_rate:
        return LedgerDecision(
            state=SampleState.FAILED_QC,
            reason="low_mapping_rate",
            message=f"Only {share} map to {transcriptome} (at least {min_mapping_rate:g} % are needed).",
        )
    return LedgerDecision(state=SampleState.QUANTIFIED, reason="quantified", message=f"{share} map to {transcriptome}.")


def failure_decision(error: ToolFailedError, *, organism: str) -> LedgerDecision:
    """What a failed Salmon run means for a sample.

    Salmon refuses samples of which next to nothing maps. That says something of the sample (``failed_qc``); anything
    else says something of the run (``failed_processing``). Salmon's own last words are in the message.
    """
    if _TOO_FEW_FRAGMENTS in error.output:
        transcriptome = f"the transcriptome of {scientific_name(organism)}"
        message = f"Next to none of the reads map to {transcriptome}; Salmon refuses to quantify them."
        return LedgerDecision(state=SampleState.FAILED_QC, reason="low_mapping_rate", message=message)
    lines = [line.strip() for line in error.output.splitlines() if line.strip()]
    words = f" Salmon's last words: {' / '.join(lines[-3:])[-500:]}" if lines else ""
    return LedgerDecision(state=SampleState.FAILED_PROCESSING, reason=error.code, message=error.message + words)


def quantification_fingerprint(
    files: Sequence[OriginalFile], index_sha256: str, salmon_version: str, method_version: str, layout: str | None
) -> str:
    """The sha256 (hex) of everything a quantification depends on.

    A sample whose fingerprint is unchanged need not be redone.

    A file counts by name, size and md5. Its address counts only if the archive announces no md5, so that a file that
    merely moved is not quantified again.
    """
    inputs = [
        [file.mate, file.filename, file.kind, file.size_bytes, file.md5 or file.url]
        for file in sorted(files, key=lambda file: (file.mate, file.filename))
    ]
    document = [inputs, index_sha256, salmon_version, method_version, layout]
    return hashlib.sha256(json.dumps(document, separators=(",", ":")).encode()).hexdigest()


def portable_command(command: Sequence[str], *, index: str) -> tuple[str, ...]:
    """A Salmon command line without the paths of the machine it ran on.

    Args:
        command: As it was run.
        index: What to write for the index, such as its key in the object store.
    """
    portable = [Path(command[0]).name]
    for flag, argument in pairwise(command):
        if flag == "-i":
            portable.append(index)
        elif flag in _REPLACED:
            portable.append(Path(argument).name)
        else:
            portable.append(argument)
    return tuple(portable)


def salmon_document(
    quantification: SalmonQuantification,
    *,
    command: Sequence[str],
    reproducible: bool,
    method: QuantificationMethod,
    details: Mapping[str, Any],
) -> bytes:
    """The content of ``salmon.json`` beside a quant file: metrics and provenance, no times and no machine paths.

    Args:
        quantification: Salmon's report.
        command: The portable command line.
        reproducible: Whether the same inputs give the same bytes again.
        method: The method version.
        details: What else belongs there (index sha256 and key, read statistics, fingerprint); JSON values.
    """
    document = {
        "metrics": asdict(quantification),
        "method": method.value,
        "command": list(command),
        "reproducible": reproducible,
        **details,
    }
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False).encode() + b"\n"


def compress(data: bytes) -> bytes:
    """Gzip with neither time nor file name in the header: the same bytes in, the same bytes out."""
    return gzip.compress(data, compresslevel=_COMPRESS_LEVEL, mtime=0)


def _quantification(meta: Mapping[str, Any], counts: Mapping[str, Any]) -> SalmonQuantification:
    processed, mapped = int(meta["num_processed"]), int(meta["num_mapped"])
    return SalmonQuantification(
        salmon_version=str(meta["salmon_version"]),
        library_type=str(meta["library_types"][0]),
        num_processed=processed,
        num_mapped=mapped,
        percent_mapped=100 * mapped / processed if processed else 0.0,
        num_decoy_fragments=int(meta.get("num_decoy_fragments", 0)),
        num_dovetail_fragments=int(meta.get("num_dovetail_fragments", 0)),
        fragment_length_mean=_number(meta["frag_length_mean"]),
        fragment_length_sd=_number(meta["frag_length_sd"]),
        num_targets=int(meta["num_valid_targets"]),
        num_eq_classes=int(meta["num_eq_classes"]),
        seq_bias_correct=bool(meta["seq_bias_correct"]),
        gc_bias_correct=bool(meta["gc_bias_correct"]),
        index_seq_hash=str(meta["index_seq_hash"]),
        index_name_hash=str(meta["index_name_hash"]),
        compatible_fragment_ratio=_number(counts["compatible_fragment_ratio"]),
        num_assigned_fragments=int(counts["num_assigned_fragments"]),
        strand_mapping_bias=_number(counts["strand_mapping_bias"]),
    )


def _number(value: Any) -> float | None:
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        message = "There is no such file."
        raise MalformedFileError(message, path=path) from error
    except ValueError as error:
        message = f"This is not JSON: {error}."
        raise MalformedFileError(message, path=path) from error
    if not isinstance(content, dict):
        message = "This is not a JSON object."
        raise MalformedFileError(message, path=path)
    return content
