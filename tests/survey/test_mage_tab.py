from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.mage_tab import Idf, Sdrf, decode_mage_tab, parse_idf, parse_sdrf
from tests.survey.array_express_studies import ALL_SDRF_FILES, STUDIES_WITH_IDF, counted, mage_tab, read_bytes

SDRF = "Source Name\tCharacteristics[age]\tUnit[time unit]\tAssay Name\tArray Data File\n"
ROW = "s1\t5\tyear\ta1\tf1.CEL\n"


def names(sdrf: Sdrf, *types: str) -> set[str]:
    return {node.name for row in sdrf.rows for node in row.of(*types)}


@pytest.mark.parametrize("name", ALL_SDRF_FILES)
def test_a_recorded_sdrf_has_the_rows_sources_assays_and_files_that_a_plain_count_finds(name: str):
    sdrf = parse_sdrf(mage_tab(name), path=name)

    assert sdrf.warnings == ()
    assert len(sdrf.rows) == sum(1 for line in read_bytes(name).decode().splitlines() if line.strip()) - 1
    for types in (
        ("Source Name",),
        ("Extract Name",),
        ("Labeled Extract Name",),
        ("Assay Name", "Hybridization Name"),
        ("Array Data File",),
        ("Derived Array Data File", "Derived Array Data Matrix File"),
        ("Protocol REF",),
    ):
        assert names(sdrf, *types) == counted(name, *types), types


@pytest.mark.parametrize(
    ("name", "rows", "sources", "assays", "raw_files", "derived_files", "runs"),
    [
        ("E-GEOD-44719.sdrf.txt", 77, 77, 77, 0, 77, 0),
        ("E-MEXP-31.sdrf.txt", 20, 10, 20, 20, 2, 0),
        ("E-MTAB-1443.hyb.sdrf.txt", 6, 6, 6, 1, 2, 0),
        ("E-MTAB-1443.seq.sdrf.txt", 3, 3, 3, 0, 3, 3),
        ("E-MTAB-1653.sdrf.txt", 60, 60, 60, 1, 0, 0),
        ("E-MTAB-1677.sdrf.txt", 9, 9, 9, 9, 3, 0),
        ("E-MTAB-20.sdrf.txt", 78, 14, 39, 39, 0, 0),
        ("E-MTAB-2143.sdrf.txt", 9, 1, 9, 0, 16, 9),
        ("E-MTAB-3050.sdrf.txt", 5, 2, 5, 5, 5, 0),
        ("E-MTAB-4649.sdrf.txt", 4, 2, 2, 0, 0, 2),
        ("E-MTAB-584.sdrf.txt", 4, 2, 2, 0, 2, 2),
        ("E-TABM-38.sdrf.txt", 502, 199, 502, 502, 1, 0),
    ],
)
def test_the_counts_of_recorded_sdrfs_stay(name, rows, sources, assays, raw_files, derived_files, runs):
    sdrf = parse_sdrf(mage_tab(name), path=name)
    assert (
        len(sdrf.rows),
        len(names(sdrf, "Source Name")),
        len(names(sdrf, "Assay Name", "Hybridization Name")),
        len(names(sdrf, "Array Data File")),
        len(names(sdrf, "Derived Array Data File", "Derived Array Data Matrix File")),
        len({run for row in sdrf.rows for run in row.comment("ENA_RUN")}),
    ) == (rows, sources, assays, raw_files, derived_files, runs)


@pytest.mark.parametrize("name", ALL_SDRF_FILES)
def test_every_filled_cell_of_a_recorded_sdrf_is_kept_under_its_header(name: str):
    sdrf = parse_sdrf(mage_tab(name))
    for row, line in zip(sdrf.rows, mage_tab(name).splitlines()[1:], strict=True):
        assert [cell for cell in row.cells if cell] == [cell.strip() for cell in line.split("\t") if cell.strip()]


def test_columns_of_one_name_stay_apart_each_at_the_node_it_follows():
    row = parse_sdrf(mage_tab("E-MTAB-2143.sdrf.txt")).rows[0]
    derived = row.of("Derived Array Data File")

    assert [node.name for node in derived] == ["ATRX ADD bowtie.bam", "ATRX ADD bowtie.bam.bai"]
    archives = [node.comment("Derived ArrayExpress FTP file")[0].rpartition("/")[2] for node in derived]
    assert archives == ["E-MTAB-2143.processed.1.zip", "E-MTAB-2143.processed.9.zip"]
    materials = {
        node.type: each.value for node in row.nodes for each in node.attributes if each.kind == "Material Type"
    }
    assert materials == {"Source Name": "cell", "Extract Name": "DNA"}
    (protocol, *_) = row.of("Protocol REF")
    assert protocol.name == "P-MTAB-36486"


