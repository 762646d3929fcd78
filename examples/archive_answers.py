"""What each public archive answers to a request, given the studies on disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from examples import biostudies_answers, geo_answers
from examples.answers import NOT_FOUND, Answer, Params, file_answer, json_answer, xml_answer
from examples.ena_query import QuerySyntaxError, parse_query
from examples.study_folders import Row, StudyFolders

_COLUMNS_FILE = Path(__file__).with_name("read_run_columns.txt")
_DEFAULT_LIMIT = 100_000
_ENSEMBL_DIVISIONS = {
    "EnsemblVertebrates", "EnsemblPlants", "EnsemblMetazoa", "EnsemblFungi", "EnsemblProtists", "EnsemblBacteria"
}  # fmt: skip
_ACCESSION_COLUMNS = (
    "run_accession",
    "experiment_accession",
    "sample_accession",
    "secondary_sample_accession",
    "study_accession",
    "secondary_study_accession",
    "submission_accession",
)


def answer(studies: StudyFolders, host: str, path: str, params: Params) -> Answer:
    """The answer of an archive's host to ``GET`` (or a form by ``POST``) of a path."""
    for route_host, pattern, handler in _ROUTES:
        match = re.fullmatch(pattern, path.rstrip("/") or "/")
        if host == route_host and match:
            return handler(studies, params, *match.groups())
    file = studies.file(host, path)
    if file is None:
        return NOT_FOUND
    return file_answer(file)


# ENA -----------------------------------------------------------------------------


def _ena_search(studies: StudyFolders, params: Params) -> Answer:
    """``/ena/portal/api/search``."""
    results: dict[str, Callable[[StudyFolders], Iterable[Row]]] = {
        "read_run": _run_rows,
        "study": lambda folders: folders.rows("study"),
        "read_study": _read_study_rows,
    }
    if params.get("result", "") not in results:
        return json_answer({"message": f"Invalid result: {params.get('result', '')}"}, status=400)
    try:
        matches = parse_query(params.get("query", ""))
    except QuerySyntaxError as error:
        return json_answer({"message": f"Invalid query: {error}"}, status=400)
    wanted = {accession for accession in params.get("includeAccessions", "").split(",") if accession}
    rows = results[params["result"]](studies)
    found = [row for row in rows if matches(row) and (not wanted or wanted & _accessions(row))]
    if params["result"] == "read_study":
        found = list({row["secondary_study_accession"]: row for row in reversed(found)}.values())
    return _page(found, params)


def _ena_filereport(studies: StudyFolders, params: Params) -> Answer:
    """``/ena/portal/api/filereport``."""
    accession = params.get("accession", "")
    if not accession or params.get("result", "read_run") != "read_run":
        return json_answer({"message": "Required parameters: accession, result=read_run"}, status=400)
    return _page([row for row in _run_rows(studies) if accession in _accessions(row)], params)


def _page(rows: list[Row], params: Params) -> Answer:
    """Rows sorted, cut and reduced to the columns asked for; nothing found is 204 without content."""
    order = [column for column in params.get("sortFields", "").split(",") if column]
    rows = sorted(rows, key=lambda row: [str(row.get(column, "")) for column in order])
    offset = int(params.get("offset") or 0)
    limit = int(params.get("limit") or 0) or _DEFAULT_LIMIT
    rows = rows[offset : offset + limit]
    if not rows:
        return Answer(status=204)
    fields = params.get("fields", "all")
    if fields != "all":
        rows = [{column: row.get(column, "") for column in fields.split(",")} for row in rows]
    return json_answer(rows)


def _run_rows(studies: StudyFolders) -> Iterable[Row]:
    """Run rows with all of ENA's columns."""
    return (_empty_run_row() | row for row in studies.rows("read_run"))


def _read_study_rows(studies: StudyFolders) -> list[Row]:
    """One row per run, with its study's dates: what ENA searches when it looks for studies by their reads."""
    dates: dict[str, Row] = {}
    for row in studies.rows("study"):
        about = {name: row[name] for name in ("first_public", "last_updated") if row.get(name)}
        dates.update(dict.fromkeys(str(row.get("secondary_study_accession", "")).split(";"), about))
    return [row | dates.get(row["secondary_study_accession"], {}) for row in _run_rows(studies)]


@lru_cache(maxsize=1)
def _empty_run_row() -> Row:
    return dict.fromkeys(_COLUMNS_FILE.read_text("utf-8").split(), "")


def _accessions(row: Row) -> set[str]:
    return {part for column in _ACCESSION_COLUMNS for part in str(row.get(column) or "").split(";") if part}


def _ena_xref(studies: StudyFolders, params: Params) -> Answer:
    """``/ena/xref/rest/json/search``."""
    accession, source = params.get("accession", ""), params.get("source")
    rows = studies.rows("xref")
    return json_answer(
        [
            row
            for row in rows
            if accession == row.get("Target Primary Accession") and source in (None, row.get("Source"))
        ]
    )


# BioSamples, Ensembl -------------------------------------------------------------


def _biosample(studies: StudyFolders, _params: Params, accession: str) -> Answer:
    record = studies.biosample(accession)
    if record is None:
        return json_answer(
            {"status": 404, "error": "Not Found", "path": f"/biosamples/samples/{accession}"}, status=404
        )
    return json_answer(record)


def _ensembl_species(studies: StudyFolders, _params: Params) -> Answer:
    return json_answer({"species": studies.records("ensembl/species").get("EnsemblVertebrates", [])})


def _ensembl_division(studies: StudyFolders, _params: Params, division: str) -> Answer:
    genomes = studies.records("ensembl/species").get(division)
    if genomes is None and division in _ENSEMBL_DIVISIONS:
        return json_answer([])
    if genomes is None:
        return json_answer({"error": f"Could not find any genomes in division {division}"}, status=400)
    return json_answer(genomes)


