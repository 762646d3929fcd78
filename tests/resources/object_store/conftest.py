from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.object_store import ObjectStore
from tests.s3_service import BUCKET, s3_service


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    with s3_service() as address:
        yield address


@pytest.fixture
def folder_store(tmp_path: Path) -> ObjectStore:
    return ObjectStore.from_url(str(tmp_path / "objects"))


@pytest.fixture
def s3_store(s3_address: str) -> ObjectStore:
    return ObjectStore.from_url(f"s3://{BUCKET}/{uuid.uuid4().hex}/deep", endpoint_url=s3_address)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    return request.getfixturevalue(f"{request.param}_store")
