"""One sample from its original files to a quant file: download, reads, index choice, Salmon, quality decision.

Nothing here raises for a sample's own trouble: every sample ends in a :class:`SampleOutcome` with a state and a
reason. What is wrong with the machine (a missing program, a full disk) is raised, for it would fail every sample.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from refinebio_assets.domain.errors import (
    AccessControlledError,
    ArchiveNotFoundError,
    ConfigurationError,
    InputError,
    MalformedFileError,
    MalformedPayloadError,
    RefinebioError,
    ToolFailedError,
    ToolMissingError,
)
from refinebio_assets.domain.records import LedgerDecision, OriginalFile
from refinebio_assets.domain.vocabulary import IndexLength, SampleState
from refinebio_assets.rna_seq.reads import mates, reads_statistics
from refinebio_assets.rna_seq.salmon import (
    QuantificationMethod,
    SalmonQuantification,
    compress,
    failure_decision,
    portable_command,
    quality_decision,
    quant_flags,
    quantification_fingerprint,
    read_quantification,
    salmon_document,
    whole_quant_sf,
)

METHOD = QuantificationMethod.REFINEBIO_2
_DISK_FULL = ("no space left", "storage exhausted", "disk-limit exe", "disk quota exceeded")
_LITTLE_SPACE_BYTES = 1 << 20
logger = logging.getLogger(__name__)


class SampleToQuantify(Protocol):
    """What is known of a sample before it is quantified."""

    @property
    def accession(self) -> str:
        """Run accession."""
        ...

    @property
    def organism(self) -> str | None:
        """UPPER_SNAKE name, None if the archive does not say."""
        ...

    @property
    def library_layout(self) -> str | None:
        """SINGLE or PAIRED, as the archive says."""
        ...

    @property
    def files(self) -> tuple[OriginalFile, ...]:
        """Its files in the archive."""
        ...


class FinishedRun(Protocol):
    """What a quantification run says of itself."""

    @property
    def command(self) -> tuple[str, ...]:
        """The command line."""
        ...

    @property
    def reproducible(self) -> bool:
        """Whether the same inputs give the same bytes."""
        ...


class Quantifier(Protocol):
    """The Salmon program."""

    def version(self) -> str:
        """Its version."""
        ...

    def quant(self, *, index: Path, reads: Sequence[Path], output: Path, flags: Sequence[str]) -> FinishedRun:
        """Quantify reads into a new directory."""
        ...


class ReadsExtractor(Protocol):
    """The SRA toolkit."""

    def fasterq_dump(self, path: Path, out_dir: Path) -> tuple[Path, ...]:
        """FASTQ files of an ``.sra`` file."""
        ...


@dataclass(frozen=True, slots=True)
class LocalIndex:
    """A transcriptome index on this machine."""

    directory: Path
    sha256: str
    length: IndexLength


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """All that quantifying needs.

    Args:
        salmon: The Salmon program.
        salmon_version: Its version, asked once.
        sra_toolkit: For ``.sra`` files.
        download: Fetches a file of the archive to a path, resuming what is already there.
        index: The index of an organism for short or long reads; raises NotFoundError if there is none.
        scratch: Folder for downloads and tool output.
        min_mapping_rate: Percentage of mapped reads below which a sample fails quality control.
        downloaded: Told when a sample's files are here and whole.
    """

    salmon: Quantifier
    salmon_version: str
    sra_toolkit: ReadsExtractor
    download: Callable[[OriginalFile, Path], object]
    index: Callable[[str, IndexLength], LocalIndex]
    scratch: Path
    min_mapping_rate: float
    downloaded: Callable[[str], None] = lambda _accession: None

    def fingerprint(self, sample: SampleToQuantify, index: LocalIndex) -> str:
        """What a quantification of this sample depends on."""
        return quantification_fingerprint(
            sample.files, index.sha256, self.salmon_version, METHOD.value, sample.library_layout
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantified:
    """A finished quantification.

    ``quant_sf`` is the quant file, gzip; ``document`` the content of ``salmon.json`` beside it; ``metrics`` the
    numbers for the catalog, the manifest and the quality report; ``command`` is without machine paths.
    """

    quant_sf: bytes
    document: bytes
    quantification: SalmonQuantification
    index_length: IndexLength
    command: tuple[str, ...]
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOutcome:
    """How a sample ended. ``quantified`` is None if it did not get that far."""

    accession: str
    decision: LedgerDecision
    retryable: bool = False
    fingerprint: str | None = None
    quantified: Quantified | None = None


@contextmanager
def sample_space(accession: str, bench: Workbench) -> Iterator[Path]:
    """The scratch folder of a sample, for one process at a time: a second one waits.

    The folder stays when the block ends; after a kill, downloads that were under way are resumed from it.
    """
    folder = bench.scratch / "samples" / accession
    with only_one(folder):
        yield folder


def quantify_sample(sample: SampleToQuantify, bench: Workbench, folder: Path) -> SampleOutcome:
    """Quantify one sample in its :func:`sample_space`.

    Raises:
        ToolMissingError: A program is not installed.
        ConfigurationError: A setting is wrong.
        OSError: The disk is full or not writable.
    """
    try:
        return _quantify(sample, bench, folder)
    except (ToolMissingError, ConfigurationError, OSError, MemoryError):
        raise
    except RefinebioError as error:
        if isinstance(error, ToolFailedError) and disk_was_full(error, folder):
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({error.message})", str(folder)) from error
        decision = decide(error, organism=sample.organism or "UNKNOWN")
        return SampleOutcome(accession=sample.accession, decision=decision, retryable=is_passing(error))
    except Exception as error:
        logger.exception("%s: unexpected trouble", sample.accession)
        message = f"Unexpected trouble: {type(error).__name__}: {error}"
        decision = LedgerDecision(state=SampleState.FAILED_PROCESSING, reason="unexpected_error", message=message)
        return SampleOutcome(accession=sample.accession, decision=decision)


def _quantify(sample: SampleToQuantify, bench: Workbench, folder: Path) -> SampleOutcome:
    if sample.organism is None:
        message = "The archive does not say which organism this sample is from."
        raise InputError(message)
    reads = _reads(sample, bench, folder)
    statistics = reads_statistics(reads)
    bench.downloaded(sample.accession)
    index = bench.index(sample.organism, statistics.index_length)
    output = folder / "salmon"
    shutil.rmtree(output, ignore_errors=True)
    flags = quant_flags(paired=len(reads) == 2, method=METHOD)
    run = bench.salmon.quant(index=index.directory, reads=reads, output=output, flags=flags)
    quantification = read_quantification(output)
    fingerprint = bench.fingerprint(sample, index)
    command = portable_command(run.command, index=index.sha256)
    details = {
        "sample": sample.accession,
        "organism": sample.organism,
        "index_length": index.length.value,
        "index_sha256": index.sha256,
        "mean_read_length": round(statistics.mean_length, 3),
        "fingerprint": fingerprint,
    }
    document = salmon_document(
        quantification, command=command, reproducible=run.reproducible, method=METHOD, details=details
    )
    quantified = Quantified(
        quant_sf=compress(whole_quant_sf(output, quantification)),
        document=document,
        quantification=quantification,
        index_length=index.length,
        command=command,
        metrics={**asdict(quantification), **details, "reproducible": run.reproducible},
    )
    return SampleOutcome(
        accession=sample.accession,
        decision=quality_decision(quantification, bench.min_mapping_rate, organism=sample.organism),
        fingerprint=fingerprint,
        quantified=quantified,
    )


def _reads(sample: SampleToQuantify, bench: Workbench, folder: Path) -> tuple[Path, ...]:
    if not sample.files:
        message = f"{sample.accession} has no file to download."
        raise ArchiveNotFoundError(message)
    files = []
    for file in sample.files:
        bench.download(file, folder / file.filename)
        files.append(folder / file.filename)
    if sample.files[0].kind != "sra":
        return mates(files)
    fastq = folder / "fastq"
    shutil.rmtree(fastq, ignore_errors=True)
    return mates(bench.sra_toolkit.fasterq_dump(files[0], fastq))


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder; the kernel lets go of it when the process ends, however it ends.

    The lock file beside the folder is removed at the end. A process that waited for it finds that its lock file is
    gone and locks the new one.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f"{folder.name}.lock")
    while True:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists() or path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
                continue
            folder.mkdir(exist_ok=True)
            yield
            path.unlink()
            return


_OUT_OF_MEMORY = "std::bad_alloc"
"""What a C++ program writes when it gets no memory, before it aborts."""

_STATE_OF: Mapping[type[RefinebioError], SampleState] = {
    AccessControlledError: SampleState.CONTROLLED_ACCESS,
    ArchiveNotFoundError: SampleState.NO_RAW_FILE,
    MalformedPayloadError: SampleState.CORRUPT_FILE,
    MalformedFileError: SampleState.CORRUPT_FILE,
}


def decide(error: RefinebioError, *, organism: str) -> LedgerDecision:
    """The ledger state of a sample that ended in an error; a passing trouble leaves it where it was (``surveyed``)."""
    if is_passing(error):
        return LedgerDecision(state=SampleState.SURVEYED, reason=error.code, message=str(error))
    if isinstance(error, ToolFailedError):
        return failure_decision(error, organism=organism)
    for error_type, state in _STATE_OF.items():
        if isinstance(error, error_type):
            return LedgerDecision(state=state, reason=error.code, message=_without_folder(error))
    return LedgerDecision(state=SampleState.FAILED_PROCESSING, reason=error.code, message=str(error))


def _without_folder(error: RefinebioError) -> str:
    """The message with the file's name instead of its place in scratch space, which says nothing to a reader."""
    path = getattr(error, "path", None)
    return str(error) if path is None else str(error).replace(str(path), Path(path).name)


def disk_was_full(error: ToolFailedError, folder: Path) -> bool:
    """Whether a program failed for want of disk space, by its own words or by what is left: not the sample's fault."""
    said = error.output.lower()
    return any(words in said for words in _DISK_FULL) or shutil.disk_usage(folder).free < _LITTLE_SPACE_BYTES


def is_passing(error: RefinebioError) -> bool:
    """Whether trying again later can help.

    An archive was unwell, or a program was killed from outside (signal 9 or 15).
    """
    if isinstance(error, ToolFailedError):
        return error.exit_status_of_tool in {-9, -15} or _OUT_OF_MEMORY in error.output
    return error.retryable
