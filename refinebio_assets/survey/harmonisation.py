"""Harmonisation of sample metadata: submitters' keys and values -> a title and harmonised fields, with provenance.

Keys are matched in :mod:`~refinebio_assets.survey.harmonised_keys`, values are read by
:mod:`~refinebio_assets.survey.harmonised_values`; here is decided which of them speak. The outcome depends on the keys
and values alone, not on their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from refinebio_assets.domain.accessions import parse_accession
from refinebio_assets.domain.errors import UnsupportedAccessionError
from refinebio_assets.domain.records import HarmonizedValue
from refinebio_assets.survey.harmonisation_rules import FIELD_KEYS
from refinebio_assets.survey.harmonised_keys import (
    SPELLINGS,
    TITLE,
    KeyRule,
    is_placeholder,
    ontology_term_id,
    recognises,
    rules_of,
    submitted_key,
)
from refinebio_assets.survey.harmonised_terms import TermIndex, join_terms, with_terms
from refinebio_assets.survey.harmonised_values import Reading, Submitted, readings

__all__ = ["Harmonization", "harmonize", "is_placeholder", "ontology_term_id", "recognises", "submitted_key"]

_LONGEST_RULE = 200
"""Characters; the catalog's column has 255, and an ontology may still be named."""

_COMPANION = re.compile(r"characteristics?_.+_[0-9]+_(?:unit|tag|ontologyterms_[0-9]+)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmonization:
    """What harmonisation made of the metadata of one sample.

    Attributes:
        title: The sample's title, None if the metadata have none.
        values: At most one value per field, in the order of the fields' table.
        unmatched_keys: Keys with a value that no rule took or could read (``age: 10 DAG``), as the submitter wrote
            them, sorted.
    """

    title: str | None
    values: tuple[HarmonizedValue, ...]
    unmatched_keys: tuple[str, ...]


def harmonize(
    sources: Sequence[tuple[str, Mapping[str, str]]], *, terms: Mapping[str, TermIndex] | None = None
) -> Harmonization:
    """Harmonise the metadata of one sample.

    Args:
        sources: Named mappings of raw key -> raw value, the most trusted first. Keys may be plain (``cell type``),
            SDRF headers (``Characteristics[cell type]``) or flattened BioSamples names (``characteristics_cell
            type_0_text``; unit and ontology term are then read from ``…_0_unit`` and ``…_0_ontologyTerms_0``).
        terms: Field -> ontology terms by name, for values that were submitted without a term.
    """
    found: dict[str, list[Reading]] = {}
    titles: list[Submitted] = []
    read: set[str] = set()
    submitted_keys: set[str] = set()
    for index, (_, metadata) in enumerate(sources):
        for key, value in metadata.items():
            if _COMPANION.fullmatch(key) or is_placeholder(value):
                continue
            submitted_keys.add(submitted_key(key))
            for submitted in (_submitted(rule, key, value, metadata, source=index) for rule in rules_of(key)):
                if submitted.rule.field == TITLE:
                    titles.append(submitted)
                    read.add(submitted.raw_key)
                    continue
                for reading in readings(submitted):
                    found.setdefault(reading.field, []).append(reading)
                    read.add(submitted.raw_key)
    values = (_harmonized(field, found[field]) for field in FIELD_KEYS if field in found)
    return Harmonization(
        title=_title(titles),
        values=with_terms(values, terms or {}),
        unmatched_keys=tuple(sorted(submitted_keys - read)),
    )


def _submitted(rule: KeyRule, key: str, value: str, metadata: Mapping[str, str], *, source: int) -> Submitted:
    stem = key.removesuffix("_text")
    flattened = stem != key
    term = metadata.get(f"{stem}_ontologyTerms_0") if flattened else None
    return Submitted(
        rule=rule,
        source=source,
        raw_key=submitted_key(key),
        raw_value=value,
        unit=(metadata.get(f"{stem}_unit") or None) if flattened else None,
        term=ontology_term_id(term) if term else None,
    )


def _title(submitted: list[Submitted]) -> str | None:
    """The first title that is not merely an accession; an accession if there is nothing else."""
    submitted.sort(key=lambda each: (each.rule.position, each.rule.rank, each.source, each.raw_key, each.raw_value))
    titles = [" ".join(each.raw_value.split()) for each in submitted]
    return next((title for title in titles if not _is_accession(title)), titles[0] if titles else None)


def _is_accession(text: str) -> bool:
    try:
        parse_accession(text)
    except UnsupportedAccessionError:
        return False
    return True


def _harmonized(field: str, found: list[Reading]) -> HarmonizedValue:
    """The value of a field from all that was said of it: readings of the lowest level, the leading key first.

    Distinct values are joined with ``;``. Of ages only those of the leading key count: an age at diagnosis is another
    thing than an age.
    """
    found.sort(key=lambda reading: reading.priority)
    speaking = [each for each in found if each.level == found[0].level]
    if field == "age":
        speaking = [each for each in speaking if each.submitted.rule.key == speaking[0].submitted.rule.key]
    chosen = _distinct(speaking, with_units=field in SPELLINGS)
    units = {reading.unit for reading in chosen}
    same_unit = len(units) == 1
    several_units = field in SPELLINGS and not same_unit
    terms = [reading.term for reading in chosen]
    quantities = field in SPELLINGS and units != {None}
    return HarmonizedValue(
        field=field,
        value=";".join(_with_unit(each) if several_units else each.value for each in chosen),
        raw_key=";".join(dict.fromkeys(each.submitted.raw_key for each in chosen)),
        raw_value=";".join(each.submitted.raw_value for each in chosen),
        rule=_rule_names(chosen),
        unit=units.pop() if same_unit else None,
        ontology_term_id=terms[0] if same_unit and quantities else join_terms(terms),
    )


def _distinct(found: Sequence[Reading], *, with_units: bool) -> list[Reading]:
    """One reading per value; of equal ones the first, with the term that only a later one has.

    Equal numbers with different units are different values; one without a unit is the same as one with.
    """
    if with_units:
        found = [_same_with_unit(each, found) for each in found]
    chosen: dict[tuple[str, str | None], Reading] = {}
    for each in found:
        key = (each.value, each.unit if with_units else None)
        before = chosen.setdefault(key, each)
        if before.term is None and each.term is not None:
            chosen[key] = replace(before, term=each.term)
    return list(chosen.values())


def _same_with_unit(reading: Reading, found: Sequence[Reading]) -> Reading:
    """A number without a unit, if the same number was submitted with one unit only: that one's unit and term."""
    named = {(each.unit, each.term) for each in found if each.value == reading.value and each.unit}
    if reading.unit or len(named) != 1:
        return reading
    ((unit, term),) = named
    return replace(reading, unit=unit, term=term)


def _with_unit(reading: Reading) -> str:
    return f"{reading.value} {reading.unit}" if reading.unit else reading.value


def _rule_names(found: Iterable[Reading]) -> str:
    names = list(dict.fromkeys(reading.rule_name for reading in found))
    while len(";".join(names)) > _LONGEST_RULE:
        names.pop()
    return ";".join(names)
