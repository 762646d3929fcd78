"""Transcript estimates summed per gene, as Bioconductor's tximport does it, in one pass over the quant files.

Method: C. Soneson, M. I. Love, M. D. Robinson, Differential analyses for RNA-seq: transcript-level estimates improve
gene-level inferences, F1000Research 4:1521 (2015), and ``summarizeToGene`` of tximport 1.26.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError
from refinebio_assets.rna_seq.gene_map import GeneMap
from refinebio_assets.rna_seq.gene_sums import GeneSummarizer, MeanLengths
from refinebio_assets.rna_seq.quant_sf import QuantSource

if TYPE_CHECKING:
    import anndata

FloatMatrix = NDArray[np.float64]

# refine.bio imports an incomplete experiment only with at least so many samples, so many of them quantified (its
# EARLY_TXIMPORT_MIN_SIZE and EARLY_TXIMPORT_MIN_PERCENT).
EARLY_MIN_SAMPLES = 25
EARLY_MIN_SHARE = 0.8


class CountsFromAbundance(StrEnum):
    """How gene counts are made, in tximport's words."""

    NO = "no"  # sums of the estimated reads
    SCALED_TPM = "scaledTPM"  # TPM, each sample scaled to its number of reads
    LENGTH_SCALED_TPM = "lengthScaledTPM"  # the same, with TPM x mean gene length


class Quantity(StrEnum):
    """A matrix of tximport."""

    COUNTS = "counts"
    ABUNDANCE = "abundance"
    LENGTH = "length"


@dataclass(frozen=True)
class GeneExpression:
    """The genes of an experiment: float64 matrices, genes x samples.

    Attributes:
        genes: Gene ids, sorted.
        samples: Sample names, in the order of the quant files.
        counts: Estimated reads.
        abundance: Transcripts per million.
        length: Mean effective transcript length in bases, weighted by abundance; never NaN.
        transcripts: Transcripts listed in every quant file.
        dropped_transcripts: Those of them that the gene map does not know.
    """

    genes: list[str]
    samples: list[str]
    counts: FloatMatrix
    abundance: FloatMatrix
    length: FloatMatrix
    transcripts: int
    dropped_transcripts: int

    def scaled_tpm(self) -> FloatMatrix:
        """``countsFromAbundance="scaledTPM"``: TPM with the column sums of the counts.

        Raises:
            InputError: A sample has reads but no TPM.
        """
        return self._to_library_sizes(self.abundance.copy(order="K"))

    def length_scaled_tpm(self) -> FloatMatrix:
        """``countsFromAbundance="lengthScaledTPM"``: TPM x mean gene length, with the column sums of the counts.

        Raises:
            InputError: A sample has reads but no TPM.
        """
        return self._to_library_sizes(self.abundance * self.length.mean(axis=1)[:, np.newaxis])

    def matrix(self, mode: CountsFromAbundance, quantity: Quantity = Quantity.COUNTS) -> FloatMatrix:
        """The matrix that ``tximport(countsFromAbundance=mode)`` has under the name ``quantity``."""
        if quantity is Quantity.ABUNDANCE:
            return self.abundance
        if quantity is Quantity.LENGTH:
            return self.length
        if mode is CountsFromAbundance.NO:
            return self.counts
        return self.scaled_tpm() if mode is CountsFromAbundance.SCALED_TPM else self.length_scaled_tpm()

    def to_anndata(
        self,
        mode: CountsFromAbundance = CountsFromAbundance.LENGTH_SCALED_TPM,
        quantity: Quantity = Quantity.COUNTS,
    ) -> anndata.AnnData:
        """Samples x genes, float32, with the layers counts, abundance, length, lengthScaledTPM and scaledTPM.

        Args:
            mode: Which counts are ``X``; kept as ``uns["counts_from_abundance"]``.
            quantity: Which matrix is ``X``; kept as ``uns["quantity"]``.
        """
        import anndata
        import pandas as pd

        layers = {
            "counts": self.counts,
            "abundance": self.abundance,
            "length": self.length,
            "lengthScaledTPM": self.length_scaled_tpm(),
            "scaledTPM": self.scaled_tpm(),
        }
        return anndata.AnnData(
            X=_samples_in_rows(self.matrix(mode, quantity)),
            obs=pd.DataFrame(index=pd.Index(self.samples, name="sample")),
            var=pd.DataFrame(index=pd.Index(self.genes, name="gene")),
            layers={name: _samples_in_rows(matrix) for name, matrix in layers.items()},
            uns={"counts_from_abundance": str(mode), "quantity": str(quantity)},
        )

    def _to_library_sizes(self, values: FloatMatrix) -> FloatMatrix:
        """Scale ``values`` in place."""
        values *= library_size_factors(self.counts.sum(axis=0), values.sum(axis=0), self.samples)
        return values


