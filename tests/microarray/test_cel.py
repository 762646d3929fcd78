"""CEL files of all three formats: real ones as affxparser reads them, made ones with the values they are made of."""

import bz2
import csv
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.array_names import array_code
from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.cdf import read_cdf
from refinebio_assets.microarray.cel import CelWarningCode, read_cel, read_cel_header
from refinebio_assets.survey.registry import PlatformRegistry
from tests.microarray.array_files import (
    cdf_text,
    cel_binary,
    cel_calvin,
    cel_text,
    generic_file,
    generic_header,
    parameter,
)
from tests.microarray.seeds import DATA

MAKERS = {"3": cel_text, "4": cel_binary, "calvin": cel_calvin}
INTENSITIES = [100.5, 20759, 0, 46133.3, 250, 66, 77, 88, 99, 110.1, 120, 130]
STDEV = [0.5 * each for each in range(12)]
PIXELS = list(range(9, 21))


def table(name):
    path = DATA / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def made(version, **options):
    return MAKERS[version](INTENSITIES, cols=4, **options)


def codes(cel):
    return [warning.code for warning in cel.warnings]


@pytest.mark.parametrize("row", table("affxparser_headers.tsv"), ids=lambda row: row["file"])
def test_a_real_file_is_read_as_affxparser_reads_it(row):
    cel = read_cel(DATA / row["file"], with_spot_statistics=True)
    assert (cel.chip_type, str(cel.rows), str(cel.cols)) == (row["chiptype"], row["rows"], row["cols"])
    assert (cel.algorithm, cel.scan_date) == (row["algorithm"], row["scandate"])
    assert (str(cel.outliers.sum()), str(cel.masked.sum())) == (row["n_outliers"], row["n_masked"])
    assert cel.intensities.mean(dtype=np.float64) == pytest.approx(float(row["mean"]), rel=1e-13)
    assert cel.stdev.sum(dtype=np.float64) == pytest.approx(float(row["sum_stdvs"]), rel=1e-13)
    quantiles = np.quantile(cel.intensities.astype(np.float64), (0, 0.25, 0.5, 0.75, 1))
    expected = [float(row[name]) for name in ("min", "q25", "median", "q75", "max")]
    assert quantiles == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("row", table("affxparser_headers.tsv"), ids=lambda row: row["file"])
def test_every_sampled_cell_of_a_real_file_is_that_of_affxparser(row):
    cel = read_cel(DATA / row["file"], with_spot_statistics=True)
    cells = [each for each in table("affxparser_cells.tsv.gz") if each["file"] == row["file"]]
    index = np.array([int(each["y"]) * cel.cols + int(each["x"]) for each in cells])
    assert len(index) >= 25
    assert index.tolist() == [int(each["index0"]) for each in cells]
    for values, name in ((cel.intensities, "intensity"), (cel.stdev, "stdv"), (cel.pixels, "pixels")):
        assert np.array_equal(values[index], np.array([each[name] for each in cells], dtype=np.float32))


def test_one_array_in_three_formats_is_one_array():
    text, binary, calvin = (
        read_cel(DATA / f"Test3-1.{each}.CEL.gz", with_spot_statistics=True) for each in ("v3", "v4", "calvin")
    )
    assert [text.version, binary.version, calvin.version] == ["3", "4", "calvin"]
    for other in (binary, calvin):
        for name in ("intensities", "stdev", "pixels", "masked"):
            assert np.array_equal(getattr(text, name), getattr(other, name))
    assert np.array_equal(text.outliers, calvin.outliers)  # affxparser left them out of the binary copy
    assert calvin.header["affymetrix-algorithm-param-OutlierLow"] == "1.004"


