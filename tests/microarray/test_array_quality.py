"""What arrays of an experiment look like beside each other."""

from __future__ import annotations

import numpy as np

from refinebio_assets.microarray.array_quality import (
    content_hash,
    correlation_to_median,
    duplicates,
    has_signal,
    ma_points,
    pearson,
)


def arrays(number: int, genes: int = 400) -> np.ndarray:
    generator = np.random.default_rng(4)
    common = generator.normal(0, 2, genes)
    return (common + generator.normal(0, 0.5, (number, genes))).astype(np.float32)


def test_an_array_of_something_else_correlates_less_with_the_median_array() -> None:
    matrix = arrays(6)
    matrix[4] = np.random.default_rng(9).normal(0, 2, 400)
    found = correlation_to_median(matrix)
    assert found.argmin() == 4
    assert found[4] < 0.3
    assert np.delete(found, 4).min() > 0.9


def test_genes_that_an_array_does_not_have_are_left_out_of_its_correlation() -> None:
    matrix = arrays(5)
    expected = correlation_to_median(matrix)
    wider = np.hstack([matrix, np.full((5, 50), np.nan, dtype=np.float32)])
    wider[:3, 400:] = 1.0
    assert np.isfinite(correlation_to_median(wider)).all()
    assert correlation_to_median(wider)[3] == expected[3]


def test_two_arrays_have_no_median_to_agree_with() -> None:
    assert np.isnan(correlation_to_median(arrays(2))).all()


def test_pearson_is_that_of_numpy() -> None:
    left, right = arrays(2)
    assert abs(pearson(left, right) - np.corrcoef(left, right)[0, 1]) < 1e-6
    assert np.isnan(pearson(np.ones(5), np.arange(5.0)))
    assert np.isnan(pearson(np.ones(1), np.ones(1)))


def test_copies_are_told_by_genes_and_values_and_the_first_accession_stays() -> None:
    genes, values = ("A", "B"), np.array([1.0, 2.0], dtype=np.float32)
    hashes = {
        "GSM3": content_hash(genes, values),
        "GSM1": content_hash(genes, values.copy()),
        "GSM2": content_hash(("A", "C"), values),
        "GSM4": content_hash(genes, np.nextafter(values, np.float32(9))),
    }
    assert duplicates(hashes) == {"GSM3": "GSM1"}


def test_constant_and_missing_values_are_no_signal() -> None:
    assert has_signal(np.array([1.0, 2.0, np.nan]))
    assert not has_signal(np.array([1.0, 1.0]))
    assert not has_signal(np.array([np.nan, np.nan]))
    assert not has_signal(np.array([]))


def test_ma_points_are_mean_and_difference_to_the_median() -> None:
    matrix = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 1.0], [3.0, 8.0, 2.0]], dtype=np.float32)
    mean, difference = ma_points(matrix, 2)
    assert mean.tolist() == [3.0, 6.0, 1.75]
    assert difference.tolist() == [0.0, 4.0, 0.5]
