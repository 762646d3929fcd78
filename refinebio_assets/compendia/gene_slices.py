"""Gene slices: which genes a person means, where they lie in a part, and their values, without reading the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.expression_store import Floats, Opener, explaining, read_rows
from refinebio_assets.domain.errors import MalformedFileError, NotFoundError, ObjectStoreError

THREADS = 16
"""Parts that are read at the same time: what takes time is the way to the object store, not the bytes."""

LINEAR, LOG2 = "linear", "log2"
"""Scales of parts: lengthScaledTPM of RNA-seq, normalised arrays."""

_VERSION = re.compile(r"\.\d+$")


class GeneSpace(NamedTuple):
    """The genes of some parts of an organism (UPPER_SNAKE); ``digest`` is their sha256."""

    organism: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGene:
    """What a gene id of a request names.

    Attributes:
        query: The id as it was asked.
        gene: The id in the store; None if no gene space has it.
        organisms: UPPER_SNAKE names of the organisms that have it.
    """

    query: str
    gene: str | None
    organisms: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartToRead:
    """What is wanted of a part.

    Attributes:
        experiment: Accession of its experiment.
        sha256: Of its file.
        open: Opens the file.
        shape: Its genes and samples.
        rows: Its row of each gene of the slice, None where it does not have the gene.
        places: Its columns that are wanted.
    """

    experiment: str
    sha256: str
    open: Opener
    shape: tuple[int, int]
    rows: tuple[int | None, ...]
    places: tuple[int, ...]

    def read(self) -> Floats:
        """The values: ``len(places)`` x genes of the slice, float32, NaN where the part does not have the gene.

        Raises:
            MalformedFileError: The file is missing, or not what it should be.
            ObjectStoreError: The object store failed while it was read.
        """
        values = np.full((len(self.places), len(self.rows)), np.nan, np.float32)
        there = [column for column, row in enumerate(self.rows) if row is not None]
        if not there:
            return values
        try:
            with explaining(self.experiment, self.sha256), self.open() as file:
                read = read_rows(file, self.shape, [row for row in self.rows if row is not None])
        except NotFoundError as error:
            message = f"The expression of {self.experiment} is no longer in the object store."
            remedy = f"Materialise it again: refinebio ingest {self.experiment}"
            raise MalformedFileError(message, path=f"{self.sha256}.npy", remedy=remedy) from error
        except OSError as error:
            message = f"The expression of {self.experiment} could not be read: {error}."
            raise ObjectStoreError(message, remedy="Try again later.") from error
        values[:, there] = read[:, list(self.places)].T
        return values


def spellings(query: str) -> list[str]:
    """How the store may write a gene id: as given, in capitals, and both without a version (``ENSG00000141510.17``).

    The id as given comes first: the dot of some ids (``SPAC1002.03``) is part of their name.
    """
    written = query.strip()
    bare = _VERSION.sub("", written)
    return list(dict.fromkeys(spelling for spelling in (written, written.upper(), bare, bare.upper()) if spelling))


def find_genes(
    queries: Iterable[str], spaces: Collection[GeneSpace], rows_of: Callable[[GeneSpace, str], int | None]
) -> list[FoundGene]:
    """What gene ids name, in their order; of several ids that name one gene the first is kept.

    Args:
        queries: Ensembl ids, with or without version.
        spaces: Where to look.
        rows_of: The row of a gene in a gene space, None if it is not there.
    """
    found: dict[str, FoundGene] = {}
    for query in queries:
        one = _find(query, spaces, rows_of)
        found.setdefault(one.gene or query.strip(), one)
    return list(found.values())


def _find(query: str, spaces: Collection[GeneSpace], rows_of: Callable[[GeneSpace, str], int | None]) -> FoundGene:
    for spelling in spellings(query):
        organisms = frozenset(space.organism for space in spaces if rows_of(space, spelling) is not None)
        if organisms:
            return FoundGene(query=query, gene=spelling, organisms=organisms)
    return FoundGene(query=query, gene=None)


def row_of(names: bytes, gene: str) -> int | None:
    """The line of a gene in the file of a gene space, counted from 0; None if it is not there."""
    line = gene.encode()
    if not line or b"\n" in line:
        return None
    if names.startswith(line + b"\n"):
        return 0
    at = names.find(b"\n" + line + b"\n")
    return None if at < 0 else names.count(b"\n", 0, at) + 1


def read_parts(
    parts: Sequence[PartToRead], *, threads: int = THREADS, before_each: Callable[[], None] = lambda: None
) -> list[Floats]:
    """The values of parts, several read at the same time, in the order of ``parts``.

    Args:
        parts: What to read.
        threads: How many at the same time.
        before_each: Called before a part is read, by the thread that reads it; what it raises ends the reading.
    """

    def read(part: PartToRead) -> Floats:
        before_each()
        return part.read()

    if min(threads, len(parts)) < 2:
        return [read(part) for part in parts]
    with ThreadPoolExecutor(min(threads, len(parts)), thread_name_prefix="slice") as pool:
        waiting = [pool.submit(read, part) for part in parts]
        try:
            return [one.result() for one in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def to_log2(values: Floats, scale: str) -> Floats:
    """Values as log2: log2(x + 1) of linear ones, others as they are."""
    return np.log2(values + np.float32(1)) if scale == LINEAR else values


def source_of_samples(
    samples_of_parts: Sequence[tuple[str, Sequence[str]]], wanted: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """The part and column that each sample is taken from.

    Args:
        samples_of_parts: Experiment and samples of each part.
        wanted: The samples, with the experiment whose value is preferred where several have the sample.

    Returns:
        Number of the part and column of the sample, by sample: of the preferred experiment if it has one, else of the
        first part. Samples that no part has are absent.
    """
    found: dict[str, tuple[int, int]] = {}
    for number, (experiment, samples) in enumerate(samples_of_parts):
        for place, sample in enumerate(samples):
            if sample not in wanted:
                continue
            if sample not in found or (experiment == wanted[sample] != samples_of_parts[found[sample][0]][0]):
                found[sample] = number, place
    return found


def shortest_decimals(values: Floats) -> NDArray[np.float64]:
    """float32 values as the float64 with the shortest text that reads back as that float32: 0.1, not 0.10000000149."""
    return values.astype(np.str_).astype(np.float64)
