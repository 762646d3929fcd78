"""Which files of a study belong to an assay, where they lie today, and which of them are processed.

SDRFs name files, and older ones the zip archives of ArrayExpress' former FTP server; BioStudies has the files one by
one, or still has the archive, below one address per study.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

from refinebio_assets.domain.records import OriginalFile, OriginalFileKind
from refinebio_assets.survey.array_express_assays import DERIVED_NODES, RAW_NODES, Assay, is_cel
from refinebio_assets.survey.biostudies import MAGE_TAB, Study, StudyFile, StudyInfo, file_url
from refinebio_assets.survey.mage_tab import Node
from refinebio_assets.survey.microarray_platforms import AFFYMETRIX

_ARCHIVE = re.compile(r"\.(?:zip|tar|tgz|tar\.gz|tar\.bz2)$", re.IGNORECASE)
_FTP_COMMENT = re.compile(r"ftp file", re.IGNORECASE)
_NOT_NAMES = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileListing:
    """The files BioStudies lists for a study, by path and by name; ``is_complete`` if no others exist."""

    accession: str
    by_name: Mapping[str, StudyFile]
    is_complete: bool

    @classmethod
    def of_study(
        cls, accession: str, study: Study | None, info: StudyInfo | None, files: tuple[StudyFile, ...]
    ) -> FileListing:
        """Put the study's own tables and its file list together."""
        own = study.files if study is not None else ()
        listed = (*own, *files)
        by_name: dict[str, StudyFile] = {}
        for names in zip(*((file.path, file.name, file.name.casefold()) for file in listed), strict=True):
            for name, file in zip(names, listed, strict=True):
                by_name.setdefault(name, file)
        has_data = any(file.section != MAGE_TAB for file in own)
        elsewhere = study is not None and any(section.file_list for section in study.sections)
        counted = info is not None and info.files is not None and len({file.path for file in listed}) >= info.files
        return cls(
            accession=accession,
            by_name=MappingProxyType(by_name),
            is_complete=bool(files) or counted or (has_data and not elsewhere),
        )

    def find(self, name: str) -> StudyFile | None:
        """The file of that path or name; letter case counts only where it tells files apart."""
        return self.by_name.get(name) or self.by_name.get(name.casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class AssayFile:
    """A file of an assay: as the SDRF names it, and as it is fetched (None if the archive does not have it).

    ``original`` is the archive that holds the file where the archive is all there is.
    """

    name: str
    column: str
    original: OriginalFile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssayFiles:
    """All files of an assay, and those it is processed from.

    Attributes:
        named: What the SDRF names, raw first.
        chosen: The files to fetch: raw ones if the platform's raw files are there, else the submitter's tables.
        has_raw: Whether ``chosen`` are raw.
        notes: What was left out or not found, in sentences.
    """

    named: tuple[AssayFile, ...]
    chosen: tuple[OriginalFile, ...]
    has_raw: bool
    notes: tuple[str, ...] = ()

    @property
    def names_raw(self) -> bool:
        """Whether the SDRF names a raw file."""
        return any(file.column in RAW_NODES for file in self.named)

    @property
    def has_cel(self) -> bool:
        """Whether a CEL file is among the files to fetch, by itself or within an archive."""
        return self.has_raw and any(is_cel(file.name) and file.original for file in self.named)


def assay_files(assay: Assay, listing: FileListing, *, manufacturer: str | None) -> AssayFiles:
    """Find the files of an assay and choose which of them it is processed from.

    Affymetrix arrays are processed from CEL files; other files under "Array Data File" (EXP, CHP, text) are the
    submitter's own values and are only taken where there is no CEL.
    """
    raw = _located(assay, RAW_NODES, listing)
    derived = _located(assay, DERIVED_NODES, listing)
    missing = [file.name for file in (*raw, *derived) if file.original is None]
    notes = [f"The archive does not list {name}, which the SDRF names." for name in missing]
    cels = [file for file in raw if is_cel(file.name)]
    needs_cel = manufacturer == AFFYMETRIX or bool(cels)
    usable = _originals(cels if needs_cel else raw)
    if usable:
        return AssayFiles(named=(*raw, *derived), chosen=usable, has_raw=True, notes=tuple(notes))
    tables = _originals(derived) or _originals([file for file in raw if not is_cel(file.name)])
    return AssayFiles(named=(*raw, *derived), chosen=tables, has_raw=False, notes=tuple(notes))


def _originals(files: list[AssayFile]) -> tuple[OriginalFile, ...]:
    return tuple({file.original.url: file.original for file in files if file.original is not None}.values())


def _located(assay: Assay, types: tuple[str, ...], listing: FileListing) -> list[AssayFile]:
    nodes = {node.name: node for row in assay.rows for node in row.of(*types)}
    return [AssayFile(name=name, column=node.type, original=_locate(node, listing)) for name, node in nodes.items()]


def _locate(node: Node, listing: FileListing) -> OriginalFile | None:
    """The file itself, else the archive the SDRF says it is in, else its usual address if nothing is known."""
    base = PurePosixPath(node.name.replace("\\", "/")).name
    if base in _NOT_NAMES:
        return None
    archives = [PurePosixPath(each.value).name for each in node.attributes if _FTP_COMMENT.search(each.name)]
    for name in (node.name, base, *archives):
        found = listing.find(name) if name else None
        if found is not None:
            return _original(listing.accession, found)
    return None if listing.is_complete else _original(listing.accession, StudyFile(path=base))


def _original(accession: str, file: StudyFile) -> OriginalFile:
    return OriginalFile(
        url=file_url(accession, file.path),
        filename=file.name,
        kind=_kind(file.name),
        size_bytes=file.size_bytes,
        md5=file.md5,
    )


def _kind(name: str) -> OriginalFileKind:
    if is_cel(name):
        return "cel"
    return "archive" if _ARCHIVE.search(name) else "table"
