"""Which samples must not go into organism-wide artefacts."""

from __future__ import annotations

import itertools

import numpy as np

from refinebio_assets.compendia.unfit_samples import sample_digests, unfit_samples

NAN = np.nan


def digests(*columns: list[float]) -> dict[str, str]:
    found = sample_digests(np.array(columns, np.float32).T)
    return {f"S{number}": digest for number, digest in enumerate(found)}


def test_samples_with_spread_are_fit() -> None:
    assert unfit_samples([("E1", "space", digests([1, 2, NAN], [1, 2, 3], [0, 0, 1]))]) == {}


def test_nothing_and_one_value_throughout_are_not() -> None:
    unfit = unfit_samples([("E1", "space", digests([NAN, NAN, NAN], [0, 0, 0], [5, 5, NAN], [1, 2, 3]))])
    assert list(unfit) == ["S0", "S1", "S2"]
    assert "no value" in unfit["S0"]
    assert "same value" in unfit["S1"]
    assert unfit["S1"] == unfit["S2"]


def test_of_samples_with_the_same_values_the_first_one_is_fit_whatever_the_order_of_parts() -> None:
    one = digests([1, 2, NAN], [3, 4, 5], [1, 2, NAN])
    parts = [
        ("E1", "space", one),
        ("E2", "space", {"T": one["S1"], "S1": one["S1"]}),
        ("E3", "other genes", {"U": one["S1"]}),
    ]
    for order in itertools.permutations(parts):
        unfit = unfit_samples(order)
        assert sorted(unfit) == ["S2", "T"]
        assert "those of S0 (E1)" in unfit["S2"]
        assert "those of S1 (E1)" in unfit["T"]


def test_a_single_gene_says_nothing() -> None:
    assert unfit_samples([("E1", "space", digests([1], [1]))]) == {}
