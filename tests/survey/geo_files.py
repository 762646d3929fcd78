"""Real GEO files, what GEOparse makes of them, and made-up ones."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

from refinebio_assets.survey.geo_family import SoftFamily
from refinebio_assets.survey.geo_miniml import read_miniml_family
from refinebio_assets.survey.geo_series_matrix import read_series_matrix
from refinebio_assets.survey.geo_soft import read_soft_family

GEO = Path(__file__).parent.parent / "data" / "geo"

SERIES_MATRIX = GEO / "GSE52778_series_matrix.txt.gz"
MINIML = GEO / "GSE180363.miniml.xml.gz"
SOFT = sorted(path for path in GEO.glob("*.gz") if path not in (SERIES_MATRIX, MINIML) and "json" not in path.name)
FAMILIES = [SERIES_MATRIX, MINIML, *SOFT]


def read_family(path: Path) -> SoftFamily:
    """A real file by the reader of its format."""
    readers = {SERIES_MATRIX: read_series_matrix, MINIML: read_miniml_family}
    return readers.get(path, read_soft_family)(path)


def geoparse() -> dict[str, Any]:
    """What GEOparse 2.0.4 reads from the SOFT files it can read."""
    return json.loads(gzip.decompress((GEO / "geoparse.json.gz").read_bytes()))


def text_of(name: str) -> bytes:
    """The decompressed content of a real file."""
    return gzip.decompress((GEO / name).read_bytes())


def soft(text: str | bytes) -> SoftFamily:
    """A family read from text."""
    return read_soft_family(io.BytesIO(text.encode() if isinstance(text, str) else text))


def entity(accession: str, **attributes: Any) -> dict[str, Any]:
    """A part of a payload; a text stands for one value, ``table=<rows>`` for a table of values."""
    rows = attributes.pop("table", None)
    part: dict[str, Any] = {
        "accession": accession,
        "attributes": {
            "geo_accession": [accession],
            **{name: [value] if isinstance(value, str) else value for name, value in attributes.items()},
        },
    }
    if rows is not None:
        part["table"] = {"columns": ["ID_REF", "VALUE"], "rows": rows}
    return part


def cel(gsm: str) -> str:
    """Where GEO has the CEL file of a sample."""
    return f"ftp://ftp.ncbi.nlm.nih.gov/geo/samples/{gsm[:-3]}nnn/{gsm}/suppl/{gsm}_A.CEL.gz"


def array_sample(gsm: str = "GSM1000001", **attributes: Any) -> dict[str, Any]:
    """An eligible sample on hgu133plus2, with some attributes changed; None removes one."""
    everything = {
        "title": f"Sample {gsm}",
        "type": "RNA",
        "channel_count": "1",
        "organism_ch1": "Homo sapiens",
        "taxid_ch1": "9606",
        "molecule_ch1": "total RNA",
        "platform_id": "GPL570",
        "supplementary_file": cel(gsm),
    } | attributes
    return entity(gsm, **{name: value for name, value in everything.items() if value is not None})


PLATFORMS = [
    entity(
        "GPL570", title="[HG-U133_Plus_2] Affymetrix", technology="in situ oligonucleotide", organism="Homo sapiens"
    ),
    entity("GPL10558", title="Illumina HumanHT-12 V4.0", technology="oligonucleotide beads", organism="Homo sapiens"),
    entity("GPL6480", title="Agilent-014850", technology="in situ oligonucleotide", organism="Homo sapiens"),
    entity("GPL11154", title="Illumina HiSeq 2000 (Homo sapiens)", technology="high-throughput sequencing"),
]


def payload(*samples: dict[str, Any], **series: Any) -> dict[str, Any]:
    """A ``source_metadata`` payload of these samples."""
    listed = [sample["accession"] for sample in samples]
    return {
        "source": "GEO",
        "accession": "GSE1000",
        "series": [entity("GSE1000", **({"title": "A series", "sample_id": listed} | series))],
        "platforms": PLATFORMS,
        "samples": list(samples),
        "malformed_lines": 0,
        "warnings": [],
    }
