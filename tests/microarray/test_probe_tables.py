"""Probe tables of Affymetrix and Brainarray, and the versioned reference that is made of them."""

import csv
import gzip
import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.chip_annotation import load_chip_annotation, save_chip_annotation
from refinebio_assets.microarray.probe_tables import read_probe_table
from tests.microarray.array_files import PROBE_TAB
from tests.microarray.seeds import DATA, annotation

REAL = {
    "HG-U95Av2_probe_tab.200.gz": ("Probe Set Name", "Probe X", "Probe Y", "Probe Sequence"),
    "hgu95av2_ensg_probe.200.tsv.gz": ("Probe.Set.Name", "x", "y", "sequence"),
    "HGFocus_Hs_ENSG_mapping.200.txt.gz": ("Probe Set Name", "Probe X", "Probe Y", None),
}


def same(one, other):
    assert one.probe_sets == other.probe_sets
    for name in ("x", "y", "probe_set", "sequence"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("name", REAL)
def test_every_probe_of_a_real_table_is_read(name):
    probe_set, x, y, sequence = REAL[name]
    with gzip.open(DATA / name, "rt") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    table = read_probe_table(DATA / name)
    assert len(table) == len(rows) == 199
    assert table.x.tolist() == [int(row[x]) for row in rows]
    assert table.y.tolist() == [int(row[y]) for row in rows]
    assert [table.probe_sets[code] for code in table.probe_set] == [row[probe_set] for row in rows]
    if sequence is None:
        assert table.sequence is None
    else:
        assert table.sequence.dtype == "S25"
        assert table.sequence.tolist() == [row[sequence].encode() for row in rows]


@settings(deadline=None)
@given(st.permutations(range(5)), st.sampled_from(["\t", ","]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_columns_may_come_in_any_order_with_tabs_or_commas_and_with_or_without_quotes(order, separator, end, is_quoted):
    columns = [
        ("Probe.Set.Name", "1000_at", "1001_at"), ("x", "399", "544"), ("strand", "a", "s"), ("y", "559", "185"),
        ("sequence", "TCTCCTTTGCTGAGGCCTCCAGCTT", "aggcctccagcttcaggcaggccaa"),
    ]  # fmt: skip
    quote = '"{}"' if is_quoted else "{}"
    lines = [separator.join(quote.format(columns[place][row]) for place in order) + end for row in range(3)]
    table = read_probe_table("".join(lines).encode())
    assert (table.x.tolist(), table.y.tolist(), table.probe_sets) == ([399, 544], [559, 185], ("1000_at", "1001_at"))
    assert table.sequence.tolist() == [b"TCTCCTTTGCTGAGGCCTCCAGCTT", b"AGGCCTCCAGCTTCAGGCAGGCCAA"]


@pytest.mark.parametrize(
    "header",
    [
        b"Probe ID\tTranscript Cluster ID\tprobe x\tprobe y\tassembly\tprobe sequence",
        b"# made with a tool\nProbe.ID\tprobeset_id\tProbe.X\tProbe.Y\tother\tProbe.Sequence",
        b"\xef\xbb\xbfa\tProbe Set ID\tPROBE_X\tPROBE_Y\tb\tSequence",
    ],
)
def test_names_of_columns_vary(header):
    table = read_probe_table(header + b"\n77\t8000001\t3\t4\thg18\tACGTACGTACGTACGTACGTACGTA\n")
    assert (table.probe_sets, table.x.tolist(), table.y.tolist()) == (("8000001",), [3], [4])
    assert table.sequence.tolist() == [b"ACGTACGTACGTACGTACGTACGTA"]


def test_sequences_that_are_not_known_are_empty_and_others_may_be_of_any_length():
    rows = (b"!", b"NA", b"", b"ACGT", b"ACGT" * 15, b"NANA")
    lines = [b"sequence\tx\ty\tProbe.Set.Name\n", *(row + b"\t1\t2\ta\n" for row in rows)]
    table = read_probe_table(b"".join(lines))
    assert table.sequence.tolist() == [b"", b"", b"", b"ACGT", b"ACGT" * 15, b"NANA"]
    assert table.sequence.dtype == "S60"


def test_places_in_a_cel_file_and_a_part_of_a_table():
    table = read_probe_table(PROBE_TAB)
    assert table.index(640).tolist() == [559 * 640 + 399, 185 * 640 + 544, 505 * 640 + 530]
    part = table.take(np.array([False, False, True]))
    assert (part.probe_sets[part.probe_set[0]], part.x.tolist()) == ("1001_at", [530])


def test_a_table_that_is_cut_off_anywhere_is_refused_or_has_whole_lines_only():
    for length in range(len(PROBE_TAB)):
        data = PROBE_TAB[:length]
        if data.endswith(b"\n") and data.count(b"\n") > 1:
            assert len(read_probe_table(data)) == data.count(b"\n") - 1
        else:
            with pytest.raises(MalformedFileError):
                read_probe_table(data)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"\t544\t", b"\tx\t", 3),
        (b"\t544\t", b"\t-1\t", 3),
        (b"\t544\t", b"\t99999999999\t", 3),
        (b"\t544\t", b"\t32768\t", 3),
        (b"GGCAGGCCAA\t", b"GGCA-GCCAA\t", 3),
        (b"1001_at", b"", 4),
        (b"1001_at", b"\xff\xfe", 4),
        (b"\t530\t505\t", b"\t530", 4),
        (b"1000_at\t544", b"\n1000_at\t544", 3),
        (b"Probe X", b"Probe Z", 1),
        (b"AAGGCCTT", b"ACGT" * 50, 4),
    ],
)
def test_errors_name_the_line(old, new, line, tmp_path):
    path = tmp_path / "probe_tab"
    path.write_bytes(PROBE_TAB.replace(old, new))
    with pytest.raises(MalformedFileError) as caught:
        read_probe_table(path)
    assert (caught.value.path, caught.value.line) == (path, line)


