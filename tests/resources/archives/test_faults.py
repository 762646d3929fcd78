"""The fault matrix: the real client against a local archive on a bad day."""

import gzip
import hashlib
from itertools import pairwise

import httpx
import pytest

from examples.local_archive import Fault, LocalArchive
from examples.synthetic import SyntheticStudy
from refinebio_assets.domain.errors import (
    AccessControlledError,
    ArchiveError,
    ArchiveNotFoundError,
    ChecksumMismatchError,
    MalformedPayloadError,
    TransientArchiveError,
)

CONTENT = gzip.compress(b"".join(b"@r%d\nACGT\n+\nIIII\n" % n for n in range(40_000)), compresslevel=1, mtime=0)
MD5 = hashlib.md5(CONTENT).hexdigest()
JSON_URL = "https://www.ebi.ac.uk/ena/portal/api/filereport?accession=SRP900001&result=read_run&format=json"


@pytest.fixture
def study(studies):
    study = SyntheticStudy("SRP900001")
    study.add_run("SRR900000001", fastq=[CONTENT])
    study.write(studies)
    return studies


@pytest.fixture
def url():
    return "ftp.sra.ebi.ac.uk/vol1/fastq/SRR900/001/SRR900000001/SRR900000001.fastq.gz"


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "reads" / "SRR900000001.fastq.gz"


def assert_right(downloaded, destination):
    assert destination.read_bytes() == CONTENT
    assert downloaded.path == destination
    assert (downloaded.size_bytes, downloaded.md5) == (len(CONTENT), MD5)
    assert downloaded.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert [path.name for path in destination.parent.iterdir()] == [destination.name]


def ranges(archive):
    return [request.range for request in archive.requests_for(r"fastq\.gz", method="GET")]


def test_a_healthy_archive_is_asked_once(study, url, destination, client_for, sleeps):
    seen = []
    with LocalArchive(study).serve() as archive:
        downloaded = client_for(archive).download(
            url, destination, size_bytes=len(CONTENT), md5=MD5, progress=lambda done, total: seen.append((done, total))
        )
        assert_right(downloaded, destination)
        assert ranges(archive) == [None]
    assert sleeps == []
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert all(earlier[0] < later[0] for earlier, later in pairwise(seen))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_status_is_tried_again(status, study, url, destination, client_for, sleeps):
    with LocalArchive(study, [Fault(match=".", kind="status", status=status, times=2)]).serve() as archive:
        assert_right(client_for(archive).download(url, destination, md5=MD5), destination)
    assert len(sleeps) == 2


def test_retry_after_is_honoured(study, client_for, sleeps):
    faults = [Fault(match="filereport", kind="status", status=429, retry_after=7, times=1)]
    with LocalArchive(study, faults).serve() as archive:
        assert len(client_for(archive).get_json(JSON_URL)) == 1
    assert sleeps == [7]


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_a_broken_connection_is_resumed_where_it_broke(kind, study, url, destination, client_for):
    with LocalArchive(study, [Fault(match="fastq.gz", kind=kind, times=2)]).serve() as archive:
        assert_right(client_for(archive).download(url, destination, size_bytes=len(CONTENT), md5=MD5), destination)
        first, second, third = archive.requests_for("fastq.gz")
    assert first.range is None
    assert second.range == f"bytes={len(CONTENT) // 2}-"
    assert second.if_range is not None
    assert int(third.range.removeprefix("bytes=").removesuffix("-")) > len(CONTENT) // 2
    assert sum(request.bytes_sent for request in (first, second, third)) == len(CONTENT)


def test_a_broken_connection_is_resumed_when_nothing_was_announced(study, url, destination, client_for):
    with LocalArchive(study, [Fault(match="fastq.gz", kind="truncate", times=1)]).serve() as archive:
        assert_right(client_for(archive).download(url, destination), destination)
        assert ranges(archive) == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_body_that_stalls_is_timed_out_and_resumed(study, url, destination, client_for):
    faults = [Fault(match="fastq.gz", kind="slow", seconds=30, times=1)]
    with LocalArchive(study, faults).serve() as archive:
        client = client_for(archive, timeout_seconds=0.3)
        assert_right(client.download(url, destination, md5=MD5), destination)
        assert f"bytes={len(CONTENT) // 2}-" in ranges(archive)


