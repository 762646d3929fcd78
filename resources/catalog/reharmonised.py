"""Harmonised values and titles of samples that are known already, replaced without touching anything else.

A survey decides states; harmonising anew does not. A sample that a download found withdrawn stays withdrawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.records import HarmonizedValue, SurveyResult
from refinebio_assets.domain.vocabulary import HARMONIZED_FIELDS
from resources.catalog.models import Experiment, Sample, SampleHarmonizedValue, now
from resources.catalog.statements import chunks, plain_json, rows_where_in, storable_text, upsert
from resources.catalog.survey import wait_for_other_survey

VERSION = "harmonisation_version"
"""Name in ``annotations["survey"]`` of an experiment."""

_COLUMNS = ("field", "value", "unit", "ontology_term_id", "raw_key", "raw_value", "rule")
_TITLE = "title"


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedExperiment:
    """An experiment with the payload it was surveyed from, and the version of the rules its samples went through."""

    accession: str
    metadata_sha256: str | None
    harmonisation_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChanges:
    """How many samples get a value of a field, get another one, lose it, or get only another provenance or unit."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    provenance: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonizationChanges:
    """What harmonising anew changes in the catalog.

    Attributes:
        samples: Samples of the experiment in payload and catalog.
        changed_samples: Those with another title or value.
        fields: Field (and ``title``) -> its changes; fields without any are absent.
        up_to_date: Whether nothing was left to write.
    """

    samples: int
    changed_samples: int
    fields: Mapping[str, FieldChanges]
    up_to_date: bool


_Values = dict[str, tuple[Any, ...]]


def surveyed_experiments(
    session: Session, accessions: Sequence[str] | None = None, *, other_version_than: str | None = None
) -> list[SurveyedExperiment]:
    """Experiments of the catalog by accession.

    Args:
        session: Where to read.
        accessions: Only these; all if None.
        other_version_than: Only those whose samples were harmonised by other rules than of this version, or by none.
    """
    version = Experiment.annotations["survey"][VERSION].as_string()
    query = select(Experiment.accession, Experiment.metadata_sha256, version.label("version"))
    if other_version_than is not None:
        query = query.where(or_(version.is_(None), version != other_version_than))
    rows = (
        session.execute(query.order_by(Experiment.accession)).all()
        if accessions is None
        else rows_where_in(session, query, Experiment.accession, accessions)
    )
    found = [
        SurveyedExperiment(
            accession=row.accession, metadata_sha256=row.metadata_sha256, harmonisation_version=row.version
        )
        for row in rows
    ]
    return sorted(found, key=lambda experiment: experiment.accession)


def harmonization_changes(session: Session, result: SurveyResult) -> HarmonizationChanges:
    """What :func:`record_harmonization` would change."""
    return _compared(session, result)[0]


def record_harmonization(session: Session, result: SurveyResult, *, metadata_sha256: str) -> HarmonizationChanges:
    """Write titles and harmonised values of the experiment's known samples, its coverage and the rules' version.

    Nothing else changes: no state, file, alias or membership. The same again changes nothing.

    Raises:
        NotFoundError: The experiment is not in the catalog, or was meanwhile surveyed from another payload.
    """
    wait_for_other_survey(session)
    accession = result.experiment.accession
    query = select(Experiment).where(Experiment.accession == accession).with_for_update()
    experiment = session.scalars(query).one_or_none()
    if experiment is None or experiment.metadata_sha256 != metadata_sha256:
        message = f"{accession} is not in the catalog with the payload {metadata_sha256} any more."
        raise NotFoundError(message, remedy="Harmonise it again: it was surveyed or removed meanwhile.")
    changes, ids, titles, values = _compared(session, result)
    _write(session, ids, titles, values)
    if not changes.up_to_date:
        survey = dict(experiment.annotations.get("survey") or {}) | {VERSION: _version(result)}
        experiment.annotations = {**experiment.annotations, "survey": survey}
        experiment.coverage = plain_json(result.coverage)
        experiment.updated_at = now()
    return changes


