from __future__ import annotations

import gzip
import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey import geo_soft, geo_stream
from refinebio_assets.survey.geo_family import MOST_WARNINGS, EntityKind
from refinebio_assets.survey.geo_soft import read_soft_family
from tests.survey.geo_files import FAMILIES, GEO, SOFT, geoparse, read_family, soft, text_of

GEOPARSE = geoparse()
SMALL = text_of("GSE18162.soft.gz")


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: path.name)
def test_every_real_file_is_read_without_a_line_left_out(path):
    family = read_family(path)
    assert family.entities
    assert (family.malformed_lines, family.warnings) == (0, ())


@pytest.mark.parametrize("name", sorted(GEOPARSE))
def test_samples_titles_characteristics_and_tables_are_those_of_geoparse(name):
    family = read_soft_family(GEO / name)
    theirs = GEOPARSE[name]
    samples = {sample.name: sample for sample in family.samples}
    assert set(samples) == set(theirs["samples"])
    for gsm, expected in theirs["samples"].items():
        sample = samples[gsm]
        for attribute in ("title", "characteristics_ch1", "characteristics_ch2", "platform_id"):
            assert list(sample.attributes.get(attribute, ())) == expected[attribute]
        assert list(sample.table.columns if sample.table else ()) == expected["columns"]
        assert (sample.table.rows if sample.table else 0) == expected["rows"]
    if theirs["series_title"] is not None:
        assert [series.first("title") for series in family.series] == theirs["series_title"]
        assert {platform.name for platform in family.platforms} == set(theirs["platforms"])


def test_attributes_keep_their_values_in_order_and_columns_their_descriptions():
    sample = read_soft_family(GEO / "GSM11805.txt.gz").samples[0]
    assert sample.name == "GSM11805"
    assert sample.attributes["description"][1:4] == ("Keywords = kidney", "Keywords = renal", "Keywords = RCC")
    assert sample.column_descriptions["VALUE"] == "MAS 5.0 Statistical Algorithm (mean scaled to 500)"
    assert sample.table is not None
    assert (sample.table.columns, sample.table.rows) == (("ID_REF", "VALUE", "ABS_CALL"), 22283)


def test_curated_datasets_have_their_subsets():
    family = read_soft_family(GEO / "GDS994.soft.gz")
    assert [dataset.name for dataset in family.datasets] == ["GDS994"]
    assert {subset.first("type") for subset in family.subsets} == {"age", "strain"}
    assert family.datasets[0].table is not None


def test_latin_1_and_utf_8_are_both_read():
    family = soft("^SAMPLE = GSM1\n!Sample_title = 5 µL\n".encode() + "!Sample_description = 5 µL\n".encode("latin-1"))
    assert family.samples[0].first("title") == family.samples[0].first("description") == "5 µL"


def test_letter_case_of_keywords_does_not_matter():
    family = soft("^sample = GSM1\n!sample_title = A\n#ID_REF =\n!SAMPLE_TABLE_BEGIN\nID_REF\n1\n!Sample_Table_End\n")
    assert family.samples[0].first("title") == "A"
    assert family.samples[0].table is not None
    assert family.samples[0].table.rows == 1


def test_rows_are_handed_out_on_request_and_the_rest_is_passed_over():
    seen = {}

    def take_two(kind, name, columns, rows):
        assert kind is EntityKind.SAMPLE
        seen[name] = (columns, [next(rows), next(rows)])

    text = "^SAMPLE = {}\n!sample_table_begin\nID_REF\tVALUE\na\t1\nb\t2\nc\t3\n!sample_table_end\n"
    family = read_soft_family(io.BytesIO((text.format("GSM1") + text.format("GSM2")).encode()), on_table=take_two)
    assert seen == {name: (("ID_REF", "VALUE"), [b"a\t1", b"b\t2"]) for name in ("GSM1", "GSM2")}
    assert [sample.table.rows for sample in family.samples if sample.table] == [3, 3]


def test_rows_that_look_like_attributes_are_rows():
    family = soft("^SAMPLE = GSM1\n!sample_table_begin\nID_REF\tVALUE\n!probe\t1\n^x\t2\n#3\t3\n!sample_table_end\n")
    assert family.samples[0].table is not None
    assert family.samples[0].table.rows == 3
    assert family.warnings == ()


