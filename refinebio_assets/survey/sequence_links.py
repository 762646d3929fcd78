"""What a GEO series or an ArrayExpress study says about where its reads are in the sequence archives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from refinebio_assets.domain.accessions import AccessionType
from refinebio_assets.domain.records import SurveyedSample
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.archive_rows import accession_of, malformed

PROCESSED_FROM_SRA = "processed_from_sra"
"""Ledger reason of sequenced samples, whose reads are processed as runs of a sequencing study."""

_STUDIES = frozenset({AccessionType.SRA_STUDY, AccessionType.BIOPROJECT})


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceLinks:
    """Accessions of the sequence archives, each once.

    Attributes:
        studies: SRP, ERP or DRP.
        projects: PRJ…; a project may hold other studies too.
        parts: Runs or experiments of single samples.
    """

    studies: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.studies or self.projects or self.parts)


def found_studies(payload: Mapping[str, Any]) -> tuple[str, ...] | None:
    """``sequence_studies`` of a payload: the studies ENA has for the links; None if ENA was not asked.

    Raises:
        MalformedPayloadError: The field is no list of study accessions.
    """
    found = payload.get("sequence_studies")
    if found is None:
        return None
    if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
        where = "payload.sequence_studies"
        raise malformed(where, "a list of study accessions", found)
    return tuple(dict.fromkeys(study for each in found if (study := accession_of(each, _STUDIES)) is not None))


def linked_studies(studies: Iterable[str], samples: Iterable[SurveyedSample]) -> tuple[str, ...]:
    """The studies to follow: all, if reads of some sample are to be processed from there; otherwise none."""
    followed = any(
        sample.decision.state is SampleState.SUPERSEDED and sample.decision.reason == PROCESSED_FROM_SRA
        for sample in samples
    )
    return tuple(dict.fromkeys(studies)) if followed else ()