def test_a_file_that_changed_between_two_tries_is_fetched_afresh(studies, url, destination, client_for):
    study = SyntheticStudy("SRP900001")
    study.add_run("SRR900000001", fastq=[gzip.compress(b"old" * 90_000, compresslevel=0, mtime=0)])
    study.write(studies)
    with LocalArchive(studies, [Fault(match="fastq.gz", kind="truncate", times=1)]).serve() as archive:
        client = client_for(archive, attempts=1)
        with pytest.raises(TransientArchiveError):
            client.download(url, destination)
        study.runs[0].files["SRR900000001.fastq.gz"] = CONTENT
        study.write(studies)
        assert_right(client.download(url, destination), destination)


def test_an_archive_without_ranges_is_read_from_the_start(destination, scripted):
    asked = []

    def break_off():
        yield CONTENT[:1000]
        message = "reset"
        raise httpx.ReadError(message)

    def handler(request):
        asked.append(request.headers.get("range"))
        body = break_off() if len(asked) == 1 else iter([CONTENT])
        return httpx.Response(200, headers={"etag": '"1"'}, content=body)

    downloaded = scripted(handler).download("https://ftp.sra.ebi.ac.uk/x.fastq.gz", destination, md5=MD5)
    assert_right(downloaded, destination)
    assert asked == [None, "bytes=1000-"]


@pytest.mark.parametrize("accession_of", ["json", "file"])
def test_a_web_page_with_status_200_is_no_data(accession_of, study, url, destination, client_for, sleeps):
    with LocalArchive(study, [Fault(match=".", kind="html", times=1)]).serve() as archive:
        client = client_for(archive)
        if accession_of == "json":
            assert len(client.get_json(JSON_URL)) == 1
        else:
            assert_right(client.download(url, destination), destination)
    assert len(sleeps) == 1


def test_a_web_page_instead_of_the_rest_leaves_the_received_bytes(study, url, destination, client_for):
    faults = [Fault(match="fastq.gz", kind="truncate", times=1), Fault(match="fastq.gz", kind="html", times=1)]
    with LocalArchive(study, faults).serve() as archive:
        assert_right(client_for(archive).download(url, destination, md5=MD5), destination)
        half = f"bytes={len(CONTENT) // 2}-"
        assert ranges(archive) == [None, half, half]


def test_a_wrong_md5_once_is_mended_by_fetching_afresh(study, url, destination, client_for):
    with LocalArchive(study, [Fault(match="fastq.gz", kind="corrupt", times=1)]).serve() as archive:
        assert_right(client_for(archive).download(url, destination, md5=MD5), destination)
        assert ranges(archive) == [None, None]


def test_a_wrong_md5_twice_is_a_checksum_mismatch_and_leaves_nothing(study, url, destination, client_for):
    with LocalArchive(study, [Fault(match="fastq.gz", kind="corrupt")]).serve() as archive:
        with pytest.raises(ChecksumMismatchError, match=MD5):
            client_for(archive).download(url, destination, md5=MD5)
        assert len(archive.requests) == 2
    assert list(destination.parent.iterdir()) == []


def test_a_corrupt_gzip_without_md5_is_malformed(study, url, destination, client_for):
    with (
        LocalArchive(study, [Fault(match="fastq.gz", kind="corrupt")]).serve() as archive,
        pytest.raises(MalformedPayloadError, match="gzip"),
    ):
        client_for(archive).download(url, destination)
    assert list(destination.parent.iterdir()) == []


def test_a_truncated_gzip_without_md5_is_malformed(study, url, destination, client_for):
    with (
        LocalArchive(study, [Fault(match="fastq.gz", kind="truncated_gzip")]).serve() as archive,
        pytest.raises(MalformedPayloadError, match="truncated"),
    ):
        client_for(archive).download(url, destination)
    assert list(destination.parent.iterdir()) == []


