"""Imputation of published arrays in a compendium equals the method in memory, for both algorithms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from refinebio_assets.compendia.compendium import CompendiumRecipe, SvdAlgorithm, prepare_compendium
from refinebio_assets.compendia.expression_store import ExpressionStore, make_parts, write_parts
from refinebio_assets.compendia.filters import FilterOptions
from refinebio_assets.domain.vocabulary import Technology
from tests.compendia.iterative_svd import in_memory

GASCH = Path(__file__).parents[1] / "data" / "gasch" / "gaschYHS_every_8th_gene.tsv.gz"


@pytest.fixture(scope="module")
def arrays():
    """769 genes x 173 arrays of the yeast stress response; 3 % of the values are missing, anywhere."""
    return pd.read_csv(GASCH, sep="\t", index_col=0)


def store_of(folder, frames):
    parts = []
    for name, frame in frames.items():
        made = make_parts(
            frame.T.to_numpy(np.float32),
            experiment=name,
            organism="SACCHAROMYCES_CEREVISIAE",
            technology=Technology.MICROARRAY,
            scale="log2",
            genes=list(frame.index),
            samples=list(frame.columns),
            platforms=[name] * frame.shape[1],
        )
        parts += write_parts(folder, made)
    return ExpressionStore.of(parts)


def compared(store, folder, algorithm):
    """Ours, the reference's, the missing cells, and after how many iterations both end by themselves.

    Values are compared after as many iterations: where the method converges slowly, its sixtieth iteration moves them
    by more than the decompositions differ.
    """
    recipe = CompendiumRecipe(
        svd_algorithm=algorithm, filters=FilterOptions(gene_completeness=0.5, sample_completeness=0.5)
    )
    prepared = prepare_compendium(store, recipe, folder / "whole", target=None)
    filtered = prepared.filtered.read(0, len(prepared.filtered.samples))
    expected, iterations = in_memory(filtered, rank=10)
    ended = prepared.imputation.iterations
    if ended > iterations:
        prepared = prepare_compendium(
            store, replace(recipe, max_iterations=iterations), folder / "as many", target=None
        )
    ours = np.concatenate([block.imputed for block in prepared.blocks()])
    return ours, expected, np.isnan(filtered), (ended, iterations)


@pytest.mark.parametrize("algorithm", [SvdAlgorithm.ARPACK, SvdAlgorithm.RANDOMIZED])
def test_cells_missing_anywhere(arrays, tmp_path, algorithm):
    store = store_of(tmp_path, {"GASCH": arrays})
    ours, expected, holes, iterations = compared(store, tmp_path / "scratch", algorithm)
    assert iterations[0] in {iterations[1], iterations[1] + (algorithm is SvdAlgorithm.RANDOMIZED)}
    assert holes.sum() > 3000
    # After so many iterations thirty-two of 173 directions are not followed as far as all of them.
    tolerance = 1e-3 if algorithm is SvdAlgorithm.ARPACK else 3e-3
    assert np.sqrt(np.mean((ours - expected)[holes] ** 2)) < tolerance
    assert (ours[~holes] == expected[~holes].astype(np.float32)).all()


@pytest.mark.parametrize("algorithm", [SvdAlgorithm.ARPACK, SvdAlgorithm.RANDOMIZED])
def test_genes_missing_on_one_platform(arrays, tmp_path, algorithm):
    one, other = arrays.iloc[:, :120], arrays.iloc[::3, 120:]
    store = store_of(tmp_path, {"ONE": one, "OTHER": other.combine_first(arrays.iloc[::2, 120:])})
    ours, expected, holes, iterations = compared(store, tmp_path / "scratch", algorithm)
    assert iterations[0] == iterations[1]
    assert holes.mean() > 0.05
    assert np.sqrt(np.mean((ours - expected)[holes] ** 2)) < 1e-3