def test_units_and_ontology_terms_belong_to_the_attribute_before_them():
    row = parse_sdrf(mage_tab("E-GEOD-44719.sdrf.txt")).rows[0]
    terms = {each.name: each.term_accession for each in row.attributes("Characteristics")}
    assert terms["tissue type"] == "http://purl.obolibrary.org/obo/UBERON_0000178"
    assert terms["stimulation"] == ""

    (age,) = (each for each in parse_sdrf(mage_tab("E-MTAB-3050.sdrf.txt")).rows[0].attributes("Characteristics")[-1:])
    assert (age.name, age.value, age.unit, age.unit_kind) == ("age", "54", "year", "time unit")


def test_the_ontology_term_of_a_protocol_is_not_taken_for_that_of_an_attribute():
    row = parse_sdrf(mage_tab("E-MTAB-1677.sdrf.txt")).rows[0]
    protocol = next(node for node in row.of("Protocol REF") if node.name == "P-AFFY-3")
    assert protocol.term_source == "ArrayExpress"
    assert not any(each.term_source for each in row.attributes("Label", "Characteristics"))


@pytest.mark.parametrize(
    "header",
    [
        "Factor Value[dose]",
        "FactorValue [dose]",
        "factor value [ dose ]",
        "FACTOR VALUES[dose]",
        "Factor Value [dose] (x)",
    ],
)
def test_spellings_of_a_header_are_one(header: str):
    (row,) = parse_sdrf(f"source name\t{header}\tLabelled Extract Name\nS\t5\tL\n").rows
    (factor,) = row.attributes("Factor Value")
    assert (factor.name, factor.value) == ("dose", "5")
    assert row.of("Labeled Extract Name")[0].name == "L"


def test_cells_in_quotes_may_hold_tabs_and_line_ends():
    (row, other) = parse_sdrf('Source Name\tDescription\tAssay Name\n"s\t1"\t"two\nlines ""x"""\ta1\ns2\t\ta2\n').rows
    assert row.of("Source Name")[0].name == "s\t1"
    assert row.attributes("Description")[0].value == 'two\nlines "x"'
    assert (row.line, other.line) == (2, 4)


def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_after_it():
    sdrf = parse_sdrf('Source Name\tDescription\tAssay Name\ns1\t"5 inch\ta1\ns2\t\ta2\n')
    assert [row.of("Assay Name")[0].name for row in sdrf.rows] == ["a1", "a2"]
    assert [str(warning) for warning in sdrf.warnings] == [
        "sdrf.txt:2: A double quote is never closed; it is read as part of the text."
    ]


def test_rows_of_another_width_are_kept_and_told_with_their_line():
    regular = "".join(ROW.replace("1", str(number)) for number in range(2, 9))
    sdrf = parse_sdrf(
        SDRF + "s1\t5\n" + regular + "s9\t5\tyear\ta9\tf9.CEL\t\tsurplus\n" + "\t\t\t\t\t\t\t\n", path="x.sdrf.txt"
    )

    assert len(sdrf.rows) == 9
    assert [str(warning) for warning in sdrf.warnings] == [
        "x.sdrf.txt:2: The line has 2 cells, the header 5; the missing ones are read as blank.",
        "x.sdrf.txt:10: 1 cells stand beyond the header: 'surplus'.",
    ]
    assert [row.line for row in sdrf.rows if row.is_irregular] == [2, 10]
    assert "surplus" in sdrf.rows[-1].cells


def test_blank_cells_at_the_end_of_lines_are_no_irregularity():
    sdrf = parse_sdrf(SDRF.replace("\n", "\t\t\n") + ROW.replace("\n", "\t\t\t\n") + ROW)
    assert not sdrf.warnings
    assert not any(row.is_irregular for row in sdrf.rows)


def test_a_column_outside_the_specification_is_kept_and_told():
    sdrf = parse_sdrf("Source Name\tFavourite Colour\tAssay Name\ns\tblue\ta\n")
    (other,) = sdrf.rows[0].attributes("Other")
    assert (other.name, other.value) == ("Favourite Colour", "blue")
    assert "Column 2 ('Favourite Colour')" in str(sdrf.warnings[0])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        (" \n\t\n", "empty"),
        ("<!DOCTYPE html><html>Service unavailable</html>", "HTML"),
        ('{"errorMessage": "Study not found"}', "JSON"),
        ("PK\x03\x04\0\0", "binary"),
    ],
)
@pytest.mark.parametrize("parse", [parse_idf, parse_sdrf])
def test_what_is_no_mage_tab_is_refused_with_file_and_line(parse, text: str, told: str):
    with pytest.raises(MalformedFileError, match=told) as caught:
        parse(text, path="E-MTAB-1.txt")
    assert caught.value.location == "E-MTAB-1.txt:1"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\tb\n1\t2\n", 1),  # no node
        ("\n\n" + SDRF, 3),  # no row
        (SDRF + "s1\n" + "s2\n" + ROW, 2),  # most rows too short
    ],
)
def test_a_broken_table_is_refused_with_its_line(text: str, line: int):
    with pytest.raises(MalformedFileError) as caught:
        parse_sdrf(text)
    assert caught.value.line == line


