"""A new study in the archive is found and carried to expression by the sensors alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import anndata
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from examples.faults import Fault
from examples.synthetic import SyntheticStudy, simulated_reads
from graphql_api.app import create_app
from refinebio_assets.runs import Session
from resources.catalog.models import DiscoveryCursor
from tests.end_to_end.conftest import Install
from tests.sensors.ticks import SENSORS, Ticks, start_run

pytestmark = pytest.mark.end_to_end

STUDY = "SRP900600"
PLANT = {"discovery_organisms": '["Arabidopsis thaliana"]'}
QUESTION = """query ($accession: String!) { experiments(accessions: [$accession]) { nodes {
    state numSamples numProcessedSamples computedFiles { kind downloadUrl }
    samples(first: 10) { nodes { accession state reason computedFiles { kind sha256 } } } } } }"""


def today() -> date:
    return datetime.now(UTC).date()


def new_study(
    transcripts: Mapping[str, str], accession: str = STUDY, *, days_ago: int = 1, runs: int = 2
) -> SyntheticStudy:
    day = today() - timedelta(days=days_ago)
    study = SyntheticStudy(accession, first_public=day, last_updated=day)
    for seed in range(runs):
        study.add_run(fastq=simulated_reads(transcripts, pairs=150, seed=seed), attributes={"tissue": "leaf"})
    return study


def seen_by_clients(session: Session, accession: str) -> dict[str, Any]:
    """What a client of the GraphQL API sees of an experiment."""
    with TestClient(create_app(session.settings, session.catalog)) as client:
        answer = client.post("/graphql", json={"query": QUESTION, "variables": {"accession": accession}}).json()
    assert "errors" not in answer, answer
    (experiment,) = answer["data"]["experiments"]["nodes"]
    found: dict[str, Any] = experiment
    return found


def test_a_study_placed_in_the_archive_becomes_expression_without_a_human_command(
    install: Install, transcripts: dict[str, str], tmp_path: Path
) -> None:
    studies = tmp_path / "studies"
    studies.mkdir()
    installation = install(studies, **PLANT)
    with installation.session() as session:
        ticks = Ticks(session)
        study = new_study(transcripts)
        study.add_run(strategy="ChIP-Seq")
        study.write(studies)

        assert ticks.tick("ena_discovery") == [STUDY]
        assert session.catalog.ledger.counts(STUDY) == {"surveyed": 2, "wrong_library_strategy": 1}
        assert ticks.tick("experiment_automation") == ["ARABIDOPSIS_THALIANA|short", "ARABIDOPSIS_THALIANA|long"]
        assert ticks.tick("experiment_automation") == [STUDY]
        assert all(success for _, _, success in ticks.executed)

        experiment = seen_by_clients(session, STUDY)
        assert (experiment["state"], experiment["numSamples"], experiment["numProcessedSamples"]) == ("PROCESSED", 3, 2)
        kinds = {file["kind"] for file in experiment["computedFiles"]}
        assert {"EXPRESSION_ANNDATA", "EXPRESSION_PARQUET", "SOURCE_METADATA"} <= kinds
        assert [sample["state"] for sample in experiment["samples"]["nodes"]] == [
            "PROCESSED", "PROCESSED", "WRONG_LIBRARY_STRATEGY",
        ]  # fmt: skip
        expression = anndata.read_h5ad(installation.expression(STUDY))
        assert list(expression.obs["specimen_part"]) == ["leaf", "leaf"]

        # A second round finds nothing to do, and asks nothing of the archive but what is new.
        asked = len(installation.archive.requests)
        assert [ticks.new_requests(sensor) for sensor in SENSORS] == [[], [], []]
        assert [request.path for request in installation.archive.requests[asked:]] == ["/ena/portal/api/search"] * 2


def test_of_an_updated_study_only_what_changed_is_done_again(
    install: Install, transcripts: dict[str, str], tmp_path: Path
) -> None:
    studies = tmp_path / "studies"
    new_study(transcripts, runs=3).write(studies)
    installation = install(studies, **PLANT)
    with installation.session() as session:
        ticks = Ticks(session)
        ticks.until_idle()
        before = {row.accession: row for row in session.catalog.ledger.of_experiment(STUDY)}
        kept, mended, withdrawn = sorted(before)
        installation.archive.forget_requests()
        runs = len(ticks.executed)

        updated = new_study(transcripts, days_ago=0, runs=1)
        updated.add_run(mended, fastq=simulated_reads(transcripts, pairs=200, seed=77))
        added = updated.add_run("SRR906000009", fastq=simulated_reads(transcripts, pairs=150, seed=9)).accession
        updated.write(studies)
        ticks.until_idle()

        assert [subject for _, subject, _ in ticks.executed[runs:]] == [STUDY, STUDY]
        fetched = {request.path.split("/")[-2] for request in installation.archive.requests_for("fastq.gz")}
        assert fetched == {mended, added}
        after = {row.accession: row for row in session.catalog.ledger.of_experiment(STUDY)}
        assert {accession: row.state.value for accession, row in after.items()} == {
            kept: "processed", mended: "processed", added: "processed", withdrawn: "withdrawn_upstream",
        }  # fmt: skip
        assert after[kept].input_fingerprint == before[kept].input_fingerprint
        assert after[mended].input_fingerprint != before[mended].input_fingerprint
        expression = anndata.read_h5ad(installation.expression(STUDY))
        assert sorted(expression.obs_names) == sorted([kept, mended, added])


def write_small_studies(studies: Path, number: int) -> list[str]:
    """Studies whose reads do not matter."""
    accessions = [f"SRP9007{n:02d}" for n in range(number)]
    for accession in accessions:
        day = today() - timedelta(days=2)
        study = SyntheticStudy(accession, first_public=day, last_updated=day)
        study.add_run()
        study.write(studies)
    return accessions


def test_many_new_studies_are_taken_in_pages_without_repeats(install: Install, tmp_path: Path) -> None:
    accessions = write_small_studies(tmp_path / "studies", 5)
    installation = install(tmp_path / "studies", **PLANT, discovery_max_per_tick="2")
    with installation.session() as session:
        ticks = Ticks(session)
        pages = [[request.partition_key for request in ticks.new_requests("ena_discovery")] for _ in range(5)]
        assert pages == [accessions[:2], accessions[2:4], accessions[4:], [], []]
        assert session.catalog.ledger.experiment_counts() == {"discovered": 5}
        assert set(session.instance.get_dynamic_partitions("experiments")) == set(accessions)


def test_requests_that_were_lost_before_they_became_runs_are_made_by_the_automation(
    install: Install, tmp_path: Path
) -> None:
    accessions = write_small_studies(tmp_path / "studies", 2)
    with install(tmp_path / "studies", **PLANT).session() as session:
        ticks = Ticks(session)
        ticks.evaluate("ena_discovery")
        assert ticks.new_requests("ena_discovery") == []
        under_way = start_run(session, accessions[0], accessions[0])
        assert ticks.tick("experiment_automation") == [accessions[1]]
        session.instance.report_run_failed(under_way)
        assert [request.partition_key for request in ticks.new_requests("experiment_automation")][-1:] == [
            accessions[0]
        ]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(match="ena/portal/api/search", kind="status", status=503),
        Fault(match="ena/portal/api/search", kind="html"),
        Fault(match="ena/portal/api/search", kind="truncated_gzip"),
        Fault(match="ena/portal/api/search", kind="reset"),
    ],
    ids=lambda fault: fault.kind,
)
def test_when_ena_fails_the_cursor_stays_and_nothing_is_missed(install: Install, tmp_path: Path, fault: Fault) -> None:
    accessions = write_small_studies(tmp_path / "studies", 1)
    installation = install(tmp_path / "studies", **PLANT, archive_attempts="2")
    installation.archive.faults.add(fault)
    with installation.session() as session:
        ticks = Ticks(session)
        requests, said = ticks.evaluate("ena_discovery")
        assert requests == []
        assert said is not None
        assert said.startswith("ENA could not be asked: ")
        with session.catalog.reading() as database:
            assert list(database.scalars(select(DiscoveryCursor.source))) == []
        assert session.catalog.ledger.experiment_counts() == {}
        installation.archive.faults.clear()
        assert [request.partition_key for request in ticks.new_requests("ena_discovery")] == accessions


def test_other_organisms_and_techniques_are_not_taken_in(install: Install, tmp_path: Path) -> None:
    day = today()
    mouse = SyntheticStudy("SRP900701", organism="Mus musculus", taxonomy_id=10090, first_public=day, last_updated=day)
    mouse.add_run()
    chip = SyntheticStudy("SRP900702", first_public=day, last_updated=day)
    chip.add_run(strategy="ChIP-Seq")
    long_reads = SyntheticStudy("SRP900703", first_public=day, last_updated=day)
    long_reads.add_run(instrument_model="PacBio RS II")
    for study in (mouse, chip, long_reads):
        study.write(tmp_path / "studies")
    with install(tmp_path / "studies", **PLANT).session() as session:
        assert Ticks(session).evaluate("ena_discovery")[0] == []
