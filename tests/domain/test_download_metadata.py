"""Metadata of downloads: packed records, dates, names of platforms."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.download_metadata import DownloadMetadata, PackedRecords, pretty_platform

VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)
NESTED = VALUES | st.dictionaries(st.text(), VALUES, max_size=2)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.dictionaries(st.text(), NESTED, max_size=3), max_size=4))
def test_records_come_back_as_they_were(records):
    packed = PackedRecords(records.items())
    assert dict(packed) == records
    assert len(packed) == len(records)
    assert "\0 not there" not in packed


def test_records_take_a_tenth_of_the_memory_of_their_text():
    records = {
        f"GSM{number}": {"title": f"larva {number}", "protocol": "Larvae were kept in the cold. " * 20, "n": number}
        for number in range(500)
    }
    packed = PackedRecords(records.items())
    text = sum(len(json.dumps(record)) for record in records.values())
    assert sum(map(len, packed._packed.values())) < text / 10


def test_changing_a_record_changes_nothing_inside():
    packed = PackedRecords([("a", {"list": [1]})])
    packed["a"]["list"].append(2)
    assert packed["a"] == {"list": [1]}


@pytest.mark.parametrize(
    ("name", "accession", "shown"),
    [
        ("[Zebrafish] Affymetrix Zebrafish Genome Array", "zebrafish", "Affymetrix Zebrafish Genome Array (zebrafish)"),
        ("Illumina HiSeq 2000", "IlluminaHiSeq2000", "Illumina HiSeq 2000 (IlluminaHiSeq2000)"),
        ("[HG-U133A]", "hgu133a", "[HG-U133A] (hgu133a)"),
        ("Some array", None, "Some array"),
        (None, None, ""),
    ],
)
def test_platforms_are_shown_with_their_accession(name, accession, shown):
    assert pretty_platform(name, accession) == shown


def test_the_date_is_the_last_change_of_any_experiment():
    experiments = {
        "A": {"source_first_published": "2019-05-01T00:00:00", "source_last_modified": None},
        "B": {"source_first_published": "2018-01-01T00:00:00", "source_last_modified": "2018-02-01T00:00:00"},
    }
    assert DownloadMetadata(samples={}, experiments=experiments).last_changed() == "2019-05-01T00:00:00"
    assert DownloadMetadata(samples={}).last_changed() == ""


def test_a_sample_is_listed_under_its_first_experiment():
    metadata = DownloadMetadata(samples={}, memberships={"S": ("B", "A")})
    assert (metadata.experiment_of("S"), metadata.experiment_of("T")) == ("B", "")
