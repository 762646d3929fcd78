"""Gene slices: the ids that people write are found, values are right, and next to nothing else is read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from refinebio_assets.compendia.expression_store import ExpressionStore, Part, genes_text, make_parts
from refinebio_assets.compendia.gene_slices import (
    GeneSpace,
    PartToRead,
    find_genes,
    row_of,
    shortest_decimals,
    source_of_samples,
    spellings,
)
from refinebio_assets.compendia.slice_run import GeneSlices
from refinebio_assets.compendia.store_run import genes_key, part_files
from refinebio_assets.domain.errors import MalformedFileError, ObjectStoreError
from refinebio_assets.domain.vocabulary import Technology
from resources.catalog import ExpressionPartInfo
from resources.object_store import ObjectStore
from resources.object_store.folder import FolderStore

ORGANISM = "HOMO_SAPIENS"
HUMAN_GENES = tuple(f"ENSG{number:011}" for number in range(20_000))


@dataclass(frozen=True)
class CountingStore(FolderStore):
    """A store in a folder that is read as one over the network, and counts the bytes."""

    read: list[int] = field(default_factory=list, compare=False)

    def get_bytes(self, key: str) -> bytes:
        content = (self.root / key).read_bytes()
        self.read.append(len(content))
        return content

    def local_path(self, key: str) -> Any:  # noqa: ARG002  the store's signature
        return None

    def open_file(self, key: str) -> Any:
        return CountingFile(self.root / key, self.read)


class CountingFile(io.FileIO):
    """A file that counts the bytes read from it."""

    def __init__(self, path: Path, read: list[int]) -> None:
        super().__init__(path)
        self._read = read

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        assert data is not None
        self._read.append(len(data))
        return data


def info_of(number: int, samples: list[str], num_genes: int, space: str) -> ExpressionPartInfo:
    sha256 = hashlib.sha256(f"part {number}".encode()).hexdigest()
    experiment = f"SRP{number:06}"
    return ExpressionPartInfo(
        key=f"expression_parts/{ORGANISM}/{experiment}/{sha256}.npy",
        sha256=sha256,
        size_bytes=0,
        experiment=experiment,
        organism=ORGANISM,
        technology=Technology.RNA_SEQ,
        scale="linear",
        gene_space=space,
        num_genes=num_genes,
        samples=tuple(samples),
        platforms=("",) * len(samples),
    )


def sparse_part(path: Path, shape: tuple[int, int], rows: dict[int, np.ndarray[Any, Any]]) -> int:
    """A part of full size, of which only some rows take up disk; gives its size."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(header.getvalue())
        size = file.tell() + shape[0] * shape[1] * 4
        file.truncate(size)
        for row, values in rows.items():
            file.seek(header.tell() + row * shape[1] * 4)
            file.write(values.astype("<f4").tobytes())
    return size


