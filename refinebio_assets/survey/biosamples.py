"""The submitter's attributes in a BioSample of EBI (https://www.ebi.ac.uk/biosamples/docs/references/api/submit)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from refinebio_assets.survey.archive_rows import Row, as_text, text

BIOSAMPLES_BOOKKEEPING = frozenset(
    {
        "biosamplemodel",
        "external id",
        "ncbi submission model",
        "ncbi submission package",
        "organism",
        "sra accession",
        "submitter id",
        "synonym",
    }
)
"""BioSamples attributes that the archive adds itself, beside all that begin with "INSDC" or "ENA-": not harmonised."""


def flatten_biosample(biosample: Row) -> dict[str, str]:
    """The submitter's attributes of a BioSample under flattened names.

    ``{"characteristics": {"organism part": [{"text": "liver", "ontologyTerms": ["…/UBERON_0002107"]}]}}`` becomes
    ``characteristics_organism part_0_text`` and ``characteristics_organism part_0_ontologyTerms_0``.
    """
    flat: dict[str, str] = {}
    for name, number, entry in _attributes(biosample):
        if _is_bookkeeping(name):
            continue
        terms = entry.get("ontologyTerms")
        term = as_text(terms[0]) if isinstance(terms, list) and terms else ""
        parts = {"text": text(entry, "text"), "unit": text(entry, "unit"), "ontologyTerms_0": term}
        flat.update({f"characteristics_{name}_{number}_{part}": value for part, value in parts.items() if value})
    return flat


def biosample_text(biosample: Row) -> str:
    """Attribute names and values of a BioSample as one text, for rules that look for words."""
    return "\n".join(part for name, _, entry in _attributes(biosample) for part in (name, text(entry, "text")))


def _attributes(biosample: Row) -> Iterator[tuple[str, int, Row]]:
    characteristics = biosample.get("characteristics")
    for name, several in characteristics.items() if isinstance(characteristics, Mapping) else ():
        entries = [entry for entry in several if isinstance(entry, Mapping)] if isinstance(several, list) else []
        for number, entry in enumerate(entries):
            yield as_text(name), number, entry


def _is_bookkeeping(name: str) -> bool:
    lowered = name.lower()
    return lowered in BIOSAMPLES_BOOKKEEPING or lowered.startswith(("insdc ", "ena-"))
