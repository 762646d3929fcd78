"""Object stores for tests: a folder, and an S3 service on loopback, started once (moto keeps one state per process)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from resources.object_store import ObjectStore

REGION = "eu-central-1"
BUCKET = "refinebio-tests"


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """Address of an S3 service with one bucket; the AWS environment has made-up credentials meanwhile."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test-key-id")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test-secret-key")
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        environment.setenv("AWS_REGION", REGION)
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        environment.delenv("AWS_SESSION_TOKEN", raising=False)
        environment.delenv("AWS_PROFILE", raising=False)
        address = f"http://{host}:{port}"
        client = boto3.session.Session().client("s3", endpoint_url=address)
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield address
    server.stop()


@pytest.fixture
def folder_store(tmp_path: Path) -> ObjectStore:
    """An empty store in a folder that does not exist yet."""
    return ObjectStore.from_url(str(tmp_path / "objects"))


@pytest.fixture
def s3_store(s3_address: str) -> ObjectStore:
    """An empty store in S3, below a prefix of its own."""
    return ObjectStore.from_url(f"s3://{BUCKET}/{uuid.uuid4().hex}/deep", endpoint_url=s3_address)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """Each kind of store in turn."""
    return request.getfixturevalue(f"{request.param}_store")
