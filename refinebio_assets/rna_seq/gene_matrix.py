"""One matrix of tximport in blocks of genes, with memory that does not grow with the number of samples.

Samples come one after the other, a text file has one line per gene. So each sample's row goes to an unnamed temporary
file, and blocks of genes are read back across all samples: genes x samples x 8 bytes on disk, a few MB in memory.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError
from refinebio_assets.rna_seq.gene_map import GeneMap
from refinebio_assets.rna_seq.gene_sums import FloatVector, GeneSummarizer, MeanLengths
from refinebio_assets.rna_seq.quant_sf import QuantSource
from refinebio_assets.rna_seq.tximport import CountsFromAbundance, Quantity, library_size_factors

CELLS_PER_BLOCK = 1 << 18  # 2 MB of float64


@dataclass(frozen=True)
class _Spool:
    """Rows of equally many float64, written one after the other, read by columns."""

    file: IO[bytes]
    width: int

    def append(self, row: FloatVector) -> None:
        self.file.write(np.ascontiguousarray(row).data)

    def row(self, index: int) -> FloatVector:
        return self._read(index, 0, self.width)

    def columns(self, start: int, stop: int, rows: int) -> NDArray[np.float64]:
        """Transposed: (stop - start) x rows."""
        block = np.empty((rows, stop - start))
        for index in range(rows):
            block[index] = self._read(index, start, stop)
        return np.ascontiguousarray(block.T)

    def _read(self, row: int, start: int, stop: int) -> FloatVector:
        data = os.pread(self.file.fileno(), (stop - start) * 8, (row * self.width + start) * 8)
        return np.frombuffer(data)


@dataclass(frozen=True)
class GeneMatrix:
    """A genes x samples matrix that is read in blocks.

    Attributes:
        genes: Gene ids, sorted.
        samples: Sample names, in the order of the quant files.
        transcripts: Transcripts listed in every quant file.
        dropped_transcripts: Those of them that the gene map does not know.
    """

    genes: list[str]
    samples: list[str]
    transcripts: int
    dropped_transcripts: int
    _spool: _Spool
    _gene_factors: FloatVector
    _sample_factors: FloatVector
    _fill: FloatVector

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """The matrix from top to bottom, some genes x all samples at a time, C-contiguous float64."""
        height = max(1, CELLS_PER_BLOCK // len(self.samples))
        for start in range(0, len(self.genes), height):
            stop = min(start + height, len(self.genes))
            block = self._spool.columns(start, stop, len(self.samples))
            np.copyto(block, self._fill[start:stop, np.newaxis], where=np.isnan(block))
            block *= self._gene_factors[start:stop, np.newaxis]
            block *= self._sample_factors
            yield block


@contextmanager
def tximport_matrix(
    quant_files: Sequence[QuantSource],
    gene_map: GeneMap,
    *,
    scratch: Path,
    mode: CountsFromAbundance = CountsFromAbundance.LENGTH_SCALED_TPM,
    quantity: Quantity = Quantity.COUNTS,
    ignore_tx_version: bool = False,
    on_sample: Callable[[str], None] | None = None,
) -> Iterator[GeneMatrix]:
    """The matrix that ``tximport(...).matrix(mode, quantity)`` would give; usable inside the ``with`` block.

    Args:
        quant_files: One quant.sf per sample.
        gene_map: The gene of each transcript.
        scratch: A folder with room for genes x samples x 8 bytes.
        mode: How counts are made.
        quantity: Counts, abundance or length.
        ignore_tx_version: Leave out what follows the first dot of a transcript id before it is looked up.
        on_sample: Called with a sample's name when its file is done.

    Raises:
        InputError: See :func:`refinebio_assets.rna_seq.tximport.tximport`.
    """
    if not quant_files:
        message = "There is no quant file to import."
        raise InputError(message, remedy="Give at least one.")
    summarizer = GeneSummarizer(quant_files[0].path, gene_map, ignore_tx_version=ignore_tx_version)
    lengths = MeanLengths(summarizer.transcripts_per_gene)
    reads = np.zeros(len(quant_files))
    kept = quantity if mode is CountsFromAbundance.NO or quantity is not Quantity.COUNTS else Quantity.ABUNDANCE
    with tempfile.TemporaryFile(dir=scratch, prefix=".tximport-", buffering=0) as file:
        spool = _Spool(file, len(summarizer.genes))
        for index, source in enumerate(quant_files):
            sums = summarizer.summarize(source.path)
            spool.append(getattr(sums, kept))
            lengths.add(sums)
            reads[index] = sums.counts.sum()
            if on_sample:
                on_sample(source.sample)
        samples = [source.sample for source in quant_files]
        gene_factors, sample_factors = np.ones(spool.width), np.ones(len(samples))
        if kept is not quantity:
            if mode is CountsFromAbundance.LENGTH_SCALED_TPM:
                gene_factors = lengths.mean()
            totals = np.array([(spool.row(index) * gene_factors).sum() for index in range(len(samples))])
            sample_factors = library_size_factors(reads, totals, samples)
        yield GeneMatrix(
            summarizer.genes,
            samples,
            summarizer.transcripts,
            summarizer.dropped_transcripts,
            spool,
            gene_factors,
            sample_factors,
            lengths.fill(),
        )
