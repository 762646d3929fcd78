"""What contributions say of samples: attributes with a value, keywords without one, and entries that cannot be read."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

ValueType = Literal["bool", "int", "float", "term", "text"]
Value: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeEntry:
    """A value that a contribution gives a sample.

    Args:
        sample: Any accession of it; one that names several samples (``SRS…``) stands for all of them.
        term_id: The ontology term that says what the value is of (``EFO:0000246``, age).
        value: The value; of type "term" the id of a term, of type "text" text that is no such id.
        value_type: What ``value`` is.
        unit_id: Ontology term of the unit.
        probability: How sure the contribution is, 0 to 1.
        position: Where the entry stands in its file, for people.
    """

    sample: str
    term_id: str
    value: Value
    value_type: ValueType
    unit_id: str | None = None
    probability: float | None = None
    position: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordEntry:
    """An ontology term that a contribution says of a sample; ``sample`` and ``position`` as for attributes."""

    sample: str
    term_id: str
    position: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedEntry:
    """An entry that cannot be imported: where it stands and what is wrong with it."""

    position: str
    message: str


MetadataEntry: TypeAlias = AttributeEntry | KeywordEntry


def stored_value(value: Value) -> str:
    """A value as text that :func:`read_value` reads back equal.

    Raises:
        ValueError: A number that is none (NaN, infinity).
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        message = f"{value} is no number."
        raise ValueError(message)
    return json.dumps(value)


def read_value(text: str, value_type: ValueType) -> Value:
    """The value that :func:`stored_value` wrote; ``bool`` false comes back false."""
    if value_type == "bool":
        return text == "true"
    if value_type == "int":
        return int(text)
    return float(text) if value_type == "float" else text
