"""Ontology terms of harmonised values: what submitters gave, else an exact label or synonym, never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from refinebio_assets.domain.records import HarmonizedValue, SurveyResult

TERM_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "specimen_part": ("UBERON", "CL"),
    "disease": ("MONDO", "DOID", "EFO"),
    "cell_line": ("CVCL", "CLO", "EFO"),
    "developmental_stage": ("UBERON", "EFO"),
    "genetic_information": ("EFO",),
    "race": ("HANCESTRO",),
    "treatment": ("CHEBI",),
    "compound": ("CHEBI",),
}
"""Field -> ontologies whose terms its values may have. Sexes and units have theirs by rule (PATO, UO)."""

TERM_ROOTS: Mapping[tuple[str, str], str] = {
    ("developmental_stage", "UBERON"): "UBERON:0000105",
    ("developmental_stage", "EFO"): "EFO:0000399",
}
"""(field, ontology) -> the term below which the field's terms are: life cycle stages, developmental stages. Without it
the stage "shield" of a fish would become UBERON:0003062, the node of a gastrula, which is called so, too."""


class TermIndex(Protocol):
    """Terms of some ontologies by name."""

    def lookup(self, label: str) -> str | None:
        """The id (``UBERON:0002107``) of the one term with this label or exact synonym, in any letter case.

        None if there is none, or if several terms share a synonym.
        """


def with_terms(values: Iterable[HarmonizedValue], indices: Mapping[str, TermIndex]) -> tuple[HarmonizedValue, ...]:
    """Give values that the submitters gave no term one of an ontology, if it has a term of exactly that name.

    Args:
        values: Harmonised values of one sample.
        indices: Field -> terms of its ontologies (:data:`TERM_PREFIXES`). A field without an index keeps its values.

    Returns:
        The values; where an ontology gave a term, the rule says which (``specimen_part/tissue (UBERON)``).
    """
    return tuple(_with_term(value, indices.get(value.field)) for value in values)


def survey_with_terms(result: SurveyResult, indices: Mapping[str, TermIndex]) -> SurveyResult:
    """:func:`with_terms` for all samples of a survey."""
    if not indices:
        return result
    samples = tuple(
        replace(sample, record=replace(sample.record, harmonized=with_terms(sample.record.harmonized, indices)))
        for sample in result.samples
    )
    return replace(result, samples=samples)


def join_terms(terms: Iterable[str | None]) -> str | None:
    """Terms of values that are joined: in their order, an empty place for a value without one; None if none has."""
    places = [term or "" for term in terms]
    return ";".join(places) if any(places) else None


def _with_term(value: HarmonizedValue, index: TermIndex | None) -> HarmonizedValue:
    prefixes = TERM_PREFIXES.get(value.field, ())
    if index is None or value.unit is not None:
        return value
    labels = value.value.split(";")
    given = (value.ontology_term_id or "").split(";")
    if len(given) != len(labels):
        given = [""] * len(labels) if not value.ontology_term_id else given
    if len(given) != len(labels):  # a value with a semicolon of its own: its terms have no certain places
        return value
    found = [term or _found(label, index, prefixes) for term, label in zip(given, labels, strict=True)]
    added = dict.fromkeys(
        term.partition(":")[0] for term, before in zip(found, given, strict=True) if term and not before
    )
    if not added:
        return value
    return replace(value, ontology_term_id=join_terms(found), rule=f"{value.rule} ({', '.join(added)})")


def _found(label: str, index: TermIndex, prefixes: tuple[str, ...]) -> str | None:
    term = index.lookup(label.strip())
    return term if term is not None and term.partition(":")[0] in prefixes else None
