"""What is particular to a store in S3: links for downloads, unfinished uploads, refusals, credentials."""

from __future__ import annotations

import http.server
import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from refinebio_assets.domain.errors import InputError, NotFoundError, ObjectStoreError
from resources.object_store import ObjectStore, s3
from tests.object_stores import BUCKET


@contextmanager
def _service_that_refuses(status: int, code: str) -> Iterator[str]:
    body = f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()

    class Refusal(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_signed_link_downloads_under_the_name_asked_for(s3_store: ObjectStore) -> None:
    s3_store.put_bytes(b"matrix", "a/b.h5ad")
    link = s3_store.presigned_url("a/b.h5ad", seconds=60, filename='SRP1 "é"\r\nX: y.h5ad')
    assert link is not None
    answer = httpx.get(link)
    assert answer.content == b"matrix"
    assert (
        answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''SRP1%20%22%C3%A9%22%0D%0AX%3A%20y.h5ad"
    )
    assert "X" not in answer.headers
    assert "X-Amz-Expires=60" in link
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
def test_a_link_for_no_time_or_for_ever_is_refused(s3_store: ObjectStore, seconds: int) -> None:
    with pytest.raises(InputError, match="between 1 second and a week"):
        s3_store.presigned_url("a", seconds=seconds)


def test_two_prefixes_do_not_see_each_other(s3_address: str) -> None:
    left, right = (ObjectStore.from_url(f"s3://{BUCKET}/two/{side}/", endpoint_url=s3_address) for side in ("l", "r"))
    left.put_bytes(b"x", "a")
    assert left.uri("a") == f"s3://{BUCKET}/two/l/a"
    assert left.local_path("a") is None
    assert not right.exists("a")
    assert right.list_keys("") == []
    assert "two/l/a" in ObjectStore.from_url(f"s3://{BUCKET}", endpoint_url=s3_address).list_keys("two")


def test_the_endpoint_may_come_from_the_aws_environment(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_address)
    store = ObjectStore.from_url(f"s3://{BUCKET}/by-environment")
    store.put_bytes(b"x", "a")
    assert store == ObjectStore.from_url(f"s3://{BUCKET}/by-environment", endpoint_url=s3_address)
    with store.open_file("a") as file:
        assert file.read() == b"x"


def test_folder_markers_of_other_tools_are_no_keys(s3_address: str) -> None:
    boto3.client("s3", endpoint_url=s3_address).put_object(Bucket=BUCKET, Key="marked/folder/", Body=b"")
    assert ObjectStore.from_url(f"s3://{BUCKET}/marked", endpoint_url=s3_address).list_keys("") == []


def test_listing_goes_on_after_the_first_page(s3_address: str) -> None:
    for number in range(1005):  # a page has 1,000; into the service itself, which is faster than a request each
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(BUCKET, f"many/{number:04}", b"")
    keys = ObjectStore.from_url(f"s3://{BUCKET}/many", endpoint_url=s3_address).list_keys("")
    assert keys == [f"{number:04}" for number in range(1005)]


_UPLOAD_FOR_EVER = """
import sys
from pathlib import Path
from resources.object_store import ObjectStore
store = ObjectStore.from_url(sys.argv[1], endpoint_url=sys.argv[2])
print("ready", flush=True)
while True:
    for name in "ab":
        store.put_file(Path(sys.argv[3], name), "big")
"""


def test_an_uploader_killed_at_any_moment_leaves_a_whole_object(
    s3_store: ObjectStore, s3_address: str, tmp_path: Path
) -> None:
    contents = [letter.encode() * (40 << 20) for letter in "ab"]  # three parts
    for letter, content in zip("ab", contents, strict=True):
        (tmp_path / letter).write_bytes(content)
    s3_store.put_file(tmp_path / "a", "big")
    url = s3_store.uri("x").removesuffix("/x")
    moments = random.Random(20261122)
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", _UPLOAD_FOR_EVER, url, s3_address, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.2, 1.0))
        child.kill()
        child.communicate()
        assert s3_store.get_bytes("big") in contents
        assert s3_store.list_keys("") == ["big"]
    client = boto3.client("s3", endpoint_url=s3_address)
    unfinished = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    assert unfinished, "no kill met an upload: the test proves nothing"
    for upload in unfinished:
        client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])


