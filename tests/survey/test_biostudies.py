from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedPayloadError
from refinebio_assets.survey.biostudies import (
    MAGE_TAB,
    ORGANIZATION,
    PROTOCOLS,
    file_url,
    parse_file_list,
    parse_study,
    parse_study_info,
)
from tests.survey.array_express_studies import page_tab, recorded

ARRAY_STUDY = "E-MTAB-16149.biostudies.json"
SEQUENCING_STUDY = "E-MTAB-9697.biostudies.json"


@pytest.mark.parametrize("spelling", [lambda study: study, page_tab], ids=["exported", "page-tab"])
def test_a_recorded_array_study_is_read_in_both_spellings(spelling: Any):
    study = parse_study(spelling(recorded(ARRAY_STUDY)))

    assert study.accession == "E-MTAB-16149"
    assert study.title.startswith("Gene expression profiling of Arabidopsis thaliana seedlings")
    assert study.description.startswith("10-day-old Arabidopsis")
    assert study.sections[0].values("organism") == ("Arabidopsis thaliana",)
    assert study.sections[0].values("Study type") == ("transcription profiling by array",)
    assert study.array_designs == ("A-MEXP-1711",)
    assert study.release_date == date(2026, 1, 1)
    assert len(study.of_type(PROTOCOLS)) == 8
    assert [each.first("Name")[:24] for each in study.of_type(ORGANIZATION)] == ["United Graduate School o"]
    by_section = [
        sum(file.section == kind for file in study.files) for kind in ("Raw Data", "Processed Data", MAGE_TAB)
    ]
    assert by_section == [12, 1, 2]
    raw = study.files[0]
    assert (raw.name, raw.size_bytes) == ("US11033868_252116912172_S01_GE1_107_Sep09_1_3.txt", 6814073)
    assert raw.attributes["Samples"] == "Cold1"


def test_checksums_are_kept_in_lower_case():
    assert parse_study(recorded(ARRAY_STUDY)).files[0].md5 == "c7dd4e4f4124f809e969ab53466b03a7"


def test_a_recorded_sequencing_study_links_to_its_reads():
    study = parse_study(recorded(SEQUENCING_STUDY))
    assert [(link.url, link.type) for link in study.links] == [("ERP124622", "ENA")]
    assert study.array_designs == ()
    assert study.sections[0].values("Study type")[1] == "RNA-seq of coding RNA"
    # an attribute without a value says nothing
    assert [each.first("Hardware") for each in study.of_type(PROTOCOLS)] == ["NextSeq 550", "", "", ""]


def test_sections_come_outer_before_inner_whether_tables_are_lists_or_objects():
    study = parse_study(
        {
            "accno": "E-MTAB-1",
            "section": {
                "type": "Study",
                "subsections": [
                    [{"type": "Protocols"}, [{"type": "Protocols"}]],
                    {"type": "Assays and Data", "subsections": [{"type": "Array Designs"}]},
                    {"extType": "sectionsTable", "sections": [{"type": "Other"}]},
                ],
            },
        }
    )
    told = [section.type for section in study.sections]
    assert told == ["Study", "Protocols", "Protocols", "Assays and Data", "Array Designs", "Other"]


def test_a_file_list_kept_elsewhere_is_named():
    raw = {"type": "Raw Data", "fileList": "raw.json"}
    named = {"type": "Raw Data", "fileList": {"fileName": "raw.json"}}
    for section in (raw, named):
        study = parse_study({"accno": "E-MTAB-1", "section": section})
        assert study.sections[0].file_list == "raw.json"


def test_the_info_of_a_study():
    info = parse_study_info(
        {
            "files": 178,
            "httpLink": "https://ftp.ebi.ac.uk/biostudies/fire/E-GEOD-/059/E-GEOD-16059",
            "ftpLink": "ftp://ftp.ebi.ac.uk/biostudies/fire/E-GEOD-/059/E-GEOD-16059",
            "isPublic": True,
            "released": 1242086400000,
            "modified": 1691250665774,
        }
    )
    assert (info.files, info.released, info.modified) == (178, date(2009, 5, 12), date(2023, 8, 5))
    assert info.http_link.endswith("/E-GEOD-/059/E-GEOD-16059")
    assert info.is_public


@pytest.mark.parametrize("value", [None, "soon", True, 10**30, float("nan"), [1]])
def test_a_time_that_is_none_is_unknown(value: Any):
    assert parse_study_info({"modified": value}).modified is None


@pytest.mark.parametrize(
    "row",
    [
        {"path": "a/b.CEL", "size": 7, "type": "file"},
        {"filePath": "a/b.CEL", "fileName": "b.CEL", "size": "7"},
        {"file_path": "a/b.CEL", "file_name": "b.CEL", "file_size": "7", "file_section": "raw-data"},
    ],
)
def test_file_lists_are_read_in_all_spellings(row: dict[str, Any]):
    (file,) = parse_file_list([row])
    assert (file.path, file.name, file.size_bytes) == ("a/b.CEL", "b.CEL", 7)


def test_the_address_of_a_file_is_safe_in_a_url():
    url = file_url("E-MTAB-1677", "raw data/T_(x)#1.CEL")
    assert url == "https://www.ebi.ac.uk/biostudies/files/E-MTAB-1677/raw%20data/T_%28x%29%231.CEL"


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"errorMessage": "Study not found"}, "Study not found"),
        ({}, "study.accno"),
        ({"accno": "nonsense"}, "study.accno"),
        ([], "study should be an object"),
        ({"accno": "E-MTAB-1", "section": {"subsections": "text"}}, "study.section.subsections"),
        ({"accno": "E-MTAB-1", "section": {"files": [{"size": 1}]}}, "files with a path"),
    ],
)
def test_what_is_no_study_is_refused_and_the_place_named(payload: Any, told: str):
    with pytest.raises(MalformedPayloadError, match=told):
        parse_study(payload)


def test_endless_nesting_is_refused():
    section: dict[str, Any] = {"type": "Study"}
    for _ in range(100):
        section = {"type": "Study", "subsections": [section]}
    with pytest.raises(MalformedPayloadError, match="deep"):
        parse_study({"accno": "E-MTAB-1", "section": section})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in ((value, key), *places(inner))]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_study_is_read_or_refused(data: st.DataObject):
    study = page_tab(recorded(SEQUENCING_STUDY))
    container, key = data.draw(st.sampled_from(places(study)))
    container[key] = data.draw(JSON)
    with suppress(MalformedPayloadError):
        parse_study(study)
