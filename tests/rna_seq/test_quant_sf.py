"""Reading quant.sf files and naming their samples."""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.rna_seq._quant_sf import QuantSfError, parse, sum_by_gene
from refinebio_assets.rna_seq.quant_sf import find_quant_files, parse_quant_sf, read_quant_sf
from tests.rna_seq.quant_files import HEADER, SAMPLES, quant_sf_text, write_quant_files

TEXT = quant_sf_text(SAMPLES["A"])
NOWHERE = Path("quant.sf")


def parsed(text: str):
    return parse_quant_sf(text.encode(), NOWHERE)


def row(name="t1", length="100", effective_length="50.5", tpm="1.5", reads="2"):
    return f"{HEADER}\n" + "\t".join((name, length, effective_length, tpm, reads)) + "\n"


def test_columns_come_back_as_written():
    quant = parsed(TEXT)
    assert quant.names == ["t1", "t2", "t3", "t4", "t5", "t6", "t7"]
    assert quant.length.tolist() == [100, 200, 1000, 300, 500, 700, 80]
    assert quant.effective_length.tolist() == [50.5, 151.125, 951.5, 250, 451, 650, 31.25]
    assert quant.tpm.tolist() == [10.25, 0, 889.75, 0, 0, 50, 100]
    assert quant.num_reads.tolist() == [3, 0, 120.5, 0, 0, 7, 2.5]


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_told_by_content_not_by_name(tmp_path, compress):
    path = tmp_path / "quant.sf"
    path.write_bytes(compress(TEXT.encode()))
    assert read_quant_sf(path).tpm.tolist() == parsed(TEXT).tpm.tolist()


def test_several_gzip_members_are_one_file(tmp_path):
    path = tmp_path / "quant.sf.gz"
    path.write_bytes(gzip.compress(TEXT[:50].encode()) + gzip.compress(TEXT[50:].encode()) + b"\0" * 10)
    assert read_quant_sf(path).names == parsed(TEXT).names


def test_windows_line_ends_are_accepted():
    assert parsed(TEXT.replace("\n", "\r\n")).num_reads.tolist() == parsed(TEXT).num_reads.tolist()


@pytest.mark.parametrize(
    "number",
    [
        "0", "0.0", "-0.0", "1e-05", "1E5", "+3.5", "9007199254740993", "9007199254740992.5", "0.1",
        "1.7976931348623157e308",
        "4.9e-324", "123456789012345678901234567890", "0.00000000000000000000000012345",
        "2204.018", ".5", "5.", "1" + "0" * 300,
    ],
)  # fmt: skip
def test_decimals_are_rounded_as_python_rounds_them(number):
    assert parsed(row(tpm=number)).tpm[0] == float(number)


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False), st.integers(0, 20))
def test_any_float_reads_back_equal(value, decimals):
    fixed = f"{value:.{decimals}f}"
    quant = parsed(row(tpm=repr(value), reads=fixed))
    assert quant.tpm[0] == value
    assert quant.num_reads[0] == float(fixed)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("\n", 1, "header is not that of a quant.sf"),
        ("# Name\tLength\tTPM\tNumReads\nt1\t1\t2\t3\n", 1, "Salmon 0.7"),
        ("target_id\tlength\teff_length\test_counts\ttpm\nt1\t1\t1\t1\t1\n", 1, "header is not that of a quant.sf"),
        ("<!DOCTYPE html>\n<html><body>404</body></html>\n", 1, "HTML"),
        ("  <?xml version='1.0'?><Error/>", 1, "HTML or XML"),
        (HEADER, 1, "ends after its header"),
        (HEADER + "\n", 2, "no transcript"),
        (TEXT[:-1], 8, "truncated"),
        (TEXT[: TEXT.index("t5") + 7], 6, "truncated"),
        (TEXT.replace("t4\t300\t250\t0\t0", "t4\t300\t250\t0"), 5, "Expected 5 tab-separated fields, found 4"),
        (TEXT.replace("t4\t300\t250\t0\t0", "t4\t300\t250\t0\t0\t0"), 5, "found 6"),
        (TEXT.replace("t4\t300", "\t300"), 5, "Expected 5"),
        (TEXT + "\n", 9, "found 1"),
        (row(tpm="NaN"), 2, "TPM is 'NaN', not a finite number"),
        (row(tpm="-nan"), 2, "not a finite number"),
        (row(effective_length="inf"), 2, "EffectiveLength is 'inf'"),
        (row(reads="1e999"), 2, "NumReads is '1e999', not a finite number"),
        (row(reads="-3.5"), 2, "NumReads is negative: -3.5"),
        (row(length="-1"), 2, "Length is negative"),
        (row(length=""), 2, "Length is not a number: ''"),
        (row(tpm="NA"), 2, "TPM is not a number: 'NA'"),
        (row(tpm="0x10"), 2, "not a number"),
        (row(tpm="1,5"), 2, "not a number"),
        (row(tpm="1_000"), 2, "not a number"),
        (row(tpm="1e"), 2, "not a number"),
        (row(tpm="."), 2, "not a number"),
        (row(tpm=" 1"), 2, "not a number"),
        (row(tpm="1" * 2000), 2, "not a number"),
        (row(reads="1\0"), 2, "not a number"),
        (TEXT.replace("t5\t", "t2\t"), 6, "t2 is listed twice, first in line 3"),
    ],
)  # fmt: skip
def test_errors_name_file_and_line(text, line, words):
    with pytest.raises(MalformedFileError) as caught:
        parsed(text)
    assert (caught.value.path, caught.value.line) == (NOWHERE, line)
    assert words in str(caught.value)
    assert caught.value.remedy


