"""Entities of the SRA's XML as rows with ENA's columns. The key ``""`` of a row is the entity's accession."""

from __future__ import annotations

import re
from typing import Any

from refinebio_assets.domain.accessions import AccessionType
from refinebio_assets.survey.archive_rows import accession_of
from refinebio_assets.survey.sra_xml_elements import Element

_BIOSAMPLE = frozenset({AccessionType.BIOSAMPLE})
_PROJECT = frozenset({AccessionType.BIOPROJECT})
_SERIES = frozenset({AccessionType.GEO_SERIES})
_TYPES = {
    "RUN": frozenset({AccessionType.SRA_RUN}),
    "EXPERIMENT": frozenset({AccessionType.SRA_EXPERIMENT}),
    "SAMPLE": frozenset({AccessionType.SRA_SAMPLE}),
    "STUDY": frozenset({AccessionType.SRA_STUDY}),
}
_DATES = {"ENA-FIRST-PUBLIC": "first_public", "ENA-LAST-UPDATE": "last_updated"}
_COUNTS = {"ENA-SPOT-COUNT": "read_count", "ENA-BASE-COUNT": "base_count"}
_CONTROLLED_CLUSTER = "dbgap"
_SCHEME = re.compile(r"^[a-z0-9]+://", re.IGNORECASE)


def run_row(run: Element) -> dict[str, Any]:
    """A ``read_run`` row of what a RUN element says itself."""
    experiment = run.find("EXPERIMENT_REF")
    members = run.all("Pool", "Member")
    row = {
        **_identity(run, "run"),
        "experiment_accession": experiment.attribute("accession") if experiment is not None else "",
        "experiment_alias": experiment.attribute("refname") if experiment is not None else "",
        "read_count": run.attribute("total_spots"),
        "base_count": run.attribute("total_bases"),
        "first_public": run.attribute("published")[:10],
        "status": _status(run),
        "secondary_sample_accession": _distinct(member.attribute("accession") for member in members)
        or _single_link(run, "SAMPLE"),
        "secondary_study_accession": _single_link(run, "STUDY"),
        "sample_accession": _distinct(_external(member, "BioSample", _BIOSAMPLE) for member in members),
        "scientific_name": _distinct(member.attribute("organism") for member in members),
        "tax_id": _distinct(member.attribute("tax_id") for member in members),
        **_files(run),
        **_noted(run, "RUN"),
    }
    return _filled(row)


def experiment_row(experiment: Element) -> dict[str, Any]:
    """The columns that ENA takes from an EXPERIMENT: titles, platform and library."""
    study, design = experiment.find("STUDY_REF"), experiment.find("DESIGN")
    sample = design.find("SAMPLE_DESCRIPTOR") if design is not None else None
    platforms = experiment.find("PLATFORM")
    platform = platforms.children[0] if platforms is not None and platforms.children else None
    row = {
        **_identity(experiment, "experiment"),
        "experiment_title": experiment.text_of("TITLE"),
        "secondary_study_accession": study.attribute("accession") if study is not None else "",
        "study_accession": _external(study, "BioProject", _PROJECT),
        "secondary_sample_accession": sample.attribute("accession") if sample is not None else "",
        "sample_accession": _external(sample, "BioSample", _BIOSAMPLE),
        "instrument_platform": platform.tag if platform is not None else "",
        "instrument_model": platform.text_of("INSTRUMENT_MODEL") if platform is not None else "",
        **_library(design),
    }
    return _filled(row)


def sample_row(sample: Element) -> dict[str, Any]:
    """The columns that ENA takes from a SAMPLE, its attributes, and the same as EBI's BioSamples would have them."""
    attributes: dict[str, list[dict[str, str]]] = {}
    plain: dict[str, str] = {}
    for each in sample.all("SAMPLE_ATTRIBUTES", "SAMPLE_ATTRIBUTE"):
        tag, value = each.text_of("TAG"), each.text_of("VALUE")
        if tag and value:
            units = each.text_of("UNITS")
            attributes.setdefault(tag, []).append({"text": value} | ({"unit": units} if units else {}))
            plain.setdefault(tag, f"{value} {units}".strip())
    title = sample.text_of("TITLE")
    if title and "title" not in map(str.lower, attributes):
        attributes["title"] = [{"text": title}]
    biosample = _external(sample, "BioSample", _BIOSAMPLE)
    row = {
        **_identity(sample, "sample"),
        "sample_accession": biosample,
        "sample_title": title,
        "sample_description": sample.text_of("DESCRIPTION"),
        "scientific_name": sample.text_of("SAMPLE_NAME", "SCIENTIFIC_NAME"),
        "tax_id": sample.text_of("SAMPLE_NAME", "TAXON_ID"),
        "attributes": plain,
        "biosample": {"accession": biosample or sample.attribute("accession"), "characteristics": attributes},
    }
    return _filled(row)


def study_row(study: Element) -> dict[str, Any]:
    """The row of ENA's study table: titles, texts, accessions elsewhere, publication."""
    links = [link for link in study.all("STUDY_LINKS", "STUDY_LINK", "XREF_LINK") if link.text_of("ID")]
    elsewhere = [link.text_of("ID") for link in links if link.text_of("DB").upper() == "ARRAYEXPRESS"]
    pubmed = [link.text_of("ID") for link in links if link.text_of("DB").lower() == "pubmed"]
    abstract, text = study.text_of("DESCRIPTOR", "STUDY_ABSTRACT"), study.text_of("DESCRIPTOR", "STUDY_DESCRIPTION")
    row = {
        **_identity(study, "study"),
        "secondary_study_accession": study.attribute("accession"),
        "study_accession": _external(study, "BioProject", _PROJECT) or _secondary(study, _PROJECT),
        "study_title": study.text_of("DESCRIPTOR", "STUDY_TITLE"),
        "study_description": abstract or text,
        "study_name": study.text_of("DESCRIPTOR", "CENTER_PROJECT_NAME"),
        "study_alias": ";".join(filter(None, dict.fromkeys([study.attribute("alias"), *elsewhere]))),
        "geo_accession": _external(study, "GEO", _SERIES),
        "pubmed_id": pubmed[0] if pubmed else "",
        **_noted(study, "STUDY"),
    }
    return _filled(row)


