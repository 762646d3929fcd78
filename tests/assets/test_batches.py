"""Runs over several experiments: a bad one does not cost the others."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from examples.faults import Fault
from examples.synthetic import SyntheticStudy, simulated_reads
from refinebio_assets.partitions import add_experiments, experiments
from refinebio_assets.runs import Session
from tests.end_to_end.conftest import BUNDLED_STUDY
from tests.end_to_end.installation import Installation, installed
from tests.sensors.ticks import Ticks

STUDIES = ("SRP900801", "SRP900802", "SRP900803")
QUICK = {"archive_attempts": "2", "archive_timeout_seconds": "5"}


def execute_range(session: Session, assets: Sequence[str], partitions: Sequence[str]) -> dg.ExecuteInProcessResult:
    """A run over contiguous partitions, as a backfill makes it."""
    return session.defs.get_repository_def().get_job("process_experiment").execute_in_process(
        instance=session.instance,
        asset_selection=[dg.AssetKey(name) for name in assets],
        tags={
            "dagster/asset_partition_range_start": partitions[0],
            "dagster/asset_partition_range_end": partitions[-1],
        },
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )  # fmt: skip


def statuses(session: Session, asset: str) -> dict[str, str | None]:
    found = session.instance.get_status_by_partition(dg.AssetKey(asset), list(STUDIES), experiments) or {}
    return {key: status.value if status is not None else None for key, status in found.items()}


def latest(session: Session, asset: str, partition: str) -> dg.AssetMaterialization:
    found = session.instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition]), limit=1
    )
    made = found.records[0].asset_materialization
    assert made is not None
    return made


def check(session: Session, asset: str, name: str) -> tuple[bool, dict[str, Any]]:
    """Whether the latest evaluation of a check passed, and its metadata."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), name)
    record = session.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    return evaluation.passed, {label: value.value for label, value in evaluation.metadata.items()}


@contextmanager
def three_studies(
    folder: Path, *, missing: Sequence[str] = (), chip: Sequence[str] = ()
) -> Iterator[tuple[Installation, Session]]:
    """An installation over three studies of two runs each, known as partitions."""
    transcripts = {"made": "ACGTTGCATGTCGCATGATGCATGAGAGCTACGTAGCTAGCTGACTGATCGATCGATGCATGCTAGCATGCATCG" * 4}
    for number, accession in enumerate(STUDIES):
        study = SyntheticStudy(accession)
        for seed in (1, 2):
            reads = simulated_reads(transcripts, pairs=5, seed=10 * number + seed)
            study.add_run(fastq=reads, strategy="ChIP-Seq" if accession in chip else "RNA-Seq")
        if accession not in missing:
            study.write(folder / "studies")
    (folder / "studies").mkdir(exist_ok=True)
    with over(folder) as (installation, session):
        yield installation, session


@contextmanager
def over(folder: Path) -> Iterator[tuple[Installation, Session]]:
    """An installation over the studies of a folder, known as partitions."""
    with (
        installed(folder / "home", [BUNDLED_STUDY, folder / "studies"], **QUICK) as installation,
        installation.session() as session,
    ):
        add_experiments(session.instance, STUDIES)
        yield installation, session


def test_all_partitions_of_a_good_batch_are_materialised_with_their_own_metadata(tmp_path: Path) -> None:
    with three_studies(tmp_path) as (_, session):
        result = execute_range(session, ["source_metadata", "samples"], STUDIES)
        assert result.success
        for asset in ("source_metadata", "samples"):
            assert statuses(session, asset) == dict.fromkeys(STUDIES, "MATERIALIZED")
        titles = [latest(session, "samples", study).metadata["samples"].records[0].data["sample"] for study in STUDIES]
        assert titles == ["SRR908010000", "SRR908020000", "SRR908030000"]
        shas = [latest(session, "source_metadata", study).metadata["sha256"].value for study in STUDIES]
        assert len(set(shas)) == 3
        versions = [latest(session, "samples", study).metadata["data_version"].value for study in STUDIES]
        assert versions == [sha[:16] for sha in shas]
        assert session.instance.get_runs_count() == 1
        assert check(session, "samples", "every_sample_has_a_state") == (True, {"partitions": 3, "not passed": ""})


def test_a_check_of_a_batch_names_the_partitions_that_do_not_pass(tmp_path: Path) -> None:
    with three_studies(tmp_path, chip=[STUDIES[1]]) as (_, session):
        assert execute_range(session, ["source_metadata", "samples"], STUDIES).success
        passed, metadata = check(session, "samples", "some_sample_is_eligible")
        assert not passed
        assert metadata == {"partitions": 3, "not passed": STUDIES[1], STUDIES[1]: "eligible: 0, seen: 2"}


