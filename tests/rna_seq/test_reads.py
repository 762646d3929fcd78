import gzip
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.rna_seq import reads
from refinebio_assets.rna_seq.reads import FastqStatistics, fastq_statistics, index_length, mates, reads_statistics

GGAL = Path(__file__).parents[1] / "data" / "rnaseq" / "ggal"
ONE = b"@r1\nACGT\n+\nIIII\n"


def fastq(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_counts_real_paired_reads_over_both_mates():
    statistics = reads_statistics([GGAL / "ggal_gut_1.fq.gz", GGAL / "ggal_gut_2.fq.gz"])
    assert [file.reads for file in statistics.files] == [2937, 2937]
    # sra-stat counts 616,709 bases in the same run.
    assert statistics.bases == 616_709
    assert statistics.mean_length == pytest.approx(616_709 / 5874)
    assert statistics.index_length is IndexLength.LONG


@pytest.mark.parametrize(("mean", "length"), [(75.0, "short"), (75.01, "long"), (36, "short"), (101, "long")])
def test_reads_longer_than_75_take_the_long_index(mean, length):
    assert index_length(mean) is IndexLength(length)


def test_plain_gzip_and_concatenated_gzip_count_the_same(tmp_path):
    content = ONE * 3
    plain = fastq_statistics(fastq(tmp_path / "a.fastq", content))
    zipped = fastq_statistics(fastq(tmp_path / "b.fastq", gzip.compress(content)))
    members = fastq_statistics(fastq(tmp_path / "c.fastq.gz", gzip.compress(ONE) + gzip.compress(ONE * 2)))
    assert plain == zipped == members == FastqStatistics(3, 12, 4, 4)


@pytest.mark.parametrize(
    "content",
    [ONE.rstrip(b"\n"), ONE + b"\n\n", ONE.replace(b"\n", b"\r\n"), b"@r1 x\nACGT\n+r1 x\n@+II\n"],
    ids=["no final line end", "blank lines at the end", "windows line ends", "quality that starts with @"],
)
def test_harmless_variants_are_valid(tmp_path, content):
    assert fastq_statistics(fastq(tmp_path / "a.fastq", content)) == FastqStatistics(1, 4, 4, 4)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (ONE + b"r2\nACGT\n+\nIIII\n", 5, "should start with '@' but reads 'r2'"),
        (ONE + b"@r2\nACGT\n-\nIIII\n", 7, "third line"),
        (ONE * 2 + b"@r3\nACGT\n+\nIII\n", 12, "4 bases but 3 qualities"),
        (ONE + b"@r2\nACGT\n", 7, "middle of a record"),
        (b"<!DOCTYPE html>\n<html>\n</html>\n", 1, "web page"),
        (b"<html><head><title>403</title></head>", 1, "web page"),
        (b">fasta\nACGT\n>fasta2\nACGT\n", 1, "no FASTQ"),
    ],
)
def test_a_broken_record_is_named_with_its_line(tmp_path, content, line, words):
    path = fastq(tmp_path / "a.fastq", content)
    with pytest.raises(MalformedFileError, match=words) as caught:
        fastq_statistics(path)
    assert (caught.value.path, caught.value.line) == (path, line)


def test_truncated_gzip_is_found_wherever_it_was_cut(tmp_path):
    whole = (GGAL / "ggal_gut_1.fq.gz").read_bytes()
    for share in (0.001, 0.5, 0.999):
        path = fastq(tmp_path / "cut.fq.gz", whole[: int(len(whole) * share)])
        with pytest.raises(MalformedFileError, match="truncated"):
            fastq_statistics(path)


def test_damaged_gzip_is_found(tmp_path):
    whole = bytearray((GGAL / "ggal_gut_1.fq.gz").read_bytes())
    whole[-6] ^= 0xFF
    with pytest.raises(MalformedFileError, match="damaged"):
        fastq_statistics(fastq(tmp_path / "damaged.fq.gz", bytes(whole)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MalformedFileError, match=r"none\.fastq"):
        fastq_statistics(tmp_path / "none.fastq")


def test_a_file_without_line_ends_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(reads, "_LONGEST_RECORD_BYTES", 1000)
    monkeypatch.setattr(reads, "_BLOCK_BYTES", 100)
    with pytest.raises(MalformedFileError, match="no end within 1,000 bytes"):
        fastq_statistics(fastq(tmp_path / "a.fastq", b"@" + b"A" * 5000))


def test_no_reads_is_an_error_for_a_sample(tmp_path):
    with pytest.raises(MalformedFileError, match="no reads"):
        reads_statistics([fastq(tmp_path / "a.fastq", b"")])


def test_mates_must_have_the_same_number_of_reads(tmp_path):
    files = [fastq(tmp_path / "r_1.fastq", ONE * 2), fastq(tmp_path / "r_2.fastq", ONE)]
    with pytest.raises(MalformedFileError, match=r"r_1\.fastq has 2, r_2\.fastq has 1"):
        reads_statistics(files)


def test_unmated_reads_of_a_paired_run_are_left_out():
    names = ["SRR1.fastq.gz", "SRR1_2.fastq.gz", "SRR1_1.fastq.gz"]
    assert mates([Path(name) for name in names]) == (Path("SRR1_1.fastq.gz"), Path("SRR1_2.fastq.gz"))
    assert mates([Path("SRR1.fastq.gz")]) == (Path("SRR1.fastq.gz"),)


@pytest.mark.parametrize("names", [["a_1.fastq", "b_2.fastq"], ["a_1.fastq", "a.fastq"], [], ["x.fq", "y.fq"]])
def test_files_that_are_no_pair_are_refused(names):
    with pytest.raises(MalformedFileError, match="neither one FASTQ file nor a pair"):
        mates([Path(name) for name in names])


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    block=st.integers(1, 64),
    line_end=st.sampled_from([b"\n", b"\r\n"]),
)
def test_any_records_count_right_for_any_block_size(tmp_path_factory, lengths, block, line_end):
    content = b"".join(line_end.join([b"@r", b"A" * length, b"+", b"I" * length, b""]) for length in lengths)
    path = fastq(tmp_path_factory.mktemp("fastq") / "a.fastq", content)
    before = reads._BLOCK_BYTES
    try:
        reads._BLOCK_BYTES = block
        counted = fastq_statistics(path)
    finally:
        reads._BLOCK_BYTES = before
    assert counted == FastqStatistics(len(lengths), sum(lengths), min(lengths), max(lengths))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_either_fastq_or_a_clear_error(tmp_path_factory, content):
    path = fastq(tmp_path_factory.mktemp("fastq") / "a.fastq", content)
    with suppress(MalformedFileError):
        assert fastq_statistics(path).reads <= len(content) / 4
