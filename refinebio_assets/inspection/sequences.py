"""FASTQ, FASTA, GTF and GFF by their first records, and the SRA's archives by their magic number."""

from __future__ import annotations

import re
from typing import Any

from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description

FASTQ, FASTA, GTF, SRA = "fastq", "fasta", "gtf", "sra_archive"
SRA_MAGIC = b"NCBI.sra"
_RECORDS_SHOWN = 5

_SEQUENCE = re.compile(r"[A-Za-z.*-]+")
_BASES = re.compile(r"[ACGTUNRYKMSWBDHV.]+", re.IGNORECASE)
_RUN = re.compile(r"@([SED]RR[0-9]{6,})\.")
_STRANDS = frozenset("+-.?")
_GTF_ATTRIBUTES = re.compile(r'\w+ "?[^"]*"?;')


def _lines(content: Content) -> list[str]:
    lines = content.text.splitlines()
    return lines if content.is_whole else lines[:-1]


def _fastq_records(content: Content) -> list[tuple[str, str, str]]:
    """Name, bases and qualities of whole records at the beginning; none if one of the first is broken."""
    lines = _lines(content)
    records: list[tuple[str, str, str]] = []
    for start in range(0, len(lines) - 3, 4):
        name, bases, plus, qualities = lines[start : start + 4]
        if not (name.startswith("@") and plus.startswith("+") and len(bases) == len(qualities)):
            return records if start >= 4 * _RECORDS_SHOWN else []
        if bases and not _BASES.fullmatch(bases):
            return []
        records.append((name, bases, qualities))
    return records


def recognise_fastq(content: Content) -> Recognition | None:
    """Records of four lines: ``@name``, bases, ``+``, as many qualities."""
    if not content.head.startswith(b"@") or not _fastq_records(content):
        return None
    return Recognition(kind=FASTQ, confidence=0.95, evidence="four-line records with as many qualities as bases")


def describe_fastq(content: Content, recognition: Recognition, _: Setting) -> Description:
    """Names, read lengths and quality encoding of the first records; the file is not read further."""
    description = begin(recognition)
    records = _fastq_records(content)
    lengths = [len(bases) for _, bases, _ in records]
    lowest = min((min(qualities) for _, _, qualities in records if qualities), default="!")
    run = _RUN.match(records[0][0])
    description.header = {
        "first_records": [name[1:] for name, _, _ in records[:_RECORDS_SHOWN]],
        "records_looked_at": len(records),
        "read_lengths": [min(lengths), max(lengths)],
        "quality_offset": 33 if lowest < ";" else 64,
        "run": run.group(1) if run else None,
    }
    if run:
        description.warnings.append(f"`refinebio survey {run.group(1)}` tells the sample.")
    return description


def recognise_fasta(content: Content) -> Recognition | None:
    """A line ``>name``, then lines of letters."""
    lines = _lines(content)
    if not content.head.startswith(b">") or len(lines) < 2:
        return None
    sequence = [line.strip() for line in lines[1:20] if line.strip() and not line.startswith(">")]
    if not sequence or not all(map(_SEQUENCE.fullmatch, sequence)):
        return None
    return Recognition(kind=FASTA, confidence=0.95, evidence="a line >name, then letters")


def describe_fasta(content: Content, recognition: Recognition, _: Setting) -> Description:
    """The first headers and what the letters are."""
    description = begin(recognition)
    lines = _lines(content)
    letters = "".join(line for line in lines if not line.startswith(">"))
    names = [line[1:].strip() for line in lines if line.startswith(">")]
    is_nucleotide = bool(_BASES.fullmatch(letters))
    description.header = {
        "first_records": names[:_RECORDS_SHOWN],
        "records_looked_at": len(names),
        "letters": "nucleotides" if is_nucleotide else "amino acids or others",
        "has_soft_mask": is_nucleotide and letters != letters.upper() and letters != letters.lower(),
    }
    return description


def _features(content: Content) -> list[list[str]]:
    cells = [line.split("\t") for line in _lines(content) if line.strip() and not line.startswith("#")]
    return cells[:1000]


def recognise_gtf(content: Content) -> Recognition | None:
    """Nine tab-separated columns, of which the fourth and fifth are positions and the seventh a strand."""
    rows = _features(content)
    if content.text.startswith("##gff-version"):
        return Recognition(kind="gff", confidence=1.0, evidence="a line ##gff-version")
    if not rows or not all(map(_is_feature, rows[:20])):
        return None
    kind = GTF if _GTF_ATTRIBUTES.search(rows[0][8]) else "gff"
    return Recognition(kind=kind, confidence=0.95, evidence="nine columns with positions and strands")


def _is_feature(cells: list[str]) -> bool:
    return len(cells) == 9 and cells[3].isdigit() and cells[4].isdigit() and cells[6] in _STRANDS


def describe_gtf(content: Content, recognition: Recognition, _: Setting) -> Description:
    """Comments at the top, features and sequences of the first lines."""
    description = begin(recognition)
    rows = _features(content)
    comments = [line for line in _lines(content) if line.startswith("#")]
    header: dict[str, Any] = {
        "comments": comments[:20],
        "features": sorted({cells[2] for cells in rows if len(cells) == 9}),
        "sequences": list(dict.fromkeys(cells[0] for cells in rows))[:_RECORDS_SHOWN],
        "records_looked_at": len(rows),
    }
    description.header = header
    description.columns = ["seqname", "source", "feature", "start", "end", "score", "strand", "frame", "attribute"]
    return description


def recognise_sra(content: Content) -> Recognition | None:
    """The archives of the SRA begin with ``NCBI.sra``."""
    if not content.head.startswith(SRA_MAGIC):
        return None
    return Recognition(kind=SRA, confidence=1.0, evidence="magic number NCBI.sra")


def describe_sra(content: Content, recognition: Recognition, setting: Setting) -> Description:
    """Spots and bases, where the SRA toolkit is installed and the file is not compressed once more."""
    description = begin(recognition)
    run = re.search(r"[SED]RR[0-9]{6,}", content.name.rpartition("/")[2])
    description.header = {"run_in_name": run.group() if run else None}
    facts = setting.ask_toolkit(content.path) if content.path is not None and not content.layers else None
    if facts is None:
        description.warnings.append("Its content was not looked at: it takes the SRA toolkit and an uncompressed file.")
    else:
        description.header |= {"spots": facts.spots, "reads_per_spot": facts.reads_per_spot, "bases": facts.bases}
    return description


DESCRIBERS = (
    Describer(recognise=recognise_sra, describe=describe_sra),
    Describer(recognise=recognise_fastq, describe=describe_fastq),
    Describer(recognise=recognise_fasta, describe=describe_fasta),
    Describer(recognise=recognise_gtf, describe=describe_gtf),
)
