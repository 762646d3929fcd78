"""MetaSRA: ontology terms and real-value properties of human SRA samples (Bernstein et al. 2017, PubMed 28535296).

Its file is an object by BioSample's SRA accession (``SRS…``); NCBI's table ``SRA_Accessions.tab`` says which runs a
sample has: rows of type RUN, accession in column 1, sample in column 12
(https://ftp.ncbi.nlm.nih.gov/sra/reports/Metadata/).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.imported_metadata import MalformedEntry
from refinebio_assets.metadata.compressed import open_bytes
from refinebio_assets.metadata.json_entries import json_entries
from refinebio_assets.metadata.sample_entries import BadEntryError, Read, attribute_entry, keyword_entries

SOURCE_NAME = "MetaSRA"
METHODS_URL = "https://pubmed.ncbi.nlm.nih.gov/28535296/"

_PROPERTIES = "real-value properties"
_TERMS = "mapped ontology terms"
_NO_UNIT = "missing"
_ACCESSION, _TYPE, _SAMPLE = 0, 6, 11


def metasra_samples(path: Path) -> set[str]:
    """The samples that MetaSRA's file has.

    Raises:
        MalformedFileError: It is no JSON object, or damaged.
    """
    return {str(entry.key) for entry in json_entries(path)}


def runs_of_samples(table: Path, samples: Collection[str]) -> dict[str, list[str]]:
    """The runs of samples by ``SRA_Accessions.tab`` (tens of GB: read in one pass, in memory for the samples asked).

    Raises:
        MalformedFileError: The table has other columns, or is damaged.
    """
    wanted = {sample.encode(): sample for sample in samples}
    runs: dict[str, list[str]] = defaultdict(list)
    with open_bytes(table) as file:
        header = file.readline().rstrip(b"\r\n").split(b"\t")
        if [header[at : at + 1] for at in (_ACCESSION, _TYPE, _SAMPLE)] != [[b"Accession"], [b"Type"], [b"Sample"]]:
            message = "The columns 1, 7 and 12 are not Accession, Type and Sample."
            raise MalformedFileError(message, path=table, line=1, remedy="Give NCBI's SRA_Accessions.tab.")
        for line in file:
            if b"\tRUN\t" not in line:
                continue
            cells = line.split(b"\t", _SAMPLE + 1)
            if len(cells) > _SAMPLE and cells[_TYPE] == b"RUN" and cells[_SAMPLE] in wanted:
                runs[wanted[cells[_SAMPLE]]].append(cells[_ACCESSION].decode("ascii", "replace"))
    return dict(runs)


def read_metasra(path: Path, runs: Mapping[str, list[str]]) -> Iterator[Read]:
    """Keywords and attributes of the runs of MetaSRA's samples.

    A sample without a run in the table stands for itself: the catalog may know its runs by its accession.

    Args:
        path: MetaSRA's JSON; plain, gzip or Zstandard.
        runs: Runs by sample, as :func:`runs_of_samples` gives them.

    Raises:
        MalformedFileError: It is no JSON object, or damaged.
    """
    for index, (key, content) in enumerate(json_entries(path)):
        sample = str(key)
        position = f"entry {index} ({sample})"
        if not isinstance(content, dict):
            yield MalformedEntry(position=position, message="The entry is no object.")
            continue
        for run in runs.get(sample) or [sample]:
            yield from keyword_entries(run, _term_ids(content.get(_TERMS, [])), position)
            yield from _attributes(run, content.get(_PROPERTIES, []), position)


def _term_ids(terms: Any) -> Any:
    """Terms without their names, which some releases write behind a bar (``UBERON:0002107|liver``)."""
    if not isinstance(terms, list):
        return terms
    return [term.partition("|")[0] if isinstance(term, str) else term for term in terms]


def _attributes(run: str, properties: Any, position: str) -> Iterator[Read]:
    if not isinstance(properties, list):
        yield MalformedEntry(position=position, message=f"`{_PROPERTIES}` is no list.")
        return
    for number, one in enumerate(properties):
        where = f"{position}, property {number}"
        parts = one if isinstance(one, dict) else {}
        unit = parts.get("unit_id")
        try:
            yield attribute_entry(
                run,
                parts.get("property_id"),
                parts.get("value"),
                unit=None if unit == _NO_UNIT else unit,
                position=where,
            )
        except BadEntryError as error:
            yield MalformedEntry(position=where, message=error.message)