@pytest.mark.parametrize("version", MAKERS)
def test_values_come_back_as_written(version):
    data = made(version, stdev=STDEV, pixels=PIXELS, masked=[(1, 0), (3, 2)], outliers=[(0, 1)])
    cel = read_cel(data, with_spot_statistics=True)
    assert (cel.version, cel.chip_type, cel.rows, cel.cols, cel.algorithm) == (version, "Test3", 3, 4, "Percentile")
    assert cel.intensities.dtype == np.float32
    assert cel.intensities.tolist() == np.array(INTENSITIES, dtype=np.float32).tolist()
    assert (cel.stdev.tolist(), cel.pixels.tolist()) == (STDEV, PIXELS)
    assert (np.flatnonzero(cel.masked).tolist(), np.flatnonzero(cel.outliers).tolist()) == ([1, 11], [4])
    assert cel.warnings == ()
    assert read_cel(data).stdev is None


@pytest.mark.parametrize("version", MAKERS)
@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, lambda data: gzip.compress(gzip.compress(data))]
)
def test_compression_is_told_by_content(version, pack, tmp_path):
    path = tmp_path / "array.txt"
    path.write_bytes(pack(made(version)))
    assert read_cel(path).intensities[1] == 20759
    assert read_cel_header(path).chip_type == "Test3"


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(MAKERS)),
    st.lists(st.floats(0, 65535, width=32), min_size=6, max_size=6),
    st.sets(st.tuples(st.integers(0, 2), st.integers(0, 1))),
)
def test_any_intensities_come_back(version, intensities, outliers):
    cel = read_cel(MAKERS[version](intensities, cols=3, outliers=sorted(outliers)))
    assert cel.intensities.tolist() == intensities
    assert {(index % 3, index // 3) for index in np.flatnonzero(cel.outliers)} == outliers


@pytest.mark.parametrize(
    ("name", "chip_type", "code"),
    [
        ("C30057.beginning.CEL.gz", "HG_U95Av2", "hgu95av2"),
        ("SG2_u34a.beginning.CEL.gz", "RG_U34A", "rgu34a"),
        ("Mouse430_2.beginning.CEL.gz", "Mouse430_2", "mouse4302"),
        ("GSM306831.beginning.CEL.gz", "Zebrafish", "zebrafish"),
    ],
)
def test_the_header_of_a_real_file_says_which_platform_it_is(name, chip_type, code):
    header = read_cel_header(DATA / name)
    assert (header.chip_type, header.platform_code()) == (chip_type, code)
    assert PlatformRegistry.load().microarray_platform(code).accession == code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("HuEx-1_0-st-v2", "huex10st"), ("HuGene-1_0-st-v1", "hugene10st"), ("hugene10stv1", "hugene10st"),
        ("ZebGene-1_1-st-v1", "zebgene11st"), ("MG_U74Av2", "mgu74av2"), ("stv1hugene10", "stv1hugene10"),
        ("HG-U133_Plus_2", "hgu133plus2"), ("HTA-2_0", "hta20"), ("", ""),
    ],
)  # fmt: skip
def test_a_chip_type_becomes_the_code_that_arrays_are_filed_under(name, code):
    assert array_code(name) == code


@pytest.mark.parametrize(
    "name", ["C30057.beginning.CEL.gz", "Mouse430_2.beginning.CEL.gz", "GSM306831.beginning.CEL.gz"]
)
def test_a_file_that_ends_after_its_beginning_is_no_array(name):
    with pytest.raises(MalformedFileError) as caught:
        read_cel(DATA / name)
    assert caught.value.path == DATA / name
    assert caught.value.line or "byte" in caught.value.message


@pytest.mark.parametrize("version", MAKERS)
def test_a_file_that_is_cut_off_anywhere_is_refused(version):
    data = made(version, masked=[(1, 1)], outliers=[(0, 2), (3, 2)])
    end = len(data) - (2 if version == "3" else 0)  # the last line feed of a text says nothing
    for length in range(1, end):
        with pytest.raises(MalformedFileError):
            read_cel(data[:length])


