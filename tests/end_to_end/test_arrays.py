"""Arrays from the archive to expression: ``refinebio platform``, ``ingest``, ``status``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.synthetic_geo import SyntheticSeries
from tests.end_to_end.array_installation import (
    QUICK,
    SERIES,
    bead_series,
    import_beads,
    import_chip,
    matrix,
    states,
)
from tests.end_to_end.conftest import Command, Install
from tests.microarray.array_series import MOUSE, bead_table, cel, gene, probe_summary, probe_table, series_of_cels

pytestmark = pytest.mark.end_to_end


def test_arrays_wait_for_the_reference_of_their_platform_and_are_processed_when_it_comes(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = series_of_cels(SERIES, (1, 2, 3), tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)

    status, answer = command(installation, "ingest", SERIES)

    (item,) = answer["items"]
    assert (status, item["outcome"]) == (1, "waiting"), item
    assert "3 arrays wait. There is no chip annotation of hgu133plus2 yet." in item["message"]
    assert "refinebio platform import --platform hgu133plus2 --probe-table" in item["message"]
    assert set(states(installation).values()) == {("surveyed", "no_platform_reference")}
    assert not installation.archive.requests_for(".CEL.gz")

    imported = import_chip(command, installation, tmp_path / "chip")
    assert (imported["genes"], imported["organism"], imported["outcome"]) == (360, "HOMO_SAPIENS", "imported")
    assert (imported["samples_to_process"], imported["experiments"]) == (3, [SERIES])
    status, answer = command(installation, "ingest", SERIES)

    (item,) = answer["items"]
    assert (status, item["outcome"], item["states"]) == (0, "done", {"processed": 3})
    made = matrix(installation)
    assert list(made.obs_names) == [sample.accession for sample in series.samples]
    assert made.var_names[0] == gene(0)
    assert made.X.dtype == np.float32
    assert set(made.obs["platform"]) == {"hgu133plus2"}


def test_one_bad_array_of_each_kind_does_not_cost_the_others(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = series_of_cels(SERIES, (1, 2, 3), tmp_path / "studies")
    good = [sample.accession for sample in series.samples]
    corrupt = series.add_array_sample(cel=cel(4)[:5000]).accession
    wrong_chip = series.add_array_sample(cel=cel(5, chip_type="Unheard_Of")).accession
    other_organism = series.add_array_sample(cel=cel(6), organism_ch1="Mus musculus", taxid_ch1="10090").accession
    copy = series.add_array_sample(cel=cel(2)).accession
    zeros = np.frombuffer(bytearray(cel(7)), dtype=np.uint8).tobytes()
    no_values = series.add_array_sample(cel=zeroed(zeros)).accession
    series.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")

    status, answer = command(installation, "ingest", SERIES)

    (item,) = answer["items"]
    assert (status, item["outcome"], item["state"]) == (0, "done", "processed")
    found = states(installation)
    assert [found[sample] for sample in good] == [("processed", "processed")] * 3
    assert found[corrupt] == ("corrupt_file", "malformed_file")
    assert found[wrong_chip] == ("unsupported_platform", "wrong_chip")
    assert found[other_organism] == ("unsupported_platform", "wrong_chip")
    assert found[copy] == ("failed_qc", "duplicate_of_sample")
    assert found[no_values] == ("failed_qc", "too_many_zero_probes")
    assert len(found) == 8
    made = matrix(installation)
    assert list(made.obs_names) == good
    assert set(made.uns["left_out"]) == {corrupt, copy, no_values, wrong_chip, other_organism}
    _, shown = command(installation, "status", SERIES)
    messages = {row["accession"]: row["message"] for row in shown["items"][0]["samples"]}
    assert good[1] in messages[copy]
    assert "Unheard_Of" in messages[wrong_chip]
    assert "Homo sapiens" in messages[other_organism]


def zeroed(content: bytes, share: float = 0.1) -> bytes:
    """A CEL file of version 4 whose last intensities are 0."""
    start = len(content) - 3600 * 10
    data = bytearray(content)
    for number in range(int(3600 * share)):
        data[start + 10 * number : start + 10 * number + 4] = b"\0\0\0\0"
    return bytes(data)


def test_the_same_ingest_again_processes_nothing_and_changes_nothing(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = series_of_cels(SERIES, (1, 2), tmp_path / "studies")
    series.add_array_sample(cel=cel(4)[:5000])
    series.add_array_sample(cel=cel(5, chip_type="Unheard_Of"))
    series.add_array_sample(cel=cel(2))
    series.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    command(installation, "ingest", SERIES)
    before, stored = states(installation), installation.stored()
    installation.archive.forget_requests()

    status, _ = command(installation, "ingest", SERIES)

    assert status == 0
    assert not installation.archive.requests_for(r"\.CEL\.gz")
    assert states(installation) == before
    assert installation.stored() == stored
    assert not list((installation.scratch / "arrays").iterdir())


def test_another_reference_brings_back_exactly_the_samples_of_its_platform(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = series_of_cels(SERIES, (1, 2), tmp_path / "studies")
    for seed in (3, 4):
        mouse = cel(seed, chip_type=MOUSE)
        series.add_array_sample(cel=mouse, platform="GPL1261", organism_ch1="Mus musculus", taxid_ch1="10090")
    series.write(tmp_path / "studies")
    human = [sample.accession for sample in series.samples[:2]]
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    summary = str(probe_summary(tmp_path / "mouse", prefix="ENSMUSG"))
    status, _ = command(
        installation, "platform", "import", "--platform", "Mouse430_2", "--probe-table",
        str(probe_table(tmp_path / "mouse")), "--probe-summary", summary, "--source", "brainarray", "--version", "25",
    )  # fmt: skip
    assert (status, command(installation, "ingest", SERIES)[0]) == (0, 0)
    made = {name: matrix(installation, name=f"{SERIES}_{name}") for name in ("HOMO_SAPIENS", "MUS_MUSCULUS")}
    assert list(made["HOMO_SAPIENS"].obs_names) == human
    assert made["MUS_MUSCULUS"].var_names[0] == gene(0, prefix="ENSMUSG")

    again = import_chip(command, installation, tmp_path / "chip")
    assert (again["outcome"], again["samples_to_process"]) == ("unchanged", 0)
    changed = import_chip(command, installation, tmp_path / "chip", version="26", shift=1)
    assert (changed["outcome"], changed["samples_to_process"]) == ("imported", 2)
    reasons = {sample: reason for sample, (_, reason) in states(installation).items()}
    assert [sample for sample, reason in reasons.items() if reason == "platform_reference_arrived"] == human
    installation.archive.forget_requests()
    command(installation, "ingest", SERIES)

    fetched = {request.path.rpartition("/")[2] for request in installation.archive.requests_for(r"\.CEL\.gz")}
    assert fetched == {f"{sample}_array.CEL.gz" for sample in human}
    assert {state for state, _ in states(installation).values()} == {"processed"}
    redone = matrix(installation, name=f"{SERIES}_HOMO_SAPIENS")
    assert not np.array_equal(redone.X, made["HOMO_SAPIENS"].X)
    assert np.array_equal(matrix(installation, name=f"{SERIES}_MUS_MUSCULUS").X, made["MUS_MUSCULUS"].X)


def test_arrays_of_two_makers_in_one_series_share_a_matrix_of_all_genes(
    install: Install, command: Command, tmp_path: Path
) -> None:
    """One corrupt, one wrong chip, one copy, one unreadable column; the others are processed."""
    titles = {"bead 1": 1, "bead 2": 2, "bead 3": 3, "bead 4": 4}
    series = bead_series(tmp_path / "studies", titles, table=bead_table(titles, spoilt={"bead 4"}))
    contents = (cel(1), cel(2), cel(3)[:9000], cel(4, chip_type="Unheard_Of"), cel(1))
    affymetrix = [series.add_array_sample(cel=content).accession for content in contents]
    beads = [sample.accession for sample in series.samples[:4]]
    series.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    import_beads(command, installation, tmp_path)

    status, answer = command(installation, "ingest", SERIES)

    assert (status, answer["items"][0]["outcome"]) == (0, "done")
    found = states(installation)
    good = [*beads[:3], *affymetrix[:2]]
    assert [sample for sample, (state, _) in found.items() if state == "processed"] == sorted(good)
    assert [found[sample] for sample in (beads[3], *affymetrix[2:])] == [
        ("failed_processing", "no_column_for_sample"),
        ("corrupt_file", "malformed_file"),
        ("unsupported_platform", "wrong_chip"),
        ("failed_qc", "duplicate_of_sample"),
    ]
    made = matrix(installation)
    assert list(made.obs_names) == sorted(good)
    on_beads = np.isfinite(made[beads[0]].X[0])
    on_chip = np.isfinite(made[affymetrix[0]].X[0])
    assert (on_beads | on_chip).all()
    assert on_chip.sum() == 360
    assert 360 < on_beads.sum() <= 500


def test_a_sample_of_two_experiments_is_processed_once_and_is_in_both_matrices(
    install: Install, command: Command, tmp_path: Path
) -> None:
    first = series_of_cels(SERIES, (1, 2), tmp_path / "studies")
    second = SyntheticSeries("GSE9000102")
    own = second.add_array_sample(cel=cel(3))
    second.samples.insert(0, first.samples[0])
    second.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    assert command(installation, "ingest", SERIES)[0] == 0
    installation.archive.forget_requests()

    status, answer = command(installation, "ingest", "GSE9000102")

    assert (status, answer["items"][0]["states"]) == (0, {"processed": 2})
    fetched = [request.path.rpartition("/")[2] for request in installation.archive.requests_for(r"\.CEL\.gz")]
    assert fetched == [f"{own.accession}_array.CEL.gz"]
    shared = first.samples[0].accession
    both = [matrix(installation), matrix(installation, "GSE9000102")]
    assert list(both[1].obs_names) == sorted([shared, own.accession])
    assert np.array_equal(both[0][shared].X, both[1][shared].X)
    with installation.catalog() as catalog:
        assert catalog.ledger.entries([shared])[shared].experiment_accession == SERIES


def test_removing_an_experiment_takes_its_array_values_along(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series_of_cels(SERIES, (1, 2), tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    assert command(installation, "ingest", SERIES)[0] == 0
    assert len(list((installation.objects / "array_expression" / SERIES).iterdir())) == 4
    status, _ = command(installation, "unsurvey", SERIES, "--yes")
    assert status == 0
    assert not (installation.objects / "array_expression" / SERIES).exists() or not any(
        (installation.objects / "array_expression" / SERIES).iterdir()
    )
    assert any(name.startswith("platform_references/hgu133plus2/") for name in installation.stored())