def test_a_study_that_the_archive_does_not_have_fails_alone(tmp_path: Path) -> None:
    with three_studies(tmp_path, missing=[STUDIES[1]]) as (_, session):
        session.catalog.ledger.discover(STUDIES, source="ena")
        result = execute_range(session, ["source_metadata"], STUDIES)
        assert not result.success
        good = {STUDIES[0]: "MATERIALIZED", STUDIES[1]: "FAILED", STUDIES[2]: "MATERIALIZED"}
        assert statuses(session, "source_metadata") == good
        (failed,) = [event for event in result.all_events if event.is_step_failure]
        said = failed.step_failure_data.user_failure_data
        assert [key for key in said.metadata if key in STUDIES] == [STUDIES[1]]
        assert said.description.startswith(f"{STUDIES[1]}: ENA has no public study under {STUDIES[1]}.")
        entry = session.catalog.ledger.entries(STUDIES)[STUDIES[1]]
        assert (entry.state.value, entry.reason) == ("discovered", "archive_not_found")  # one look does not withdraw it

        # A later batch of the next asset: again only that one fails, and the ledger keeps the true reason.
        assert not execute_range(session, ["samples"], STUDIES).success
        assert statuses(session, "samples") == good
        assert session.catalog.ledger.entries(STUDIES)[STUDIES[1]].reason == "archive_not_found"
        assert check(session, "samples", "every_sample_has_a_state") == (True, {"partitions": 2, "not passed": ""})


def test_what_a_failure_kept_from_the_rest_of_the_chain_the_automation_takes_up(tmp_path: Path) -> None:
    """Dagster runs nothing downstream of a failed step, also not for the partitions that were good."""
    with three_studies(tmp_path, missing=[STUDIES[1]]) as (_, session):
        session.catalog.ledger.discover(STUDIES, source="ena")
        assert not execute_range(session, ["source_metadata", "samples"], STUDIES).success
        assert statuses(session, "samples")[STUDIES[0]] != "MATERIALIZED"
        assert Ticks(session).tick("experiment_automation") == [STUDIES[0], STUDIES[2]]
        assert session.instance.get_materialized_partitions(dg.AssetKey("samples")) == {STUDIES[0], STUDIES[2]}


@pytest.mark.end_to_end
def test_expression_of_a_batch_comes_for_the_complete_and_the_undamaged(tmp_path: Path) -> None:
    transcripts = _bundled_transcripts()
    for number, accession in enumerate(STUDIES):
        study = SyntheticStudy(accession)
        for seed in (1, 2):
            study.add_run(fastq=simulated_reads(transcripts, pairs=150, seed=10 * number + seed))
        study.write(tmp_path / "studies")
    complete, waiting, damaged = STUDIES
    with over(tmp_path) as (installation, session):
        assert execute_range(session, ["source_metadata", "samples"], STUDIES).success
        for organism, length in session.missing_indices(complete):
            assert session.build_index(organism, length) is None
        spoilt = "SRR908020001"
        installation.archive.faults.add(Fault(match=f"/{spoilt}/", kind="status"))
        assert execute_range(session, ["quant_files"], STUDIES).success
        passed, metadata = check(session, "quant_files", "all_eligible_samples_quantified")
        assert (passed, metadata["not passed"]) == (False, waiting)
        quant_metadata = latest(session, "quant_files", complete).metadata
        rows = [row.data for row in quant_metadata["preview"].records]
        assert [row["sample"] for row in rows] == ["SRR908010000", "SRR908010001"]
        assert all(float(row["percent_mapped"]) > 90 for row in rows)
        assert quant_metadata["mapping_rates"].value.startswith("![mapping rates](data:image/png;base64,")

        quant_file = installation.quant_file(damaged, "SRR908030000")
        quant_file.write_bytes(gzip.compress(b"Name\tLength\nnot a quant file\n"))
        result = execute_range(session, ["rna_seq_expression"], STUDIES)
        assert not result.success
        assert session.instance.get_materialized_partitions(dg.AssetKey("rna_seq_expression")) == {complete}
        assert statuses(session, "rna_seq_expression")[damaged] == "FAILED"
        assert not installation.expression(waiting).exists()
        assert session.catalog.ledger.counts(complete) == {"processed": 2}
        assert session.catalog.ledger.counts(damaged) == {"quantified": 2}
        assert check(session, "rna_seq_expression", "counts_preserved")[0]


@pytest.mark.end_to_end
def test_an_experiment_that_waits_is_no_failure_and_evaluates_no_check(tmp_path: Path) -> None:
    with three_studies(tmp_path) as (_, session):
        assert session.survey(STUDIES[0]) is None
        assert session.materialize(["rna_seq_expression"], STUDIES[0]) is None
        assert statuses(session, "rna_seq_expression")[STUDIES[0]] != "MATERIALIZED"
        key = dg.AssetCheckKey(dg.AssetKey("rna_seq_expression"), "counts_preserved")
        found = session.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
        assert found[key].status is not AssetCheckExecutionRecordStatus.SUCCEEDED


def _bundled_transcripts() -> dict[str, str]:
    from tests.end_to_end import conftest

    wrapped: Any = conftest.transcripts
    made: dict[str, str] = wrapped.__wrapped__()
    return made


def test_a_partition_that_is_no_experiment_is_refused_and_leaves_the_ledger_alone(tmp_path: Path) -> None:
    with three_studies(tmp_path) as (_, session):
        assert session.survey(STUDIES[0]) is None
        (run, _) = session.catalog.ledger.of_experiment(STUDIES[0])
        failed = session.survey(run.accession)
        assert failed is not None
        assert f"{run.accession} is not the accession of an experiment." in failed.message
        assert session.catalog.ledger.entries([run.accession])[run.accession] == run
