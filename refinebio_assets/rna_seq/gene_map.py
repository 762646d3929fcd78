"""Which gene each transcript belongs to: tximport's tx2gene table, refine.bio's ``genes_to_transcripts.txt``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.rna_seq.whole_file import BROKEN_FILE_REMEDY, read_bytes

# Column names met in the wild, lower case, letters only (BioMart, GenomicFeatures, tximeta, nf-core, refine.bio).
TRANSCRIPT_COLUMNS = frozenset(
    ("transcript", "transcriptid", "transcriptname", "transcriptstableid", "tx", "txid", "txname", "target", "targetid")
)
GENE_COLUMNS = frozenset(("gene", "geneid", "genename", "genestableid", "ensemblgeneid", "ensgene"))
EXAMPLES_SHOWN = 3


@dataclass(frozen=True)
class Assignment:
    """The genes of a list of transcripts.

    Attributes:
        genes: Ids of the genes that have one of the transcripts, sorted by code point (R's order in the C locale).
        gene_of_row: For each transcript its place in ``genes``; ``len(genes)`` if the map does not know it. int32.
        dropped: How many transcripts the map does not know.
    """

    genes: list[str]
    gene_of_row: NDArray[np.int32]
    dropped: int


@dataclass(frozen=True)
class GeneMap:
    """A table of two columns, genes and transcripts.

    Attributes:
        columns: The two columns, equally long.
        transcript_column: Which of them (0 or 1) has the transcripts; None if the quantified transcripts have to tell.
        path: The file it was read from, for messages.
        first_line: Line of the first row in that file.
    """

    columns: tuple[Sequence[str], Sequence[str]] = field(repr=False)
    transcript_column: int | None = None
    path: Path | None = None
    first_line: int = 1

    @classmethod
    def from_dict(cls, gene_of: Mapping[str, str]) -> GeneMap:
        """The map that gives each transcript (key) its gene (value)."""
        return cls((list(gene_of.values()), list(gene_of)), transcript_column=1)

    @classmethod
    def read(cls, path: Path) -> GeneMap:
        """Read a tab-separated table, plain or compressed with gzip, bzip2 or xz.

        A header such as ``transcript_id gene_id`` or ``TXNAME GENEID`` says which column is which. Without one the
        first two columns are genes and transcripts in either order: that with the quantified transcripts is taken.
        Columns behind those are not read.

        Raises:
            InputError: There is no such file.
            MalformedFileError: The table is empty, or a line does not have two non-empty fields.
        """
        lines = _lines(path)
        header = lines[0].split("\t")
        transcripts, genes = (_place(header, names) for names in (TRANSCRIPT_COLUMNS, GENE_COLUMNS))
        has_header = transcripts is not None and genes is not None
        left, right = (genes, transcripts) if transcripts is not None and genes is not None else (0, 1)
        first_line = 2 if has_header else 1
        body = lines[1:] if has_header else lines
        try:
            columns = _column(body, left), _column(body, right)
        except IndexError:
            columns = [], []
        if not columns[0] or not all(columns[0]) or not all(columns[1]):
            raise _not_two_ids(body, (left, right), path, first_line)
        return cls(columns, transcript_column=1 if has_header else None, path=path, first_line=first_line)

    def assign(
        self, transcripts: Sequence[str], *, ignore_version: bool = False, quant_file: Path | None = None
    ) -> Assignment:
        """Give each transcript its gene.

        Args:
            transcripts: Ids as the quant files have them.
            ignore_version: Leave out what follows the first dot of those ids, as tximport's ``ignoreTxVersion``.
            quant_file: Where the transcripts come from, for messages.

        Raises:
            InputError: The map has none of the transcripts, gives one two genes, or both columns fit equally well.
        """
        ids = [name.partition(".")[0] for name in transcripts] if ignore_version else transcripts
        gene_of = self._gene_of(self._column_of(ids, quant_file))
        gene_ids = list(map(gene_of.get, ids))
        genes = sorted(gene for gene in dict.fromkeys(gene_ids) if gene is not None)  # a dict's order is faster to sort
        place: dict[str | None, int] = {gene: index for index, gene in enumerate(genes)}
        place[None] = len(genes)
        gene_of_row = np.fromiter(map(place.__getitem__, gene_ids), dtype=np.int32, count=len(gene_ids))
        return Assignment(genes, gene_of_row, dropped=gene_ids.count(None))

    def _column_of(self, transcripts: Sequence[str], quant_file: Path | None) -> int:
        """Which column has the transcripts."""
        wanted = set(transcripts)
        candidates = (0, 1) if self.transcript_column is None else (self.transcript_column,)
        fitting = [column for column in candidates if not wanted.isdisjoint(self.columns[column])]
        if not fitting:
            raise self._unknown(transcripts, quant_file)
        if len(fitting) == 1:
            return fitting[0]
        known = [len(wanted.intersection(column)) for column in self.columns]
        if known[0] == known[1] and self.columns[0] != self.columns[1]:
            message = f"Both columns have {known[0]} of the quantified transcripts: which one is the transcripts'?"
            remedy = "Put a header line on top: transcript_id and gene_id, separated by a tab."
            raise InputError(message, path=self.path, line=self.first_line, remedy=remedy)
        return 0 if known[0] > known[1] else 1

    def _gene_of(self, transcript_column: int) -> dict[str, str]:
        transcripts, genes = self.columns[transcript_column], self.columns[1 - transcript_column]
        gene_of = dict(zip(transcripts, genes, strict=True))
        if len(gene_of) < len(transcripts):
            self._check_repeated(transcripts, genes)
        return gene_of

    def _check_repeated(self, transcripts: Sequence[str], genes: Sequence[str]) -> None:
        """A line that says again what another one said is harmless; two genes for one transcript are not."""
        first: dict[str, int] = {}
        for row, (transcript, gene) in enumerate(zip(transcripts, genes, strict=True)):
            other = first.setdefault(transcript, row)
            if genes[other] != gene:
                message = (
                    f"Transcript {transcript} belongs to {gene} here and to {genes[other]} in line "
                    f"{self.first_line + other}."
                )
                remedy = "Remove one of the lines."
                raise MalformedFileError(message, path=self.path, line=self.first_line + row, remedy=remedy)

    def _unknown(self, transcripts: Sequence[str], quant_file: Path | None) -> InputError:
        columns = [self.columns[1]] if self.transcript_column == 1 else self.columns
        in_map = " or ".join(_examples(column) for column in columns)
        of = f" of {quant_file} (line 2: {transcripts[0]})" if quant_file else ""
        message = (
            f"None of the {len(transcripts)} transcripts{of} is in the map: {_examples(transcripts)} against {in_map}."
        )
        remedy = (
            "Give the map of the annotation that the index was built from; --ignore-tx-version if only versions differ."
        )
        return InputError(message, path=self.path, line=self.first_line, remedy=remedy)


def _lines(path: Path) -> list[str]:
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = "This is not text (UTF-8)."
        raise MalformedFileError(message, path=path, line=line, remedy=BROKEN_FILE_REMEDY) from error
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if lines == [""]:
        message = "The map is empty."
        raise MalformedFileError(message, path=path, line=1, remedy=BROKEN_FILE_REMEDY)
    return lines


def _column(lines: Sequence[str], index: int) -> list[str]:
    return [line.split("\t", index + 1)[index] for line in lines]


def _place(header: Sequence[str], names: frozenset[str]) -> int | None:
    """The first of the columns that is called one of ``names``."""
    plain = ("".join(filter(str.isalpha, name)).lower() for name in header)
    return next((index for index, name in enumerate(plain) if name in names), None)


def _not_two_ids(lines: Sequence[str], wanted: tuple[int, int], path: Path, first_line: int) -> MalformedFileError:
    """The error for the first line without two non-empty fields."""
    fields = (line.split("\t") for line in lines)
    wrong = (row for row, found in enumerate(fields) if any(found[i : i + 1] in ([], [""]) for i in wanted))
    row = next(wrong, 0)
    shown = lines[row][:60] if lines else ""
    message = f"Expected a gene and a transcript, separated by a tab; found {shown!r}."
    return MalformedFileError(message, path=path, line=first_line + row, remedy="See docs/tximport.md for the format.")


def _examples(ids: Sequence[str]) -> str:
    return ", ".join(ids[:EXAMPLES_SHOWN]) + (", …" if len(ids) > EXAMPLES_SHOWN else "")
