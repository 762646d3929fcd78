"""What an SDRF says about the material of an assay: organism, and the attributes that are harmonised."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from refinebio_assets.survey.array_express_assays import Assay
from refinebio_assets.survey.harmonisation import is_placeholder, recognises
from refinebio_assets.survey.mage_tab import Attribute, header_key

_UNIT_COLUMN = re.compile(r"(?:time|age|concentration|dose)[ _]?units?|units?", re.IGNORECASE)
_ORGANISM = "organism"
_TAXON = re.compile(r"(?:.*[/#:_])?(?:NCBITaxon[:_])?([0-9]+)", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")
_NOT_HARMONISED = frozenset({_ORGANISM})


def organisms(assay: Assay) -> tuple[str, ...]:
    """Distinct organisms of the assay's materials as the submitter wrote them, whatever the letter case."""
    found: dict[str, str] = {}
    for each in _organism_attributes(assay):
        name = " ".join(each.value.split())
        if name and not is_placeholder(name):
            found.setdefault(name.lower(), name)
    return tuple(found.values())


def taxonomy_id(assay: Assay) -> int | None:
    """The NCBI taxon of the organism's ontology term, None if there is none or several."""
    terms = {each.term_accession for each in _organism_attributes(assay) if each.term_accession}
    ids = {int(match.group(1)) for term in terms if (match := _TAXON.fullmatch(term))}
    return ids.pop() if len(ids) == 1 else None


def _organism_attributes(assay: Assay) -> Iterator[Attribute]:
    return (
        each for row in assay.rows for each in row.attributes("Characteristics") if header_key(each.name) == _ORGANISM
    )


def metadata(assay: Assay) -> Sequence[tuple[str, Mapping[str, str]]]:
    """Raw metadata for harmonisation: characteristics, then factor values, then the comments a rule knows.

    Keys are the flattened names that :func:`~refinebio_assets.survey.harmonisation.harmonize` reads units and ontology
    terms from (``characteristics_age_0_text``, ``characteristics_age_0_unit``). The channels of a two-colour array are
    numbered: each contributes its values.
    """
    return [(kind, _flattened(assay, kind)) for kind in ("Characteristics", "Factor Value", "Comment")]


def _flattened(assay: Assay, kind: str) -> dict[str, str]:
    flat: dict[str, str] = {}
    seen: set[tuple[str, str, str]] = set()
    numbers: dict[str, int] = {}
    for row in assay.rows:
        for name, value, unit, term in _with_unit_columns(row.attributes(kind)):
            if (name, value, unit) in seen or not _is_harmonised(kind, name):
                continue
            seen.add((name, value, unit))
            number = numbers[name] = numbers.get(name, -1) + 1
            parts = {"text": value, "unit": unit, "ontologyTerms_0": term}
            flat.update({f"characteristics_{name}_{number}_{part}": text for part, text in parts.items() if text})
    return flat


def _is_harmonised(kind: str, name: str) -> bool:
    if kind == "Comment":
        return recognises(name)
    return bool(name) and header_key(name) not in _NOT_HARMONISED


def _with_unit_columns(attributes: tuple[Attribute, ...]) -> Iterator[tuple[str, str, str, str]]:
    """Name, value, unit, ontology term. Old files write units as ``Characteristics[TimeUnit]`` after the value."""
    for position, each in enumerate(attributes):
        following = attributes[position + 1] if position + 1 < len(attributes) else None
        if position and _is_unit_column(each) and attributes[position - 1].value and not attributes[position - 1].unit:
            continue
        unit = each.unit
        if not unit and following is not None and _is_unit_column(following) and not _is_unit_column(each):
            unit = following.value
        yield each.name, each.value, unit, _term(each)


def _is_unit_column(attribute: Attribute) -> bool:
    return _UNIT_COLUMN.fullmatch(attribute.name) is not None


def _term(attribute: Attribute) -> str:
    """The ontology term; a bare number belongs to the ontology named beside it."""
    term = attribute.term_accession
    return f"{attribute.term_source}:{term}" if attribute.term_source and _DIGITS.fullmatch(term) else term