def test_names_that_are_no_text_are_an_error():
    with pytest.raises(MalformedFileError, match="not text"):
        parse_quant_sf(TEXT.encode().replace(b"t3", b"\xff\xfe"), NOWHERE)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_truncated_compressed_file_is_an_error(tmp_path, compress):
    path = tmp_path / "quant.sf.gz"
    path.write_bytes(compress(TEXT.encode())[:-5])
    with pytest.raises(MalformedFileError, match="compressed file is truncated") as caught:
        read_quant_sf(path)
    assert caught.value.line is not None


@pytest.mark.parametrize(
    ("compress", "byte"), [(gzip.compress, -6), (gzip.compress, 12), (bz2.compress, 30), (lzma.compress, 60)]
)
def test_a_damaged_compressed_file_is_an_error(tmp_path, compress, byte):
    damaged = bytearray(compress(TEXT.encode()))
    damaged[byte] ^= 0xFF
    path = tmp_path / "quant.sf"
    path.write_bytes(damaged)
    with pytest.raises(MalformedFileError, match="compressed file is"):
        read_quant_sf(path)


def test_bytes_behind_a_compressed_file_are_an_error(tmp_path):
    path = tmp_path / "quant.sf.gz"
    path.write_bytes(gzip.compress(TEXT.encode()) + b"more")
    with pytest.raises(MalformedFileError, match="something else"):
        read_quant_sf(path)


def test_a_missing_file_and_a_folder_are_bad_input(tmp_path):
    for path in (tmp_path / "none.sf", tmp_path):
        with pytest.raises(InputError) as caught:
            read_quant_sf(path)
        assert caught.value.path == path


def expected(data: bytes):
    """What a plain reading in Python finds: columns, or None for anything malformed."""
    lines = data.split(b"\n")
    if lines[0].removesuffix(b"\r") != HEADER.encode() or lines[-1] or len(lines) < 3:
        return None
    columns = []
    for line in lines[1:-1]:
        fields = line.removesuffix(b"\r").split(b"\t")
        if len(fields) != 5 or not fields[0] or any(b"\r" in field for field in fields):
            return None
        try:
            numbers = [float(field) for field in fields[1:] if set(field) <= set(b"0123456789+-.eE") and field]
            fields[0].decode()
        except ValueError:
            return None
        if len(numbers) != 4 or not all(math.isfinite(number) and number >= 0 for number in numbers):
            return None
        columns.append(numbers)
    return np.array(columns).T


def check_against_plain_reading(data: bytes):
    rows = max(data.count(b"\n") - 1, 0)
    columns, ends = np.empty((4, rows)), np.empty(rows, np.int64)
    wanted = expected(data)
    if wanted is None:
        with pytest.raises(QuantSfError) as caught:
            parse(data, columns, ends)
        assert 1 <= caught.value.args[1] <= rows + 2
        return
    names, prefixes = parse(data, columns, ends)
    np.testing.assert_array_equal(columns, wanted)
    assert prefixes == b"".join(b"\t".join(line.split(b"\t")[:2]) + b"\t" for line in data.split(b"\n")[1:-1])
    sums = np.full((rows, 4), 7.0)
    assert sum_by_gene(data, prefixes, ends, np.arange(rows, dtype=np.int32), sums)
    np.testing.assert_array_equal(sums[:, 0], wanted[2])
    assert len(names) == rows


@settings(max_examples=300)
@given(st.data())
def test_any_bytes_are_read_or_refused(data):
    alphabet = st.sampled_from(
        [b"t", b"\t", b"\n", b"\r", b"0", b"9", b".", b"e", b"-", b"1.5", b"\xff", b"\0", b"nan", b"\t1\t2\t3\t4\n"]
    )
    body = b"".join(data.draw(st.lists(alphabet, max_size=40)))
    check_against_plain_reading(HEADER.encode() + b"\n" + body)
    check_against_plain_reading(body)


