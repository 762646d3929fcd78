"""Columns find their samples by accession, title and description, and ambiguity is told."""

import pytest

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.microarray.illumina_samples import (
    MatchedBy,
    SampleHint,
    match_samples,
    match_single,
    read_sample_hints,
)

HINTS = (
    SampleHint("GSM1", "CB CD34+ hypoxia", ("SAMPLE 1",)),
    SampleHint("GSM2", "CB CD34+ normoxia", ("SAMPLE 2", "4343238080_B_Grn.idat")),
    SampleHint("GSM3", "blood_LV-C&si-3", ()),
)


@pytest.mark.parametrize(
    ("column", "accession", "by"),
    [
        ("GSM2", "GSM2", MatchedBy.ACCESSION),
        ("CB CD34+ hypoxia", "GSM1", MatchedBy.TITLE),
        ("cb_cd34+_normoxia", "GSM2", MatchedBy.TITLE),
        ("SAMPLE 1", "GSM1", MatchedBy.DESCRIPTION),
        ("LV-C&si-3", "GSM3", MatchedBy.PART_OF_TITLE),
        ("4343238080_B", "GSM2", MatchedBy.PART_OF_TITLE),
        ("something else", "", MatchedBy.NONE),
        ("CB CD34+", "", MatchedBy.AMBIGUOUS),
    ],
)
def test_a_column_is_matched_by_what_names_it(column, accession, by):
    match = match_samples([column], HINTS)[0]
    assert (match.accession, match.by) == (accession, by)


def test_ambiguous_columns_name_the_candidates():
    assert match_samples(["CB CD34+"], HINTS)[0].candidates == ("GSM1", "GSM2")


def test_plus_and_minus_tell_samples_apart():
    hints = (SampleHint("GSM1", "CD4+"), SampleHint("GSM2", "CD4-"))
    assert [one.accession for one in match_samples(["cd4 -", "cd4 +"], hints)] == ["GSM2", "GSM1"]


def test_a_sample_goes_to_one_column_only():
    matches = match_samples(["CB CD34+ hypoxia", "SAMPLE 1"], HINTS)
    assert [one.accession for one in matches] == ["GSM1", ""]
    twice = match_samples(["SAMPLE 1", "SAMPLE 1"], HINTS)
    assert [one.by for one in twice] == [MatchedBy.AMBIGUOUS] * 2


def test_the_table_of_one_sample_is_that_of_the_only_sample():
    assert match_single("VALUE", HINTS[:1]).by is MatchedBy.ORDER
    assert match_single("VALUE", HINTS).accession == ""


def test_a_list_of_samples_is_read():
    text = b"Title,accession,file,note\nx,GSM1,a.txt,\n\ny,GSM2,,b\n"
    assert read_sample_hints(text) == (SampleHint("GSM1", "x", ("a.txt",)), SampleHint("GSM2", "y", ("b",)))


@pytest.mark.parametrize(
    ("text", "line"), [(b"name\ttitle\nx\ty\n", 1), (b"accession\nGSM1\nGSM1\n", 3), (b"accession\ttitle\n\tx\n", 2)]
)
def test_a_wrong_list_of_samples_names_its_line(text, line):
    with pytest.raises(MalformedFileError) as raised:
        read_sample_hints(text)
    assert raised.value.line == line
