"""The object store in S3 or a compatible service.

Objects are written with boto3 and not with pyarrow.fs: leaving the ``with`` block of a pyarrow S3 stream by an
exception completes the upload, which would make a partial object visible, and deleting with it leaves folder markers.
pyarrow opens objects for random access.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import quote, urlsplit

from refinebio_assets.domain.errors import ConfigurationError, InputError, NotFoundError, ObjectStoreError
from resources.object_store.keys import check_key, check_prefix
from resources.object_store.store import HashingReader, ObjectStore, StoredObject
from resources.object_store.temporary import LEFTOVER_SECONDS, atomic_file

if TYPE_CHECKING:
    from boto3.s3.transfer import TransferConfig
    from mypy_boto3_s3 import S3Client
    from pyarrow import NativeFile
    from pyarrow.fs import S3FileSystem

MAX_PRESIGNED_SECONDS = 7 * 24 * 3600
"""Longest life of a signed link (AWS Signature Version 4)."""

_PART_BYTES = 16 << 20
"""Size of an upload's parts; S3 allows 10,000 of them, so objects may have 160 GiB."""

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_REFUSED = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"})


@dataclass(frozen=True)
class S3Store(ObjectStore):
    """Objects below ``prefix`` (empty, or ending with a slash) in a bucket.

    Connections are shared per process and endpoint.
    """

    bucket: str
    prefix: str = ""
    endpoint_url: str | None = None

    @classmethod
    def from_s3_url(cls, url: str, *, endpoint_url: str | None) -> S3Store:
        """The store at ``s3://bucket/prefix``.

        Raises:
            ConfigurationError: There is no bucket in it, or more than bucket and prefix. The message does not repeat
                the URL, which may hold a password.
        """
        parts = urlsplit(url)
        if not parts.netloc or set(parts.netloc) & set("@:") or parts.query or parts.fragment:
            message = "The S3 address of the object store must be s3://bucket or s3://bucket/prefix."
            raise ConfigurationError(
                message,
                remedy="Give credentials as AWS_* variables or profile, the endpoint as REFINEBIO_S3_ENDPOINT_URL.",
            )
        prefix = check_prefix(parts.path.strip("/"))
        return cls(parts.netloc, f"{prefix}/" if prefix else "", endpoint_url)

    @property
    def _client(self) -> S3Client:
        # A forked worker must not share its parent's sockets, hence the process id.
        return _connect(self.endpoint_url, os.getpid())

    def _put(self, source: HashingReader, key: str) -> StoredObject:
        with _trouble("store", key):
            self._client.upload_fileobj(cast("IO[bytes]", source), self.bucket, self.prefix + key, Config=_transfer())
        return source.stored_as(key)

    def get_bytes(self, key: str) -> bytes:
        """See :meth:`ObjectStore.get_bytes`."""
        with _trouble("read", check_key(key)):
            return self._client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()

    def fetch(self, key: str, path: Path) -> Path:
        """See :meth:`ObjectStore.fetch`."""
        with _trouble("fetch", check_key(key)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path, durable=False) as file:
                self._client.download_fileobj(self.bucket, self.prefix + key, file, Config=_transfer())
        return path

    def open_file(self, key: str) -> NativeFile:
        """See :meth:`ObjectStore.open_file`."""
        with _trouble("open", check_key(key)):
            filesystem = _arrow_filesystem(self.endpoint_url, self._client.meta.region_name, os.getpid())
            return filesystem.open_input_file(f"{self.bucket}/{self.prefix}{key}")

    def local_path(self, key: str) -> None:
        """None: nothing of S3 is on this machine."""
        check_key(key)

    def uri(self, key: str) -> str:
        """See :meth:`ObjectStore.uri`."""
        return f"s3://{self.bucket}/{self.prefix}{check_key(key)}"

    def exists(self, key: str) -> bool:
        """See :meth:`ObjectStore.exists`."""
        try:
            self.size(key)
        except NotFoundError:
            return False
        return True

    def size(self, key: str) -> int:
        """See :meth:`ObjectStore.size`."""
        with _trouble("read", check_key(key)):
            return self._client.head_object(Bucket=self.bucket, Key=self.prefix + key)["ContentLength"]

    def list_keys(self, prefix: str) -> list[str]:
        """See :meth:`ObjectStore.list_keys`. Folder markers that other tools leave are not keys."""
        below = check_prefix(prefix)
        start = f"{self.prefix}{below}/" if below else self.prefix
        with _trouble("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
            found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return sorted(key.removeprefix(self.prefix) for key in found if not key.endswith("/"))

    def delete(self, key: str) -> None:
        """See :meth:`ObjectStore.delete`."""
        with _trouble("delete", check_key(key)):
            self._client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    def presigned_url(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        """See :meth:`ObjectStore.presigned_url`."""
        if not 1 <= seconds <= MAX_PRESIGNED_SECONDS:
            message = f"A download link lives between 1 second and a week, not {seconds} seconds."
            raise InputError(message)
        request = {"Bucket": self.bucket, "Key": self.prefix + check_key(key)}
        if filename is not None:
            request["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
        with _trouble("sign a link to", key):
            return self._client.generate_presigned_url("get_object", Params=request, ExpiresIn=seconds)

    def remove_leftovers(self) -> int:
        """See :meth:`ObjectStore.remove_leftovers`."""
        oldest = datetime.now(UTC) - timedelta(seconds=LEFTOVER_SECONDS)
        with _trouble("sweep", "its unfinished uploads"):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=self.prefix
            )
            uploads = [upload for page in pages for upload in page.get("Uploads", []) if upload["Initiated"] < oldest]
            for upload in uploads:
                self._client.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        return len(uploads)


@lru_cache(maxsize=8)
def _connect(endpoint_url: str | None, _process: int) -> S3Client:
    from boto3.session import Session
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 5},
        # Compatible services rarely have a DNS name per bucket.
        s3={"addressing_style": "path" if endpoint_url else "auto"},
    )
    # An own session: boto3's default session is not safe to create clients from in several threads.
    return Session().client("s3", endpoint_url=endpoint_url, config=config)


