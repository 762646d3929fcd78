"""Records of an imported matrix: what its owner says of it and of its samples, in the form of an archive's payload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from refinebio_assets.domain.accessions import SourceArchive, local_accession
from refinebio_assets.domain.records import (
    ExperimentRecord,
    LedgerDecision,
    SampleRecord,
    SurveyedSample,
    SurveyResult,
)
from refinebio_assets.domain.vocabulary import IMPORTED, SampleState, Technology
from refinebio_assets.survey.archive_rows import Row, entries, malformed, mapping_field, rows_field, text
from refinebio_assets.survey.harmonisation import Harmonization, harmonize
from refinebio_assets.survey.harmonisation_rules import HARMONISATION_VERSION
from refinebio_assets.survey.microarray_platforms import ILLUMINA
from refinebio_assets.survey.registry import PlatformRegistry

ION_TORRENT = "ION_TORRENT"
MESSAGE = "Its values came with an imported gene matrix."


def imported_payload(
    experiment: str,
    *,
    title: str,
    organism: str,
    technology: Technology,
    platform: str | None,
    has_raw: bool,
    aliases: tuple[str, ...],
    samples: Mapping[str, tuple[str, Mapping[str, str]]],
) -> dict[str, Any]:
    """The `source_metadata` of an imported matrix.

    Args:
        experiment: Its accession, ``LOCAL-…``.
        title: For people.
        organism: UPPER_SNAKE.
        technology: Of all samples.
        platform: Code of the array, or name of the sequencer; None if it is not known.
        has_raw: Whether the values were made from raw data.
        aliases: Accessions of the study in public archives.
        samples: Accession -> the name that the matrix has for it, and its metadata.
    """
    return {
        "source": SourceArchive.LOCAL.value,
        "accession": experiment,
        "title": title,
        "organism": organism,
        "technology": technology.value,
        "platform": platform or "",
        "has_raw": has_raw,
        "aliases": list(aliases),
        "samples": [
            {"accession": accession, "name": name, "metadata": dict(metadata)}
            for accession, (name, metadata) in sorted(samples.items())
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Platform:
    """A platform as samples of the archives have it, so that they share its row in the catalog."""

    accession: str
    name: str
    manufacturer: str | None


def survey_imported(payload: Mapping[str, Any], registry: PlatformRegistry) -> SurveyResult:
    """Turn the payload of an imported matrix into records; its samples are processed: there is nothing left to do.

    Raises:
        MalformedPayloadError: It lacks something, or has it in another form.
        UnsupportedAccessionError: The accession is not one of an imported experiment.
    """
    accession = local_accession(text(payload, "accession"))
    technology = _technology(payload)
    platform = _platform(text(payload, "platform"), technology, registry)
    coverage: Counter[str] = Counter()
    samples = []
    for row in rows_field(payload, "samples"):
        metadata = {key: str(value) for key, value in mapping_field(row, "metadata", where="samples").items()}
        harmonization = harmonize([("imported", metadata)])
        coverage.update(harmonization.unmatched_keys)
        record = replace(
            _sample(row, metadata, harmonization, technology=technology, platform=platform),
            organism=text(payload, "organism") or None,
            has_raw=payload.get("has_raw") is True,
        )
        decision = LedgerDecision(state=SampleState.PROCESSED, reason=IMPORTED, message=MESSAGE)
        samples.append(SurveyedSample(record=record, decision=decision))
    return SurveyResult(
        experiment=ExperimentRecord(
            accession=accession,
            source=SourceArchive.LOCAL,
            title=text(payload, "title") or accession,
            technology=technology,
            aliases=entries(payload, "aliases"),
            annotations={"survey": {"harmonisation_version": HARMONISATION_VERSION}},
        ),
        samples=tuple(samples),
        coverage=dict(sorted(coverage.items())),
    )


def imported_samples(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Accessions of the samples of an imported matrix.

    Raises:
        MalformedPayloadError: It has no list of samples.
    """
    return tuple(sorted({text(row, "accession") for row in rows_field(payload, "samples")}))


def _sample(
    row: Row,
    metadata: Mapping[str, str],
    harmonization: Harmonization,
    *,
    technology: Technology,
    platform: _Platform | None,
) -> SampleRecord:
    name = text(row, "name")
    return SampleRecord(
        accession=text(row, "accession"),
        source=SourceArchive.LOCAL,
        title=harmonization.title or name,
        organism=None,
        taxonomy_id=None,
        technology=technology,
        platform_accession=platform.accession if platform else None,
        platform_name=platform.name if platform else None,
        manufacturer=platform.manufacturer if platform else None,
        harmonized=harmonization.values,
        annotations={"imported": {"name": name, **metadata}},
    )


def _technology(payload: Row) -> Technology:
    named = text(payload, "technology")
    try:
        return Technology(named)
    except ValueError:
        where = "payload.technology"
        raise malformed(where, "one of " + ", ".join(Technology), named) from None


def _platform(name: str, technology: Technology, registry: PlatformRegistry) -> _Platform | None:
    if not name:
        return None
    if technology is Technology.MICROARRAY:
        array = registry.microarray_platform(name)
        if array is None:
            return _Platform(accession=name, name=name, manufacturer=None)
        return _Platform(accession=array.accession, name=array.name, manufacturer=array.manufacturer)
    listed = registry.rna_seq_platform(name)
    maker = ION_TORRENT if listed and listed.startswith("Ion") else ILLUMINA if listed else None
    return _Platform(accession="".join(name.split()), name=name, manufacturer=maker)
