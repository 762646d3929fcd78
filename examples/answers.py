"""An answer of the local archive, and the shapes that several archives share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

Params = Mapping[str, str]

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, type and content of an answer; ``file`` is sent instead of ``body`` if it is given."""

    status: int = 200
    content_type: str = JSON
    body: bytes = b""
    file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


NOT_FOUND = Answer(status=404, content_type="text/html", body=b"<html><body><h1>404 Not Found</h1></body></html>")


def json_answer(value: Any, *, status: int = 200) -> Answer:
    """A JSON document."""
    return Answer(status=status, body=orjson.dumps(value))


def file_answer(file: Path) -> Answer:
    """A file of a file server."""
    kind = {".gz": "application/x-gzip", ".txt": "text/plain", ".json": JSON, ".html": "text/html"}.get(
        file.suffix, "application/octet-stream"
    )
    return Answer(content_type=kind, file=file)


def xml_answer(text: str) -> Answer:
    """An XML document; ``text`` is its root element."""
    return Answer(
        content_type="text/xml; charset=UTF-8", body=f'<?xml version="1.0" encoding="UTF-8" ?>\n{text}'.encode()
    )
