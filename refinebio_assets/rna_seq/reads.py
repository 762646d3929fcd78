"""Reads in FASTQ files: strict validation, read length, and the choice of the transcriptome index.

FASTQ is four lines a record (Cock et al. 2010, doi:10.1093/nar/gkp1137). Files are looked at in blocks with numpy, not
line by line, and always to their end: a truncated download is found here, not by Salmon an hour later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.vocabulary import LONG_READ_THRESHOLD, IndexLength
from refinebio_assets.rna_seq.compressed import is_markup, open_compressed

_BLOCK_BYTES = 1 << 21
_NEWLINE, _RETURN, _AT, _PLUS = b"\n\r@+"
_LINES_PER_RECORD = 4
_SHOWN_BYTES = 40
_LONGEST_RECORD_BYTES = 64 << 20
_MATE = re.compile(r"(?P<run>.+)_(?P<mate>[12])\.(?:fastq|fq)(?:\.gz)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FastqStatistics:
    """What one FASTQ file holds. Lengths are in bases; zero everywhere for a file without reads."""

    reads: int
    bases: int
    shortest: int
    longest: int


@dataclass(frozen=True, slots=True)
class ReadsStatistics:
    """What the one or two FASTQ files of a sample hold together.

    ``reads`` counts single reads: two for every fragment of a paired library.
    """

    files: tuple[FastqStatistics, ...]

    @property
    def reads(self) -> int:
        """Reads in all files."""
        return sum(file.reads for file in self.files)

    @property
    def bases(self) -> int:
        """Bases in all files."""
        return sum(file.bases for file in self.files)

    @property
    def mean_length(self) -> float:
        """Mean read length in bases over all files, as in refine.bio."""
        return self.bases / self.reads

    @property
    def index_length(self) -> IndexLength:
        """The transcriptome index that fits these reads."""
        return index_length(self.mean_length)


def index_length(mean_read_length: float) -> IndexLength:
    """The index for a mean read length in bases: long above 75, short up to and including 75 (refine.bio's rule)."""
    return IndexLength.LONG if mean_read_length > LONG_READ_THRESHOLD else IndexLength.SHORT


def mates(files: Sequence[Path]) -> tuple[Path, ...]:
    """The files to quantify of those that a run came with.

    A run of a paired library may bring a third file with reads that lost their mate (no ``_1``/``_2`` in its name). As
    in refine.bio, the mates are used and the unmated reads are not.

    Args:
        files: One, two or three FASTQ files, in any order.

    Returns:
        One file, or the two mates in order.

    Raises:
        MalformedFileError: Two or more files that are not a pair of mates.
    """
    if len(files) == 1:
        return (files[0],)
    numbered = {int(found["mate"]): file for file in files if (found := _MATE.fullmatch(file.name))}
    runs = {found["run"] for file in numbered.values() if (found := _MATE.fullmatch(file.name))}
    if set(numbered) != {1, 2} or len(runs) != 1:
        names = ", ".join(sorted(file.name for file in files)) or "none"
        message = f"These files are neither one FASTQ file nor a pair of mates: {names}."
        raise MalformedFileError(
            message,
            remedy="A paired run needs its files named ..._1.fastq.gz and ..._2.fastq.gz.",
        )
    return numbered[1], numbered[2]


def reads_statistics(files: Sequence[Path]) -> ReadsStatistics:
    """Validate the FASTQ file or the two mate files of a sample and count their reads and bases.

    Raises:
        MalformedFileError: A file is not valid FASTQ, there are no reads, or the mates have different numbers of reads.
    """
    statistics = ReadsStatistics(tuple(fastq_statistics(file) for file in files))
    for file, counted in zip(files, statistics.files, strict=True):
        if counted.reads == 0:
            message = "This FASTQ file holds no reads."
            raise MalformedFileError(message, path=file)
    if len({file.reads for file in statistics.files}) > 1:
        counts = ", ".join(
            f"{path.name} has {file.reads:,}" for path, file in zip(files, statistics.files, strict=True)
        )
        message = f"The two mate files do not hold the same number of reads: {counts}."
        raise MalformedFileError(message, path=files[-1])
    return statistics


def fastq_statistics(path: Path) -> FastqStatistics:
    """Validate one FASTQ file, plain or gzip (told by its first bytes, not its name), and count its reads and bases.

    Raises:
        MalformedFileError: Naming file and line: the file is missing or truncated, its gzip is damaged, a record does
            not start with ``@``, its third line not with ``+``, or its qualities are not as many as its bases.
    """
    counter = _Counter(path)
    rest = b""
    for block in _blocks(path):
        rest = counter.count(rest + block)
    counter.finish(rest)
    return FastqStatistics(counter.reads, counter.bases, counter.shortest or 0, counter.longest)


class _Counter:
    """Counts whole records block by block; ``count`` hands back the bytes of the unfinished last record."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reads = 0
        self.bases = 0
        self.shortest: int | None = None
        self.longest = 0

    def count(self, data: bytes) -> bytes:
        text = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(text == _NEWLINE)
        records = len(ends) // _LINES_PER_RECORD
        if records == 0:
            self._check_start(data)
            return data
        ends = ends[: records * _LINES_PER_RECORD]
        starts = np.empty_like(ends)
        starts[0] = 0
        starts[1:] = ends[:-1] + 1
        lengths = ends - starts - ((text[ends - 1] == _RETURN) & (ends > starts))
        self._check(text, starts.reshape(-1, _LINES_PER_RECORD), lengths.reshape(-1, _LINES_PER_RECORD))
        self._add(lengths[1::_LINES_PER_RECORD])
        return data[int(ends[-1]) + 1 :]

    def finish(self, rest: bytes) -> None:
        """Take the bytes after the last whole record: nothing, white space, or a record without a final line end."""
        if not rest.strip():
            return
        left = self.count(rest + b"\n")
        if left.strip():
            self._check_start(left)
            line = self.reads * _LINES_PER_RECORD + left.count(b"\n")
            message = "The file ends in the middle of a record."
            raise MalformedFileError(message, path=self.path, line=line, remedy="Download it again.")

    def _check(self, text: NDArray[np.uint8], starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> None:
        wrong = (text[starts[:, 0]] != _AT) | (text[starts[:, 2]] != _PLUS) | (lengths[:, 1] != lengths[:, 3])
        if not wrong.any():
            return
        record = int(np.argmax(wrong))
        first_line = (self.reads + record) * _LINES_PER_RECORD + 1
        if text[starts[record, 0]] != _AT:
            raise self._not_a_record(bytes(text[starts[record, 0] : starts[record, 0] + _SHOWN_BYTES]), first_line)
        if text[starts[record, 2]] != _PLUS:
            message = "The third line of a FASTQ record should start with '+'."
            raise self._error(message, first_line + 2)
        bases, qualities = int(lengths[record, 1]), int(lengths[record, 3])
        message = f"The record has {bases} bases but {qualities} qualities."
        raise self._error(message, first_line + 3)

    def _check_start(self, data: bytes) -> None:
        """Judge an unfinished record early, so that a file without line ends is not read into memory whole."""
        first_line = self.reads * _LINES_PER_RECORD + 1
        if data[0] != _AT:
            raise self._not_a_record(data[:_SHOWN_BYTES], first_line)
        if len(data) > _LONGEST_RECORD_BYTES:
            message = f"This is no FASTQ record: it has no end within {_LONGEST_RECORD_BYTES:,} bytes."
            raise self._error(message, first_line)

    def _not_a_record(self, start: bytes, line: int) -> MalformedFileError:
        what = "a web page or XML message" if is_markup(start) else "no FASTQ record"
        shown = start.split(b"\n", 1)[0].decode("utf-8", errors="replace")
        return self._error(f"This is {what}: the line should start with '@' but reads {shown!r}.", line)

    def _error(self, message: str, line: int) -> MalformedFileError:
        return MalformedFileError(message, path=self.path, line=line)

    def _add(self, lengths: NDArray[np.intp]) -> None:
        self.reads += len(lengths)
        self.bases += int(lengths.sum())
        shortest = int(lengths.min())
        self.shortest = shortest if self.shortest is None else min(self.shortest, shortest)
        self.longest = max(self.longest, int(lengths.max()))


def _blocks(path: Path) -> Iterator[bytes]:
    """The decompressed bytes of a file in large blocks."""
    with open_compressed(path) as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
