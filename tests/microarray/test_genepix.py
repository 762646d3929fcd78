"""GenePix results: what is read, and what is refused with which line."""

import gzip

import numpy as np
import pytest

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.agilent_array import GridLayout, Signal
from refinebio_assets.microarray.genepix import grid_layout, read_genepix
from tests.microarray.agilent_files import GENEPIX, both

TABLE = "limma_genepix"
LINES = gzip.decompress(GENEPIX[0].read_bytes()).split(b"\r\n")
HEADER = 10


@pytest.mark.parametrize("number", [0, 1])
def test_the_columns_are_those_that_limma_takes(number):
    array = read_genepix(GENEPIX[number])

    for column, values in {
        "R": array.red.foreground,
        "Rb": array.red.background,
        "G": array.green.foreground,
        "Gb": array.green.background,
    }.items():
        np.testing.assert_array_equal(values, both(TABLE, column)[number])


def test_the_median_is_read_when_asked_for():
    array = read_genepix(GENEPIX[0], signal=Signal.MEDIAN)

    np.testing.assert_array_equal(array.red.foreground, both(TABLE, "median.R")[0])


def test_header_names_and_flags_are_read():
    array = read_genepix(GENEPIX[0])

    assert array.header["Wavelengths"] == "635\t532"
    assert array.probes[3] == "A_44_P317301"
    assert array.texts["Name"][3] == "AW523361"
    assert array.layout == GridLayout(2, 4, 9, 15)
    assert array.control_types[:4].tolist() == [1, 1, -1, 0]
    np.testing.assert_array_equal(array.green.flagged, both(TABLE, "weights")[0] == 0)
    assert np.flatnonzero(array.red.saturated)[:2].tolist() == [3, 214]
    assert not array.green.saturated.any()


def _content(lines, line_end=b"\r\n"):
    return line_end.join(lines)


def test_line_ends_and_quotes_make_no_difference():
    plain = [line.replace(b'"', b"") for line in LINES]

    for content in (_content(LINES, b"\n"), _content(plain), gzip.compress(_content(LINES))):
        np.testing.assert_array_equal(read_genepix(content).probes, read_genepix(GENEPIX[0]).probes)


def test_other_lasers_show_in_the_names_of_columns():
    other = [line.replace(b"635", b"594").replace(b"532", b"488") for line in LINES[:HEADER]] + LINES[HEADER:]

    array = read_genepix(_content(other))

    assert array.red.columns == ("F594 Mean", "B594 Median")
    assert array.green.columns == ("F488 Mean", "B488 Median")


def test_one_laser_is_one_colour():
    one = [line.replace(b"F635", b"X635").replace(b"B635", b"Y635") for line in LINES[:HEADER]] + LINES[HEADER:]

    assert read_genepix(_content(one)).red is None


def test_a_column_of_control_types_is_taken_in_words():
    lines = [LINES[0], LINES[1].replace(b"19", b"20"), *LINES[2 : HEADER - 1], LINES[HEADER - 1] + b'\t"ControlType"']
    words = (b"false", b"pos", b"neg", b"ignore")
    lines += [line + b"\t" + words[place % 4] for place, line in enumerate(LINES[HEADER:-1])]

    array = read_genepix(_content([*lines, b""]))

    assert array.control_types[:4].tolist() == [0, 1, -1, 1]
    assert array.controls_from == "ControlType"


def test_errors_of_genepix_are_missing_values():
    cells = LINES[HEADER + 4].split(b"\t")
    cells[9] = b"Error"

    array = read_genepix(_content([*LINES[: HEADER + 4], b"\t".join(cells), *LINES[HEADER + 5 :]]))

    assert np.flatnonzero(np.isnan(array.red.foreground)).tolist() == [4]


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (lambda lines: lines.__setitem__(0, b"AFT\t1.0"), 1, "begin with ATF"),
        (lambda lines: lines.__setitem__(1, b"many\t19"), 2, "how many records"),
        (lambda lines: lines.__setitem__(1, b"99999\t19"), 2, "how many records"),
        (lambda lines: lines.__setitem__(slice(6, None), []), 6, "within its header"),
        (lambda lines: lines.__setitem__(slice(10, None), []), 10, "nothing behind the header"),
        (lambda lines: lines.__setitem__(9, lines[9].replace(b"F", b"G")), 10, "no columns with intensities"),
        (lambda lines: lines.__setitem__(9, b"x" * 200_000), 10, "too long"),
        (lambda lines: lines.__setitem__(20, b"1\t2"), 21, "ends before the column"),
        (lambda lines: lines.__setitem__(20, b'"' + lines[20]), 21, "is no number"),
        (lambda lines: lines.__setitem__(20, lines[20].replace(b"100", b"100,0")), None, None),
    ],
)
def test_what_is_wrong_is_told_with_its_line(change, line, message):
    lines = list(LINES)
    change(lines)
    if message is None:
        assert read_genepix(_content(lines)).spots == 1080  # the diameter is of no interest
        return

    with pytest.raises(MalformedFileError, match=message) as raised:
        read_genepix(_content(lines))

    assert raised.value.line == line
    assert raised.value.remedy


def test_three_wavelengths_are_not_understood():
    lines = list(LINES)
    lines[9] = lines[9].replace(b"F635 Median", b"F488 Median")

    with pytest.raises(InputError, match="3 wavelengths"):
        read_genepix(_content(lines))


def test_there_is_no_processed_signal():
    with pytest.raises(InputError, match="processed"):
        read_genepix(GENEPIX[0], signal=Signal.PROCESSED)


def test_spots_need_names():
    lines = list(LINES)
    lines[9] = lines[9].replace(b'"ID"', b'"I"').replace(b'"Name"', b'"N"')

    with pytest.raises(InputError, match="no names"):
        read_genepix(_content(lines))


@pytest.mark.parametrize(
    ("blocks", "rows_of_blocks", "x_of_blocks"),
    [
        (1, 1, [0]),
        (4, 1, None),
        (8, 2, None),
        (3, 3, None),
        (4, 2, [0, 9, 0, 9]),
        (6, 3, [0, 9] * 3),
        (4, 1, [0, 9, 0, np.nan]),
    ],
)
def test_blocks_form_a_grid(blocks, rows_of_blocks, x_of_blocks):
    places = {
        "Block": np.repeat(np.arange(1, blocks + 1), 6).astype(np.int32),
        "Row": np.tile([1, 1, 1, 2, 2, 2], blocks).astype(np.int32),
        "Column": np.tile([1, 2, 3], 2 * blocks).astype(np.int32),
    }
    x = None if x_of_blocks is None else np.repeat(np.array(x_of_blocks, dtype=float), 6)

    assert grid_layout(places, x, 6 * blocks) == GridLayout(rows_of_blocks, blocks // rows_of_blocks, 2, 3)


def test_spots_that_fill_no_grid_have_no_layout():
    places = {name: np.array([1, 1, 2], dtype=np.int32) for name in ("Block", "Row", "Column")}

    assert grid_layout(places, None, 3) is None
    assert grid_layout({}, None, 3) is None
