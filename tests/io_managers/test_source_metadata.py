"""Raw payloads: immutable, deterministic, checked."""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from io_managers import SourceMetadataIOManager
from refinebio_assets.domain.errors import InputError, ObjectStoreError
from resources.dagster_adapters import ObjectStoreResource
from tests.io_managers.values import payload

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def io(object_store: ObjectStoreResource) -> SourceMetadataIOManager:
    return SourceMetadataIOManager(object_store=object_store)


def test_a_payload_comes_back_under_the_hash_of_its_bytes(
    io: SourceMetadataIOManager, object_store: ObjectStoreResource
) -> None:
    metadata = io.save("SRP1", payload("SRP1"))
    sha256 = io.current_sha256("SRP1")
    data = object_store.store().get_bytes(f"source_metadata/SRP1/{sha256}.json.gz")
    assert hashlib.sha256(data).hexdigest() == sha256 == metadata["sha256"].value
    assert data.startswith(b"\x1f\x8b\x08\x00\x00\x00\x00\x00"), "gzip without name and time"
    assert gzip.decompress(data).startswith(b'{"accession":"SRP1","biosamples":')
    assert object_store.store().get_bytes("source_metadata/SRP1/current") == f"{sha256}\n".encode()
    assert io.load("SRP1") == payload("SRP1")
    rows = {record.data["part"]: record.data["entries"] for record in metadata["content"].records}
    assert rows == {"accession": 1, "biosamples": 1, "read_run": 2, "source": 1}


def test_the_order_of_keys_does_not_matter(io: SourceMetadataIOManager, object_store: ObjectStoreResource) -> None:
    io.save("SRP1", payload("SRP1"))
    io.save("SRP1", dict(reversed(payload("SRP1").items())))
    assert len(object_store.store().list_keys("source_metadata/SRP1")) == 2


def test_older_payloads_stay(io: SourceMetadataIOManager, object_store: ObjectStoreResource) -> None:
    io.save("SRP1", payload("SRP1"))
    first = io.current_sha256("SRP1")
    io.save("SRP1", payload("SRP1", runs=3))
    assert io.load("SRP1") == payload("SRP1", runs=3)
    assert object_store.store().exists(f"source_metadata/SRP1/{first}.json.gz")
    io.save("SRP1", payload("SRP1"))
    assert io.current_sha256("SRP1") == first


def test_a_changed_object_is_neither_given_out_nor_overwritten(
    io: SourceMetadataIOManager, object_store: ObjectStoreResource
) -> None:
    io.save("SRP1", payload("SRP1"))
    key = f"source_metadata/SRP1/{io.current_sha256('SRP1')}.json.gz"
    object_store.store().put_bytes(b"something else", key)
    with pytest.raises(ObjectStoreError, match="changed or damaged"):
        io.load("SRP1")
    with pytest.raises(ObjectStoreError, match="changed or damaged"):
        io.save("SRP1", payload("SRP1"))
    assert object_store.store().get_bytes(key) == b"something else"


def test_a_pointer_to_nothing_is_damage_and_not_absence(
    io: SourceMetadataIOManager, object_store: ObjectStoreResource
) -> None:
    io.save("SRP1", payload("SRP1"))
    object_store.store().delete(f"source_metadata/SRP1/{io.current_sha256('SRP1')}.json.gz")
    with pytest.raises(ObjectStoreError, match="Survey the experiment again"):
        io.load("SRP1")


@pytest.mark.parametrize("value", [["a list"], None, {"a": object()}, {1: "key is no text"}])
def test_what_is_no_json_object_is_refused(io: SourceMetadataIOManager, value: Any) -> None:
    with pytest.raises(InputError, match="source metadata of SRP1"):
        io.save("SRP1", value)


@given(st.dictionaries(st.text(), JSON, max_size=4))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_object_comes_back_equal(folder: ObjectStoreResource, value: dict[str, Any]) -> None:
    io = SourceMetadataIOManager(object_store=folder)
    io.save("SRP1", value)
    assert io.load("SRP1") == value
