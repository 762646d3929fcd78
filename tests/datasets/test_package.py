"""Archives: readable by others, the same bytes for the same content, and no name leads out of them."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.datasets import package
from refinebio_assets.datasets.package import GzipFile, Package, path_component

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))


def write(path: Path, gzip_file: GzipFile | None = None) -> Path:
    with path.open("wb+") as file, Package(file) as archive:
        archive.add("README.md", b"read me")
        with archive.entry("GSE1/GSE1.tsv") as entry:
            for start in range(0, len(TEXT), 70_001):
                entry.write(TEXT[start : start + 70_001])
        archive.add("chunk", bytes(1000), compress=False)
        if gzip_file:
            archive.add_gzip("again.tsv", gzip_file)
        archive.add("empty", b"")
    return path


def gzipped(path: Path) -> GzipFile:
    file = GzipFile(path)
    with file.writing() as sink:
        sink.write(TEXT)
        sink.write(b"end")
    return file


def test_other_programs_read_it(tmp_path):
    path = write(tmp_path / "a.zip", gzipped(tmp_path / "text.gz"))
    assert gzip.decompress((tmp_path / "text.gz").read_bytes()) == TEXT + b"end"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["README.md", "GSE1/GSE1.tsv", "chunk", "again.tsv", "empty"]
        assert archive.read("GSE1/GSE1.tsv") == TEXT
        assert archive.read("again.tsv") == TEXT + b"end"
        assert archive.getinfo("chunk").compress_type == zipfile.ZIP_STORED
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.getinfo("GSE1/GSE1.tsv").compress_size < len(TEXT) / 3


def test_the_same_content_has_the_same_bytes(tmp_path):
    one, other = (write(tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert one == other


def test_sizes_beyond_four_gigabytes_go_into_wide_fields(tmp_path, monkeypatch):
    monkeypatch.setattr(package, "_FULL_32", 20_000)  # as if 20 kB were as much as 32 bits hold
    monkeypatch.setattr(package, "_FULL_16", 3)
    path = tmp_path / "a.zip"
    with path.open("wb+") as file, Package(file) as archive:
        with archive.entry("large") as entry:
            entry.write(TEXT)
        archive.add("behind", b"b")
    content = path.read_bytes()
    local, directory = content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02")
    # The reader knows 32 bits to be full at 2**32 - 1: show it what would stand there.
    wide = (20_000).to_bytes(4, "little")
    patched = bytearray(content)
    for place in (local + 18, local + 22, directory + 20, directory + 24):
        assert content[place : place + 4] == wide
        patched[place : place + 4] = b"\xff" * 4
    behind = content.index(b"PK\x01\x02", directory + 4)
    assert content[behind + 42 : behind + 46] == wide
    patched[behind + 42 : behind + 46] = b"\xff" * 4
    end = content.index(b"PK\x05\x06")
    assert content[end + 16 : end + 20] == wide
    patched[end + 16 : end + 20] = b"\xff" * 4
    path.write_bytes(patched)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("large") == TEXT
        assert archive.read("behind") == b"b"


def fail_after(entry) -> None:
    entry.write(TEXT)
    entry.write("no bytes")


def test_an_entry_that_fails_leaves_no_trace(tmp_path):
    path = tmp_path / "a.zip"
    with path.open("wb+") as file, Package(file) as archive:
        archive.add("before", b"1")
        with pytest.raises(TypeError), archive.entry("failing") as entry:
            fail_after(entry)
        archive.add("failing", b"2")
    with zipfile.ZipFile(path) as read:
        assert [(name, read.read(name)) for name in read.namelist()] == [("before", b"1"), ("failing", b"2")]


def test_entries_that_are_removed_leave_the_bytes_of_an_archive_without_them(tmp_path):
    contents = {}
    for unwanted in (("b", "d"), ()):
        path = tmp_path / f"{len(unwanted)}.zip"
        with path.open("wb+") as file, Package(file) as archive:
            for name in "abcde":
                if unwanted or name not in "bd":
                    with archive.entry(name) as entry:
                        entry.write(name.encode() * 3_000_000)
            archive.remove(unwanted)
            archive.add("last", b"l")
        contents[unwanted] = path.read_bytes()
    assert contents["b", "d"] == contents[()]


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "a//b", "", "a\nb", "a\\b", "C:x", "a/."])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with (tmp_path / "a.zip").open("wb+") as file, Package(file) as archive, pytest.raises(ValueError, match="path"):
        archive.add(name, b"")


def test_a_name_is_taken_once(tmp_path):
    with (tmp_path / "a.zip").open("wb+") as file, Package(file) as archive:
        archive.add("a", b"")
        with pytest.raises(ValueError, match="already"):
            archive.add("a", b"")


@pytest.mark.parametrize("accession", ["GSE1234", "E-MTAB-3050", "SRR446027", "DANIO_RERIO"])
def test_accessions_are_names_of_files_as_they_are(accession):
    assert path_component(accession) == accession


@given(st.text(), st.text())
def test_any_text_becomes_a_name_of_its_own_that_leads_nowhere(one, other):
    name = path_component(one)
    assert name[0].isalnum()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert len(name) < 200
    assert one == other or name != path_component(other)


@pytest.mark.parametrize("name", ["../../etc/passwd", "=cmd|x!A1", "@SUM(1)", "-1+1", "a\nb", "a/b", "..", ".", ""])
def test_hostile_names_are_tamed(tmp_path, name):
    with (tmp_path / "a.zip").open("wb+") as file, Package(file) as archive:
        archive.add(f"{path_component(name)}/x", b"")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "out")
    (folder,) = (tmp_path / "out").iterdir()
    assert (folder / "x").exists()