@pytest.mark.parametrize("maker", ["Test3-1.v4.CEL.gz", "Test3-1.calvin.CEL.gz", "Test3-1.v3.CEL.gz"])
def test_a_compressed_file_that_is_cut_off_or_damaged_is_refused(maker, tmp_path):
    data = (DATA / maker).read_bytes()
    path = tmp_path / "a.CEL.gz"
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 0xFF
    for wrong in (data[:-1], data[: len(data) // 2], bytes(damaged), data + b"more"):
        path.write_bytes(wrong)
        with pytest.raises(MalformedFileError, match="compressed data") as caught:
            read_cel(path)
        assert caught.value.path == path


def test_a_small_file_that_would_become_huge_is_refused():
    with pytest.raises(MalformedFileError, match="larger than"):
        read_cel(gzip.compress(b"\0" * (60 * 2**20), 1))


@pytest.mark.parametrize("version", MAKERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_an_intensity_that_is_not_finite_is_refused(version, value):
    with pytest.raises(MalformedFileError, match=r"not finite|not a finite"):
        read_cel(MAKERS[version]([1, 2, value, 4], cols=2))


@pytest.mark.parametrize("version", MAKERS)
def test_a_listed_cell_outside_of_the_array_is_refused(version):
    for cell in ((4, 0), (0, 3), (-1, 0)):
        with pytest.raises(MalformedFileError, match="outside"):
            read_cel(made(version, outliers=[cell]))


@pytest.mark.parametrize("version", MAKERS)
def test_negative_intensities_are_told(version):
    cel = read_cel(MAKERS[version]([1, -2.5, 3, 4], cols=2))
    assert codes(cel) == [CelWarningCode.NEGATIVE_INTENSITIES]
    assert "-2.5" in cel.warnings[0].message


@pytest.mark.parametrize("version", MAKERS)
def test_a_file_that_does_not_say_its_array_is_read_with_a_warning(version):
    cel = read_cel(made(version, chip_type=""))
    assert (cel.chip_type, cel.platform_code()) == ("", "")
    assert codes(cel) == codes(read_cel_header(made(version, chip_type=""))) == [CelWarningCode.NO_CHIP_TYPE]


@pytest.mark.parametrize("version", MAKERS)
def test_an_array_that_is_not_the_one_expected_is_told(version):
    cdf = read_cdf(cdf_text(name="Test3"))  # four rows, four columns
    assert codes(read_cel(MAKERS[version]([1.0] * 16, cols=4), expected=cdf)) == []
    assert codes(read_cel(made(version), expected=cdf)) == [CelWarningCode.OTHER_SIZE]
    other = read_cel(made(version, chip_type="HG-U133A"), expected=cdf)
    assert codes(other) == [CelWarningCode.OTHER_CHIP_TYPE, CelWarningCode.OTHER_SIZE]


def test_cells_that_are_given_twice_take_the_last_value_and_are_told():
    cel = read_cel(DATA / "affy_v3_example.CEL")
    assert codes(cel) == [CelWarningCode.REPEATED_CELLS]
    assert cel.intensities[:3].tolist() == [234, 170, 22177]


def test_cells_of_a_text_may_come_in_any_order():
    lines = cel_text(INTENSITIES, cols=4).split(b"\r\n")
    first = lines.index(b"CellHeader=X\tY\tMEAN\tSTDV\tNPIXELS") + 1
    lines[first : first + 12] = lines[first : first + 12][::-1]
    assert read_cel(b"\n".join(lines)).intensities.tolist() == np.array(INTENSITIES, dtype=np.float32).tolist()


def test_a_cell_that_is_missing_is_named():
    data = cel_text(INTENSITIES, cols=4).replace(b"  2\t  1\t", b"  3\t  1\t")
    with pytest.raises(MalformedFileError, match="x=2, y=1"):
        read_cel(data)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"  1\t  0\t20759", b"  1\t  0\tabc", 14),
        (b"  1\t  0\t20759", b"  1\t  9\t20759", 14),
        (b"  1\t  0\t20759", b"  1", 14),
        (b"NumberCells=12", b"NumberCells=13", 12),
        (b"[MASKS]", b"[MASK]", 26),
        (b"Version=3", b"Version=2", 2),
    ],
)
def test_errors_in_a_text_name_the_line(old, new, line, tmp_path):
    path = tmp_path / "a.CEL"
    path.write_bytes(cel_text(INTENSITIES, cols=4).replace(old, new))
    with pytest.raises(MalformedFileError) as caught:
        read_cel(path)
    assert (caught.value.path, caught.value.line) == (path, line)


