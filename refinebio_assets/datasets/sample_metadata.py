"""Sample metadata as flat tables: one row per sample, a column for everything that is said of any of them.

Archives nest what they say of a sample, each in its own way. It is made flat as refine.bio does, with two of its slips
mended: values of ArrayExpress' variables get a column of their own (there their header is that of a characteristic, and
the cells stay empty), and a contribution's confidence is written (there it makes the whole download fail).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from refinebio_assets.datasets.package import Sink
from refinebio_assets.domain.download_metadata import ContributedValues, DownloadMetadata

ACCESSION, EXPERIMENT, REASON = "refinebio_accession_code", "experiment_accession", "reason"
ANNOTATIONS = "refinebio_annotations"
SEVERAL = "; "

_OUR_PREFIX = "refinebio_"
_CHARACTERISTICS = re.compile(r"characteristics(_ch[0-9]+)?")
_SDRF_HEADER = re.compile(r"\s*([A-Za-z ]+?)\s*(?:\[\s*(.*?)\s*\])?\s*")
_SDRF_COLUMNS = {
    "characteristics": "characteristic",
    "characteristic": "characteristic",
    "factorvalue": "variable",
    "comment": "comment",
    "parametervalue": "parameter",
}
_NOT_VALUES = frozenset({"termsourceref", "termaccessionnumber", "sourcename"})
_NESTED = frozenset({"geo", "read_run", "sdrf", "biosample"})
_OUR_NOTES = frozenset({"channels", "files", "replicates", "table"})
"""How the survey read the sample, not what the submitter says of it; it is in the JSON files."""
_BREAKS = re.compile(r"[\t\n\r\v\f\x00\x1c-\x1e\x85\u2028\u2029]+")

Fields = Iterator[tuple[str, str]]


def cell(text: str) -> str:
    """A text as a cell: without tabs and line breaks, quoted if it has quotes (as Excel, pandas and R read it)."""
    flat = _BREAKS.sub(" ", text)
    return '"' + flat.replace('"', '""') + '"' if '"' in flat else flat


def text_of(value: object) -> str:
    """A value as text: lists are joined, what is named gives its name, anything deeper is JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        named = value.get("name")
        return named if isinstance(named, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    if isinstance(value, list | tuple):
        return SEVERAL.join(filter(None, map(text_of, value)))
    return str(value)


def flat_annotation(annotation: Mapping[str, Any]) -> Fields:
    """Columns and values of what an archive says of a sample, as refine.bio keeps it or as our surveys do.

    - ArrayExpress: ``characteristic`` ``[{"category", "value"}]`` and ``variable`` ``[{"name", "value"}]`` become
      ``characteristic_…`` and ``variable_…``; ``source`` is left out, for it repeats them. A row of an SDRF gives the
      same, with units behind their values.
    - GEO: ``characteristics_ch1`` ``["tissue: liver"]`` becomes ``characteristics_ch1_tissue``.
    - BioSamples: ``characteristics`` ``{"tissue": [{"text": "liver"}]}`` becomes ``characteristic_tissue``.
    - Anything else keeps its key; see :func:`text_of`.
    """
    for key, value in annotation.items():
        characteristics = _CHARACTERISTICS.fullmatch(key)
        if key.startswith(_OUR_PREFIX) or key in _OUR_NOTES or (key == "source" and not isinstance(value, str)):
            continue
        if key in {"characteristic", "variable"} and _are_mappings(value):
            yield from _pairs(key, value)
        elif characteristics and isinstance(value, Mapping):
            yield from ((f"characteristic_{name}", _texts(several)) for name, several in value.items())
        elif characteristics:
            yield from _labelled(key, value if isinstance(value, list | tuple) else [value])
        elif key == "sdrf" and isinstance(value, list):
            yield from (field for row in value for field in _sdrf_row(row))
        elif key in _NESTED and isinstance(value, Mapping):
            yield from flat_annotation(value)
        else:
            yield key, text_of(value)


def _are_mappings(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, Mapping) for each in value)


def _pairs(kind: str, values: Iterable[Mapping[str, Any]]) -> Fields:
    """Characteristics are called by their category, variables by their name."""
    label = "category" if kind == "characteristic" else "name"
    return ((f"{kind}_{each[label]}", text_of(each["value"])) for each in values if label in each and "value" in each)


def _labelled(key: str, values: Iterable[object]) -> Fields:
    for value in values:
        label, colon, rest = text_of(value).partition(":")
        yield (f"{key}_{label.strip()}", rest.strip()) if colon else (key, label.strip())


