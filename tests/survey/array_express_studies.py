"""Recorded ArrayExpress studies, and made-up ones, for the survey's tests."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

from refinebio_assets.survey.mage_tab import decode_mage_tab

MAGE_TAB = Path(__file__).parent.parent / "data" / "magetab"

SDRF_FILES = {
    "E-GEOD-44719": ("E-GEOD-44719.sdrf.txt",),
    "E-MEXP-31": ("E-MEXP-31.sdrf.txt",),
    "E-MTAB-1443": ("E-MTAB-1443.hyb.sdrf.txt", "E-MTAB-1443.seq.sdrf.txt"),
    "E-MTAB-1653": ("E-MTAB-1653.sdrf.txt",),
    "E-MTAB-1677": ("E-MTAB-1677.sdrf.txt",),
    "E-MTAB-20": ("E-MTAB-20.sdrf.txt",),
    "E-MTAB-2143": ("E-MTAB-2143.sdrf.txt",),
    "E-MTAB-3050": ("E-MTAB-3050.sdrf.txt",),
    "E-MTAB-4649": ("E-MTAB-4649.sdrf.txt",),
    "E-MTAB-584": ("E-MTAB-584.sdrf.txt",),
    "E-TABM-38": ("E-TABM-38.sdrf.txt",),
}
ALL_SDRF_FILES = tuple(name for names in SDRF_FILES.values() for name in names)
STUDIES_WITH_IDF = tuple(accession for accession in SDRF_FILES if accession != "E-TABM-38")


def read_bytes(name: str) -> bytes:
    """A file of the data folder, unpacked if it is kept packed."""
    packed = MAGE_TAB / f"{name}.gz"
    return gzip.decompress(packed.read_bytes()) if packed.exists() else (MAGE_TAB / name).read_bytes()


def mage_tab(name: str) -> str:
    """A recorded IDF or SDRF."""
    return decode_mage_tab(read_bytes(name))


def recorded(name: str) -> Any:
    """A recorded JSON document."""
    return json.loads(read_bytes(name))


def counted(name: str, *headers: str) -> set[str]:
    """Distinct filled cells under some headers of an SDRF, read with nothing but :mod:`csv`."""
    header, *rows = csv.reader(io.StringIO(read_bytes(name).decode("utf-8"), newline=""), delimiter="\t")
    columns = [position for position, each in enumerate(header) if each.strip() in headers]
    return {row[column].strip() for row in rows for column in columns if row[column].strip()}


def payload(accession: str, **fields: Any) -> dict[str, Any]:
    """The payload of a recorded study."""
    has_idf = accession in STUDIES_WITH_IDF
    return {
        "source": "ARRAY_EXPRESS",
        "accession": accession,
        "study": {},
        "info": None,
        "idf": mage_tab(f"{accession}.idf.txt") if has_idf else "Investigation Title\tA study\n",
        "sdrf": [mage_tab(name) for name in SDRF_FILES[accession]],
        "files": [],
    } | fields


def table(*rows: dict[str, str]) -> str:
    """An SDRF of rows that have the same columns."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def array_row(name: str = "chip 1", **columns: str) -> dict[str, str]:
    """A row of an eligible one-colour assay, with some columns changed (``Array_Design_REF`` is that column)."""
    row = {
        "Source Name": f"source of {name}",
        "Characteristics[organism]": "Homo sapiens",
        "Extract Name": f"extract of {name}",
        "Labeled Extract Name": f"labelled extract of {name}",
        "Label": "biotin",
        "Assay Name": name,
        "Array Design REF": "A-AFFY-44",
        "Array Data File": f"{name}.CEL",
        "Derived Array Data File": "",
    }
    return row | {key.replace("_", " "): value for key, value in columns.items()}


def sequencing_row(name: str = "library 1", **comments: str) -> dict[str, str]:
    """A row of an RNA-seq assay whose reads are in ENA, with some comments changed."""
    comments = {
        "LIBRARY_STRATEGY": "RNA-Seq",
        "LIBRARY_SOURCE": "TRANSCRIPTOMIC",
        "ENA_SAMPLE": "ERS000001",
        "ENA_EXPERIMENT": "ERX000001",
        "ENA_RUN": "ERR000001",
    } | comments
    return {
        "Source Name": f"source of {name}",
        "Characteristics[organism]": "Homo sapiens",
        "Extract Name": f"extract of {name}",
        "Assay Name": name,
        "Technology Type": "sequencing assay",
        "Scan Name": f"{name}.fastq.gz",
        **{f"Comment[{key}]": value for key, value in comments.items()},
    }


def made_up(
    *sdrfs: str, accession: str = "E-MTAB-1", idf: str = "Investigation Title\tA study\n", **fields: Any
) -> Any:
    """The payload of a made-up study."""
    return {
        "source": "ARRAY_EXPRESS",
        "accession": accession,
        "study": {},
        "info": None,
        "idf": idf,
        "sdrf": list(sdrfs),
        "files": [],
    } | fields


def page_tab(extended: Any) -> Any:
    """An exported study (``accNo``, tables as objects) in the spelling of the API (``accno``, lists in lists)."""
    tables = {"sectionsTable": "sections", "filesTable": "files", "linksTable": "links"}
    if isinstance(extended, list):
        return [page_tab(each) for each in extended]
    if not isinstance(extended, dict):
        return extended
    if extended.get("extType") in tables:
        return page_tab(extended[tables[extended["extType"]]])
    names = {"accNo": "accno", "sections": "subsections", "filePath": "path"}
    dropped = {"extType", "fileName", "relPath", "reference", "nameAttrs", "valueAttrs", "md5", "fileList", "linkList"}
    return {names.get(key, key): page_tab(value) for key, value in extended.items() if key not in dropped}