def test_idf_and_sdrf_are_not_taken_for_each_other():
    with pytest.raises(MalformedFileError, match="is an SDRF"):
        parse_idf(mage_tab("E-MTAB-584.sdrf.txt"))
    with pytest.raises(MalformedFileError, match="no header of an SDRF"):
        parse_sdrf(mage_tab("E-MTAB-584.idf.txt"))


@pytest.mark.parametrize("accession", STUDIES_WITH_IDF)
def test_a_recorded_idf_keeps_every_filled_cell_under_its_label(accession: str):
    text = mage_tab(f"{accession}.idf.txt")
    idf = parse_idf(text)
    lines = [[cell.strip() for cell in line.split("\t")] for line in text.splitlines() if line.strip()]

    assert idf.warnings == ()
    assert idf.title
    for label in dict.fromkeys(line[0] for line in lines):
        written = [cell for line in lines if line[0] == label for cell in line[1:]]
        kept = [value for value in idf.fields[label] if value]
        assert kept == [cell.strip('"') for cell in written if cell], label


def test_the_parts_of_an_idf():
    idf = parse_idf(mage_tab("E-MTAB-1443.idf.txt"))
    assert idf.sdrf_files == ("E-MTAB-1443.hyb.sdrf.txt", "E-MTAB-1443.seq.sdrf.txt")
    assert idf.comment("secondaryaccession") == ("ERP002132",)
    assert idf.comment("AEExperimentType") == ("transcription profiling by array", "ChIP-seq")
    assert len(idf.protocols) == 13
    assert (idf.protocols[0].name, idf.protocols[0].type) == ("P-MTAB-30514", "grow")
    assert idf.persons[0].affiliation == "University of Cambridge"
    assert idf.publications[0].status == "submitted"


def test_a_comment_that_stands_several_times_has_all_its_values():
    idf = parse_idf(mage_tab("E-MTAB-2143.idf.txt"))
    assert len(idf.comment("SequenceDataURI")) == 2
    assert len(parse_idf(mage_tab("E-MTAB-3050.idf.txt")).comment("AdditionalFile:DAT")) == 5


def test_lists_of_an_idf_stay_aligned_over_blank_cells():
    idf = parse_idf("Investigation Title\tT\nProtocol Name\tP1\tP2\tP3\nProtocol Software\t\t\tGenePix\n")
    assert [protocol.software for protocol in idf.protocols] == ["", "", "GenePix"]


def test_labels_outside_the_specification_are_kept_and_told():
    idf = parse_idf("Investigation Title\tT\nFavourite Colour\tblue\n\tlost\n# a comment\n")
    assert idf.values("favourite  colour") == ("blue",)
    assert [warning.line for warning in idf.warnings] == [2, 3]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems_are_read(ends: str):
    assert len(parse_sdrf((SDRF + ROW + ROW).replace("\n", ends)).rows) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_of_old_and_new_files_are_read(encoding: str):
    text = decode_mage_tab("Source Name\tDescription\nMüller\t37 °C\n".encode(encoding))
    assert parse_sdrf(text).rows[0].cells == ("Müller", "37 °C")


CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters='\t\r\n"\0', exclude_categories=["Cs", "Cc"]), max_size=8
)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8))
def test_any_table_reads_back(rows: list[list[str]]):
    filled = [["source", *row] for row in rows]
    text = "Source Name\tComment[a]\tComment[a]\tAssay Name\n" + "".join("\t".join(row) + "\n" for row in filled)
    assert [list(row.cells) for row in parse_sdrf(text).rows] == [[cell.strip() for cell in row] for row in filled]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutilated_files_are_read_or_refused_and_never_break_the_parser(data: st.DataObject):
    name = data.draw(st.sampled_from(("E-MTAB-584.sdrf.txt", "E-MTAB-1677.sdrf.txt", "E-MTAB-584.idf.txt")))
    text = mage_tab(name)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 300))
        text = (
            text[:start]
            + data.draw(st.sampled_from(["", "\t", "\n", '"', "\t\t", "<", "é", "[", "]"]))
            + text[start + length :]
        )
    for parse in (parse_idf, parse_sdrf):
        with suppress(MalformedFileError):
            parsed: Idf | Sdrf = parse(text)
            assert all(re.match(r"(idf|sdrf)\.txt:[1-9]", str(warning)) for warning in parsed.warnings)
