"""The IDF of a MAGE-TAB document: what the study is about, who did it, by which protocols.

Nothing is dropped: a label that is not in the specification (MAGE-TAB 1.1) is kept and told in ``warnings``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.mage_tab_text import (
    BRACKETS,
    Line,
    MageTabWarning,
    header_key,
    physical_lines,
    read_lines,
    refuse_other_content,
)

_IDF_LABELS = (
    "MAGE-TAB Version",
    "Investigation Title",
    "Experimental Design",
    "Experimental Factor Name",
    "Experimental Factor Type",
    "Person Last Name",
    "Person First Name",
    "Person Mid Initials",
    "Person Email",
    "Person Phone",
    "Person Fax",
    "Person Address",
    "Person Affiliation",
    "Person Roles",
    "Quality Control Type",
    "Replicate Type",
    "Normalization Type",
    "Date of Experiment",
    "Public Release Date",
    "PubMed ID",
    "Publication DOI",
    "Publication Author List",
    "Publication Title",
    "Publication Status",
    "Experiment Description",
    "Protocol Name",
    "Protocol Type",
    "Protocol Description",
    "Protocol Parameters",
    "Protocol Hardware",
    "Protocol Software",
    "Protocol Contact",
    "SDRF File",
    "Term Source Name",
    "Term Source File",
    "Term Source Version",
)
_TERM_SUFFIXES = ("termsourceref", "termaccessionnumber")

_IDF_KEYS = frozenset(map(header_key, _IDF_LABELS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A protocol of the study."""

    name: str
    type: str = ""
    description: str = ""
    hardware: str = ""
    software: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who answers for the study."""

    last_name: str
    first_name: str = ""
    mid_initials: str = ""
    affiliation: str = ""
    roles: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A publication of the study; ``doi`` may be anything that was written there."""

    pubmed_id: str = ""
    doi: str = ""
    title: str = ""
    authors: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idf:
    """An Investigation Design Format file.

    Attributes:
        path: Name of the file.
        fields: Label as written (``Comment[…]`` too) -> its values in order, blanks within kept, blanks at the end not.
        comments: What is in the brackets of ``Comment[…]`` -> values; a comment that stands several times has all.
        warnings: What was not as the specification wants it.
    """

    path: str
    fields: Mapping[str, tuple[str, ...]]
    comments: Mapping[str, tuple[str, ...]]
    warnings: tuple[MageTabWarning, ...] = ()

    def values(self, label: str) -> tuple[str, ...]:
        """The values under a label, whatever its letter case and spaces; those under a repeated label follow."""
        key = header_key(label)
        return tuple(value for name, values in self.fields.items() if header_key(name) == key for value in values)

    def filled(self, label: str) -> tuple[str, ...]:
        """The values under a label that are not blank."""
        return tuple(filter(None, self.values(label)))

    def first(self, label: str) -> str:
        """The first value under a label that is not blank, or an empty string."""
        return next(iter(self.filled(label)), "")

    def comment(self, name: str) -> tuple[str, ...]:
        """The values of a comment that are not blank, whatever the letter case of its name."""
        key = header_key(name)
        return tuple(
            value for each, values in self.comments.items() if header_key(each) == key for value in values if value
        )

    @property
    def title(self) -> str:
        """The title of the study."""
        return self.first("Investigation Title")

    @property
    def sdrf_files(self) -> tuple[str, ...]:
        """Names of the SDRF files."""
        return self.filled("SDRF File")

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The protocols, by position."""
        labels = {part: f"Protocol {part}" for part in ("name", "type", "description", "hardware", "software")}
        return tuple(Protocol(**row) for row in self._rows(labels))

    @property
    def persons(self) -> tuple[Person, ...]:
        """The persons, by position."""
        parts = ("last_name", "first_name", "mid_initials", "affiliation", "roles")
        return tuple(Person(**row) for row in self._rows({part: f"Person {part}" for part in parts}))

    @property
    def publications(self) -> tuple[Publication, ...]:
        """The publications, by position."""
        labels = {
            "pubmed_id": "PubMed ID",
            "doi": "Publication DOI",
            "title": "Publication Title",
            "authors": "Publication Author List",
            "status": "Publication Status",
        }
        return tuple(Publication(**row) for row in self._rows(labels))

    def _rows(self, labels: Mapping[str, str]) -> Iterator[dict[str, str]]:
        columns = {part: self.values(label) for part, label in labels.items()}
        for position in range(max(map(len, columns.values()))):
            row = {part: values[position] if position < len(values) else "" for part, values in columns.items()}
            if any(row.values()):
                yield row


def parse_idf(text: str, *, path: str = "idf.txt") -> Idf:
    """Read an IDF file.

    Args:
        text: The file (:func:`~refinebio_assets.survey.mage_tab_text.decode_mage_tab` decodes bytes).
        path: Its name, for errors and warnings.

    Raises:
        MalformedFileError: The file is empty, binary, an HTML page, an SDRF, or has no label of an IDF.
    """
    refuse_other_content(text, path)
    warnings: list[MageTabWarning] = []
    fields: dict[str, list[str]] = {}
    comments: dict[str, list[str]] = {}
    lines = physical_lines(text)
    for line in read_lines(lines, path=path, begins_record=_begins_idf_record, warnings=warnings):
        _refuse_sdrf(line, path)
        label, *values = line.cells
        if not _is_idf_label(label):
            told = f"{label!r} is no label of an IDF" if label else "Values stand under no label"
            warnings.append(MageTabWarning(path, line.number, f"{told}; the line is kept as it is."))
        while values and not values[-1]:
            values.pop()
        fields.setdefault(label, []).extend(values)
        if (comment := _comment_name(label)) is not None:
            comments.setdefault(comment, []).extend(values)
    if not any(map(_is_idf_label, fields)):
        message = "The file has no label of an IDF (such as Investigation Title)."
        raise MalformedFileError(message, path=path, line=1)
    return Idf(path=path, fields=_frozen(fields), comments=_frozen(comments), warnings=tuple(warnings))


def _frozen(lists: Mapping[str, list[str]]) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({key: tuple(values) for key, values in lists.items()})


def _comment_name(label: str) -> str | None:
    match = BRACKETS.fullmatch(label)
    return match.group(2) if match and header_key(match.group(1)) in {"comment", "comments"} else None


def _is_idf_label(label: str) -> bool:
    key = header_key(label)
    if _comment_name(label) is not None or key in _IDF_KEYS:
        return True
    stems = [key.removesuffix(suffix) for suffix in _TERM_SUFFIXES if key.endswith(suffix)]
    return any(stem + ending in _IDF_KEYS for stem in stems for ending in ("", "type"))


def _begins_idf_record(cells: Sequence[str]) -> bool:
    return _is_idf_label(cells[0].strip())


def _refuse_sdrf(line: Line, path: str) -> None:
    if header_key(line.cells[0]) in {"sourcename", "samplename"}:
        message = "The file is an SDRF, not an IDF."
        raise MalformedFileError(message, path=path, line=line.number)