@pytest.mark.parametrize("after", ["^SAMPLE = GSM2\n", "!Sample_title = late\n^SAMPLE = GSM2\n"])
def test_a_table_without_end_ends_at_the_next_entity_and_is_told(after):
    family = soft(f"^SAMPLE = GSM1\n!sample_table_begin\nID_REF\n1\n2\n{after}!Sample_title = B\n")
    assert [sample.name for sample in family.samples] == ["GSM1", "GSM2"]
    assert family.samples[0].table is not None
    assert family.samples[0].table.rows == 2
    assert [(warning.line, "end marker" in warning.message) for warning in family.warnings] == [(2, True)]


def test_lines_that_cannot_be_understood_are_counted_and_told_with_their_numbers():
    family = soft("stray\n^SAMPLE = GSM1\n!Sample_title = A\n!Sample_broken\nno row\n^PLANET = Mars\n!Planet_a = b\n")
    assert family.malformed_lines == 5
    assert [warning.line for warning in family.warnings] == [1, 4, 5, 6, 7]
    assert len(soft("^SAMPLE = GSM1\n" + "x\n" * 500).warnings) == MOST_WARNINGS


def test_a_sample_described_twice_is_one_and_the_first_place_is_believed():
    text = "^SAMPLE = GSM1\n!Sample_title = first\n^SAMPLE = GSM1\n!Sample_title = second\n!Sample_type = RNA\n"
    family = soft(text)
    assert len(family.samples) == 1
    assert (family.samples[0].first("title"), family.samples[0].first("type")) == ("first", "RNA")
    assert [warning.line for warning in family.warnings] == [3]


def test_what_else_was_measured_on_a_platform_is_not_kept():
    family = soft("^PLATFORM = GPL570\n!Platform_title = A\n" + "!Platform_sample_id = GSM1\n" * 1000)
    assert dict(family.platforms[0].attributes) == {"title": ("A",)}


def test_the_payload_does_not_change_with_the_platform_s_own_updates():
    text = "^SERIES = GSE1\n!Series_title = A\n^PLATFORM = GPL1\n!Platform_last_update_date = {}\n"
    assert soft(text.format("Jan 01 2020")).to_payload() == soft(text.format("Jan 02 2020")).to_payload()


def test_a_file_without_a_series_has_no_payload():
    with pytest.raises(MalformedFileError, match="no GEO series"):
        soft("^PLATFORM = GPL1\n!Platform_title = A\n").to_payload()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b"\n\n", 1),
        (b"CEL\x00\x01 binary", 1),
        ((GEO / "moved_permanently.html").read_bytes(), 1),
        (gzip.compress((GEO / "moved_permanently.html").read_bytes(), mtime=0), 1),
        (gzip.compress(b"", mtime=0), 1),
        (gzip.compress(b"^SERIES = GSE1\n", mtime=0) + b"<html>", 2),
    ],
    ids=["empty", "blank lines", "binary", "page", "packed page", "packed nothing", "page after a member"],
)
def test_what_is_no_soft_file_is_refused_with_its_line(content, line):
    with pytest.raises(MalformedFileError) as caught:
        soft(content)
    assert caught.value.line == line


