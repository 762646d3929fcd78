"""Raw metadata keys -> the rules that take them; placeholders; ontology terms in their short form.

A key is looked up by its normalised form (letter case, spaces, ``_``, ``-``, brackets and parentheses do not count),
so there is one table of keys (:mod:`~refinebio_assets.survey.harmonisation_rules`) and no pattern per spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from refinebio_assets.survey.harmonisation_rules import (
    FALLBACK,
    FIELD_KEYS,
    FIELDS_OF_A_PERSON,
    HOST_KEY,
    OF_A_PERSON,
    PLACEHOLDER_STARTS,
    PLACEHOLDERS,
    PREFIXES,
    TITLE_KEYS,
)
from refinebio_assets.survey.harmonised_quantities import canonical_text
from refinebio_assets.survey.harmonised_units import AGE_SPELLINGS, DOSE_SPELLINGS, TIME_SPELLINGS

TITLE = "title"
SPELLINGS: Mapping[str, Mapping[str, str]] = {"age": AGE_SPELLINGS, "time": TIME_SPELLINGS, "dose": DOSE_SPELLINGS}
"""Field that holds quantities -> spellings of its units."""

_MOST_PREFIX_WORDS = _MOST_UNIT_WORDS = 2
_WORD = re.compile(r"[^\W_]+")
_BRACKETS = re.compile(r"(?:characteristics?|comments?|factor ?values?)\s*\[(.*)\]", re.IGNORECASE | re.DOTALL)
_FLATTENED = re.compile(r"characteristics?_(.+?)(?:_[0-9]+_text)?", re.IGNORECASE | re.DOTALL)
_TERM = re.compile(r"(?:.*[/#:])?([A-Za-z]+)[_:]([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """How one raw key feeds one field.

    Attributes:
        field: The field.
        key: The base key of the table.
        position: Its place among the keys of the field.
        rank: 0 for the plain key, more for one that stands behind ``sample`` or ``host``.
        unit: The unit in the key itself (``age (years)``).
    """

    field: str
    key: str
    position: int
    rank: int
    unit: str | None = None

    @property
    def of_a_host(self) -> bool:
        """Whether it says something of the host, donor or patient."""
        return self.rank == HOST_KEY

    @property
    def level(self) -> int:
        """0 for the sample's own key, 1 for its host's, 2 for a fallback key; the lowest with a value speaks alone."""
        if (self.field, self.key) in FALLBACK:
            return 2
        return 1 if self.of_a_host else 0

    @property
    def name(self) -> str:
        """What provenance calls it: ``sex/gender``, ``sex/sex (host)``."""
        return f"{self.field}/{self.key}" + (" (host)" if self.of_a_host else "")


def recognises(key: str) -> bool:
    """Whether some rule takes a raw key."""
    return bool(rules_of(key))


def submitted_key(key: str) -> str:
    """The key as the submitter wrote it: ``characteristics_age_0_text`` and ``Factor Value[age]`` -> ``age``."""
    text = key.strip()
    wrapped = _BRACKETS.fullmatch(text) or _FLATTENED.fullmatch(text)
    return wrapped.group(1).strip() if wrapped else text


@lru_cache(maxsize=65536)
def is_placeholder(value: str) -> bool:
    """Whether a value only says that there is none (INSDC's missing value vocabulary and what is written for it).

    Semicolons alone, which join values elsewhere, are none either.
    """
    text = " ".join(value.lower().replace("_", " ").split())
    return not text.strip("; ") or text in PLACEHOLDERS or text.startswith(PLACEHOLDER_STARTS)


def ontology_term_id(term: str) -> str | None:
    """The short form of an ontology term: ``http://purl.obolibrary.org/obo/UBERON_0002107`` -> ``UBERON:0002107``."""
    match = _TERM.fullmatch(term.strip())
    return f"{match.group(1)}:{match.group(2)}" if match else None


@lru_cache(maxsize=65536)
def rules_of(key: str) -> tuple[KeyRule, ...]:
    """The rules that take a raw key, none if it is unknown. ``host_age (weeks)`` is an age of the host in weeks."""
    text = canonical_text(submitted_key(key))
    words = tuple(_WORD.findall(text))
    for length in range(_MOST_PREFIX_WORDS + 1):
        rank = PREFIXES.get(words[:length])
        rules = _rules_with_unit(words[length:], text) if rank is not None else ()
        if OF_A_PERSON.intersection(words[:length]):
            rules = tuple(rule for rule in rules if rule[0] in FIELDS_OF_A_PERSON)
        if rules and rank is not None:
            return tuple(
                KeyRule(field=field, key=base, position=position, rank=rank, unit=unit)
                for field, base, position, unit in rules
            )
    return ()


_Base = tuple[str, str, int, str | None]


def _normalised(words: Iterable[str]) -> str:
    return "".join(words).lower()


def _unit_spellings() -> dict[str, dict[str, str]]:
    """Field -> normalised spelling -> unit, for units in keys; a bare m would be minutes, months or molar."""
    return {
        field: {
            _normalised(_WORD.findall(spelling)): unit
            for spelling, unit in spellings.items()
            if spelling != "m" and _WORD.search(spelling)
        }
        for field, spellings in SPELLINGS.items()
    }


_UNITS = _unit_spellings()


def _key_table() -> dict[str, tuple[_Base, ...]]:
    table: dict[str, tuple[_Base, ...]] = {}
    for field, keys in {TITLE: TITLE_KEYS, **FIELD_KEYS}.items():
        for position, key in enumerate(keys):
            words = _WORD.findall(key)
            unit = next((found for word in words if (found := _UNITS.get(field, {}).get(word))), None)
            normalised = _normalised(words)
            table[normalised] = (*table.get(normalised, ()), (field, key, position, unit))
    return table


_KEYS = _key_table()


def _rules_with_unit(words: tuple[str, ...], text: str) -> tuple[_Base, ...]:
    """The rules of a base key, or of one before a unit: ``time (wpi)``, ``age in years``, ``dose (mg/kg)``."""
    known = _KEYS.get(_normalised(words))
    if known is not None:
        return tuple(
            (field, key, position, "percent" if field == "dose" and "%" in text else unit)
            for field, key, position, unit in known
        )
    for count in range(1, _MOST_UNIT_WORDS + 1):
        base = words[:-count]
        bases = _KEYS.get(_normalised(base[:-1] if base[-1:] == ("in",) else base), ())
        spelled = _normalised(words[-count:])
        found = tuple(
            (field, key, position, unit)
            for field, key, position, _ in bases
            if (unit := _UNITS.get(field, {}).get(spelled))
        )
        if found:
            return found
    return ()
