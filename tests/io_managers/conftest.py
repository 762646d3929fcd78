from __future__ import annotations

import pytest

from resources.dagster_adapters import ObjectStoreResource
from resources.object_store import ObjectStore


@pytest.fixture
def object_store(store: ObjectStore) -> ObjectStoreResource:
    url = store.uri("x").removesuffix("/x")
    return ObjectStoreResource(url=url, endpoint_url=getattr(store, "endpoint_url", None))


@pytest.fixture
def folder(folder_store: ObjectStore) -> ObjectStoreResource:
    return ObjectStoreResource(url=folder_store.uri("x").removesuffix("/x"))