def submission_row(submission: Element) -> dict[str, Any]:
    """A SUBMISSION: who sent it, and the accessions it holds as ENA lists them (ranges too)."""
    links = submission.all("SUBMISSION_LINKS", "SUBMISSION_LINK", "XREF_LINK")
    named = {link.text_of("DB"): link.text_of("ID") for link in links if not link.text_of("ID").startswith("http")}
    return _filled(
        {
            "": submission.attribute("accession") or None,
            "alias": submission.attribute("alias"),
            "center_name": submission.attribute("center_name"),
            "broker_name": submission.attribute("broker_name"),
            "title": submission.text_of("TITLE"),
            "links": named,
        }
    )


def _identity(element: Element, kind: str) -> dict[str, Any]:
    accession = accession_of(
        element.attribute("accession") or element.text_of("IDENTIFIERS", "PRIMARY_ID"), _TYPES[element.tag]
    )
    columns = {"run": "run_accession", "experiment": "experiment_accession", "sample": "secondary_sample_accession"}
    row: dict[str, Any] = {
        "": accession,
        f"{kind}_alias": element.attribute("alias"),
        "center_name": element.attribute("center_name"),
        "broker_name": element.attribute("broker_name"),
    }
    return row | ({columns[kind]: accession} if kind in columns else {})


def _library(design: Element | None) -> dict[str, str]:
    library = design.find("LIBRARY_DESCRIPTOR") if design is not None else None
    if library is None:
        return {}
    layout = library.find("LIBRARY_LAYOUT")
    arrangement = layout.children[0] if layout is not None and layout.children else None
    return {
        "library_name": library.text_of("LIBRARY_NAME"),
        "library_strategy": library.text_of("LIBRARY_STRATEGY"),
        "library_source": library.text_of("LIBRARY_SOURCE"),
        "library_selection": library.text_of("LIBRARY_SELECTION"),
        "library_layout": arrangement.tag if arrangement is not None else layout.text if layout is not None else "",
        "nominal_length": arrangement.attribute("NOMINAL_LENGTH") if arrangement is not None else "",
        "library_construction_protocol": library.text_of("LIBRARY_CONSTRUCTION_PROTOCOL"),
    }


def _status(run: Element) -> str:
    """ENA's word for whether a run is public; empty where the document does not say (ENA's own has no word for it)."""
    if run.attribute("cluster_name").lower() == _CONTROLLED_CLUSTER:
        return "controlled"
    public = run.attribute("is_public").lower()
    return {"true": "public", "false": "suppressed"}.get(public, "")


def _files(run: Element) -> dict[str, str]:
    """The .sra file, and what the submitter sent, in ENA's ``;``-joined columns."""
    listed = run.all("SRAFiles", "SRAFile")
    archives = [each for each in listed if each.attribute("supertype") == "Primary ETL"][:1]
    originals = [each for each in listed if each.attribute("supertype") == "Original"]
    return {
        **{f"sra_{column}": value for column, value in _columns(archives).items()},
        **{f"submitted_{column}": value for column, value in _columns(originals).items()},
    }


def _columns(files: list[Element]) -> dict[str, str]:
    addresses = [each.attribute("url") or _alternative(each) or each.attribute("filename") for each in files]
    return {
        "ftp": ";".join(_SCHEME.sub("", address) for address in addresses),
        "bytes": ";".join(each.attribute("size") for each in files),
        "md5": ";".join(each.attribute("md5") for each in files),
        "format": ";".join(each.attribute("semantic_name") for each in files),
    }


def _alternative(file: Element) -> str:
    return next((each.attribute("url") for each in file.all("Alternatives")), "")


def _noted(element: Element, kind: str) -> dict[str, str]:
    """Dates and counts that ENA writes as attributes of an entity."""
    known = _DATES | _COUNTS
    notes = element.all(f"{kind}_ATTRIBUTES", f"{kind}_ATTRIBUTE")
    found = {known[each.text_of("TAG")]: each.text_of("VALUE") for each in notes if each.text_of("TAG") in known}
    return {column: value for column, value in found.items() if value}


def _single_link(element: Element, kind: str) -> str:
    """The one accession that ENA links (``ENA-STUDY``); lists and ranges name several and say nothing certain."""
    for link in element.all(f"{element.tag}_LINKS", f"{element.tag}_LINK", "XREF_LINK"):
        if link.text_of("DB") == f"ENA-{kind}":
            return accession_of(link.text_of("ID"), _TYPES[kind]) or ""
    return ""


def _external(element: Element | None, namespace: str, types: frozenset[AccessionType]) -> str:
    if element is None:
        return ""
    for each in element.all("IDENTIFIERS", "EXTERNAL_ID"):
        if each.attribute("namespace").lower() == namespace.lower() and (found := accession_of(each.text, types)):
            return found
    return ""


def _secondary(element: Element, types: frozenset[AccessionType]) -> str:
    found = (accession_of(each.text, types) for each in element.all("IDENTIFIERS", "SECONDARY_ID"))
    return next(filter(None, found), "")


def _distinct(values: Any) -> str:
    return ";".join(dict.fromkeys(filter(None, values)))


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if value}
