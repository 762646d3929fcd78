"""The finished files of a compendium or quantpendium: what an asset gives its IO manager."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind

FOLDERS = {CompendiumKind.COMPENDIUM: "compendia", CompendiumKind.QUANTPENDIUM: "quantpendia"}
"""Where the two kinds lie in the object store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFile:
    """A finished file. ``path`` is None if it is in the object store already."""

    name: str
    kind: ComputedFileKind
    size_bytes: int
    sha256: str
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumFiles:
    """All files of one version, the main one first."""

    organism: str
    kind: CompendiumKind
    version: str
    files: tuple[FinishedFile, ...]

    def key(self, file: FinishedFile) -> str:
        """Where a file lies in the object store."""
        return f"{FOLDERS[self.kind]}/{self.organism}/{self.version}/{file.name}"
