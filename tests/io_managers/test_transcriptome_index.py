"""Transcriptome indices: stored once per content, given out from the store or from a cache."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from io_managers import TranscriptomeIndexFiles, TranscriptomeIndexIOManager
from io_managers.transcriptome_index import split_partition_key
from refinebio_assets.domain.errors import InputError, ObjectStoreError
from refinebio_assets.domain.vocabulary import IndexLength
from resources.dagster_adapters import ObjectStoreResource
from resources.object_store import ObjectStore
from resources.object_store.s3 import S3Store
from tests.io_managers.values import index_files

KEY = "DANIO_RERIO|short"
PREFIX = "transcriptome_index/DANIO_RERIO/short"


@pytest.fixture
def io(object_store: ObjectStoreResource, tmp_path: Path) -> TranscriptomeIndexIOManager:
    return TranscriptomeIndexIOManager(object_store=object_store, cache_dir=str(tmp_path / "cache"))


@pytest.fixture
def s3_io(s3_store: ObjectStore, s3_address: str, tmp_path: Path) -> TranscriptomeIndexIOManager:
    resource = ObjectStoreResource(url=s3_store.uri("x").removesuffix("/x"), endpoint_url=s3_address)
    return TranscriptomeIndexIOManager(object_store=resource, cache_dir=str(tmp_path / "cache"))


def _content(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != "index.json"
    }


def test_an_index_comes_back_with_every_file_and_its_description(
    io: TranscriptomeIndexIOManager, tmp_path: Path
) -> None:
    value = index_files(tmp_path / "built")
    metadata = io.save(KEY, value)
    loaded = io.load(KEY)
    assert _content(loaded.directory) == _content(value.directory)
    assert {name: loaded.info[name] for name in value.info} == value.info
    assert loaded.info["files"]["pos.bin"]["size_bytes"] == len(b"positions")
    assert io.current_sha256(KEY) == "a" * 64
    assert metadata["sha256"].value == "a" * 64
    assert metadata["files"].value == 5
    rows = {record.data["property"]: record.data["value"] for record in metadata["index"].records}
    assert rows["kmer"] == "23"


def test_lengths_and_organisms_are_kept_apart(io: TranscriptomeIndexIOManager, tmp_path: Path) -> None:
    io.save(KEY, index_files(tmp_path / "short", content=b"short"))
    io.save("DANIO_RERIO|long", index_files(tmp_path / "long", sha256="b" * 64, content=b"long"))
    assert (io.load(KEY).directory / "pos.bin").read_bytes() == b"short"
    assert (io.load("DANIO_RERIO|long").directory / "pos.bin").read_bytes() == b"long"


def test_a_folder_store_gives_out_its_own_directory(folder: ObjectStoreResource, tmp_path: Path) -> None:
    io = TranscriptomeIndexIOManager(object_store=folder, cache_dir=str(tmp_path / "cache"))
    io.save(KEY, index_files(tmp_path / "built"))
    assert io.load(KEY).directory == Path(folder.url, PREFIX, "a" * 64)
    assert not (tmp_path / "cache").exists()


def test_the_same_content_is_stored_once_and_its_description_is_renewed(
    io: TranscriptomeIndexIOManager, object_store: ObjectStoreResource, tmp_path: Path
) -> None:
    value = index_files(tmp_path / "built")
    io.save(KEY, value)
    (value.directory / "info.json").write_text('{"built": "another day"}')
    io.save(KEY, TranscriptomeIndexFiles(value.directory, value.info | {"release": "116"}))
    assert object_store.store().get_bytes(f"{PREFIX}/{'a' * 64}/info.json") == b"{}"
    loaded = io.load(KEY)
    assert loaded.info["release"] == "116"
    assert loaded.info["files"]["info.json"]["size_bytes"] == 2


def test_what_an_unfinished_save_left_is_completed(
    io: TranscriptomeIndexIOManager, object_store: ObjectStoreResource, tmp_path: Path
) -> None:
    object_store.store().put_bytes(b"half of an earlier try", f"{PREFIX}/{'a' * 64}/pos.bin")
    io.save(KEY, index_files(tmp_path / "built"))
    assert (io.load(KEY).directory / "pos.bin").read_bytes() == b"positions"


def test_a_new_index_becomes_current_and_the_old_one_stays(
    io: TranscriptomeIndexIOManager, object_store: ObjectStoreResource, tmp_path: Path
) -> None:
    io.save(KEY, index_files(tmp_path / "old"))
    io.save(KEY, index_files(tmp_path / "new", sha256="b" * 64, content=b"new"))
    assert (io.load(KEY).directory / "pos.bin").read_bytes() == b"new"
    assert object_store.store().get_bytes(f"{PREFIX}/{'a' * 64}/pos.bin") == b"positions"


def test_from_s3_an_index_is_downloaded_once(
    s3_io: TranscriptomeIndexIOManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_io.save(KEY, index_files(tmp_path / "built"))
    fetched: list[str] = []
    fetch = S3Store.fetch

    def counting(self: S3Store, key: str, path: Path) -> Path:
        fetched.append(key)
        return fetch(self, key, path)

    monkeypatch.setattr(S3Store, "fetch", counting)
    with ThreadPoolExecutor(6) as pool:
        loaded = list(pool.map(lambda _: s3_io.load(KEY), range(6)))
    assert {files.directory for files in loaded} == {tmp_path / "cache" / ("a" * 64)}
    assert len(fetched) == 5
    assert s3_io.load(KEY) == loaded[0]
    assert len(fetched) == 5
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["a" * 64, "a" * 64 + ".lock"]


@pytest.mark.parametrize("loss", ["a file", "a part of a file", "everything"])
def test_a_cache_that_was_cleaned_is_filled_again(
    s3_io: TranscriptomeIndexIOManager, tmp_path: Path, loss: str
) -> None:
    s3_io.save(KEY, index_files(tmp_path / "built"))
    directory = s3_io.load(KEY).directory
    if loss == "a file":
        (directory / "pos.bin").unlink()
    elif loss == "a part of a file":
        (directory / "pos.bin").write_bytes(b"posi")
    else:
        shutil.rmtree(tmp_path / "cache")
    assert (s3_io.load(KEY).directory / "pos.bin").read_bytes() == b"positions"


def test_a_download_that_is_not_what_was_stored_is_refused(s3_io: TranscriptomeIndexIOManager, tmp_path: Path) -> None:
    s3_io.save(KEY, index_files(tmp_path / "built"))
    s3_io.object_store.store().put_bytes(b"positionZ", f"{PREFIX}/{'a' * 64}/pos.bin")
    with pytest.raises(ObjectStoreError, match="sha256 differs"):
        s3_io.load(KEY)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["a" * 64 + ".lock"]


def test_a_pointer_to_nothing_is_damage_and_not_absence(
    io: TranscriptomeIndexIOManager, object_store: ObjectStoreResource
) -> None:
    object_store.store().put_bytes(b"c" * 64, f"{PREFIX}/current")
    with pytest.raises(ObjectStoreError, match="Build the index again"):
        io.load(KEY)


@pytest.mark.parametrize("info", [{}, {"sha256": ""}, {"sha256": 7}, {"sha256": "../../x"}])
def test_an_index_without_a_usable_hash_is_refused(
    io: TranscriptomeIndexIOManager, tmp_path: Path, info: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        io.save(KEY, TranscriptomeIndexFiles(index_files(tmp_path / "built").directory, info))


def test_an_empty_directory_is_no_index(io: TranscriptomeIndexIOManager, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no transcriptome index files"):
        io.save(KEY, TranscriptomeIndexFiles(tmp_path / "empty", {"sha256": "a" * 64}))


def test_partition_keys_name_organism_and_length() -> None:
    assert split_partition_key("ARABIDOPSIS_THALIANA|long") == ("ARABIDOPSIS_THALIANA", IndexLength.LONG)
    for wrong in ("ARABIDOPSIS_THALIANA", "long|ARABIDOPSIS_THALIANA", "|long", "X|medium", ""):
        with pytest.raises(InputError, match="no partition of transcriptome_index"):
            split_partition_key(wrong)
