"""SCAN and UPC: equal to SCAN.UPC where they say so, without its slips otherwise, the same to the byte every time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError, LowQualityError
from refinebio_assets.microarray.affymetrix import process_cel, spearman
from refinebio_assets.microarray.cel import read_cel
from refinebio_assets.microarray.scan import METHODS, sampled_probes, scan, summarize
from refinebio_assets.microarray.scan_design import ProbeDesign
from refinebio_assets.microarray.scan_mixture import MOST_ITERATIONS
from tests.microarray.array_files import cel_binary
from tests.microarray.scan_arrays import REAL_SIDE, made_up_chip, real_annotation, real_grid, reference


def real_cel():
    return read_cel(cel_binary(real_grid(), cols=REAL_SIDE, chip_type="HG_U95Av2"))


@pytest.fixture(scope="module")
def design() -> ProbeDesign:
    return ProbeDesign.from_sequences(made_up_chip().letters)


@pytest.mark.parametrize(
    ("method", "column", "iterations"),
    [("scan.upc", "SCAN", 32), ("scan.upc-fast", "SCANfast", 8), ("upc-fast", "UPCfast", 8)],
)
def test_a_real_array_has_the_numbers_and_the_iterations_of_scan_upc(method, column, iterations):
    result = process_cel(real_cel(), real_annotation(), method)
    expected = reference(column)
    assert set(result.genes) == set(expected)
    np.testing.assert_allclose(result.values, [expected[name] for name in result.genes], rtol=0, atol=1e-7)
    assert (result.method, result.fit.iterations, result.fit.converged) == (method, iterations, True)


def test_genes_of_a_real_array_have_the_numbers_of_scan_upc():
    result = process_cel(real_cel(), real_annotation(genes=True), "scan.upc-fast")
    expected = {name.removesuffix("_at"): value for name, value in reference("genes").items()}
    assert list(result.genes) == sorted(expected)
    np.testing.assert_allclose(result.values, [expected[name] for name in result.genes], rtol=0, atol=1e-7)


def test_the_corrected_method_normalises_every_probe_and_agrees_otherwise():
    cel, annotation = real_cel(), real_annotation()
    intensities = cel.intensities[annotation.y.astype(np.int64) * cel.cols + annotation.x]
    as_published, _ = scan(intensities, annotation.design, "scan.upc-fast")
    corrected, fit = scan(intensities, annotation.design, "scan-fast")
    assert np.count_nonzero(as_published == 0.0) >= 4999
    assert np.count_nonzero(corrected == 0.0) < 10
    assert fit.converged
    normalised = as_published != 0.0
    assert spearman(as_published[normalised], corrected[normalised]) > 0.999


def test_groups_of_the_corrected_method_have_spread_one(design):
    values, _ = scan(made_up_chip().intensities(3), design, "scan-fast")
    assert np.sqrt(np.mean(values**2)) == pytest.approx(1.0, abs=1e-6)


def test_scan_takes_the_effect_of_g_and_c_away(design):
    intensities, gc = made_up_chip().intensities(3), design.gc_counts()
    values, _ = scan(intensities, design, "scan-fast")
    assert spearman(intensities, gc) > 0.3
    assert abs(spearman(values, gc)) < 0.1


def test_probabilities_tell_signal_from_background(design):
    values, fit = scan(made_up_chip().intensities(3), design, "upc-fast")
    has_signal = made_up_chip().sets % 3 == 0
    assert 0.0 <= values.min() <= values.max() <= 1.0
    assert np.median(values[has_signal]) > 0.9
    assert np.median(values[~has_signal]) < 0.1
    assert fit.background_share == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_results_are_the_same_to_the_byte_whatever_the_threads_of_the_linear_algebra(method):
    program = (
        "import hashlib\n"
        "from refinebio_assets.microarray.scan import scan\n"
        "from refinebio_assets.microarray.scan_design import ProbeDesign\n"
        "from tests.microarray.scan_arrays import made_up_chip\n"
        "chip = made_up_chip()\n"
        f"values, _ = scan(chip.intensities(5), ProbeDesign.from_sequences(chip.letters), {method!r})\n"
        "print(hashlib.sha256(values.tobytes()).hexdigest())\n"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "OPENBLAS_CORETYPE": core},
            capture_output=True, text=True, check=True,
        ).stdout
        for threads, core in (("1", "Haswell"), ("8", "Sandybridge"))
    }  # fmt: skip
    assert len(hashes) == 1


def test_one_is_added_only_if_an_intensity_is_zero(design):
    intensities = made_up_chip().intensities(3).astype(np.float64)
    with_a_zero = intensities - 1.0
    with_a_zero[:10] = 0.0
    shifted = with_a_zero + 1.0
    np.testing.assert_array_equal(scan(with_a_zero, design, "scan-fast")[0], scan(shifted, design, "scan-fast")[0])
    assert scan(with_a_zero, design, "scan-fast")[1].share_of_zeros == pytest.approx(10 / len(design))


def test_more_than_one_percent_of_zeros_are_an_error_in_words(design):
    intensities = made_up_chip().intensities(3)
    intensities[:64] = 0.0
    assert scan(intensities, design, "scan-fast")[1].share_of_zeros == pytest.approx(0.01)
    intensities[64] = 0.0
    with pytest.raises(LowQualityError, match=r"1\.0% of the probes have intensity 0, more than 1%.*not hybridised"):
        scan(intensities, design, "scan-fast")


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_intensities_that_are_none_are_refused(design, bad):
    intensities = made_up_chip().intensities(3)
    intensities[7] = bad
    with pytest.raises(InputError, match="numbers of 0 or more"):
        scan(intensities, design, "scan")


def test_a_blank_array_is_refused(design):
    with pytest.raises(InputError):
        scan(np.full(len(design), 100.0), design, "scan-fast")


def test_too_few_probes_are_refused(design):
    few = slice(0, 499)
    with pytest.raises(InputError, match="499 probes"):
        scan(made_up_chip().intensities(3)[few], design.take(few), "scan-fast")


def test_scan_upc_needs_as_many_probes_as_its_groups_and_names_the_method_that_does_not(design):
    part = slice(0, 4999)
    intensities = made_up_chip().intensities(3)[part]
    with pytest.raises(InputError, match=r"5000 probes.*scan-fast"):
        scan(intensities, design.take(part), "scan.upc-fast")
    assert np.isfinite(scan(intensities, design.take(part), "scan-fast")[0]).all()


def test_sequences_that_are_all_alike_are_refused():
    letters = np.tile(np.frombuffer(b"ACGT" * 6 + b"A", np.uint8), (1000, 1))
    with pytest.raises(InputError, match="too few or too alike"):
        scan(np.arange(1.0, 1001.0), ProbeDesign.from_sequences(letters), "scan-fast")


def test_an_array_of_another_length_than_the_design_is_a_mistake_of_the_program(design):
    with pytest.raises(ValueError, match="there are 6400 probes"):
        scan(np.ones(10), design, "scan")


def test_ties_that_leave_fewer_than_25_bins_are_broken_and_counted(design):
    intensities = made_up_chip().intensities(3)
    clipped = np.maximum(intensities, np.quantile(intensities, 0.3))
    first, fit = scan(clipped, design, "scan-fast")
    again, _ = scan(clipped, design, "scan-fast")
    assert fit.tie_breaks >= 1
    np.testing.assert_array_equal(first, again)


def test_an_array_that_does_not_settle_says_so(design):
    method = replace(METHODS["scan"], threshold=0.0)
    _, fit = scan(made_up_chip().intensities(3), design, method)
    assert (fit.iterations, fit.converged) == (MOST_ITERATIONS, False)


@pytest.mark.parametrize(("probes", "every"), [(6400, 1), (19_999, 1), (20_000, 2), (199_084, 19), (604_258, 60)])
def test_the_mixture_is_fitted_to_every_kth_probe(probes, every):
    assert sampled_probes(probes, METHODS["scan-fast"]) == slice(None, None, every)


def test_a_tenth_of_the_probes_is_trimmed_at_both_ends_and_the_mean_rounded():
    values = np.array([100.0, 1, 2, 3, 4, 5, 6, 7, 8, -100.0, 1 / 3, 0.5])
    members = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 11], np.int32)
    means = summarize(values, members, np.array([0, 10, 11, 13]))
    assert means.tolist() == [4.5, 0.33333333, 50.25]
