"""Expression of an organism as immutable parts: any samples or any genes are read without the rest.

A part holds some samples of one experiment as ``genes x samples`` float32 in NumPy's ``.npy`` format (version 1.0,
https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), so that a gene's values lie together, and its
facts as JSON beside it; the names of its genes are a file that parts with the same genes share. A part has at most
:data:`MOST_SAMPLES` samples: read whole it is one block of samples. New experiments are new parts; no part is ever
rewritten. The store of an organism is a list of parts; their gene spaces are joined while reading: a gene that a part
does not have is missing (NaN) in its samples.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from refinebio_assets.compendia._filters import spread
from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.vocabulary import Technology

Floats = NDArray[np.float32]

MOST_SAMPLES = 1024
"""Samples of a part at most: 80 MB of 20,000 genes."""
FORMAT = "refinebio-expression-part-1"
HEADER_BYTES = 256
"""Read at once from the start of a file: NumPy's header of such a matrix has 128."""

Opener = Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartInfo:
    """What a part holds.

    Attributes:
        experiment: Accession of the experiment.
        organism: UPPER_SNAKE.
        technology: All samples of a part share it.
        scale: ``linear`` (lengthScaledTPM) or ``log2``.
        genes: Row names, Ensembl stable ids, sorted.
        samples: Column names, accessions, sorted.
        platforms: Platform accession by sample, in the order of the samples.
        sha256: Of the ``.npy`` file.
    """

    experiment: str
    organism: str
    technology: Technology
    scale: str
    genes: tuple[str, ...]
    samples: tuple[str, ...]
    platforms: tuple[str, ...]
    sha256: str

    @property
    def gene_space(self) -> str:
        """Identifies the genes: parts with the same genes have the same one."""
        return gene_space(self.genes)

    def dumps(self) -> bytes:
        """As JSON, with the gene space instead of the genes; the same part gives the same bytes."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "genes"}
        return orjson.dumps({"format": FORMAT, "gene_space": self.gene_space, **values}, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def loads(cls, text: bytes, genes_of: Callable[[str], tuple[str, ...]], *, path: str) -> PartInfo:
        """From JSON; ``genes_of`` gives the genes of a gene space.

        Raises:
            MalformedFileError: It is none, or of another format.
        """
        try:
            values: dict[str, Any] = orjson.loads(text)
            if values["format"] != FORMAT:
                message = f"The file does not describe a part of the format {FORMAT}."
                raise MalformedFileError(message, path=path)
            return cls(
                experiment=str(values["experiment"]),
                organism=str(values["organism"]),
                technology=Technology(values["technology"]),
                scale=str(values["scale"]),
                genes=genes_of(str(values["gene_space"])),
                samples=tuple(map(str, values["samples"])),
                platforms=tuple(map(str, values["platforms"])),
                sha256=str(values["sha256"]),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            message = f"The file does not describe a part of an expression store: {error}"
            remedy = "Materialise the experiment's expression again."
            raise MalformedFileError(message, path=path, remedy=remedy) from error


@dataclass(frozen=True, slots=True)
class Part:
    """A part and how its values are opened: a seekable binary file, local or of an object store."""

    info: PartInfo
    open: Opener

    def read(self) -> Floats:
        """All values, genes x samples, float32.

        Raises:
            MalformedFileError: The file is no ``.npy`` of this shape, or it is cut short.
        """
        genes, samples = shape = (len(self.info.genes), len(self.info.samples))
        with self.open() as file, explaining(self.info.experiment, self.info.sha256):
            return _read_at(file, _data_offset(file, shape), genes * samples).reshape(shape)

    def read_genes(self, rows: Sequence[int]) -> Floats:
        """The values of some genes: ``len(rows)`` x samples; only these bytes are read.

        Raises:
            MalformedFileError: The file is no ``.npy`` of this shape, or it is cut short.
        """
        with self.open() as file, explaining(self.info.experiment, self.info.sha256):
            return read_rows(file, (len(self.info.genes), len(self.info.samples)), rows)


def read_rows(file: BinaryIO, shape: tuple[int, int], rows: Sequence[int]) -> Floats:
    """Some rows of the ``.npy`` file of a part of that shape, by one read for the header and one for each row.

    Raises:
        ValueError: It is no such file, or it is cut short.
    """
    values = np.empty((len(rows), shape[1]), np.float32)
    offset = _data_offset(file, shape)
    for line, row in zip(values, rows, strict=True):
        line[:] = _read_at(file, offset + row * shape[1] * 4, shape[1])
    return values


def _data_offset(file: BinaryIO, shape: tuple[int, int]) -> int:
    header = io.BytesIO(file.read(HEADER_BYTES))
    try:
        version = np.lib.format.read_magic(header)
        found, fortran, dtype = np.lib.format.read_array_header_1_0(header)
    except (ValueError, EOFError) as error:
        message = f"it is no .npy file ({error})"
        raise ValueError(message) from error
    if version != (1, 0) or fortran or dtype != np.dtype("<f4") or found != shape:
        message = f"its shape is {found} {dtype}, not {shape} float32"
        raise ValueError(message)
    return header.tell()


def _read_at(file: BinaryIO, offset: int, count: int) -> Floats:
    file.seek(offset)
    data = file.read(count * 4)
    if len(data) != count * 4:
        message = "it is cut short"
        raise ValueError(message)
    return np.frombuffer(data, dtype="<f4")


@contextmanager
def explaining(experiment: str, sha256: str) -> Iterator[None]:
    """Say of a part that cannot be read whose it is."""
    try:
        yield
    except ValueError as error:
        message = f"The expression of {experiment} cannot be read: {error}."
        remedy = f"Materialise its expression again: refinebio ingest {experiment}"
        raise MalformedFileError(message, path=f"{sha256}.npy", remedy=remedy) from error


def make_parts(
    values: NDArray[np.floating[Any]],
    *,
    experiment: str,
    organism: str,
    technology: Technology,
    scale: str,
    genes: Sequence[str],
    samples: Sequence[str],
    platforms: Sequence[str],
) -> Iterator[tuple[PartInfo, bytes]]:
    """Cut an expression matrix into parts.

    Args:
        values: samples x genes, NaN where a value is missing.
        experiment: Accession of the experiment.
        organism: UPPER_SNAKE.
        technology: Of all samples.
        scale: ``linear`` or ``log2``.
        genes: Names of the columns, each once.
        samples: Names of the rows, each once.
        platforms: Platform accession of each row.

    Yields:
        Facts and the bytes of the ``.npy`` file of each part. Genes and samples are sorted, so that the same matrix
        gives the same bytes in whatever order it comes.

    Raises:
        ValueError: Names are repeated, or do not fit the matrix.
    """
    if values.shape != (len(samples), len(genes)) or len(platforms) != len(samples):
        message = f"{len(samples)} samples, {len(platforms)} platforms and {len(genes)} genes do not fit {values.shape}"
        raise ValueError(message)
    if len(set(genes)) != len(genes) or len(set(samples)) != len(samples):
        message = "a gene or sample is there twice"
        raise ValueError(message)
    gene_order = sorted(range(len(genes)), key=genes.__getitem__)
    sample_order = sorted(range(len(samples)), key=samples.__getitem__)
    for start in range(0, len(samples), MOST_SAMPLES):
        chosen = sample_order[start : start + MOST_SAMPLES]
        content = _npy(values[chosen][:, gene_order].T.astype("<f4"))
        yield (
            PartInfo(
                experiment=experiment,
                organism=organism,
                technology=technology,
                scale=scale,
                genes=tuple(genes[one] for one in gene_order),
                samples=tuple(samples[one] for one in chosen),
                platforms=tuple(platforms[one] for one in chosen),
                sha256=hashlib.sha256(content).hexdigest(),
            ),
            content,
        )


def _npy(values: Floats) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


@lru_cache(maxsize=64)
def gene_space(genes: tuple[str, ...]) -> str:
    """The sha256 of gene names, in their order."""
    return hashlib.sha256(genes_text(genes)).hexdigest()


def genes_text(genes: Sequence[str]) -> bytes:
    """The file of a gene space: one name per line."""
    return "".join(f"{gene}\n" for gene in genes).encode()


def write_parts(folder: Path, parts: Iterable[tuple[PartInfo, bytes]]) -> list[Part]:
    """Write parts below a local folder; files that are there already are kept.

    ``{sha256}.npy`` and ``{sha256}.json`` for each part, ``genes_{gene space}.txt`` for each gene space.
    """
    infos = []
    for info, content in parts:
        _write_once(folder / f"genes_{info.gene_space}.txt", genes_text(info.genes))
        _write_once(folder / f"{info.sha256}.npy", content)
        _write_once(folder / f"{info.sha256}.json", info.dumps())
        infos.append(info)
    return [Part(info, partial(_open, folder / f"{info.sha256}.npy")) for info in infos]


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _write_once(target: Path, content: bytes) -> None:
    if not target.exists():
        temporary = target.with_suffix(f"{target.suffix}.part")
        temporary.write_bytes(content)
        temporary.replace(target)


def local_parts(folder: Path) -> list[Part]:
    """The parts below a local folder.

    Raises:
        MalformedFileError: A description or a gene space is broken or missing.
    """

    @cache
    def genes_of(space: str) -> tuple[str, ...]:
        path = folder / f"genes_{space}.txt"
        if not path.exists():
            message = "The genes of a part are missing."
            raise MalformedFileError(message, path=path, remedy="Materialise the experiment's expression again.")
        return tuple(path.read_text("utf-8").splitlines())

    descriptions = sorted(folder.glob("*.json"))
    infos = (PartInfo.loads(path.read_bytes(), genes_of, path=str(path)) for path in descriptions)
    return [Part(info, partial(_open, folder / f"{info.sha256}.npy")) for info in infos]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleBlock:
    """Samples of one part in the genes of the store.

    Attributes:
        info: The part.
        values: samples x genes of the store, float32, C-contiguous; NaN where a value is missing.
        columns: Which of the store's genes the part has.
    """

    info: PartInfo
    values: Floats
    columns: NDArray[np.intp]


@dataclass(frozen=True)
class ExpressionStore:
    """The parts of an organism, in the order of experiment and first sample.

    A sample that several parts have counts once: that of the experiment that owns it, else the first part's.

    Attributes:
        parts: Those that samples are taken from.
        places: For each part, which of its samples count.
    """

    parts: tuple[Part, ...]
    places: tuple[tuple[int, ...], ...]
    _columns: dict[tuple[str, ...], NDArray[np.intp]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        parts: Iterable[Part],
        samples: Collection[str] | None = None,
        *,
        owners: Mapping[str, str] | None = None,
    ) -> ExpressionStore:
        """A store of parts, sorted.

        Args:
            parts: In any order.
            samples: Only these count; all if None.
            owners: Experiment of samples that several experiments have.
        """
        ordered = sorted(parts, key=lambda part: (part.info.experiment, part.info.samples[:1], part.info.sha256))
        wanted = None if samples is None else frozenset(samples)
        source: dict[str, int] = {}
        owned = owners or {}
        for number, part in enumerate(ordered):
            for sample in part.info.samples:
                if wanted is not None and sample not in wanted:
                    continue
                if sample not in source or (
                    owned.get(sample) == part.info.experiment != ordered[source[sample]].info.experiment
                ):
                    source[sample] = number
        places = [
            tuple(place for place, sample in enumerate(part.info.samples) if source.get(sample) == number)
            for number, part in enumerate(ordered)
        ]
        used = [number for number, of_part in enumerate(places) if of_part]
        return cls(tuple(ordered[number] for number in used), tuple(places[number] for number in used))

    @cached_property
    def genes(self) -> tuple[str, ...]:
        """All genes of all parts, sorted."""
        spaces = {part.info.genes for part in self.parts}
        return tuple(sorted(set().union(*spaces)))

    @cached_property
    def samples(self) -> tuple[str, ...]:
        """All samples, each once, in the order in which blocks have them."""
        return tuple(
            part.info.samples[place] for part, places in zip(self.parts, self.places, strict=True) for place in places
        )

    @property
    def identity(self) -> list[tuple[str, list[int]]]:
        """What the values depend on, as JSON: the sha256 of every part and which of its samples count."""
        return [
            (part.info.sha256, [] if len(places) == len(part.info.samples) else list(places))
            for part, places in zip(self.parts, self.places, strict=True)
        ]

    def blocks(self) -> Iterator[SampleBlock]:
        """All samples, part by part."""
        width = len(self.genes)
        for part, places in zip(self.parts, self.places, strict=True):
            columns = self.columns_of(part.info.genes)
            values = spread_samples(part.read(), places, columns, width)
            yield SampleBlock(info=_only(part.info, places), values=values, columns=columns)

    def gene_slice(self, genes: Sequence[str], samples: Sequence[str] | None = None) -> Floats:
        """Some genes of some samples, without reading the others.

        Args:
            genes: Gene ids; an unknown one is missing everywhere.
            samples: Accessions, those of :attr:`samples` if None; an unknown one is missing everywhere.

        Returns:
            samples x genes, float32, NaN where a value is missing.
        """
        wanted = {sample: row for row, sample in enumerate(self.samples if samples is None else samples)}
        values = np.full((len(wanted), len(genes)), np.nan, np.float32)
        for part, of_part in zip(self.parts, self.places, strict=True):
            names = part.info.samples
            places = [(place, wanted[names[place]]) for place in of_part if names[place] in wanted]
            rows = {gene: row for row, gene in enumerate(part.info.genes) if gene in genes} if places else {}
            if rows:
                read = part.read_genes(list(rows.values()))
                columns = [[column for column, gene in enumerate(genes) if gene == one] for one in rows]
                for line, of_gene in zip(read, columns, strict=True):
                    for place, row in places:
                        values[row, of_gene] = line[place]
        return values

    def columns_of(self, genes: tuple[str, ...]) -> NDArray[np.intp]:
        """Where a part's genes lie among the store's; looked up once per gene space."""
        if genes not in self._columns:
            places = {gene: column for column, gene in enumerate(self.genes)}
            self._columns[genes] = np.fromiter((places[gene] for gene in genes), np.intp, len(genes))
        return self._columns[genes]


def spread_samples(part: Floats, places: Sequence[int], columns: NDArray[np.intp], width: int) -> Floats:
    """Samples of a part in the genes of a store.

    Args:
        part: Values of the part, genes x samples.
        places: Which samples.
        columns: Where the part's genes lie among the store's.
        width: How many genes the store has.

    Returns:
        Samples x genes of the store, C-contiguous; NaN where the part does not have the gene.
    """
    values = np.empty((len(places), width), np.float32)
    spread(part, np.asarray(places, np.int64), columns.astype(np.int64, copy=False), values)
    return values


def _only(info: PartInfo, chosen: Sequence[int]) -> PartInfo:
    if len(chosen) == len(info.samples):
        return info
    return replace(
        info,
        samples=tuple(info.samples[one] for one in chosen),
        platforms=tuple(info.platforms[one] for one in chosen),
    )
