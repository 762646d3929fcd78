"""A compendium turned round: samples come block by block, genes leave row by row, and neither is held whole.

Samples are gathered to :data:`BUFFER_SAMPLES` in memory and then written, gene by gene, into a scratch file of a *slab*
of at most :data:`SLAB_SAMPLES` samples. A slab is genes x samples, so a block of genes is one read from each slab.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from refinebio_assets.datasets.package import Sink
from refinebio_assets.datasets.sample_metadata import cell
from refinebio_assets.matrix_files import ROW_LABEL

SLAB_SAMPLES = 4096
BUFFER_SAMPLES = 512
CELLS_AT_A_TIME = 1 << 21
"""Of a block of genes: 8 MB, and about 20 MB as text."""
CELLS_PER_PARQUET_GROUP = 1 << 23

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slab:
    """Neighbouring samples on disk, genes x samples."""

    path: Path
    start: int
    stop: int

    def genes(self, first: int, last: int) -> Floats:
        """Rows from ``first`` to before ``last``."""
        width = self.stop - self.start
        with self.path.open("rb") as file:
            file.seek(first * width * 4)
            return np.fromfile(file, np.float32, (last - first) * width).reshape(last - first, width)


class GeneMajorMatrix:
    """The matrix on disk: samples go in, in order, and blocks of genes come out when all are there.

    Args:
        folder: For the scratch files.
        samples: How many will come.
        genes: Genes of each.
    """

    def __init__(self, folder: Path, samples: int, genes: int) -> None:
        self.num_genes = genes
        bounds = range(0, samples, SLAB_SAMPLES)
        self.slabs = tuple(
            Slab(path=folder / f"slab_{start}.f32", start=start, stop=min(start + SLAB_SAMPLES, samples))
            for start in bounds
        )
        self._samples = samples
        self._buffer = np.empty((min(BUFFER_SAMPLES, samples), genes), np.float32)
        self._done = self._filled = 0

    def add(self, block: NDArray[np.floating]) -> None:
        """Take the next samples, samples x genes.

        Raises:
            ValueError: They are more than was said.
        """
        if self._done + self._filled + len(block) > self._samples:
            message = f"{self._samples} samples are expected, more came"
            raise ValueError(message)
        while len(block):
            free = min(len(self._buffer) - self._filled, self._left_in_slab() - self._filled)
            part, block = block[:free], block[free:]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            if self._filled in {len(self._buffer), self._left_in_slab()}:
                self._flush()

    def _left_in_slab(self) -> int:
        """Samples that go into the slab at hand, from the first in the buffer on."""
        return self.slabs[self._done // SLAB_SAMPLES].stop - self._done

    def _flush(self) -> None:
        slab = self.slabs[self._done // SLAB_SAMPLES]
        width, column = slab.stop - slab.start, self._done - slab.start
        descriptor = os.open(slab.path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            for first in range(0, self.num_genes, 1024):
                turned = np.ascontiguousarray(self._buffer[: self._filled, first : first + 1024].T)
                for gene, row in enumerate(turned, start=first):
                    _write_at(descriptor, memoryview(row).cast("B"), (gene * width + column) * 4)
        finally:
            os.close(descriptor)
        self._done += self._filled
        self._filled = 0

    def blocks(self) -> Iterator[tuple[int, Floats]]:
        """Blocks of genes from top to bottom: which is the first, and genes x all samples.

        Raises:
            ValueError: Samples are missing.
        """
        if self._done != self._samples:
            message = f"{self._samples} samples are expected, {self._done} came"
            raise ValueError(message)
        height = max(1, CELLS_AT_A_TIME // self._samples)
        for first in range(0, self.num_genes, height):
            last = min(first + height, self.num_genes)
            yield first, np.concatenate([slab.genes(first, last) for slab in self.slabs], axis=1)


def _write_at(descriptor: int, content: memoryview, place: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, place)
        content, place = content[written:], place + written


def write_text(
    out: Sink,
    matrix: GeneMajorMatrix,
    genes: Sequence[str],
    samples: Sequence[str],
    on_genes: Callable[[int], None] = lambda _done: None,
) -> None:
    """Write the matrix as tab-separated text: header ``Gene`` and samples, then a line per gene.

    Numbers are the shortest decimals that read back as the same float32; a missing value is ``NaN``.
    """
    out.write("\t".join((ROW_LABEL, *map(cell, samples))).encode() + b"\n")
    for first, block in matrix.blocks():
        names = genes[first : first + len(block)]
        lines = zip(names, _lines(block), strict=True)
        out.write(b"".join(b"%s\t%s\n" % (cell(name).encode(), line) for name, line in lines))
        on_genes(first + len(block))


def _lines(block: Floats) -> list[bytes]:
    """Each row's numbers with tabs between."""
    if np.isinf(block).any():  # JSON has no word for it
        return ["\t".join(_word(value) for value in row).encode() for row in block]
    text = orjson.dumps(np.ascontiguousarray(block), option=orjson.OPT_SERIALIZE_NUMPY)[2:-2]
    if np.isnan(block).any():
        text = text.replace(b"null", b"NaN")
    return [line.replace(b",", b"\t") for line in text.split(b"],[")]


def _word(value: np.float32) -> str:
    return "NaN" if np.isnan(value) else str(value)


def write_parquet(
    path: Path, matrix: GeneMajorMatrix, slab: Slab, genes: Sequence[str], samples: Sequence[str]
) -> None:
    """Write the samples of a slab as Parquet: a column ``Gene``, then one of float32 for each sample."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(samples[slab.start : slab.stop])
    schema = pa.schema([(ROW_LABEL, pa.string()), *((name, pa.float32()) for name in columns)])
    settings = {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": False,
        "use_byte_stream_split": columns,
        "write_statistics": False,
    }
    height = max(1, CELLS_PER_PARQUET_GROUP // len(columns))
    with pq.ParquetWriter(path, schema, **settings) as writer:
        for first in range(0, matrix.num_genes, height):
            last = min(first + height, matrix.num_genes)
            by_sample = np.ascontiguousarray(slab.genes(first, last).T)
            names = pa.array(list(genes[first:last]), pa.string())
            table = pa.Table.from_arrays([names, *(pa.array(column) for column in by_sample)], schema=schema)
            writer.write_table(table, row_group_size=last - first)
