"""The filtered samples of a compendium on disk: written once, checked, read block by block.

``filtered.f32`` holds samples x genes as float32, ``filtered.rows`` twelve bytes for each sample (:data:`ROW`),
``filtered.json`` what they are. The JSON is written after the other two are on disk, every minute, so that a build
that was killed goes on behind what it names; whatever the others hold beyond that is cut off.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
from isal import isal_zlib
from numpy.typing import NDArray

from refinebio_assets.compendia.checkpoints import write_whole
from refinebio_assets.compendia.expression_store import ExpressionStore, Floats, SampleBlock, spread_samples
from refinebio_assets.compendia.filters import (
    CompendiumMethod,
    FilteredBlock,
    FilterOptions,
    GeneFilter,
    choose_genes,
    filter_block,
)
from refinebio_assets.compendia.progress import Progress, Report

SECONDS_BETWEEN_CHECKPOINTS = 60.0
SLICE_SAMPLES = 128
"""Samples that are filtered together: sums are made over so many, whatever memory there is."""
ROW = np.dtype([("pattern", "<u8"), ("checksum", "<u4")])
"""Which genes a sample misses (a hash), and the CRC-32 of its values."""
_VALUES, _ROWS, _FACTS = "filtered.f32", "filtered.rows", "filtered.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilteredSamples:
    """The filtered samples on disk.

    Attributes:
        path: samples x genes, float32, row after row.
        samples: Accessions of the rows.
        genes: Names of the columns.
        dropped: Share of genes of each sample that has too few of them.
        gene_filter: What was kept, as :meth:`GeneFilter.to_dict` says it.
        missing: Cells to impute.
        rna_dropped: Genes whose RNA-seq values count as missing.
        organism: That of most samples.
    """

    path: Path
    samples: tuple[str, ...]
    genes: tuple[str, ...]
    dropped: dict[str, float]
    gene_filter: dict[str, Any]
    missing: int
    rna_dropped: tuple[str, ...] = ()
    organism: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Samples, genes."""
        return len(self.samples), len(self.genes)

    def read(self, start: int, stop: int) -> Floats:
        """Samples ``start`` to ``stop``, freshly read."""
        width = len(self.genes)
        with self.path.open("rb") as file:
            file.seek(start * width * 4)
            return np.fromfile(file, np.float32, (stop - start) * width).reshape(stop - start, width)

    def rows(self) -> NDArray[np.void]:
        """What is kept of each sample's values: see :data:`ROW`."""
        return np.fromfile(self.path.with_name(_ROWS), ROW, len(self.samples))


@dataclass(slots=True, kw_only=True)
class _Written:
    """What is on disk."""

    identity: str
    genes: list[str]
    rna_dropped: list[str]
    kept: list[int]
    low: list[bool]
    options: dict[str, Any]
    counts: dict[str, int]
    threshold: float | None
    samples: list[str] = field(default_factory=list)
    dropped: dict[str, float] = field(default_factory=dict)
    organisms: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    parts: int = 0
    complete: bool = False

    @classmethod
    def of(cls, identity: str, genes: GeneFilter, names: tuple[str, ...]) -> _Written:
        return cls(
            identity=identity,
            genes=[names[place] for place in genes.kept],
            rna_dropped=[names[place] for place in genes.kept[genes.rna_dropped]],
            kept=genes.kept.tolist(),
            low=genes.rna_dropped.tolist(),
            options=asdict(genes.options),
            counts=genes.counts,
            threshold=genes.low_expression_threshold,
        )

    @property
    def gene_filter(self) -> GeneFilter:
        return GeneFilter(
            kept=np.array(self.kept, np.intp),
            rna_dropped=np.array(self.low, np.bool_),
            options=FilterOptions(**self.options | {"method": CompendiumMethod(self.options["method"])}),
            counts=self.counts,
            low_expression_threshold=self.threshold,
        )

    def take(self, block: SampleBlock, part: FilteredBlock, missing: int) -> None:
        names = block.info.samples
        kept = set(part.kept.tolist())
        self.samples += [names[place] for place in part.kept]
        shares = enumerate(part.completeness.tolist())
        self.dropped |= {names[place]: share for place, share in shares if place not in kept}
        self.missing += missing
        self.organisms[block.info.organism] = self.organisms.get(block.info.organism, 0) + len(kept)

    def done(self, scratch: Path) -> FilteredSamples:
        counted = sorted(self.organisms.items(), key=lambda one: (-one[1], one[0]))
        return FilteredSamples(
            path=scratch / _VALUES,
            samples=tuple(self.samples),
            genes=tuple(self.genes),
            dropped=self.dropped,
            gene_filter=self.gene_filter.to_dict(),
            missing=self.missing,
            rna_dropped=tuple(self.rna_dropped),
            organism=counted[0][0] if counted else "",
        )


