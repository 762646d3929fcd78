"""The expression store: what goes in comes out, block by block or gene by gene, and nothing else is read."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.compendia.expression_store import (
    MOST_SAMPLES,
    ExpressionStore,
    Part,
    local_parts,
    make_parts,
    write_parts,
)
from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.vocabulary import Technology


def parts_of(values, genes, samples, *, experiment="SRP1", technology=Technology.RNA_SEQ):
    return list(
        make_parts(
            values,
            experiment=experiment,
            organism="DANIO_RERIO",
            technology=technology,
            scale="linear",
            genes=genes,
            samples=samples,
            platforms=["HiSeq"] * len(samples),
        )
    )


def names(prefix, count):
    return [f"{prefix}{number:05d}" for number in range(count)]


def store_of(folder, *parts):
    for each in parts:
        write_parts(folder, each)
    return ExpressionStore.of(local_parts(folder))


def test_experiments_with_other_genes_are_joined_and_absent_genes_are_missing(tmp_path):
    first = parts_of(np.array([[1, 2], [3, 4]]), ["G2", "G1"], ["B", "A"])
    second = parts_of(np.array([[5.0, np.nan]]), ["G3", "G2"], ["C"], experiment="SRP2")
    store = store_of(tmp_path, first, second)
    assert store.genes == ("G1", "G2", "G3")
    assert store.samples == ("A", "B", "C")
    whole = np.concatenate([block.values for block in store.blocks()])
    np.testing.assert_array_equal(whole, np.array([[4, 3, np.nan], [2, 1, np.nan], [np.nan, np.nan, 5]], np.float32))
    some = np.array([[5, np.nan, np.nan], [np.nan] * 3, [np.nan, 4, np.nan]], np.float32)
    np.testing.assert_array_equal(store.gene_slice(["G3", "G1", "G9"], ["C", "X", "A"]), some)


@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**20))
def test_blocks_and_slices_agree(experiments, genes, seed):
    rng = np.random.default_rng(seed)
    parts: list[Part] = []
    for number in range(experiments):
        chosen = sorted(rng.choice(names("G", 7), genes, replace=False))
        samples = sorted(rng.choice(names("S", 9), rng.integers(1, 4), replace=False))
        values = rng.normal(size=(len(samples), genes)).astype(np.float32)
        for info, content in parts_of(values, chosen, samples, experiment=f"SRP{number}"):
            parts.append(Part(info, lambda content=content: io.BytesIO(content)))
    store = ExpressionStore.of(parts)
    blocks = list(store.blocks())
    assert [sample for block in blocks for sample in block.info.samples] == list(store.samples)
    whole = np.concatenate([block.values for block in blocks])
    np.testing.assert_array_equal(store.gene_slice(store.genes), whole)


def test_a_large_experiment_is_cut_and_the_order_of_its_names_does_not_matter(tmp_path):
    samples, genes = names("S", MOST_SAMPLES + 3), names("G", 4)
    values = np.random.default_rng(1).normal(size=(len(samples), 4))
    parts = parts_of(values, genes, samples)
    assert [len(info.samples) for info, _ in parts] == [MOST_SAMPLES, 3]
    turned = parts_of(values[::-1, ::-1], genes[::-1], samples[::-1])
    assert turned == parts


def test_appending_rewrites_nothing(tmp_path):
    write_parts(tmp_path, parts_of(np.ones((2, 3)), names("G", 3), ["A", "B"]))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_parts(tmp_path, parts_of(np.zeros((1, 3)), names("G", 3), ["C"], experiment="SRP2"))
    after = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2  # the gene space is shared


class Counting(io.BytesIO):
    """A file that counts the bytes read from it."""

    total = 0

    def read(self, size=-1):
        data = super().read(size)
        Counting.total += len(data)
        return data


def test_a_slice_of_five_genes_reads_less_than_a_hundredth_of_the_store():
    parts, size = [], 0
    for number in range(6):
        samples = [f"S{number}_{one}" for one in range(200)]
        values = np.zeros((200, 3000), np.float32)
        for info, content in parts_of(values, names("G", 3000), samples, experiment=f"SRP{number}"):
            size += len(content)
            parts.append(Part(info, lambda content=content: Counting(content)))
    Counting.total = 0
    assert ExpressionStore.of(parts).gene_slice(names("G", 5)).shape == (1200, 5)
    assert 0 < Counting.total < size / 100


@pytest.mark.parametrize("damage", ["cut", "other shape", "no npy", "genes missing", "no json", "other format"])
def test_a_damaged_part_is_told(tmp_path, damage):
    write_parts(tmp_path, parts_of(np.ones((2, 3)), names("G", 3), ["A", "B"]))
    (npy,), (description,) = tmp_path.glob("*.npy"), tmp_path.glob("*.json")
    if damage == "cut":
        npy.write_bytes(npy.read_bytes()[:-4])
    elif damage == "other shape":
        np.save(npy, np.ones((2, 2), np.float32))
    elif damage == "no npy":
        npy.write_bytes(b"<html>")
    elif damage == "genes missing":
        next(tmp_path.glob("genes_*")).unlink()
    elif damage == "no json":
        description.write_text("{")
    else:
        description.write_text(description.read_text().replace("part-1", "part-9"))
    with pytest.raises(MalformedFileError):
        next(ExpressionStore.of(local_parts(tmp_path)).blocks())


@pytest.mark.parametrize(
    ("genes", "samples", "complaint"),
    [(["G1"], ["A"], "do not fit"), (["G1", "G1"], ["A"], "twice"), (["G1", "G2"], ["A", "B"], "do not fit")],
)
def test_names_that_do_not_fit_are_refused(genes, samples, complaint):
    with pytest.raises(ValueError, match=complaint):
        parts_of(np.ones((1, 2)), genes, samples)
