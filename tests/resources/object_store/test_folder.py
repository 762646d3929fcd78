"""What is particular to a store in a local folder: links, leftovers, failing disks."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refinebio_assets.domain.errors import NotFoundError, ObjectStoreError
from resources.object_store import ObjectStore
from resources.object_store.temporary import LEFTOVER_SECONDS, is_temporary, temporary_name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "objects").mkdir()
    return tmp_path / "objects"


def test_a_file_address_is_the_folder(tmp_path: Path) -> None:
    assert ObjectStore.from_url(f"file://{tmp_path}/o") == ObjectStore.from_url(f"{tmp_path}/o")


def test_nothing_is_created_before_the_first_object(folder_store: ObjectStore, tmp_path: Path) -> None:
    assert folder_store.list_keys("") == []
    assert not folder_store.exists("a")
    assert folder_store.remove_leftovers() == 0
    assert list(tmp_path.iterdir()) == []


def test_the_local_path_is_the_object_itself(folder_store: ObjectStore, root: Path) -> None:
    folder_store.put_bytes(b"x", "a/b")
    assert folder_store.local_path("a/b") == root / "a" / "b"
    assert folder_store.uri("a/b") == str(root / "a" / "b")
    assert folder_store.presigned_url("a/b", seconds=60) is None
    with pytest.raises(NotFoundError):
        folder_store.local_path("a")


@pytest.mark.parametrize("key", ["link", "folder/secret"])
def test_links_out_of_the_store_are_refused(folder_store: ObjectStore, root: Path, tmp_path: Path, key: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "link").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    for use in (folder_store.get_bytes, folder_store.local_path, folder_store.size, folder_store.open_file):
        with pytest.raises(ObjectStoreError, match="symbolic link"):
            use(key)
    with pytest.raises(ObjectStoreError, match="symbolic link"):
        folder_store.fetch(key, tmp_path / "copy")
    with pytest.raises(ObjectStoreError, match="symbolic link"):
        folder_store.put_bytes(b"overwritten", "folder/secret")
    with pytest.raises(ObjectStoreError, match="symbolic link"):
        folder_store.delete("folder/secret")
    with pytest.raises(ObjectStoreError, match="symbolic link"):
        folder_store.list_keys("folder")
    assert (outside / "secret").read_bytes() == b"secret"


def test_writing_over_a_link_replaces_the_link_and_not_its_target(
    folder_store: ObjectStore, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (root / "link").symlink_to(tmp_path / "precious")
    folder_store.put_bytes(b"new", "link")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert folder_store.get_bytes("link") == b"new"


def test_the_store_itself_may_lie_behind_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    store = ObjectStore.from_url(str(tmp_path / "alias"))
    store.put_bytes(b"x", "a/b")
    assert store.local_path("a/b") == root / "a" / "b"
    assert store.list_keys("") == ["a/b"]


def test_a_disk_that_fails_is_an_object_store_error_and_leaves_nothing(
    folder_store: ObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_store.put_bytes(b"old", "a")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ObjectStoreError, match="could not store a: No space left on device") as failure:
        folder_store.put_bytes(b"new", "a")
    assert isinstance(failure.value.__cause__, OSError)
    assert folder_store.get_bytes("a") == b"old"
    assert [path.name for path in root.iterdir()] == ["a"]


def test_a_file_in_the_way_of_a_folder_is_an_object_store_error(folder_store: ObjectStore) -> None:
    folder_store.put_bytes(b"x", "a")
    with pytest.raises(ObjectStoreError, match="could not store a/b"):
        folder_store.put_bytes(b"y", "a/b")


def _dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_only_what_nobody_writes_any_more_is_swept(folder_store: ObjectStore, root: Path) -> None:
    own = temporary_name("x")
    dead = own.replace(f".{os.getpid()}.", f".{_dead_process()}.")
    host = own.split(".")[3][:8]
    elsewhere = dead.replace(host, "00000000")
    (root / "deep").mkdir()
    for name in (own, dead, elsewhere, ".x.tmp", "x.tmp", ".hidden"):
        (root / "deep" / name).write_bytes(b"")
    (root / dead).mkdir()
    (root / dead / "part").write_bytes(b"")
    assert folder_store.remove_leftovers() == 2
    assert {path.name for path in (root / "deep").iterdir()} == {own, elsewhere, ".x.tmp", "x.tmp", ".hidden"}
    long_ago = time.time() - LEFTOVER_SECONDS - 60
    for name in (own, elsewhere):
        os.utime(root / "deep" / name, (long_ago, long_ago))
    assert folder_store.remove_leftovers() == 2
    assert {path.name for path in root.rglob("*")} == {"deep", ".x.tmp", "x.tmp", ".hidden"}


def test_what_is_being_written_is_not_listed(folder_store: ObjectStore, root: Path) -> None:
    folder_store.put_bytes(b"", "a/b")
    (root / "a" / temporary_name("b")).write_bytes(b"")
    directory = root / temporary_name("d")
    directory.mkdir()
    (directory / "e").write_bytes(b"")
    assert folder_store.list_keys("") == ["a/b"]
    assert folder_store.list_keys("a") == ["a/b"]


_WRITE_FOR_EVER = """
import sys
from pathlib import Path
from resources.object_store import ObjectStore
store = ObjectStore.from_url(sys.argv[1])
print("ready", flush=True)
while True:
    for name in "ab":
        store.put_file(Path(sys.argv[2], name), "big")
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_object(
    folder_store: ObjectStore, root: Path, tmp_path: Path
) -> None:
    size = 8 << 20
    contents = [letter.encode() * size for letter in "ab"]
    for letter, content in zip("ab", contents, strict=True):
        (tmp_path / letter).write_bytes(content)
    folder_store.put_file(tmp_path / "a", "big")
    left = 0
    moments = random.Random(20261122)
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", _WRITE_FOR_EVER, str(root), str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.01, 0.15))
        child.kill()
        child.communicate()
        assert folder_store.get_bytes("big") in contents
        assert folder_store.list_keys("") == ["big"]
        left += sum(is_temporary(path.name) for path in root.iterdir())
        folder_store.remove_leftovers()
        assert [path.name for path in root.iterdir()] == ["big"]
    assert left > 0, "no kill met a file being written: the test proves nothing"
