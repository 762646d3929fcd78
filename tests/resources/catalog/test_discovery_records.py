"""What the catalog remembers for discovery: queues and quotas, changes upstream, looks that found nothing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.discovery import SOURCE_NAMES, DiscoveredStudy, source_of_study
from refinebio_assets.domain.vocabulary import MAX_ATTEMPTS, LedgerKind, SampleState
from resources.catalog import Catalog
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import change, sample, study

TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def found(accession: str, **values: object) -> DiscoveredStudy:
    return replace(DiscoveredStudy(accession=accession), **values)  # type: ignore[arg-type]


def series(numbers: Sequence[int]) -> list[DiscoveredStudy]:
    return [found(f"GSE{number}") for number in numbers]


def admitted(catalog: Catalog, quota: int, *, day: date = TODAY) -> list[str]:
    return catalog.discovery.admit("geo", quota=quota, today=day)


def changed(catalog: Catalog, accession: str, day: date, *, today: date = TODAY) -> tuple[str, ...]:
    return catalog.discovery.take_in([found(accession, changed=day)], today=today).changed


def surveyed_on(catalog: Catalog, day: datetime, accession: str = "SRP000001") -> None:
    """Make the last survey of an experiment one of another day."""
    catalog.set_property(f"surveyed:{accession}", day.isoformat(timespec="seconds"))


def test_what_is_found_waits_until_the_quota_of_its_archive_has_room(catalog: Catalog) -> None:
    taken = catalog.discovery.take_in([*series([3, 1, 2]), found("SRP000009")], today=TODAY)
    assert taken.new == ("GSE3", "GSE1", "GSE2", "SRP000009")
    assert catalog.ledger.experiment_counts() == {"discovered": 4}
    assert catalog.ledger.experiments_to_survey(limit=9) == []
    assert admitted(catalog, 2) == ["GSE1", "GSE2"]
    assert catalog.ledger.experiments_to_survey(limit=9) == ["GSE1", "GSE2"]
    assert admitted(catalog, 2) == []
    use = catalog.discovery.quota_use("geo", today=TODAY)
    assert (use.taken, use.waiting) == (2, 1)
    assert admitted(catalog, 2, day=TODAY + DAY) == ["GSE3"]
    assert catalog.discovery.admit("ena", quota=1, today=TODAY) == ["SRP000009"]


def test_a_quota_of_nothing_takes_nothing(catalog: Catalog) -> None:
    catalog.discovery.take_in(series([1]), today=TODAY)
    assert admitted(catalog, 0) == []


def test_the_queue_has_what_people_asked_for_first_then_what_waits_longest(catalog: Catalog) -> None:
    records = catalog.discovery
    second, old = date(2026, 1, 1), date(2001, 1, 1)
    today = [
        found("GSE10", priority=1, samples=900),
        found("GSE11", priority=0, samples=5, published=second),
        found("GSE12", priority=0, samples=50),
        found("GSE13", priority=0, samples=5, published=old),
    ]
    records.take_in(today, today=TODAY)
    records.take_in([found("GSE20", priority=9)], today=TODAY - DAY)
    records.take_in([found("GSE30", priority=9)], today=TODAY, requested=True)
    assert admitted(catalog, 9) == ["GSE30", "GSE20", "GSE12", "GSE13", "GSE11", "GSE10"]


def test_processes_share_one_quota(catalog: Catalog) -> None:
    catalog.discovery.take_in(series(range(1, 41)), today=TODAY)
    with ThreadPoolExecutor(4) as pool:
        taken = [one for part in pool.map(lambda _: admitted(catalog, 10), range(8)) for one in part]
    assert len(taken) == len(set(taken)) == 10


def test_what_was_surveyed_by_command_meanwhile_uses_no_quota(catalog: Catalog) -> None:
    catalog.discovery.take_in([found("SRP000001"), found("SRP000002")], today=TODAY)
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert catalog.discovery.quota_use("ena", today=TODAY).waiting == 1
    entry = change("SRP000002", SampleState.SUPERSEDED, kind=LedgerKind.EXPERIMENT)
    catalog.ledger.set_states([entry])
    assert catalog.discovery.admit("ena", quota=5, today=TODAY) == []
    use = catalog.discovery.quota_use("ena", today=TODAY)
    assert (use.taken, use.waiting) == (0, 0)


def test_what_a_survey_follows_does_not_wait(catalog: Catalog) -> None:
    catalog.ledger.discover(["SRP000004"], source="geo")
    assert catalog.ledger.experiments_to_survey(limit=9) == ["SRP000004"]


@pytest.mark.parametrize(
    ("accession", "archive"),
    [("GSE1", "geo"), ("E-MTAB-1", "array_express"), ("SRP1", "ena"), ("ERP1", "ena"), ("DRP1", "ena")],
)
def test_every_experiment_counts_for_one_archive(accession: str, archive: str) -> None:
    assert source_of_study(accession) == archive
    assert archive in SOURCE_NAMES


def test_known_experiments_are_not_new_under_another_name(catalog: Catalog) -> None:
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    asked = ["PRJNA000001", "SRP000001", "SRP000777"]
    known = catalog.discovery.known(asked)
    assert known["SRP000001"] == "SRP000001"
    assert "SRP000777" not in known
    taken = catalog.discovery.take_in([found(one) for one in asked if one in known], today=TODAY)
    assert taken.new == ()


def test_a_change_upstream_is_remembered_until_a_survey_is_recorded(catalog: Catalog) -> None:
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    surveyed_on(catalog, NOON - 9 * DAY)
    day = TODAY - 2 * DAY
    assert changed(catalog, "SRP000001", day) == ("SRP000001",)
    assert changed(catalog, "SRP000001", day) == ()  # it is noted already
    assert catalog.discovery.changed_experiments(limit=9) == ["SRP000001"]
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert catalog.discovery.changed_experiments(limit=9) == []
    assert changed(catalog, "SRP000001", day) == ()


@pytest.mark.parametrize(
    ("days_since_survey", "days_since_change", "outdated"),
    [
        (9, 2, True),  # changed after the survey
        (2, 9, False),
        (0, 0, False),  # the survey of today has, most likely, seen today's change
        (1, 1, True),  # yesterday's may have come before yesterday's change: one more look
        (0, 1, False),
    ],
)
def test_without_a_day_in_the_record_the_day_of_the_survey_tells_what_is_outdated(
    sqlite_catalog: Catalog, days_since_survey: int, days_since_change: int, outdated: bool
) -> None:
    sqlite_catalog.record_survey(study(last_updated=None), metadata_sha256="a" * 64)
    surveyed_on(sqlite_catalog, NOON - days_since_survey * DAY)
    assert bool(changed(sqlite_catalog, "SRP000001", TODAY - days_since_change * DAY)) is outdated


@pytest.mark.parametrize(
    ("recorded", "listed", "surveyed", "outdated"),
    [
        (2, 1, 0, True),  # the record is of the day before yesterday, the archive has one of yesterday
        (1, 1, 0, False),
        (1, 2, 9, False),
        (1, 1, 1, True),  # surveyed on the day of the change: once more when the day is over
        (0, 0, 0, False),
    ],
)
def test_the_day_in_the_record_tells_what_is_outdated(
    sqlite_catalog: Catalog, recorded: int, listed: int, surveyed: int, outdated: bool
) -> None:
    sqlite_catalog.record_survey(study(last_updated=TODAY - recorded * DAY), metadata_sha256="a" * 64)
    surveyed_on(sqlite_catalog, NOON - surveyed * DAY)
    assert bool(changed(sqlite_catalog, "SRP000001", TODAY - listed * DAY)) is outdated


def test_a_record_that_never_tells_the_change_is_surveyed_for_it_once(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert changed(sqlite_catalog, "SRP000001", TODAY - DAY) == ("SRP000001",)
    sqlite_catalog.record_survey(study(), metadata_sha256="a" * 64)
    surveyed_on(sqlite_catalog, NOON)
    assert changed(sqlite_catalog, "SRP000001", TODAY - DAY) == ()
    assert changed(sqlite_catalog, "SRP000001", TODAY) == ("SRP000001",)


def test_what_is_listed_without_a_day_of_change_is_not_outdated(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert sqlite_catalog.discovery.take_in([found("SRP000001", published=TODAY)], today=TODAY).changed == ()


def test_what_waits_for_its_first_survey_is_not_outdated(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.discovery.take_in(series([1]), today=TODAY - DAY)
    assert changed(sqlite_catalog, "GSE1", TODAY) == ()


def test_a_study_that_could_not_be_surveyed_gets_new_tries_when_it_changes(sqlite_catalog: Catalog) -> None:
    ledger = sqlite_catalog.ledger
    ledger.discover(["SRP000005"], source="ena")
    failed = change(
        "SRP000005", SampleState.DISCOVERED, kind=LedgerKind.EXPERIMENT, retryable=True, attempted=True
    )  # fmt: skip
    for _ in range(MAX_ATTEMPTS):
        ledger.set_states([failed])
    tomorrow = ledger.entries(["SRP000005"])["SRP000005"].updated_at.date() + DAY
    assert changed(sqlite_catalog, "SRP000005", tomorrow, today=tomorrow) == ("SRP000005",)
    entry = ledger.entries(["SRP000005"])["SRP000005"]
    assert (entry.attempts, entry.retryable) == (0, False)
    assert sqlite_catalog.discovery.changed_experiments(limit=9) == ["SRP000005"]
    ledger.set_states([failed])  # from now on the retry loop has it
    assert sqlite_catalog.discovery.changed_experiments(limit=9) == []


def missing(catalog: Catalog, moment: datetime, accession: str = "SRP000001") -> str:
    state = catalog.discovery.note_missing(
        accession, message="The archive does not have it.", reason="archive_not_found", moment=moment
    )
    return state.value


def test_one_look_that_finds_nothing_withdraws_nothing(catalog: Catalog) -> None:
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    before = catalog.ledger.counts("SRP000001")
    assert missing(catalog, NOON) == "surveyed"
    assert missing(catalog, NOON + timedelta(hours=23)) == "surveyed"
    assert catalog.ledger.counts("SRP000001") == before
    entry = catalog.ledger.entries(["SRP000001"])["SRP000001"]
    assert (
        entry.message == "The archive does not have it. It counts as withdrawn if it is not found a day later either."
    )
    assert catalog.discovery.due_for_second_look(moment=NOON + timedelta(hours=23), limit=9) == []
    assert catalog.discovery.due_for_second_look(moment=NOON + DAY, limit=9) == ["SRP000001"]


def test_a_second_look_a_day_later_withdraws_the_experiment_and_what_only_it_has(catalog: Catalog) -> None:
    shared = sample("SRR0000002")
    catalog.record_survey(study(samples=[sample("SRR0000001"), shared]), metadata_sha256="a" * 64)
    catalog.record_survey(study("SRP000002", samples=[shared]), metadata_sha256="b" * 64)
    missing(catalog, NOON)
    assert missing(catalog, NOON + DAY) == "withdrawn_upstream"
    states = {row.accession: row.state.value for row in catalog.ledger.of_experiment("SRP000001")}
    assert states == {"SRR0000001": "withdrawn_upstream", "SRR0000002": "surveyed"}
    assert catalog.discovery.due_for_second_look(moment=NOON + 9 * DAY, limit=9) == []
    assert missing(catalog, NOON + 2 * DAY) == "withdrawn_upstream"  # it stays so


def test_what_is_found_again_between_two_looks_starts_anew(catalog: Catalog) -> None:
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    missing(catalog, NOON)
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert catalog.discovery.due_for_second_look(moment=NOON + 9 * DAY, limit=9) == []
    assert missing(catalog, NOON + 9 * DAY) == "surveyed"


def test_an_accession_that_nobody_knows_is_withdrawn_after_two_looks(catalog: Catalog) -> None:
    assert missing(catalog, NOON, "SRP999999") == "discovered"
    assert catalog.ledger.experiments_to_survey(limit=9) == []
    assert missing(catalog, NOON + DAY, "SRP999999") == "withdrawn_upstream"


def test_a_withdrawn_experiment_that_is_listed_again_is_surveyed_the_next_day(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(study(), metadata_sha256="a" * 64)
    missing(sqlite_catalog, NOON)
    missing(sqlite_catalog, NOON + DAY)
    withdrawn_on = sqlite_catalog.ledger.entries(["SRP000001"])["SRP000001"].updated_at.date()
    listed = date(2020, 1, 1)
    assert changed(sqlite_catalog, "SRP000001", listed, today=withdrawn_on) == ()
    assert changed(sqlite_catalog, "SRP000001", listed, today=withdrawn_on + DAY) == ("SRP000001",)
    sqlite_catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert sqlite_catalog.ledger.counts("SRP000001")["surveyed"] >= 2


def test_old_surveys_are_made_again_in_turn_within_the_quota(catalog: Catalog) -> None:
    for number in (1, 2, 3, 4):
        accession = f"SRP00000{number}"
        catalog.record_survey(study(accession, samples=[sample(f"SRR000000{number}")]), metadata_sha256="a" * 64)
        surveyed_on(catalog, NOON - (100 - number) * DAY if number < 4 else NOON, accession)

    def due(moment: datetime, quota: int = 2) -> list[str]:
        return catalog.discovery.take_due_for_refresh(moment=moment, age=90 * DAY, limit=9, quota=quota)

    assert due(NOON) == ["SRP000001", "SRP000002"]
    assert due(NOON) == []
    assert due(NOON + DAY) == ["SRP000003"]
    assert due(NOON + 2 * DAY) == []


def test_experiments_of_an_archive_are_given_in_pages(sqlite_catalog: Catalog) -> None:
    for number in (1, 2, 3):
        result = study(f"SRP00000{number}", samples=[sample(f"SRR000000{number}")])
        sqlite_catalog.record_survey(result, metadata_sha256="a" * 64)
    page = sqlite_catalog.discovery.experiments_of
    assert page(SourceArchive.SRA, offset=1, limit=2) == ["SRP000002", "SRP000003"]
    assert page(SourceArchive.GEO, offset=0, limit=2) == []


def test_twenty_thousand_new_studies_take_few_statements(sqlite_catalog: Catalog) -> None:
    studies = series(range(20_000))
    with statements(sqlite_catalog) as seen:
        taken = sqlite_catalog.discovery.take_in(studies, today=TODAY)
    assert len(taken.new) == 20_000
    assert len(seen) < 250, len(seen)
    with statements(sqlite_catalog) as seen:
        assert len(admitted(sqlite_catalog, 100)) == 100
    assert len(seen) < 20, seen
