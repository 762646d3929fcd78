"""What of an archive's listing is taken in, and how far a search has been read."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.discovery import DiscoveredStudy
from refinebio_assets.domain.vocabulary import Technology
from refinebio_assets.survey.discovery import (
    DiscoveryCursor,
    Wanted,
    array_express_study,
    by_prefix_and_number,
    ena_study,
    geo_series,
    grouped_for_partitions,
    listed_studies,
    sort_out,
)
from refinebio_assets.survey.registry import PlatformRegistry

REGISTRY = PlatformRegistry.load()
ANYTHING = Wanted()
DAY = date(2026, 11, 20)
ARRAY, SEQUENCED = "Expression profiling by array", "Expression profiling by high throughput sequencing"


def geo_row(**values: Any) -> dict[str, Any]:
    row = {
        "accession": "GSE93374",
        "organisms": ["Mus musculus"],
        "type": ARRAY,
        "published": "2017-01-31",
        "samples": 7,
        "platforms": ["GPL570"],
    }
    return row | values


def geo(wanted: Wanted = ANYTHING, *, changed: date | None = None, **values: Any) -> DiscoveredStudy | str:
    return geo_series(geo_row(**values), wanted, REGISTRY, changed=changed)


def technology(decision: DiscoveredStudy | str) -> str:
    return decision if isinstance(decision, str) else decision.technology.value


@pytest.mark.parametrize(
    ("type_", "platforms", "outcome"),
    [
        (ARRAY, ["GPL570"], "MICROARRAY"),
        (ARRAY, ["GPL999999", "GPL1261"], "MICROARRAY"),
        (ARRAY, ["GPL999999"], "unsupported_platform"),
        (ARRAY, [], "unsupported_platform"),
        (SEQUENCED, ["GPL16791"], "RNA_SEQ"),
        (f"{ARRAY}; {SEQUENCED}", ["GPL999999", "GPL16791"], "RNA_SEQ"),
        (f"Genome binding/occupancy profiling by high throughput sequencing; {SEQUENCED}", ["GPL16791"], "RNA_SEQ"),
        ("Methylation profiling by genome tiling array", ["GPL570"], "other_type"),
        ("Non-coding RNA profiling by array", ["GPL570"], "other_type"),
        ("", ["GPL570"], "other_type"),
    ],
)
def test_series_are_taken_by_what_they_measure_and_on_what(type_: str, platforms: list[str], outcome: str) -> None:
    assert technology(geo(type=type_, platforms=platforms)) == outcome


def test_a_series_keeps_what_orders_the_queue() -> None:
    wanted = Wanted(organisms=("homo_sapiens", "Mus musculus"))
    assert geo(wanted, changed=DAY) == DiscoveredStudy(
        accession="GSE93374",
        changed=DAY,
        published=date(2017, 1, 31),
        organisms=("Mus musculus",),
        samples=7,
        technology=Technology.MICROARRAY,
        priority=1,
    )
    assert geo(wanted, organisms=["Danio rerio", "Homo sapiens"]).priority == 0  # type: ignore[union-attr]
    assert geo(wanted, organisms=["Danio rerio"]).priority == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ({"secondary_study_accession": "SRP000001", "last_updated": "2026-11-20"}, ("SRP000001", DAY)),
        ({"secondary_study_accession": "DRP000670;DRP000595", "first_public": "2026-11-20"}, ("DRP000670", DAY)),
        ({"secondary_study_accession": "SRP000001", "last_updated": "soon"}, ("SRP000001", None)),
        ({"secondary_study_accession": "", "study_accession": "PRJNA1"}, "no_study_accession"),
        ({"secondary_study_accession": "PRJNA1"}, "no_study_accession"),
        ({}, "no_study_accession"),
    ],
)
def test_rows_of_ena(row: dict[str, str], outcome: object) -> None:
    decision = ena_study(row, Wanted())
    assert (decision if isinstance(decision, str) else (decision.accession, decision.changed)) == outcome


@pytest.mark.parametrize(
    ("accession", "outcome"),
    [
        ("E-MTAB-3050", "E-MTAB-3050"),
        ("E-GEOD-44719", "mirror_of_geo"),
        ("S-BSST1", "not_array_express"),
        ("", "not_array_express"),
    ],
)
def test_rows_of_array_express(accession: str, outcome: str) -> None:
    decision = array_express_study({"accession": accession, "released": "2026-11-20", "modified": None}, Wanted())
    assert (decision if isinstance(decision, str) else decision.accession) == outcome
    if not isinstance(decision, str):
        assert (decision.published, decision.changed) == (DAY, None)


def test_what_is_left_out_is_named_with_its_reason() -> None:
    rows = [{"accession": one, "released": "2026-11-20"} for one in ("E-GEOD-1", "E-MTAB-1", "S-BSST1", "E-GEOD-2")]
    studies, skipped = sort_out(
        rows, lambda row: array_express_study(row, Wanted()), name_of=lambda row: row["accession"]
    )
    assert list(studies) == ["E-MTAB-1"]
    assert skipped == {"mirror_of_geo": ("E-GEOD-1", "E-GEOD-2"), "not_array_express": ("S-BSST1",)}


def test_a_list_gives_experiments_in_its_order_and_names_the_others() -> None:
    names = ["gse7", "E-GEOD-7", "E-GEOD-5", "E-MTAB-9", "GSM12", "SRP000001", "PRJNA1", "zebra fish", "GSM12"]
    studies, others = listed_studies(names)
    assert list(studies) == ["GSE7", "GSE5", "E-MTAB-9", "SRP000001"]
    assert others == ["GSM12", "PRJNA1", "zebra fish"]


@given(st.lists(st.text(max_size=12)))
def test_nothing_of_a_list_is_lost(names: list[str]) -> None:
    studies, others = listed_studies(names)
    assert {name.strip().upper() for name in names} == set(studies) | {name.strip().upper() for name in others}


def test_accessions_are_sorted_by_prefix_and_number() -> None:
    expected = ["DRP000393", "E-MEXP-31", "E-MTAB-9", "E-MTAB-10", "ERP000016", "GSE13", "GSE1000", "SRP000001"]
    shuffled = [*expected[4:], *expected[:4]]
    assert sorted(shuffled, key=by_prefix_and_number) == expected


@given(st.text(), st.text())
def test_any_two_accessions_can_be_compared(one: str, other: str) -> None:
    by_one, by_other = by_prefix_and_number(one), by_prefix_and_number(other)
    assert (by_one <= by_other) or (by_other <= by_one)


def test_partitions_are_grouped_by_organism_and_technology() -> None:
    def study(accession: str, organism: str, technology: Technology) -> DiscoveredStudy:
        return DiscoveredStudy(accession=accession, organisms=(organism,), technology=technology)

    studies = [
        study("GSE10", "Mus musculus", Technology.RNA_SEQ),
        study("GSE9", "Danio rerio", Technology.MICROARRAY),
        study("GSE8", "Mus musculus", Technology.MICROARRAY),
        study("GSE7", "Mus musculus", Technology.RNA_SEQ),
        DiscoveredStudy(accession="E-MTAB-1"),
    ]
    assert grouped_for_partitions(studies) == ["E-MTAB-1", "GSE9", "GSE8", "GSE7", "GSE10"]


def test_windows_overlap_and_never_go_back() -> None:
    cursor = DiscoveryCursor(DAY)
    assert cursor.after(rows=3, full=False, until=DAY + timedelta(days=9)) == DiscoveryCursor(DAY + timedelta(days=6))
    assert cursor.after(rows=3, full=False, until=DAY) == cursor


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_full_page_goes_on_with_less_than_it_read_but_always_goes_on(offset: int, rows: int) -> None:
    following = DiscoveryCursor(DAY, offset).after(rows=rows, full=True, until=DAY)
    assert following.since == DAY
    assert offset < following.offset <= offset + rows


@given(st.dates(), st.integers(0, 10**9))
def test_a_cursor_is_read_back_as_it_was_written(since: date, offset: int) -> None:
    cursor = DiscoveryCursor(since, offset)
    assert DiscoveryCursor.loads(cursor.dumps(), start=DAY) == cursor