def mutations(text: bytes, count: int, seed: int):
    """Copies of ``text`` with a byte changed, some bytes removed, repeated, or the end cut off."""
    generator = random.Random(seed)
    for _ in range(count):
        changed = bytearray(text)
        for _ in range(generator.randint(1, 3)):
            place = generator.randrange(len(changed))
            kind = generator.randrange(5)
            if kind == 0:
                changed[place] = generator.choice(b"\t\n\r0123456789.eE+-naNinf\0\xff<")
            elif kind == 1:
                del changed[place : place + generator.randint(1, 12)]
            elif kind == 2:
                changed[place:place] = changed[place : place + generator.randint(1, 30)]
            elif kind == 3:
                changed[place] ^= 1 << generator.randrange(8)
            elif generator.random() < 0.2:
                del changed[place:]
            if not changed:
                break
        yield bytes(changed)


def test_mutated_real_files_are_read_or_refused(zebrafish):
    real = (zebrafish / "SRR5125621" / "quant.sf").read_bytes()
    start = real[: real.index(b"\n", 700) + 1]
    for mutated in mutations(start, 20_000, seed=1):
        check_against_plain_reading(mutated)


def test_mutated_files_never_give_other_sums_than_the_full_reading(zebrafish):
    real = (zebrafish / "SRR5125621" / "quant.sf").read_bytes()
    start = real[: real.index(b"\n", 700) + 1]
    rows = start.count(b"\n") - 1
    ends = np.empty(rows, np.int64)
    _, prefixes = parse(start, np.empty((4, rows)), ends)
    genes, sums = np.arange(rows, dtype=np.int32), np.empty((rows, 4))
    for mutated in mutations(start, 5_000, seed=2):
        if sum_by_gene(mutated, prefixes, ends, genes, sums):
            columns = expected(mutated)
            np.testing.assert_array_equal(
                sums, np.stack([columns[2], columns[3], columns[2] * columns[1], columns[1]]).T
            )


def test_the_parser_refuses_arrays_that_do_not_fit():
    data = TEXT.encode()
    _, prefixes = parse(data, np.empty((4, 7)), ends := np.empty(7, np.int64))
    genes, sums = np.arange(7, dtype=np.int32), np.empty((7, 4))
    with pytest.raises(ValueError, match="one place per row"):
        parse(data, np.empty((4, 6)), ends)
    with pytest.raises(ValueError, match="shorter"):
        parse(data, np.empty((4, 7)), ends[:6].copy())
    for wrong in ({"genes": genes + 1}, {"genes": genes - 1}, {"ends": ends[::-1].copy()}, {"prefixes": prefixes[:-1]}):
        with pytest.raises(ValueError, match="fit together"):
            sum_by_gene(data, wrong.get("prefixes", prefixes), wrong.get("ends", ends), wrong.get("genes", genes), sums)


def test_samples_of_a_folder_are_called_after_their_folders(tmp_path):
    write_quant_files(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "B" / "quant.sf").rename(tmp_path / "B" / "quant.sf.xz")
    found = find_quant_files([tmp_path])
    assert [source.sample for source in found] == ["A", "B", "C", "D"]
    assert found[1].path == tmp_path / "B" / "quant.sf.xz"


def test_files_that_share_a_folder_are_called_after_themselves(tmp_path):
    names = ["SRR1_quant.sf.gz", "SRR2.quant.sf", "SRR3.sf.bz2", "SRR4"]
    for name in names:
        (tmp_path / name).write_text(TEXT)
    found = find_quant_files(tmp_path / name for name in names)
    assert [source.sample for source in found] == ["SRR1", "SRR2", "SRR3", "SRR4"]


def test_folders_and_files_mix_in_the_order_given(tmp_path):
    write_quant_files(tmp_path)
    found = find_quant_files([tmp_path / "D", tmp_path / "A" / "quant.sf"])
    assert [source.sample for source in found] == ["D", "A"]


def test_relative_paths_know_their_folder(tmp_path, monkeypatch):
    write_quant_files(tmp_path)
    monkeypatch.chdir(tmp_path / "A")
    assert [source.sample for source in find_quant_files([Path("quant.sf"), Path("../B/../C/quant.sf")])] == ["A", "C"]


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (lambda folder: [folder / "none"], "no such file or folder"),
        (lambda folder: [folder / "empty"], "no quant file"),
        (lambda folder: [folder / "A", folder / "A" / "quant.sf"], "two files belong to a sample called A"),
        (lambda folder: [folder / "A", folder / "more" / "A"], "two files belong to a sample called A"),
        (lambda folder: [folder / "twice"], "which one"),
        (lambda folder: [folder / "a\tb"], "tab"),
    ],
)
def test_names_and_folders_that_are_not_clear_are_bad_input(tmp_path, arrange, words):
    write_quant_files(tmp_path)
    write_quant_files(tmp_path / "more")
    write_quant_files(tmp_path, {"a\tb": SAMPLES["A"], "twice": SAMPLES["A"]})
    (tmp_path / "twice" / "quant.sf.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"(?i){words}"):
        find_quant_files(arrange(tmp_path))
