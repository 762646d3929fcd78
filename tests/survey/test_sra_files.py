from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.survey.sra_files import list_fastq, read_files
from tests.survey.recorded import NO_FILES, ena_row, fastq_columns, recorded, run_row

RUN = "SRR1000001"


def chosen(layout: str, *suffixes: str):
    row = run_row(library_layout=layout, **NO_FILES) | fastq_columns(RUN, *suffixes)
    return read_files(row, RUN, raw_data_source="ena")


def test_of_the_three_recorded_files_of_a_run_with_unmated_reads_the_pair_is_taken():
    row = recorded("ena_filereport_SRP048683.json")[0] | {"library_layout": "PAIRED"}
    reads = read_files(row, "SRR1603661", raw_data_source="ena")

    first, second = reads.files
    assert (first.filename, first.mate, first.size_bytes) == ("SRR1603661_1.fastq.gz", 1, 6751980628)
    assert first.md5 == "502a9a482bfa5aa75865ccc0105ad13c"
    assert (second.filename, second.mate, second.size_bytes) == ("SRR1603661_2.fastq.gz", 2, 6949912932)
    assert "SRR1603661.fastq.gz" in reads.notes[0]


def test_the_recorded_study_has_twelve_such_runs():
    rows = recorded("ena_filereport_SRP048683.json")
    assert len(rows) == 12
    assert all(len(read_files(row, row["run_accession"], raw_data_source="ena").files) == 2 for row in rows)


def test_a_recorded_paired_run_with_one_file_is_read_as_single_end_and_says_so():
    reads = read_files(ena_row("SRR6286686"), "SRR6286686", raw_data_source="ena")
    assert (len(reads.files), reads.layout, reads.files[0].mate) == (1, "SINGLE", 0)
    assert "single-end" in reads.notes[0]


@pytest.mark.parametrize(
    ("layout", "suffixes", "names", "effective"),
    [
        ("SINGLE", ("",), [""], "SINGLE"),
        ("SINGLE", ("_1",), ["_1"], "SINGLE"),
        ("PAIRED", ("_1", "_2"), ["_1", "_2"], "PAIRED"),
        ("PAIRED", ("_2", "_1"), ["_1", "_2"], "PAIRED"),
        ("SINGLE", ("_1", "_2"), ["_1", "_2"], "PAIRED"),
        ("", ("_1", "_2"), ["_1", "_2"], "PAIRED"),
        ("PAIRED", ("", "_1"), ["_1"], "SINGLE"),
        ("PAIRED", ("_1", "_2", "_3"), ["_1", "_2"], "PAIRED"),
        ("PAIRED", ("_subreads", "_ccs"), [], "PAIRED"),
        ("PAIRED", ("_2", "_3"), [], "PAIRED"),
    ],
)
def test_one_file_or_a_pair_is_chosen(layout, suffixes, names, effective):
    reads = chosen(layout, *suffixes)
    assert [file.filename for file in reads.files] == [f"{RUN}{name}.fastq.gz" for name in names]
    assert [file.mate for file in reads.files] == ([1, 2] if len(names) == 2 else [0] * len(names))
    assert reads.layout == effective


def test_without_fastq_the_sra_file_is_taken():
    reads = read_files(run_row(fastq_ftp="", fastq_bytes="", fastq_md5=""), RUN, raw_data_source="ena")
    (sra,) = reads.files
    assert sra.url == f"https://sra-pub-run-odp.s3.amazonaws.com/sra/{RUN}/{RUN}"
    assert (sra.kind, sra.size_bytes, sra.md5) == ("sra", None, None)
    assert reads.notes


def test_the_sra_can_be_preferred():
    (sra,) = read_files(run_row(), RUN, raw_data_source="sra").files
    assert sra.kind == "sra"


def test_a_public_run_whose_sra_file_is_not_listed_has_one_of_unknown_size():
    (sra,) = read_files(run_row(sra_ftp="", sra_bytes="", sra_md5=""), RUN, raw_data_source="sra").files
    assert (sra.size_bytes, sra.md5) == (None, None)


def test_a_run_without_any_file_has_none_in_either_source():
    row = run_row(**NO_FILES)
    assert read_files(row, RUN, raw_data_source="ena").files == read_files(row, RUN, raw_data_source="sra").files == ()


def test_size_and_md5_are_unknown_rather_than_wrong_when_the_columns_disagree():
    row = run_row() | fastq_columns(RUN, "_1", "_2") | {"fastq_bytes": "1", "fastq_md5": "a;b;c"}
    assert [(file.size_bytes, file.md5) for file in list_fastq(row)] == [(None, None), (None, None)]


@pytest.mark.parametrize(
    "location",
    [
        "ftp.sra.ebi.ac.uk/../etc/passwd.fastq.gz",
        "ftp.sra.ebi.ac.uk/a/b.txt",
        "<html>",
        "/x.fastq.gz",
        "host/.fastq.gz",
    ],
)
def test_what_is_no_fastq_address_is_not_taken(location: str):
    assert list_fastq(run_row(fastq_ftp=location)) == ()


@pytest.mark.parametrize("scheme", ["", "ftp://", "https://", "http://"])
def test_addresses_become_https(scheme: str):
    (file,) = list_fastq(run_row(fastq_ftp=f"{scheme}ftp.sra.ebi.ac.uk/vol1/a/{RUN}.fastq.gz"))
    assert file.url == f"https://ftp.sra.ebi.ac.uk/vol1/a/{RUN}.fastq.gz"


@given(st.text(), st.text(), st.text())
def test_any_text_in_the_columns_gives_plain_file_names(location, size, md5):
    for file in list_fastq({"fastq_ftp": location, "fastq_bytes": size, "fastq_md5": md5}):
        assert "/" not in file.filename
        assert not file.filename.startswith(".")
        assert file.url.startswith("https://")
