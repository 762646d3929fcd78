"""The manifest of an experiment's quant files."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from io_managers import QuantFilesIOManager
from refinebio_assets.domain.errors import InputError, ObjectStoreError
from refinebio_assets.domain.records import QuantFiles
from resources.dagster_adapters import ObjectStoreResource
from tests.io_managers.values import quant_files

KEY = "quant_files/SRP1/manifest.json"


@pytest.fixture
def io(object_store: ObjectStoreResource) -> QuantFilesIOManager:
    return QuantFilesIOManager(object_store=object_store)


def test_the_manifest_is_readable_json_sorted_by_sample(
    io: QuantFilesIOManager, object_store: ObjectStoreResource
) -> None:
    value = quant_files("SRP1")
    io.save("SRP1", replace(value, files=value.files[::-1]))
    shuffled = object_store.store().get_bytes(KEY)
    io.save("SRP1", value)
    assert object_store.store().get_bytes(KEY) == shuffled
    manifest = json.loads(shuffled)
    assert [row["sample"] for row in manifest["files"]] == ["SRR0", "SRR1", "SRR2"]
    assert manifest["files"][0]["key"] == "quant_files/SRP1/SRR0/quant.sf.gz"
    assert shuffled.startswith(b'{\n  "experiment": "SRP1",\n')
    assert shuffled.endswith(b"}\n")
    assert io.load("SRP1") == value


def test_what_salmon_did_not_say_stays_unknown(io: QuantFilesIOManager) -> None:
    known = quant_files("SRP1", samples=1)
    silent = replace(
        known.files[0], num_processed=None, num_mapped=None, percent_mapped=None, library_type=None, index_length=None
    )
    metadata = io.save("SRP1", replace(known, files=(silent,)))
    assert io.load("SRP1").files == (silent,)
    assert metadata["preview"].records[0].data["percent_mapped"] == ""


def test_an_experiment_without_quant_files_has_an_empty_manifest(io: QuantFilesIOManager) -> None:
    empty = QuantFiles(experiment="SRP1", organism="", files=())
    assert io.save("SRP1", empty)["quant_files"].value == 0
    assert io.load("SRP1") == empty


def test_the_preview_shows_the_first_hundred_samples(io: QuantFilesIOManager) -> None:
    metadata = io.save("SRP1", quant_files("SRP1", samples=150))
    assert metadata["quant_files"].value == 150
    assert len(metadata["preview"].records) == 100
    assert metadata["preview"].records[0].data["percent_mapped"] == 90.0


def test_manifests_of_another_experiment_or_with_repeated_samples_are_refused(io: QuantFilesIOManager) -> None:
    value = quant_files("SRP1")
    with pytest.raises(InputError, match="SRP1 cannot be stored as those of SRP2"):
        io.save("SRP2", value)
    with pytest.raises(InputError, match="more than one quant file of SRR0"):
        io.save("SRP1", replace(value, files=(*value.files, value.files[0])))
    with pytest.raises(InputError, match="SRR0 is nan"):
        io.save("SRP1", replace(value, files=(replace(value.files[0], percent_mapped=float("nan")),)))


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"files": []}', b'{"experiment":"SRP1","organism":"","files":[{}]}']
)
def test_a_damaged_manifest_is_an_object_store_error(
    io: QuantFilesIOManager, object_store: ObjectStoreResource, damage: bytes
) -> None:
    object_store.store().put_bytes(damage, KEY)
    with pytest.raises(ObjectStoreError, match=r"manifest\.json is damaged"):
        io.load("SRP1")
