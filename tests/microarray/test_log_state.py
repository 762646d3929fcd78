"""On which scale values are: real tables whose scale is known, and what must hold for any values."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.log_state import LEAST_CONFIDENCE, Scale, log_state, scale_said, to_log2
from refinebio_assets.survey.geo_tables import SampleTable, read_sample_tables

DATA = Path(__file__).parents[1] / "data"

# What the submitters say: MAS 4 and 5 and other intensities; RMA; ratios of two channels and their logarithms.
LABELLED = [
    ("geo/GSM11805.txt.gz", "GSM11805", Scale.LINEAR),
    ("geo/GSM645.txt.gz", "GSM645", Scale.LINEAR),
    ("geo/GSE16035.soft.gz", "GSM401312", Scale.LINEAR),
    ("geo/GSE18707.soft.gz", "GSM464492", Scale.LINEAR),
    ("geo/GSE2870_family.soft.gz", "GSM53299", Scale.LINEAR),
    ("geo/GSE1611_family.soft.gz", "GSM27472", Scale.LINEAR),
    ("geo/GSE7540.soft.gz", "GSM182704", Scale.LINEAR),
    ("geo/GSE611_family.soft.gz", "GSM9238", Scale.LINEAR),
    ("geo/GSE96_family.soft.gz", "GSM2819", Scale.LINEAR),
    ("identifiers/GSM27446.soft.gz", "GSM27446", Scale.LOG2),
    ("identifiers/GSM804.txt.gz", "GSM804", Scale.RATIO),
    ("geo/soft_ex_dual.txt.gz", "Control Embyronic Stem Cell Replicate 1", Scale.RATIO),
    ("geo/GSE4047_family.soft.gz", "GSM92653", Scale.RATIO),
    ("geo/GSE13657_family.soft.gz", "GSM343584", Scale.RATIO),
]


@cache
def values(file: str, sample: str) -> np.ndarray:
    found: list[SampleTable] = []
    read_sample_tables(DATA / file, found.append, samples={sample})
    assert found[0].value is not None
    return found[0].value.values


@pytest.mark.parametrize(("file", "sample", "scale"), LABELLED, ids=[sample for _, sample, _ in LABELLED])
def test_the_scale_of_real_tables_is_told(file, sample, scale):
    state = log_state(values(file, sample))
    assert state.scale is scale, state.reason
    assert state.confidence >= LEAST_CONFIDENCE
    assert state.reason


@pytest.mark.parametrize("factor", [1 / 8, 1 / 4, 1 / 2, 1, 2, 3.7, 8, 64, 1000])
def test_intensities_and_their_logarithms_are_told_apart_over_a_wide_range_of_units(factor):
    linear = values("geo/GSM11805.txt.gz", "GSM11805") * factor
    assert log_state(linear).scale is Scale.LINEAR
    assert log_state(np.log2(linear)).scale is Scale.LOG2


@pytest.mark.parametrize(("scale", "base"), [(Scale.LOG2, 2.0), (Scale.LN, math.e), (Scale.LOG10, 10.0)])
@pytest.mark.parametrize("decimals", [3, 4, 6, 15])
def test_the_base_is_told_by_the_numbers_before_the_logarithm_was_taken(scale, base, decimals):
    logs = np.round(np.log(values("geo/GSM11805.txt.gz", "GSM11805")) / math.log(base), decimals)
    state = log_state(logs)
    assert state.scale is scale
    assert state.evidence.grid[str(scale)] > 0.9


def test_natural_logarithms_that_could_be_dim_logarithms_to_base_2_are_refused_unless_the_submitter_speaks():
    natural = values("identifiers/GSM27446.soft.gz", "GSM27446") * math.log(2)
    assert log_state(natural).scale is Scale.UNKNOWN
    assert log_state(natural, said="natural log of RMA-like signal").scale is Scale.UNKNOWN  # two scales are named
    assert log_state(natural, said="natural log of the signal").scale is Scale.LN


def test_the_submitters_words_do_not_overrule_the_values():
    intensities = values("geo/GSM11805.txt.gz", "GSM11805")
    state = log_state(intensities, said="log2 RMA signal")
    assert state.scale is Scale.LINEAR
    assert "although the submitter speaks of log2" in state.reason


def intensities(seed: int, size: int = 8000) -> np.ndarray:
    """Log-normal signals over a background, as a scanner gives them."""
    rng = np.random.default_rng(seed)
    return np.minimum(2 ** rng.normal(7.0, 2.2, size) + 20, 65_535.0)


@given(seed=st.integers(0, 10_000), power=st.floats(-1, 12))
@settings(max_examples=60, deadline=None)
def test_synthetic_intensities_in_any_unit_are_linear_and_their_logarithms_to_base_2(seed, power):
    linear = intensities(seed) * 2**power
    assert log_state(linear).scale is Scale.LINEAR
    assert log_state(np.log2(linear)).scale is Scale.LOG2


@given(seed=st.integers(0, 10_000), spread=st.floats(0.2, 1.2), shift=st.floats(-0.1, 0.1))
@settings(max_examples=60, deadline=None)
def test_ratios_of_two_channels_and_their_logarithms_are_ratios(seed, spread, shift):
    logs = np.random.default_rng(seed).normal(shift, spread, 4000)
    assert log_state(logs).scale is Scale.RATIO
    assert log_state(2**logs).scale is Scale.RATIO


def test_a_handful_of_lopsided_ratios_is_not_taken_for_logarithms_to_base_10():
    numbers = [-1.02, -0.4, 0.3, 0.9, 1.1, 1.2, 1.3, 1.6, 2.1, 2.95]
    assert log_state(numbers).scale in {Scale.RATIO, Scale.UNKNOWN}


@pytest.mark.parametrize(
    ("what", "numbers"),
    [
        ("nothing", []),
        ("one value", [7.0] * 500),
        ("calls", [0, 1, 2] * 500),
        ("p-values", np.linspace(0, 1, 999)),
        ("ranks", np.arange(20_000.0)),
        ("percentiles", np.linspace(0, 100, 9999)),
        ("not a number", [math.nan, math.inf, -math.inf] * 9),
        ("a handful", [5.0, 7.0, 9.0]),
    ],
)
def test_what_is_no_expression_is_refused_with_a_reason(what, numbers):
    state = log_state(numbers)
    assert state.scale is Scale.UNKNOWN
    assert state.reason


def test_one_absurd_value_among_logarithms_is_not_overlooked():
    logs = values("identifiers/GSM27446.soft.gz", "GSM27446").copy()
    logs[7] = 9999.0
    assert log_state(logs).scale in {Scale.UNKNOWN, Scale.LINEAR}
    assert log_state(logs).confidence < 0.9


@given(arrays.arrays(np.float64, st.integers(0, 60), elements=st.floats(width=64)))
@settings(max_examples=300, deadline=None)
def test_any_values_have_a_state_and_their_order_does_not_matter(numbers):
    state = log_state(numbers)
    assert 0 <= state.confidence <= 1
    assert state == log_state(numbers[::-1]) or math.isnan(state.evidence.median)
    assert state.scale is Scale.UNKNOWN or state.confidence >= LEAST_CONFIDENCE


@given(seed=st.integers(0, 500), share=st.floats(0, 0.5))
@settings(max_examples=30, deadline=None)
def test_missing_values_do_not_matter(seed, share):
    logs = np.log2(intensities(seed, 2000))
    rng = np.random.default_rng(seed)
    with_gaps = np.concatenate([logs, np.full(int(share * 2000), np.nan)])
    rng.shuffle(with_gaps)
    assert log_state(with_gaps) == log_state(logs)


@pytest.mark.parametrize("scale", [Scale.LOG2, Scale.LOG10, Scale.LN, Scale.LINEAR])
@given(numbers=arrays.arrays(np.float64, 20, elements=st.floats(-20, 20)))
def test_conversions_undo_the_logarithm_and_keep_the_order(scale, numbers):
    base = {Scale.LOG2: 2.0, Scale.LOG10: 10.0, Scale.LN: math.e}.get(scale)
    submitted = 2.0**numbers if base is None else numbers * math.log(2) / math.log(base)
    result = to_log2(submitted, scale)
    np.testing.assert_allclose(result.values, numbers, rtol=1e-12, atol=1e-12)
    assert (result.conversion == "none") == (scale is Scale.LOG2)
    assert result.not_positive == 0


@given(numbers=arrays.arrays(np.float64, 30, elements=st.floats(-1e6, 1e6)))
def test_values_without_a_logarithm_are_missing_and_counted(numbers):
    result = to_log2(numbers, Scale.LINEAR)
    assert result.not_positive == (numbers <= 0).sum() == np.isnan(result.values).sum()
    positive = numbers > 0
    np.testing.assert_array_equal(result.values[positive], np.log2(numbers[positive]))


@pytest.mark.parametrize("scale", [Scale.UNKNOWN, Scale.RATIO])
def test_nothing_is_made_of_what_is_not_known(scale):
    with pytest.raises(InputError, match=str(scale)):
        to_log2([1.0, 2.0], scale)


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("RMA value", Scale.LOG2),
        ("log base 2 of signal", Scale.LOG2),
        ("Log2 normalized signal", Scale.LOG2),
        ("MAS 5.0 Statistical Algorithm (mean scaled to 500)", Scale.LINEAR),
        ("Average Difference Intensity", Scale.LINEAR),
        ("log10 of intensity", Scale.LOG10),
        ("natural logarithm", Scale.LN),
        ("Normalized log2 ratio (Cy5/Cy3) representing test/reference", Scale.RATIO),
        ("aka LOG2RATIO, mean of log base 2 of LINEAR_RATIO", Scale.RATIO),
        ("operation at low concentration", None),
        ("log2 or log10", None),
        ("", None),
    ],
)
def test_what_submitters_say_about_the_scale_is_understood(text, scale):
    assert scale_said(text) is scale


@given(st.text(max_size=80))
def test_any_words_are_taken(text):
    assume("ratio" not in text.lower())
    assert scale_said(text) in {None, *Scale}
