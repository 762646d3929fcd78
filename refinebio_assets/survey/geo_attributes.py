"""Reading GEO's attributes: values, dates, relations to other archives, characteristics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from refinebio_assets.domain.accessions import AccessionType
from refinebio_assets.survey.archive_rows import Row, accession_of, as_text, calendar_date

NOTHING: Mapping[str, Any] = MappingProxyType({})

CHANNEL_MARKS = {1: "\x01", 2: "\x02"}
"""Characters that stand before a key for its channel. Harmonisation passes over them when it matches keys and keeps
them in the raw key, from which :func:`with_channel` makes words."""

_CHANNEL_WORDS = {mark: f"characteristics_ch{channel}: " for channel, mark in CHANNEL_MARKS.items()}
_MARKS = re.compile("[\x00-\x08]")
_ENGLISH_DATE = re.compile(r"\b([A-Z][a-z]{2}) ([0-9]{1,2}),? ([0-9]{4})\b")
_ISO_DATE = re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b")
_PROJECT_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """What an entity is related to: accessions, each once, in the order of the file."""

    sra_studies: tuple[str, ...] = ()
    sra_experiments: tuple[str, ...] = ()
    sra_samples: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    biosamples: tuple[str, ...] = ()
    subseries: tuple[str, ...] = ()
    superseries: tuple[str, ...] = ()


def all_values(attributes: Row, name: str) -> tuple[str, ...]:
    """The values of an attribute, stripped; empty ones stay, since they separate paragraphs."""
    values = attributes.get(name)
    return tuple(map(as_text, values)) if isinstance(values, list | tuple) else tuple(filter(None, (as_text(values),)))


def first_value(attributes: Row, name: str) -> str:
    """The first value of an attribute that is not empty; an empty text if there is none."""
    return next(filter(None, all_values(attributes, name)), "")


def geo_date(value: str) -> date | None:
    """The date in ``Nov 25 2003`` (SOFT) or ``2003-11-25`` (MINiML), or None."""
    iso = _ISO_DATE.search(value)
    if iso is not None:
        return calendar_date(iso.group())
    match = _ENGLISH_DATE.search(value)
    try:
        return datetime.strptime(" ".join(match.groups()), "%b %d %Y").date() if match else None  # noqa: DTZ007
    except ValueError:
        return None


def public_since(attributes: Row) -> date | None:
    """The date in the status ``Public on Nov 25 2003``, or None."""
    return next((geo_date(status) for status in all_values(attributes, "status") if "ublic" in status), None)


def relations(attributes: Row) -> Relations:
    """Read the attribute ``relation``: ``SRA: https://www.ncbi.nlm.nih.gov/sra?term=SRP061434`` and the like."""
    found: dict[str, dict[str, None]] = {}
    for value in all_values(attributes, "relation"):
        kind, _, target = value.partition(":")
        for field, accession in _related(kind.strip().lower(), target.strip()):
            found.setdefault(field, {}).setdefault(accession)
    return Relations(**{field: tuple(accessions) for field, accessions in found.items()})


_FIELDS = {
    ("sra", AccessionType.SRA_STUDY): "sra_studies",
    ("sra", AccessionType.SRA_EXPERIMENT): "sra_experiments",
    ("sra", AccessionType.SRA_SAMPLE): "sra_samples",
    ("bioproject", AccessionType.BIOPROJECT): "projects",
    ("biosample", AccessionType.BIOSAMPLE): "biosamples",
    ("superseries of", AccessionType.GEO_SERIES): "subseries",
    ("subseries of", AccessionType.GEO_SERIES): "superseries",
}


def _related(kind: str, target: str) -> Iterator[tuple[str, str]]:
    text = _accession_text(target)
    if kind == "bioproject" and _PROJECT_NUMBER.fullmatch(text):
        text = f"PRJNA{text}"  # as GEO wrote it until 2012
    for (of_kind, accession_type), field in _FIELDS.items():
        if of_kind == kind and (accession := accession_of(text, frozenset({accession_type}))) is not None:
            yield field, accession


def _accession_text(target: str) -> str:
    """What of an address is the accession: the ``term`` or ``acc`` asked for, else the last part of the path."""
    try:
        parts = urlsplit(target)
        query = parse_qs(parts.query)
    except ValueError:
        return target
    return (query.get("term") or query.get("acc") or [parts.path.rstrip("/").rpartition("/")[2]])[0].strip()


def characteristics(attributes: Row) -> list[tuple[str, dict[str, str]]]:
    """The characteristics of both channels as sources for harmonisation, channel 1 first.

    ``tissue: liver`` is split at the first colon; a value without one has the attribute's own name as its key. A key
    that comes several times in a channel has its later values in sources of their own, so that none is lost.
    """
    sources: dict[tuple[int, int], dict[str, str]] = {}
    for channel, mark in CHANNEL_MARKS.items():
        name = f"characteristics_ch{channel}"
        for value in filter(None, all_values(attributes, name)):
            key, colon, rest = value.partition(":")
            key, rest = (key, rest) if colon and key.strip() else (name, value)
            marked = mark + _MARKS.sub("", key).strip()
            repeat = 0
            while marked in sources.setdefault((channel, repeat), {}):
                repeat += 1
            sources[channel, repeat][marked] = rest.strip()
    return [(f"characteristics_ch{channel}", source) for (channel, _), source in sorted(sources.items())]


def with_channel(key: str) -> str:
    """The raw key in words: its channel's attribute and what the submitter wrote."""
    return _MARKS.sub(lambda mark: _CHANNEL_WORDS.get(mark.group(), ""), key)


def without_channel(key: str) -> str:
    """The raw key as the submitter wrote it."""
    return _MARKS.sub("", key)
