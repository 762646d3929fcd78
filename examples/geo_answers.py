"""What GEO answers: its part of the E-utilities (``db=gds``) and the family files of series."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples.answers import NOT_FOUND, Answer, Params, file_answer, json_answer
from examples.ena_query import QuerySyntaxError
from examples.geo_records import Row, read_records, taxa
from examples.search_terms import Predicate, parse_terms, words_occur
from examples.study_folders import StudyFolders

_GZIP = b"\x1f\x8b"
_TERM = re.compile(r'(?:"[^"]*"|[^\s()"\[\]]+)(?:\s*\[[^\]]*\])?')
_PARTS = re.compile(r"(.*?)\s*(?:\[([^\]]*)\])?", re.DOTALL)
_FIELDS = {
    "accn": "accession",
    "geo accession": "accession",
    "etyp": "entry type",
    "entry type": "entry type",
    "pdat": "day",
    "publication date": "day",
    "udat": "day of change",
    "update date": "day of change",
    "orgn": "organism",
    "organism": "organism",
    "titl": "title",
    "title": "title",
}


def search(studies: StudyFolders, params: Params) -> Answer:
    """``esearch.fcgi?db=gds&retmode=json``, the newest records first."""
    try:
        matches = parse_terms(params.get("term", ""), _TERM, lambda token: _read_term(token, _names(studies)))
    except QuerySyntaxError as error:
        return json_answer({"header": _header("esearch"), "esearchresult": {"ERROR": f"Invalid query: {error}"}})
    found = [record for record in _records(studies).values() if matches(record)]
    found.sort(key=lambda record: (record["pdat"], int(record["uid"])), reverse=True)
    start, most = int(params.get("retstart") or 0), int(params.get("retmax") or 20)
    page = found[start : start + most]
    result = {
        "count": str(len(found)),
        "retmax": str(len(page)),
        "retstart": str(start),
        "idlist": [record["uid"] for record in page],
        "querytranslation": params.get("term", ""),
    }
    return json_answer({"header": _header("esearch"), "esearchresult": result})


def summaries(studies: StudyFolders) -> dict[str, Row]:
    """Records of ``esummary.fcgi?db=gds`` by uid."""
    return {
        uid: {name: value for name, value in record.items() if name not in ("taxids", "udat")}
        for uid, record in _records(studies).items()
    }


def organisms(studies: StudyFolders) -> dict[int, str]:
    """Scientific names by taxonomy id."""
    return taxa(_records(studies).values())


def soft_family(studies: StudyFolders, _params: Params, series: str) -> Answer:
    """``…/soft/GSE…_family.soft.gz``, compressed now if the folder has it plain."""
    for folder in studies.folders():
        packed, plain = folder / "geo" / f"{series}_family.soft.gz", folder / "geo" / f"{series}_family.soft"
        if packed.is_file():
            return file_answer(packed)
        if plain.is_file():
            return Answer(content_type="application/x-gzip", body=studies.derived(plain, _compressed))
    file = studies.file("ftp.ncbi.nlm.nih.gov", f"{_series_path(series)}/soft/{series}_family.soft.gz")
    return NOT_FOUND if file is None else file_answer(file)


def miniml_family(studies: StudyFolders, _params: Params, series: str) -> Answer:
    """``…/miniml/GSE…_family.xml.tgz``, packed now if the folder has the document plain or gzipped."""
    for folder in studies.folders():
        packed = folder / "geo" / f"{series}_family.xml.tgz"
        if packed.is_file():
            return file_answer(packed)
        for document in (folder / "geo" / f"{series}_family.xml", folder / "geo" / f"{series}_family.xml.gz"):
            if document.is_file():
                return Answer(content_type="application/x-gzip", body=studies.derived(document, _archived))
    file = studies.file("ftp.ncbi.nlm.nih.gov", f"{_series_path(series)}/miniml/{series}_family.xml.tgz")
    return NOT_FOUND if file is None else file_answer(file)


def _series_path(series: str) -> str:
    return f"geo/series/GSE{series[3:][:-3]}nnn/{series}"


def _compressed(file: Path) -> bytes:
    return gzip.compress(file.read_bytes(), compresslevel=1, mtime=0)


def _archived(file: Path) -> bytes:
    """A gzipped tar archive of a MINiML document and, as GEO has it, a data table beside it."""
    content = file.read_bytes()
    document = gzip.decompress(content) if content.startswith(_GZIP) else content
    name = file.name.removesuffix(".gz")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, data in (("GSM0-tbl-1.txt", b"1007_s_at\t1.0\n"), (name, document)):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)


def _header(kind: str) -> dict[str, str]:
    return {"type": kind, "version": "0.3"}


def _records(studies: StudyFolders) -> dict[str, Row]:
    """Records by uid. What several files describe (a platform) is one record that names all their series."""
    records: dict[str, Row] = {}
    for file in studies.geo_files():
        for record in studies.derived(file, read_records):
            known = records.get(record["uid"])
            if known is None:
                records[record["uid"]] = record
            else:
                series = filter(None, f"{known['gse']};{record['gse']}".split(";"))
                records[record["uid"]] = {**known, "gse": ";".join(dict.fromkeys(series))}
    return records


def _names(studies: StudyFolders) -> dict[str, str]:
    return {str(taxon): name.lower() for taxon, name in organisms(studies).items()}


def _read_term(token: str, names: dict[str, str]) -> Predicate:
    """The meaning of ``value[FIELD]``; without a field, any of the texts may hold the value."""
    parts = _PARTS.fullmatch(token)
    value, name = (parts.group(1).strip(), parts.group(2)) if parts else (token, None)
    field = _FIELDS.get((name or "").strip().lower()) if name else "text"
    plain = value.strip('"').strip()
    if field == "accession":
        return lambda record: _is_related(record, plain.upper())
    if field == "entry type":
        return lambda record: record["entrytype"].lower() == plain.lower()
    if field in ("day", "day of change"):
        first, _, last = (each.strip().strip('"') for each in value.partition(":"))
        column = "pdat" if field == "day" else "udat"
        return lambda record: first <= record[column] <= (last or first)
    if field == "organism":
        wanted = names.get(plain.lower().removeprefix("txid"), plain.lower())
        return lambda record: wanted in [each.strip() for each in record["taxon"].lower().split(";")]
    if field == "title":
        return lambda record: words_occur(plain, record["title"])
    if field == "text":
        return lambda record: words_occur(plain, f"{record['title']} {record['summary']} {record['taxon']}")
    message = f"unknown field [{name}]"
    raise QuerySyntaxError(message)


def _is_related(record: Mapping[str, Any], accession: str) -> bool:
    """Whether a record is that of an accession, or belongs to it: a search for GSE93374 finds its samples, too."""
    kind, number = accession[:3], accession[3:]
    if record["accession"] == accession:
        return True
    if kind == "GSM":
        return record["entrytype"] == "GSE" and any(each["accession"] == accession for each in record["samples"])
    column = {"GSE": "gse", "GPL": "gpl", "GDS": "gds"}.get(kind)
    return column is not None and number in str(record[column]).split(";")
