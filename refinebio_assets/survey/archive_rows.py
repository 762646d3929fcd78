"""Reading values out of archive payloads, whose columns hold anything: texts, numbers, nothing, lists, ``A;B``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from refinebio_assets.domain.accessions import AccessionType, parse_accession
from refinebio_assets.domain.errors import MalformedPayloadError, UnsupportedAccessionError

_LONGEST_NUMBER = 18

Row = Mapping[str, Any]


def text(row: Row, column: str) -> str:
    """The stripped text of a column; empty if the column is missing, empty or no plain value."""
    return as_text(row.get(column))


def as_text(value: object) -> str:
    """A plain value as stripped text; texts of a list are joined with ``;``, anything else is empty."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list | tuple):
        return ";".join(part for part in map(as_text, value) if part)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def entries(row: Row, column: str) -> tuple[str, ...]:
    """The distinct entries of a ``;``-joined column, in order."""
    return tuple(dict.fromkeys(part for part in map(str.strip, text(row, column).split(";")) if part))


def accessions(row: Row, column: str, types: frozenset[AccessionType]) -> tuple[str, ...]:
    """The accessions of some types among the entries of a column; an entry counts only as a whole."""
    return tuple(value for entry in entries(row, column) if (value := accession_of(entry, types)) is not None)


def accession_of(entry: str, types: frozenset[AccessionType]) -> str | None:
    """The accession in its canonical spelling, or None if the text is no accession of these types."""
    try:
        accession = parse_accession(entry)
    except UnsupportedAccessionError:
        return None
    return accession.value if accession.type in types else None


def whole_number(value: str) -> int | None:
    """A plain decimal number, or None."""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER else None


def calendar_date(value: str) -> date | None:
    """The date an ISO date or time begins with, or None."""
    match = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)
    try:
        return date.fromisoformat(match.group()) if match else None
    except ValueError:
        return None


def mapping_field(payload: object, field: str, *, where: str = "payload") -> Row:
    """A field that must hold an object.

    Raises:
        MalformedPayloadError: The field is missing or holds something else.
    """
    return as_mapping(_field(payload, field, where), f"{where}.{field}")


def rows_field(payload: object, field: str, *, where: str = "payload") -> list[Row]:
    """A field that must hold a list of objects.

    Raises:
        MalformedPayloadError: The field is missing or holds something else.
    """
    return as_rows(_field(payload, field, where), f"{where}.{field}")


def as_rows(value: object, where: str) -> list[Row]:
    """The value itself, known to be a list of objects.

    Raises:
        MalformedPayloadError: It is something else.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise malformed(where, "a list of rows", value)
    return [as_mapping(row, f"{where}[{number}]") for number, row in enumerate(value)]


def as_mapping(value: object, where: str) -> Row:
    """The value itself, known to be an object with text keys.

    Raises:
        MalformedPayloadError: It is something else.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise malformed(where, "an object", value)
    return value


def malformed(where: str, expected: str, value: object) -> MalformedPayloadError:
    """The error for a payload whose part is not what the archive promises."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return MalformedPayloadError(
        f"The metadata of the archive are malformed: {where} should be {expected}, not {shown}.",
        remedy="Fetch the metadata again; if that does not help, report the accession to the archive.",
    )


def _field(payload: object, field: str, where: str) -> object:
    mapping = as_mapping(payload, where)
    if field not in mapping:
        message = f"The metadata of the archive are malformed: {where}.{field} is missing."
        raise MalformedPayloadError(
            message,
            remedy="Fetch the metadata again.",
        )
    return mapping[field]
