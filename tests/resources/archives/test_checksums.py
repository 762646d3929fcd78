"""Ensembl's CHECKSUMS, folder listings and what is done with them."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import ChecksumMismatchError, TransientArchiveError
from resources.archives import Archives
from resources.archives.bsd_sum import BsdSum, bsd_sum, parse_checksums

FOLDER = "https://ftp.ensembl.org/pub/release-110/gtf/danio_rerio"
NAME = "Danio_rerio.GRCz11.110.gtf.gz"
CONTENT = gzip.compress(b"1\tensembl\tgene\n" * 500, mtime=0)


def textbook_sum(data: bytes) -> BsdSum:
    """The algorithm as the manual of ``sum`` describes it: rotate right by one bit, add the byte, keep 16 bits."""
    checksum = 0
    for byte in data:
        checksum = ((checksum >> 1) + ((checksum & 1) << 15) + byte) & 0xFFFF
    return BsdSum(checksum, -(-len(data) // 1024))


@given(st.binary(max_size=3000))
@settings(max_examples=25)
def test_the_program_computes_the_textbook_sum(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "-r file")
        path.write_bytes(data)
        assert bsd_sum(path) == textbook_sum(data)


def test_lines_of_checksums_are_read_with_and_without_a_folder_and_others_passed_over():
    text = "56268 102400 Danio_rerio.GRCz11.110.gtf.gz\n  012     1 ./README\n\n<html>\n"
    text += "d41d8cd98f00b204e9800998ecf8427e  x\n"
    assert parse_checksums(text) == {NAME: BsdSum(56268, 102400), "README": BsdSum(12, 1)}


def archives(scripted, answers: dict[str, list[bytes | int]], asked: list[str]) -> Archives:
    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        asked.append(name)
        given = answers.get(name, [404])
        content = given.pop(0) if len(given) > 1 else given[0]
        return (
            httpx.Response(content)
            if isinstance(content, int)
            else httpx.Response(200, stream=httpx.ByteStream(content))
        )

    return Archives(scripted(answer))


def announced(data: bytes) -> bytes:
    found = textbook_sum(data)
    return f"{found.checksum:05d} {found.kilobytes:5d} {NAME}\n".encode()


def test_a_file_with_the_announced_checksum_is_taken(scripted, tmp_path):
    asked: list[str] = []
    ensembl = archives(scripted, {"CHECKSUMS": [announced(CONTENT)], NAME: [CONTENT]}, asked).ensembl
    done = ensembl.download(f"{FOLDER}/{NAME}", tmp_path / NAME)
    assert done.path.read_bytes() == CONTENT
    assert asked == ["CHECKSUMS", NAME]


def test_a_file_with_another_checksum_is_fetched_again_and_then_refused(scripted, tmp_path):
    other = gzip.compress(b"another release", mtime=0)
    asked: list[str] = []
    ensembl = archives(scripted, {"CHECKSUMS": [announced(CONTENT)], NAME: [other, CONTENT]}, asked).ensembl
    assert ensembl.download(f"{FOLDER}/{NAME}", tmp_path / NAME).size_bytes == len(CONTENT)

    ensembl = archives(scripted, {"CHECKSUMS": [announced(CONTENT)], NAME: [other]}, asked).ensembl
    (tmp_path / NAME).unlink()
    with pytest.raises(ChecksumMismatchError, match="CHECKSUMS"):
        ensembl.download(f"{FOLDER}/{NAME}", tmp_path / NAME)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("checksums", [404, b"1 1 another.gz\n"])
def test_a_file_that_no_checksum_is_told_of_is_taken_and_that_is_logged(scripted, tmp_path, caplog, checksums):
    ensembl = archives(scripted, {"CHECKSUMS": [checksums], NAME: [CONTENT]}, []).ensembl
    ensembl.download(f"{FOLDER}/{NAME}", tmp_path / NAME)
    assert "tells no checksum" in caplog.text


def test_a_web_page_is_not_taken_for_checksums(scripted, tmp_path):
    ensembl = archives(scripted, {"CHECKSUMS": [b"<html>busy</html>"], NAME: [CONTENT]}, []).ensembl
    with pytest.raises(TransientArchiveError):
        ensembl.download(f"{FOLDER}/{NAME}", tmp_path / NAME)


def test_folders_are_read_from_the_page_that_lists_them(scripted):
    page = b"""<html><a href="../">Parent</a> <a href="?C=N;O=D">Name</a> <a href="/pub/">x</a>
    <a href="danio_rerio/">danio_rerio/</a> <a href='./mus_musculus/'>mus</a> <a href="README">README</a></html>"""
    ensembl = archives(scripted, {"": [page]}, []).ensembl
    assert ensembl.folders("https://ftp.ensembl.org/pub/release-75/gtf/") == ["danio_rerio", "mus_musculus"]


def test_sum_is_there_and_counts_in_kilobytes(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"a" * 1025)
    printed = subprocess.run([shutil.which("sum"), path], capture_output=True, text=True, check=True).stdout.split()
    assert (int(printed[0]), int(printed[1])) == (textbook_sum(b"a" * 1025).checksum, 2)