@pytest.mark.parametrize("width", [1_024, 50], ids=["large parts", "experiments of 50 samples"])
def test_five_genes_of_fifty_thousand_samples_read_less_than_a_hundredth_of_the_store(
    tmp_path: Path, width: int, figures: Callable[[str], None]
) -> None:
    store = CountingStore(tmp_path)
    text = genes_text(HUMAN_GENES)
    space = hashlib.sha256(text).hexdigest()
    FolderStore(tmp_path).put_bytes(text, genes_key(ORGANISM, space))
    asked = [15_000, 3, 19_999, 0, 10_000]
    parts, size = [], 0
    for number, start in enumerate(range(0, 50_000, width)):
        samples = [f"SRR{one:07}" for one in range(start, min(start + width, 50_000))]
        part = info_of(number, samples, len(HUMAN_GENES), space)
        rows = {row: np.arange(start, start + len(samples)) + row for row in asked}
        size += sparse_part(tmp_path / part.key, (len(HUMAN_GENES), len(samples)), rows)
        parts.append(part)
    slices = GeneSlices(store)
    found = slices.find([HUMAN_GENES[row] for row in asked], {GeneSpace(ORGANISM, space)})
    wanted = {sample: part.experiment for part in parts for sample in part.samples}
    values = slices.read([one.gene for one in found], parts, wanted)
    matrix = np.stack([values[sample].values for sample in sorted(wanted)])
    np.testing.assert_array_equal(matrix, np.add.outer(np.arange(50_000), asked).astype(np.float32))
    read = sum(store.read)
    assert size > 4_000_000_000
    assert read == len(text) + len(parts) * 256 + 50_000 * 5 * 4
    assert read < size / 1_000  # the promise is a hundredth
    figures(f"{read / 1e6:.2f} MB of {size / 1e6:.0f} MB read, {100 * read / size:.3f} %, from {len(parts)} parts")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str | None, int]]:
    """Method, path, range and size of the answer of every request to the S3 service."""
    seen: list[tuple[str, str, str | None, int]] = []
    answer = DomainDispatcherApplication.__call__

    def watched(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
        def start(status: str, headers: Any, *rest: Any) -> Any:
            size = int(dict(headers).get("Content-Length", 0)) if environ["REQUEST_METHOD"] == "GET" else 0
            seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_RANGE"), size))
            return start_response(status, headers, *rest)

        return answer(self, environ, start)

    monkeypatch.setattr(DomainDispatcherApplication, "__call__", watched)
    return seen


def test_over_s3_only_ranges_of_a_part_are_asked_for(
    s3_store: ObjectStore, requests: list[tuple[str, str, str | None, int]], figures: Callable[[str], None]
) -> None:
    genes = [f"G{number:04}" for number in range(1_000)]
    samples = [f"S{number:03}" for number in range(500)]
    values = np.random.default_rng(3).normal(size=(500, 1_000)).astype(np.float32)
    made = make_parts(
        values, experiment="SRP1", organism=ORGANISM, technology=Technology.RNA_SEQ, scale="linear", genes=genes,
        samples=samples, platforms=[""] * 500,
    )  # fmt: skip
    (file,) = part_files(s3_store, made)
    assert file.part is not None
    content = {name: getattr(file.part, name) for name in ("technology", "scale", "gene_space", "num_genes")}
    part = ExpressionPartInfo(
        **content, samples=file.part.samples, platforms=file.part.platforms, key=file.key, sha256=file.sha256,
        size_bytes=file.size_bytes, experiment="SRP1", organism=ORGANISM,
    )  # fmt: skip
    requests.clear()
    slices = GeneSlices(s3_store)
    asked = ["G0007", "G0500", "G0999", "G0000", "G0321"]
    found = slices.read(asked, [part], dict.fromkeys(samples, "SRP1"))
    matrix = np.stack([found[sample].values for sample in samples])
    np.testing.assert_array_equal(matrix, values[:, [genes.index(gene) for gene in asked]])
    of_part = [one for one in requests if one[1].endswith(".npy")]
    gets = [one for one in of_part if one[0] == "GET"]
    assert len(of_part) == len(gets) + 1
    assert all(asked_range is not None for _, _, asked_range, _ in gets)
    assert [size for *_, size in gets] == [256] + [500 * 4] * 5
    requests.clear()
    slices.read(asked[:1], [part], {"S001": "SRP1"})
    assert not [one for one in requests if "genes_" in one[1]]  # names of genes are asked for once
    figures(f"{len(gets)} ranges, {sum(size for *_, size in gets)} of {file.size_bytes} bytes")


def test_an_id_is_tried_as_it_is_before_its_last_part_is_taken_for_a_version() -> None:
    assert spellings(" ensg00000141510.17 ") == [
        *("ensg00000141510.17", "ENSG00000141510.17", "ensg00000141510", "ENSG00000141510")
    ]
    spaces = [GeneSpace("A", "1"), GeneSpace("B", "2")]
    names = {"1": b"SPAC1\nSPAC1.02\n", "2": b"ENSG1\nSPAC1.02\n"}
    found = find_genes(
        ["SPAC1.02", "ensg1.4", "SPAC1.7", "ENSG1", "none", "none", "SPAC1.02c"],
        spaces,
        lambda space, gene: row_of(names[space.digest], gene),
    )
    assert [(one.query, one.gene, sorted(one.organisms)) for one in found] == [
        ("SPAC1.02", "SPAC1.02", ["A", "B"]),
        ("ensg1.4", "ENSG1", ["B"]),
        ("SPAC1.7", "SPAC1", ["A"]),
        ("none", None, []),
        ("SPAC1.02c", None, []),
    ]


@given(st.lists(st.text("AB.1é", min_size=1, max_size=4), unique=True), st.text("AB.1é\n", max_size=4))
def test_a_gene_is_where_its_name_is(genes: list[str], other: str) -> None:
    names = genes_text(genes)
    assert [row_of(names, gene) for gene in genes] == list(range(len(genes)))
    if other not in genes:
        assert row_of(names, other) is None


@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**20))
def test_slices_agree_with_the_store(experiments: int, num_genes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts: list[Part] = []
    for number in range(experiments):
        genes = sorted(rng.choice(list("ABCDEFG"), num_genes, replace=False).tolist())
        samples = sorted(rng.choice(list("rstuvw"), rng.integers(1, 4), replace=False).tolist())
        made = make_parts(
            rng.normal(size=(len(samples), num_genes)), experiment=f"SRP{number}", organism=ORGANISM, genes=genes,
            technology=Technology.RNA_SEQ, scale="log2", samples=samples, platforms=samples,
        )  # fmt: skip
        parts += [Part(info, partial(io.BytesIO, content)) for info, content in made]
    store = ExpressionStore.of(parts)
    wanted = ["C", "A", "G"]
    sources = source_of_samples(
        [(part.info.experiment, part.info.samples) for part in store.parts], dict.fromkeys(store.samples, "")
    )
    rows = []
    for sample in store.samples:
        number, place = sources[sample]
        part = store.parts[number]
        there = tuple(part.info.genes.index(gene) if gene in part.info.genes else None for gene in wanted)
        shape = len(part.info.genes), len(part.info.samples)
        asked = PartToRead(experiment="", sha256="", open=part.open, shape=shape, rows=there, places=(place,))
        rows.append(asked.read()[0])
    np.testing.assert_array_equal(np.stack(rows), store.gene_slice(wanted))


def test_a_sample_comes_from_the_preferred_experiment_else_from_the_first() -> None:
    parts = [("E1", ["a", "b"]), ("E2", ["c", "a"]), ("E2", ["a", "d"])]
    wanted = {"a": "E2", "b": "E2", "c": "E9", "x": "E1"}
    assert source_of_samples(parts, wanted) == {"a": (1, 1), "b": (0, 1), "c": (1, 0)}


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"PK\x03\x04", MalformedFileError, "no .npy file"),
        (OSError("connection reset"), ObjectStoreError, "connection reset"),
    ],
    ids=["other file", "failure"],
)
def test_what_cannot_be_read_is_said(content: bytes | OSError, error: type[Exception], says: str) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if isinstance(content, OSError):
                raise content
            return super().read(size)

    part = PartToRead(
        experiment="SRP1", sha256="f" * 64, open=lambda: Failing(content if isinstance(content, bytes) else b""),
        shape=(2, 3), rows=(1,), places=(0,),
    )  # fmt: skip
    with pytest.raises(error, match=says) as caught:
        part.read()
    assert "SRP1" in str(caught.value)


@given(st.lists(st.floats(width=32, allow_infinity=False), min_size=1))
def test_decimals_are_short_and_read_back_as_the_same_number(values: list[float]) -> None:
    exact = np.array(values, np.float32)
    np.testing.assert_array_equal(shortest_decimals(exact).astype(np.float32), exact)
    assert shortest_decimals(np.array([0.1], np.float32)).tolist() == [0.1]