def test_a_size_other_than_announced_is_a_mismatch_before_the_bytes_are_fetched(study, url, destination, client_for):
    with LocalArchive(study).serve() as archive, pytest.raises(ChecksumMismatchError, match="bytes"):
        client_for(archive).download(url, destination, size_bytes=len(CONTENT) + 1, md5=MD5)
    assert list(destination.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AccessControlledError),
        (403, AccessControlledError),
        (404, ArchiveNotFoundError),
        (410, ArchiveNotFoundError),
        (400, ArchiveError),
    ],
)
def test_a_lasting_status_is_not_tried_again(status, error, study, url, destination, client_for, sleeps):
    with LocalArchive(study, [Fault(match=".", kind="status", status=status)]).serve() as archive:
        client = client_for(archive)
        with pytest.raises(error) as raised:
            client.download(url, destination)
        assert type(raised.value) is error
        with pytest.raises(error):
            client.get_json(JSON_URL)
        assert len(archive.requests) == 2
    assert sleeps == []
    assert raised.value.url.startswith("https://ftp.sra.ebi.ac.uk/")


def test_no_content_is_an_empty_answer(study, archives_for):
    with LocalArchive(study, [Fault(match="filereport", kind="status", status=204)]).serve() as archive:
        archives = archives_for(archive)
        assert archives.client.get_json(JSON_URL) is None
        assert archives.ena.runs("SRP900001") == []


@pytest.mark.parametrize("kind", ["reset", "truncate", "html", "status", "slow"])
def test_an_archive_that_stays_unwell_is_a_transient_error(kind, study, url, destination, client_for, sleeps):
    with LocalArchive(study, [Fault(match=".", kind=kind, seconds=30)]).serve() as archive:
        client = client_for(archive, timeout_seconds=0.2, attempts=2)
        with pytest.raises(TransientArchiveError):
            client.get_json(JSON_URL)
        with pytest.raises(TransientArchiveError):
            client.download(url, destination, size_bytes=len(CONTENT), md5=MD5)
    assert not destination.exists()
    assert len(sleeps) == 2


def test_an_archive_that_is_down_is_a_transient_error(study, client_for):
    with LocalArchive(study).serve() as archive:
        client = client_for(archive, attempts=2)
    with pytest.raises(TransientArchiveError, match="connection"):
        client.get_json(JSON_URL)


def test_json_that_is_cut_is_malformed(client_for, study):
    with (
        LocalArchive(study, [Fault(match="filereport", kind="truncated_gzip")]).serve() as archive,
        pytest.raises(MalformedPayloadError, match="JSON"),
    ):
        client_for(archive).get_json(JSON_URL)


def test_head_tells_size_absence_and_illness_apart(study, url, client_for):
    with LocalArchive(study).serve() as archive:
        client = client_for(archive)
        assert client.head_size(url) == len(CONTENT)
        assert client.exists(url)
        assert client.head_size(url + ".missing") is None
        assert not client.exists(url + ".missing")
        archive.faults.add(Fault(match="fastq", kind="status", status=503))
        with pytest.raises(TransientArchiveError):
            client.exists(url)
        archive.faults.clear()
        archive.faults.add(Fault(match="fastq", kind="html"))
        with pytest.raises(TransientArchiveError):
            client.exists(url)


def test_a_destination_that_is_complete_is_not_fetched_again(study, url, destination, client_for):
    with LocalArchive(study).serve() as archive:
        client = client_for(archive)
        first = client.download(url, destination, md5=MD5)
        archive.forget_requests()
        assert client.download(url, destination, md5=MD5) == first
        assert archive.requests == []
        destination.write_bytes(b"something else")
        assert_right(client.download(url, destination, md5=MD5), destination)


def test_text_is_utf8_and_never_a_web_page(studies, client_for):
    SyntheticStudy("SRP900001").write(studies)
    folder = studies / "SRP900001" / "files" / "ftp.ensembl.org" / "pub"
    folder.mkdir(parents=True)
    (folder / "table.txt").write_text("#name\tspecies\nÄ\tb\n", encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"\xff\xfe\xfa")
    with LocalArchive(studies, [Fault(match="table", kind="html", times=1)]).serve() as archive:
        client = client_for(archive)
        assert client.get_text("https://ftp.ensembl.org/pub/table.txt") == "#name\tspecies\nÄ\tb\n"
        with pytest.raises(MalformedPayloadError):
            client.get_text("https://ftp.ensembl.org/pub/latin.txt")
