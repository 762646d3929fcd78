"""GEO's search records of the series that study folders hold, read from their family files.

The records have the shape of ``esummary.fcgi?db=gds`` as JSON: one per series, sample, platform and curated dataset.
Uids are those of Entrez: GSE n is 200000000 + n, GPL n 100000000 + n, GSM n 300000000 + n, and GDS n is n itself.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

Row = dict[str, Any]

_GZIP = b"\x1f\x8b"
_FIRST_UIDS = {"GDS": 0, "GPL": 100_000_000, "GSE": 200_000_000, "GSM": 300_000_000}
_ACCESSION = re.compile(r"(GSE|GSM|GPL|GDS)([0-9]+)")
_MINIML = "{http://www.ncbi.nlm.nih.gov/geo/info/MINiML}"
_MINIML_NAMES = {"Type": "type", "Title": "title", "Pubmed-ID": "pubmed_id", "Summary": "summary"}


@dataclass(slots=True)
class _Entity:
    kind: str
    name: str
    attributes: dict[str, list[str]] = field(default_factory=dict)

    def all(self, name: str) -> list[str]:
        return [value for value in self.attributes.get(name, []) if value]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")


def read_records(file: Path) -> list[Row]:
    """The search records of all entities of a family file (SOFT, plain or gzip) or of a MINiML document."""
    content = file.read_bytes()
    if content.startswith(_GZIP):
        content = gzip.decompress(content)
    entities = list(_miniml_entities(content) if content.lstrip().startswith(b"<") else _soft_entities(content))
    series = [each for each in entities if each.kind == "SERIES"]
    readers = {"SERIES": _series, "SAMPLE": _sample, "PLATFORM": _platform, "DATASET": _dataset}
    return [
        readers[each.kind](each, series, entities)
        for each in entities
        if each.kind in readers and _ACCESSION.fullmatch(each.name)
    ]


def taxa(records: Iterable[Row]) -> dict[int, str]:
    """Scientific names by taxonomy id, as far as the files tell both."""
    return {taxon: name for record in records for taxon, name in record["taxids"].items()}


def _soft_entities(content: bytes) -> Iterator[_Entity]:
    """Entities with their attributes; data tables are passed over."""
    current: _Entity | None = None
    for line in re.findall(rb"^[\^!].*$", content, re.MULTILINE):
        name, _, value = line.decode("utf-8", errors="replace").rstrip("\r").partition("=")
        name, value = name.strip(), value.strip()
        if name.startswith("^"):
            if current is not None:
                yield current
            current = _Entity(name[1:].strip().upper(), value)
        elif current is not None:
            key = name[1:].lower().removeprefix(f"{current.kind.lower()}_")
            current.attributes.setdefault(key, []).append(value)
    if current is not None:
        yield current


def _miniml_entities(content: bytes) -> Iterator[_Entity]:
    """Entities with the attributes that search records need."""
    root = ET.fromstring(content)  # noqa: S314 - a file of the study folder, not from outside
    for element in root:
        kind = element.tag.removeprefix(_MINIML).upper()
        entity = _Entity(kind, element.get("iid", ""))
        for name, key in _MINIML_NAMES.items():
            entity.attributes[key] = [(each.text or "").strip() for each in element.findall(f"{_MINIML}{name}")]
        entity.attributes["status"] = [
            f"Public on {datetime.fromisoformat(each.text.strip()):%b %d %Y}"
            for each in element.findall(f"{_MINIML}Status/{_MINIML}Release-Date")
            if each.text
        ]
        entity.attributes["organism_ch1"] = [(each.text or "").strip() for each in element.iter(f"{_MINIML}Organism")]
        references = {"Platform-Ref": "platform_id", "Sample-Ref": "sample_id"}
        for name, key in references.items():
            entity.attributes[key] = [each.get("ref", "") for each in element.iter(f"{_MINIML}{name}")]
        yield entity


def _record(entity: _Entity) -> Row:
    kind, number = entity.name[:3], int(entity.name[3:])
    return {
        "uid": str(_FIRST_UIDS[kind] + number),
        "accession": entity.name,
        "gds": "",
        "title": entity.first("title"),
        "summary": " ".join(entity.all("summary")),
        "gpl": "",
        "gse": "",
        "taxon": "",
        "entrytype": kind,
        "gdstype": "",
        "pdat": _published(entity),
        "udat": _updated(entity),
        "samples": [],
        "n_samples": 0,
        "pubmedids": [],
        "relations": [],
        "extrelations": [],
        "bioproject": "",
        "taxids": {},
    }


def _series(entity: _Entity, _series: list[_Entity], entities: list[_Entity]) -> Row:
    samples = [each for each in entities if each.kind == "SAMPLE"]
    titles = {each.name: each.first("title") for each in samples}
    listed = list(dict.fromkeys([*entity.all("sample_id"), *titles]))
    platforms = entity.all("platform_id") or [each for sample in samples for each in sample.all("platform_id")]
    projects = [found.group() for each in entity.all("relation") if (found := re.search(r"PRJ[A-Z]{2}[0-9]+", each))]
    studies = [found.group(1) for each in entity.all("relation") if (found := re.search(r"SRA:.*?([SED]RP\d+)", each))]
    return _record(entity) | {
        "gpl": _numbers(platforms),
        "gse": _numbers([entity.name]),
        "taxon": _organisms(samples),
        "gdstype": "; ".join(entity.all("type")),
        "samples": [{"accession": each, "title": titles.get(each, "")} for each in listed],
        "n_samples": len(listed),
        "pubmedids": entity.all("pubmed_id"),
        "extrelations": [{"relationtype": "SRA", "targetobject": each, "targetftplink": ""} for each in studies],
        "bioproject": next(iter(projects), ""),
        "taxids": {taxon: name for each in samples for taxon, name in _taxids(each).items()},
    }


def _sample(entity: _Entity, series: list[_Entity], _entities: list[_Entity]) -> Row:
    return _record(entity) | {
        "gpl": _numbers(entity.all("platform_id")),
        "gse": _numbers(entity.all("series_id") or [each.name for each in series]),
        "taxon": _organisms([entity]),
        "taxids": _taxids(entity),
    }


def _platform(entity: _Entity, series: list[_Entity], _entities: list[_Entity]) -> Row:
    return _record(entity) | {
        "gpl": _numbers([entity.name]),
        "gse": _numbers(each.name for each in series),
        "taxon": "; ".join(entity.all("organism")),
    }


def _dataset(entity: _Entity, _series: list[_Entity], _entities: list[_Entity]) -> Row:
    return _record(entity) | {
        "gds": _numbers([entity.name]),
        "gpl": _numbers(entity.all("platform")),
        "gse": _numbers(entity.all("reference_series")),
        "taxon": "; ".join(entity.all("platform_organism")),
    }


def _published(entity: _Entity) -> str:
    """``2017/01/31``, by the status ``Public on Jan 31 2017``; a file that names no day gets GEO's first."""
    match = re.search(r"ublic on ([A-Z][a-z]{2} \d{1,2},? \d{4})", entity.first("status"))
    day = datetime.strptime(match.group(1).replace(",", ""), "%b %d %Y").date() if match else date(2000, 1, 1)  # noqa: DTZ007
    return f"{day:%Y/%m/%d}"


def _updated(entity: _Entity) -> str:
    """The day of the last change, as ``2017/01/31``; that of publication if the file names none."""
    match = re.fullmatch(r"[A-Z][a-z]{2} \d{1,2},? \d{4}", entity.first("last_update_date"))
    if not match:
        return _published(entity)
    return f"{datetime.strptime(match.group().replace(',', ''), '%b %d %Y'):%Y/%m/%d}"  # noqa: DTZ007 - a day


def _numbers(accessions: Iterable[str]) -> str:
    return ";".join(dict.fromkeys(found.group(2) for each in accessions if (found := _ACCESSION.fullmatch(each))))


def _organisms(samples: Iterable[_Entity]) -> str:
    return "; ".join(dict.fromkeys(name for each in samples for name in each.all("organism_ch1")))


def _taxids(sample: _Entity) -> dict[int, str]:
    names, ids = sample.all("organism_ch1"), sample.all("taxid_ch1")
    if len(names) != len(ids):
        return {}
    return {int(taxon): name for taxon, name in zip(ids, names, strict=True) if taxon.isdigit()}
