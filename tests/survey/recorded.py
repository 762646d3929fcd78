"""Recorded and made-up metadata for the survey's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

METADATA = Path(__file__).parent.parent / "data" / "metadata"


def recorded(name: str) -> Any:
    """A recorded JSON answer."""
    return json.loads((METADATA / name).read_text(encoding="utf-8"))


def ena_row(run: str) -> dict[str, Any]:
    """The recorded ``read_run`` row of a run."""
    return next(row for row in recorded("ena_read_run_rows.json") if row["run_accession"] == run)


def run_row(run: str = "SRR1000001", **columns: Any) -> dict[str, Any]:
    """A ``read_run`` row of an eligible single-end run, with some columns changed."""
    folder = f"ftp.sra.ebi.ac.uk/vol1/fastq/{run[:6]}/{run}"
    return {
        "run_accession": run,
        "experiment_accession": run.replace("RR", "RX", 1),
        "sample_accession": "SAMN00000001",
        "secondary_sample_accession": run.replace("RR", "RS", 1),
        "study_accession": "PRJNA1",
        "secondary_study_accession": "SRP000001",
        "scientific_name": "Danio rerio",
        "tax_id": "7955",
        "instrument_model": "Illumina HiSeq 2000",
        "instrument_platform": "ILLUMINA",
        "library_strategy": "RNA-Seq",
        "library_source": "TRANSCRIPTOMIC",
        "library_selection": "cDNA",
        "library_layout": "SINGLE",
        "fastq_ftp": f"{folder}/{run}.fastq.gz",
        "fastq_bytes": "1000",
        "fastq_md5": "0123456789abcdef0123456789abcdef",
        "sra_ftp": f"ftp.sra.ebi.ac.uk/vol1/srr/{run[:6]}/{run}",
        "sra_bytes": "900",
        "sra_md5": "fedcba9876543210fedcba9876543210",
        "status": "public",
    } | columns


def fastq_columns(run: str, *suffixes: str) -> dict[str, str]:
    """FASTQ columns that list one file per suffix (``_1``, ``_2`` or nothing)."""
    folder = f"ftp.sra.ebi.ac.uk/vol1/fastq/{run[:6]}/{run}"
    return {
        "fastq_ftp": ";".join(f"{folder}/{run}{suffix}.fastq.gz" for suffix in suffixes),
        "fastq_bytes": ";".join(str(100 + number) for number in range(len(suffixes))),
        "fastq_md5": ";".join(f"{number:032x}" for number in range(len(suffixes))),
    }


NO_FILES = dict.fromkeys(("fastq_ftp", "fastq_bytes", "fastq_md5", "sra_ftp", "sra_bytes", "sra_md5"), "")


def payload(*rows: Any, **fields: Any) -> dict[str, Any]:
    """A ``source_metadata`` payload of these rows."""
    return {
        "source": "SRA",
        "accession": "SRP000001",
        "requested": "SRP000001",
        "read_run": list(rows),
        "study": [{"study_accession": "PRJNA1", "secondary_study_accession": "SRP000001", "study_title": "A study"}],
        "biosamples": {},
        "publication": None,
    } | fields
