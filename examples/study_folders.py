"""Studies on disk, as the local archive reads them.

A study folder holds::

    read_run.json                 ENA read_run rows (columns that are missing count as empty)
    study.json                    ENA study rows
    biosamples/{ACCESSION}.json   BioSamples records
    xref.json                     ENA cross-reference rows, each with "Target Primary Accession"
    pubmed.json                   PubMed summaries by id
    ensembl/species.json          genomes by Ensembl division
    ensembl/releases.json         current release by Ensembl division
    geo/GSE…_family.soft.gz       family file of a GEO series: SOFT, plain (``.soft``) or gzip, or MINiML (``.xml``,
                                  ``.xml.gz``); beside it may lie curated datasets (``GDS….soft.gz``)
    biostudies/{ACCESSION}/       a study of BioStudies: study.json, info.json (may be missing), files/{path}, plain or
                                  compressed here only (``{path}.gz``)
    files/{host}/{path}           any file of an archive's file server

``read_run.json``, one of GEO's files, or a ``study.json`` of BioStudies must be there. Folders may be added and changed
while an archive serves them.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson

Row = dict[str, Any]
T = TypeVar("T")

RUNS = "read_run.json"

_GEO_FILES = ("geo/*.soft", "geo/*.soft.gz", "geo/*_family.xml", "geo/*_family.xml.gz")
_BIOSTUDIES = "biostudies/*/study.json"
_MARKS = (RUNS, *_GEO_FILES, _BIOSTUDIES)

_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")

_SAME_SERVER = {"ftp.ensemblgenomes.org": "ftp.ensemblgenomes.ebi.ac.uk"}
"""Hosts that are another name of one server."""


class StudyFolders:
    """Reads study folders, again whenever a file changed.

    Args:
        roots: Study folders, or folders of study folders.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [root.resolve() for root in roots]
        self._lock = threading.Lock()
        self._parsed: dict[tuple[Path, object], tuple[tuple[int, int], Any]] = {}

    def folders(self) -> list[Path]:
        """The study folders that are there now."""
        return [folder for root in self._roots for folder in _studies_in(root)]

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of ``{name}.json`` of all studies."""
        for folder in self.folders():
            yield from self._read(folder / f"{name}.json", default=[])

    def records(self, name: str) -> dict[str, Any]:
        """The merged JSON objects ``{name}.json`` of all studies; the first study wins."""
        merged: dict[str, Any] = {}
        for folder in self.folders():
            merged = {**self._read(folder / f"{name}.json", default={}), **merged}
        return merged

    def biosample(self, accession: str) -> Row | None:
        """A BioSamples record, None if no study has it."""
        for folder in self.folders():
            path = _below(folder / "biosamples", f"{accession}.json")
            if path is not None:
                record: Row = self._read(path, default={})
                return record
        return None

    def file(self, host: str, path: str) -> Path | None:
        """A file of an archive's file server, None if no study has it below its ``files`` folder."""
        if not _HOST.fullmatch(host):
            return None
        for folder in self.folders():
            found = _below(folder / "files" / _SAME_SERVER.get(host, host), path)
            if found is not None:
                return found
        return None

    def geo_files(self) -> list[Path]:
        """GEO's files of all studies: family files and curated datasets."""
        return [file for folder in self.folders() for pattern in _GEO_FILES for file in sorted(folder.glob(pattern))]

    def biostudies_accessions(self) -> list[str]:
        """Accessions of the BioStudies studies of all folders, sorted."""
        return sorted({file.parent.name for folder in self.folders() for file in folder.glob(_BIOSTUDIES)})

    def biostudies_document(self, accession: str, name: str) -> Any:
        """``{name}.json`` of a BioStudies study, None if no folder has it."""
        for folder in self.folders():
            path = _below(folder / "biostudies", f"{accession}/{name}.json")
            if path is not None:
                return self._read(path, default=None)
        return None

    def biostudies_file(self, accession: str, path: str) -> Path | None:
        """A file of a BioStudies study, None if no folder has it."""
        for folder in self.folders():
            found = _below(folder / "biostudies" / accession / "files", path)
            if found is not None:
                return found
        return None

    def derived(self, path: Path, make: Callable[[Path], T]) -> T:
        """What a function makes of a file, made again only when the file changed."""
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size)
        with self._lock:
            known = self._parsed.get((path, make))
        if known is not None and known[0] == version:
            value: T = known[1]
            return value
        value = make(path)
        with self._lock:
            self._parsed[path, make] = (version, value)
        return value

    def _read(self, path: Path, *, default: Any) -> Any:
        """The JSON value of a file."""
        try:
            return self.derived(path, _json)
        except FileNotFoundError:
            return default


def _json(path: Path) -> Any:
    return orjson.loads(path.read_bytes())


def _studies_in(root: Path) -> list[Path]:
    if _is_study(root):
        return [root]
    if not root.is_dir():
        return []
    return sorted(folder for folder in root.iterdir() if _is_study(folder))


def _is_study(folder: Path) -> bool:
    return any(next(folder.glob(mark), None) is not None for mark in _MARKS)


def _below(folder: Path, path: str) -> Path | None:
    """The file at a relative path, None if it is not there or would lie outside the folder."""
    relative = path.strip("/")
    if not relative or "\0" in relative:
        return None
    real = (folder / relative).resolve()
    return real if real.is_relative_to(folder.resolve()) and real.is_file() else None
