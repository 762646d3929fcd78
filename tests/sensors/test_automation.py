"""What the automation asks for, by the states in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import orjson
import pytest

from refinebio_assets.definitions import build_defs
from refinebio_assets.domain.vocabulary import MAX_ATTEMPTS, IndexLength, SampleState
from resources.catalog import Catalog, TranscriptomeIndexToRecord
from resources.settings import Settings
from sensors.automation import automation_requests
from sensors.requests import SUBJECT_TAG, first_of_each, under_way
from sensors.retries import FIRST_PAUSE, pause_after, retry_requests
from tests.resources.catalog.studies import array, change, quant_file, quantification, sample, series, study

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def record_index(catalog: Catalog, organism: str = "DANIO_RERIO") -> None:
    for length in IndexLength:
        index = TranscriptomeIndexToRecord(
            organism=organism, taxonomy_id=None, length=length, kmer=31, division="EnsemblVertebrates", release="110",
            assembly="GRCz11", salmon_version="1.10.3", key_prefix=f"transcriptome_index/{organism}/{length}",
            sha256="b" * 64, num_transcripts=9, num_genes=3,
        )  # fmt: skip
        result = quantification(fingerprint=f"index {organism} {length}")
        catalog.record_transcriptome_index(index, result)


def asked(catalog: Catalog, moment: datetime = NOON) -> list[tuple[str, list[str]]]:
    """Subject and assets of what the automation asks for."""
    return [
        (request.tags[SUBJECT_TAG], [key.to_user_string() for key in request.asset_selection or ()])
        for request in automation_requests(catalog, Settings(), moment=moment)
    ]


def keys(catalog: Catalog, moment: datetime = NOON) -> list[str | None]:
    return [request.run_key for request in automation_requests(catalog, Settings(), moment=moment)]


def test_a_discovered_experiment_is_surveyed(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.ledger.discover(["SRP000001"], source="ena")
    assert asked(sqlite_catalog) == [("SRP000001", ["source_metadata", "samples"])]


def test_indices_come_before_samples_and_are_asked_for_once(sqlite_catalog: Catalog) -> None:
    for number in (1, 2):
        surveyed = study(f"SRP00000{number}", samples=[sample(f"SRR000000{number}")])
        sqlite_catalog.record_survey(surveyed, metadata_sha256="a" * 64)
    wanted = first_of_each(automation_requests(sqlite_catalog, Settings(), moment=NOON), most=9)
    assert [request.tags[SUBJECT_TAG] for request in wanted] == ["DANIO_RERIO|short", "DANIO_RERIO|long"]
    record_index(sqlite_catalog)
    chain = ["quant_files", "rna_seq_expression"]
    assert asked(sqlite_catalog) == [("SRP000001", chain), ("SRP000002", chain)]


def test_an_index_that_cannot_be_built_is_not_waited_for_until_a_week_has_passed(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(study(samples=1), metadata_sha256="a" * 64)
    trouble = {"message": "Ensembl does not have it.", "at": NOON.isoformat()}
    sqlite_catalog.set_property("no_index:DANIO_RERIO", orjson.dumps(trouble).decode())
    assert [subject for subject, _ in asked(sqlite_catalog, NOON + timedelta(days=6))] == ["SRP000001"]
    assert [subject for subject, _ in asked(sqlite_catalog, NOON + timedelta(days=8))] == [
        "DANIO_RERIO|short", "DANIO_RERIO|long",
    ]  # fmt: skip


def test_expression_is_asked_for_when_a_run_was_killed_between_the_last_sample_and_it(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(study(samples=2), metadata_sha256="a" * 64)
    record_index(sqlite_catalog)
    for run in ("SRR0000001", "SRR0000002"):
        assert [assets for _, assets in asked(sqlite_catalog)] == [["quant_files", "rna_seq_expression"]]
        sqlite_catalog.record_result(quantification(quant_file(run), fingerprint=run))
        sqlite_catalog.ledger.set_states([change(run, SampleState.QUANTIFIED)])
    assert asked(sqlite_catalog) == [("SRP000001", ["quant_files", "rna_seq_expression"])]
    assert keys(sqlite_catalog)[0].startswith("import:SRP000001:")


def test_expression_of_shared_samples_is_asked_for_when_their_owner_has_quantified_them(
    sqlite_catalog: Catalog,
) -> None:
    record_index(sqlite_catalog)
    for experiment in ("SRP000001", "SRP000002"):
        sqlite_catalog.record_survey(study(experiment, samples=1), metadata_sha256="a" * 64)
    assert [subject for subject, _ in asked(sqlite_catalog)] == ["SRP000001"]
    sqlite_catalog.record_result(quantification(quant_file("SRR0000001")))
    sqlite_catalog.ledger.set_states([change("SRR0000001", SampleState.PROCESSED)])
    sqlite_catalog.refresh_experiment_state("SRP000001", processed=True)
    assert [subject for subject, _ in asked(sqlite_catalog)] == ["SRP000002"]
    sqlite_catalog.refresh_experiment_state("SRP000002", processed=True)
    assert asked(sqlite_catalog) == []


def test_a_run_that_changed_nothing_is_asked_for_again_in_the_next_hour_only(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(study(samples=1), metadata_sha256="a" * 64)
    record_index(sqlite_catalog)
    first = keys(sqlite_catalog)
    assert keys(sqlite_catalog, NOON + timedelta(minutes=59)) == first
    assert keys(sqlite_catalog, NOON + timedelta(minutes=61)) != first
    sqlite_catalog.ledger.set_states([change("SRR0000001", SampleState.DOWNLOADED)])
    assert keys(sqlite_catalog) != first


def test_what_is_under_way_is_not_asked_for_and_does_not_use_up_the_tick() -> None:
    wanted = [dg.RunRequest(run_key=str(n), tags={SUBJECT_TAG: f"SRP{n}"}) for n in range(100)]
    chosen = list(first_of_each(wanted, busy={f"SRP{n}" for n in range(90)}, most=5))
    assert [request.run_key for request in chosen] == ["90", "91", "92", "93", "94"]


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_a_run_counts_as_under_way_until_it_has_ended(status: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs().resolve_implicit_global_asset_job_def()
        run = instance.create_run_for_job(job, tags={SUBJECT_TAG: "SRP1"}, status=dg.DagsterRunStatus(status))
        assert under_way(instance) == {"SRP1"}
        instance.report_run_failed(run)
        assert under_way(instance) == set()


def retried(catalog: Catalog, moment: datetime) -> list[tuple[str, list[str]]]:
    requests = retry_requests(catalog, catalog.ledger.retryable(max_attempts=MAX_ATTEMPTS), moment=moment)
    return [(one.tags[SUBJECT_TAG], [key.to_user_string() for key in one.asset_selection or ()]) for one in requests]


def test_pauses_double() -> None:
    assert [pause_after(attempts) / FIRST_PAUSE for attempts in range(6)] == [1, 1, 2, 4, 8, 16]


def test_what_failed_for_a_passing_reason_is_tried_again_after_its_pause_and_what_failed_for_good_never(
    sqlite_catalog: Catalog,
) -> None:
    sqlite_catalog.record_survey(study(samples=2), metadata_sha256="a" * 64)
    sqlite_catalog.ledger.set_states(
        [
            change("SRR0000001", SampleState.SURVEYED, retryable=True, attempted=True),
            change("SRR0000002", SampleState.CORRUPT_FILE, attempted=True),
        ]
    )
    failed_at = sqlite_catalog.ledger.entries(["SRR0000001"])["SRR0000001"].updated_at
    assert retried(sqlite_catalog, failed_at + FIRST_PAUSE - timedelta(seconds=1)) == []
    after = failed_at + FIRST_PAUSE
    assert retried(sqlite_catalog, after) == [("SRP000001", ["quant_files", "rna_seq_expression"])]
    for _ in range(MAX_ATTEMPTS - 1):
        again = change("SRR0000001", SampleState.SURVEYED, retryable=True, attempted=True)
        sqlite_catalog.ledger.set_states([again])
    assert retried(sqlite_catalog, after + timedelta(days=9)) == []


def test_a_second_failure_after_new_inputs_is_tried_again_although_its_count_starts_anew(
    sqlite_catalog: Catalog,
) -> None:
    """The count of attempts is no part of the run key: keys never come back."""
    sqlite_catalog.record_survey(study(samples=1), metadata_sha256="a" * 64)
    seen = set()
    for _ in range(3):
        failed = change("SRR0000001", SampleState.SURVEYED, retryable=True, attempted=True)
        sqlite_catalog.ledger.set_states([failed])
        entries = sqlite_catalog.ledger.retryable(max_attempts=MAX_ATTEMPTS)
        (request,) = retry_requests(sqlite_catalog, entries, moment=entries[0].updated_at + timedelta(hours=1))
        seen.add(request.run_key)
        renewed = change("SRR0000001", SampleState.SURVEYED, forget_attempts=True)
        sqlite_catalog.ledger.set_states([renewed])
    assert len({key.split(":")[2] for key in seen}) == 3


@pytest.mark.parametrize(("organisms", "status"), [((), "STOPPED"), (("Danio rerio",), "RUNNING")])
def test_discovery_runs_by_itself_only_where_organisms_are_named(organisms: tuple[str, ...], status: str) -> None:
    repository = build_defs(settings=Settings(discovery_organisms=organisms)).get_repository_def()
    found = {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs}
    assert found == {
        "ena_discovery": status,
        "geo_discovery": status,
        "array_express_discovery": status,
        "list_files": "STOPPED",
        "experiment_automation": "RUNNING",
        "organism_readiness": "RUNNING",
        "retry_transient_failures": "RUNNING",
        "upstream_refresh": status,
    }


def test_a_list_and_a_choice_of_archives_start_only_their_sensors() -> None:
    settings = Settings(
        discovery_organisms=("Danio rerio",), discovery_sources=("geo",), discovery_lists=("studies.txt",)
    )  # fmt: skip
    repository = build_defs(settings=settings).get_repository_def()
    found = {sensor.name for sensor in repository.sensor_defs if sensor.default_status.value == "RUNNING"}
    assert found == {
        "geo_discovery", "list_files", "upstream_refresh", "experiment_automation", "retry_transient_failures",
        "organism_readiness",
    }  # fmt: skip


def test_every_sensor_says_what_it_does() -> None:
    for sensor in build_defs(settings=Settings()).get_repository_def().sensor_defs:
        assert len(sensor.description or "") > 60, sensor.name


def test_an_experiment_that_changed_upstream_is_asked_for_until_it_is_surveyed(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(study(), metadata_sha256="a" * 64)
    sqlite_catalog.set_property("changed:SRP000001", "2026-11-01")
    record_index(sqlite_catalog)
    survey = ("SRP000001", ["source_metadata", "samples"])
    assert survey in asked(sqlite_catalog)
    assert survey in asked(sqlite_catalog, NOON + timedelta(days=9))
    sqlite_catalog.record_survey(study(), metadata_sha256="b" * 64)
    assert survey not in asked(sqlite_catalog)


def test_sensors_look_as_often_as_the_settings_say() -> None:
    settings = Settings(discovery_interval_seconds=7, automation_interval_seconds=3)
    repository = build_defs(settings=settings).get_repository_def()
    assert {sensor.minimum_interval_seconds for sensor in repository.sensor_defs} == {7, 3}


def test_arrays_are_asked_for_until_they_wait_for_a_reference(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(series("GSE1", [array("GSM0001"), array("GSM0002")]), metadata_sha256="a" * 64)
    assert asked(sqlite_catalog) == [("GSE1", ["array_expression"])]
    waiting = [
        change(name, SampleState.SURVEYED, "GSE1", reason="no_platform_reference") for name in ("GSM0001", "GSM0002")
    ]
    sqlite_catalog.ledger.set_states(waiting)
    assert asked(sqlite_catalog) == []


def test_arrays_that_failed_for_a_passing_reason_are_tried_again_as_arrays(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(series("GSE1", [array("GSM0001")]), metadata_sha256="a" * 64)
    sqlite_catalog.ledger.set_states(
        [change("GSM0001", SampleState.SURVEYED, "GSE1", reason="archive_unavailable", retryable=True, attempted=True)]
    )
    assert asked(sqlite_catalog) == []
    entries = sqlite_catalog.ledger.retryable(max_attempts=MAX_ATTEMPTS)
    (request,) = retry_requests(sqlite_catalog, entries, moment=datetime.now(UTC) + 2 * FIRST_PAUSE)
    assert [key.to_user_string() for key in request.asset_selection or ()] == ["array_expression"]
