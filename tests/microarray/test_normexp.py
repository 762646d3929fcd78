"""nec and neqc are those of limma."""

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError, LowQualityError
from refinebio_assets.microarray.illumina_controls import read_negative_controls
from refinebio_assets.microarray.illumina_table import read_bead_table
from refinebio_assets.microarray.normexp import NormexpParameters, fit_detection_p, nec, neqc, normexp_signal
from tests.microarray.illumina_corpus import EXAMPLE

TOLERANCE = 1e-10


@pytest.fixture(scope="module")
def table():
    return read_bead_table(EXAMPLE)


@pytest.fixture(scope="module")
def limma():
    with np.load(EXAMPLE.parent / "lumi_example_4_reference.npz") as stored:
        return dict(stored)


def differs(ours, theirs):
    return np.abs(ours[:, ::10] - theirs).max()


def test_nec_by_detection_p_values_equals_limma(table, limma):
    corrected, models = nec(table.signal, table.detection)
    assert differs(np.log2(corrected), limma["nec"]) < TOLERANCE
    assert all(model.alpha > 10 for model in models)


def test_nec_of_logarithms_equals_limma(table, limma):
    assert differs(nec(np.log2(table.signal), table.detection)[0], limma["nec_of_log2"]) < TOLERANCE


def test_neqc_by_detection_p_values_equals_limma(table, limma):
    assert differs(neqc(table.signal, table.detection)[0], limma["neqc"]) < TOLERANCE


def test_neqc_by_negative_controls_equals_limma(table, limma):
    controls = read_negative_controls(EXAMPLE.parent / "lumi_example_4_controls.txt", table.names)
    assert controls.shape == (4, 22)
    assert differs(neqc(table.signal, controls=controls)[0], limma["neqc_controls"]) < TOLERANCE


def test_the_direction_of_p_values_does_not_matter(table):
    np.testing.assert_allclose(
        nec(table.signal, 1 - table.detection)[0], nec(table.signal, table.detection)[0], rtol=1e-9
    )


def test_a_background_that_was_subtracted_before_changes_nothing(table):
    subtracted = table.signal - np.array([[100.0], [150.0], [90.0], [200.0]])
    np.testing.assert_allclose(nec(subtracted, table.detection)[0], nec(table.signal, table.detection)[0], rtol=1e-9)


def test_missing_values_stay_missing_and_count_for_nothing(table):
    signal = table.signal.copy()
    signal[:, 100:200] = np.nan
    corrected, models = nec(signal, table.detection)
    assert np.isnan(corrected[:, 100:200]).all()
    kept = np.r_[0:100, 200:8000]
    _, of_the_others = nec(table.signal[:, kept], table.detection[:, kept])
    for one, other in zip(models, of_the_others, strict=True):
        assert (one.mu, one.sigma, one.alpha) == pytest.approx((other.mu, other.sigma, other.alpha), rel=1e-12)


def test_signals_far_below_the_background_are_small_and_positive():
    model = NormexpParameters(mu=100.0, sigma=5.0, alpha=200.0)
    values = normexp_signal(np.array([-1e6, -1000.0, 0.0, 60.0, 99.0, 100.0, 1000.0, 1e6]), model)
    assert (np.diff(values) > 0).all()
    assert values[0] >= 1e-6
    assert values[-1] == pytest.approx(1e6 - 100 - 25 / 200)


def test_the_far_tail_continues_the_near_one():
    model = NormexpParameters(mu=0.0, sigma=1.0, alpha=1e9)
    left, right = normexp_signal(np.array([-8.0 - 1e-9, -8.0 + 1e-9]), model)
    assert left == pytest.approx(right, rel=1e-7)


def test_p_values_without_differences_are_refused():
    with pytest.raises(LowQualityError, match="different values"):
        fit_detection_p(np.arange(10.0), np.zeros(10))
    with pytest.raises(LowQualityError, match="No probe"):
        fit_detection_p(np.full(3, np.nan), np.zeros(3))


def test_without_p_values_and_controls_nothing_can_be_estimated():
    with pytest.raises(InputError, match="only from detection p-values"):
        nec(np.ones((1, 3)))
    with pytest.raises(InputError, match="1 negative controls"):
        nec(np.ones((1, 3)), controls=np.ones((1, 1)))


def test_a_control_profile_without_the_samples_is_refused(table, tmp_path):
    with pytest.raises(InputError, match="no column of controls"):
        read_negative_controls(EXAMPLE.parent / "lumi_example_4_controls.txt", ["A01", "Z99"])
