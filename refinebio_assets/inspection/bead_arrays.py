"""Tables of Illumina BeadArrays, with how their columns would be read and why; IDAT files."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description
from refinebio_assets.microarray.idat import MAGIC, read_idat_header
from refinebio_assets.microarray.illumina_interpretation import LEAST_CONFIDENCE
from refinebio_assets.microarray.illumina_table import TableReading, interpret_bead_table

BEAD_TABLE, IDAT = "illumina_table", "illumina_idat"

LARGEST_TABLE_BYTES = 256 * 1024 * 1024
_LINES_LOOKED_AT = 40
_WORDS = re.compile(
    r"avg[_ .]signal|detection[\s_.-]*(?:p[\s_.-]*val|score)|bead[_ .-]?std(?:err|ev)|n_?beads\b|illumicode|"
    r"illumina inc\. (?:bead|genome)studio|\[sample (?:probe|gene) profile\]",
    re.IGNORECASE,
)
_IDENTIFIERS = re.compile(r"\bILMN_\d{3}|\bGI_\d+-[SAI]\b")
_SEVERAL_SAMPLES = re.compile(r"^\^(?:SERIES|DATABASE|PLATFORM|DATASET)", re.MULTILINE)


def recognise_table(content: Content) -> Recognition | None:
    """A table with words or identifiers of BeadArrays in its first lines."""
    text = content.text.replace("\0", "")
    if text.lstrip().startswith(("<", "{", "[{")) or _SEVERAL_SAMPLES.search(text):
        return None
    head = "\n".join(text.splitlines()[:_LINES_LOOKED_AT])
    found = _WORDS.search(head) or _IDENTIFIERS.search(head)
    if found is None or (found.re is _IDENTIFIERS and not _has_signals(content)):
        return None
    return Recognition(kind=BEAD_TABLE, confidence=0.5, evidence=f"the first lines say {found[0]!r}")


def _has_signals(content: Content) -> bool:
    """The beginning alone can be read as signals: it is no map from probes to sequences or genes."""
    whole_lines = content.head if content.is_whole else content.head[: content.head.rfind(b"\n") + 1]
    try:
        interpret_bead_table(whole_lines)
    except InputError:
        return False
    return True


def describe_table(content: Content, recognition: Recognition, _: Setting) -> Description:
    """The reading of the columns with its confidence and evidence; a doubtful one is told, too."""
    description = begin(recognition)
    try:
        reading = interpret_bead_table(content.read(largest=LARGEST_TABLE_BYTES))
    except InputError as error:
        raise type(error)(error.message, path=content.name, line=error.line, remedy=error.remedy) from error
    description.confidence = reading.confidence
    description.evidence += reading.evidence
    description.columns = list(reading.layout.header)
    description.header = _header(reading)
    description.warnings += reading.warnings
    if reading.confidence < LEAST_CONFIDENCE:
        doubts = "; ".join(reading.doubts[:3])
        description.warnings.append(
            f"The values would be refused (confidence {reading.confidence} of {LEAST_CONFIDENCE}): {doubts}."
        )
    return description


def _header(reading: TableReading) -> dict[str, object]:
    layout, read = reading.layout, reading.interpretation
    return {
        "rows": len(layout.rows),
        "samples": len(read.columns),
        "encoding": layout.text.encoding,
        "newline": layout.text.newline,
        "separator": layout.delimiter,
        "decimal": layout.decimal,
        "header_line": layout.header_line,
        "scale": read.scale,
        "id_column": layout.header[read.id_column],
        "id_kind": read.id_kind.value,
        "detection_is_reversed": read.detection_is_reversed,
        "is_accepted": reading.confidence >= LEAST_CONFIDENCE,
        "sample_columns": [asdict(column) for column in read.columns],
    }


def recognise_idat(content: Content) -> Recognition | None:
    """By the first four bytes."""
    if not content.head.startswith(MAGIC):
        return None
    return Recognition(kind=IDAT, confidence=1.0, evidence="the first bytes are IDAT")


def describe_idat(content: Content, recognition: Recognition, _: Setting) -> Description:
    """Version, and whether it can be read."""
    description = begin(recognition)
    try:
        header = read_idat_header(content.head)
    except MalformedFileError as error:
        raise MalformedFileError(error.message, path=content.name, remedy=error.remedy) from error
    description.header = {**asdict(header), "array": Path(content.name).name.partition(".")[0]}
    if header.is_encrypted:
        description.warnings.append("An IDAT file of an expression array is encrypted; give GenomeStudio's table.")
    else:
        description.warnings.append("An IDAT file of a genotyping or methylation array: there is no expression in it.")
    return description


DESCRIBERS = (
    Describer(recognise=recognise_idat, describe=describe_idat),
    Describer(recognise=recognise_table, describe=describe_table),
)
