"""A transcriptome index on this machine: what Salmon is given, and what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class TranscriptomeIndexFiles:
    """A directory with Salmon's index files and the gene-to-transcript map.

    Attributes:
        directory: Where the files are. One that was loaded is only to be read.
        info: The content of ``index.json``; ``info["sha256"]`` identifies the index.
    """

    directory: Path
    info: dict[str, Any]
