"""Ticks that find much: within the time of a tick, in bulk, and within the daily quotas."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from refinebio_assets.partitions import EXPERIMENTS, KEYS_PER_CALL
from refinebio_assets.runs import Session
from resources.archives.geo import Geo, GeoPage
from sensors.discovery import REQUESTS_PER_TICK
from sensors.lists import take_in_list
from sensors.refresh import refresh_requests
from sensors.requests import SUBJECT_TAG
from tests.end_to_end.installation import installed
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import study
from tests.sensors.ticks import Ticks

NOON = datetime.now(UTC).replace(hour=12)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """An installation that looks for much and has a quota of 70 a day."""
    settings = {"discovery_organisms": '["Homo sapiens"]', "discovery_max_per_tick": "20000"}
    with installed(tmp_path / "home", None, **settings, discovery_daily_quota="70") as home, home.session() as opened:
        yield opened


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Accessions that GEO lists as published; nothing is ever updated."""
    accessions: list[str] = []

    def published(_geo: Geo, *, limit: int, offset: int, **_asked: object) -> GeoPage:
        rows = [
            {
                "accession": one,
                "organisms": ["Homo sapiens"],
                "type": "Expression profiling by array",
                "published": "2026-11-20",
                "samples": 5,
                "platforms": ["GPL570"],
            }
            for one in accessions[offset : offset + limit]
        ]
        return GeoPage(total=len(accessions), rows=rows)

    monkeypatch.setattr(Geo, "published", published)
    monkeypatch.setattr(Geo, "updated", lambda *_, **__: GeoPage(total=0, rows=[]))
    return accessions


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many keys each call that adds partitions gets."""
    seen: list[int] = []
    add = dg.DagsterInstance.add_dynamic_partitions

    def noting(instance: dg.DagsterInstance, name: str, keys: list[str]) -> None:
        seen.append(len(keys))
        add(instance, name, keys)

    monkeypatch.setattr(dg.DagsterInstance, "add_dynamic_partitions", noting)
    return seen


def test_twenty_thousand_new_studies_in_one_tick(
    session: Session, listed: list[str], calls: list[int], figures: Callable[[str], None]
) -> None:
    listed += [f"GSE{number}" for number in range(1, 20_001)]
    ticks = Ticks(session)
    began = time.perf_counter()
    with statements(session.catalog) as seen:
        requests, _ = ticks.evaluate("geo_discovery")
    seconds = time.perf_counter() - began
    figures(f"20,000 new studies: {seconds:.1f} s, {len(seen)} statements, {len(calls)} calls for partitions")
    assert len(seen) < 600
    assert calls == [20_000]
    assert max(calls) <= KEYS_PER_CALL
    assert len(session.instance.get_dynamic_partitions(EXPERIMENTS)) == 20_000
    assert len(requests) == REQUESTS_PER_TICK
    # The automation asks for the rest of today's quota; nobody goes beyond it.
    subjects = {request.partition_key for request in requests}
    for _ in range(3):
        subjects |= {request.partition_key for request in ticks.evaluate("experiment_automation")[0]}
        subjects |= {request.partition_key for request in ticks.evaluate("geo_discovery")[0]}
    assert len(session.catalog.ledger.experiments_to_survey(limit=999)) == 70
    assert subjects <= set(session.catalog.ledger.experiments_to_survey(limit=999))


def test_the_rest_is_taken_the_next_day_by_the_automation(session: Session, listed: list[str]) -> None:
    listed += [f"GSE{number}" for number in range(1, 101)]
    ticks = Ticks(session)
    ticks.evaluate("geo_discovery")
    use = session.catalog.discovery.quota_use("geo", today=datetime.now(UTC).date())
    assert (use.taken, use.waiting) == (70, 30)
    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    session.catalog.set_cursor("quota:geo", f'{{"day":"{yesterday}","taken":70}}')
    ticks.evaluate("experiment_automation")
    assert len(session.catalog.ledger.experiments_to_survey(limit=999)) == 100


def test_a_second_tick_adds_and_asks_for_nothing(session: Session, listed: list[str], calls: list[int]) -> None:
    listed += ["GSE1", "GSE2"]
    ticks = Ticks(session)
    assert len(ticks.evaluate("geo_discovery")[0]) == 2
    del calls[:]
    requests, said = ticks.evaluate("geo_discovery")
    assert (requests, calls) == ([], [])
    assert said == "Nothing to survey now: 2 listed, 0 new, 0 changed"


def test_a_watched_list_is_read_again_only_when_it_changes(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "wanted.txt"
    path.write_text("E-GEOD-5\nGSE4\nGSM77\n")

    def take_in() -> str:
        today = date(2026, 11, 23)
        return take_in_list(session.instance, session.catalog, str(path), session.settings, today=today)

    said = take_in()
    assert said == (
        f"{path}: 2 of 3 accessions are new. 1 name no experiment of their own, survey these by command: GSM77"
    )
    assert set(session.instance.get_dynamic_partitions(EXPERIMENTS)) == {"GSE4", "GSE5"}
    assert take_in() == f"{path} has not changed."
    path.write_text("GSE4\nSRP000006\n")
    assert take_in() == f"{path}: 1 of 2 accessions are new."
    path.unlink()
    assert "cannot be read" in take_in()


def test_the_sensor_of_lists_puts_them_into_the_queue(tmp_path: Path) -> None:
    path = tmp_path / "wanted.txt"
    path.write_text("GSE4\n")
    installation = installed(tmp_path / "home", None, discovery_lists=f'["{path}", "{tmp_path}/other.txt"]')
    with installation as home, home.session() as opened:
        ticks = Ticks(opened)
        requests, said = ticks.evaluate("list_files")
        assert requests == []
        assert said is not None
        assert said.startswith(f"{path}: 1 of 1 accessions are new. ")
        assert "other.txt" in said
        assert [request.partition_key for request in ticks.evaluate("experiment_automation")[0]] == ["GSE4"]


def test_looks_that_found_nothing_are_repeated_a_day_later_and_old_surveys_a_few_a_day(session: Session) -> None:
    catalog = session.catalog
    for number in (1, 2, 3):
        catalog.record_survey(study(f"SRP00000{number}", samples=[]), metadata_sha256="a" * 64)
        catalog.set_property(f"surveyed:SRP00000{number}", f"2020-01-0{number}T00:00:00+00:00")
    catalog.discovery.note_missing("SRP000003", message="It is not there.", reason="archive_not_found", moment=NOON)
    settings = session.settings.model_copy(update={"discovery_refresh_per_day": 1})

    def asked(moment: datetime) -> list[str]:
        return [request.tags[SUBJECT_TAG] for request in refresh_requests(catalog, settings, moment=moment)]

    assert asked(NOON) == ["SRP000001"]
    assert asked(NOON) == []
    assert asked(NOON + timedelta(days=1)) == ["SRP000003", "SRP000002"]


def test_the_refresh_sensor_asks_by_itself(session: Session) -> None:
    session.catalog.record_survey(study(samples=[]), metadata_sha256="a" * 64)
    ticks = Ticks(session)
    assert ticks.evaluate("upstream_refresh") == (
        [], "No experiment is missing, and none was surveyed too long ago for today's quota."
    )  # fmt: skip
    session.catalog.set_property("surveyed:SRP000001", "2020-01-01T00:00:00+00:00")
    (request,) = ticks.evaluate("upstream_refresh")[0]
    assert [key.to_user_string() for key in request.asset_selection or ()] == ["source_metadata", "samples"]