def test_an_upload_that_breaks_off_is_never_visible(s3_store: ObjectStore, s3_address: str, tmp_path: Path) -> None:
    class BrokenDisk:
        left = 3

        def read(self, size: int = -1) -> bytes:
            if not self.left:
                raise OSError(5, "Input/output error")
            self.left -= 1
            return b"x" * size

    s3_store.put_bytes(b"old", "a")
    with pytest.raises(ObjectStoreError, match="could not store a"):
        s3_store._put(BrokenDisk(), "a")  # type: ignore[arg-type]  # a source that fails midway
    assert s3_store.get_bytes("a") == b"old"
    assert "Uploads" not in boto3.client("s3", endpoint_url=s3_address).list_multipart_uploads(Bucket=BUCKET)


def test_unfinished_uploads_are_swept_when_old_and_only_below_the_prefix(
    s3_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = boto3.client("s3", endpoint_url=s3_address)
    client.create_multipart_upload(Bucket=BUCKET, Key="mine/a")
    client.create_multipart_upload(Bucket=BUCKET, Key="theirs/a")
    store = ObjectStore.from_url(f"s3://{BUCKET}/mine", endpoint_url=s3_address)
    # The service dates uploads itself (moto: in 2010), so the clock of the sweeper is what can be moved.
    initiated = client.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["Initiated"]

    class Clock(datetime):
        hours = 23

        @classmethod
        def now(cls, tz: Any = UTC) -> Any:
            return (initiated + timedelta(hours=cls.hours)).astimezone(tz)

    monkeypatch.setattr(s3, "datetime", Clock)
    assert store.remove_leftovers() == 0
    Clock.hours = 25
    assert store.remove_leftovers() == 1
    assert [upload["Key"] for upload in client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]] == ["theirs/a"]
    client.abort_multipart_upload(
        Bucket=BUCKET, Key="theirs/a", UploadId=client.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["UploadId"]
    )


def test_a_bucket_that_is_not_there_is_named_with_its_remedy(s3_address: str) -> None:
    store = ObjectStore.from_url("s3://nobody-made-this", endpoint_url=s3_address)
    for use in (lambda: store.put_bytes(b"x", "a"), lambda: store.get_bytes("a"), lambda: store.list_keys("")):
        with pytest.raises(ObjectStoreError, match="Create the bucket") as failure:
            use()
        assert failure.value.__cause__ is not None
        assert not isinstance(failure.value, NotFoundError)


def test_refused_access_is_no_missing_object(s3_address: str) -> None:
    with _service_that_refuses(403, "AccessDenied") as address:
        store = ObjectStore.from_url("s3://bucket", endpoint_url=address)
        for use in (
            lambda: store.put_bytes(b"x", "a"),
            lambda: store.get_bytes("a"),
            lambda: store.exists("a"),
            lambda: store.list_keys(""),
            lambda: store.delete("a"),
            lambda: store.open_file("a"),
        ):
            with pytest.raises(ObjectStoreError):
                use()


def test_a_service_that_is_not_there_is_an_object_store_error(
    s3_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = ObjectStore.from_url("s3://bucket", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(ObjectStoreError, match="endpoint") as failure:
        store.fetch("a", tmp_path / "a")
    assert failure.value.retryable
    assert list(tmp_path.iterdir()) == []


def test_credentials_appear_nowhere(s3_store: ObjectStore, s3_address: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), _service_that_refuses(403, "SignatureDoesNotMatch") as address:
        s3_store.put_bytes(b"x", "a")
        with pytest.raises(ObjectStoreError) as failure:
            ObjectStore.from_url("s3://bucket", endpoint_url=address).put_bytes(b"x", "a")
    texts = [repr(s3_store), str(s3_store.__dict__), str(failure.value), repr(failure.value.to_dict()), caplog.text]
    assert not any("test-secret-key" in text for text in texts)
