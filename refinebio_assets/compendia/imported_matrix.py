"""Matrices that people bring along: checked, and brought to the scale of the expression store.

Arrays become log2 values, RNA-seq linear ones, as they are where refinebio makes them itself. Rows are Ensembl genes;
a version behind the id is taken off. What cannot be meant is refused: values of another scale than is said, genes of
another organism, a sample without values.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.accessions import parse_accession
from refinebio_assets.domain.errors import InputError, MalformedFileError, UnsupportedAccessionError
from refinebio_assets.domain.vocabulary import Technology
from refinebio_assets.matrix_reading import GeneTable, read_matrix
from refinebio_assets.microarray.gene_identifiers import IdentifierType, identifier_type, split_stable_version

LEAST_GENES = 0.5
"""Share of the rows that must be Ensembl genes."""
LARGEST_LOG2 = 100.0
"""refine.bio's rule: what is above is not logarithmic."""
LONGEST_SAMPLE = 200
_NOT_IN_NAMES = frozenset("/\\\t\r\n;")
_TEXT = (".tsv", ".txt", ".csv", ".tsv.gz", ".txt.gz", ".csv.gz")


class Scale(StrEnum):
    """The scale of a matrix's values; ``log2`` of RNA-seq means log2(x + 1)."""

    LOG2 = "log2"
    LINEAR = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedValues:
    """A matrix as the expression store takes it.

    Attributes:
        genes: Ensembl ids without version, in the order of the file.
        samples: Names of the matrix's columns.
        values: samples x genes, float32; NaN where a value is missing.
        left_out: Names of rows that are no Ensembl genes.
        without_logarithm: Linear array values of zero or less, which became missing.
    """

    genes: tuple[str, ...]
    samples: tuple[str, ...]
    values: NDArray[np.float32]
    left_out: tuple[str, ...]
    without_logarithm: int

    @property
    def missing(self) -> int:
        """How many values are missing."""
        return int(np.isnan(self.values).sum())


def read_imported_matrix(path: Path, *, technology: Technology, scale: Scale) -> ImportedValues:
    """Read a matrix of genes and samples.

    Args:
        path: As :func:`refinebio_assets.matrix_reading.read_matrix` takes it.
        technology: Decides the scale that values are brought to.
        scale: Theirs.

    Raises:
        InputError: There is no such file; too few rows are Ensembl genes; values are not of that scale, or not finite;
            a sample has no value.
        MalformedFileError: It is no matrix, or a gene is there twice.
    """
    table = read_matrix(path)
    if not table.samples or not table.genes:
        message = "The matrix is empty."
        raise MalformedFileError(message, path=path, line=1, remedy="Genes in rows, samples in columns.")
    rows, genes = _ensembl_rows(path, table.genes)
    values = table.matrix[:, rows]
    _refuse_values(path, table, rows, technology=technology, scale=scale)
    values, without_logarithm = _as_stored(values, technology, scale)
    empty = [name for name, row in zip(table.samples, values, strict=True) if np.isnan(row).all()]
    if empty:
        message = f"{len(empty)} samples have no value of any gene, the first is {empty[0]!r}."
        raise InputError(message, path=path, remedy="Leave these columns out.")
    taken = set(rows)
    return ImportedValues(
        genes=genes,
        samples=table.samples,
        values=values.astype(np.float32),
        left_out=tuple(gene for row, gene in enumerate(table.genes) if row not in taken),
        without_logarithm=without_logarithm,
    )


def read_sample_table(path: Path, samples: Sequence[str]) -> dict[str, dict[str, str]]:
    """Metadata of samples: the first column has the names that the matrix has for them, the others what is said.

    Args:
        path: Tab-separated, or with commas if its extension is ``.csv``; also ``.gz``.
        samples: The columns of the matrix.

    Returns:
        Metadata by sample; empty cells are left out, samples that the table does not name have none.

    Raises:
        InputError: There is no such file, or it names a sample that the matrix does not have.
        MalformedFileError: It is no table, or names a sample or column twice; the line is named.
    """
    rows = _table_rows(path)
    header = [name.strip() for name in rows[0]] if rows else []
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if len(header) < 2 or repeated or not all(header[1:]):
        message = f"The column {repeated[0]!r} is there twice." if repeated else "The first line names no columns."
        raise MalformedFileError(message, path=path, line=1, remedy="Start with: sample, then a name for each column.")
    known, found = set(samples), dict[str, dict[str, str]]()
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        name = row[0].strip()
        if len(row) != len(header) or name in found:
            message = f"{name!r} is there twice." if name in found else f"{len(row)} fields, not {len(header)}."
            raise MalformedFileError(message, path=path, line=line, remedy="Give one line for each sample.")
        if name not in known:
            message = f"The matrix has no sample {name!r}."
            raise InputError(message, path=path, line=line, remedy=f"It has {', '.join(list(samples)[:5])} …")
        found[name] = {key: cell.strip() for key, cell in zip(header[1:], row[1:], strict=True) if cell.strip()}
    return found


