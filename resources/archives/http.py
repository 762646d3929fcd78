"""The HTTP client for public archives: allow-listed hosts, bounded tries, rate limits, verified downloads, mirrors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from refinebio_assets.domain.errors import (
    ArchiveNotFoundError,
    MalformedPayloadError,
    TransientArchiveError,
)
from resources.archives.addresses import Mirror, official_url, shown_url
from resources.archives.download import Announced, Download, Downloaded, Progress
from resources.archives.rate_limit import (
    EUTILS_HOST,
    NCBI_REQUESTS_PER_SECOND,
    NCBI_REQUESTS_PER_SECOND_WITH_KEY,
    HostRateLimits,
)
from resources.archives.responses import network_errors, parse_json, raise_for_status, refuse_web_page
from resources.archives.retry import RetryPolicy
from resources.settings import Settings

_log = logging.getLogger(__name__)

_MAX_REDIRECTS = 5
_MAX_CONNECTIONS = 32
_LONGEST_CONNECT_SECONDS = 30.0

Params = Mapping[str, str | int]


class ArchiveClient:
    """Asks public archives over HTTPS. Threads may share one client.

    Args:
        timeout_seconds: Longest wait for the next bytes of an answer.
        retry: How often to try, and how to wait.
        rate_limits: How often each host may be asked; no limits if None.
        mirror: Where to send all requests instead.
        transport: Carries the requests instead of the network (for tests).
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = 60.0,
        retry: RetryPolicy | None = None,
        rate_limits: HostRateLimits | None = None,
        mirror: Mirror | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retry = retry or RetryPolicy()
        self._rate_limits = rate_limits or HostRateLimits(None)
        self._mirror = mirror
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, _LONGEST_CONNECT_SECONDS)),
            limits=httpx.Limits(max_connections=_MAX_CONNECTIONS),
            headers={"User-Agent": "refinebio"},
            # A proxy that the environment names cannot reach a mirror on this machine.
            trust_env=not (mirror and mirror.is_loopback),
            transport=transport,
        )

    @classmethod
    def from_settings(cls, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> Self:
        """The client that the settings describe.

        Args:
            settings: ``archive_*`` and ``ncbi_api_key``.
            sleep: Waits between tries and for rate limits.

        Raises:
            ConfigurationError: ``archive_mirror_url`` is not an address.
        """
        mirror = Mirror.from_setting(settings.archive_mirror_url)
        ncbi = NCBI_REQUESTS_PER_SECOND if settings.ncbi_api_key is None else NCBI_REQUESTS_PER_SECOND_WITH_KEY
        unlimited = mirror is not None and mirror.is_loopback
        return cls(
            timeout_seconds=settings.archive_timeout_seconds,
            retry=RetryPolicy(
                attempts=settings.archive_attempts, first_wait_seconds=settings.archive_backoff_seconds, sleep=sleep
            ),
            rate_limits=HostRateLimits(
                None if unlimited else settings.archive_requests_per_second, of_host={EUTILS_HOST: ncbi}, sleep=sleep
            ),
            mirror=mirror,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def get_json(self, url: str, params: Params | None = None) -> Any:
        """The JSON value at an address; None if the answer is empty.

        Raises:
            TransientArchiveError: Also the last try failed for a passing reason.
            ArchiveNotFoundError: 404 or 410.
            AccessControlledError: 401 or 403.
            MalformedPayloadError: The answer is not JSON.
        """
        address = self._address(url, params)
        return self._retry.run(lambda: parse_json(self._read("GET", address), shown_url(address)))

    def post_json(self, url: str, form: Params) -> Any:
        """The JSON answer to a form: for queries too long for an address. Raises as :meth:`get_json`."""
        address = self._address(url, None)
        return self._retry.run(lambda: parse_json(self._read("POST", address, form), shown_url(address)))

    def get_text(self, url: str, params: Params | None = None) -> str:
        """The UTF-8 text at an address; a web page counts as a passing error. Raises as :meth:`get_json`."""
        body = self.get_bytes(url, params)
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError as error:
            shown = shown_url(self._address(url, params))
            message = f"Not UTF-8 text: {shown}"
            raise MalformedPayloadError(message, url=shown) from error

    def get_bytes(self, url: str, params: Params | None = None) -> bytes:
        """The content at an address; a web page counts as a passing error. Raises as :meth:`get_json`."""
        address = self._address(url, params)
        return self._retry.run(lambda: self._read_data(address))

    def get_page(self, url: str, params: Params | None = None) -> str:
        """The text of a web page, where a page is what is asked for: a file server's list of a folder.

        Raises as :meth:`get_json`.
        """
        address = self._address(url, params)
        return self._retry.run(lambda: self._read("GET", address)).decode("utf-8", errors="replace")

    def exists(self, url: str) -> bool:
        """Whether an archive has a file at an address (``HEAD``)."""
        return self._head(url) is not None

    def head_size(self, url: str) -> int | None:
        """Size in bytes of the file at an address, None if there is none.

        Raises:
            MalformedPayloadError: The file is there, but the archive does not tell its size.
            TransientArchiveError, AccessControlledError: As :meth:`get_json`.
        """
        headers = self._head(url)
        if headers is None:
            return None
        size = headers.get("content-length", "")
        if not size.isdigit():
            message = f"The archive does not tell the size of {url}"
            raise MalformedPayloadError(message, url=url)
        return int(size)

    def download(
        self,
        url: str,
        destination: Path,
        *,
        size_bytes: int | None = None,
        md5: str | None = None,
        progress: Progress | None = None,
    ) -> Downloaded:
        """Fetch a file, going on where an earlier attempt (also of a killed process) stopped.

        A destination that is there with the announced md5 is not fetched again. All bytes are on disk, verified,
        before the file appears under its name.

        Args:
            url: Address; ENA's scheme-less form is fine.
            destination: File to write; must be complete gzip if its name ends in ``.gz``.
            size_bytes: Size the archive announced.
            md5: Checksum the archive announced, hexadecimal.
            progress: Called with bytes done and bytes in total.

        Raises:
            TransientArchiveError: Also the last try failed for a passing reason; the part file stays.
            ArchiveNotFoundError, AccessControlledError: As :meth:`get_json`.
            ChecksumMismatchError: Size or md5 is wrong, also after downloading afresh.
            MalformedPayloadError: Not complete gzip, also after downloading afresh.
        """
        address = self._address(url, None)
        announced = Announced(url=shown_url(address), size_bytes=size_bytes, md5=md5)
        download = Download(partial(self._open_file, address), announced, destination, progress)
        if (complete := download.already_there()) is not None:
            return complete
        try:
            return self._retry.run(download.attempt)
        except MalformedPayloadError as error:
            _log.warning("%s Downloading it afresh.", error)
            return self._retry.run(download.attempt)

    def _address(self, url: str, params: Params | None) -> httpx.URL:
        address = official_url(url)
        return address.copy_merge_params(dict(params)) if params else address

    def _read(self, method: str, address: httpx.URL, form: Params | None = None) -> bytes:
        with self._open(method, address, form=form) as response:
            raise_for_status(response, shown_url(address))
            return response.read()

    def _read_data(self, address: httpx.URL) -> bytes:
        body = self._read("GET", address)
        refuse_web_page(body, shown_url(address))
        return body

    def _head(self, url: str) -> httpx.Headers | None:
        """Headers of a file, None if the archive does not have it."""
        address = self._address(url, None)
        try:
            return self._retry.run(lambda: self._head_once(address))
        except ArchiveNotFoundError:
            return None

    def _head_once(self, address: httpx.URL) -> httpx.Headers:
        shown = shown_url(address)
        with self._open("HEAD", address, headers={"Accept-Encoding": "identity"}) as response:
            raise_for_status(response, shown)
            if response.headers.get("content-type", "").startswith("text/html") and not address.path.endswith(
                (".html", "/")
            ):
                message = f"The archive answers with a web page instead of data: {shown}"
                raise TransientArchiveError(message, url=shown)
            return response.headers

    @contextmanager
    def _open_file(self, address: httpx.URL, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        # Without "identity", a server may compress on the fly: then sizes and ranges are not those of the file.
        with self._open("GET", address, headers={"Accept-Encoding": "identity", **headers}) as response:
            if response.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise_for_status(response, shown_url(address))
            yield response

    @contextmanager
    def _open(
        self, method: str, address: httpx.URL, *, headers: Mapping[str, str] | None = None, form: Params | None = None
    ) -> Iterator[httpx.Response]:
        """One request, following redirects between archive hosts only; the body is still to be read."""
        shown = shown_url(address)
        with network_errors(shown):
            for _ in range(_MAX_REDIRECTS + 1):
                self._rate_limits.wait(address.host)
                target = self._mirror.rewrite(address) if self._mirror else address
                request = self._http.build_request(method, target, headers=headers, data=form)
                response = self._http.send(request, stream=True)
                try:
                    if not response.has_redirect_location:
                        yield response
                        return
                    address = self._redirected(target, response.headers["location"])
                finally:
                    response.close()
        message = f"The archive redirects without end: {shown}"
        raise TransientArchiveError(message, url=shown)

    def _redirected(self, asked: httpx.URL, location: str) -> httpx.URL:
        """Official address of a redirect's target; a mirror may redirect within itself."""
        target = asked.join(location)
        if self._mirror and self._mirror.holds(target):
            below = target.raw_path.decode("ascii")[len(self._mirror.url.path.rstrip("/")) :]
            return official_url("https:/" + below)
        return official_url(str(target))
