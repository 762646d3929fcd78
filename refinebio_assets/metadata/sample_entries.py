"""Attributes and keywords of samples as contributions publish them, entry by entry; what cannot be read is reported.

The formats are refine.bio's (https://github.com/AlexsLemonade/refinebio/issues/2127). Attributes are a list of
``{"sample_accession": "SRR…", "attributes": [{"EFO:0000246": {"value": 36, "unit": "UO:0000036", "probability": 1}}]}``
where unit and probability may be left out; keywords are an object ``{"SRR…": ["UBERON:0002107", …]}``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.domain.imported_metadata import (
    AttributeEntry,
    KeywordEntry,
    MalformedEntry,
    MetadataEntry,
    Value,
    ValueType,
)
from refinebio_assets.domain.ontologies import term_id, value_term_id
from refinebio_assets.metadata.json_entries import is_array, json_entries

Read: TypeAlias = MetadataEntry | MalformedEntry

_KNOWN_PARTS = frozenset({"value", "unit", "probability"})
_SHOWN = 60


class BadEntryError(InputError):
    """An entry, or a part of it, is not what the format says."""


def read_attributes(path: Path) -> Iterator[Read]:
    """Attributes of samples, in the order of the file; plain, gzip or Zstandard.

    Raises:
        MalformedFileError: The file is no JSON list, or damaged.
    """
    if not is_array(path):
        message = "Attributes are a JSON list, and this is an object."
        raise MalformedFileError(
            message, path=path, line=1, remedy="Keywords are imported with `metadata import keywords`."
        )
    for index, entry in json_entries(path):
        yield from _attributes(entry, f"entry {index}")


def _attributes(entry: Any, position: str) -> Iterator[Read]:
    try:
        sample, attributes = _sample_and_attributes(entry)
    except BadEntryError as error:
        yield MalformedEntry(position=position, message=error.message)
        return
    for number, attribute in enumerate(attributes):
        where = f"{position} ({sample}), attribute {number}"
        if not isinstance(attribute, dict) or not attribute:
            yield MalformedEntry(position=where, message=f"{_shown(attribute)} is no object with an ontology term.")
            continue
        for key, content in attribute.items():
            yield _attribute(sample, key, content, f"{where} ({key})")


def _sample_and_attributes(entry: Any) -> tuple[str, list[Any]]:
    if not isinstance(entry, dict):
        message = f"{_shown(entry)} is no object with a sample and its attributes."
        raise BadEntryError(message)
    sample, attributes = accession(entry.get("sample_accession")), entry.get("attributes")
    if not isinstance(attributes, list):
        message = f"The attributes of {sample} are no list but {_shown(attributes)}."
        raise BadEntryError(message)
    return sample, attributes


def _attribute(sample: str, key: str, content: Any, position: str) -> Read:
    try:
        parts = _parts(content)
        return attribute_entry(
            sample,
            key,
            parts["value"],
            unit=parts.get("unit"),
            probability=parts.get("probability"),
            position=position,
        )
    except BadEntryError as error:
        return MalformedEntry(position=position, message=error.message)


def _parts(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or "value" not in content:
        message = f"{_shown(content)} has no value."
        raise BadEntryError(message)
    if unknown := sorted(content.keys() - _KNOWN_PARTS):
        message = f"{_shown(unknown[0])} is none of value, unit and probability."
        raise BadEntryError(message)
    return content


def attribute_entry(
    sample: str, key: Any, value: Any, *, unit: Any = None, probability: Any = None, position: str
) -> AttributeEntry:
    """An attribute whose parts were checked.

    Raises:
        BadEntryError: A part is not what it should be.
    """
    plain, value_type = _typed(value)
    return AttributeEntry(
        sample=sample,
        term_id=term(key),
        value=plain,
        value_type=value_type,
        unit_id=None if unit is None else term(unit),
        probability=None if probability is None else _probability(probability),
        position=position,
    )


def read_keywords(path: Path) -> Iterator[Read]:
    """Keywords of samples, in the order of the file; plain, gzip or Zstandard.

    Raises:
        MalformedFileError: The file is no JSON object, or damaged.
    """
    if is_array(path):
        message = "Keywords are a JSON object, and this is a list."
        raise MalformedFileError(
            message, path=path, line=1, remedy="Attributes are imported with `metadata import attributes`."
        )
    for index, (name, terms) in enumerate(json_entries(path)):
        position = f"entry {index} ({name})"
        yield from keyword_entries(str(name), terms, position)


def keyword_entries(name: str, terms: Any, position: str) -> Iterator[Read]:
    """The keywords of one sample."""
    if not name.strip() or not isinstance(terms, list):
        yield MalformedEntry(position=position, message=f"{_shown(terms)} is no list of ontology terms of a sample.")
        return
    for number, written in enumerate(terms):
        try:
            yield KeywordEntry(sample=name.strip(), term_id=term(written), position=position)
        except BadEntryError as error:
            yield MalformedEntry(position=f"{position}, keyword {number}", message=error.message)


def accession(value: Any) -> str:
    """The accession of a sample; any that an archive could have given.

    Raises:
        BadEntryError: It is no text, or an empty one.
    """
    if not isinstance(value, str) or not value.strip():
        message = f"The accession of the sample is {_shown(value)}."
        raise BadEntryError(message)
    return value.strip()


def term(value: Any) -> str:
    """The id of an ontology term.

    Raises:
        BadEntryError: It is none.
    """
    found = term_id(value) if isinstance(value, str) else None
    if found is None:
        message = f"{_shown(value)} is no id of an ontology term."
        raise BadEntryError(message)
    return found


def _typed(value: Any) -> tuple[Value, ValueType]:
    """A value and what it is. Booleans come first: in Python they are integers, too."""
    if isinstance(value, bool):
        return value, "bool"
    if isinstance(value, int):
        return value, "int"
    if isinstance(value, float) and math.isfinite(value):
        return value, "float"
    if isinstance(value, str) and value.strip():
        found = value_term_id(value)
        return (found, "term") if found is not None else (value.strip(), "text")
    message = f"The value {_shown(value)} is no text, number or truth value."
    raise BadEntryError(message)


def _probability(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        message = f"The probability {_shown(value)} is no number from 0 to 1."
        raise BadEntryError(message)
    return float(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