def _ensembl_release(studies: StudyFolders, _params: Params) -> Answer:
    release = studies.records("ensembl/releases").get("EnsemblVertebrates")
    return NOT_FOUND if release is None else json_answer({"release": int(release)})


def _ensembl_genomes_release(studies: StudyFolders, _params: Params) -> Answer:
    releases = studies.records("ensembl/releases")
    others = [int(release) for division, release in releases.items() if division != "EnsemblVertebrates"]
    return json_answer({"version": max(others)}) if others else NOT_FOUND


# NCBI ----------------------------------------------------------------------------


def _esearch(studies: StudyFolders, params: Params) -> Answer:
    """``esearch.fcgi`` of taxonomy records, JSON or XML, and of GEO's."""
    if params.get("db") == "gds":
        return geo_answers.search(studies, params)
    term = params.get("term", "").replace("_", " ").removesuffix("[Scientific Name]").strip().lower()
    found = sorted(taxon for taxon, name in _taxa(studies).items() if name.lower() == term)
    if params.get("retmode") == "json":
        result = {
            "count": str(len(found)),
            "retmax": str(len(found)),
            "retstart": "0",
            "idlist": [str(one) for one in found],
        }
        return json_answer({"header": {"type": "esearch", "version": "0.3"}, "esearchresult": result})
    elements = "".join(f"<Id>{one}</Id>" for one in found)
    return xml_answer(f"<eSearchResult><Count>{len(found)}</Count><IdList>{elements}</IdList></eSearchResult>")


def _efetch(studies: StudyFolders, params: Params) -> Answer:
    """``efetch.fcgi?db=taxonomy``, always XML."""
    taxa = _taxa(studies)
    records = "".join(
        f"<Taxon><TaxId>{one}</TaxId><ScientificName>{escape(taxa[int(one)])}</ScientificName></Taxon>"
        for one in params.get("id", "").split(",")
        if one.isdigit() and int(one) in taxa
    )
    return xml_answer(f"<TaxaSet>{records}</TaxaSet>")


def _esummary(studies: StudyFolders, params: Params) -> Answer:
    """``esummary.fcgi`` of PubMed, taxonomy and GEO records, JSON."""
    known: Mapping[str, Any] = studies.records("pubmed")
    if params.get("db") == "gds":
        known = geo_answers.summaries(studies)
    if params.get("db") == "taxonomy":
        known = {
            str(one): {"uid": str(one), "taxid": one, "scientificname": name} for one, name in _taxa(studies).items()
        }
    uids = [uid for uid in params.get("id", "").split(",") if uid]
    records = {uid: known.get(uid, {"uid": uid, "error": "cannot get document summary"}) for uid in uids}
    return json_answer({"header": {"type": "esummary", "version": "0.3"}, "result": {"uids": uids, **records}})


def _taxa(studies: StudyFolders) -> dict[int, str]:
    """Scientific names by taxonomy id, of all runs, genomes and GEO samples."""
    named = [(row.get("tax_id"), row.get("scientific_name")) for row in studies.rows("read_run")]
    for genomes in studies.records("ensembl/species").values():
        for genome in genomes:
            taxon = genome.get("taxonomy_id") or genome.get("taxon_id")
            named.append((taxon, genome.get("scientific_name") or str(genome["name"]).replace("_", " ").capitalize()))
    return geo_answers.organisms(studies) | {int(taxon): str(name) for taxon, name in named if taxon and name}


_EBI, _ENSEMBL, _EUTILS = "www.ebi.ac.uk", "rest.ensembl.org", "eutils.ncbi.nlm.nih.gov"
_GEO, _BIOSTUDIES = "ftp.ncbi.nlm.nih.gov", "/biostudies/api/v1"

_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    (_EBI, "/ena/portal/api/search", _ena_search),
    (_EBI, "/ena/portal/api/filereport", _ena_filereport),
    (_EBI, "/ena/xref/rest/json/search", _ena_xref),
    (_EBI, "/biosamples/samples/([A-Za-z0-9]+)", _biosample),
    (_EBI, f"{_BIOSTUDIES}/studies/([A-Za-z0-9-]+)", biostudies_answers.study),
    (_EBI, f"{_BIOSTUDIES}/studies/([A-Za-z0-9-]+)/info", biostudies_answers.info),
    (_EBI, f"{_BIOSTUDIES}/search", biostudies_answers.search),
    (_EBI, f"{_BIOSTUDIES}/([Aa]rray[Ee]xpress)/search", biostudies_answers.search),
    (_EBI, "/biostudies/files/([A-Za-z0-9-]+)/(.+)", biostudies_answers.file),
    (_GEO, "/geo/series/GSE[0-9]*nnn/GSE[0-9]+/soft/(GSE[0-9]+)_family.soft.gz", geo_answers.soft_family),
    (_GEO, "/geo/series/GSE[0-9]*nnn/GSE[0-9]+/miniml/(GSE[0-9]+)_family.xml.tgz", geo_answers.miniml_family),
    (_ENSEMBL, "/info/species", _ensembl_species),
    (_ENSEMBL, "/info/genomes/division/([A-Za-z]+)", _ensembl_division),
    (_ENSEMBL, "/info/software", _ensembl_release),
    (_ENSEMBL, "/info/eg_version", _ensembl_genomes_release),
    (_EUTILS, "/entrez/eutils/esearch.fcgi", _esearch),
    (_EUTILS, "/entrez/eutils/efetch.fcgi", _efetch),
    (_EUTILS, "/entrez/eutils/esummary.fcgi", _esummary),
)
