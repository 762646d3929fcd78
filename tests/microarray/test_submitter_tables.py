"""Submitters' tables in every dress, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError, UncertainTableError
from refinebio_assets.microarray.submitter_tables import SubmitterTable, read_submitter_table
from refinebio_assets.survey.geo_tables import read_sample_tables

DATA = Path(__file__).parents[1] / "data"
IDS = ["1007_s_at", "1053_at", "117_at", "121_at", "1255_g_at"]
VALUES = [953.9, 2982.8, 5.1, 12.25, 0.5]


def table(rows, delimiter="\t", header=("ID_REF", "VALUE"), end="\n") -> bytes:
    lines = [list(header)] if header else []
    lines += [[str(cell) for cell in row] for row in rows]
    return end.join(delimiter.join(line) for line in lines).encode() + end.encode()


def plain(**options) -> bytes:
    return table(zip(IDS, VALUES, strict=True), **options)


def assert_is_plain(read: SubmitterTable) -> None:
    assert read.ids.tolist() == IDS
    np.testing.assert_array_equal(read.values, np.array(VALUES).reshape(-1, 1))
    assert read.missing == read.not_numeric == (0,)
    assert read.warnings == ()
    assert read.confidence >= 0.6
    assert read.evidence


DRESSES = {
    "header": plain(),
    "no header": plain(header=None),
    "semicolons": plain(delimiter=";"),
    "commas": plain(delimiter=","),
    "commas, no header": plain(delimiter=",", header=None),
    "CRLF": plain(end="\r\n"),
    "CR": plain(end="\r"),
    "byte order mark": b"\xef\xbb\xbf" + plain(),
    "UTF-16": plain().decode().encode("utf-16"),
    "latin-1": b"# \xb5-array, K\xf6ln\n" + plain(),
    "quotes": table(
        [(f'"{name}"', f'"{value}"') for name, value in zip(IDS, VALUES, strict=True)], header=('"ID_REF"', '"VALUE"')
    ),
    "blanks": plain().replace(b"\t", b" \t "),
    "blank lines": plain().replace(b"\n", b"\n\n"),
    "no line end": plain().rstrip(),
    "gzip": gzip.compress(plain(), mtime=0),
    "bzip2": bz2.compress(plain()),
    "xz": lzma.compress(plain()),
    "preamble": b"!Sample_title = x\n#ID_REF = probe set\n#VALUE = signal\n" + plain(),
    "SOFT": b"^SAMPLE = GSM1\n!Sample_title = x\n!sample_table_begin\n" + plain() + b"!sample_table_end\n",
    "old SOFT": b"^SAMPLE = GSM1\n!Sample_title = x\n#VALUE = signal\n" + plain(),
    "call": table(zip(IDS, VALUES, "PPAMP", strict=True), header=("ID_REF", "VALUE", "ABS_CALL")),
    "call, no header": table(zip(IDS, VALUES, "PPAMP", strict=True), header=None),
    "p-values, no header": table(zip(IDS, VALUES, (0.01, 0.5, 0.9, 0, 1), strict=True), header=None),
    "five columns": table(
        zip(IDS, "PPAMP", VALUES, (0.01, 0.5, 0.9, 0, 1), (20, 3, 4, 20, 11), strict=True),
        header=("PROBE_ID", "ABS_CALL", "Signal", "Detection Pval", "Avg_NBEADS"),
    ),
    "five columns, identifiers last": table(
        zip((1, 2, 3, 4, 5), VALUES, (1, 2, 1, 2, 1), "PPAMP", IDS, strict=True),
        header=("X", "VALUE", "Y", "Flag", "Reporter Identifier"),
    ),
    "R's write.table": table(zip(IDS, VALUES, strict=True), header=("GSM1",)),
    "empty cells at the ends": plain().replace(b"\n", b"\t\t\n"),
    "empty cells at the ends of rows": plain().replace(b"\n", b"\t\n").replace(b"VALUE\t", b"VALUE"),
    "detection in front": table(
        zip(IDS, (0.01, 0.5, 0.9, 0, 1), VALUES, strict=True), header=("ID", "Detection Pval", "VALUE")
    ),
}  # fmt: skip


@pytest.mark.parametrize("content", DRESSES.values(), ids=DRESSES)
def test_one_table_is_read_alike_in_every_dress(content):
    assert_is_plain(read_submitter_table(content))


def test_the_first_gene_of_a_table_without_header_is_not_lost_and_no_character_is_joined():
    with_header, without = read_submitter_table(plain()), read_submitter_table(plain(header=None))
    assert with_header.header_found
    assert not without.header_found
    assert with_header.ids.tolist() == without.ids.tolist()
    np.testing.assert_array_equal(with_header.values, without.values)


def test_a_first_row_whose_value_is_text_is_data_if_it_begins_with_a_probe():
    read = read_submitter_table(b"1007_s_at\tlow\n" + b"".join(b"%d_at\t%d.5\n" % (n, n) for n in range(20)))
    assert not read.header_found
    assert read.ids[0] == "1007_s_at"
    assert read.not_numeric == (1,)
    assert "no numbers" in read.warnings[0]


@pytest.mark.parametrize("cell", ["", "null", "NULL", "NA", "none", "NaN", "--", "#N/A"])
def test_cells_without_a_value_are_missing_and_counted(cell):
    read = read_submitter_table(table([("A_at", 1.5), ("B_at", cell), ("C_at", 2)]))
    assert read.missing == (1,)
    assert read.not_numeric == (0,)
    np.testing.assert_array_equal(read.values[:, 0], [1.5, np.nan, 2])


@pytest.mark.parametrize("cell", ["1_000", "inf", "<0.1", "1e999", "low", "\uff11\uff12"])
def test_cells_of_something_else_are_counted_apart(cell):
    rows = [(f"{n}_at", n + 0.5) for n in range(20)] + [("X_at", cell)]
    read = read_submitter_table(table(rows))
    assert read.not_numeric == (1,)
    assert np.isnan(read.values[-1, 0])


def test_decimal_commas_are_understood():
    rows = [("A_at", "1,5"), ("B_at", "-0,25"), ("C_at", "3"), ("D_at", "1,5e3")]
    for delimiter in "\t;":
        read = read_submitter_table(table(rows, delimiter=delimiter))
        assert read.values[:, 0].tolist() == [1.5, -0.25, 3, 1500]


@pytest.mark.parametrize("cells", [("1,234", "2,345"), ("1,234", "567"), ("1,5", "2.5")])
def test_a_comma_that_can_mean_two_things_is_refused(cells):
    with pytest.raises(MalformedFileError, match="what the comma means") as error:
        read_submitter_table(table([("A_at", cells[0]), ("B_at", cells[1])]))
    assert error.value.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (table([("P1", 120, 3, "A", 0.04), ("P2", 130, 4, "B", 0.3)], header=None), "2 columns could be the values"),
        (table([("A_at", 1, 2), ("B_at", 3, 4)], header=("ID", "COUNT", "TPM")), "could be the values"),
        (table([("A_at", 1, 2), ("B_at", 3, 4)], header=("ID", "CH1_MEAN", "CH2_MEAN")), "could be the values"),
        (table([("A_at", 0.1), ("B_at", 0.3)], header=("ID", "Detection Pval")), "no column has numbers"),
        (table([("A_at", "x"), ("B_at", "y")]), "no column has numbers"),
        (b"just one column\nof text\n", "nothing separates"),
        (b"<!DOCTYPE html><html>\n", "web page"),
        (b"ID\tVALUE\nA_at\t1\x00\n", "control character"),
        (b"PK\x03\x04....", "workbook"),
        (b"\n\n\n", "no line of a table"),
        (b"", "empty"),
        (gzip.compress(plain(), mtime=0)[:-9], "end in the middle"),
        (b"^SAMPLE = GSM1\n!sample_table_begin\n" + plain(), "cut off"),
        (plain() + b"A_at\t1\t2\t3\n", "4 cells"),
        (table([("A_at", "1"), ("B_at", "x"), ("C_at", "y")]), "numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_surely_is_refused_with_a_remedy(content, said):
    with pytest.raises((MalformedFileError, UncertainTableError), match=said) as error:
        read_submitter_table(content)
    assert error.value.remedy
    assert isinstance(error.value, UncertainTableError) == said.endswith("could be the values")


def test_an_undecided_table_lists_its_columns_and_a_person_can_name_them():
    content = table([("P1", 120, 3, "A", 0.04), ("P2", 130, 4, "B", 0.3)], header=None)
    with pytest.raises(UncertainTableError, match=r"2 '' \(numbers, such as '120'\)") as error:
        read_submitter_table(content)
    assert error.value.line == 1
    read = read_submitter_table(content, value_columns=[2])
    assert read.values[:, 0].tolist() == [3, 4]
    named = read_submitter_table(table([("A_at", 1, 2)], header=("ID", "COUNT", "TPM")), value_columns=["TPM"])
    assert named.values.tolist() == [[2.0]]
    assert named.samples == ("TPM",)
    with pytest.raises(InputError, match="no one column 'RPKM'"):
        read_submitter_table(content, value_columns=["RPKM"])
    with pytest.raises(InputError, match="given twice"):
        read_submitter_table(content, id_column=1, value_columns=[1])


SERIES = table([("A_at", 1, 2.5, 3), ("B_at", 4, 4.5, 5), ("C_at", 2, 2, 2)], header=("ID_REF", "GSM1", "GSM2", "GSM3"))


def test_a_series_table_has_one_column_per_sample():
    read = read_submitter_table(SERIES)
    assert read.samples == ("GSM1", "GSM2", "GSM3")
    assert read.values.tolist() == [[1, 2.5, 3], [4, 4.5, 5], [2, 2, 2]]
    matrix = b'!Series_title\t"x"\n!series_matrix_table_begin\n' + SERIES + b"!series_matrix_table_end\n"
    assert read_submitter_table(matrix).values.tolist() == read.values.tolist()


def test_samples_with_any_names_are_samples_if_their_numbers_are_of_one_kind():
    header = ("Gene", "normal 1", "endothelial_end", "rank7", "mean cell")
    rng = np.random.default_rng(1)
    rows = [(f"G{n}", *np.round(rng.normal(8, 2, 4), 3)) for n in range(50)]
    read = read_submitter_table(table(rows, header=header[:4] + ("tumour",)))  # noqa: RUF005
    assert read.samples == ("normal 1", "endothelial_end", "rank7", "tumour")
    with pytest.raises(UncertainTableError, match="could be the values"):
        read_submitter_table(table(rows, header=header))
    told = read_submitter_table(table(rows, header=header), samples=["normal 1", "mean cell"])
    assert told.samples == ("normal 1", "mean cell")


def test_a_sample_whose_values_are_all_small_is_not_taken_for_p_values():
    rows = [(f"G{n}", 0.1 * n / 20, 0.11 * n / 20) for n in range(20)]
    assert read_submitter_table(table(rows, header=("Gene", "a", "b"))).samples == ("a", "b")


def test_values_missing_at_the_ends_of_rows_do_not_shift_a_header():
    read = read_submitter_table(b"GSM1\tGSM2\nA_at\t1\t2\nB_at\t3\t\nC_at\t4\t5\n")
    assert read.samples == ("GSM1", "GSM2")
    np.testing.assert_array_equal(read.values, [[1, 2], [3, np.nan], [4, 5]])
    cut = read_submitter_table(b"ID_REF\tVALUE\nA_at\t1\nB_at\nC_at\t4\n")
    np.testing.assert_array_equal(cut.values[:, 0], [1, np.nan, 4])
    assert cut.missing == (1,)


def test_columns_beside_those_of_samples_are_left_out():
    header = ("PROBE_ID", "A.AVG_Signal", "A.Detection Pval", "B.AVG_Signal", "B.Detection Pval", "A.BEAD_STDERR")
    read = read_submitter_table(
        table([("ILMN_1", 100, 0.1, 200, 0, 5), ("ILMN_2", 150, 0.2, 90, 0.5, 7)], header=header)
    )
    assert read.samples == ("A.AVG_Signal", "B.AVG_Signal")
    assert read.values.tolist() == [[100, 200], [150, 90]]


def test_a_soft_file_of_several_samples_needs_to_be_told_which():
    path = DATA / "geo/soft_ex_dual.txt.gz"
    with pytest.raises(InputError, match="has 3 tables"):
        read_submitter_table(path)
    read = read_submitter_table(path, entity="Control Embyronic Stem Cell Replicate 2")
    assert read.samples == ("Control Embyronic Stem Cell Replicate 2",)
    assert read.values[0, 0] == -1.1697263
    with pytest.raises(InputError, match="0 of them called GSM9"):
        read_submitter_table(path, entity="GSM9")


REAL = ["geo/GSM11805.txt.gz", "geo/GSM645.txt.gz", "identifiers/GSM804.txt.gz", "identifiers/GSM27446.soft.gz"]


@pytest.mark.parametrize("name", REAL)
def test_real_samples_are_read_as_the_soft_reader_reads_them(name):
    tables = []
    read_sample_tables(DATA / name, tables.append)
    from_soft, from_text = read_submitter_table(tables[0]), read_submitter_table(DATA / name)
    assert from_soft.ids.tolist() == from_text.ids.tolist()
    np.testing.assert_array_equal(from_soft.values, from_text.values)
    assert from_soft.samples == from_text.samples
    assert from_soft.missing == from_text.missing
    assert from_text.value_column == from_soft.value_column == "VALUE"


def test_what_the_file_says_about_its_values_is_kept():
    read = read_submitter_table(DATA / "geo/GSM11805.txt.gz")
    assert read.descriptions == {"VALUE": "MAS 5.0 Statistical Algorithm (mean scaled to 500)"}


def test_sage_counts_without_a_value_column_are_refused():
    with pytest.raises(UncertainTableError, match="COUNT, TPM"):
        read_submitter_table(DATA / "identifiers/GSM691.txt.gz")
    tables = []
    read_sample_tables(DATA / "identifiers/GSM691.txt.gz", tables.append)
    with pytest.raises(MalformedFileError, match="no column VALUE"):
        read_submitter_table(tables[0])


def test_rows_without_identifier_and_repeated_ones_are_counted():
    read = read_submitter_table(table([("A_at", 1), ("", 2), ("A_at", 3), ("B_at", 4)]))
    assert read.ids.tolist() == ["A_at", "A_at", "B_at"]
    assert (read.rows_without_id, read.duplicate_ids) == (1, 1)
    assert len(read.warnings) == 2


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_submitter_table(tmp_path / "none.txt")


NAMES = st.lists(st.from_regex(r"[A-Z][A-Z0-9]{1,8}_at", fullmatch=True), min_size=2, max_size=30, unique=True)


@given(
    ids=NAMES,
    data=st.data(),
    delimiter=st.sampled_from("\t;,"),
    header=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read(ids, data, delimiter, header, end):
    numbers = data.draw(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=len(ids), max_size=len(ids))
    )
    rows = [(name, repr(number)) for name, number in zip(ids, numbers, strict=True)]
    content = table(rows, delimiter=delimiter, header=("ID_REF", "VALUE") if header else None, end=end)
    read = read_submitter_table(content)
    assert read.ids.tolist() == ids
    assert read.values[:, 0].tolist() == numbers
    assert read.header_found == header


def read_or_none(content: bytes) -> SubmitterTable | None:
    """The table; None if it is refused as it should be. Everything else is an error of the test."""
    try:
        return read_submitter_table(content)
    except InputError:
        return None


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_table_or_a_typed_error(content):
    read = read_or_none(content)
    assert read is None or len(read.ids) == len(read.values)


@given(
    st.lists(
        st.lists(
            st.sampled_from(["", "A_at", "1", "0.5", "1,5", "NA", '"', "x y", "#", "!", "1e400", "ID"]), max_size=5
        ),
        max_size=12,
    ),
    st.sampled_from("\t;, "),
)
@settings(max_examples=400, deadline=None)
def test_any_cells_are_a_table_or_a_typed_error(rows, delimiter):
    content = "\n".join(delimiter.join(row) for row in rows).encode()
    read = read_or_none(content)
    if read is not None:
        assert np.isfinite(read.values).any(axis=0).all()
        assert all(read.ids)
