"""The filters of a compendium, against the documented steps done with pandas on whole matrices."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.compendia import _filters
from refinebio_assets.compendia.expression_store import ExpressionStore, Part, make_parts, spread_samples
from refinebio_assets.compendia.filters import CompendiumMethod, FilterOptions, choose_genes, filter_block
from refinebio_assets.domain.vocabulary import Technology


def store_of(*frames):
    """A store of (technology, samples x genes) pairs."""
    parts = []
    for number, (technology, frame) in enumerate(frames):
        made = make_parts(
            frame.to_numpy(),
            experiment=f"E{number}",
            organism="DANIO_RERIO",
            technology=technology,
            scale="linear" if technology is Technology.RNA_SEQ else "log2",
            genes=list(frame.columns),
            samples=list(frame.index),
            platforms=["P"] * len(frame),
        )
        parts += [Part(info, lambda content=content: io.BytesIO(content)) for info, content in made]
    return ExpressionStore.of(parts)


def filtered(store, options):
    genes = choose_genes(store.blocks(), len(store.genes), options)
    frames = []
    for block in store.blocks():
        one = filter_block(block, genes)
        index = [block.info.samples[place] for place in one.kept]
        frames.append(pd.DataFrame(one.values, index=index, columns=[store.genes[place] for place in genes.kept]))
    return pd.concat(frames), genes


def documented(arrays, rna, options):
    """The steps as they are written down, genes in rows."""
    samples = arrays.shape[0] + rna.shape[0]
    micro, seq = arrays.T.astype(np.float32), rna.T.astype(np.float32)
    union = sorted(set(micro.index) | set(seq.index))
    has = pd.concat([micro.reindex(union).notna(), seq.reindex(union).notna()], axis=1).sum(axis=1)
    union = [gene for gene in union if has[gene] > options.gene_presence * samples]
    micro, seq = micro.reindex(union), seq.reindex(union)
    if options.method is CompendiumMethod.ORIGINAL:
        seq = np.log2(seq + 1)
    if seq.shape[1]:
        sums = seq.sum(axis=1)
        measured = sums if options.method is CompendiumMethod.ORIGINAL else sums[seq.notna().any(axis=1)]
        if len(measured):
            seq = seq[sums >= np.percentile(measured, options.low_expression_percentile)]
    seq = np.log2(seq + 1)
    whole = pd.concat([micro, seq.reindex(union)], axis=1)
    zero = (whole == 0) & whole.columns.isin(seq.columns)
    missing = whole.mask(zero)
    missing = missing[missing.notna().sum(axis=1) >= options.gene_completeness * samples]
    enough = missing.notna().sum(axis=0) >= options.sample_completeness * len(missing)
    missing = missing.loc[:, enough]
    return missing.mask(zero.loc[missing.index, missing.columns], 0.0).T


def random_frame(rng, prefix, samples, genes, *, linear):
    chosen = sorted(rng.choice([f"G{one:02d}" for one in range(20)], genes, replace=False))
    values = rng.lognormal(2, 2, (samples, genes)) if linear else rng.normal(7, 2, (samples, genes))
    values[rng.random(values.shape) < 0.1] = 0
    values[rng.random(values.shape) < 0.1] = np.nan
    return pd.DataFrame(
        values.astype(np.float32), index=[f"{prefix}{one:02d}" for one in range(samples)], columns=chosen
    )


@pytest.mark.parametrize("method", list(CompendiumMethod))
@given(seed=st.integers(0, 2**31), arrays=st.integers(0, 9), rna=st.integers(0, 9))
def test_equals_the_documented_steps_on_whole_matrices(method, seed, arrays, rna):
    if arrays + rna == 0:
        return
    rng = np.random.default_rng(seed)
    micro = random_frame(rng, "A", arrays, int(rng.integers(10, 21)), linear=False)
    seq = random_frame(rng, "R", rna, int(rng.integers(10, 21)), linear=True)
    frames = [(Technology.MICROARRAY, micro)] * bool(arrays) + [(Technology.RNA_SEQ, seq)] * bool(rna)
    options = FilterOptions(method=method)
    ours, _ = filtered(store_of(*frames), options)
    expected = documented(micro if arrays else micro.iloc[:, :0], seq if rna else seq.iloc[:, :0], options)
    assert list(ours.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(ours, expected.loc[ours.index], check_dtype=False, rtol=1e-6)
    assert set(ours.index) == set(expected.index)


def test_every_step_is_counted():
    genes = [f"G{one}" for one in range(10)]
    arrays = pd.DataFrame(np.full((4, 9), 5.0), index=list("abcd"), columns=genes[:9])
    rna = pd.DataFrame(np.full((4, 10), 3.0), index=list("efgh"), columns=genes)
    rna["G0"] = 0.1  # hardly expressed
    rna.loc["h", genes[3:]] = 0.0
    store = store_of((Technology.MICROARRAY, arrays), (Technology.RNA_SEQ, rna))
    ours, chosen = filtered(store, FilterOptions(low_expression_percentile=10, gene_completeness=0.4))
    assert chosen.counts == {
        "samples_in_store": 8, "rna_seq_samples": 4, "genes_in_store": 10,
        "genes_present": 9, "rna_low_expression": 1, "genes_kept": 9,
    }  # fmt: skip
    assert ours.loc[["e", "f", "g"], "G0"].isna().all()  # G9 is in half of the samples only, not in more
    assert ours.loc["a", "G0"] == 5
    assert "h" not in ours.index


def test_the_logarithm_is_taken_once_and_twice_by_the_original_method():
    rna = pd.DataFrame(np.array([[3.0, 7.0], [3.0, 7.0]]), index=["a", "b"], columns=["G1", "G2"])
    once, _ = filtered(store_of((Technology.RNA_SEQ, rna)), FilterOptions(low_expression_percentile=0))
    twice, _ = filtered(
        store_of((Technology.RNA_SEQ, rna)),
        FilterOptions(low_expression_percentile=0, method=CompendiumMethod.ORIGINAL),
    )
    assert once.loc["a"].tolist() == [2, 3]
    np.testing.assert_allclose(twice.loc["a"], np.log2([3, 4]), rtol=1e-6)


def test_infinite_values_are_missing():
    arrays = pd.DataFrame(np.array([[np.inf, 1.0, 2.0], [-np.inf, 1.0, 2.0]]), index=["a", "b"], columns=list("xyz"))
    ours, _ = filtered(store_of((Technology.MICROARRAY, arrays)), FilterOptions())
    assert list(ours.columns) == ["y", "z"]


def test_sums_do_not_depend_on_how_samples_are_cut_into_blocks():
    rng = np.random.default_rng(4)
    rna = random_frame(rng, "R", 40, 20, linear=True)
    whole = store_of((Technology.RNA_SEQ, rna))
    options = FilterOptions()
    thresholds = set()
    for size in (1, 7, 40):
        blocks = [
            replace(block, values=block.values[start : start + size])  # noqa: PD011  # no data frame
            for block in whole.blocks()
            for start in range(0, 40, size)
        ]
        thresholds.add(choose_genes(blocks, len(whole.genes), options).low_expression_threshold)
    assert len(thresholds) == 1


ONE, TWO = np.zeros((2, 3), np.float32), np.zeros((2, 2), np.float32)


@pytest.mark.parametrize(
    "call",
    [
        lambda: _filters.count(ONE, np.zeros(3, np.int64), np.zeros(2, np.int64), None),
        lambda: _filters.count(ONE, np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(2)),
        lambda: _filters.count(ONE, np.zeros(3, np.int32), np.zeros(3, np.int64), None),
        lambda: _filters.count(ONE.astype(float), np.zeros(3, np.int64), np.zeros(3, np.int64), None),
        lambda: _filters.take(ONE, np.array([0, 3]), TWO),
        lambda: _filters.take(ONE, np.array([0, -1]), TWO),
        lambda: _filters.take(ONE, np.array([0, 1, 2]), TWO),
        lambda: _filters.count_filled(ONE, np.zeros(3, np.int64)),
    ],
)
def test_the_compiled_part_checks_what_it_is_given(call):
    with pytest.raises(ValueError, match="must"):
        call()


@given(seed=st.integers(0, 2**31), genes=st.integers(0, 40), samples=st.integers(1, 20))
def test_samples_of_a_part_come_to_lie_in_the_genes_of_the_store(seed, genes, samples):
    rng = np.random.default_rng(seed)
    width = genes + int(rng.integers(0, 5))
    part = rng.normal(size=(genes, samples)).astype(np.float32)
    columns = np.sort(rng.permutation(width)[:genes])
    places = rng.permutation(samples)[: int(rng.integers(0, samples + 1))]
    expected = np.full((len(places), width), np.nan, np.float32)
    expected[:, columns] = part[:, places].T
    np.testing.assert_array_equal(spread_samples(part, places.tolist(), columns, width), expected)


@pytest.mark.parametrize(("places", "columns"), [([3], [0, 1]), ([-1], [0, 1]), ([0], [0, 2]), ([0], [0])])
def test_samples_and_genes_that_are_not_there_are_refused(places, columns):
    with pytest.raises(ValueError, match="must be places"):
        spread_samples(np.zeros((2, 3), np.float32), places, np.array(columns), 2)


def test_zeros_of_rna_seq_count_as_missing_and_those_of_arrays_do_not():
    values = np.zeros((4, 3))
    values[:, 0] = 5
    frame = pd.DataFrame(values, index=["S1", "S2", "S3", "S4"], columns=["G1", "G2", "G3"])
    options = FilterOptions(sample_completeness=0.0)
    arrays, _ = filtered(store_of((Technology.MICROARRAY, frame)), options)
    assert list(arrays.columns) == ["G1", "G2", "G3"]
    sequenced, _ = filtered(store_of((Technology.RNA_SEQ, frame)), options)
    assert list(sequenced.columns) == ["G1"]


@pytest.mark.parametrize("method", list(CompendiumMethod))
def test_rna_seq_values_without_logarithm_are_missing(method):
    values = np.full((3, 4), 7.0)
    values[0, 0], values[1, 1], values[2, 2] = -1, -5, np.inf
    frame = pd.DataFrame(values, index=["S1", "S2", "S3"], columns=["G1", "G2", "G3", "G4"])
    options = FilterOptions(method=method, gene_completeness=0.5, low_expression_percentile=0)
    ours, _ = filtered(store_of((Technology.RNA_SEQ, frame)), options)
    assert np.isnan(ours.to_numpy()).tolist() == [[True, False, False, False], [False, True, False, False],
                                                  [False, False, True, False]]  # fmt: skip
