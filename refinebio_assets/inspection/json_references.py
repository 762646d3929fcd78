"""JSON without samples of its own: Ensembl, ontologies, imports of attributes and keywords, recorded answers."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from refinebio_assets.domain.accessions import AccessionType
from refinebio_assets.inspection import ontologies
from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Setting
from refinebio_assets.inspection.report import Description, plain_sample
from refinebio_assets.survey.archive_rows import Row, accession_of, as_text, text
from refinebio_assets.survey.ensembl_species import all_species, parse_division
from refinebio_assets.survey.harmonisation import harmonize

_TERM = re.compile(r"[A-Za-z][A-Za-z0-9]*[:_][A-Za-z0-9]+")
_LOOKED_AT = 100


def ensembl(value: Any, _: Content, __: Setting) -> Description | None:
    """Species, genomes of a division, and release numbers of Ensembl's REST service."""
    if isinstance(value, dict) and len(value) == 1 and {"release", "version"} & value.keys():
        number = next(iter(value.values()))
        if not isinstance(number, int | str) or not str(number).isdigit():
            return None
        description = Description(kind="ensembl_release", confidence=0.9, evidence=["a release number alone"])
        description.header = {"release": str(number)}
        return description
    rows = value.get("species") if isinstance(value, dict) else value
    if not isinstance(rows, list) or not rows or not all(map(_is_genome, rows[:_LOOKED_AT])):
        return None
    divisions = Counter(text(row, "division") for row in rows if isinstance(row, dict))
    species = [each for division in divisions for each in all_species(_known(division), rows)]
    kind = "ensembl_species" if isinstance(value, dict) else "ensembl_genomes"
    description = Description(kind=kind, evidence=["rows with name, division and assembly"], columns=list(rows[0]))
    description.header = {
        "rows": len(rows),
        "divisions": dict(sorted(divisions.items())),
        "organisms": len({each.organism for each in species}),
    }
    return description


def _known(division: str) -> str:
    return parse_division(division).value


def _is_genome(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and {"name", "division"} <= row.keys()
        and bool({"assembly", "assembly_name"} & row.keys())
        and text(row, "division").startswith("Ensembl")
    )


def ontology_lookup(value: Any, _: Content, __: Setting) -> Description | None:
    """Answers of the Ontology Lookup Service: an ontology, or a page of terms."""
    if not isinstance(value, dict):
        return None
    if "ontologyId" in value:
        description = Description(kind=ontologies.LOOKUP, evidence=["ontologyId of the Ontology Lookup Service"])
        description.header = {name: part for name, part in value.items() if isinstance(part, str | int)}
        return description
    embedded = value.get("_embedded")
    terms = embedded.get("terms") if isinstance(embedded, dict) else None
    if not isinstance(terms, list) and not ("_links" in value and isinstance(value.get("page"), dict)):
        return None
    found = [term for term in terms or [] if isinstance(term, dict)]
    description = Description(kind=ontologies.LOOKUP, evidence=["a page of the Ontology Lookup Service"])
    description.header = {"terms": [{"id": text(term, "obo_id"), "label": text(term, "label")} for term in found]}
    return description


def ontology(value: Any, content: Content, _: Setting) -> Description | None:
    """OBO graphs and objects by ontology term."""
    if not isinstance(value, dict) or not value:
        return None
    if isinstance(value.get("graphs"), list) and value["graphs"]:
        return ontologies.describe_file(content, Description(kind=ontologies.ONTOLOGY, evidence=["an OBO graph"]))
    keys = list(value)[:_LOOKED_AT]
    if not all(map(_TERM.fullmatch, keys)) or not all(isinstance(value[key], dict | list) for key in keys):
        return None
    objects = [value[key] for key in keys if isinstance(value[key], dict)]
    if len(objects) == len(keys) and all({"label", "ancestors"} & each.keys() for each in objects):
        told = Description(kind=ontologies.ONTOLOGY, evidence=["objects with label and ancestors by ontology term"])
        return ontologies.describe_file(content, told)
    if not all(":" in key for key in keys) or parse_any(keys):
        return None
    description = Description(kind="ontology_mappings", confidence=0.7, evidence=["lists or objects by ontology term"])
    prefixes = Counter(re.split(r"[:_]", key)[0] for key in value)
    description.header = {"terms": len(value), "prefixes": dict(prefixes.most_common(10))}
    return description


def parse_any(words: list[str]) -> bool:
    """Whether one of some words is an accession."""
    return any(accession_of(word, frozenset(AccessionType)) for word in words)


def imports(value: Any, _: Content, __: Setting) -> Description | None:
    """What ``refinebio metadata import`` takes: attributes and keywords of samples."""
    if isinstance(value, dict) and value and all(map(_are_terms, value.values())):
        description = Description(kind="sample_keywords", confidence=0.9, evidence=["accession -> ontology terms"])
        description.header = {"samples": len(value), "terms": len({term for terms in value.values() for term in terms})}
        return description
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        return None
    if all({"sample_accession", "attributes"} <= row.keys() for row in value):
        raw = [row for row in value if isinstance(row["attributes"], dict)]
        kind = "sample_metadata" if raw else "sample_attributes"
        description = Description(kind=kind, confidence=0.9, evidence=["rows with sample_accession and attributes"])
        description.header = {"samples": len(value)}
        description.samples = [_raw_sample(text(row, "sample_accession"), row["attributes"]) for row in raw]
        return description
    return None


def _are_terms(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(term, str) and _TERM.fullmatch(term) for term in value)
    )


def raw_metadata(value: Any, _: Content, __: Setting) -> Description | None:
    """A list of samples with nothing but their attributes, as text."""
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(row, dict) and row and all(isinstance(each, str) for each in row.values()) for row in value):
        return None
    samples = [_raw_sample(text(row, "ID") or f"row {number}", row) for number, row in enumerate(value, start=1)]
    if not any(sample["harmonized"] for sample in samples):
        return None
    description = Description(kind="sample_metadata", confidence=0.6, evidence=["rows of texts that are harmonised"])
    description.samples = samples
    description.columns = list(dict.fromkeys(column for row in value[:_LOOKED_AT] for column in row))
    return description


def _raw_sample(accession: str, attributes: Row) -> dict[str, Any]:
    own = {key: as_text(each) for key, each in attributes.items()}
    harmonization = harmonize([("attributes", own)])
    return plain_sample(
        accession, title=harmonization.title, harmonized=harmonization.values, annotations={"attributes": own}
    )


def encode(value: Any, _: Content, __: Setting) -> Description | None:
    """Objects of the ENCODE portal, which is no archive that is surveyed."""
    if not isinstance(value, dict):
        return None
    objects = [value, *(each for each in value.values() if isinstance(each, dict))]
    accessions = [text(each, "accession") for each in objects if text(each, "accession").startswith("ENC")]
    if not accessions and not ("schema_version" in value and "dbxrefs" in value):
        return None
    description = Description(kind="encode", confidence=0.9, evidence=["accessions of the ENCODE portal"])
    description.header = {"accessions": accessions[:20]}
    description.warnings.append("ENCODE is not surveyed; give the SRA or GEO accession of the data.")
    return description


SHAPES = (ensembl, imports, ontology_lookup, ontology, encode, raw_metadata)