def _texts(several: object) -> str:
    """The texts of a characteristic of BioSamples."""
    parts = several if isinstance(several, list | tuple) else [several]
    return text_of([part.get("text") if isinstance(part, Mapping) else part for part in parts])


def _sdrf_row(row: Iterable[Sequence[str]]) -> Fields:
    """Headers and cells of one row; a unit stands in the column behind its value."""
    column, value = "", ""
    for header, content in row:
        match = _SDRF_HEADER.fullmatch(header)
        word, label = (match.group(1), match.group(2)) if match else (header, None)
        kind = word.replace(" ", "").lower()
        if kind == "unit":
            value = f"{value} {content}"
        elif kind not in _NOT_VALUES:
            if column:
                yield column, value
            column, value = f"{_SDRF_COLUMNS.get(kind, kind)}_{label}" if label else header.strip(), content
    if column:
        yield column, value


def contributed_fields(contributed: ContributedValues) -> Fields:
    """``MetaSRA_age``, and ``MetaSRA_age.unit`` and ``MetaSRA_age.confidence`` where they are known."""
    for source, terms in contributed.attributes.items():
        for term, stated in terms.items():
            yield f"{source}_{term}", text_of(stated.get("value"))
            for about in ("unit", "confidence"):
                if stated.get(about) is not None:
                    yield f"{source}_{term}.{about}", text_of(stated[about])


def metadata_fields(metadata: DownloadMetadata, accession: str) -> dict[str, str]:
    """All columns of a sample but that for the experiment; distinct values of one column are joined.

    A sample that the metadata do not have is known by its accession alone.
    """
    sample = metadata.samples.get(accession, {})
    found: dict[str, dict[str, None]] = {ACCESSION: {accession: None}}
    ours = ((name, text_of(value)) for name, value in sample.items() if name not in {ANNOTATIONS, ACCESSION})
    annotations = (field for annotation in sample.get(ANNOTATIONS, ()) for field in flat_annotation(annotation))
    contributed = contributed_fields(metadata.contributed.get(accession, ContributedValues()))
    for fields in (ours, annotations, contributed):
        for name, value in fields:
            values = found.setdefault(" ".join(name.split()), {})
            if value:
                values.setdefault(value)
    return {name: SEVERAL.join(values) for name, values in found.items()}


def metadata_columns(metadata: DownloadMetadata, samples: Iterable[str]) -> list[str]:
    """Columns of a table of these samples: accession, experiment, ours by name, then all others by name."""
    names = {name for sample in samples for name in metadata_fields(metadata, sample)}
    ours = sorted(name for name in names if name.startswith(_OUR_PREFIX))
    others = sorted(names.difference(ours, {EXPERIMENT}))
    return [ACCESSION, EXPERIMENT, *(name for name in ours if name != ACCESSION), *others]


def write_metadata_tsv(
    out: Sink,
    metadata: DownloadMetadata,
    samples: Iterable[str],
    columns: Sequence[str],
    *,
    experiment_of: Callable[[str], str] | None = None,
    reason_of: Callable[[str], str] | None = None,
) -> None:
    """Write a table of samples, tab-separated with a header.

    Args:
        out: Where to.
        metadata: What is known of the samples.
        samples: Accessions, in the order of the rows.
        columns: From :func:`metadata_columns`; all tables of a download have the same.
        experiment_of: The experiment that a sample is listed under; the one that owns it if None.
        reason_of: Why a sample was left out; a third column then.
    """
    experiment_of = experiment_of or metadata.experiment_of
    header = [*columns[:2], REASON, *columns[2:]] if reason_of else list(columns)
    places = {name: place for place, name in enumerate(header)}
    out.write(("\t".join(map(cell, header)) + "\n").encode("utf-8", "replace"))
    for sample in samples:
        fields = metadata_fields(metadata, sample) | {EXPERIMENT: experiment_of(sample)}
        if reason_of:
            fields[REASON] = reason_of(sample)
        filled = {places[name]: value for name, value in fields.items() if value and name in places}
        out.write(_line(filled, len(header)))


def _line(filled: Mapping[int, str], width: int) -> bytes:
    """A row from the cells that are not empty, by place: of thousands of columns, a sample has few."""
    parts, reached = [], 0
    for place, value in sorted(filled.items()):
        parts.append("\t" * (place - reached) + cell(value))
        reached = place
    return ("".join(parts) + "\t" * (width - 1 - reached) + "\n").encode("utf-8", "replace")
