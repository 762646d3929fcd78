"""Harmonisation of sample metadata: submitters' keys and values -> a title and thirteen fields, with provenance.

A key is looked up by its normalised form (letter case, spaces, ``_``, ``-``, brackets and parentheses do not count),
so there is one table of keys (:mod:`~refinebio_assets.survey.harmonisation_rules`) and no pattern per spelling. The
outcome depends on the keys and values alone, not on their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from refinebio_assets.domain.accessions import parse_accession
from refinebio_assets.domain.errors import UnsupportedAccessionError
from refinebio_assets.domain.records import HarmonizedValue
from refinebio_assets.survey.harmonisation_rules import (
    AGE_UNITS,
    FALLBACK,
    FIELD_KEYS,
    HOST_KEY,
    PLACEHOLDER_STARTS,
    PLACEHOLDERS,
    PREFIXES,
    SEXES,
    TITLE_KEYS,
)

_TITLE = "title"
_LONGEST_RULE = 240

_WORD = re.compile(r"[^\W_]+")
_BRACKETS = re.compile(r"(?:characteristics?|comments?|factor ?values?)\s*\[(.*)\]", re.IGNORECASE | re.DOTALL)
_FLATTENED = re.compile(r"characteristics?_(.+?)(?:_[0-9]+_text)?", re.IGNORECASE | re.DOTALL)
_COMPANION = re.compile(r"characteristics?_.+_[0-9]+_(?:unit|tag|ontologyterms_[0-9]+)", re.IGNORECASE | re.DOTALL)
_AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-z./ -]*)")
_TERM = re.compile(r"(?:.*[/#:])?([A-Za-z]+)[_:]([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmonization:
    """What harmonisation made of the metadata of one sample.

    Attributes:
        title: The sample's title, None if the metadata have none.
        values: At most one value per field, in the order of the fields' table.
        unmatched_keys: Keys with a value that no rule took, as the submitter wrote them, sorted.
    """

    title: str | None
    values: tuple[HarmonizedValue, ...]
    unmatched_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    field: str
    key: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contribution:
    rule: _Rule
    prefix: int
    source: int
    raw_key: str
    raw_value: str
    unit: str | None
    ontology_term_id: str | None

    @property
    def level(self) -> int:
        """0 for the sample's own key, 1 for its host's, 2 for a fallback key; the lowest with a value speaks alone."""
        if (self.rule.field, self.rule.key) in FALLBACK:
            return 2
        return 1 if self.prefix == HOST_KEY else 0

    @property
    def priority(self) -> tuple[int, int, int, int, str, str]:
        return (self.level, self.rule.position, self.prefix, self.source, self.raw_key, self.raw_value)

    @property
    def rule_name(self) -> str:
        return f"{self.rule.field}/{self.rule.key}" + (" (host)" if self.prefix == HOST_KEY else "")


def harmonize(sources: Sequence[tuple[str, Mapping[str, str]]]) -> Harmonization:
    """Harmonise the metadata of one sample.

    Args:
        sources: Named mappings of raw key -> raw value, the most trusted first. Keys may be plain (``cell type``),
            SDRF headers (``Characteristics[cell type]``) or flattened BioSamples names (``characteristics_cell
            type_0_text``; unit and ontology term are then read from ``…_0_unit`` and ``…_0_ontologyTerms_0``).
    """
    contributions: dict[str, list[_Contribution]] = {}
    unmatched: set[str] = set()
    for index, (_, metadata) in enumerate(sources):
        for key, value in metadata.items():
            if _COMPANION.fullmatch(key) or is_placeholder(value):
                continue
            found = list(_contributions(key, value, metadata, source=index))
            if not found:
                unmatched.add(submitted_key(key))
            for contribution in found:
                contributions.setdefault(contribution.rule.field, []).append(contribution)
    for of_field in contributions.values():
        of_field.sort(key=lambda contribution: contribution.priority)
    values = (_harmonized(field, contributions.get(field, [])) for field in FIELD_KEYS)
    return Harmonization(
        title=_title(contributions.get(_TITLE, [])),
        values=tuple(value for value in values if value is not None),
        unmatched_keys=tuple(sorted(unmatched)),
    )


def recognises(key: str) -> bool:
    """Whether some rule takes a raw key."""
    return bool(_rules_of(key))


def submitted_key(key: str) -> str:
    """The key as the submitter wrote it: ``characteristics_age_0_text`` and ``Factor Value[age]`` -> ``age``."""
    text = key.strip()
    wrapped = _BRACKETS.fullmatch(text) or _FLATTENED.fullmatch(text)
    return wrapped.group(1).strip() if wrapped else text


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


def _normalised(words: Iterable[str]) -> str:
    return "".join(words).lower()


def _key_table() -> dict[str, tuple[_Rule, ...]]:
    table: dict[str, tuple[_Rule, ...]] = {}
    for field, keys in {_TITLE: TITLE_KEYS, **FIELD_KEYS}.items():
        for position, key in enumerate(keys):
            normalised = _normalised(_WORD.findall(key))
            table[normalised] = (*table.get(normalised, ()), _Rule(field=field, key=key, position=position))
    return table


_KEYS = _key_table()


@lru_cache(maxsize=65536)
def _rules_of(key: str) -> tuple[tuple[_Rule, int], ...]:
    words = tuple(_WORD.findall(submitted_key(key).lower()))
    for length in range(3):
        rank = PREFIXES.get(words[:length])
        rules = _KEYS.get(_normalised(words[length:])) if rank is not None else None
        if rules is not None and rank is not None:
            return tuple((rule, rank) for rule in rules)
    return ()


def _contributions(key: str, value: str, metadata: Mapping[str, str], *, source: int) -> Iterator[_Contribution]:
    stem = key.removesuffix("_text")
    term = metadata.get(f"{stem}_ontologyTerms_0") if stem != key else None
    unit = metadata.get(f"{stem}_unit") if stem != key else None
    for rule, prefix in _rules_of(key):
        yield _Contribution(
            rule=rule,
            prefix=prefix,
            source=source,
            raw_key=submitted_key(key),
            raw_value=value,
            unit=unit or None,
            ontology_term_id=ontology_term_id(term) if term else None,
        )


def _title(contributions: list[_Contribution]) -> str | None:
    """The first title that is not merely an accession; an accession if there is nothing else."""
    titles = [" ".join(contribution.raw_value.split()) for contribution in contributions]
    return next((title for title in titles if not _is_accession(title)), titles[0] if titles else None)


def _is_accession(text: str) -> bool:
    try:
        parse_accession(text)
    except UnsupportedAccessionError:
        return False
    return True


def _harmonized(field: str, contributions: list[_Contribution]) -> HarmonizedValue | None:
    speaking = [each for each in contributions if each.level == contributions[0].level]
    return _age(contributions) if field == "age" else _text_value(field, speaking)


def _text_value(field: str, contributions: list[_Contribution]) -> HarmonizedValue | None:
    """Distinct values joined with ``;`` as in refine.bio, but by priority of their keys instead of alphabetically."""
    by_value: dict[str, _Contribution] = {}
    for contribution in contributions:
        by_value.setdefault(_canonical(field, contribution), contribution)
    if not by_value:
        return None
    chosen = list(by_value.values())
    units = {contribution.unit for contribution in chosen}
    terms = [contribution.ontology_term_id for contribution in chosen if contribution.ontology_term_id]
    return HarmonizedValue(
        field=field,
        value=";".join(by_value),
        raw_key=";".join(dict.fromkeys(contribution.raw_key for contribution in chosen)),
        raw_value=";".join(contribution.raw_value for contribution in chosen),
        rule=_rule_names(chosen),
        unit=units.pop() if len(units) == 1 else None,
        ontology_term_id=";".join(dict.fromkeys(terms)) or None,
    )


def _rule_names(contributions: list[_Contribution]) -> str:
    names = list(dict.fromkeys(contribution.rule_name for contribution in contributions))
    while len(";".join(names)) > _LONGEST_RULE:
        names.pop()
    return ";".join(names)


def _canonical(field: str, contribution: _Contribution) -> str:
    value = " ".join(contribution.raw_value.lower().split())
    return SEXES.get(value, value) if field == "sex" else value


def _age(contributions: list[_Contribution]) -> HarmonizedValue | None:
    """The first age that is a number, with its unit: from the value, else from BioSamples' unit, else from the key."""
    for contribution in contributions:
        parsed = parse_age(contribution.raw_value)
        if parsed is not None:
            number, unit = parsed
            return HarmonizedValue(
                field="age",
                value=number,
                raw_key=contribution.raw_key,
                raw_value=contribution.raw_value,
                rule=contribution.rule_name,
                unit=unit or _unit(contribution.unit or "") or _unit_in_key(contribution.rule.key),
                ontology_term_id=contribution.ontology_term_id,
            )
    return None


def parse_age(text: str) -> tuple[str, str | None] | None:
    """``29 years old`` -> ``("29", "year")``, ``57`` -> ``("57", None)``; None if it is not a number with a unit."""
    match = _AGE.fullmatch(" ".join(text.lower().split()))
    if match is None:
        return None
    number, rest = match.groups()
    words = " ".join(rest.replace("-", " ").split()).removesuffix("old").removesuffix("of age").strip()
    unit = _unit(words)
    return None if words and unit is None else (_canonical_number(number), unit)


def _unit(words: str) -> str | None:
    return AGE_UNITS.get(words.strip().lower())


def _unit_in_key(key: str) -> str | None:
    return next((unit for word in _WORD.findall(key) if (unit := _unit(word))), None)


def _canonical_number(number: str) -> str:
    whole, _, fraction = number.partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
