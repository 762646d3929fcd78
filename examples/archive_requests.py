"""One HTTP request to the local archive: routing, ranges, faults."""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from examples.answers import Answer
from examples.faults import Fault

if TYPE_CHECKING:
    from examples.local_archive import LocalArchive

_PIECE_BYTES = 1 << 16
_WEB_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Service unavailable</title></head><body>Please try later.</body></html>\n"
)


@dataclass(slots=True, kw_only=True)
class _Content:
    """The bytes an answer is about to send: a slice of a file or of a body, possibly spoilt by a fault."""

    answer: Answer
    start: int
    length: int
    whole: int
    flip_at: int | None = None

    def pieces(self) -> Iterator[bytes]:
        position, end = self.start, self.start + self.length
        for piece in self._raw_pieces():
            if self.flip_at is not None and position <= self.flip_at < min(end, position + len(piece)):
                spoilt = bytearray(piece)
                spoilt[self.flip_at - position] ^= 0x01
                piece = bytes(spoilt)  # noqa: PLW2901 - the piece itself is what is spoilt
            position += len(piece)
            yield piece

    def _raw_pieces(self) -> Iterator[bytes]:
        if self.answer.file is None:
            yield self.answer.body[self.start : self.start + self.length]
            return
        left = self.length
        with self.answer.file.open("rb") as file:
            file.seek(self.start)
            while left and (piece := file.read(min(left, _PIECE_BYTES))):
                left -= len(piece)
                yield piece


@dataclass(slots=True, kw_only=True)
class LoggedRequest:
    """A request the archive got, and what it answers; in the log before the first byte of the answer is sent."""

    method: str
    host: str
    path: str
    query: str
    range: str | None
    if_range: str | None
    user_agent: str | None
    status: int
    bytes_sent: int
    fault: str | None

    @property
    def target(self) -> str:
        """``host/path?query``."""
        return f"{self.host}{self.path}" + (f"?{self.query}" if self.query else "")


class ArchiveRequestHandler(BaseHTTPRequestHandler):
    """Answers ``/{host}/{path}?query`` as the archive's host would."""

    protocol_version = "HTTP/1.1"
    server_version = "LocalArchive"
    sys_version = ""
    timeout = 60.0
    _logged: LoggedRequest

    @property
    def _archive(self) -> LocalArchive:
        return cast("LocalArchive", getattr(self.server, "archive"))  # noqa: B009 - set by the server class

    def do_GET(self) -> None:
        """Answer GET."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer HEAD."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a form as the same question by GET."""
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8")
        self._answer(form)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet: requests are in the archive's own log."""

    def _answer(self, form: str = "") -> None:
        parts = urlsplit(self.path)
        host, _, path = parts.path.removeprefix("/").partition("/")
        target = f"{host}/{path}" + (f"?{parts.query}" if parts.query else "")
        fault = self._archive.faults.take(self.command, target)
        if fault is not None and fault.kind in ("status", "html"):
            answer = _fault_answer(fault)
        else:
            params = dict(parse_qsl(f"{parts.query}&{form}" if form else parts.query, keep_blank_values=True))
            answer = self._archive.answer(host, "/" + unquote(path), params)
        status, content, headers = self._select(answer, fault)
        self._logged = self._log((host, "/" + path, parts.query), status=status, fault=fault)
        self._send(status, content, headers, fault)

    def _select(self, answer: Answer, fault: Fault | None) -> tuple[int, _Content, dict[str, str]]:
        """Which bytes of the answer to send, under which status and headers."""
        headers = {"Content-Type": answer.content_type, **answer.headers}
        whole = len(answer.body)
        if answer.file is not None:
            file = answer.file.stat()
            whole = file.st_size
            headers |= {
                "ETag": f'"{file.st_mtime_ns:x}-{file.st_size:x}"',
                "Last-Modified": formatdate(file.st_mtime, usegmt=True),
                "Accept-Ranges": "bytes",
            }
        content = _Content(answer=answer, start=0, length=whole, whole=whole)
        if fault is not None and fault.kind == "truncated_gzip":
            content.whole = content.length = whole // 2
        if fault is not None and fault.kind == "corrupt":
            content.flip_at = whole // 2
        if answer.file is None:
            return answer.status, content, headers
        return self._select_range(content, headers)

    def _select_range(self, content: _Content, headers: dict[str, str]) -> tuple[int, _Content, dict[str, str]]:
        """Honour ``Range``, unless ``If-Range`` names another version of the file."""
        condition = self.headers.get("If-Range")
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        outdated = condition is not None and condition not in (headers["ETag"], headers["Last-Modified"])
        if asked is None or asked.groups() == ("", "") or outdated:
            return HTTPStatus.OK, content, headers
        first, last = asked.groups()
        start = int(first) if first else max(0, content.whole - int(last))
        end = min(content.whole, int(last) + 1) if first and last else content.whole
        if start >= end:
            headers["Content-Range"] = f"bytes */{content.whole}"
            content.start = content.length = 0
            return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, content, headers
        content.start, content.length = start, end - start
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.whole}"
        return HTTPStatus.PARTIAL_CONTENT, content, headers

    def _send(self, status: int, content: _Content, headers: dict[str, str], fault: Fault | None) -> None:
        """Send the answer, as far as the fault lets it through."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(content.length))
        self.end_headers()
        if self.command == "HEAD" or status == HTTPStatus.NO_CONTENT:
            return
        break_at = content.length // 2 if fault is not None and fault.kind in ("reset", "truncate", "slow") else None
        for piece in content.pieces():
            rest = piece
            if break_at is not None and fault is not None and self._logged.bytes_sent + len(piece) > break_at:
                first = break_at - self._logged.bytes_sent
                self._write(piece[:first])
                if not self._break_off(fault):
                    return
                rest, break_at = piece[first:], None
            self._write(rest)

    def _write(self, data: bytes) -> None:
        # Counted first: whoever has received the bytes finds them in the log.
        self._logged.bytes_sent += len(data)
        self.wfile.write(data)
        self.wfile.flush()

    def _break_off(self, fault: Fault) -> bool:
        """Do what the fault does half-way; whether the answer goes on."""
        if fault.kind == "slow":
            return not self._archive.stopping.wait(fault.seconds)
        if fault.kind == "reset":
            # With a linger time of zero, closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
        self.close_connection = True
        return False

    def _log(self, target: tuple[str, str, str], *, status: int, fault: Fault | None) -> LoggedRequest:
        host, path, query = target
        logged = LoggedRequest(
            method=self.command,
            host=host,
            path=path,
            query=query,
            range=self.headers.get("Range"),
            if_range=self.headers.get("If-Range"),
            user_agent=self.headers.get("User-Agent"),
            status=int(status),
            bytes_sent=0,
            fault=None if fault is None else fault.kind,
        )
        self._archive.log_request(logged)
        return logged


def _fault_answer(fault: Fault) -> Answer:
    if fault.kind == "html":
        return Answer(content_type="text/html; charset=utf-8", body=_WEB_PAGE)
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    body = b"" if fault.status == HTTPStatus.NO_CONTENT else b'{"message":"scripted fault"}'
    return Answer(status=fault.status, body=body, headers=headers)
