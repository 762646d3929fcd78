"""Library files of the ST arrays."""

import pytest

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.pgf import located, read_clf, read_mps, read_pgf
from tests.microarray.array_files import CLF, MPS, PGF
from tests.microarray.seeds import DATA


def test_a_real_file_is_read():
    path = DATA / "HuGene-1_0-st-v1.r4.10_probesets.pgf"
    pgf = read_pgf(path)
    expected, name = [], ""
    for line in path.read_text().splitlines():
        if line.startswith("\t\t"):
            cells = line.split("\t")
            expected.append((name, int(cells[2]), cells[3], cells[7].encode()))
        elif not line.startswith(("#", "\t")):
            name = line.split("\t")[0]
    names = [pgf.probe_sets[each] for each in pgf.probe_set]
    types = [pgf.types[each] for each in pgf.probe_type]
    assert list(zip(names, pgf.probe_id.tolist(), types, pgf.sequence.tolist(), strict=True)) == expected
    assert len(expected) == 40
    assert [pgf.types[each] for each in pgf.probe_set_type][:2] == ["normgene->exon", "normgene->intron"]
    assert not pgf.is_main.any()


def test_main_probes_are_perfect_matches_of_main_probe_sets():
    pgf = read_pgf(PGF)
    assert pgf.is_main.tolist() == [True, False, False]
    assert pgf.header["chip_type"] == ("HuGene-1_0-st-v1", "HuGene-1_0-st-v2")


def test_types_and_sequences_may_be_missing():
    data = (
        b"#%pgf_format_version=1.0\n#%header0=probeset_id\n#%header1=\tatom_id\n#%header2=\t\tprobe_id\n1\n\t1\n\t\t9\n"
    )
    pgf = read_pgf(data)
    assert (pgf.probe_id.tolist(), pgf.sequence, pgf.types) == ([9], None, ("",))


def test_probes_are_located_and_read_from_their_five_prime_end():
    table = located(read_pgf(PGF), read_clf(CLF))
    assert (table.x.tolist(), table.y.tolist()) == ([1, 1, 2], [0, 1, 0])
    assert table.sequence[0] == b"AAGCTTAGTAGACTATAAATATGAC"[::-1]
    assert [table.probe_sets[each] for each in table.probe_set] == ["7892501", "7892501", "7892502"]


def test_files_of_different_arrays_do_not_fit():
    with pytest.raises(MalformedFileError, match="probe 7 "):
        located(read_pgf(PGF.replace(b"\t\t5\t", b"\t\t7\t")), read_clf(CLF))


@pytest.mark.parametrize("order", ["col_major", "row_major"])
def test_places_that_are_not_listed_follow_from_the_header(order):
    data = CLF[: CLF.index(b"1\t0\t0\n")].replace(b"col_major", order.encode())
    clf = read_clf(data)
    places = {probe: (x, y) for probe, x, y in zip(clf.probe_id.tolist(), clf.x.tolist(), clf.y.tolist(), strict=True)}
    assert len(places) == 6
    assert places[2] == ((1, 0) if order == "col_major" else (0, 1))


def test_listed_places_count():
    clf = read_clf(CLF.replace(b"\n5\t1\t1\n6\t2\t1\n", b"\n6\t1\t1\n5\t2\t1\n"))
    assert (clf.probe_id.tolist(), clf.x.tolist()) == ([1, 2, 3, 4, 6, 5], [0, 1, 2, 0, 1, 2])


def test_meta_probe_sets():
    assert read_mps(MPS) == {"8000001": ("7892501", "7892502")}


@pytest.mark.parametrize(("data", "read"), [(PGF, read_pgf), (CLF, read_clf), (MPS, read_mps)])
def test_a_file_that_ends_in_a_line_is_refused(data, read):
    for length in range(data.rindex(b"\n", 0, len(data) - 1) + 2, len(data)):
        with pytest.raises(MalformedFileError):
            read(data[:length])


@pytest.mark.parametrize(
    ("data", "read", "old", "new"),
    [
        (PGF, read_pgf, b"#%pgf_format_version=1.0\n", b""),
        (PGF, read_pgf, b"\tprobe_id\t", b"\tid\t"),
        (PGF, read_pgf, b"#%header2=", b"#%header9="),
        (PGF, read_pgf, b"\t\t2\t", b"\t\tx\t"),
        (PGF, read_pgf, b"\npm:st", b"\t"),
        (PGF, read_pgf, b"7892502\t", b"7892501\t"),
        (PGF, read_pgf, b"AAGCTTAG", b"AAG?TTAG"),
        (CLF, read_clf, b"rows=2", b"rows=0"),
        (CLF, read_clf, b"2\t1\t0", b"2\t3\t0"),
        (MPS, read_mps, b"probeset_list", b"list"),
    ],
)
def test_what_is_wrong_is_refused(data, read, old, new):
    changed = data.replace(old, new)
    if changed != data:
        with pytest.raises(MalformedFileError):
            read(changed)


def test_a_file_without_probe_sets_is_refused():
    with pytest.raises(MalformedFileError, match="no probe set"):
        read_pgf(PGF[: PGF.index(b"7892501")])
