"""New GEO series and ArrayExpress studies are surveyed by the sensors alone; so are changes, and what is withdrawn."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from examples.synthetic import SyntheticStudy
from examples.synthetic_array_express import SyntheticArrayExpressStudy
from examples.synthetic_geo import SyntheticSeries
from refinebio_assets.runs import Session
from tests.end_to_end.conftest import Install
from tests.end_to_end.test_discovery import today
from tests.sensors.ticks import Ticks

pytestmark = pytest.mark.end_to_end

SERIES, STUDY, READS = "GSE9000600", "E-MTAB-900600", "SRP900600"
HUMAN = {"discovery_organisms": '["Homo sapiens"]'}
DAY = timedelta(days=1)


def new_series(*, updated_days_ago: int = 2, samples: int = 2, **values: str) -> SyntheticSeries:
    published = today() - 2 * DAY
    series = SyntheticSeries(SERIES, published=published, updated=today() - updated_days_ago * DAY, **values)
    for number in range(samples):
        series.add_array_sample(characteristics={"tissue": f"liver {number}"})
    return series


def new_array_express_study(*, modified_days_ago: int = 2, assays: int = 2) -> SyntheticArrayExpressStudy:
    study = SyntheticArrayExpressStudy(
        STUDY, released=today() - 2 * DAY, modified=today() - modified_days_ago * DAY
    )  # fmt: skip
    for _ in range(assays):
        study.add_array_assay(characteristics={"organism part": "kidney"})
    return study


def surveyed_days_ago(session: Session, experiment: str, days: int) -> None:
    """As if the last survey of an experiment had been some days ago."""
    moment = datetime.now(UTC) - timedelta(days=days)
    session.catalog.set_property(f"surveyed:{experiment}", moment.isoformat(timespec="seconds"))


def missed_a_day_ago(session: Session, experiment: str) -> None:
    """As if the look that found nothing had been a day ago."""
    moment = datetime.now(UTC) - timedelta(days=1, minutes=1)
    session.catalog.set_property(f"missing:{experiment}", moment.isoformat(timespec="seconds"))


def states(session: Session, experiment: str) -> dict[str, int]:
    return session.catalog.ledger.counts(experiment)


def experiment_state(session: Session, experiment: str) -> tuple[str, str]:
    entry = session.catalog.ledger.entries([experiment])[experiment]
    return entry.state.value, entry.reason


def test_a_new_series_and_a_new_array_express_study_are_surveyed(install: Install, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    studies.mkdir()
    with install(studies, **HUMAN).session() as session:
        ticks = Ticks(session)
        assert ticks.tick("geo_discovery") == ticks.tick("array_express_discovery") == []
        new_series().write(studies)
        unsupported = SyntheticSeries("GSE9000601", published=today() - DAY, updated=today() - DAY)
        unsupported.add_array_sample(platform="GPL6480")
        unsupported.write(studies)
        mirror = SyntheticArrayExpressStudy("E-GEOD-9000600", released=today() - DAY, modified=today() - DAY)
        mirror.add_array_assay()
        mirror.write(studies)
        new_array_express_study().write(studies)

        assert ticks.tick("geo_discovery") == [SERIES]
        assert ticks.tick("array_express_discovery") == [STUDY]
        assert all(success for _, _, success in ticks.executed)
        assert set(session.instance.get_dynamic_partitions("experiments")) == {SERIES, STUDY}
        assert states(session, SERIES) == states(session, STUDY) == {"surveyed": 2}
        sensors = ("geo_discovery", "array_express_discovery", "upstream_refresh")
        assert [ticks.new_requests(sensor) for sensor in sensors] == [[], [], []]


def test_a_sequenced_series_is_followed_to_its_reads(install: Install, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    sequencing = "Expression profiling by high throughput sequencing"
    series = SyntheticSeries(
        SERIES, published=today() - DAY, updated=today() - DAY, type=sequencing, sequence_study=READS
    )  # fmt: skip
    reads = SyntheticStudy(READS, organism="Homo sapiens", taxonomy_id=9606, columns={"geo_accession": SERIES})
    gsm = series.add_sequenced_sample().accession
    reads.add_run(sample_alias=gsm, experiment_accession=f"SRX{gsm[3:]}", experiment_title=f"{gsm}: one")
    reads.write(studies)
    series.write(studies)
    with install(studies, **HUMAN).session() as session:
        ticks = Ticks(session)
        assert ticks.tick("geo_discovery") == [SERIES]
        assert experiment_state(session, SERIES)[0] == "superseded"
        assert session.catalog.ledger.experiments_to_survey(limit=9) == [READS]
        assert ticks.tick("experiment_automation") == [READS]
        assert states(session, READS) == {"surveyed": 1}
        assert all(success for _, _, success in ticks.executed)


def test_an_update_upstream_is_surveyed_although_its_request_was_lost(install: Install, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    new_series(updated_days_ago=9).write(studies)
    new_array_express_study(modified_days_ago=9).write(studies)
    with install(studies, **HUMAN).session() as session:
        ticks = Ticks(session)
        ticks.tick("geo_discovery")
        ticks.tick("array_express_discovery")
        for experiment in (SERIES, STUDY):
            surveyed_days_ago(session, experiment, 5)
        assert [ticks.new_requests(sensor) for sensor in ("geo_discovery", "array_express_discovery")] == [[], []]

        new_series(updated_days_ago=1, samples=3).write(studies)
        new_array_express_study(modified_days_ago=1, assays=3).write(studies)
        asked = [request.partition_key for sensor in ("geo_discovery", "array_express_discovery")
                 for request in ticks.new_requests(sensor)]  # fmt: skip
        assert asked == [SERIES, STUDY]
        # Nobody ran what was asked for: the catalog still knows, and the automation asks again.
        assert sorted(session.catalog.discovery.changed_experiments(limit=9)) == sorted([SERIES, STUDY])
        assert sorted(ticks.tick("experiment_automation")) == sorted([SERIES, STUDY])
        assert states(session, SERIES) == states(session, STUDY) == {"surveyed": 3}
        assert session.catalog.discovery.changed_experiments(limit=9) == []
        sensors = ("geo_discovery", "array_express_discovery")
        assert [ticks.new_requests(sensor) for sensor in sensors] == [[], []]
        # Surveyed anew, the arrays are carried on with; nothing is surveyed again.
        carried_on = [request.asset_selection for request in ticks.new_requests("experiment_automation")]
        assert carried_on == [[dg.AssetKey("array_expression")]] * 2


@pytest.mark.parametrize("experiment", [SERIES, STUDY, READS])
def test_a_withdrawal_takes_two_looks_a_day_apart_and_a_return_takes_it_back(
    install: Install, tmp_path: Path, experiment: str
) -> None:
    studies = tmp_path / "studies"
    new_series().write(studies)
    new_array_express_study().write(studies)
    reads = SyntheticStudy(READS)
    reads.add_run()
    reads.write(studies)
    with install(studies, **HUMAN).session() as session:
        ticks = Ticks(session)
        assert session.survey(experiment) is None
        before = states(session, experiment)
        shutil.move(studies / experiment, tmp_path / "withdrawn")

        surveyed_days_ago(session, experiment, 100)
        assert ticks.tick("upstream_refresh") == [experiment]
        assert experiment_state(session, experiment) == ("surveyed", "archive_not_found")
        assert states(session, experiment) == before
        assert ticks.new_requests("upstream_refresh") == []
        missed_a_day_ago(session, experiment)
        assert ticks.tick("upstream_refresh") == [experiment]
        assert experiment_state(session, experiment) == ("withdrawn_upstream", "archive_not_found")
        assert states(session, experiment) == {"withdrawn_upstream": sum(before.values())}
        assert ticks.new_requests("upstream_refresh") == []

        shutil.move(tmp_path / "withdrawn", studies / experiment)
        assert session.survey(experiment) is None
        assert states(session, experiment) == before
        assert experiment_state(session, experiment)[0] == "surveyed"