def test_a_reference_comes_back_as_it_was_saved(tmp_path):
    saved = annotation()
    path = tmp_path / "hgu95av2.npz"
    identity = save_chip_annotation(saved, path)
    loaded = load_chip_annotation(path, sha256=identity)
    assert (loaded.chip, loaded.organism, loaded.source, loaded.version) == (
        "hgu95av2", "HOMO_SAPIENS", "affymetrix", "1",
    )  # fmt: skip
    same(loaded.probe_table, saved.probe_table)
    same(loaded.probe_summary, saved.probe_summary)
    assert list(tmp_path.iterdir()) == [path]


def test_a_reference_is_known_by_the_hash_of_its_bytes(tmp_path):
    path = tmp_path / "a.npz"
    identity = save_chip_annotation(annotation(), path)
    assert identity == annotation().sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_chip_annotation(path).sha256 == identity
    assert replace(annotation(), version="2").sha256 != identity
    assert np.load(path)["probe_table.x"].tolist() == [399, 544, 530]


def test_a_reference_may_lack_sequences_and_a_summary(tmp_path):
    table = replace(annotation().probe_table, sequence=None)
    save_chip_annotation(replace(annotation(), probe_table=table, probe_summary=None), tmp_path / "a.npz")
    loaded = load_chip_annotation(tmp_path / "a.npz")
    assert loaded.probe_summary is None
    assert loaded.probe_table.sequence is None


def test_another_reference_than_asked_for_is_refused(tmp_path):
    save_chip_annotation(annotation(), tmp_path / "a.npz")
    with pytest.raises(MalformedFileError, match=annotation().sha256):
        load_chip_annotation(tmp_path / "a.npz", sha256="0" * 64)


def test_a_reference_that_is_damaged_anywhere_is_refused():
    data = annotation().content
    for place in range(0, len(data), 3):
        with pytest.raises(MalformedFileError):
            load_chip_annotation(data[:place])
    for place in range(data.index(b"{"), data.index(b"}")):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(MalformedFileError):
            load_chip_annotation(bytes(changed))


def test_a_chip_goes_by_its_code():
    with pytest.raises(InputError, match="hgu133plus2"):
        replace(annotation(), chip="HG-U133_Plus_2")


def test_a_reference_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        save_chip_annotation(annotation(), tmp_path / "a.npz")
    assert [each.name for each in tmp_path.iterdir()] == ["a.npz"]
