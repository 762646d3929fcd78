"""Quantpendia: what is in the archive, what is left out and why, the same bytes each time."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from functools import partial

import pytest

from refinebio_assets.compendia.quantpendium import QuantSample, write_quantpendium
from refinebio_assets.domain.download_metadata import DownloadMetadata
from refinebio_assets.domain.errors import NotFoundError

HEADER = "Name\tLength\tEffectiveLength\tTPM\tNumReads\n"
MISSING = "This sample did not have a quant file associated with it in our database."
NO_HEADER = "This sample's quant.sf file was truncated and missing its header"
TRUNCATED = "This sample's quant.sf file was truncated"


def quant_sf(rows: int = 50, *, prefix: str = "ENSDART") -> bytes:
    return (HEADER + "".join(f"{prefix}{row}\t1000\t850.5\t{row}.25\t{row}\n" for row in range(rows))).encode()


def sample(accession: str, content: bytes | None, experiment: str = "SRP1") -> QuantSample:
    opened = None if content is None else partial(io.BytesIO, content)
    return QuantSample(accession=accession, experiment=experiment, open=opened)


def metadata(*accessions: str, experiment: str = "SRP1") -> DownloadMetadata:
    records = {
        name: {"refinebio_accession_code": name, "refinebio_title": f"title {name}", "refinebio_annotations": []}
        for name in accessions
    }
    about = {"title": "Larvae", "sample_accession_codes": list(accessions), "source_first_published": None}
    return DownloadMetadata(
        samples=records,
        experiments={experiment: about},
        memberships=dict.fromkeys(accessions, (experiment,)),
    )


def write(path, samples, known=None):
    known = known or metadata(*(each.accession for each in samples))
    result = write_quantpendium(path, "DANIO_RERIO", "0123456789ab", samples, known)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return result, {name: archive.read(name) for name in archive.namelist()}


def test_files_are_unpacked_into_the_folders_of_their_experiments(tmp_path):
    content = quant_sf()
    samples = [
        sample("SRR1", content),
        sample("SRR2", gzip.compress(content, mtime=0)),
        sample("SRR3", bz2.compress(content), "SRP2"),
        sample("SRR4", lzma.compress(content), "SRP2"),
    ]
    result, contents = write(tmp_path / "q.zip", samples)
    assert result.included == ("SRR1", "SRR2", "SRR3", "SRR4")
    assert (result.filtered, result.experiments, result.transcripts) == ({}, ("SRP1", "SRP2"), 50)
    assert set(contents) == {
        "SRP1/SRR1_quant.sf",
        "SRP1/SRR2_quant.sf",
        "SRP1/metadata_SRP1.tsv",
        "SRP2/SRR3_quant.sf",
        "SRP2/SRR4_quant.sf",
        "SRP2/metadata_SRP2.tsv",
        "README.md",
        "LICENSE.TXT",
        "aggregated_metadata.json",
    }
    assert {contents[name] for name in contents if name.endswith("_quant.sf")} == {content}
    rows = list(csv.DictReader(io.StringIO(contents["SRP2/metadata_SRP2.tsv"].decode()), dialect="excel-tab"))
    assert [row["refinebio_accession_code"] for row in rows] == ["SRR3", "SRR4"]
    assert {row["experiment_accession"] for row in rows} == {"SRP2"}
    about = json.loads(contents["aggregated_metadata.json"])
    assert (about["quant_sf_only"], about["compendium_version"]) == (True, "0123456789ab")
    assert (about["num_samples"], about["num_experiments"]) == (4, 1)
    assert "aggregate_by" not in about


def test_files_that_cannot_be_used_are_left_out_with_the_reason(tmp_path):
    content = quant_sf()

    def gone():
        raise NotFoundError("no such object")

    samples = [
        sample("SRR1", content),
        sample("SRR2", None),
        sample("SRR3", content.partition(b"\n")[2]),
        sample("SRR4", content[:-9]),
        sample("SRR5", gzip.compress(content, mtime=0)[:-20]),
        sample("SRR6", b""),
        sample("SRR7", HEADER.encode()),
        QuantSample(accession="SRR8", experiment="SRP1", open=gone),
        sample("SRR9", b"<html>moved</html>\n"),
    ]
    result, contents = write(tmp_path / "q.zip", samples)
    reasons = {accession: each.reason for accession, each in result.filtered.items()}
    assert reasons == {
        "SRR2": MISSING,
        "SRR3": NO_HEADER,
        "SRR4": TRUNCATED,
        "SRR5": "This sample's quant.sf file could not be read: the compressed data end early.",
        "SRR6": NO_HEADER,
        "SRR7": TRUNCATED,
        "SRR8": "This sample's quant.sf file is not in the object store.",
        "SRR9": NO_HEADER,
    }
    assert [name for name in contents if name.endswith("_quant.sf")] == ["SRP1/SRR1_quant.sf"]
    left_out = json.loads(contents["filtered_samples_metadata.json"])
    assert {accession: each["reason"] for accession, each in left_out.items()} == reasons
    assert left_out["SRR2"]["experiment_accession_code"] == "SRP1"
    assert left_out["SRR2"]["refinebio_title"] == "title SRR2"
    rows = csv.DictReader(io.StringIO(contents["filtered_samples_metadata.tsv"].decode()), dialect="excel-tab")
    assert {row["refinebio_accession_code"]: row["reason"] for row in rows} == reasons
    about = json.loads(contents["aggregated_metadata.json"])
    assert list(about["samples"]) == ["SRR1"]
    assert about["experiments"]["SRP1"]["sample_accession_codes"] == ["SRR1"]


def test_a_file_that_ends_between_two_rows_is_recognised_by_the_others(tmp_path):
    samples = [sample("SRR1", quant_sf()), sample("SRR2", quant_sf(30)), sample("SRR3", quant_sf())]
    result, contents = write(tmp_path / "q.zip", samples)
    assert {accession: each.reason for accession, each in result.filtered.items()} == {
        "SRR2": f"{TRUNCATED}: it has 30 of 50 rows."
    }
    assert "SRP1/SRR2_quant.sf" not in contents
    without = write(tmp_path / "r.zip", [samples[0], samples[2]], metadata("SRR1", "SRR3"))[1]
    assert contents["SRP1/SRR3_quant.sf"] == without["SRP1/SRR3_quant.sf"]


def test_other_releases_of_the_transcriptome_have_other_numbers_of_rows(tmp_path):
    samples = [
        sample("SRR1", quant_sf()),
        sample("SRR2", quant_sf()),
        sample("SRR3", quant_sf(30, prefix="OLD")),
        sample("SRR4", quant_sf(40, prefix="OLDER")),
        sample("SRR5", quant_sf(40, prefix="OLDER")),
    ]
    result, _ = write(tmp_path / "q.zip", samples)
    assert result.filtered == {}
    assert result.transcripts == 50


def test_nothing_usable_still_makes_an_archive_that_says_so(tmp_path):
    result, contents = write(tmp_path / "q.zip", [sample("SRR1", None)])
    assert (result.included, result.transcripts) == ((), 0)
    assert json.loads(contents["aggregated_metadata.json"])["num_samples"] == 0
    assert set(contents) == {
        "README.md", "LICENSE.TXT", "aggregated_metadata.json", "filtered_samples_metadata.json",
        "filtered_samples_metadata.tsv",
    }  # fmt: skip


def test_an_outage_is_not_taken_for_missing_data(tmp_path):
    def fail():
        raise ConnectionError("the store is away")

    with pytest.raises(ConnectionError):
        write(tmp_path / "q.zip", [sample("SRR1", quant_sf()), QuantSample(accession="S", experiment="E", open=fail)])
    assert list(tmp_path.iterdir()) == []


def test_a_sample_comes_once(tmp_path):
    with pytest.raises(ValueError, match="twice"):
        write(tmp_path / "q.zip", [sample("SRR1", quant_sf())] * 2)


def test_the_same_files_give_the_same_bytes(tmp_path):
    samples = [sample("SRR1", quant_sf()), sample("SRR2", quant_sf(30))]
    for name in ("a.zip", "b.zip"):
        write(tmp_path / name, samples)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_hostile_accessions_stay_in_the_archive(tmp_path):
    samples = [sample("../../x\n", quant_sf(), "/etc"), sample("=cmd|'x'!A1", quant_sf(), "../..")]
    _, contents = write(tmp_path / "q.zip", samples)
    with zipfile.ZipFile(tmp_path / "q.zip") as archive:
        archive.extractall(tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*/*_quant.sf"))) == 2
    assert all(name[0].isalnum() and ".." not in name.split("/") for name in contents)
