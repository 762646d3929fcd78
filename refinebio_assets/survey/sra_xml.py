"""The SRA's XML as rows of ENA's shape, so that :func:`~refinebio_assets.survey.sra.survey_sra` takes it.

Two forms are in use: NCBI's ``EXPERIMENT_PACKAGE_SET`` (``efetch db=sra``), whose packages hold experiment, study,
sample and runs together, and the sets of the SRA schema (``RUN_SET``, ``EXPERIMENT_SET``, ``SAMPLE_SET``,
``STUDY_SET``, ``SUBMISSION_SET``) that ENA's browser API gives one by one. Schema:
https://github.com/enasequence/schema/tree/master/src/main/resources/uk/ac/ebi/ena/sra/schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from refinebio_assets.domain.accessions import EXPERIMENT_TYPES, AccessionType
from refinebio_assets.survey.archive_rows import accession_of
from refinebio_assets.survey.sra_xml_elements import Element, read_elements
from refinebio_assets.survey.sra_xml_rows import (
    experiment_row,
    run_row,
    sample_row,
    study_row,
    submission_row,
)

PACKAGE = "EXPERIMENT_PACKAGE"
SETS = ("RUN_SET", "EXPERIMENT_SET", "SAMPLE_SET", "STUDY_SET", "PROJECT_SET", "SUBMISSION_SET", "ANALYSIS_SET")
ROOTS = frozenset({PACKAGE, f"{PACKAGE}_SET", "ROOT", *SETS, "RUN", "EXPERIMENT", "SAMPLE", "STUDY", "SUBMISSION"})
"""Root elements of the documents that are read."""

_READERS = {
    "RUN": ("runs", run_row),
    "EXPERIMENT": ("experiments", experiment_row),
    "SAMPLE": ("samples", sample_row),
    "STUDY": ("studies", study_row),
    "SUBMISSION": ("submissions", submission_row),
}
_STUDY_TYPES = frozenset({AccessionType.SRA_STUDY})

Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SraXml:
    """What documents of the SRA say, by accession; columns are those of ENA.

    Attributes:
        samples: By SRS accession; the key ``biosample`` of a row holds the attributes in BioSamples' form.
        without_accession: Entities that name none, and are left out.
    """

    runs: Rows = field(default_factory=dict)
    experiments: Rows = field(default_factory=dict)
    samples: Rows = field(default_factory=dict)
    studies: Rows = field(default_factory=dict)
    submissions: Rows = field(default_factory=dict)
    without_accession: int = 0

    def read_runs(self) -> list[dict[str, Any]]:
        """One ``read_run`` row per run, with what is known of its experiment, sample and study."""
        return [self._joined(row) for row in self.runs.values()]

    def payloads(self) -> list[dict[str, Any]]:
        """One ``source_metadata`` payload per study that has runs here; runs of no known study are in none."""
        by_study: dict[str, list[dict[str, Any]]] = {}
        for row in self.read_runs():
            study = accession_of(row.get("secondary_study_accession", ""), EXPERIMENT_TYPES)
            if study is not None:
                by_study.setdefault(study, []).append(row)
        return [self._payload(study, rows) for study, rows in by_study.items()]

    def _payload(self, study: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        about = self.studies.get(study, {})
        pubmed = about.get("pubmed_id")
        return {
            "source": "SRA",
            "accession": study,
            "requested": study,
            "read_run": rows,
            "study": [about] if about else [],
            "biosamples": self._biosamples(rows),
            "publication": {"pubmed_id": pubmed} if pubmed else None,
        }

    def _biosamples(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        found = {}
        for row in rows:
            for accession in str(row.get("secondary_sample_accession", "")).split(";"):
                sample = self.samples.get(accession, {})
                if sample.get("sample_accession") and "biosample" in sample:
                    found[sample["sample_accession"]] = sample["biosample"]
        return found

    def _joined(self, run: Mapping[str, Any]) -> dict[str, Any]:
        row = dict(run)
        _fill(row, self.experiments.get(row.get("experiment_accession", ""), {}))
        samples = [
            self.samples[each]
            for each in str(row.get("secondary_sample_accession", "")).split(";")
            if each in self.samples
        ]
        for sample in samples[:1] if len(samples) == 1 else _pooled(samples):
            _fill(row, {key: value for key, value in sample.items() if key not in ("biosample", "attributes")})
            if not sample.get("sample_accession"):  # then no BioSample can carry the attributes
                _fill(row, {f"characteristics[{tag}]": value for tag, value in sample.get("attributes", {}).items()})
        study = self.studies.get(row.get("secondary_study_accession", ""), {})
        _fill(
            row,
            {
                key: study[key]
                for key in ("study_accession", "study_title", "study_alias", "geo_accession", "center_name")
                if key in study
            },
        )
        return row


def _fill(row: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Take columns that the row does not have."""
    row.update({column: value for column, value in more.items() if value and not row.get(column)})


def _pooled(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The samples of a pool as one row with ``;``-joined values, as ENA writes them."""
    joined: dict[str, Any] = {}
    for column in ("sample_accession", "scientific_name", "tax_id", "sample_alias"):
        values = dict.fromkeys(str(sample[column]) for sample in samples if sample.get(column))
        joined[column] = ";".join(values)
    return [joined] if samples else []


def read_sra_xml(source: Path | BinaryIO, *, name: str | None = None) -> SraXml:
    """Read one document.

    Args:
        source: A file or a binary stream, plain or gzip.
        name: What errors call it; the file if not given.

    Raises:
        MalformedFileError: See :func:`~refinebio_assets.survey.sra_xml_elements.read_elements`.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return read_sra_xml(file, name=name or str(source))
    tables: dict[str, Rows] = {table: {} for table, _ in _READERS.values()}
    nameless = 0
    for unit in read_elements(source, (PACKAGE, *_READERS), name=name or "SRA XML", roots=ROOTS):
        for element in _entities(unit):
            table, to_row = _READERS[element.tag]
            row = to_row(element)
            accession = row.pop("", None)
            if accession is None:
                nameless += 1
            else:
                _fill(tables[table].setdefault(accession, {}), row)
    return SraXml(**tables, without_accession=nameless)


def join_sra_xml(documents: Iterable[SraXml]) -> SraXml:
    """Documents about the same study as one: of what several say, the first that says it counts."""
    joined: dict[str, Rows] = {table: {} for table, _ in _READERS.values()}
    nameless = 0
    for document in documents:
        nameless += document.without_accession
        for table, rows in joined.items():
            for accession, row in getattr(document, table).items():
                _fill(rows.setdefault(accession, {}), row)
    return SraXml(**joined, without_accession=nameless)


def _entities(unit: Element) -> list[Element]:
    """The entities of a package, or the entity itself."""
    if unit.tag != PACKAGE:
        return [unit]
    return [child for child in unit.children if child.tag in _READERS] + unit.all("RUN_SET", "RUN")
