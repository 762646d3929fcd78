"""CDF files: text and binary agree, and what is cut off or contradicts itself is refused."""

import gzip

import numpy as np
import pytest

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.cdf import ProbeSetType, read_cdf
from tests.microarray.array_files import UNITS, cdf_binary, cdf_text
from tests.microarray.seeds import DATA

TEXT, BINARY = DATA / "Test3.text.CDF.gz", DATA / "Test3.xda.CDF.gz"
FORMATS = {
    **{
        f"GC{each}.0": lambda units=UNITS, version=f"GC{each}.0", **o: cdf_text(units, version=version, **o)
        for each in range(1, 7)
    },
    **{
        f"XDA {each}": lambda units=UNITS, version=each, **o: cdf_binary(units, version=version, **o)
        for each in range(1, 5)
    },
}


def cells(cdf):
    names = np.array(cdf.probe_sets)[cdf.probe_set].tolist()
    groups = np.array(cdf.groups)[cdf.group].tolist()
    columns = (cdf.x, cdf.y, cdf.is_pm, cdf.atom, cdf.expos, cdf.types[cdf.probe_set])
    return sorted(zip(names, groups, *(each.tolist() for each in columns), strict=True))


def test_a_real_array_is_the_same_in_both_formats():
    text, binary = read_cdf(TEXT), read_cdf(BINARY)
    assert (text.version, binary.version) == ("GC3.0", "XDA 1")
    for cdf in (text, binary):
        assert (cdf.rows, cdf.cols, cdf.quality_control_units) == (126, 126, 13)
        assert len(cdf.x) == 12708
    assert cells(text) == cells(binary)


@pytest.mark.parametrize("path", [TEXT, BINARY], ids=["text", "binary"])
def test_a_real_array_has_the_probe_pairs_that_its_list_of_probe_sets_says(path):
    with gzip.open(DATA / "Test3.PSI.gz", "rt") as file:
        listed = {name: int(pairs) for _, name, pairs in (line.split("\t") for line in list(file)[1:])}
    cdf = read_cdf(path)
    assert set(cdf.probe_sets) == set(listed)
    assert {name: int(cdf.is_pm[cdf.cells_of(name)].sum()) for name in cdf.probe_sets} == listed
    assert {name: int((~cdf.is_pm[cdf.cells_of(name)]).sum()) for name in cdf.probe_sets} == listed


@pytest.mark.parametrize("version", FORMATS)
def test_values_come_back_as_written(version):
    cdf = read_cdf(FORMATS[version]())
    assert (cdf.version, cdf.rows, cdf.cols, cdf.quality_control_units) == (version, 4, 4, 1)
    assert cdf.probe_sets == cdf.groups == ("1000_at", "1001_at")
    assert cdf.types.tolist() == [ProbeSetType.EXPRESSION] * 2
    assert cdf.probe_set.tolist() == cdf.group.tolist() == [0, 0, 0, 1, 1]
    assert (cdf.x.tolist(), cdf.y.tolist()) == ([0, 0, 1, 2, 2], [0, 1, 0, 2, 3])
    assert cdf.is_pm.tolist() == [True, False, True, True, False]
    assert (cdf.atom.tolist(), cdf.expos.tolist()) == ([0, 0, 1, 0, 0], [33, 33, 47, 12, 12])
    assert cdf.index.tolist() == [0, 4, 1, 10, 14]
    assert cdf.cells_of("1001_at") == slice(3, 5)


@pytest.mark.parametrize("version", ["GC6.0", "XDA 4"])
def test_the_newest_versions_say_their_chip_type(version):
    assert read_cdf(FORMATS[version]()).chip_type == "Test3"


@pytest.mark.parametrize("name", ["HG-U133A.cdf", "GPL96_HG-U133A.CDF.gz", "HG-U133A.CDF"])
@pytest.mark.parametrize("version", ["GC3.0", "XDA 1"])
def test_older_versions_are_called_after_the_file(name, version, tmp_path):
    path = tmp_path / name
    path.write_bytes(FORMATS[version]())
    assert read_cdf(path).chip_type == "HG-U133A"


def test_groups_of_a_probe_set_are_kept_apart():
    units = [("SNP1", [("A", [(0, 0, "A", "T", 0, 1)]), ("G", [(1, 0, "G", "C", 0, 1), (2, 0, "G", "G", 0, 1)])])]
    cdf = read_cdf(cdf_binary(units))
    assert (cdf.probe_sets, cdf.groups) == (("SNP1",), ("A", "G"))
    assert (cdf.probe_set.tolist(), cdf.group.tolist()) == ([0, 0, 0], [0, 1, 1])


@pytest.mark.parametrize("version", FORMATS)
def test_a_file_that_is_cut_off_anywhere_is_refused(version):
    data = FORMATS[version]()
    for length in range(1, len(data.rstrip(b"\r\n") if version.startswith("GC") else data)):
        with pytest.raises(MalformedFileError):
            read_cdf(data[:length])


@pytest.mark.parametrize("version", FORMATS)
def test_a_cell_outside_of_the_array_is_refused(version):
    units = [("1000_at", [("1000_at", [(4, 0, "A", "T", 0, 1)])])]
    with pytest.raises(MalformedFileError, match="outside"):
        read_cdf(FORMATS[version](units))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"Version=GC3.0", b"Version=GC9.0", 2),
        (b"Cell2=0\t1", b"Cell2=0\tx", 37),
        (b"Cell2=0\t1", b"0\t1", 37),
        (b"\tPBASE\t", b"\tBASE\t", 35),
        (b"NumberOfUnits=2", b"NumberOfUnits=3", 60),
        (b"NumCells=3", b"NumCells=4", 39),
    ],
)
def test_errors_in_a_text_name_the_line(old, new, line):
    data = cdf_text()
    assert old in data
    with pytest.raises(MalformedFileError) as caught:
        read_cdf(data.replace(old, new))
    assert caught.value.line == line


def test_probe_sets_that_overlap_do_not_fill_the_memory():
    large = ("large", [("large", [(0, 0, "A", "T", 0, 1)] * 300)])
    data = bytearray(cdf_binary([large, *UNITS * 1000]))
    first = data.index(b"large") + 64 * 2001 + 4
    places = np.frombuffer(data, dtype="<u4", count=2001, offset=first)
    data[first : first + 4 * 2001] = np.full_like(places, places[0]).tobytes()
    with pytest.raises(MalformedFileError, match="overlap"):
        read_cdf(bytes(data))


@pytest.mark.parametrize("data", [b"[CEL]\nVersion=3\n", b"<html>", b"\x43\0\0\0\x09\0\0\0", b"nothing"])
def test_what_is_no_cdf_file_is_refused(data):
    with pytest.raises(MalformedFileError):
        read_cdf(data)
