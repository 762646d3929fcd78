"""Download links of computed files: signed and expiring, from a folder store by this API, from S3 by S3 itself.

A link of ours carries the object's key and its expiry, signed with HMAC-SHA256. The key is looked up in the catalog
before a file is opened, and the object store refuses paths outside its root: a link reaches catalogued files only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from refinebio_assets.domain.errors import ConfigurationError, NotFoundError, RefinebioError
from resources.object_store import ObjectStore
from resources.settings import Settings

SECRET_BYTES = 32
SECRET_FILE = "download_secret"  # noqa: S105  a file's name
_PURPOSE = b"refinebio download link 1"


class InvalidLinkError(RefinebioError):
    """A download link that we did not sign."""

    code = "invalid_link"


class ExpiredLinkError(RefinebioError):
    """A download link whose time has passed."""

    code = "expired_link"


class DownloadLinks:
    """Makes and reads download links.

    Args:
        store: Where the files lie.
        secret: Key of the signatures.
        seconds: How long a link is valid.
        clock: Seconds since 1970.
    """

    def __init__(
        self, store: ObjectStore, secret: bytes, *, seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        self.store = store
        self.seconds = seconds
        self._key = hmac.digest(secret, _PURPOSE, "sha256")
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Settings) -> DownloadLinks:
        """Links for the store of ``settings``."""
        store = ObjectStore.from_url(settings.store_url, endpoint_url=settings.s3_endpoint_url)
        return cls(store, download_secret(settings), seconds=settings.download_url_seconds)

    def url(self, key: str, filename: str, *, base_url: str) -> str:
        """A link to an object.

        Args:
            key: Its key in the store.
            filename: The name it is saved under.
            base_url: Address of this API, without a slash at the end.
        """
        presigned = self.store.presigned_url(key, seconds=self.seconds, filename=filename)
        return presigned if presigned is not None else f"{base_url}/files/{self.token(key)}"

    def token(self, key: str) -> str:
        """A signed token for an object: expiry and key, and the signature over both."""
        payload = f"{int(self._clock()) + self.seconds}:{key}".encode()
        return f"{_encode(payload)}.{_encode(self._sign(payload))}"

    def read(self, token: str) -> str:
        """The key in a token.

        Raises:
            InvalidLinkError: We did not sign it.
            ExpiredLinkError: Its time has passed.
        """
        try:
            payload_text, _, signature_text = token.partition(".")
            payload, signature = _decode(payload_text), _decode(signature_text)
        except (binascii.Error, ValueError) as error:
            raise _invalid() from error
        if not hmac.compare_digest(signature, self._sign(payload)):
            raise _invalid()
        expiry, _, key = payload.decode().partition(":")
        if int(expiry) < self._clock():
            message = "The download link has expired."
            raise ExpiredLinkError(message, remedy="Ask for a new `downloadUrl`.")
        return key

    def local_path(self, key: str) -> Path:
        """The file of an object in a folder store.

        Raises:
            NotFoundError: The store has no such file, or is not a folder.
        """
        path = self.store.local_path(key)
        if path is None:
            message = "The file is not kept on this server."
            raise NotFoundError(message, remedy="Ask for a new `downloadUrl`.")
        return path

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, hashlib.sha256)


def _invalid() -> InvalidLinkError:
    return InvalidLinkError("This is not a download link of ours.", remedy="Take the whole `downloadUrl` of an answer.")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if _encode(data) != text:  # b64decode ignores foreign characters; one link has one spelling
        raise ValueError(text)
    return data


def download_secret(settings: Settings) -> bytes:
    """The key that signs links: from the settings, or made once and kept in home, readable by its owner only.

    Raises:
        ConfigurationError: The kept key cannot be read or written.
    """
    if settings.download_secret is not None:
        return settings.download_secret.get_secret_value().encode()
    path = settings.home / SECRET_FILE
    try:
        if not path.exists():
            _make_secret(path)
        secret = path.read_bytes()
    except OSError as error:
        message = f"The key of download links in {path} cannot be used: {error.strerror}."
        raise ConfigurationError(
            message, remedy="Make the folder writable, or set REFINEBIO_DOWNLOAD_SECRET."
        ) from error
    if len(secret) < SECRET_BYTES:
        message = f"The key of download links in {path} is damaged."
        raise ConfigurationError(message, remedy="Remove the file; links made before become invalid.")
    return secret


def _make_secret(path: Path) -> None:
    """Write a new key under a temporary name and link it into place, so that of two processes the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()