def filter_samples(
    store: ExpressionStore,
    genes: FilterOptions | GeneFilter,
    scratch: Path,
    identity: str,
    *,
    report: Report,
) -> FilteredSamples:
    """Choose genes, bring all samples into them, write them.

    Args:
        store: The expression of the organism.
        genes: How genes are chosen, or which are.
        scratch: Folder of the files; what an interrupted run with the same identity left there is gone on with.
        identity: Of the store and of how it is filtered.
        report: Told how far it is.
    """
    written = _before(scratch, identity)
    if written is not None and written.complete:
        return written.done(scratch)
    if written is None:
        (scratch / _FACTS).unlink(missing_ok=True)
        chosen = genes if isinstance(genes, GeneFilter) else _choose(store, genes, report)
        written = _Written.of(identity, chosen, store.genes)
    _write_rest(store, written, scratch, report)
    return written.done(scratch)


def sample_slices(store: ExpressionStore, first_part: int = 0) -> Iterator[tuple[int, SampleBlock]]:
    """All samples from a part on, at most :data:`SLICE_SAMPLES` of a part at a time, with the number of the part."""
    width = len(store.genes)
    for number in range(first_part, len(store.parts)):
        part, places = store.parts[number], store.places[number]
        columns = store.columns_of(part.info.genes)
        read = part.read()
        for start in range(0, len(places), SLICE_SAMPLES):
            chosen = places[start : start + SLICE_SAMPLES]
            values = spread_samples(read, chosen, columns, width)
            names = part.info.samples
            platforms = part.info.platforms
            info = replace(
                part.info,
                samples=tuple(names[place] for place in chosen),
                platforms=tuple(platforms[place] for place in chosen),
            )
            yield number, SampleBlock(info=info, values=values, columns=columns)


def _before(scratch: Path, identity: str) -> _Written | None:
    """What an earlier run left, if it is of the same samples and at least as long as it says."""
    facts = scratch / _FACTS
    if not facts.exists():
        return None
    values: dict[str, Any] = orjson.loads(facts.read_bytes())
    if values.get("identity") != identity:
        return None
    written = _Written(**values)
    lengths = {_VALUES: len(written.samples) * len(written.genes) * 4, _ROWS: len(written.samples) * ROW.itemsize}
    for name, length in lengths.items():
        path = scratch / name
        size = path.stat().st_size if path.exists() else -1
        if size < length or (written.complete and size != length):
            return None
    return written


def _choose(store: ExpressionStore, options: FilterOptions, report: Report) -> GeneFilter:
    done = 0

    def on_block(samples: int) -> None:
        nonlocal done
        done += samples
        report(Progress(step="counting genes", done=done, total=len(store.samples)))

    slices = (block for _, block in sample_slices(store))
    return choose_genes(slices, len(store.genes), options, on_block=on_block)


def _write_rest(store: ExpressionStore, written: _Written, scratch: Path, report: Report) -> None:
    genes, total = written.gene_filter, len(store.samples)
    done = sum(len(places) for places in store.places[: written.parts])
    with (
        _open_at(scratch / _VALUES, len(written.samples) * len(written.genes) * 4) as values,
        _open_at(scratch / _ROWS, len(written.samples) * ROW.itemsize) as rows,
    ):
        saved = time.monotonic()
        _keep(scratch, written, values, rows)
        for number, block in sample_slices(store, written.parts):
            if number != written.parts:
                written.parts = number
                if time.monotonic() - saved >= SECONDS_BETWEEN_CHECKPOINTS:
                    _keep(scratch, written, values, rows)
                    saved = time.monotonic()
            part = filter_block(block, genes)
            missing = np.isnan(part.values)
            part.values.tofile(values)
            _rows(part.values, missing).tofile(rows)
            written.take(block, part, int(np.count_nonzero(missing)))
            done += len(block.values)
            report(Progress(step="filtering", done=done, total=total))
        written.parts, written.complete = len(store.parts), True
        _keep(scratch, written, values, rows)


def _open_at(path: Path, length: int) -> BinaryIO:
    """A file to write behind its first bytes; what lies beyond them is cut off."""
    file = path.open("r+b" if path.exists() else "w+b")
    file.truncate(length)
    file.seek(length)
    return file


def _keep(scratch: Path, written: _Written, *files: BinaryIO) -> None:
    for file in files:
        file.flush()
        os.fsync(file.fileno())
    write_whole(scratch / _FACTS, orjson.dumps(written))


def _rows(values: Floats, missing: NDArray[np.bool_]) -> NDArray[np.void]:
    rows = np.empty(len(values), ROW)
    packed = np.packbits(missing, axis=1)
    for place, (line, bits) in enumerate(zip(values, packed, strict=True)):
        digest = hashlib.blake2b(bits, digest_size=8).digest()
        rows[place] = int.from_bytes(digest, "little"), isal_zlib.crc32(line)
    return rows
