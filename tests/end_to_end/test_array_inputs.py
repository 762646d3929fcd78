"""Where values of arrays come from: tables, archives, family files."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from examples.faults import Fault
from examples.synthetic_array_express import SyntheticArrayExpressStudy
from examples.synthetic_geo import SyntheticSeries
from tests.end_to_end.array_installation import (
    QUICK,
    SERIES,
    bead_series,
    identifier_map,
    import_beads,
    import_chip,
    matrix,
    states,
)
from tests.end_to_end.conftest import Command, Install
from tests.microarray.array_series import bead_columns, bead_probes, bead_table, cel, series_of_cels

pytestmark = pytest.mark.end_to_end


STUDY = "E-MTAB-900101"


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


def test_members_of_an_archive_of_array_express_are_given_to_their_assays(
    install: Install, command: Command, tmp_path: Path
) -> None:
    study = SyntheticArrayExpressStudy(STUDY)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for seed in (1, 2):
            assay = study.add_array_assay(f"chip {seed}", file=cel(seed), filename=f"scan_{seed}.CEL")
            archive.writestr(f"scan_{seed}.CEL", cel(seed))
            assay.cells.append(("Comment[ArrayExpress FTP file]", f"ftp://ftp.ebi.ac.uk/x/{STUDY}.raw.1.zip"))
            assay.file = None
        archive.writestr("notes.txt", "not an array")
    study.assays[0].file = (f"{STUDY}.raw.1.zip", packed.getvalue())
    study.add_array_assay("chip 3", file=cel(3))
    study.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    import_chip(command, installation, tmp_path / "chip")

    status, answer = command(installation, "ingest", STUDY)

    assert (status, answer["items"][0]["states"]) == (0, {"processed": 3}), answer
    assert list(matrix(installation, STUDY).obs_names) == [f"{STUDY}-chip_{number}" for number in (1, 2, 3)]
    assert len(installation.archive.requests_for(r"raw\.1\.zip", method="GET")) == 1
    expected = series_of_cels(SERIES, (1, 2, 3), tmp_path / "same")
    same = install(tmp_path / "same", **QUICK)
    import_chip(command, same, tmp_path / "chip")
    command(same, "ingest", expected.accession)
    assert np.array_equal(matrix(installation, STUDY).X, matrix(same).X)


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
