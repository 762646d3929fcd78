"""Tables become values: every method, missing values, logarithms, samples that cannot be used."""

from dataclasses import replace

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError, LowQualityError
from refinebio_assets.microarray.illumina import METHODS, default_method, method_parameters, normalise, prepare
from refinebio_assets.microarray.illumina_platform import read_platform_table
from refinebio_assets.microarray.illumina_table import read_bead_table
from refinebio_assets.microarray.probe_identifiers import ProbeIdKind
from tests.microarray.illumina_corpus import EXAMPLE, SEQUENCES


@pytest.fixture(scope="module")
def table():
    return read_bead_table(EXAMPLE)


@pytest.fixture(scope="module")
def platform():
    return read_platform_table(SEQUENCES)


@pytest.fixture(scope="module")
def limma():
    with np.load(EXAMPLE.parent / "lumi_example_4_reference.npz") as stored:
        return dict(stored)


def values(table, method, platform=None):
    return np.stack([one.values for one in normalise(prepare(table, method, platform=platform), method)])


@pytest.mark.parametrize(("method", "key"), [("nec", "nec"), ("neqc", "neqc"), ("refinebio-1", "scan_norm")])
def test_methods_give_the_numbers_of_their_references(table, platform, limma, method, key):
    assert np.abs(values(table, method, platform)[:, ::10] - limma[key]).max() < 2e-8


@pytest.mark.parametrize("method", METHODS)
def test_quality_and_model_of_each_sample_are_told(table, platform, method):
    outcomes = normalise(prepare(table, method, platform=platform), method)
    for one in outcomes:
        assert one.background.mu > (6 if method == "refinebio-1" else 90)  # of logarithms there
        assert one.quality.missing == 0
        assert 0.3 < one.quality.detected < 0.8
        assert abs(one.quality.gc_correlation_after) < 0.2
        assert (one.fit is None) == (method in {"nec", "neqc"})
    assert method_parameters(method)["offset"] == 16


def test_the_default_depends_on_what_is_known(table, platform):
    assert default_method(table, platform) == "bead-scan"
    assert default_method(table, None) == "nec"


def test_nuids_need_no_platform_table(table, platform):
    nuids = tuple(sorted(platform.nuids, key=platform.nuids.get))
    interpretation = replace(table.reading.interpretation, id_kind=ProbeIdKind.NUID)
    renamed = replace(table, ids=nuids, reading=replace(table.reading, interpretation=interpretation))
    np.testing.assert_array_equal(values(renamed, "bead-scan"), values(table, "bead-scan", platform))
    assert default_method(renamed, None) == "bead-scan"


def test_missing_values_stay_missing(table, platform):
    signal = table.signal.copy()
    signal[0, 5:9] = np.nan
    damaged = replace(table, signal=signal)
    for method in ("bead-scan", "nec", "neqc"):
        found = values(damaged, method, platform)
        assert np.isnan(found[0, 5:9]).all()
        assert np.isfinite(found[1:]).all()
    outcomes = normalise(prepare(damaged, "refinebio-1", platform=platform), "refinebio-1")
    assert isinstance(outcomes[0], LowQualityError)
    assert not any(isinstance(one, InputError) for one in outcomes[1:])


def test_a_background_subtracted_by_genomestudio_makes_no_difference(table, platform):
    subtracted = replace(table, signal=table.signal - 140.0)
    assert (subtracted.signal < 0).any()
    np.testing.assert_allclose(values(subtracted, "nec"), values(table, "nec"), rtol=1e-9)


def test_a_sample_without_a_background_does_not_take_the_others_down(table, platform):
    detection = table.detection.copy()
    detection[2] = 0.0
    for method in METHODS:
        outcomes = normalise(prepare(replace(table, detection=detection), method, platform=platform), method)
        assert [isinstance(one, InputError) for one in outcomes] == [False, False, True, False]


def test_without_p_values_positive_signals_are_taken_as_they_are(table, platform):
    bare = replace(table, detection=None)
    outcomes = normalise(prepare(bare, "nec"), "nec")
    assert outcomes[0].warnings == ("There are no detection p-values: the background was not corrected.",)
    np.testing.assert_array_equal(outcomes[0].values, np.log2(table.signal[0]))
    with pytest.raises(InputError, match="neqc needs"):
        normalise(prepare(bare, "neqc"), "neqc")
    negative = replace(bare, signal=table.signal - 140.0)
    assert all(isinstance(one, LowQualityError) for one in normalise(prepare(negative, "nec"), "nec"))


def test_logarithms_become_intensities_again(table):
    interpretation = replace(table.reading.interpretation, scale="log2")
    logged = replace(table, signal=np.log2(table.signal), reading=replace(table.reading, interpretation=interpretation))
    given = prepare(logged, "nec")
    assert "logarithms" in given.warnings[0]
    np.testing.assert_allclose(given.signal, table.signal)


def test_ratios_are_refused(table):
    interpretation = replace(table.reading.interpretation, scale="centred")
    with pytest.raises(InputError, match="around 0"):
        prepare(replace(table, reading=replace(table.reading, interpretation=interpretation)), "nec")


def test_a_probe_that_is_there_twice_counts_once(table):
    doubled = replace(table, ids=(*table.ids[:-1], table.ids[0]))
    assert len(prepare(doubled, "nec").probes) == len(table.ids) - 1


def test_scan_without_sequences_says_what_to_give(table):
    with pytest.raises(InputError, match="0 of 8000 probes") as raised:
        prepare(table, "bead-scan")
    assert "platform" in raised.value.remedy
