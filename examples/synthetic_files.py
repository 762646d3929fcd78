"""Writing the files of made-up studies."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson


@lru_cache(maxsize=64)
def gzipped(content: bytes) -> bytes:
    """Gzipped content, always the same bytes; content that is gzip already stays as it is."""
    return content if content.startswith(b"\x1f\x8b") else gzip.compress(content, compresslevel=6, mtime=0)


def write_bytes(path: Path, content: bytes) -> None:
    """Write at once, so that an archive that serves the folder never reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document at once."""
    write_bytes(path, orjson.dumps(value, option=orjson.OPT_INDENT_2))


def pubmed_record(pubmed_id: str, *, title: str, year: int) -> dict[str, Any]:
    """PubMed's summary of a publication."""
    return {
        "uid": pubmed_id,
        "title": title,
        "authors": [],
        "articleids": [{"idtype": "pubmed", "value": pubmed_id}],
        "fulljournalname": "",
        "pubdate": str(year),
    }
