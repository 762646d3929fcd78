"""One submitted value -> what it says, of its own field and of others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from refinebio_assets.survey.harmonisation_rules import STAGE_WORDS, TREATMENT_FIELDS
from refinebio_assets.survey.harmonised_keys import SPELLINGS, KeyRule, is_placeholder
from refinebio_assets.survey.harmonised_quantities import (
    Quantity,
    canonical_text,
    dose_in,
    parse_age,
    parse_dose,
    parse_time,
    time_in,
    unit_of,
    unit_term,
)
from refinebio_assets.survey.harmonised_sex import SEX_TERMS, canonical_sex

DERIVED = 3
"""Level of what a value says of another field than its key's: it speaks only when no key of that field does."""

_PARSERS = {"age": parse_age, "time": parse_time, "dose": parse_dose}
_WORD = re.compile(r"[a-z]+")
_LONGEST_STAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A raw value under a key that a rule takes, with the unit and the ontology term submitted beside it."""

    rule: KeyRule
    source: int
    raw_key: str
    raw_value: str
    unit: str | None = None
    term: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a submitted value says of a field.

    Attributes:
        value: Canonical.
        unit: Its unit, if it is a quantity; what was submitted beside a text.
        term: Ontology term of the value; of the unit, if it is a quantity.
        level: Readings of the lowest level speak.
        note: What the rule did beyond the key (``approximate``, ``in text``, ``stage``).
    """

    field: str
    value: str
    unit: str | None
    term: str | None
    level: int
    submitted: Submitted
    note: str = ""

    @property
    def priority(self) -> tuple[int, int, int, int, str, str]:
        """Sorts the readings of a field, the leading one first; the same for every order of keys."""
        submitted = self.submitted
        rule = submitted.rule
        return (self.level, rule.position, rule.rank, submitted.source, submitted.raw_key, submitted.raw_value)

    @property
    def rule_name(self) -> str:
        """What provenance calls the rule: ``time/treatment (in text)``."""
        rule = self.submitted.rule
        name = rule.name if self.field == rule.field else f"{self.field}/{rule.key}"
        return name + (f" ({self.note})" if self.note else "")


def readings(submitted: Submitted) -> Iterator[Reading]:
    """All that a value says, of the field of its key first."""
    field = submitted.rule.field
    own = _own(submitted)
    if own is not None:
        yield own
    elif field == "age" and _is_stage(submitted.raw_value):
        yield _derived("developmental_stage", _text(submitted), None, submitted, note="stage")
    if field in TREATMENT_FIELDS:
        for other, found in (("time", time_in(submitted.raw_value)), ("dose", dose_in(submitted.raw_value))):
            if found is not None:
                yield _derived(other, found.value, found.unit, submitted, note="in text")


def _own(submitted: Submitted) -> Reading | None:
    field = submitted.rule.field
    if field in _PARSERS:
        quantity = _PARSERS[field](submitted.raw_value)
        if quantity is not None:
            return _measured(field, quantity, submitted)
    if field == "age":
        return None
    value = canonical_sex(submitted.raw_value) if field == "sex" else _text(submitted)
    if value is None:
        return None
    return Reading(
        field=field,
        value=value,
        unit=submitted.unit if field not in _PARSERS else None,
        term=(SEX_TERMS.get(value) if field == "sex" else None) or submitted.term,
        level=submitted.rule.level,
        submitted=submitted,
    )


def _measured(field: str, quantity: Quantity, submitted: Submitted) -> Reading:
    """A quantity, with its unit from the value, else from beside the value, else from the key."""
    unit = quantity.unit or _unit_beside(field, submitted.unit) or submitted.rule.unit
    return Reading(
        field=field,
        value=quantity.value,
        unit=unit,
        term=unit_term(unit) or (None if unit else submitted.term),
        level=submitted.rule.level,
        submitted=submitted,
        note="approximate" if quantity.approximate else "",
    )


def _unit_beside(field: str, unit: str | None) -> str | None:
    """The unit an archive has beside a value: its name if it is known, else as it was submitted."""
    if unit is None or is_placeholder(unit):
        return None
    return unit_of(unit, SPELLINGS[field]) or canonical_text(unit) or None


def _derived(field: str, value: str, unit: str | None, submitted: Submitted, *, note: str) -> Reading:
    return Reading(
        field=field, value=value, unit=unit, term=unit_term(unit), level=DERIVED, submitted=submitted, note=note
    )


def _text(submitted: Submitted) -> str:
    return " ".join(submitted.raw_value.lower().split())


def _is_stage(value: str) -> bool:
    return len(value) <= _LONGEST_STAGE and not STAGE_WORDS.isdisjoint(_WORD.findall(value.lower()))
