"""Sizes as people write them, and what a compendium takes."""

from __future__ import annotations

import pytest

from refinebio_assets.compendia.memory import needed_bytes, parse_size
from refinebio_assets.compendia.recipe import CompendiumRecipe, ImputationMode, SvdAlgorithm
from refinebio_assets.domain.errors import InputError

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GiB", 8 * GIB), ("500 MB", 500 * 10**6), ("2g", 2 * 10**9), ("1.5KiB", 1536), ("1073741824", GIB)],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "8 GiBs", "-1GB"])
def test_what_is_no_size_is_told(text):
    with pytest.raises(InputError, match="no size"):
        parse_size(text)


@pytest.mark.parametrize("mode", list(ImputationMode))
def test_all_human_samples_fit_into_two_gibibytes(mode):
    assert needed_bytes(430_000, 17_000, CompendiumRecipe(imputation=mode)) < 2 * GIB


def test_grows_with_samples_genes_and_exactness():
    recipe, rough = (
        CompendiumRecipe(svd_algorithm=algorithm, imputation=ImputationMode.STREAMING)
        for algorithm in (SvdAlgorithm.ARPACK, SvdAlgorithm.RANDOMIZED)
    )
    assert needed_bytes(400_000, 20_000, recipe) > needed_bytes(40_000, 20_000, recipe)
    assert needed_bytes(40_000, 40_000, recipe) > needed_bytes(40_000, 20_000, recipe)
    assert needed_bytes(400_000, 20_000, rough) < needed_bytes(400_000, 20_000, recipe)
    none = CompendiumRecipe(svd_algorithm=SvdAlgorithm.NONE)
    assert needed_bytes(400_000, 20_000, none) < needed_bytes(400_000, 20_000, rough)
