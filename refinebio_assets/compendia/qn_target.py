"""An organism's QN target from the parts of its expression store: the mean of the sorted values of its samples.

Parts are read one at a time. What was summed is kept beside the target, with a hash of every sample's values: as long
as later samples only come in addition, they are added to the sums, and no other part is read. The sums are exact, so
that a target which grew has the bytes of one that is made anew.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.expression_store import ExpressionStore, Floats, Part, gene_space
from refinebio_assets.compendia.quantile_normalization import TargetAccumulator, TargetState
from refinebio_assets.domain.errors import MalformedFileError

METHOD_VERSION = "1"
HASH_BYTES = 16
_FORMAT = f"refinebio-qn-target-sums-1, method {METHOD_VERSION}"


class SummedSample(NamedTuple):
    """What became of a sample: the part it was read from, a hash of its values, and how many genes it lacks.

    A sample that lacks some is not among the sums.
    """

    part: str
    content: bytes
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSums:
    """Samples and the sums of their sorted values.

    Attributes:
        genes: Identifies the genes and the scale that values were read in.
        samples: By accession.
        state: The sums.
    """

    genes: str
    samples: Mapping[str, SummedSample]
    state: TargetState

    def dumps(self) -> bytes:
        """As ``.npz``; the same sums give the same bytes."""
        names = sorted(self.samples)
        parts = sorted({one.part for one in self.samples.values()})
        place = {part: number for number, part in enumerate(parts)}
        found = [self.samples[name] for name in names]
        arrays: dict[str, NDArray[Any]] = {
            "format": _text([_FORMAT]),
            "genes": _text([self.genes]),
            "samples": _text(names),
            "parts": _text(parts),
            "part_of_sample": np.array([place[one.part] for one in found], np.int32),
            "content": np.frombuffer(b"".join(one.content for one in found), np.uint8).reshape(-1, HASH_BYTES),
            "missing": np.array([one.missing for one in found], np.int32),
            "high": self.state.high,
            "low": self.state.low,
            "summed": np.array([self.state.samples], np.int64),
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # its keyword allow_pickle is taken for an array's type
        return buffer.getvalue()

    @classmethod
    def loads(cls, content: bytes, *, path: str) -> TargetSums:
        """From ``.npz``.

        Raises:
            MalformedFileError: It is none, or of another format.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return cls._of({name: arrays[name] for name in arrays.files})
        except (LookupError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            message = f"The sums behind a QN target cannot be read: {error}."
            raise MalformedFileError(message, path=path, remedy="Make the target anew.") from error

    @classmethod
    def _of(cls, arrays: Mapping[str, NDArray[Any]]) -> TargetSums:
        if _lines(arrays["format"]) != [_FORMAT]:
            message = "they are of another format"
            raise ValueError(message)
        parts = _lines(arrays["parts"])
        rows = zip(arrays["part_of_sample"], arrays["content"], arrays["missing"], strict=True)
        samples = [SummedSample(parts[int(part)], content.tobytes(), int(missing)) for part, content, missing in rows]
        (genes,) = _lines(arrays["genes"])
        return cls(
            genes=genes,
            samples=dict(zip(_lines(arrays["samples"]), samples, strict=True)),
            state=TargetState(arrays["high"], arrays["low"], int(arrays["summed"][0])),
        )


def _text(lines: Iterable[str]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(lines).encode(), np.uint8)


def _lines(array: NDArray[np.uint8]) -> list[str]:
    text = array.tobytes().decode()
    return text.split("\n") if text else []


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltTarget:
    """A target and what it is made of.

    Attributes:
        sums: What it is the mean of.
        reused: Samples whose values were among the earlier sums.
        parts_read: How many parts were read.
    """

    sums: TargetSums
    reused: int
    parts_read: int

    @property
    def samples(self) -> int:
        """How many it is the mean of."""
        return self.sums.state.samples

    def target(self) -> NDArray[np.float64]:
        """As many values as genes, ascending.

        Raises:
            ValueError: No sample has a value of every gene.
        """
        return TargetAccumulator.from_state(self.sums.state).target()

    @property
    def missing(self) -> dict[str, int]:
        """Genes that samples lack which were left out for it, by accession."""
        return {name: one.missing for name, one in sorted(self.sums.samples.items()) if one.missing}


@dataclass(slots=True)
class _Sums:
    """Sums that grow."""

    accumulator: TargetAccumulator
    samples: dict[str, SummedSample] = field(default_factory=dict)
    reused: int = 0
    parts_read: int = 0


def build_target(
    store: ExpressionStore,
    genes: Sequence[str],
    *,
    earlier: TargetSums | None = None,
    threads: int | None = None,
    on_part: Callable[[int], None] = lambda _samples: None,
) -> BuiltTarget:
    """Make a target of all samples of a store that have a value of every gene.

    Args:
        store: The samples.
        genes: Those of the target; every part has them.
        earlier: Sums to go on from, if today's samples are those and others.
        threads: How many; as many as there are processors if None.
        on_part: Told how many samples each part had that was read.
    """
    reader = _Reader(tuple(genes))
    sums = _grown(store, reader, earlier, threads, on_part) if earlier is not None else None
    if sums is None:
        sums = _Sums(TargetAccumulator(len(genes)))
        for part, places in zip(store.parts, store.places, strict=True):
            _add(sums, reader.read(part, places), threads)
            on_part(len(places))
    return BuiltTarget(
        sums=TargetSums(genes=reader.identity, samples=sums.samples, state=sums.accumulator.state()),
        reused=sums.reused,
        parts_read=sums.parts_read,
    )


def _grown(
    store: ExpressionStore,
    reader: _Reader,
    earlier: TargetSums,
    threads: int | None,
    on_part: Callable[[int], None],
) -> _Sums | None:
    """The earlier sums with what came in addition; None if something in them is not there any more, or another."""
    today = frozenset(store.samples)
    summed = {name: one for name, one in earlier.samples.items() if not one.missing}
    if earlier.genes != reader.identity or not today.issuperset(summed):
        return None
    sums = _Sums(TargetAccumulator.from_state(earlier.state))
    for part, places in zip(store.parts, store.places, strict=True):
        names = [part.info.samples[place] for place in places]
        known = {name: earlier.samples[name] for name in names if name in earlier.samples}
        if len(known) == len(names) and all(one.part == part.info.sha256 for one in known.values()):
            sums.samples |= known
            sums.reused += sum(not one.missing for one in known.values())
            continue
        read = reader.read(part, places)
        if any(name in summed and one.content != summed[name].content for name, one in read.described.items()):
            return None
        _add(sums, read, threads, already=summed)
        on_part(len(places))
    return sums


def _add(
    sums: _Sums, read: _Samples, threads: int | None, *, already: Mapping[str, SummedSample] | None = None
) -> None:
    """Take the samples of a part into the sums, but for those that are there ``already``."""
    known = already or {}
    sums.parts_read += 1
    sums.samples |= read.described
    sums.reused += sum(name in known for name in read.described)
    rows = enumerate(read.described.items())
    fresh = [row for row, (name, one) in rows if name not in known and not one.missing]
    if fresh:
        sums.accumulator.add(read.values if len(fresh) == len(read.values) else read.values[fresh], threads=threads)


class _Samples(NamedTuple):
    """Samples of a part, samples x genes of the target, and what is known of each, in the same order."""

    values: Floats
    described: dict[str, SummedSample]


class _Reader:
    """Reads samples in the genes of a target, on the log2 scale."""

    def __init__(self, genes: tuple[str, ...]) -> None:
        self._genes = genes
        self.identity = gene_space(genes)
        self._rows: dict[str, NDArray[np.intp] | None] = {}

    def read(self, part: Part, places: Sequence[int]) -> _Samples:
        """Those samples of a part that are at ``places``; RNA-seq as log2(x + 1), infinite values missing.

        Raises:
            MalformedFileError: The part is damaged.
            KeyError: It does not have all genes.
        """
        values = part.read()
        rows = self._rows_of(part)
        if rows is not None:
            values = values[rows]
        chosen = np.ascontiguousarray((values if len(places) == values.shape[1] else values[:, list(places)]).T)
        if part.info.scale == "linear":
            chosen = np.log2(chosen + np.float32(1))
        lacking = ~np.isfinite(chosen)
        if lacking.any():
            chosen = np.where(lacking, np.float32(np.nan), chosen)
        names = (part.info.samples[place] for place in places)
        described = {
            name: SummedSample(part.info.sha256, hashlib.sha256(row).digest()[:HASH_BYTES], int(missing))
            for name, row, missing in zip(names, chosen, lacking.sum(axis=1), strict=True)
        }
        return _Samples(chosen, described)

    def _rows_of(self, part: Part) -> NDArray[np.intp] | None:
        """Where the target's genes lie in a part; None if it has just these. Looked up once per gene space."""
        space = part.info.gene_space
        if space not in self._rows:
            place = {gene: row for row, gene in enumerate(part.info.genes)}
            same = part.info.genes == self._genes
            self._rows[space] = None if same else np.array([place[gene] for gene in self._genes], np.intp)
        return self._rows[space]