def test_a_truncated_gzip_is_refused_with_the_line_it_ends_at(tmp_path):
    packed = (GEO / "GSE465_family.soft.gz").read_bytes()
    cut = tmp_path / "cut.soft.gz"
    cut.write_bytes(packed[: len(packed) * 3 // 4])
    with pytest.raises(MalformedFileError, match="end in the middle") as caught:
        read_soft_family(cut)
    assert caught.value.path == cut
    assert caught.value.line is not None
    assert caught.value.line > 1


def test_gzip_in_gzip_several_members_and_padding_are_read():
    middle = SMALL.index(b"\n^SAMPLE") + 1
    expected = soft(SMALL).entities
    for content in (
        gzip.compress(gzip.compress(SMALL)),
        gzip.compress(SMALL[:middle]) + gzip.compress(SMALL[middle:]),
        gzip.compress(SMALL) + b"\0" * 100,
    ):
        assert soft(content).entities == expected


def test_the_result_does_not_depend_on_where_blocks_end(monkeypatch):
    expected = soft(SMALL)
    for size in (1, 7, 64, 1000):
        monkeypatch.setattr(geo_stream, "BLOCK_BYTES", size)
        assert soft(SMALL if size > 1 else SMALL[:3000]).entities[:2] == expected.entities[:2]
    monkeypatch.setattr(geo_stream, "BLOCK_BYTES", 13)
    assert soft(gzip.compress(SMALL)).entities == expected.entities


def test_an_endless_line_is_refused(monkeypatch):
    monkeypatch.setattr(geo_stream, "LONGEST_LINE_BYTES", 1000)
    monkeypatch.setattr(geo_stream, "BLOCK_BYTES", 100)
    with pytest.raises(MalformedFileError, match="too long"):
        soft(b"^SERIES = " + b"G" * 5000)


def test_too_many_attributes_are_refused(monkeypatch):
    monkeypatch.setattr(geo_soft, "LARGEST_METADATA_BYTES", 1000)
    with pytest.raises(MalformedFileError, match="of attributes") as caught:
        soft("^SERIES = GSE1\n" + "!Series_summary = text\n" * 100)
    assert caught.value.line is not None


def test_memory_does_not_grow_with_the_tables():
    def peak(rows: int) -> int:
        packed = gzip.compress(
            b"^SAMPLE = GSM1\n!sample_table_begin\nID_REF\tVALUE\n"
            + b"1007_s_at\t1.25\n" * rows
            + b"!sample_table_end\n"
        )
        tracemalloc.start()
        family = soft(packed)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert family.samples[0].table is not None
        assert family.samples[0].table.rows == rows
        return used

    assert peak(1_000_000) < peak(100_000) + 1_000_000


MUTATIONS = st.lists(
    st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 60), st.binary(max_size=40)), min_size=1, max_size=8
)


def mutated(mutations: list[tuple[int, int, bytes]]) -> bytes:
    content = bytearray(SMALL)
    for start, length, replacement in mutations:
        content[start : start + length] = replacement
    return bytes(content)


@settings(max_examples=150, deadline=None)
@given(MUTATIONS)
def test_changed_files_are_read_or_refused_and_never_crash(mutations):
    try:
        family = soft(mutated(mutations))
    except MalformedFileError:
        return
    assert len({(entity.kind, entity.name) for entity in family.entities}) == len(family.entities)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 9000), st.binary(max_size=20))
def test_damaged_gzip_is_read_or_refused_and_never_crashes(start, replacement):
    packed = bytearray((GEO / "GSE18162.soft.gz").read_bytes())
    packed[start : start + len(replacement)] = replacement
    try:
        assert soft(bytes(packed)).entities
    except MalformedFileError:
        return


LINES = st.lists(
    st.sampled_from(
        [
            "^SAMPLE = GSM1",
            "^SAMPLE = GSM2",
            "^SERIES = GSE1",
            "^DATASET = GDS1",
            "!Sample_title = A",
            "!sample_table_begin",
            "!sample_table_end",
            "#ID_REF = x",
            "ID_REF\tVALUE",
            "1\t2",
            "",
            "!",
            "^",
        ]
    ),
    max_size=30,
)


@given(LINES)
def test_any_order_of_lines_gives_every_named_entity_once(lines):
    named = {line.split("= ")[1] for line in lines if line.startswith("^") and "=" in line}
    try:
        family = soft("\n".join(lines))
    except MalformedFileError:
        assert not named
        return
    assert sorted(entity.name for entity in family.entities) == sorted(named)


def test_the_soft_files_of_the_tests_are_there():
    assert len(SOFT) == 43


@settings(max_examples=150, deadline=None)
@given(LINES, st.integers(2, 40), st.booleans())
def test_where_blocks_end_does_not_matter(lines, size, packed):
    text = ("^SAMPLE = GSM0\n!sample_table_begin\n" + "\n".join(lines)).encode()
    expected = soft(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(geo_stream, "BLOCK_BYTES", size)
        patch.setattr(geo_stream, "LONGEST_ROW_BYTES", 20)
        assert soft(gzip.compress(text) if packed else text) == expected