def sample_accessions(path: Path, samples: Sequence[str], prefix: str) -> dict[str, str]:
    """Name in the matrix -> accession: the name behind a prefix.

    Raises:
        InputError: One would be an accession of a public archive, or cannot be one at all.
    """
    found = {name: f"{prefix}{name}" for name in samples}
    for accession in found.values():
        unfit = _NOT_IN_NAMES & set(accession) or not accession.isprintable() or accession != accession.strip()
        if unfit or len(accession) > LONGEST_SAMPLE:
            message = f"{accession[:LONGEST_SAMPLE]!r} cannot be the name of a sample."
            remedy = f"Use printable characters but / \\ ; and {LONGEST_SAMPLE} of them at most."
            raise InputError(message, path=path, line=1, remedy=remedy)
        if _is_public(accession):
            message = f"{accession} is an accession of a public archive, which may be surveyed some day."
            raise InputError(message, path=path, line=1, remedy="Choose another --sample-prefix, or leave it out.")
    return found


def _is_public(accession: str) -> bool:
    try:
        parse_accession(accession)
    except UnsupportedAccessionError:
        return False
    return True


def _ensembl_rows(path: Path, names: Sequence[str]) -> tuple[list[int], tuple[str, ...]]:
    """Rows of Ensembl genes, and their ids without version."""
    rows = [row for row, name in enumerate(names) if identifier_type(name) is IdentifierType.ENSEMBL_GENE]
    if len(rows) < LEAST_GENES * len(names):
        other = next(name for row, name in enumerate(names) if row not in set(rows))
        message = f"{len(rows)} of {len(names)} rows are Ensembl genes; {other!r} is none."
        remedy = "Convert them first: refinebio compute convert-genes"
        raise InputError(message, path=path, line=_line_of(path, other), remedy=remedy)
    genes = tuple(split_stable_version(names[row])[0] for row in rows)
    first: dict[str, str] = {}
    for row, gene in zip(rows, genes, strict=True):
        if gene in first:
            message = f"{first[gene]!r} and {names[row]!r} are the same gene."
            raise MalformedFileError(message, path=path, line=_line_of(path, names[row]), remedy="Give each gene once.")
        first[gene] = names[row]
    return rows, genes


def _refuse_values(path: Path, table: GeneTable, rows: Sequence[int], *, technology: Technology, scale: Scale) -> None:
    """Refuse values that are not finite, or that the scale does not have.

    Raises:
        InputError: The first such value, with its gene and sample.
    """
    values = table.matrix[:, rows]
    log2 = scale is Scale.LOG2
    counted = technology is Technology.RNA_SEQ
    checks = [
        (np.isinf(values), "is not finite", "Write NA where a value is missing."),
        (values > LARGEST_LOG2 if log2 else None, "is too large for a log2 value", "Use --scale linear."),
        (values < 0 if counted else None, "is negative", "Linear RNA-seq values and log2(x + 1) are not."),
    ]
    for wrong, what, remedy in checks:
        if wrong is not None and wrong.any():
            sample, column = map(int, np.argwhere(wrong)[0])
            gene = table.genes[rows[column]]
            message = f"{values[sample, column]:g} ({gene} in {table.samples[sample]}) {what}."
            raise InputError(message, path=path, line=_line_of(path, gene), remedy=remedy)


def _as_stored(values: NDArray[np.float64], technology: Technology, scale: Scale) -> tuple[NDArray[np.float64], int]:
    """Values on the scale of the store, and how many have no logarithm."""
    if technology is Technology.RNA_SEQ:
        return (np.exp2(values) - 1 if scale is Scale.LOG2 else values), 0
    if scale is Scale.LOG2:
        return values, 0
    below = values <= 0
    return np.log2(np.where(below, np.nan, values)), int(below.sum())


def _line_of(path: Path, gene: str) -> int | None:
    """The line of a text matrix that a gene's values are in."""
    if not path.name.lower().endswith(_TEXT):
        return None
    start = f"{gene}\t"
    lines = _content(path).splitlines()
    return next((number for number, line in enumerate(lines, start=1) if line.startswith(start)), None)


def _content(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except FileNotFoundError as error:
        message = "There is no such file."
        raise InputError(message, path=path) from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        message = f"The file cannot be read as text: {error}"
        raise MalformedFileError(message, path=path, remedy="Give a tab-separated text file.") from error


def _table_rows(path: Path) -> list[list[str]]:
    name = path.name.lower().removesuffix(".gz")
    delimiter = "," if name.endswith(".csv") else "\t"
    reader = csv.reader(io.StringIO(_content(path), newline=""), delimiter=delimiter, strict=True)
    try:
        return list(reader)
    except csv.Error as error:
        message = f"The table cannot be read: {error}."
        raise MalformedFileError(message, path=path, line=reader.line_num, remedy="Check the quotes.") from error
