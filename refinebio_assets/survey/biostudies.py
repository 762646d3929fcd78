"""Studies of BioStudies, where ArrayExpress lives: the study's sections, its files, and where they are fetched from.

Two spellings of the same document exist, and both are read: page-tab JSON as the API gives it (``accno``,
``subsections``; tables are lists within lists) and the extended form in which BioStudies stores and exports studies
(``accNo``, ``sections``; tables are objects with an ``extType``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from types import MappingProxyType
from urllib.parse import quote

from refinebio_assets.domain.accessions import EXPERIMENT_TYPES
from refinebio_assets.domain.errors import MalformedPayloadError
from refinebio_assets.survey.archive_rows import (
    Row,
    accession_of,
    as_mapping,
    calendar_date,
    malformed,
    text,
    whole_number,
)

FILES_URL = "https://www.ebi.ac.uk/biostudies/files"
STUDIES_URL = "https://www.ebi.ac.uk/biostudies/arrayexpress/studies"

RAW_DATA = "Raw Data"
PROCESSED_DATA = "Processed Data"
MAGE_TAB = "MAGE-TAB Files"
ARRAY_DESIGNS = "Array Designs"
PROTOCOLS = "Protocols"
ORGANIZATION = "Organization"
PUBLICATION = "Publication"

_DEEPEST = 50
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_TABLES = {"sectionsTable": "sections", "filesTable": "files", "linksTable": "links"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFile:
    """A file of a study.

    Attributes:
        path: Where it lies below the study's files, as the archive writes it.
        section: What it is listed under: ``Raw Data``, ``Processed Data``, ``MAGE-TAB Files`` …
        size_bytes: As announced, None if not.
        md5: As announced, lower case, None if not.
        attributes: ``Samples``, ``Description`` and the like.
    """

    path: str
    section: str = ""
    size_bytes: int | None = None
    md5: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyLink:
    """A link to another archive: ``url`` is an accession or address, ``type`` ``ENA``, ``GEO``, ``Array Design``."""

    url: str
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section without the sections in it.

    ``attributes`` are values by name as written; ``file_list`` is a file that lists the section's files.
    """

    type: str
    accession: str
    attributes: Mapping[str, tuple[str, ...]]
    files: tuple[StudyFile, ...] = ()
    links: tuple[StudyLink, ...] = ()
    file_list: str = ""

    def values(self, name: str) -> tuple[str, ...]:
        """The values of an attribute that are not blank, whatever the letter case of its name."""
        return tuple(
            value for each, values in self.attributes.items() if each.lower() == name.lower() for value in values
        )

    def first(self, name: str) -> str:
        """The first value of an attribute, or an empty string."""
        return next(iter(self.values(name)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study. ``sections`` are all of them, outer before inner; the first is the study's own."""

    accession: str
    attributes: Mapping[str, tuple[str, ...]]
    sections: tuple[Section, ...]

    def of_type(self, section_type: str) -> tuple[Section, ...]:
        """The sections of a type."""
        return tuple(section for section in self.sections if section.type.lower() == section_type.lower())

    @property
    def title(self) -> str:
        """The title of the study, or an empty string."""
        return self.sections[0].first("Title") or next(iter(self.attributes.get("Title", ())), "")

    @property
    def description(self) -> str:
        """What the study is about, or an empty string."""
        return self.sections[0].first("Description")

    @property
    def files(self) -> tuple[StudyFile, ...]:
        """The files that the document itself lists; large studies list them elsewhere (``Section.file_list``)."""
        return tuple(file for section in self.sections for file in section.files)

    @property
    def links(self) -> tuple[StudyLink, ...]:
        """The links of all sections."""
        return tuple(link for section in self.sections for link in section.links)

    @property
    def array_designs(self) -> tuple[str, ...]:
        """Accessions of the array designs (A-…)."""
        return tuple(link.url for section in self.of_type(ARRAY_DESIGNS) for link in section.links)

    @property
    def release_date(self) -> date | None:
        """The day the study became public."""
        return calendar_date(next(iter(self.attributes.get("ReleaseDate", ())), ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyInfo:
    """What BioStudies knows about a study's files: their number, the folder that holds them, when they changed."""

    files: int | None = None
    ftp_link: str = ""
    http_link: str = ""
    released: date | None = None
    modified: date | None = None
    is_public: bool = True


def file_url(accession: str, path: str) -> str:
    """The address of a file of a study."""
    return f"{FILES_URL}/{quote(accession)}/{quote(path)}"


def parse_study(payload: object) -> Study:
    """Read a study.

    Raises:
        MalformedPayloadError: It is no study: BioStudies answered with an error, or parts are of another type.
    """
    study = as_mapping(payload, "study")
    if error := text(study, "errorMessage"):
        message = f"BioStudies answered: {error}."
        raise MalformedPayloadError(message, remedy="Check the accession.")
    accession = accession_of(_first(study, "accno", "accNo"), EXPERIMENT_TYPES)
    if accession is None:
        where = "study.accno"
        raise malformed(where, "the accession of a study", study.get("accno", study.get("accNo")))
    attributes = dict(_attributes(study, "study"))
    for name, key in (("Title", "title"), ("ReleaseDate", "releaseTime")):  # the extended form has these as fields
        if name not in attributes and text(study, key):
            attributes[name] = (text(study, key),)
    root = as_mapping(study.get("section") or {}, "study.section")
    return Study(
        accession=accession,
        attributes=MappingProxyType(attributes),
        sections=tuple(_sections(root, "study.section", depth=0)),
    )


def parse_study_info(payload: object) -> StudyInfo:
    """Read ``…/studies/{accession}/info``; times are milliseconds since 1970.

    Raises:
        MalformedPayloadError: It is no object.
    """
    info = as_mapping(payload, "info")
    return StudyInfo(
        files=whole_number(text(info, "files")),
        ftp_link=text(info, "ftpLink"),
        http_link=text(info, "httpLink"),
        released=_epoch_day(info.get("released")),
        modified=_epoch_day(info.get("modified")),
        is_public=info.get("isPublic") is not False,
    )


def parse_file_list(payload: object, where: str = "files") -> tuple[StudyFile, ...]:
    """Read a list of files: a file list of a study, or the rows of the study's file table.

    Raises:
        MalformedPayloadError: It is no list, or an entry is no object or names no file.
    """
    if isinstance(payload, str | bytes) or not isinstance(payload, Sequence):
        raise malformed(where, "a list of files", payload)
    return tuple(_file(row, where, "") for row in _rows(payload, where))


def _first(row: Row, *keys: str) -> str:
    return next((found for key in keys if (found := text(row, key))), "")


def _epoch_day(value: object) -> date | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value / 1000, tz=UTC).date()
    except (OverflowError, ValueError, OSError):
        return None


def _sections(section: Row, where: str, *, depth: int) -> Iterator[Section]:
    """The section itself, then those in it."""
    if depth > _DEEPEST:
        raise malformed(where, f"nested at most {_DEEPEST} deep", "…")
    kind = text(section, "type")
    file_list = section.get("fileList")
    yield Section(
        type=kind,
        accession=_first(section, "accno", "accNo"),
        attributes=MappingProxyType(_attributes(section, where)),
        files=tuple(_file(row, where, kind) for row in _rows(section.get("files"), f"{where}.files")),
        links=tuple(_link(row) for row in _rows(section.get("links"), f"{where}.links")),
        file_list=_first(file_list, "fileName", "path")
        if isinstance(file_list, Mapping)
        else text(section, "fileList"),
    )
    for key in ("subsections", "sections"):
        for inner in _rows(section.get(key), f"{where}.{key}"):
            yield from _sections(inner, f"{where}.{key}", depth=depth + 1)


def _rows(value: object, where: str) -> Iterator[Row]:
    """The objects of a list in which tables are lists, or objects that hold a list."""
    if value is None:
        return
    members: Iterable[object] = (value,) if isinstance(value, Mapping) else _as_list(value, where)
    for member in members:
        if isinstance(member, list | tuple):
            yield from _rows(member, where)
            continue
        row = as_mapping(member, where)
        table = _TABLES.get(text(row, "extType"))
        if table is not None:
            yield from _rows(row.get(table), f"{where}.{table}")
        else:
            yield row


def _as_list(value: object, where: str) -> Sequence[object]:
    if isinstance(value, list | tuple):
        return value
    raise malformed(where, "a list", value)


def _attributes(section: Row, where: str) -> dict[str, tuple[str, ...]]:
    """Values by name; an attribute without a value (``{"name": "Software"}``) says nothing."""
    found: dict[str, list[str]] = {}
    for attribute in _rows(section.get("attributes"), f"{where}.attributes"):
        if value := text(attribute, "value"):
            found.setdefault(text(attribute, "name"), []).append(value)
    return {name: tuple(values) for name, values in found.items()}


def _file(row: Row, where: str, section: str) -> StudyFile:
    path = _first(row, "path", "filePath", "file_path", "fileName", "file_name", "Name", "name")
    if not path:
        raise malformed(where, "files with a path", dict(row))
    md5 = _first(row, "md5", "MD5")
    attributes = {name: ";".join(values) for name, values in _attributes(row, where).items()}
    return StudyFile(
        path=path.lstrip("/"),
        section=section or _first(row, "section", "Section", "file_section"),
        size_bytes=whole_number(_first(row, "size", "Size", "fileSize", "file_size")),
        md5=md5.lower() if _MD5.fullmatch(md5) else None,
        attributes=MappingProxyType(attributes),
    )


def _link(row: Row) -> StudyLink:
    types = _attributes(row, "link").get("Type", ())
    return StudyLink(url=text(row, "url"), type=next(iter(types), ""))
