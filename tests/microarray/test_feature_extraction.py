"""Text of Agilent's Feature Extraction: what is read, and what is refused with which line."""

import bz2
import gzip
import lzma

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.agilent_array import GridLayout, Signal
from refinebio_assets.microarray.feature_extraction import read_feature_extraction
from tests.microarray.agilent_files import DATA, EXTRACTIONS, SPOTS, both, extraction_text, spots

GEMMA = DATA / "GSM361301_head.txt.gz"


@pytest.mark.parametrize("number", [0, 1])
def test_the_columns_are_those_that_limma_takes(number):
    array = read_feature_extraction(EXTRACTIONS[number])

    for column, values in {
        "R": array.red.foreground,
        "Rb": array.red.background,
        "G": array.green.foreground,
        "Gb": array.green.background,
    }.items():
        np.testing.assert_array_equal(values, both("limma_feature_extraction", column)[number])


def test_a_minimal_file_is_read():
    array = read_feature_extraction(EXTRACTIONS[0])

    assert array.name == "251316214319_cut"
    assert array.spots == array.announced_spots == SPOTS
    assert array.layout == GridLayout(1, 1, 36, 30)
    assert array.probes[3] == "A_44_P317301"
    assert array.texts["SystematicName"][3] == "AW523361"
    assert len(array.sequences[3]) == 60
    assert array.header["Scan_NumChannels"] == "2"
    assert array.warnings == ()
    assert (array.control_types[:4].tolist(), array.controls_from) == ([1, 1, -1, 0], "ControlType")


def test_a_full_file_is_read():
    array = read_feature_extraction(GEMMA)

    assert (array.spots, array.announced_spots) == (36, 43931)
    assert array.warnings == ("The file has 36 features, its statistics speak of 43931.",)
    assert array.header["FeatureExtractor_Barcode"] == "251239135410"
    assert array.green.foreground[:2].tolist() == [1077.5, 72]
    assert array.red.background[0] == 58
    assert array.texts["GeneName"][4] == "MAP3K6"
    assert array.green.reported_above_background[0]
    assert not array.red.reported_above_background[0]
    assert array.sequences is None


