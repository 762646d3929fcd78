"""The server's Dagster instance: its configuration is loaded, and a run goes into PostgreSQL and S3."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import dagster as dg
import pytest
from dagster_aws.s3 import S3ComputeLogManager
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage
from sqlalchemy import create_engine, make_url, text

from tests.object_stores import BUCKET
from tests.postgres_service import PostgresService

CONFIG = Path(__file__).parents[2] / "deploy" / "server" / "dagster.yaml"


@pytest.fixture
def database(postgres: PostgresService) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def dagster_home(database: str, s3_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    url = make_url(database)
    if not url.host:  # the tests' own server listens on a Unix socket only, which libpq takes from PGHOST
        monkeypatch.setenv("PGHOST", str(url.query["host"]))
    monkeypatch.setenv("DAGSTER_POSTGRES_HOST", url.host or "")
    monkeypatch.setenv("DAGSTER_POSTGRES_PORT", str(url.port or 5432))
    monkeypatch.setenv("DAGSTER_POSTGRES_USER", url.username or "")
    monkeypatch.setenv("DAGSTER_POSTGRES_PASSWORD", url.password or "")
    monkeypatch.setenv("DAGSTER_POSTGRES_DB", url.database or "")
    monkeypatch.setenv("DAGSTER_COMPUTE_LOG_BUCKET", BUCKET)
    monkeypatch.setenv("DAGSTER_COMPUTE_LOG_PREFIX", f"logs-{uuid.uuid4().hex}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_address)
    shutil.copy(CONFIG, tmp_path / "dagster.yaml")
    return tmp_path


@dg.op
def count_reads() -> int:
    print("counted four reads")  # noqa: T201  what a step prints is what the test looks for
    return 4


@dg.job
def counting() -> None:
    count_reads()


def test_the_configuration_is_what_the_server_needs(dagster_home: Path) -> None:
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
        assert isinstance(instance.schedule_storage, PostgresScheduleStorage)
        assert isinstance(instance.compute_log_manager, S3ComputeLogManager)
        assert instance.run_storage.postgres_url.startswith("postgresql+psycopg2://")
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_resume_run_attempts == 0
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 2
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert not instance.telemetry_enabled
        limits = instance.get_concurrency_config()
        assert limits.run_queue_config is not None
        assert limits.run_queue_config.max_concurrent_runs == 4
        assert limits.pool_config.default_pool_limit == 2


def test_a_run_and_its_events_are_in_postgresql_and_its_output_in_s3(dagster_home: Path, database: str) -> None:
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        run = counting.execute_in_process(instance=instance)
        assert run.success
    engine = create_engine(database)
    with engine.connect() as connection:
        status = connection.execute(text("SELECT status FROM runs WHERE run_id = :id"), {"id": run.run_id}).scalar_one()
        events = connection.execute(
            text("SELECT dagster_event_type FROM event_logs WHERE run_id = :id"), {"id": run.run_id}
        ).scalars()
        assert status == "SUCCESS"
        assert {"PIPELINE_SUCCESS", "STEP_SUCCESS"} <= set(events)
    engine.dispose()
    with dg.DagsterInstance.from_config(str(dagster_home)) as another:
        assert another.get_run_by_id(run.run_id) is not None
    client = boto3.client("s3")
    logs = client.list_objects_v2(Bucket=BUCKET, Prefix=os.environ["DAGSTER_COMPUTE_LOG_PREFIX"])["Contents"]
    printed = [client.get_object(Bucket=BUCKET, Key=log["Key"])["Body"].read() for log in logs]
    assert any(b"counted four reads" in output for output in printed)


def test_a_missing_variable_is_named(dagster_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_POSTGRES_PASSWORD")
    with pytest.raises(dg.DagsterInvalidConfigError, match="DAGSTER_POSTGRES_PASSWORD"):
        dg.DagsterInstance.from_config(str(dagster_home))
