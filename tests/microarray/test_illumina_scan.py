"""SCAN of 50-mers: refine.bio's numbers, and the corrected default."""

import gzip

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray import _bead_scan
from refinebio_assets.microarray.bead_scan import BeadDesign, bead_scan, parameters, usable_sequences
from refinebio_assets.microarray.illumina_table import read_bead_table
from refinebio_assets.microarray.normexp import nec
from tests.microarray.illumina_corpus import EXAMPLE, SEQUENCES

SEEN = np.random.default_rng(0)


@pytest.fixture(scope="module")
def sequences():
    lines = gzip.decompress(SEQUENCES.read_bytes()).decode().splitlines()[1:]
    return [line.split("\t")[2] for line in lines]


@pytest.fixture(scope="module")
def design(sequences):
    return BeadDesign.from_sequences(sequences)


@pytest.fixture(scope="module")
def table():
    return read_bead_table(EXAMPLE)


def test_refinebio_1_gives_the_numbers_of_refine_bio(design, table):
    reference = np.load(EXAMPLE.parent / "lumi_example_4_reference.npz")["scan_norm"]
    corrected = nec(np.log2(table.signal), table.detection)[0]
    for sample, expected in zip(corrected, reference, strict=True):
        values, fit = bead_scan(sample, design, "refinebio-1")
        assert np.abs(values[::10] - expected).max() < 2e-8  # its 8 decimals
        assert fit.converged
        assert (values == 0).sum() == 49


def test_the_default_has_no_zeros_and_settles(design, table):
    y = np.log2(nec(table.signal, table.detection)[0])
    for sample in y:
        values, fit = bead_scan(sample, design)
        assert np.isfinite(values).all()
        assert (values != 0).all()
        assert fit.converged
        assert 0.4 < fit.background_share < 0.7
        assert np.corrcoef(values, sample)[0, 1] > 0.9


def test_the_same_array_gives_the_same_bytes(design, table):
    y = np.log2(table.signal[0])
    for method in ("bead-scan", "refinebio-1"):
        assert bead_scan(y, design, method)[0].tobytes() == bead_scan(y, design, method)[0].tobytes()


def test_the_model_is_solved_as_by_a_written_out_design(sequences):
    part = sequences[:1500]
    design = BeadDesign.from_sequences(part)
    letters = np.array([list(one) for one in part])
    counts = np.array([(letters == base).sum(axis=1) for base in "ACG"]).T
    of_t = 60 - counts.sum(axis=1)
    indicators = [letters == base for base in "ACG"]
    matrix = np.hstack([of_t[:, None], *indicators, counts**2, of_t[:, None] ** 2]).astype(float)
    y, weights = SEEN.normal(8, 1, len(part)), SEEN.uniform(0.1, 1, len(part))
    root = np.sqrt(weights)
    expected = matrix @ np.linalg.lstsq(matrix * root[:, None], y * root, rcond=None)[0]
    coefficients = design.least_squares(y, weights)
    np.testing.assert_allclose(design.fitted(coefficients), expected, atol=1e-7)
    np.testing.assert_allclose(design.fitted(coefficients), matrix @ coefficients, atol=1e-9)


def test_only_fifty_bases_are_usable(sequences):
    wrong = [sequences[0][:49], sequences[0] + "A", "N" * 50, "", sequences[0].lower()]
    assert usable_sequences(wrong).tolist() == [False, False, False, False, True]
    with pytest.raises(InputError, match="50 letters"):
        BeadDesign.from_sequences(wrong)


def test_too_few_or_equal_probes_are_refused(sequences):
    with pytest.raises(InputError, match="at least 1000"):
        bead_scan(np.ones(10), BeadDesign.from_sequences(sequences[:10]))
    with pytest.raises(InputError, match="do not determine"):
        bead_scan(SEEN.normal(8, 1, 1200), BeadDesign.from_sequences(sequences[:1] * 1200))
    with pytest.raises(InputError, match="no numbers"):
        bead_scan(np.full(1200, np.nan), BeadDesign.from_sequences(sequences[:1200]))


def test_the_extension_checks_what_it_is_given(design):
    y = np.ones(len(design))
    with pytest.raises(ValueError, match="below 16"):
        _bead_scan.least_squares(design.codes | 16, design.numbers, y, y, np.empty(155))
    with pytest.raises(ValueError, match="155"):
        _bead_scan.predict(design.codes, design.numbers, y, np.empty(154))
    with pytest.raises(ValueError, match="one entry per probe"):
        _bead_scan.least_squares(design.codes, design.numbers, y[1:], y, np.empty(155))
    with pytest.raises(ValueError, match="25 codes"):
        _bead_scan.predict(design.codes[:, :24].copy(), design.numbers, y, np.empty(155))


def test_parameters_are_those_of_the_method():
    assert parameters("refinebio-1") == {
        "sampled_probes": 10_000, "convergence_threshold": 0.5, "group_size": 50, "bins": 25,
    }  # fmt: skip
    assert parameters("bead-scan")["group_size"] == 1000
