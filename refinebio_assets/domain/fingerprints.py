"""Hashes that identify files, and inputs, parameters and versions together."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def sha256_of_file(path: Path) -> str:
    """The sha256 (hex) of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5_of_file(path: Path) -> str:
    """The md5 (hex) of a file, as the archives announce it; never used for security."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def fingerprint_of(*parts: Any) -> str:
    """One sha256 (hex) over JSON values; the same values give the same fingerprint on every machine."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
