import hashlib
import math
from pathlib import Path

import pytest

from refinebio_assets.domain.errors import MalformedFileError, ToolFailedError
from refinebio_assets.rna_seq.reads import reads_statistics
from resources.tools.sra_toolkit import SraToolkit, parse_sra_stat

SRA = Path(__file__).parents[2] / "data" / "rnaseq" / "sra"
GGAL = SRA.parent / "ggal"

# md5 of what fasterq-dump 3.0.3 --split-files writes.
EXPECTED = {
    "ERR3487613": ("fd2c74b319fd623d5879dd902be8050a", "a806db111ba2fdd64e6a74630e3050ce"),
    "SRR600096": ("e1ca16e3369b808103773819feb06ee2", "396f320cd5925e605b93be2dba28874d"),
}


@pytest.mark.parametrize("run", EXPECTED)
def test_reads_are_those_of_a_direct_fasterq_dump(tmp_path, run):
    files = SraToolkit().fasterq_dump(SRA / f"{run}.sra", tmp_path / "fastq")
    assert [file.name for file in files] == [f"{run}_1.fastq", f"{run}_2.fastq"]
    assert tuple(hashlib.md5(file.read_bytes()).hexdigest() for file in files) == EXPECTED[run]
    assert sorted((tmp_path / "fastq").iterdir()) == sorted(files)


def test_a_run_gives_the_reads_it_was_made_of(tmp_path):
    files = SraToolkit().fasterq_dump(SRA / "SRR636272.sra", tmp_path)
    assert reads_statistics(files) == reads_statistics([GGAL / "ggal_gut_1.fq.gz", GGAL / "ggal_gut_2.fq.gz"])


def test_sra_stat_agrees_with_the_reads(tmp_path):
    statistics = SraToolkit().statistics(SRA / "SRR636272.sra")
    assert (statistics.spots, statistics.reads_per_spot, statistics.bases) == (2937, 2, 616_709)
    files = SraToolkit().fasterq_dump(SRA / "SRR636272.sra", tmp_path)
    assert statistics.mean_read_length == pytest.approx(reads_statistics(files).mean_length)


def test_version_is_read():
    assert SraToolkit().version().count(".") == 2


@pytest.mark.parametrize("method", ["fasterq_dump", "statistics"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a web page or XML message"),
        (b"@SRR1.1\nACGT\n", "something else"),
        (b"", "something else"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_no_sra_archive_is_refused(tmp_path, method, content, words):
    path = tmp_path / "SRR1.sra"
    if content is not None:
        path.write_bytes(content)
    arguments = (path, tmp_path / "out") if method == "fasterq_dump" else (path,)
    with pytest.raises(MalformedFileError, match=words) as caught:
        getattr(SraToolkit(), method)(*arguments)
    assert caught.value.path == path


def test_a_truncated_archive_fails_and_leaves_no_reads(tmp_path):
    cut = tmp_path / "SRR636272.sra"
    cut.write_bytes((SRA / "SRR636272.sra").read_bytes()[:200_000])
    with pytest.raises(ToolFailedError) as caught:
        SraToolkit(timeout_seconds=60).fasterq_dump(cut, tmp_path / "out")
    assert caught.value.output
    assert list((tmp_path / "out").iterdir()) == []


def fake_dump(folder, *names):
    """A ``fasterq-dump`` that writes one read to each of the named files."""
    lines = ["#!/bin/sh", 'while [ "$1" != "-O" ]; do shift; done', 'mkdir -p "$2"']
    lines += [f'printf "@r\\nA\\n+\\nI\\n" > "$2/{name}"' for name in names]
    path = folder / "fasterq-dump"
    path.write_text("\n".join([*lines, ""]))
    path.chmod(0o755)
    return SraToolkit(fasterq_dump_program=str(path))


@pytest.mark.parametrize(
    "names", [["S.fastq"], ["S_1.fastq", "S_2.fastq"], ["S_1.fastq", "S_2.fastq", "S.fastq"]], ids=["1", "2", "3"]
)
def test_one_two_or_three_files_come_in_order(tmp_path, names):
    files = fake_dump(tmp_path, *reversed(names)).fasterq_dump(SRA / "SRR600096.sra", tmp_path / "out")
    assert [file.name for file in files] == names


def test_success_without_reads_is_a_failure(tmp_path):
    with pytest.raises(ToolFailedError, match=r"wrote no reads of SRR600096\.sra"):
        fake_dump(tmp_path).fasterq_dump(SRA / "SRR600096.sra", tmp_path / "out")


@pytest.mark.parametrize(
    ("run", "inner", "length"),
    [
        ('spot_count="10" base_count="1000"', '<Statistics nreads="2" nspots="10"/>', 50.0),
        ('spot_count="10" base_count="700"', '<Statistics nreads="variable"><Read average="70"/></Statistics>', 70.0),
        (
            'spot_count="0" base_count="0" spot_count_mates="5" base_count_bio_mates="500"',
            '<Statistics nreads="2"/>',
            50.0,
        ),
        ('spot_count="0" base_count="0"', '<Statistics nreads="1"><Read average="36"/></Statistics>', 36.0),
        ('spot_count="0" base_count="0"', "", math.nan),
    ],
)
def test_mean_read_length_follows_the_order_of_refine_bio(run, inner, length):
    statistics = parse_sra_stat(f"<Run {run}>{inner}</Run>")
    assert statistics.mean_read_length == pytest.approx(length, nan_ok=True)


def test_statistics_that_are_none_are_a_failure(tmp_path):
    fake = tmp_path / "sra-stat"
    fake.write_text("#!/bin/sh\necho nothing\n")
    fake.chmod(0o755)
    with pytest.raises(ToolFailedError, match="no statistics"):
        SraToolkit(sra_stat_program=str(fake)).statistics(SRA / "SRR600096.sra")
