from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.imported_metadata import AttributeEntry, KeywordEntry, MalformedEntry
from refinebio_assets.metadata.metasra import metasra_samples, read_metasra, runs_of_samples
from refinebio_assets.metadata.sample_entries import read_attributes, read_keywords
from tests.metadata.files import CONTRIBUTED


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "entries.json"
    path.write_text(json.dumps(content))
    return path


def attribute(tmp_path: Path, content: Any, key: str = "EFO:0000246") -> Any:
    (found,) = read_attributes(written(tmp_path, [{"sample_accession": "SRR1", "attributes": [{key: content}]}]))
    return found


def test_refinebios_own_example_of_attributes_is_read() -> None:
    assert list(read_attributes(CONTRIBUTED / "metadata.json")) == [
        AttributeEntry(
            sample="DRR001173",
            term_id="PATO:0000047",
            value="PATO:0000383",
            value_type="term",
            probability=0.7856624891880539,
            position="entry 0 (DRR001173), attribute 0 (PATO:0000047)",
        )
    ]


def test_refinebios_own_example_of_keywords_is_read() -> None:
    found = list(read_keywords(CONTRIBUTED / "keywords.json"))
    assert len(found) == 28
    assert found[0] == KeywordEntry(sample="DRR000897", term_id="UBERON:0007220", position="entry 0 (DRR000897)")
    assert {entry.sample for entry in found if isinstance(entry, KeywordEntry)} == {
        "DRR000897",
        "DRR001173",
        "DRR001174",
    }


@pytest.mark.parametrize(
    ("value", "value_type", "stored"),
    [
        (False, "bool", False),
        (True, "bool", True),
        (0, "int", 0),
        (36, "int", 36),
        (36.5, "float", 36.5),
        ("PATO:0000383", "term", "PATO:0000383"),
        ("http://purl.obolibrary.org/obo/UBERON_0002107", "term", "UBERON:0002107"),
        ("DOID:4", "term", "DOID:4"),
        ("liver", "text", "liver"),
        ("False", "text", "False"),
        ("day:3", "text", "day:3"),
        ("sample_1", "text", "sample_1"),
    ],
)
def test_values_keep_their_type(tmp_path: Path, value: Any, value_type: str, stored: Any) -> None:
    found = attribute(tmp_path, {"value": value, "unit": "UO:0000036", "probability": 1})
    assert (found.value_type, found.value, type(found.value)) == (value_type, stored, type(stored))
    assert (found.unit_id, found.probability) == ("UO:0000036", 1.0)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "PATO:0000383",
        {},
        {"unit": "UO:0000036"},
        {"value": None},
        {"value": [1]},
        {"value": ""},
        {"value": float("nan")},
        {"value": float("inf")},
        {"value": 1, "unit": "years"},
        {"value": 1, "unit": 3},
        {"value": 1, "probability": 1.5},
        {"value": 1, "probability": "high"},
        {"value": 1, "probability": True},
        {"value": 1, "probabilty": 0.5},
    ],
)
def test_a_malformed_value_is_reported_with_its_place(tmp_path: Path, content: Any) -> None:
    found = attribute(tmp_path, content)
    assert isinstance(found, MalformedEntry)
    assert found.position == "entry 0 (SRR1), attribute 0 (EFO:0000246)"


def test_malformed_entries_do_not_stop_the_others(tmp_path: Path) -> None:
    good = {"sample_accession": "SRR1", "attributes": [{"EFO:0000246": {"value": 1}}]}
    bad: list[Any] = [
        "SRR1",
        None,
        {},
        {"sample_accession": "", "attributes": []},
        {"sample_accession": "SRR1"},
        {"sample_accession": "SRR1", "attributes": {"EFO:0000246": {"value": 1}}},
        {"sample_accession": "SRR1", "attributes": [{}]},
        {"sample_accession": "SRR1", "attributes": [{"age": {"value": 1}}]},
    ]
    found = list(read_attributes(written(tmp_path, [*bad, good])))
    assert [type(entry) for entry in found] == [MalformedEntry] * len(bad) + [AttributeEntry]
    assert [entry.position.split(" (")[0].split(",")[0] for entry in found] == [f"entry {n}" for n in range(9)]


def test_malformed_keywords_do_not_stop_the_others(tmp_path: Path) -> None:
    content = {"SRR1": ["liver", "UBERON:0002107"], "SRR2": "UBERON:0002107", "": ["UBERON:0002107"], "SRR3": [None]}
    found = list(read_keywords(written(tmp_path, content)))
    assert [entry.term_id for entry in found if isinstance(entry, KeywordEntry)] == ["UBERON:0002107"]
    assert [entry.position for entry in found if isinstance(entry, MalformedEntry)] == [
        "entry 0 (SRR1), keyword 0",
        "entry 1 (SRR2)",
        "entry 2 ()",
        "entry 3 (SRR3), keyword 0",
    ]


def test_one_format_given_for_the_other_is_refused_with_the_right_command() -> None:
    with pytest.raises(MalformedFileError, match="import keywords"):
        list(read_attributes(CONTRIBUTED / "keywords.json"))
    with pytest.raises(MalformedFileError, match="import attributes"):
        list(read_keywords(CONTRIBUTED / "metadata.json"))


def test_metasra_is_spread_over_the_runs_of_its_samples() -> None:
    path = CONTRIBUTED / "metasra.json"
    runs = runs_of_samples(CONTRIBUTED / "SRA_Accessions.tab", metasra_samples(path))
    assert runs == {"SRS891844": ["SRR1958001", "SRR1958002"]}
    found = list(read_metasra(path, runs))
    keywords = [(entry.sample, entry.term_id) for entry in found if isinstance(entry, KeywordEntry)]
    assert keywords == [
        ("SRR1958001", "CVCL:E548"),
        ("SRR1958001", "EFO:0000324"),
        ("SRR1958002", "CVCL:E548"),
        ("SRR1958002", "EFO:0000324"),
        ("SRS684379", "UBERON:0002107"),
    ]
    attributes = [
        (entry.sample, entry.term_id, entry.value, entry.unit_id)
        for entry in found
        if isinstance(entry, AttributeEntry)
    ]
    assert attributes == [
        ("SRR1958001", "EFO:0000721", 24.0, "UO:0000032"),
        ("SRR1958002", "EFO:0000721", 24.0, "UO:0000032"),
        ("SRS684379", "EFO:0000246", 36.0, None),
    ]


@pytest.mark.parametrize(
    "content",
    ["x", {"mapped ontology terms": "UBERON:1"}, {"real-value properties": {}}, {"real-value properties": [1]}],
)
def test_malformed_entries_of_metasra_are_reported(tmp_path: Path, content: Any) -> None:
    (found,) = read_metasra(written(tmp_path, {"SRS1": content}), {})
    assert isinstance(found, MalformedEntry)


def test_another_table_than_the_list_of_accessions_is_refused() -> None:
    with pytest.raises(MalformedFileError, match="Accession, Type and Sample"):
        runs_of_samples(CONTRIBUTED / "metasra.json", ["SRS891844"])
