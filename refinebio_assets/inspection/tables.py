"""Tables and lists: ENA's reports, Ensembl's species tables, quant.sf, accession lists; others by their columns."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refinebio_assets.domain.accessions import parse_accession
from refinebio_assets.domain.errors import MalformedFileError, UnsupportedAccessionError
from refinebio_assets.inspection import ena
from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description
from refinebio_assets.rna_seq.quant_sf import HEADER as QUANT_SF_HEADER
from refinebio_assets.rna_seq.quant_sf import parse_quant_sf

QUANT_SF, SPECIES, ACCESSIONS, TABLE = "quant_sf", "ensembl_species_table", "accession_list", "table"

LONGEST_TABLE_BYTES = 256 * 1024 * 1024
_TABLE_SHOWN_BYTES = 64 * 1024 * 1024
_FEWEST_MATCHING_LINES = 0.8
_LINES_LOOKED_AT = 50
_SPECIES_COLUMNS = {"species", "core_db", "assembly", "division"}
_ENA_COLUMNS = re.compile(r"^(?:fastq|submitted|sra|bam)_(?:ftp|bytes|md5|aspera|galaxy)$")


def recognise_quant_sf(content: Content) -> Recognition | None:
    """Salmon's five columns."""
    first = content.text.partition("\n")[0].rstrip("\r")
    if first != QUANT_SF_HEADER:
        return None
    return Recognition(kind=QUANT_SF, confidence=1.0, evidence="the header is that of Salmon's quant.sf")


def describe_quant_sf(content: Content, recognition: Recognition, _: Setting) -> Description:
    """Transcripts and reads, read by the reader that tximport uses."""
    path = Path(content.name)
    quant = parse_quant_sf(content.read(largest=LONGEST_TABLE_BYTES), path)
    description = begin(recognition)
    description.columns = QUANT_SF_HEADER.split("\t")
    description.header = {
        "sample": path.parent.name if path.name.lower().startswith("quant.sf") else path.name.partition(".")[0],
        "transcripts": len(quant.names),
        "reads": round(float(quant.num_reads.sum()), 3),
        "expressed_transcripts": int((quant.tpm > 0).sum()),
    }
    return description


def recognise_report(content: Content) -> Recognition | None:
    """A table of ENA with a column ``run_accession`` that holds runs, or one of Ensembl's species tables."""
    separator, columns = _header(content)
    if separator is None:
        return None
    if set(columns) >= _SPECIES_COLUMNS:
        return Recognition(kind=SPECIES, confidence=1.0, evidence="the columns of Ensembl's species tables")
    first = dict(zip(columns, _rows(content, separator)[1], strict=False))
    if ena.run_of(first) is None:
        return None
    return Recognition(kind=_ena_kind(set(columns)), confidence=1.0, evidence="a column run_accession with runs")


def recognise_table(content: Content) -> Recognition | None:
    """A header and rows with as many cells, separated by tabs or commas."""
    separator, columns = _header(content)
    if separator is None:
        return None
    return Recognition(kind=TABLE, confidence=0.5, evidence=f"{len(columns)} columns in the header and most rows")


def _ena_kind(columns: set[str]) -> str:
    return "ena_filereport" if any(map(_ENA_COLUMNS.match, columns)) and len(columns) < 40 else ena.READ_RUN


def _header(content: Content) -> tuple[str | None, list[str]]:
    if "\0" in content.text or content.text.lstrip().startswith(("<", "{", "[")):
        return None, []
    for separator in ("\t", ","):
        rows = _rows(content, separator)
        if len(rows) < 2 or len(rows[0]) < 2:
            continue
        width = len(rows[0])
        matching = sum(len(row) == width or (len(row) == width + 1 and not row[-1]) for row in rows[1:])
        if matching >= _FEWEST_MATCHING_LINES * (len(rows) - 1) and len(set(rows[0])) > width / 2:
            return separator, [cell.lstrip("#\ufeff").strip() for cell in rows[0]]
    return None, []


def _rows(content: Content, separator: str) -> list[list[str]]:
    lines = content.text.splitlines()
    if not content.is_whole:
        lines = lines[:-1]
    if separator == "\t":
        return [line.split("\t") for line in lines[:_LINES_LOOKED_AT] if line.strip()]
    return _csv(lines[:_LINES_LOOKED_AT], separator)


def _csv(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(lines, delimiter=separator) if row]
    except csv.Error:
        return []


def describe_table(content: Content, recognition: Recognition, setting: Setting) -> Description:
    """Runs of ENA's reports, genomes of Ensembl's tables; of other tables columns and the number of rows."""
    separator, columns = _header(content)
    if recognition.kind == TABLE or separator is None:
        description = begin(recognition)
        description.columns = columns
        description.header = {"rows": _count_lines(content) - 1, "separator": separator}
        return description
    rows = _records(content, separator, columns)
    if recognition.kind == SPECIES:
        description = begin(recognition)
        description.columns = columns
        divisions = Counter(row.get("division", "") for row in rows)
        description.header = {"rows": len(rows), "divisions": dict(sorted(divisions.items()))}
        return description
    return ena.describe_rows(rows, setting, kind=recognition.kind, evidence=recognition.evidence, columns=columns)


def _records(content: Content, separator: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    text = content.read(largest=_TABLE_SHOWN_BYTES).decode("utf-8", errors="replace")
    records = []
    lines = (line.split("\t") for line in text.splitlines()) if separator == "\t" else csv.reader(io.StringIO(text))
    try:
        for number, cells in enumerate(lines):
            if number and any(cells):
                records.append(dict(zip(columns, cells, strict=False)))
    except csv.Error as error:
        message = f"The table cannot be read: {error}."
        raise MalformedFileError(message, path=content.name, line=len(records) + 2) from error
    return records


def _count_lines(content: Content) -> int:
    count, last = 0, b"\n"
    with content.stream() as stream:
        while block := stream.read(1 << 16):
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")


def recognise_accessions(content: Content) -> Recognition | None:
    """One accession in most lines."""
    lines = [line.strip() for line in content.text.splitlines()[:_LINES_LOOKED_AT]]
    words = [line for line in lines if line and not line.startswith("#")]
    found = sum(_type(word) is not None for word in words)
    header = bool(words) and _type(words[0]) is None  # such as "run_accession"
    if not found or found < _FEWEST_MATCHING_LINES * (len(words) - header):
        return None
    return Recognition(
        kind=ACCESSIONS, confidence=0.9, evidence=f"{found} of the first {len(words)} lines are accessions"
    )


def describe_accessions(content: Content, recognition: Recognition, _: Setting) -> Description:
    """How many accessions of which type; lines that are none are told."""
    description = begin(recognition)
    types: Counter[str] = Counter()
    seen: set[str] = set()
    text = content.read().decode("utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.partition("#")[0].strip()
        kind = _type(word) if word else None
        if kind is not None:
            types[kind] += 1
            seen.add(word.upper())
        elif word:
            description.warnings.append(f"line {number}: {word[:60]!r} is no accession.")
    description.header = {
        "accessions": sum(types.values()),
        "distinct": len(seen),
        "types": dict(sorted(types.items())),
    }
    return description


def _type(word: str) -> str | None:
    try:
        return parse_accession(word).type.value
    except UnsupportedAccessionError:
        return None


QUANT_DESCRIBERS = (Describer(recognise=recognise_quant_sf, describe=describe_quant_sf),)
LIST_DESCRIBERS = (
    Describer(recognise=recognise_report, describe=describe_table),
    Describer(recognise=recognise_accessions, describe=describe_accessions),
    Describer(recognise=recognise_table, describe=describe_table),
)