def _version(result: SurveyResult) -> str | None:
    survey = result.experiment.annotations.get("survey") or {}
    version = survey.get(VERSION)
    return None if version is None else str(version)


def _compared(
    session: Session, result: SurveyResult
) -> tuple[HarmonizationChanges, dict[str, int], dict[str, str], dict[str, _Values]]:
    """The changes; ids of the changed samples, and their titles and values by accession."""
    records = {sample.record.accession: sample.record for sample in result.samples}
    rows = rows_where_in(session, select(Sample.id, Sample.accession, Sample.title), Sample.accession, list(records))
    stored = _stored_values(session, {row.id: row.accession for row in rows})
    counts: Counter[tuple[str, str]] = Counter()
    ids: dict[str, int] = {}
    titles: dict[str, str] = {}
    values: dict[str, _Values] = {}
    for row in rows:
        record = records[row.accession]
        title, wanted = storable_text(record.title), _wanted(record.harmonized)
        kinds = _kinds(stored.get(row.accession, {}), wanted)
        if row.title != title:
            kinds[_TITLE] = "changed"
        if kinds:
            ids[row.accession], titles[row.accession], values[row.accession] = row.id, title, wanted
            counts.update(kinds.items())
    fields = {
        field: FieldChanges(**{kind: count for (of, kind), count in counts.items() if of == field})
        for field in (_TITLE, *HARMONIZED_FIELDS)
        if any(of == field for of, _ in counts)
    }
    changes = HarmonizationChanges(
        samples=len(rows),
        changed_samples=len(ids),
        fields=fields,
        up_to_date=not ids and _experiment_is_current(session, result),
    )
    return changes, ids, titles, values


def _experiment_is_current(session: Session, result: SurveyResult) -> bool:
    query = select(Experiment.annotations, Experiment.coverage).where(
        Experiment.accession == result.experiment.accession
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return False
    version = (row.annotations.get("survey") or {}).get(VERSION)
    return version == _version(result) and row.coverage == plain_json(result.coverage)


def _wanted(harmonized: Sequence[HarmonizedValue]) -> _Values:
    return {
        value.field: tuple(None if (text := getattr(value, name)) is None else storable_text(text) for name in _COLUMNS)
        for value in harmonized
    }


def _stored_values(session: Session, accession_of: Mapping[int, str]) -> dict[str, _Values]:
    columns = [getattr(SampleHarmonizedValue, name) for name in _COLUMNS]
    query = select(SampleHarmonizedValue.sample_id, *columns)
    stored: dict[str, _Values] = {}
    for sample_id, *row in rows_where_in(session, query, SampleHarmonizedValue.sample_id, list(accession_of)):
        stored.setdefault(accession_of[sample_id], {})[row[0]] = tuple(row)
    return stored


def _kinds(stored: _Values, wanted: _Values) -> dict[str, str]:
    """Field -> kind of its change; fields that stay are absent."""
    kinds: dict[str, str] = {}
    for field in stored.keys() | wanted.keys():
        before, after = stored.get(field), wanted.get(field)
        if before == after:
            continue
        if before is None or after is None:
            kinds[field] = "added" if before is None else "removed"
        else:
            kinds[field] = "changed" if before[1] != after[1] else "provenance"
    return kinds


def _write(session: Session, ids: Mapping[str, int], titles: Mapping[str, str], values: Mapping[str, _Values]) -> None:
    for chunk in chunks(sorted(ids.values())):
        session.execute(delete(SampleHarmonizedValue).where(SampleHarmonizedValue.sample_id.in_(chunk)))
    rows = [
        {"sample_id": ids[accession], **dict(zip(_COLUMNS, value, strict=True))}
        for accession, of_sample in values.items()
        for value in of_sample.values()
    ]
    upsert(session, SampleHarmonizedValue, rows, key=["sample_id", "field"])
    moment = now()
    if ids:
        session.execute(
            update(Sample),
            [{"id": id_, "title": titles[accession], "updated_at": moment} for accession, id_ in sorted(ids.items())],
        )