@pytest.mark.parametrize("value", [b"0", b"-4", b"2147483648", b"65536", b"", b"4.5"])
def test_sizes_that_no_array_has_are_refused(value):
    with pytest.raises(MalformedFileError):
        read_cel(cel_text(INTENSITIES, cols=4).replace(b"Cols=4", b"Cols=" + value))


@pytest.mark.parametrize("place", range(8, 20, 4))
@pytest.mark.parametrize("value", [0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1])
def test_counts_that_contradict_each_other_are_refused(place, value):
    data = bytearray(cel_binary(INTENSITIES, cols=4))
    data[place : place + 4] = value.to_bytes(4, "little")
    with pytest.raises(MalformedFileError):
        read_cel(bytes(data))


def test_rows_and_columns_of_a_binary_file_are_those_of_its_words():
    data = cel_binary(INTENSITIES, cols=4)
    swapped = data[:8] + data[12:16] + data[8:12] + data[16:]
    for each in (data, swapped):
        assert (read_cel(each).rows, read_cel(each).cols) == (3, 4)


def test_bytes_after_the_end_are_told():
    assert codes(read_cel(cel_binary(INTENSITIES, cols=4) + b"??")) == [CelWarningCode.TRAILING_BYTES]


def test_a_binary_file_whose_lengths_are_wrong_is_refused():
    with pytest.raises(MalformedFileError, match="byte 780"):
        read_cel(DATA / "affy_v4_example.CEL")


def test_of_several_channels_the_first_is_read_and_the_others_are_told():
    cel = read_cel(cel_calvin(INTENSITIES, cols=4, channels=3))
    assert codes(cel) == [CelWarningCode.SEVERAL_CHANNELS]
    assert cel.intensities[1] == 20759


def test_parameters_of_every_type_become_text():
    values = [
        parameter("affymetrix-cel-rows", 1),
        parameter("affymetrix-cel-cols", 1),
        parameter("plain", "µ text\0\0"),
        parameter("ascii", b"7e11"),
        parameter("float", 1.5),
        parameter("negative", -7),
        parameter("byte", b"\0\0\0\xfe", "text/x-calvin-unsigned-integer-8"),
        parameter("signed", b"\xff\xff\xff\xfe", "text/x-calvin-integer-16"),
        parameter("unsigned", b"\xff\xff\xff\xff", "text/x-calvin-unsigned-integer-32"),
        parameter("short", b"\x05", "text/x-calvin-unsigned-integer-8"),
        parameter("encoded", "a", "text/plain;charset=utf-16"),
        parameter("unknown", b"\x01\xff", "image/png"),
    ]
    header = read_cel_header(generic_file(generic_header("affymetrix-calvin-intensity", values), []))
    assert {name: header.header[name] for name in list(header.header)[2:]} == {
        "plain": "µ text", "ascii": "7e11", "float": "1.5", "negative": "-7", "byte": "254", "signed": "-2",
        "unsigned": "4294967295", "short": "5", "encoded": "a", "unknown": "01ff",
    }  # fmt: skip


def test_another_file_of_the_command_console_is_named():
    data = generic_file(generic_header("affymetrix-expression-probeset-analysis", []), [])
    with pytest.raises(MalformedFileError, match="affymetrix-expression-probeset-analysis"):
        read_cel(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (cdf_text(), "CDF file"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"bcel\r\n\x1a\n", "bcel"),
        (b"ID_REF\tVALUE\n", "no CEL file"),
        (b"", "empty"),
    ],
)
def test_what_is_no_cel_file_is_named(data, message):
    with pytest.raises(MalformedFileError, match=message):
        read_cel(data)


def test_what_is_no_file_is_no_malformed_file(tmp_path):
    for path in (tmp_path, tmp_path / "nothing", Path("/dev/zero")):
        with pytest.raises(InputError) as caught:
            read_cel(path)
        assert caught.value.code == "bad_input"
