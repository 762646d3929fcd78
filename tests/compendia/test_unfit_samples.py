"""Which samples must not go into organism-wide artefacts."""

from __future__ import annotations

import numpy as np

from refinebio_assets.compendia.unfit_samples import unfit_samples

NAN = np.nan


def found(*columns: list[float], seen: dict[bytes, str] | None = None) -> dict[str, str]:
    values = np.array(columns, np.float32).T
    return unfit_samples(values, [f"S{number}" for number in range(len(columns))], {} if seen is None else seen)


def test_samples_with_spread_are_fit() -> None:
    assert found([1, 2, NAN], [1, 2, 3], [0, 0, 1]) == {}


def test_nothing_and_one_value_throughout_are_not() -> None:
    unfit = found([NAN, NAN, NAN], [0, 0, 0], [5, 5, NAN], [1, 2, 3])
    assert list(unfit) == ["S0", "S1", "S2"]
    assert "no value" in unfit["S0"]
    assert "same value" in unfit["S1"]
    assert unfit["S1"] == unfit["S2"]


def test_of_samples_with_the_same_values_the_first_one_is_fit() -> None:
    seen: dict[bytes, str] = {}
    unfit = found([1, 2, NAN], [3, 4, 5], [1, 2, NAN], seen=seen)
    assert list(unfit) == ["S2"]
    assert "those of S0" in unfit["S2"]
    later = unfit_samples(np.array([[3], [4], [5]], np.float32), ["T"], seen)
    assert "those of S1" in later["T"]


def test_a_single_gene_says_nothing() -> None:
    assert found([1], [1]) == {}