def _samples_in_rows(matrix: FloatMatrix) -> NDArray[np.float32]:
    return np.ascontiguousarray(matrix.T, dtype=np.float32)


def library_size_factors(
    reads: NDArray[np.float64], values: NDArray[np.float64], samples: Sequence[str]
) -> NDArray[np.float64]:
    """By what each sample's values are multiplied so that they add up to its reads.

    A sample without a single read gets 0 (and so zeros), where tximport 1.26 divides zero by zero.

    Raises:
        InputError: A sample has reads but all its values are zero.
    """
    contradictory = np.flatnonzero((values == 0) & (reads > 0))
    if contradictory.size:
        message = f"Sample {samples[contradictory[0]]} has reads but TPM is 0 for all its transcripts."
        raise InputError(message, remedy="Quantify the sample again; the counts (mode no) can be had all the same.")
    return np.divide(reads, values, out=np.zeros_like(reads), where=values > 0)


def tximport(
    quant_files: Sequence[QuantSource],
    gene_map: GeneMap,
    *,
    ignore_tx_version: bool = False,
    on_sample: Callable[[str], None] | None = None,
) -> GeneExpression:
    """Sum the transcripts of every sample per gene.

    Transcripts that the map does not know are left out. The length of a gene in a sample where it has no TPM is the
    geometric mean of its lengths in the other samples; if it has none anywhere, the mean over its transcripts.

    Args:
        quant_files: One quant.sf per sample, all of the same transcripts (their order may differ).
        gene_map: The gene of each transcript.
        ignore_tx_version: Leave out what follows the first dot of a transcript id before it is looked up.
        on_sample: Called with a sample's name when its file is done.

    Raises:
        InputError: A file is missing, or no transcript is in the map.
        MalformedFileError: A file is no quant.sf or lists other transcripts than the first; names file and line.
    """
    if not quant_files:
        message = "There is no quant file to import."
        raise InputError(message, remedy="Give at least one.")
    summarizer = GeneSummarizer(quant_files[0].path, gene_map, ignore_tx_version=ignore_tx_version)
    lengths = MeanLengths(summarizer.transcripts_per_gene)
    abundance, counts, length = (np.empty((len(quant_files), len(summarizer.genes))) for _ in range(3))
    for index, source in enumerate(quant_files):
        sums = summarizer.summarize(source.path)
        abundance[index], counts[index], length[index] = sums.abundance, sums.counts, sums.length
        lengths.add(sums)
        if on_sample:
            on_sample(source.sample)
    fill = lengths.fill()
    for row in length:
        np.copyto(row, fill, where=np.isnan(row))
    return GeneExpression(
        summarizer.genes,
        [source.sample for source in quant_files],
        counts.T,
        abundance.T,
        length.T,
        transcripts=summarizer.transcripts,
        dropped_transcripts=summarizer.dropped_transcripts,
    )


@dataclass(frozen=True)
class TximportDecision:
    """Whether an experiment is imported now, and why (not)."""

    run: bool
    reason: str


def tximport_decision(
    quantified: int,
    eligible: int,
    *,
    early: bool,
    min_samples: int = EARLY_MIN_SAMPLES,
    min_share: float = EARLY_MIN_SHARE,
) -> TximportDecision:
    """refine.bio's rule: all samples quantified, or, when asked for an early import, enough of a large experiment.

    Args:
        quantified: Samples with a quant file made with the current index.
        eligible: Samples that can have one.
        early: Import an incomplete experiment if it is large enough.
        min_samples: The least number of eligible samples for that.
        min_share: The least share of quantified samples for that.
    """
    if not 0 <= quantified <= eligible:
        message = f"{quantified} quantified of {eligible} eligible samples makes no sense"
        raise ValueError(message)
    state = f"{quantified} of {eligible} eligible samples are quantified"
    if quantified == 0:
        return TximportDecision(run=False, reason=f"Nothing to import: {state}.")
    if quantified == eligible:
        return TximportDecision(run=True, reason=f"Complete: {state}.")
    if not early:
        return TximportDecision(
            run=False, reason=f"Waiting: {state}; all are needed unless an early import is asked for."
        )
    if eligible < min_samples:
        return TximportDecision(
            run=False, reason=f"Waiting: {state}; an early import needs {min_samples} eligible samples."
        )
    if quantified / eligible < min_share:
        return TximportDecision(run=False, reason=f"Waiting: {state}; an early import needs {min_share:.0%} of them.")
    return TximportDecision(
        run=True, reason=f"Early import: {state}, at least {min_share:.0%} of {min_samples} or more."
    )
