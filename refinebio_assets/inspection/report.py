"""What ``inspect`` says about a file, in the shape of ``refinebio inspect --json`` (``docs/inspect.md``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from refinebio_assets.domain.errors import InputError, RefinebioError
from refinebio_assets.domain.records import ExperimentRecord, HarmonizedValue, SurveyedSample, SurveyResult

UNKNOWN = "unknown"
MOST_WARNINGS = 100
"""Warnings of one file that are shown; a last one says how many there were."""


@dataclass(slots=True, kw_only=True)
class Description:
    """What a describer found out. Samples are those that a survey of the same content would store.

    Attributes:
        kind: The kind of file, as listed in ``docs/inspect.md``.
        confidence: 1 when a reader of the format took the whole file, less where only its beginning was looked at.
        evidence: What in the content says so.
        experiments: ``accession, title`` and what else is known of each.
        samples: ``accession, title, platform, organism, harmonized, annotations`` and what else is known of each.
        columns: Column names, for tables.
        header: Facts about the file as a whole.
        warnings: What is odd in the file, or what it lacks.
    """

    kind: str
    confidence: float = 1.0
    evidence: list[str] = field(default_factory=list)
    experiments: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    header: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add_survey(self, result: SurveyResult, *, undecided: str | None = None) -> None:
        """Take what a survey makes of the content.

        Args:
            result: The survey's.
            undecided: Why its decisions cannot be told from this file alone, if so; samples then have no state.
        """
        experiment = experiment_view(result)
        self.experiments.append(experiment if undecided is None else experiment | {"states": {}})
        self.samples += [sample_view(sample, is_decided=undecided is None) for sample in result.samples]
        if undecided:
            self.warnings.append(undecided)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer for one file: its description, or the error that stands in the way of one."""

    file: str
    layers: tuple[str, ...] = ()
    description: Description | None = None
    error: RefinebioError | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        described = self.description or Description(kind=UNKNOWN, confidence=0.0)
        answer: dict[str, Any] = {
            "file": self.file,
            "kind": described.kind,
            "confidence": described.confidence,
            "compression": list(self.layers),
            "evidence": described.evidence,
            "experiments": described.experiments,
            "samples": described.samples,
            "columns": described.columns,
            "header": described.header,
            "warnings": _few(described.warnings),
        }
        if self.error is not None:
            answer["error"] = error_view(self.error)
        return answer


def error_view(error: RefinebioError) -> dict[str, Any]:
    """``code, message, line, remedy`` of an error."""
    line = error.line if isinstance(error, InputError) else None
    return {"code": error.code, "message": error.message, "line": line, "remedy": error.remedy}


def _few(warnings: list[str]) -> list[str]:
    distinct = list(dict.fromkeys(warnings))
    if len(distinct) <= MOST_WARNINGS:
        return distinct
    return [*distinct[:MOST_WARNINGS], f"… and {len(distinct) - MOST_WARNINGS} more warnings."]


def experiment_view(result: SurveyResult) -> dict[str, Any]:
    """An experiment as it would be stored, with the states of its samples counted."""
    samples = [sample.record for sample in result.samples]
    states = Counter(sample.decision.state.value for sample in result.samples)
    return {
        **experiment_fields(result.experiment),
        "organisms": sorted({record.organism for record in samples if record.organism}),
        "platforms": sorted({record.platform_accession for record in samples if record.platform_accession}),
        "sample_count": len(samples),
        "states": dict(sorted(states.items())),
        "linked_studies": list(result.linked_studies),
        "unmatched_keys": dict(result.coverage),
        "annotations": dict(result.experiment.annotations),
    }


def experiment_fields(record: ExperimentRecord) -> dict[str, Any]:
    """The experiment's own columns."""
    return {
        "accession": record.accession,
        "title": record.title,
        "source": record.source.value,
        "description": record.description,
        "technology": record.technology.value,
        "aliases": list(record.aliases),
        "institution": record.institution,
        "pubmed_id": record.pubmed_id,
        "first_published": None if record.first_published is None else record.first_published.isoformat(),
        "last_updated": None if record.last_updated is None else record.last_updated.isoformat(),
    }


def sample_view(sample: SurveyedSample, *, is_decided: bool = True) -> dict[str, Any]:
    """A sample as it would be stored, with its state in the ledger and the reason."""
    record, decision = sample.record, sample.decision
    return {
        "accession": record.accession,
        "title": record.title,
        "platform": record.platform_accession,
        "platform_name": record.platform_name,
        "organism": record.organism,
        "technology": record.technology.value,
        "aliases": list(record.aliases),
        "state": decision.state.value if is_decided else None,
        "reason": decision.reason if is_decided else None,
        "message": decision.message if is_decided else None,
        "harmonized": harmonized_view(record.harmonized),
        "provenance": provenance_view(record.harmonized),
        "files": [file_view(each) for each in record.files],
        "annotations": dict(record.annotations),
    }


def plain_sample(
    accession: str,
    *,
    title: str | None = None,
    platform: str | None = None,
    organism: str | None = None,
    harmonized: Iterable[HarmonizedValue] = (),
    annotations: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A sample of a file that a survey does not read on its own: what it says, without a state."""
    values = tuple(harmonized)
    return {
        "accession": accession,
        "title": title or accession,
        "platform": platform,
        "organism": organism,
        "state": None,
        "reason": None,
        "harmonized": harmonized_view(values),
        "provenance": provenance_view(values),
        "annotations": dict(annotations or {}),
    }


def harmonized_view(values: Iterable[HarmonizedValue]) -> dict[str, str]:
    """Field -> harmonised value."""
    return {value.field: value.value for value in values}


def provenance_view(values: Iterable[HarmonizedValue]) -> dict[str, dict[str, str | None]]:
    """Field -> what the submitter wrote, the rule, unit and ontology term."""
    return {
        value.field: {
            "raw_key": value.raw_key,
            "raw_value": value.raw_value,
            "rule": value.rule,
            "unit": value.unit,
            "ontology_term_id": value.ontology_term_id,
        }
        for value in values
    }


def file_view(file: Any) -> dict[str, Any]:
    """A file of an archive."""
    return {"filename": file.filename, "url": file.url, "kind": file.kind, "mate": file.mate, "md5": file.md5}
