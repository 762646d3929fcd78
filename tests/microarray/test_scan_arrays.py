"""CEL files to values: one array with its figures, many with an outcome each."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError, LowQualityError, MalformedFileError
from refinebio_assets.microarray import scan_batch
from refinebio_assets.microarray.affymetrix import AffymetrixResult, process_cel, spearman
from refinebio_assets.microarray.cel import read_cel
from refinebio_assets.microarray.scan_annotation import ArrayAnnotation
from refinebio_assets.microarray.scan_batch import common_chip, process_cel_files, sample_name
from tests.microarray.array_files import cel_binary
from tests.microarray.scan_arrays import made_up_chip


@pytest.fixture(scope="module")
def annotation() -> ArrayAnnotation:
    return ArrayAnnotation.read(made_up_chip().table_text().encode())


@pytest.fixture
def cels(tmp_path):
    """Three good arrays."""
    paths = [tmp_path / f"S{seed}.CEL" for seed in range(3)]
    for seed, path in enumerate(paths):
        path.write_bytes(made_up_chip().cel(seed))
    return paths


def test_an_array_has_values_figures_and_its_method(annotation):
    result = process_cel(read_cel(made_up_chip().cel(1)), annotation, "scan-fast")
    assert result.genes == annotation.ids
    has_signal = np.array([int(name.removesuffix("_at")) % 3 == 1000 % 3 for name in result.genes])
    assert result.values[has_signal].min() > result.values[~has_signal].max() - 1
    assert np.median(result.values[has_signal]) > 2 * np.median(np.abs(result.values[~has_signal]))
    assert (result.method, result.parameters["sampled_probes"]) == ("scan-fast", 10_000)
    assert result.platform_code == "madeup"
    assert result.quality.gc_bias_before > 0.3
    assert abs(result.quality.gc_bias_after) < 0.1
    assert result.quality.explained_share > 0.1
    assert result.warnings == ()


def test_what_is_odd_is_said(annotation):
    intensities = made_up_chip().intensities(1)
    shuffled = np.random.default_rng(0).permutation(np.maximum(intensities, np.quantile(intensities, 0.3)))
    cel = read_cel(cel_binary(shuffled, cols=made_up_chip().side, chip_type=""))
    assert any("does not say which array" in warning for warning in cel_warnings(cel, annotation))
    assert any("another chip" in warning for warning in cel_warnings(cel, annotation))
    assert any("noise of 1e-7" in warning for warning in cel_warnings(cel, annotation))


def cel_warnings(cel, annotation) -> tuple[str, ...]:
    return process_cel(cel, annotation, "scan-fast").warnings


@pytest.mark.parametrize(
    ("side", "message"),
    [(79, "cells off the array: it needs 80 rows and 80 columns"), (101, "covers 80 rows and 80 columns of an array")],
)
def test_an_array_of_another_size_is_refused_and_named(annotation, tmp_path, side, message):
    cel = read_cel(cel_binary(np.ones(side * side), cols=side, chip_type="Other"))
    with pytest.raises(InputError, match=message) as raised:
        process_cel(cel, annotation, "scan", path=tmp_path / "a.CEL")
    assert raised.value.path == tmp_path / "a.CEL"


def test_an_array_of_another_chip_is_refused_if_the_annotation_says_which(tmp_path):
    annotation = ArrayAnnotation.read(made_up_chip().table_text().encode(), chip="HG-U133_Plus_2")
    with pytest.raises(InputError, match="chip Made_Up, not hgu133plus2"):
        process_cel(read_cel(made_up_chip().cel(1)), annotation, "scan")


def test_errors_of_the_model_name_the_file(annotation, tmp_path):
    cel = read_cel(cel_binary(np.zeros(6400), cols=80))
    with pytest.raises(LowQualityError) as raised:
        process_cel(cel, annotation, "scan", path=tmp_path / "blank.CEL")
    assert raised.value.path == tmp_path / "blank.CEL"


def test_every_file_has_an_outcome_in_the_order_given(annotation, cels, tmp_path):
    truncated, blank, other = tmp_path / "t.CEL", tmp_path / "b.CEL", tmp_path / "o.CEL"
    truncated.write_bytes(made_up_chip().cel(7)[:-20_000])
    blank.write_bytes(cel_binary(np.zeros(6400), cols=80, chip_type="Made_Up"))
    other.write_bytes(made_up_chip().cel(8, chip_type="Another"))
    paths = [truncated, cels[0], other, cels[1], blank, tmp_path / "missing.CEL", cels[2]]
    told = []
    outcomes = process_cel_files(paths, annotation, "scan-fast", on_done=lambda path, _outcome: told.append(path))
    assert [type(outcome) for outcome in outcomes] == [
        MalformedFileError, AffymetrixResult, InputError, AffymetrixResult, LowQualityError, InputError,
        AffymetrixResult,
    ]  # fmt: skip
    assert told == paths
    assert "chip Another, not madeup" in str(outcomes[2])
    assert all(str(path) in str(outcome) for path, outcome in zip(paths, outcomes, strict=True) if path in paths[4:6])


def test_values_depend_neither_on_threads_nor_on_other_files(annotation, cels):
    alone = [process_cel_files([path], annotation, "scan-fast", threads=1)[0] for path in cels]
    together = process_cel_files(cels, annotation, "scan-fast", threads=3)
    for one, other in zip(alone, together, strict=True):
        assert isinstance(one, AffymetrixResult)
        assert isinstance(other, AffymetrixResult)
        assert one.values.tobytes() == other.values.tobytes()


def test_the_first_error_ends_it_if_asked_to(annotation, cels, tmp_path):
    broken = tmp_path / "broken.CEL"
    broken.write_bytes(b"no CEL")
    with pytest.raises(MalformedFileError, match=r"broken\.CEL"):
        process_cel_files([cels[0], broken, cels[1]], annotation, "scan-fast", keep_going=False)


def test_no_more_arrays_are_in_memory_than_threads(annotation, cels, monkeypatch):
    under_way, most, lock = 0, 0, threading.Lock()
    original = scan_batch.process_cel

    def counted(*arguments, **options):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        try:
            return original(*arguments, **options)
        finally:
            with lock:
                under_way -= 1

    monkeypatch.setattr(scan_batch, "process_cel", counted)
    process_cel_files(cels * 4, annotation, "scan-fast", threads=2)
    assert most <= 2


def test_the_common_chip_is_that_of_most_files_that_fit(annotation, cels, tmp_path):
    assert common_chip(cels, annotation) == "madeup"
    assert common_chip(cels[:1], annotation) == ""
    wrong = [tmp_path / f"W{k}.CEL" for k in range(4)]
    for path in wrong:
        path.write_bytes(cel_binary(np.ones(144), cols=12, chip_type="Small"))
    assert common_chip([*wrong, *cels], annotation) == "madeup"
    assert common_chip(wrong, annotation) == ""


@pytest.mark.parametrize(
    ("name", "sample"),
    [("GSM1.CEL.gz", "GSM1"), ("a.b.cel", "a.b"), ("x.CEL.bz2", "x"), ("x.txt", "x.txt"), (".CEL", ".CEL")],
)
def test_samples_are_called_after_their_files(tmp_path, name, sample):
    assert sample_name(tmp_path / name) == sample


def test_rank_correlation_gives_ties_their_mean_rank():
    assert spearman(np.array([1, 2, 3, 4]), np.array([10, 20, 30, 40])) == pytest.approx(1.0)
    assert spearman(np.array([1, 2, 2, 3]), np.array([4, 3, 3, 1])) == pytest.approx(-1.0)
    assert spearman(np.array([1, 2, 3, 4, 5]), np.array([1, 1, 2, 3, 2])) == pytest.approx(7.5 / 90**0.5)
    assert np.isnan(spearman(np.ones(3), np.arange(3)))
