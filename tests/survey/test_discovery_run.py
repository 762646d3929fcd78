"""Looks at archives: what goes into the catalog, when cursors move, and what a failing archive costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from refinebio_assets.domain.discovery import DiscoveredStudy, SourceName
from refinebio_assets.domain.errors import (
    AccessControlledError,
    ArchiveError,
    InputError,
    MalformedPayloadError,
    TransientArchiveError,
)
from refinebio_assets.survey.discovery import DiscoveryCursor, Found, Wanted
from refinebio_assets.survey.discovery_run import (
    ArrayExpressChanges,
    Outcome,
    accessions_in,
    cursor_key,
    gather,
    look_at,
    read_list,
)
from resources.catalog import Catalog
from resources.settings import Settings

TODAY = date(2026, 11, 23)
START = date(2026, 11, 16)
ANYTHING = Wanted()


@dataclass
class Listing:
    """An archive's listing that does not change, read in pages."""

    accessions: Sequence[str]
    query: str = "published"
    archive: SourceName = "geo"
    fails_at: int | None = None
    asked: list[DiscoveryCursor] = field(default_factory=list)

    def look(self, cursor: DiscoveryCursor, *, until: date, limit: int) -> Found:
        self.asked.append(cursor)
        if self.fails_at is not None and cursor.offset >= self.fails_at:
            raise TransientArchiveError("It is unwell.", url="https://www.ncbi.nlm.nih.gov/")
        page = self.accessions[cursor.offset : cursor.offset + limit]
        full = len(page) == limit
        studies = {one: DiscoveredStudy(accession=one, published=until) for one in page}
        following = cursor.after(rows=len(page), full=full, until=until)
        return Found(studies=studies, cursor=following, complete=not full, skipped={"other_type": ("GSE999",)})


def series(number: int) -> list[str]:
    return [f"GSE{one}" for one in range(1, number + 1)]


def look(catalog: Catalog, *sources: Listing, wanted: Wanted = ANYTHING, limit: int = 100) -> tuple[Outcome, list[str]]:
    added: list[str] = []
    outcome = look_at(
        sources, catalog, wanted, start=START, today=TODAY, limit=limit, add_partitions=added.extend
    )  # fmt: skip
    return outcome, added


def test_a_full_page_goes_on_in_the_next_look_and_nothing_is_missed(sqlite_catalog: Catalog) -> None:
    listing = Listing(series(250))
    new = []
    for _ in range(4):
        outcome, added = look(sqlite_catalog, listing)
        assert sorted(added) == sorted(outcome.new)
        new += outcome.new
    assert new == series(250)
    assert [cursor.offset for cursor in listing.asked] == [0, 95, 190, 0]
    assert listing.asked[-1].since == TODAY - timedelta(days=3)
    assert sqlite_catalog.ledger.experiment_counts() == {"discovered": 250}


def test_a_search_that_fails_keeps_its_cursor_and_the_others_go_on(sqlite_catalog: Catalog) -> None:
    broken, well = Listing(["GSE1"], fails_at=0), Listing(["GSE2"], query="updated")
    outcome, _ = look(sqlite_catalog, broken, well)
    assert outcome.new == ["GSE2"]
    assert outcome.problems == ["It is unwell. The search for what was published stays at 2026-11-16."]
    assert sqlite_catalog.cursor(cursor_key(broken, ANYTHING)) is None
    broken.fails_at = None
    assert look(sqlite_catalog, broken, well)[0].new == ["GSE1"]
    assert broken.asked[-1] == DiscoveryCursor(START)


def test_partitions_that_cannot_be_added_keep_the_cursor(sqlite_catalog: Catalog) -> None:
    def refuse(_accessions: Sequence[str]) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        look_at(
            [Listing(["GSE1"])], sqlite_catalog, ANYTHING, start=START, today=TODAY, limit=9, add_partitions=refuse
        )  # fmt: skip
    assert sqlite_catalog.cursor(cursor_key(Listing([]), ANYTHING)) is None