@lru_cache(maxsize=8)
def _arrow_filesystem(endpoint_url: str | None, region: str, _process: int) -> S3FileSystem:
    from pyarrow.fs import S3FileSystem

    return S3FileSystem(endpoint_override=endpoint_url, region=region, connect_timeout=10, request_timeout=60)


@lru_cache(maxsize=1)
def _transfer() -> TransferConfig:
    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=4)
    config.max_in_memory_upload_chunks = 4  # parts read ahead: bounds the memory of an upload, as no argument does
    return config


@contextmanager
def _trouble(action: str, key: str) -> Iterator[None]:
    """Speak of the service's failures in the store's words; botocore's own messages hold no credentials."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except FileNotFoundError as error:
        message = f"The object store holds no {key}."
        raise NotFoundError(message) from error
    except ClientError as error:
        raise _from_answer(error, str(error.response.get("Error", {}).get("Code", "")), action, key) from error
    except (Boto3Error, BotoCoreError, OSError) as error:
        message = f"The object store could not {action} {key}: {error}."
        raise ObjectStoreError(message, remedy="Check the endpoint, the region and the credentials.") from error


def _from_answer(error: Exception, code: str, action: str, key: str) -> NotFoundError | ObjectStoreError:
    if code in _ABSENT:
        return NotFoundError(f"The object store holds no {key}.")
    if code in _REFUSED:
        remedy = "Check the AWS_* variables, profile or role; they must allow read, write, list and delete."
    elif code == "NoSuchBucket":
        remedy = "Create the bucket, or correct REFINEBIO_OBJECT_STORE_URL."
    else:
        remedy = "Try again later; the service's own words are above."
    return ObjectStoreError(f"The object store could not {action} {key}: {error}.", remedy=remedy)
