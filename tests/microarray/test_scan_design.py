"""The linear model of probes: packed sequences give what the dense matrix of 80 columns gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray import _scan
from refinebio_assets.microarray.scan_design import COEFFICIENTS, ProbeDesign
from tests.microarray.scan_arrays import made_up_chip


def dense(letters: np.ndarray) -> np.ndarray:
    """The 80 columns as Piccolo et al. write them."""
    is_letter = [letters == ord(letter) for letter in "ACGT"]
    counts = [each.sum(axis=1) for each in is_letter]
    indicators = [is_letter[k][:, position] for k in range(3) for position in range(25)]
    return np.column_stack([counts[3], *indicators, *(count**2 for count in counts)]).astype(float)


@pytest.fixture(scope="module")
def letters() -> np.ndarray:
    return made_up_chip().letters[:2000]


def test_fitted_values_are_those_of_the_dense_matrix(letters):
    coefficients = np.random.default_rng(0).normal(size=COEFFICIENTS)
    fitted = ProbeDesign.from_sequences(letters).fitted(coefficients)
    np.testing.assert_allclose(fitted, dense(letters) @ coefficients, rtol=1e-11, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), hard=st.booleans())
def test_least_squares_are_those_of_the_dense_matrix(letters, seed, hard):
    generator = np.random.default_rng(seed)
    y = generator.normal(8, 2, len(letters))
    weights = generator.integers(0, 2, len(letters)).astype(float) if hard else generator.gamma(1.0, 1.0, len(letters))
    ours = ProbeDesign.from_sequences(letters).least_squares(y, weights)
    scale = np.sqrt(weights)
    theirs = np.linalg.lstsq(dense(letters) * scale[:, None], y * scale, rcond=None)[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


def test_probes_that_do_not_determine_the_model_are_refused(letters):
    design = ProbeDesign.from_sequences(letters[:60])
    with pytest.raises(InputError, match="too few or too alike"):
        design.least_squares(np.ones(60), np.ones(60))


def test_strings_and_letters_in_either_case_are_the_same_design(letters):
    strings = letters.copy().view("S25").ravel()
    lower = np.char.lower(strings)
    for other in (ProbeDesign.from_sequences(strings), ProbeDesign.from_sequences(lower)):
        np.testing.assert_array_equal(other.words, ProbeDesign.from_sequences(letters).words)
    assert ProbeDesign.from_sequences(strings).gc_counts().tolist() == [
        text.count(b"G") + text.count(b"C") for text in strings.tolist()
    ]


def test_what_is_no_25mer_is_told_apart():
    sequences = np.array([b"ACGTACGTACGTACGTACGTACGTA", b"ACGT", b"", b"A" * 26, b"N" + b"A" * 24, b"t" * 25])
    design, usable = ProbeDesign.of_25mers(sequences)
    assert usable.tolist() == [True, False, False, False, False, True]
    assert len(design) == 2
    with pytest.raises(InputError, match="Probe 2 is no sequence of 25 letters A, C, G, T \\(4 are not\\)"):
        ProbeDesign.from_sequences(sequences)
    assert not ProbeDesign.of_25mers(np.array([b"ACG", b"T"]))[1].any()


@pytest.mark.parametrize("sequences", [np.zeros((3, 20), np.uint8), np.zeros(3), np.array(["ACGT"])])
def test_arrays_of_another_kind_are_a_mistake_of_the_program(sequences):
    with pytest.raises(ValueError, match="bytes strings"):
        ProbeDesign.of_25mers(sequences)


@settings(deadline=None)
@given(st.lists(st.floats(1e-3, 1e7), min_size=1, max_size=50))
def test_logarithms_are_right_to_the_last_bits(values):
    numbers, logarithms = np.array(values), np.empty(len(values))
    _scan.log2(numbers, logarithms)
    np.testing.assert_allclose(logarithms, [math.log2(value) for value in values], rtol=4e-16, atol=4e-16)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(1e-6, 1 - 1e-6))
def test_responsibilities_follow_bayes_rule_and_stay_probabilities_far_out(seed, share):
    generator = np.random.default_rng(seed)
    y, first, second = generator.normal(0, 3, (3, 200))
    y[:2] = -1e6, 1e6
    variances, bins = generator.uniform(0.1, 4.0, (2, 25)), generator.integers(0, 25, 200).astype(np.uint8)
    result, shares = np.empty(200), np.array([share, 1 - share])
    _scan.responsibilities(y, first, second, bins, result, variances, shares)
    density = [
        shares[k] / np.sqrt(variances[k][bins]) * np.exp(-((y - mean) ** 2) / (2 * variances[k][bins]))
        for k, mean in enumerate((first, second))
    ]
    assert ((result >= 0) & (result <= 1)).all()
    known = density[0] + density[1] > 1e-290
    expected = density[0][known] / (density[0] + density[1])[known]
    np.testing.assert_allclose(result[known], expected, rtol=1e-9, atol=1e-300)


def test_variances_are_weighted_means_per_bin():
    y, fitted = np.array([1.0, 3.0, 5.0, 6.0]), np.array([0.0, 0.0, 4.0, 4.0])
    variances = np.empty(2)
    _scan.bin_variances(y, fitted, np.array([1.0, 3.0, 1.0, 1.0]), np.array([0, 0, 1, 1], np.uint8), variances)
    assert variances.tolist() == [(1 + 27) / 4, (1 + 4) / 2]


def test_kernels_refuse_arrays_that_do_not_fit():
    words, compositions = np.zeros(3, np.uint64), np.zeros(3, np.uint16)
    numbers, coefficients = np.zeros(3), np.zeros(80)
    bad = [
        lambda: _scan.predict(words, compositions, np.zeros(2), coefficients),
        lambda: _scan.predict(words, compositions, numbers, np.zeros(79)),
        lambda: _scan.predict(words, np.full(3, 3276, np.uint16), numbers, coefficients),
        lambda: _scan.predict(words.astype(np.int32), compositions, numbers, coefficients),
        lambda: _scan.least_squares(words, np.full(3, 9999, np.uint16), numbers, numbers, coefficients),
        lambda: _scan.least_squares(words, compositions, numbers[:2], numbers, coefficients),
        lambda: _scan.least_squares(words, compositions, numbers, numbers, np.zeros(3)),
        lambda: _scan.encode(np.zeros((3, 24), np.uint8), words, compositions),
        lambda: _scan.bin_variances(numbers, numbers, numbers, np.full(3, 2, np.uint8), np.zeros(2)),
        lambda: _scan.bin_variances(numbers, numbers, numbers, np.zeros(3, np.uint8), np.zeros(257)),
        lambda: _scan.responsibilities(
            numbers, numbers, numbers, np.full(3, 25, np.uint8), numbers.copy(), np.ones((2, 25)), np.full(2, 0.5)
        ),
        lambda: _scan.responsibilities(
            numbers, numbers, numbers, np.zeros(3, np.uint8), numbers.copy(), np.ones((3, 25)), np.full(2, 0.5)
        ),
    ]
    for call in bad:
        with pytest.raises(ValueError, match=r"."):
            call()
    with pytest.raises(TypeError):
        _scan.log2(numbers)  # type: ignore[call-arg]  # what is tested
    with pytest.raises(ValueError, match="contiguous"):
        _scan.log2(numbers[::2], np.zeros(2))