def test_other_organisms_are_another_search(sqlite_catalog: Catalog) -> None:
    listing = Listing(["GSE1"])
    look(sqlite_catalog, listing, wanted=Wanted(organisms=("Danio rerio",)))
    look(sqlite_catalog, listing, wanted=Wanted(organisms=("Danio rerio", "Mus musculus")))
    assert [cursor.since for cursor in listing.asked] == [START, START]
    reordered = [Wanted(organisms=("a", "b")), Wanted(organisms=("b", "a"))]
    assert len({cursor_key(listing, one) for one in reordered}) == 1


def test_a_look_is_told_in_one_line(sqlite_catalog: Catalog) -> None:
    outcome, _ = look(sqlite_catalog, Listing(["GSE1", "GSE2"]))
    assert outcome.summary() == "2 listed, 2 new, 0 changed. 1 left out: other_type"


def test_gathering_reads_all_pages_and_keeps_what_came_before_a_failure() -> None:
    said: list[str] = []
    whole = gather([Listing(series(1200))], since=START, until=TODAY, report=said.append)
    assert list(whole.studies) == series(1200)
    assert whole.skipped["geo"]["other_type"] == 3
    assert said[-1] == "geo: 1200 studies"
    broken = gather([Listing(series(1200), fails_at=400)], since=START, until=TODAY, report=said.append)
    assert list(broken.studies) == series(500)
    assert broken.problems == ["geo: It is unwell."]


class StudiesOfBioStudies:
    """Answers ``info`` as BioStudies does: milliseconds, or nothing."""

    def __init__(self) -> None:
        self.biostudies = self
        self.days = {f"E-MTAB-{n}": datetime(2026, 11, n, 23, tzinfo=UTC) for n in range(1, 8)}

    def info(self, accession: str) -> dict[str, int] | None:
        day = self.days.get(accession)
        return None if day is None else {"modified": int(day.timestamp() * 1000)}


def test_known_array_express_studies_are_looked_up_in_turn() -> None:
    known = [f"E-MTAB-{n}" for n in range(1, 9)]
    source = ArrayExpressChanges(StudiesOfBioStudies(), lambda offset, size: known[offset : offset + size])  # type: ignore[arg-type]
    first = source.look(DiscoveryCursor(START), until=TODAY, limit=5)
    assert {accession: study.changed for accession, study in first.studies.items()} == {
        f"E-MTAB-{n}": date(2026, 11, n) for n in range(1, 6)
    }  # fmt: skip
    second = source.look(first.cursor, until=TODAY, limit=5)
    assert sorted(second.studies) == ["E-MTAB-6", "E-MTAB-7"]
    assert second.skipped == {"no_day_of_change": ("E-MTAB-8",)}
    assert (second.complete, second.cursor.offset) == (True, 0)


@pytest.mark.parametrize("kind", [AccessControlledError, MalformedPayloadError])
def test_a_study_that_cannot_be_looked_up_does_not_hold_the_round_up(kind: type[ArchiveError]) -> None:
    class OneIsPrivate(StudiesOfBioStudies):
        def info(self, accession: str) -> dict[str, int] | None:
            if accession == "E-MTAB-2":
                message = "It is not public."
                raise kind(message)
            return super().info(accession)

    known = [f"E-MTAB-{n}" for n in range(1, 5)]
    source = ArrayExpressChanges(OneIsPrivate(), lambda offset, size: known[offset : offset + size])  # type: ignore[arg-type]
    found = source.look(DiscoveryCursor(START), until=TODAY, limit=3)
    assert list(found.studies) == ["E-MTAB-1", "E-MTAB-3"]
    assert found.skipped == {kind.code: ("E-MTAB-2",)}
    assert found.cursor.offset == 3


def test_a_list_has_comments_blank_lines_and_repeats(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffGSE1 # first\r\n\n# nothing\nE-MTAB-2\nGSE1\n".encode())
    content = read_list(str(path), Settings())
    assert accessions_in(content, location=str(path)) == ["GSE1", "E-MTAB-2"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00GSE"])
def test_a_list_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        accessions_in(read_list(str(path), Settings()), location=str(path))
    assert str(path) in str(caught.value.location)
