"""A local S3 service for tests of everything that stores objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
BUCKET = "refinebio-tests"


@contextmanager
def s3_service() -> Iterator[str]:
    """An S3 service on loopback with one empty bucket.

    Gives its address, and points the AWS environment at made-up credentials meanwhile.
    """
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
