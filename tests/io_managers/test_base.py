"""What holds for every IO manager: partitions, runs, killed writers."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from io_managers import ALREADY_STORED, NoValueIOManager, QuantFilesIOManager, SourceMetadataIOManager
from refinebio_assets.domain.errors import InputError, NotFoundError
from resources.dagster_adapters import ObjectStoreResource
from tests.io_managers.values import expression, index_files, managers, payload, quant_files

EXPERIMENTS = dg.StaticPartitionsDefinition(["SRP1", "SRP2", "SRP3"])
INDICES = dg.MultiPartitionsDefinition(
    {
        "organism": dg.StaticPartitionsDefinition(["DANIO_RERIO", "HOMO_SAPIENS"]),
        "read_length": dg.StaticPartitionsDefinition(["short", "long"]),
    }
)


def _range_tags(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def _quant_assets(seen: list[Any], gives: Any) -> list[dg.AssetsDefinition]:
    batch = dg.BackfillPolicy.single_run()

    @dg.asset(partitions_def=EXPERIMENTS, io_manager_key="io", backfill_policy=batch)
    def quantified(context: dg.AssetExecutionContext) -> Any:
        return gives(context.partition_keys)

    @dg.asset(partitions_def=EXPERIMENTS, io_manager_key="nothing", backfill_policy=batch)
    def counted(quantified: Any) -> None:
        seen.append(quantified)

    return [quantified, counted]


def _materialize(assets: list[dg.AssetsDefinition], io: Any, **options: Any) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            assets,
            resources={"io": io, "nothing": NoValueIOManager()},
            instance=instance,
            raise_on_error=False,
            **options,
        )


def test_a_run_over_one_partition_gives_and_gets_the_value(object_store: ObjectStoreResource) -> None:
    seen: list[Any] = []
    io = QuantFilesIOManager(object_store=object_store)
    result = _materialize(_quant_assets(seen, lambda keys: quant_files(keys[0])), io, partition_key="SRP2")
    assert result.success
    assert seen == [quant_files("SRP2")] == [io.load("SRP2")]
    (event,) = result.asset_materializations_for_node("quantified")
    assert event.metadata["dagster/uri"].value == object_store.store().uri("quant_files/SRP2/manifest.json")
    assert event.metadata["size_bytes"].value == object_store.store().size("quant_files/SRP2/manifest.json")
    assert event.metadata["quant_files"].value == 3


def test_a_run_over_several_partitions_gives_and_gets_a_mapping(object_store: ObjectStoreResource) -> None:
    seen: list[Any] = []
    io = QuantFilesIOManager(object_store=object_store)
    assets = _quant_assets(seen, lambda keys: {key: quant_files(key) for key in keys})
    result = _materialize(assets, io, tags=_range_tags("SRP1", "SRP3"))
    assert result.success
    assert seen == [{key: quant_files(key) for key in ("SRP1", "SRP2", "SRP3")}]
    events = result.asset_materializations_for_node("quantified")
    assert sorted(event.partition for event in events) == ["SRP1", "SRP2", "SRP3"]
    table = events[0].metadata["stored"].records
    assert [record.data["partition"] for record in table] == ["SRP1", "SRP2", "SRP3"]
    assert table[1].data["uri"] == object_store.store().uri("quant_files/SRP2/manifest.json")


@pytest.mark.parametrize(
    "given",
    [
        lambda keys: quant_files(keys[0]),
        lambda keys: {key: quant_files(key) for key in keys[:2]},
        lambda keys: {key: quant_files(key) for key in [*keys, "SRP9"]},
    ],
    ids=["one value", "too few", "too many"],
)
def test_several_partitions_need_exactly_their_values(folder: ObjectStoreResource, given: Any) -> None:
    result = _materialize(
        _quant_assets([], given), QuantFilesIOManager(object_store=folder), tags=_range_tags("SRP1", "SRP3")
    )
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "3 partitions SRP1, SRP2, SRP3 must give a mapping" in str(failure.step_failure_data.error)
    assert folder.store().list_keys("") == []


def test_an_asset_that_stored_its_values_itself_says_so(folder: ObjectStoreResource) -> None:
    io = QuantFilesIOManager(object_store=folder)
    seen: list[Any] = []

    def saves(keys: list[str]) -> Any:
        for key in keys:
            io.save(key, quant_files(key))
        return ALREADY_STORED

    assert _materialize(_quant_assets(seen, saves), io, tags=_range_tags("SRP1", "SRP2")).success
    assert seen == [{key: quant_files(key) for key in ("SRP1", "SRP2")}]


def test_an_index_of_an_organism_goes_through_dagster_by_its_two_dimensions(
    object_store: ObjectStoreResource, tmp_path: Path
) -> None:
    io = managers(object_store, tmp_path / "cache")["transcriptome_index"]
    seen: list[Any] = []

    @dg.asset(partitions_def=INDICES, io_manager_key="io")
    def index() -> Any:
        return index_files(tmp_path / "built")

    @dg.asset(partitions_def=INDICES, io_manager_key="nothing")
    def used(index: Any) -> None:
        seen.append(index)

    key = dg.MultiPartitionKey({"organism": "DANIO_RERIO", "read_length": "long"})
    assert str(key) == "DANIO_RERIO|long"
    assert _materialize([index, used], io, partition_key=key).success
    assert (seen[0].directory / "pos.bin").read_bytes() == b"positions"
    assert object_store.store().exists("transcriptome_index/DANIO_RERIO/long/current")


def test_a_payload_that_is_a_mapping_itself_is_one_value(folder: ObjectStoreResource) -> None:
    io = SourceMetadataIOManager(object_store=folder)
    context = dg.build_output_context(asset_key="source_metadata", partition_key="SRP1")
    io.handle_output(context, payload("SRP1"))
    assert io.load("SRP1") == payload("SRP1")
    io.handle_output(dg.build_output_context(asset_key="s", partition_key="SRP1"), {"SRP1": payload("SRP1", runs=5)})
    assert io.load_input(dg.build_input_context(asset_key="s", partition_key="SRP1")) == payload("SRP1", runs=5)


def test_contexts_over_a_range_of_partitions(object_store: ObjectStoreResource) -> None:
    io = SourceMetadataIOManager(object_store=object_store)
    span: Mapping[str, Any] = {
        "asset_key": "source_metadata",
        "asset_partitions_def": EXPERIMENTS,
        "asset_partition_key_range": dg.PartitionKeyRange("SRP2", "SRP3"),
    }
    values = {key: payload(key) for key in ("SRP2", "SRP3")}
    context = dg.build_output_context(**span)
    io.handle_output(context, values)
    assert context.get_logged_metadata()["partitions"].value == 2
    assert io.load_input(dg.build_input_context(**span)) == values


@pytest.mark.parametrize("name", ["source_metadata", "quant_files", "transcriptome_index", "rna_seq_expression"])
def test_an_asset_without_partitions_is_refused(folder: ObjectStoreResource, tmp_path: Path, name: str) -> None:
    io = managers(folder, tmp_path)[name]
    with pytest.raises(InputError, match="an_asset has no partitions"):
        io.handle_output(dg.build_output_context(asset_key="an_asset"), {})
    with pytest.raises(InputError, match="an_asset has no partitions"):
        io.load_input(dg.build_input_context(asset_key="an_asset"))


@pytest.mark.parametrize("name", ["source_metadata", "quant_files", "transcriptome_index", "rna_seq_expression"])
def test_what_was_never_stored_says_what_to_do(object_store: ObjectStoreResource, tmp_path: Path, name: str) -> None:
    key = "DANIO_RERIO|short" if name == "transcriptome_index" else "SRP404"
    with pytest.raises(NotFoundError) as failure:
        managers(object_store, tmp_path)[name].load(key)
    assert str(failure.value) == f"There is no {name} of {key} yet. Materialise {name} for partition {key} first."


@pytest.mark.parametrize("name", ["source_metadata", "quant_files", "transcriptome_index", "rna_seq_expression"])
@pytest.mark.parametrize("key", ["", "a/b", "../SRP1|short", "a/b|long"])
def test_a_partition_key_never_becomes_a_path(folder: ObjectStoreResource, tmp_path: Path, name: str, key: str) -> None:
    with pytest.raises(InputError, match="partition"):
        managers(folder, tmp_path)[name].load(key)


def test_an_asset_without_value_must_not_give_one(folder: ObjectStoreResource) -> None:
    io = NoValueIOManager()
    context = dg.build_output_context(asset_key="samples", partition_key="SRP1")
    io.handle_output(context, None)
    io.handle_output(context, ALREADY_STORED)
    with pytest.raises(InputError, match="samples is not stored, but it gave a dict"):
        io.handle_output(context, {})
    with pytest.raises(InputError, match="its result is in the catalog"):
        io.load_input(dg.build_input_context(asset_key="samples"))


def _save_and_die_at(fsync: int, save: Any) -> bool:
    """Run ``save`` in a child that kills itself just before its n-th fsync; whether it lived to the end."""
    child = os.fork()
    if child == 0:
        left = fsync
        real = os.fsync

        def dying(descriptor: int) -> None:
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            real(descriptor)

        os.fsync = dying
        try:
            save()
            os._exit(0)
        finally:
            os._exit(99)  # the child must not go on running the test suite
    status = os.waitpid(child, 0)[1]
    assert status in {0, signal.SIGKILL}, "the save itself failed"
    return status == 0


def _same(left: Any, right: Any) -> bool:
    if hasattr(left, "directory"):
        return bool((left.directory / "pos.bin").read_bytes() == (right.directory / "pos.bin").read_bytes())
    return bool((left.X == right.X).all()) if hasattr(left, "obs") else bool(left == right)


@pytest.mark.parametrize("name", ["source_metadata", "quant_files", "transcriptome_index", "rna_seq_expression"])
def test_a_save_killed_at_any_step_leaves_the_old_value_or_the_new_one(
    folder: ObjectStoreResource, tmp_path: Path, name: str
) -> None:
    key = "DANIO_RERIO|short" if name == "transcriptome_index" else "SRP1"
    old, new = {
        "source_metadata": (payload("SRP1"), payload("SRP1", runs=9)),
        "quant_files": (quant_files("SRP1"), quant_files("SRP1", samples=1)),
        "transcriptome_index": (
            index_files(tmp_path / "old"), index_files(tmp_path / "new", sha256="b" * 64, content=b"new"),
        ),
        "rna_seq_expression": (expression(), expression(seed=1)),
    }[name]  # fmt: skip
    io = managers(folder, tmp_path)[name]
    io.save(key, old)
    kills = 0
    while not _save_and_die_at(kills, lambda: io.save(key, new)):
        loaded = io.load(key)
        assert _same(loaded, old) or _same(loaded, new)
        folder.store().remove_leftovers()
        kills += 1
    assert kills >= 2
    assert _same(io.load(key), new)
    assert not [path for path in Path(folder.url).rglob("*") if path.name.endswith(".tmp")]
