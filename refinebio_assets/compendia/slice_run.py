"""Gene slices from the object store: the genes that are asked for, of the samples that are asked for, and no more.

What is read of a part: its header and a range for each gene. Names of genes are read once for each gene space and kept,
with what was looked up in them: a gene space is named after its content and never changes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from refinebio_assets.compendia.expression_store import Floats
from refinebio_assets.compendia.gene_slices import (
    THREADS,
    FoundGene,
    GeneSpace,
    PartToRead,
    find_genes,
    read_parts,
    row_of,
    source_of_samples,
    spellings,
    to_log2,
)
from refinebio_assets.compendia.store_run import genes_key, opener
from refinebio_assets.domain.errors import MalformedFileError, NotFoundError
from resources.catalog import ExpressionPartInfo
from resources.object_store import ObjectStore

BYTES_OF_NAMES = 64 << 20
"""Names of genes that are kept: some 200 gene spaces."""
MOST_LOOK_UPS = 200_000
"""Rows of genes in gene spaces that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleValues:
    """A sample's values, one for each gene of the slice (NaN where missing), and the part they come from."""

    part: ExpressionPartInfo
    values: Floats


class GeneSlices:
    """Reads gene slices of one object store; any number of threads may use it.

    Args:
        store: Holds the parts.
        threads: Parts that one call reads at the same time.
    """

    def __init__(self, store: ObjectStore, *, threads: int = THREADS) -> None:
        self._store = store
        self._threads = threads
        self._lock = Lock()
        self._names: OrderedDict[GeneSpace, bytes] = OrderedDict()
        self._rows: dict[tuple[GeneSpace, str], int | None] = {}

    def find(self, queries: Sequence[str], spaces: Collection[GeneSpace]) -> list[FoundGene]:
        """What gene ids name in these gene spaces, in their order; ids that name one gene are given once.

        Raises:
            MalformedFileError: The names of a gene space are missing or damaged.
        """
        ordered = sorted(set(spaces))
        wanted = [spelling for query in queries for spelling in spellings(query)]
        self._look_up(ordered, wanted)
        return find_genes(queries, ordered, self._row)

    def example(self, space: GeneSpace) -> str:
        """The first gene of a gene space, to show what ids look like."""
        return self._names_of(space).partition(b"\n")[0].decode()

    def read(
        self,
        genes: Sequence[str | None],
        parts: Sequence[ExpressionPartInfo],
        samples: Mapping[str, str],
        *,
        log2: bool = False,
        before_each: Callable[[], None] = lambda: None,
    ) -> dict[str, SampleValues]:
        """Values of genes in samples.

        Args:
            genes: Ids as :meth:`find` gives them; None is missing everywhere.
            parts: Where samples may be, in an order of which the first one with a sample counts.
            samples: Accessions, with the experiment whose part is preferred where several have the sample.
            log2: Give linear values as log2(x + 1), so that all have one scale.
            before_each: Called before a part is read; what it raises ends the reading.

        Returns:
            By accession; samples that no part has are absent.

        Raises:
            MalformedFileError: A part, or the names of its genes, are missing or damaged.
            ObjectStoreError: The object store failed.
        """
        sources = source_of_samples([(part.experiment, part.samples) for part in parts], samples)
        members: dict[int, list[tuple[str, int]]] = {}
        for sample, (number, place) in sources.items():
            members.setdefault(number, []).append((sample, place))
        chosen = sorted(members)
        self._look_up({_space(parts[number]) for number in chosen}, [gene for gene in genes if gene is not None])
        wanted = [self._part(parts[number], genes, [place for _, place in members[number]]) for number in chosen]
        found: dict[str, SampleValues] = {}
        for number, values in zip(
            chosen, read_parts(wanted, threads=self._threads, before_each=before_each), strict=True
        ):
            part = parts[number]
            scaled = to_log2(values, part.scale) if log2 else values
            for (sample, _), row in zip(members[number], scaled, strict=True):
                found[sample] = SampleValues(part=part, values=row)
        return found

    def _part(self, info: ExpressionPartInfo, genes: Sequence[str | None], places: Sequence[int]) -> PartToRead:
        space = _space(info)
        return PartToRead(
            experiment=info.experiment,
            sha256=info.sha256,
            open=opener(self._store, info.key),
            shape=(info.num_genes, len(info.samples)),
            rows=tuple(None if gene is None else self._row(space, gene) for gene in genes),
            places=tuple(places),
        )

    def _row(self, space: GeneSpace, gene: str) -> int | None:
        known = self._rows.get((space, gene), -1)
        if known != -1:
            return known
        row = row_of(self._names_of(space), gene)
        with self._lock:
            if len(self._rows) >= MOST_LOOK_UPS:
                self._rows.clear()
            self._rows[space, gene] = row
        return row

    def _look_up(self, spaces: Collection[GeneSpace], genes: Sequence[str]) -> None:
        """Look genes up in gene spaces, those that must be read for it several at the same time."""

        def look_up(space: GeneSpace) -> None:
            for gene in genes:
                self._row(space, gene)

        new = [space for space in spaces if any((space, gene) not in self._rows for gene in genes)]
        if len(new) < 2:
            return
        with ThreadPoolExecutor(min(self._threads, len(new)), thread_name_prefix="genes") as pool:
            list(pool.map(look_up, new))

    def _names_of(self, space: GeneSpace) -> bytes:
        with self._lock:
            names = self._names.get(space)
            if names is not None:
                self._names.move_to_end(space)
                return names
        names = _read_names(self._store, space)
        with self._lock:
            self._names[space] = names
            while len(self._names) > 1 and sum(map(len, self._names.values())) > BYTES_OF_NAMES:
                self._names.popitem(last=False)
        return names


def _space(part: ExpressionPartInfo) -> GeneSpace:
    return GeneSpace(part.organism, part.gene_space)


def _read_names(store: ObjectStore, space: GeneSpace) -> bytes:
    key = genes_key(space.organism, space.digest)
    remedy = "Materialise the expression of the organism's experiments again: refinebio ingest"
    try:
        names = store.get_bytes(key)
    except NotFoundError as error:
        message = f"The names of genes of {space.organism} are missing."
        raise MalformedFileError(message, path=key, remedy=remedy) from error
    if hashlib.sha256(names).hexdigest() != space.digest:
        message = f"The names of genes of {space.organism} are damaged."
        raise MalformedFileError(message, path=key, remedy=remedy)
    return names
