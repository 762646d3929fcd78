"""Arrays from the archive to expression: ``refinebio platform``, ``ingest``, ``status``."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest

from examples.faults import Fault
from examples.synthetic_geo import SyntheticSeries
from tests.end_to_end.conftest import Command, Install
from tests.end_to_end.installation import Installation
from tests.microarray.array_series import (
    MOUSE,
    bead_columns,
    bead_probes,
    bead_table,
    cel,
    gene,
    probe_map,
    probe_summary,
    probe_table,
    series_of_cels,
)
from tests.sensors.ticks import Ticks, let_time_pass

pytestmark = pytest.mark.end_to_end

SERIES = "GSE9000101"
QUICK = {"archive_attempts": "1", "archive_timeout_seconds": "2"}


def import_chip(
    command: Command, installation: Installation, folder: Path, *, version: str = "25", **summary: Any
) -> dict[str, Any]:
    status, answer = command(
        installation, "platform", "import", "--platform", "GPL570",
        "--probe-table", str(probe_table(folder)), "--probe-summary", str(probe_summary(folder, **summary)),
        "--source", "brainarray", "--version", version,
    )  # fmt: skip
    assert status == 0
    found: dict[str, Any] = answer
    return found


def states(installation: Installation, experiment: str = SERIES) -> dict[str, tuple[str, str]]:
    with installation.catalog() as catalog:
        return {
            entry.accession: (entry.state.value, entry.reason) for entry in catalog.ledger.of_experiment(experiment)
        }


def matrix(installation: Installation, experiment: str = SERIES, name: str | None = None) -> anndata.AnnData:
    return anndata.read_h5ad(installation.objects / "array_expression" / experiment / f"{name or experiment}.h5ad")


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


def import_beads(command: Command, installation: Installation, folder: Path, platform: str = "GPL10558") -> None:
    status, imported = command(
        installation, "platform", "import", "--platform", platform, "--probe-map", str(probe_map(folder)),
        "--source", "illumina", "--version", "4",
    )  # fmt: skip
    assert (status, imported["kind"], imported["probes"], imported["genes"]) == (0, "probe_map", 1500, 500)


def bead_series(root: Path, titles: dict[str, int], *, table: bytes) -> SyntheticSeries:
    """A series of BeadArrays whose samples share one table."""
    series = SyntheticSeries(SERIES)
    for title in titles:
        series.add_array_sample(platform="GPL10558", cel=None, title=title)
    series.files[f"{SERIES}_non-normalized.txt.gz"] = gzip.compress(table)
    series.write(root)
    return series


def test_samples_of_a_bead_array_table_each_get_their_column_and_the_unreadable_one_a_reason(
    install: Install, command: Command, tmp_path: Path
) -> None:
    titles = {"liver 1": 1, "liver 2": 2, "kidney 1": 3, "kidney 2": 4}
    table = bead_table(titles, spoilt={"kidney 2"})
    series = bead_series(tmp_path / "studies", titles | {"spleen": 9}, table=table)
    installation = install(tmp_path / "studies", **QUICK)
    assert command(installation, "ingest", SERIES)[1]["items"][0]["outcome"] == "waiting"
    import_beads(command, installation, tmp_path)

    status, answer = command(installation, "ingest", SERIES)

    assert (status, answer["items"][0]["outcome"]) == (0, "done")
    found = [states(installation)[sample.accession] for sample in series.samples]
    assert found[:3] == [("processed", "processed")] * 3
    assert found[3:] == [("failed_processing", "no_column_for_sample")] * 2
    made = matrix(installation)
    assert list(made.obs_names) == [sample.accession for sample in series.samples[:3]]
    assert set(made.obs["method"]) == {"bead-scan"}
    assert set(made.obs["platform"]) == {"Illumina_HumanHT-12_V4.0"}
    assert len(installation.archive.requests_for("non-normalized")) == 1


def test_a_table_that_can_be_read_in_several_ways_is_left_to_a_person(
    install: Install, command: Command, tmp_path: Path
) -> None:
    signal, _ = bead_columns(1)
    generator = np.random.default_rng(3)
    rows = zip(bead_probes()[0], signal, generator.random(1500), generator.random(1500), strict=True)
    table = "\n".join(["ID_REF\tone\ttwo\tthree", *("\t".join(map(str, row)) for row in rows), ""]).encode()
    series = bead_series(tmp_path / "studies", {"liver": 1}, table=table)
    installation = install(tmp_path / "studies", **QUICK)
    import_beads(command, installation, tmp_path)
    command(installation, "ingest", SERIES)
    sample = series.samples[0].accession
    assert states(installation)[sample] == ("failed_processing", "low_confidence_table")
    with installation.catalog() as catalog:
        assert "It is not certain what the columns are" in catalog.ledger.entries([sample])[sample].message
    assert not (installation.objects / "array_expression" / SERIES / f"{SERIES}.h5ad").exists()


def raw_tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_cel_files_that_the_archive_does_not_give_come_from_the_raw_archive_of_the_series(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = SyntheticSeries(SERIES)
    samples = [series.add_array_sample(cel=cel(seed)).accession for seed in (1, 2)]
    damaged, absent = (series.add_array_sample(cel=cel(seed)).accession for seed in (3, 4))
    packed = {f"{name}_array.CEL.gz": gzip.compress(cel(seed)) for seed, name in enumerate(samples, start=1)}
    packed[f"{damaged}_array.CEL.gz"] = gzip.compress(cel(3))[:-2000]
    series.files[f"{SERIES}_RAW.tar"] = raw_tar(packed | {"GPL570.txt": b"not an array"})
    series.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    installation.archive.faults.add(Fault(match=r"suppl/GSM.*\.CEL\.gz", kind="status", status=404))

    status, answer = command(installation, "ingest", SERIES)

    assert (status, answer["items"][0]["outcome"]) == (0, "done")
    found = states(installation)
    assert [found[sample][0] for sample in samples] == ["processed", "processed"]
    assert found[damaged][0] == "corrupt_file"
    assert found[absent] == ("no_raw_file", "archive_not_found")
    assert len(installation.archive.requests_for(r"_RAW\.tar")) == 1
    assert list(matrix(installation).obs_names) == samples


def identifier_map(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "map.tsv"
    rows = [f"{1000 + number}_at\t{gene(number)}" for number in range(360)]
    path.write_text("\n".join(["PROBEID\tENSEMBL", *rows, ""]))
    return path


def test_values_of_submitters_are_read_from_the_family_file_where_there_is_nothing_raw(
    install: Install, command: Command, tmp_path: Path
) -> None:
    generator = np.random.default_rng(5)
    probes = [f"{1000 + number}_at" for number in range(360)]
    series = SyntheticSeries(SERIES)
    submitted = {}
    for _ in range(2):
        values = dict(zip(probes, np.round(generator.normal(7, 2, 360).clip(2, 15), 4).tolist(), strict=True))
        sample = series.add_array_sample(cel=None, values=values, data_processing="RMA, log2")
        submitted[sample.accession] = values
    strange = series.add_array_sample(
        cel=None, values={f"X{number}": 4.0 + (number * 37 % 997) / 100 for number in range(400)}
    )
    series.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    status, answer = command(installation, "ingest", SERIES)
    assert (status, answer["items"][0]["outcome"]) == (1, "waiting")
    assert "--identifier-map" in answer["items"][0]["message"]
    status, imported = command(
        installation, "platform", "import", "--platform", "hgu133plus2", "--identifier-map",
        str(identifier_map(tmp_path)), "--source", "ensembl", "--version", "113",
    )  # fmt: skip
    assert (status, imported["kind"], imported["genes"]) == (0, "identifier_map", 360)

    status, answer = command(installation, "ingest", SERIES)

    assert (status, answer["items"][0]["outcome"]) == (0, "done")
    found = states(installation)
    assert found[strange.accession] == ("failed_processing", "identifiers_not_mapped")
    made = matrix(installation)
    assert list(made.obs_names) == list(submitted)
    assert set(made.obs["processor"]) == {"Submitter-processed"}
    for sample, values in submitted.items():
        expected = np.array([values[probe] for probe in probes], dtype=np.float32)
        assert np.array_equal(made[sample].X[0], expected)


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


def test_an_ingest_that_is_killed_between_arrays_goes_on_where_it_was(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = series_of_cels(SERIES, tuple(range(1, 7)), tmp_path / "studies")
    installation = install(tmp_path / "studies", parallel_samples="1", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    slow = series.samples[3].accession
    installation.archive.faults.add(Fault(match=f"{slow}_array", kind="slow", seconds=60))
    process = installation.start("ingest", SERIES, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: bool(installation.archive.requests_for(f"{slow}_array")))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    done = [sample for sample, (state, _) in states(installation).items() if state == "quantified"]
    assert len(done) == 3
    installation.archive.faults.clear()
    installation.archive.forget_requests()

    status, _ = command(installation, "ingest", SERIES)

    assert status == 0
    fetched = {request.path.rpartition("/")[2] for request in installation.archive.requests_for(r"\.CEL\.gz")}
    assert fetched == {f"{sample.accession}_array.CEL.gz" for sample in series.samples[3:]}
    assert {state for state, _ in states(installation).values()} == {"processed"}
    assert not any(".tmp" in name for name in installation.stored())
    assert not list((installation.scratch / "arrays").iterdir())

    untouched = install(tmp_path / "studies", **QUICK)
    import_chip(command, untouched, tmp_path / "chip")
    assert command(untouched, "ingest", SERIES)[0] == 0
    same = {name: sha for name, sha in installation.stored().items() if name.startswith("array_expression/")}
    assert same == {name: sha for name, sha in untouched.stored().items() if name.startswith("array_expression/")}


def wait_until(happened: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_the_automation_carries_arrays_to_expression_once_their_reference_is_there(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series_of_cels(SERIES, (1, 2), tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    with installation.session() as session:
        session.catalog.ledger.discover([SERIES], source="geo")
        Ticks(session).until_idle()
    assert set(states(installation).values()) == {("surveyed", "no_platform_reference")}
    import_chip(command, installation, tmp_path / "chip")
    with installation.session() as session:
        ticks = Ticks(session)
        let_time_pass(session, 1)
        ticks.until_idle()
        assert ("experiment_automation", SERIES, True) in ticks.executed
    assert set(states(installation).values()) == {("processed", "processed")}
    assert matrix(installation).n_obs == 2


def test_arrays_that_an_unwell_archive_did_not_give_are_tried_again(
    install: Install, command: Command, tmp_path: Path
) -> None:
    series = series_of_cels(SERIES, (1, 2), tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")
    unlucky = series.samples[1].accession
    installation.archive.faults.add(Fault(match=f"{unlucky}_array", kind="status", status=503))
    status, answer = command(installation, "ingest", SERIES)
    assert (status, answer["items"][0]["outcome"]) == (1, "waiting")
    assert states(installation)[unlucky] == ("surveyed", "archive_unavailable")
    assert matrix(installation).n_obs == 1
    installation.archive.faults.clear()
    with installation.session() as session:
        let_time_pass(session, 1)
        ticks = Ticks(session)
        assert ticks.tick("retry_transient_failures") == [SERIES]
        assert ticks.executed == [("retry_transient_failures", SERIES, True)]
    assert matrix(installation).n_obs == 2


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
