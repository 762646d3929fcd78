"""What holds for every object store, a folder or S3."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import ConfigurationError, InputError, NotFoundError
from resources.object_store import ObjectStore, StoredObject
from resources.object_store.keys import MAX_KEY_BYTES, check_key
from resources.object_store.temporary import temporary_name

NOT_KEYS = [
    "", "/", "/etc/passwd", "a/../b", "..", ".", "./a", "a//b", "a/", "a\\b", "a\nb", "a\x00b",
    "a/" + "x" * 201, "a/" * 500 + "b",
    # named: a temporary name is another one in every process, and pytest-xdist compares the names of tests
    pytest.param(temporary_name("quant.sf.gz"), id="temporary name"),
    pytest.param(f"a/{temporary_name('b')}/c", id="temporary name of a folder"),
]  # fmt: skip


def test_what_was_put_is_read_back_with_its_size_and_sha256(store: ObjectStore) -> None:
    stored = store.put_bytes(b"gene counts", "rna_seq_expression/SRP1/SRP1.h5ad")
    assert stored == StoredObject("rna_seq_expression/SRP1/SRP1.h5ad", 11, hashlib.sha256(b"gene counts").hexdigest())
    assert store.get_bytes(stored.key) == b"gene counts"
    assert store.size(stored.key) == 11
    assert store.exists(stored.key)


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    assert store.put_bytes(b"", "empty") == StoredObject("empty", 0, hashlib.sha256().hexdigest())
    assert store.exists("empty")
    assert store.get_bytes("empty") == b""


def test_a_file_larger_than_one_upload_part_comes_back_whole(store: ObjectStore, tmp_path: Path) -> None:
    content = bytes(range(256)) * (40 << 12)  # 40 MiB: three parts
    (tmp_path / "big").write_bytes(content)
    stored = store.put_file(tmp_path / "big", "big")
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert store.fetch("big", tmp_path / "made" / "for" / "it").read_bytes() == content
    assert [path.name for path in (tmp_path / "made/for").iterdir()] == ["it"]


def test_putting_again_replaces(store: ObjectStore) -> None:
    store.put_bytes(b"old, and longer", "current")
    store.put_bytes(b"new", "current")
    assert store.get_bytes("current") == b"new"


def test_fetching_replaces_the_local_file(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"what was there, longer")
    store.put_bytes(b"new", "a")
    assert store.fetch("a", tmp_path / "local").read_bytes() == b"new"


def test_what_is_not_there_is_not_found(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes(b"x", "folder/object")
    for absent in ("nothing", "folder", "folder/object/below"):
        assert not store.exists(absent)
        with pytest.raises(NotFoundError, match=absent):
            store.get_bytes(absent)
        with pytest.raises(NotFoundError, match=absent):
            store.size(absent)
        with pytest.raises(NotFoundError, match=absent):
            store.fetch(absent, tmp_path / "local")
        with pytest.raises(NotFoundError, match=absent):
            store.open_file(absent)
    with pytest.raises(NotFoundError):
        store.fetch_directory("nothing", tmp_path / "local")
    assert not list(tmp_path.glob("*local*")), "a failed fetch leaves nothing"


def test_a_missing_source_is_named(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"absent\.h5ad"):
        store.put_file(tmp_path / "absent.h5ad", "a")
    with pytest.raises(NotFoundError, match="absent"):
        store.put_directory(tmp_path / "absent", "a")
    assert not store.exists("a")


def test_listing_goes_by_whole_segments_in_order(store: ObjectStore) -> None:
    keys = ["a/b/c", "a/b/d/e", "a/bc", "z"]
    for key in reversed(keys):
        store.put_bytes(b"", key)
    assert store.list_keys("a/b") == ["a/b/c", "a/b/d/e"]
    assert store.list_keys("a/b/") == ["a/b/c", "a/b/d/e"]
    assert store.list_keys("") == sorted(keys)
    assert store.list_keys("nothing/here") == []


def test_deleting_removes_and_may_be_repeated(store: ObjectStore) -> None:
    store.put_bytes(b"x", "a/b")
    store.delete("a/b")
    store.delete("a/b")
    store.delete("never/there")
    assert not store.exists("a/b")
    assert store.list_keys("") == []


def test_a_directory_goes_there_and_back(store: ObjectStore, tmp_path: Path) -> None:
    files = {"info.json": b"{}", "deep/er/pos.bin": b"\x00" * 1000, "empty": b""}
    for name, content in files.items():
        (tmp_path / "index" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "index" / name).write_bytes(content)
    stored = store.put_directory(tmp_path / "index", "transcriptome_index/X/short/abc")
    assert [(s.key.removeprefix("transcriptome_index/X/short/abc/"), s.size_bytes) for s in stored] == [
        ("deep/er/pos.bin", 1000), ("empty", 0), ("info.json", 2),
    ]  # fmt: skip
    directory = store.fetch_directory("transcriptome_index/X/short/abc/", tmp_path / "back")
    assert {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    } == files
    assert {path.name for path in tmp_path.iterdir()} <= {"index", "back", "objects"}


def test_fetching_a_directory_never_mixes_with_what_is_there(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes(b"x", "d/a")
    (tmp_path / "there").mkdir()
    assert store.fetch_directory("d", tmp_path / "there").joinpath("a").read_bytes() == b"x"
    with pytest.raises(InputError, match="not an empty directory"):
        store.fetch_directory("d", tmp_path / "there")
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_columns_are_read_without_fetching_the_object(store: ObjectStore, tmp_path: Path) -> None:
    pq.write_table(pa.table({"Gene": ["ENSG1", "ENSG2"], "SRR1": [1.5, 2.0]}), tmp_path / "x.parquet")
    store.put_file(tmp_path / "x.parquet", "x.parquet")
    with store.open_file("x.parquet") as file:
        assert pq.read_table(file, columns=["SRR1"]).to_pydict() == {"SRR1": [1.5, 2.0]}


@pytest.mark.parametrize("key", NOT_KEYS)
def test_what_is_no_key_is_refused_everywhere(store: ObjectStore, key: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    for use in (
        lambda: store.put_bytes(b"", key),
        lambda: store.put_file(tmp_path / "f", key),
        lambda: store.get_bytes(key),
        lambda: store.fetch(key, tmp_path / "g"),
        lambda: store.open_file(key),
        lambda: store.local_path(key),
        lambda: store.exists(key),
        lambda: store.size(key),
        lambda: store.delete(key),
        lambda: store.uri(key),
        lambda: store.presigned_url(key, seconds=60),
    ):
        with pytest.raises(InputError, match="no key of the object store"):
            use()


@given(st.text())
def test_a_key_never_leads_out_of_its_folder(text: str) -> None:
    root = Path("/store/objects")
    try:
        key = check_key(text)
    except InputError:
        return
    path = root / key
    assert path.is_relative_to(root)
    assert path != root
    assert ".." not in path.parts
    assert path.relative_to(root).as_posix() == key
    assert len(key.encode()) <= MAX_KEY_BYTES


def test_a_store_is_small_picklable_and_equal_by_place(store: ObjectStore) -> None:
    store.put_bytes(b"x", "a")  # with an open connection
    again = pickle.loads(pickle.dumps(store))
    assert again == store
    assert len(pickle.dumps(store)) < 500
    assert again.get_bytes("a") == b"x"


def test_threads_share_a_store(store: ObjectStore) -> None:
    def there_and_back(number: int) -> bytes:
        store.put_bytes(str(number).encode(), f"t/{number}")
        return store.get_bytes(f"t/{number}")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(there_and_back, range(100))) == [str(number).encode() for number in range(100)]


def test_writers_of_one_key_never_mix(store: ObjectStore) -> None:
    values = [bytes([number]) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda value: store.put_bytes(value, "one"), values))
    assert store.get_bytes("one") in values


_STORE_BIG_FILE = """
import resource, sys
from pathlib import Path
from resources.object_store import ObjectStore
store = ObjectStore.from_url(sys.argv[1], endpoint_url=sys.argv[2] or None)
store.put_bytes(b"warm", "warm")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
store.put_file(Path(sys.argv[3]), "big")
store.fetch("big", Path(sys.argv[3] + ".back"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_file(store: ObjectStore, tmp_path: Path) -> None:
    size = 200 << 20
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(size)
    endpoint = getattr(store, "endpoint_url", None) or ""
    url = store.uri("x").removesuffix("/x")
    child = subprocess.run(
        [sys.executable, "-c", _STORE_BIG_FILE, url, endpoint, str(tmp_path / "sparse")],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert int(child.stdout) * 1024 < 160 << 20
    assert store.size("big") == size


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("", None), ("gs://bucket", None), ("https://bucket/x", None), ("s3://", None), ("s3:///x", None),
        ("s3://key:hunter2@bucket/x", None), ("s3://bucket/x?secret=hunter2", None),
        ("s3://bucket", "ftp://host"), ("s3://bucket", "https://key:hunter2@host"), ("s3://bucket", "host:9000"),
    ],
)  # fmt: skip
def test_an_address_that_is_no_store_is_refused_without_repeating_secrets(url: str, endpoint: str | None) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        ObjectStore.from_url(url, endpoint_url=endpoint)
    assert refusal.value.remedy
    assert "hunter2" not in str(refusal.value)
