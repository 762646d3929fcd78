"""From an archive's answer to a value or to a typed error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx
import orjson

from refinebio_assets.domain.errors import (
    AccessControlledError,
    ArchiveError,
    ArchiveNotFoundError,
    MalformedPayloadError,
    TransientArchiveError,
)
from resources.archives.retry import PauseRequestedError, retry_after_seconds

_TRY_AGAIN_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_NOT_THERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_NOT_ALLOWED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_EXCERPT_BYTES = 2_000
_EXCERPT_CHARACTERS = 200


@contextmanager
def network_errors(url: str) -> Iterator[None]:
    """Turn the HTTP library's errors (time-outs, resets, broken protocol) into :class:`TransientArchiveError`."""
    try:
        yield
    except httpx.TimeoutException as error:
        message = f"The archive did not answer in time ({type(error).__name__}): {url}"
        raise TransientArchiveError(message, url=url) from error
    except httpx.RequestError as error:
        message = f"The connection to the archive failed ({error}): {url}"
        raise TransientArchiveError(message, url=url) from error


def raise_for_status(response: httpx.Response, url: str) -> None:
    """Raise the typed error of an answer that is not a success.

    Raises:
        TransientArchiveError: 408, 425, 429 or 5xx.
        ArchiveNotFoundError: 404 or 410.
        AccessControlledError: 401 or 403.
        ArchiveError: Any other status that is no success.
    """
    status = response.status_code
    if response.is_success:
        return
    said = _excerpt(response)
    if status in _TRY_AGAIN_LATER or response.is_server_error:
        message = f"The archive answered {status}{said}: {url}"
        pause = retry_after_seconds(response.headers.get("retry-after"))
        if pause is not None:
            raise PauseRequestedError(message, seconds=pause, url=url)
        raise TransientArchiveError(message, url=url)
    if status in _NOT_THERE:
        message = f"The archive does not have {url}"
        raise ArchiveNotFoundError(message, url=url)
    if status in _NOT_ALLOWED:
        message = f"The archive keeps {url} under controlled access (it answered {status})."
        raise AccessControlledError(
            message,
            url=url,
            remedy="Such data need an approved application (dbGaP, EGA) and are not fetched.",
        )
    message = f"The archive refused the request with status {status}{said}: {url}"
    raise ArchiveError(message, url=url)


def _excerpt(response: httpx.Response) -> str:
    """The start of an error's text, for the message; nothing for an HTML page."""
    start = b""
    for chunk in response.iter_bytes():
        start += chunk
        if len(start) >= _EXCERPT_BYTES:
            break
    if not start.strip() or looks_like_html(start):
        return ""
    text = " ".join(start.decode("utf-8", errors="replace").split())
    return f" ({text[:_EXCERPT_CHARACTERS]})"


def looks_like_html(start: bytes) -> bool:
    """Whether the first bytes of a body are those of a web page."""
    head = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:100].lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<!-- html"))


def refuse_web_page(start: bytes, url: str) -> None:
    """Raise if a body that should be data is a web page: proxies and overloaded archives send one with status 200.

    Raises:
        TransientArchiveError: It is a web page.
    """
    if looks_like_html(start):
        message = f"The archive sent a web page instead of data: {url}"
        raise TransientArchiveError(message, url=url)


def parse_json(body: bytes, url: str) -> Any:
    """The JSON value of a body, None if the body is empty (ENA answers 204 or nothing for "nothing found").

    Raises:
        TransientArchiveError: The body is a web page.
        MalformedPayloadError: The body is not JSON.
    """
    if not body.strip():
        return None
    refuse_web_page(body, url)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"The archive's answer is not JSON ({error}): {url}"
        raise MalformedPayloadError(message, url=url) from error
