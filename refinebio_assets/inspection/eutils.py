"""Answers of NCBI's E-utilities: esearch, esummary and efetch (taxonomy), JSON and XML.

https://www.ncbi.nlm.nih.gov/books/NBK25499/ describes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from refinebio_assets.domain.accessions import AccessionType
from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description, plain_sample
from refinebio_assets.inspection.xml_root import root_element
from refinebio_assets.survey.archive_rows import Row, accession_of, text
from refinebio_assets.survey.sra_xml_elements import Element, read_elements

_SERIES = frozenset({AccessionType.GEO_SERIES})
_ROOTS = {
    "eSearchResult": "eutils_esearch",
    "eSummaryResult": "eutils_esummary",
    "TaxaSet": "ncbi_taxonomy",
}
_STUDY = re.compile(r'<Study acc="([A-Z]RP\d+)" name="([^"]*)"')
_RUN = re.compile(r'<Run acc="([A-Z]RR\d+)"')


def esearch_json(value: Any, _: Content, __: Setting) -> Description | None:
    """Numbers that a search found."""
    if not isinstance(value, dict) or not isinstance(value.get("esearchresult"), dict):
        return None
    found = value["esearchresult"]
    description = Description(kind="eutils_esearch", evidence=["esearchresult"])
    ids = found.get("idlist")
    description.header = {
        "count": text(found, "count"), "ids": ids if isinstance(ids, list) else [],
        "query": text(found, "querytranslation"),
    }  # fmt: skip
    if "ERROR" in found:
        description.warnings.append(f"The search failed: {text(found, 'ERROR')}")
    return description


def esummary_json(value: Any, _: Content, __: Setting) -> Description | None:
    """Summaries of GEO (gds), PubMed, the SRA and taxonomy."""
    result = value.get("result") if isinstance(value, dict) else None
    if isinstance(result, dict) and isinstance(result.get("uids"), list):
        summaries = [summary for uid in result["uids"] if isinstance(summary := result.get(str(uid)), dict)]
        return describe_summaries(summaries, evidence="uids and summaries of esummary")
    rows = list(value.values()) if isinstance(value, dict) else []
    if rows and all(isinstance(row, dict) and "entrytype" in row and "accession" in row for row in rows):
        return describe_summaries(rows, evidence="summaries of the database gds by number")
    return None


def describe_summaries(summaries: Sequence[Row], *, evidence: str) -> Description:
    """Summaries by what they are about."""
    description = Description(kind="eutils_esummary", evidence=[evidence], header={"summaries": len(summaries)})
    for summary in summaries:
        if text(summary, "entrytype") or text(summary, "gse"):
            description.kind = "eutils_esummary_gds"
            _add_gds(description, summary)
        elif "expxml" in summary:
            description.kind = "eutils_esummary_sra"
            _add_sra(description, summary)
        elif "scientificname" in summary:
            description.kind = "eutils_esummary_taxonomy"
            _append(description, "taxa", {"id": text(summary, "taxid"), "name": text(summary, "scientificname")})
        elif "pubdate" in summary or "articleids" in summary:
            description.kind = "pubmed_summary"
            authors = summary.get("authors")
            names = (
                [text(each, "name") for each in authors if isinstance(each, dict)] if isinstance(authors, list) else []
            )
            told = {"pubmed_id": text(summary, "uid"), "title": text(summary, "title"), "authors": names}
            _append(description, "publications", told)
    return description


def _append(description: Description, field: str, value: Any) -> None:
    description.header.setdefault(field, []).append(value)


def _add_gds(description: Description, summary: Row) -> None:
    number = text(summary, "gse").partition(";")[0]
    named = text(summary, "accession") or (f"GSE{number}" if number.isdigit() else text(summary, "uid"))
    samples = summary.get("samples")
    members = [each for each in samples if isinstance(each, dict)] if isinstance(samples, list) else []
    experiment = {
        "accession": named,
        "title": text(summary, "title"),
        "description": text(summary, "summary"),
        "organisms": [name.strip() for name in text(summary, "taxon").split(";") if name.strip()],
        "type": text(summary, "gdstype"),
        "platforms": [f"GPL{each}" for each in text(summary, "gpl").split(";") if each.isdigit()],
        "first_published": text(summary, "pdat").replace("/", "-") or None,
        "sample_count": len(members) or text(summary, "n_samples"),
    }
    if text(summary, "entrytype") == "GSM":
        description.samples.append(
            plain_sample(named, title=text(summary, "title"), annotations={"gds": dict(summary)})
        )
        return
    description.experiments.append(experiment)
    if accession_of(named, _SERIES):
        description.samples += [plain_sample(text(each, "accession"), title=text(each, "title")) for each in members]


def _add_sra(description: Description, summary: Row) -> None:
    expxml, runs = text(summary, "expxml"), text(summary, "runs")
    for accession, name in _STUDY.findall(expxml):
        if accession not in [each["accession"] for each in description.experiments]:
            description.experiments.append({"accession": accession, "title": name})
    title = re.search(r"<Title>([^<]*)</Title>", expxml)
    description.samples += [plain_sample(run, title=title.group(1) if title else None) for run in _RUN.findall(runs)]


def recognise_xml(content: Content) -> Recognition | None:
    """The root element is one of E-utilities'."""
    root = root_element(content)
    if root not in _ROOTS:
        return None
    return Recognition(kind=_ROOTS[root], confidence=1.0, evidence=f"the root element is {root}")


def describe_xml(content: Content, recognition: Recognition, _: Setting) -> Description:
    """The same from XML."""
    with content.stream() as stream:
        units = ("DocSum", "DocumentSummary", "Taxon", "Count", "IdList", "ERROR")
        elements = list(read_elements(stream, units, name=content.name, roots=_ROOTS))
    if recognition.kind == "eutils_esummary":
        return describe_summaries([_summary(each) for each in elements], evidence=recognition.evidence)
    description = begin(recognition)
    for element in elements:
        if element.tag == "Taxon":
            taxon = {
                name: element.text_of(tag)
                for name, tag in (("id", "TaxId"), ("name", "ScientificName"), ("rank", "Rank"))
            }
            _append(description, "taxa", taxon)
        elif element.tag == "Count":
            description.header.setdefault("count", element.text)
        elif element.tag == "IdList":
            description.header["ids"] = [each.text for each in element.children]
        elif element.tag == "ERROR":
            description.warnings.append(f"The search failed: {element.text}")
    return description


def _summary(element: Element) -> Mapping[str, Any]:
    """A summary as the JSON form has it: DocSum of version 1 (Items) or DocumentSummary of version 2."""
    summary: dict[str, Any] = {"uid": element.text_of("Id") or element.attribute("uid")}
    for item in element.children:
        name = (item.attribute("Name") or item.tag).lower()
        summary[name] = [_members(each) for each in item.children] if item.children else " ".join(item.text.split())
    return summary


def _members(element: Element) -> Any:
    if not element.children:
        return " ".join(element.text.split())
    return {(each.attribute("Name") or each.tag).lower(): " ".join(each.text.split()) for each in element.children}


JSON_SHAPES = (esearch_json, esummary_json)
DESCRIBERS = (Describer(recognise=recognise_xml, describe=describe_xml),)