def test_mean_and_processed_signals_are_read_when_asked_for():
    mean = read_feature_extraction(GEMMA, signal=Signal.MEAN)
    processed = read_feature_extraction(GEMMA, signal=Signal.PROCESSED)

    assert mean.green.foreground[0] == 1078.75
    assert mean.green.columns == ("gMeanSignal", "gBGMedianSignal")
    assert processed.red.foreground[0] == 29.33234
    assert processed.red.background is None


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_line_ends_and_compression_make_no_difference(line_end, pack):
    expected = read_feature_extraction(extraction_text(spots()))

    array = read_feature_extraction(pack(extraction_text(spots(), line_end=line_end)))

    np.testing.assert_array_equal(array.green.foreground, expected.green.foreground)
    np.testing.assert_array_equal(array.probes, expected.probes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_any_encoding_is_understood(encoding):
    rows = [row | {"Description": "Überexprimiert, 5'"} for row in spots(20)]

    array = read_feature_extraction(extraction_text(rows).decode().encode(encoding))

    assert set(array.texts["Description"]) == {"Überexprimiert, 5'"}


def test_one_colour_has_no_red_channel():
    array = read_feature_extraction(extraction_text(spots(two_colours=False)))

    assert array.red is None
    assert list(array.channels) == ["green"]


def test_lines_may_have_empty_fields_more_or_less_than_the_header():
    lines = extraction_text([row | {"Description": ""} for row in spots(20)]).split(b"\n")
    lines[-2] = lines[-2].rstrip(b"\t")  # spreadsheets drop them
    lines[-3] += b"\t\t\t"

    array = read_feature_extraction(b"\n".join(lines))

    assert array.spots == 20
    np.testing.assert_array_equal(
        array.green.foreground, read_feature_extraction(extraction_text(spots(20))).green.foreground
    )


def test_what_follows_a_star_is_not_of_the_table():
    array = read_feature_extraction(extraction_text(spots(20)) + b"*\nTYPE\ttext\n")

    assert array.spots == 20


@pytest.mark.parametrize("value", ["", "NA", "NaN", "null", " ", "1.#QNAN", "-1.#IND"])
def test_missing_values_are_missing(value):
    rows = spots(20)
    rows[7]["gMedianSignal"] = value

    array = read_feature_extraction(extraction_text(rows))

    assert np.flatnonzero(np.isnan(array.green.foreground)).tolist() == [7]


def test_flags_are_gathered():
    rows = [
        row
        | dict.fromkeys(("IsManualFlag", "gIsFeatNonUnifOL", "gIsFeatPopnOL", "gIsSaturated", "rIsSaturated"), 0)
        | {"gIsFound": 1}
        for row in spots(20)
    ]
    rows[1]["IsManualFlag"] = rows[2]["gIsFeatNonUnifOL"] = rows[3]["gIsFeatPopnOL"] = rows[5]["gIsSaturated"] = 1
    rows[4]["gIsFound"] = 0

    array = read_feature_extraction(extraction_text(rows))

    assert np.flatnonzero(array.green.flagged).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(array.red.flagged).tolist() == [1]
    assert np.flatnonzero(array.green.saturated).tolist() == [5]
    assert not array.red.saturated.any()


def test_controls_are_told_by_their_names_where_the_column_is_missing():
    names = ["A_1", "(-)3xSLv1", "GE_BrightCorner", "DarkCorner", "(+)E1A_r60_1", "NegativeControl", "A_2", ""]
    rows = [{**row, "ProbeName": name} for row, name in zip(spots(8), names, strict=True)]
    for row in rows:
        del row["ControlType"]

    array = read_feature_extraction(extraction_text(rows))

    assert array.control_types.tolist() == [0, -1, 1, 1, 1, -1, 0, 1]
    assert array.controls_from == "names of probes"


def test_codes_of_ignored_spots_are_controls():
    rows = spots(4)
    for row, code in zip(rows, (0, -1, -15000, 1), strict=True):
        row["ControlType"] = code

    assert read_feature_extraction(extraction_text(rows)).control_types.tolist() == [0, -1, 1, 1]


def _changed(change):
    lines = extraction_text(spots(20)).split(b"\n")
    change(lines)
    return b"\n".join(lines)


def _set(place, text):
    def change(lines):
        lines[place] = text(lines[place])

    return change


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (_set(15, lambda line: line[:20]), 16, "ends before the column"),
        (_set(15, lambda line: line + b"\tmore"), 16, "fields, the header"),
        (_set(15, lambda line: line.replace(b"DATA", b"DAT")), 16, "begins with 'DAT'"),
        (_set(15, lambda line: line.rsplit(b"\t", 1)[0] + b"\t12,5"), 16, "'12,5' in the column 'rBGMedianSignal'"),
        (_set(15, lambda line: line.rsplit(b"\t", 1)[0] + b"\tinf"), 16, "is no number"),
        (_set(15, lambda line: line.rsplit(b"\t", 1)[0] + b"\t1e16"), 16, "is no number"),
        (_set(15, lambda line: line.rsplit(b"\t", 1)[0] + b"\t1_0"), 16, "is no number"),
        (_set(15, lambda line: b"\0" + line), 16, "zero bytes"),
        (_set(9, lambda line: line.replace(b"rBGMedian", b"gBGMedian")), 10, "is there 2 times"),
        (_set(9, lambda line: line.replace(b"FEATURES", b"FEATURE")), 30, "begins with FEATURES"),
        (lambda lines: lines.__setitem__(slice(10, None), []), 10, "nothing behind the header"),
        (lambda lines: lines.__setitem__(slice(20, None), [lines[20][:-30]]), 21, "ends"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(change, line, message):
    with pytest.raises(MalformedFileError, match=message) as raised:
        read_feature_extraction(_changed(change))

    assert raised.value.line == line
    assert raised.value.remedy


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"GeneName\tvalue\n", b"TYPE\t" * 100_000, gzip.compress(b"TYPE\tx", mtime=0)[:15]]
)
def test_other_files_are_refused(content):
    with pytest.raises(MalformedFileError):
        read_feature_extraction(content)


def test_a_signal_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(InputError, match="gMeanSignal") as raised:
        read_feature_extraction(EXTRACTIONS[0], signal=Signal.MEAN)

    assert "gMedianSignal" in raised.value.remedy


def test_spots_need_names():
    rows = [{key: value for key, value in row.items() if "Name" not in key} for row in spots(5)]

    with pytest.raises(InputError, match="no names"):
        read_feature_extraction(extraction_text(rows))


def test_places_are_whole_numbers():
    rows = spots(5)
    rows[2]["Row"] = 1.5

    with pytest.raises(MalformedFileError, match="whole numbers"):
        read_feature_extraction(extraction_text(rows))
