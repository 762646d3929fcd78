"""Per-gene sums of one quant file at a time, and the per-gene mean lengths of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.rna_seq._quant_sf import sum_by_gene
from refinebio_assets.rna_seq.gene_map import GeneMap
from refinebio_assets.rna_seq.quant_sf import QuantSf, parse_quant_sf, read_quant_sf
from refinebio_assets.rna_seq.whole_file import read_bytes

FloatVector = NDArray[np.float64]


@dataclass(frozen=True)
class SampleSums:
    """One sample, a float64 per gene.

    Attributes:
        abundance: Sum of TPM.
        counts: Sum of NumReads.
        length: Effective length in bases, weighted by TPM; NaN where TPM is 0.
        transcript_lengths: Sum of the effective lengths of the gene's transcripts.
    """

    abundance: FloatVector
    counts: FloatVector
    length: FloatVector
    transcript_lengths: FloatVector


class GeneSummarizer:
    """Sums the numbers of quant files per gene; all files must list the transcripts of the first.

    Args:
        first: The first file, which fixes transcripts and genes.
        gene_map: The gene of each transcript.
        ignore_tx_version: Leave out what follows the first dot of a transcript id before it is looked up.

    Raises:
        InputError: The file is missing, or the map has none of its transcripts.
        MalformedFileError: It is no quant.sf.
    """

    def __init__(self, first: Path, gene_map: GeneMap, *, ignore_tx_version: bool = False) -> None:
        self._first_path = first
        self._first = read_quant_sf(first)
        assignment = gene_map.assign(self._first.names, ignore_version=ignore_tx_version, quant_file=first)
        self._gene_of_row = assignment.gene_of_row
        self.genes = assignment.genes
        self.transcripts = len(self._first.names)
        self.dropped_transcripts = assignment.dropped
        self.transcripts_per_gene = np.bincount(self._gene_of_row, minlength=len(self.genes) + 1)[:-1]
        self._sums = np.empty((len(self.genes) + 1, 4))  # the last place collects the dropped transcripts

    def summarize(self, path: Path) -> SampleSums:
        """Read one file and sum it up.

        Raises:
            InputError: The file is missing.
            MalformedFileError: It is no quant.sf, or lists other transcripts than the first file; names the line.
        """
        is_first = path == self._first_path
        sums = self._sum_columns(self._first, self._gene_of_row) if is_first else self._sum_file(path)
        abundance, counts, weighted_length, transcript_lengths = np.ascontiguousarray(sums[:-1].T)
        with np.errstate(invalid="ignore", divide="ignore"):
            length = weighted_length / abundance
        return SampleSums(abundance, counts, length, transcript_lengths)

    def _sum_file(self, path: Path) -> NDArray[np.float64]:
        data = read_bytes(path)
        first = self._first
        if sum_by_gene(data, first.prefixes, first.prefix_ends, self._gene_of_row, self._sums):
            return self._sums
        quant = parse_quant_sf(
            data, path
        )  # raises if the file is malformed; else the order differs, or the transcripts
        return self._sum_columns(quant, self._gene_of_row[self._rows_in_first(quant, path)])

    def _sum_columns(self, quant: QuantSf, gene_of_row: NDArray[np.int32]) -> NDArray[np.float64]:
        columns = (quant.tpm, quant.num_reads, quant.tpm * quant.effective_length, quant.effective_length)
        places = len(self.genes) + 1
        return np.stack([np.bincount(gene_of_row, weights=column, minlength=places) for column in columns], axis=1)

    def _rows_in_first(self, quant: QuantSf, path: Path) -> NDArray[np.intp]:
        """For each row of a file where the first file has that transcript."""
        row_of = {name: row for row, name in enumerate(self._first.names)}
        rows = [row_of.get(name) for name in quant.names]
        if None in rows:
            unknown = rows.index(None)
            message = f"Transcript {quant.names[unknown]} is not listed in {self._first_path}."
            raise self._other_transcripts(message, path, unknown)
        if len(rows) < len(row_of):
            pairs = zip(self._first.names, quant.names, strict=False)
            differs = next((row for row, (ours, theirs) in enumerate(pairs) if ours != theirs), len(rows))
            missing = next(name for name in self._first.names if name not in set(quant.names))
            message = f"{len(row_of) - len(rows)} transcripts of {self._first_path} are missing, {missing} first."
            raise self._other_transcripts(message, path, differs)
        return np.array(rows, dtype=np.intp)

    @staticmethod
    def _other_transcripts(message: str, path: Path, row: int) -> MalformedFileError:
        remedy = "Quantify all samples with the same index; a file that ends too early may be truncated."
        return MalformedFileError(message, path=path, line=row + 2, remedy=remedy)


class MeanLengths:
    """Per-gene means of the effective lengths over all samples added so far.

    Args:
        transcripts_per_gene: Number of transcripts of each gene.
    """

    def __init__(self, transcripts_per_gene: NDArray[np.intp]) -> None:
        genes = len(transcripts_per_gene)
        self._transcripts_per_gene = transcripts_per_gene
        self._samples = 0
        self._defined = np.zeros(genes)
        self._sum = np.zeros(genes)
        self._sum_of_logs = np.zeros(genes)
        self._transcript_lengths = np.zeros(genes)

    def add(self, sums: SampleSums) -> None:
        """Take in one sample."""
        undefined = sums.abundance == 0
        self._samples += 1
        self._defined += ~undefined
        self._sum += np.where(undefined, 0, sums.length)
        with np.errstate(divide="ignore"):  # a length of 0 makes the geometric mean 0
            self._sum_of_logs += np.log(np.where(undefined, 1, sums.length))
        self._transcript_lengths += sums.transcript_lengths

    def fill(self) -> FloatVector:
        """What stands in where a gene has no TPM: geometric mean of the other samples, or mean over its transcripts."""
        mean_over_transcripts = self._transcript_lengths / (self._samples * self._transcripts_per_gene)
        with np.errstate(invalid="ignore", divide="ignore"):
            geometric_mean = np.exp(self._sum_of_logs / self._defined)
        return np.where(self._defined > 0, geometric_mean, mean_over_transcripts)

    def mean(self) -> FloatVector:
        """Arithmetic mean over the samples, with the lengths filled in."""
        return (self._sum + (self._samples - self._defined) * self.fill()) / self._samples
