"""What of an archive's listing is taken in: rows of ENA, GEO and ArrayExpress -> studies, or the reason they are not.

Nothing is fetched for this: an archive's search tells enough to leave out what no survey would find usable. What is
left out is named with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import orjson

from refinebio_assets.domain.accessions import SourceArchive, mirrored_series, own_archive
from refinebio_assets.domain.discovery import DiscoveredStudy
from refinebio_assets.domain.vocabulary import Technology
from refinebio_assets.survey.registry import PlatformRegistry

OVERLAP = timedelta(days=3)
"""Windows overlap: archives tell days, not hours, and their searches list a study some days after its own day."""

OVERLAP_WITHOUT_DAYS = timedelta(days=1)
"""Overlap where the archive does not tell on which day of the window a study changed: no more than must be."""

GEO_ARRAY = "expression profiling by array"
GEO_SEQUENCING = "expression profiling by high throughput sequencing"
"""Types of GEO series (https://www.ncbi.nlm.nih.gov/geo/info/overview.html) that are taken in."""

_GROUPS = re.compile(r"([^0-9]*)([0-9]*)(.*)", re.DOTALL)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DiscoveryCursor:
    """How far a search has been read: what changed before ``since`` is done, and ``offset`` rows from then on."""

    since: date
    offset: int = 0

    def dumps(self) -> str:
        """As stored in the catalog."""
        return orjson.dumps({"since": self.since.isoformat(), "offset": self.offset}).decode()

    @classmethod
    def loads(cls, text: str | None, *, start: date) -> DiscoveryCursor:
        """From the catalog; ``start`` if there is none yet."""
        if not text:
            return cls(start)
        values = orjson.loads(text)
        return cls(date.fromisoformat(values["since"]), int(values["offset"]))

    def after(self, *, rows: int, full: bool, until: date, overlap: timedelta = OVERLAP) -> DiscoveryCursor:
        """Where to go on after a page.

        After a full one with the next page of the same window. Pages overlap a little, because a study that left the
        listing meanwhile moves the others up. After the last page with a new window, which overlaps with this one.
        """
        if full:
            return DiscoveryCursor(self.since, self.offset + rows - rows // 20)
        return DiscoveryCursor(max(self.since, until - overlap))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for.

    Attributes:
        organisms: NCBI taxonomy ids or scientific names, the most wanted first; all organisms if empty.
        keyword: A phrase that must occur in the record.
    """

    organisms: tuple[str, ...] = ()
    keyword: str | None = None

    def priority(self, organisms: Iterable[str]) -> int:
        """Place of the first of these organisms in the list; behind all if none is named there."""
        places = {name.replace("_", " ").strip().casefold(): place for place, name in enumerate(self.organisms)}
        found = (places.get(organism.strip().casefold()) for organism in organisms)
        return min((place for place in found if place is not None), default=len(places))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one page of a search brought.

    Attributes:
        studies: Accession -> study.
        cursor: Where to go on.
        complete: Whether the window is read to its end.
        skipped: Reason -> accessions that were left out for it.
    """

    studies: Mapping[str, DiscoveredStudy]
    cursor: DiscoveryCursor
    complete: bool
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Decision = DiscoveredStudy | str
"""A study, or the reason why a row is none."""


def sort_out(
    rows: Iterable[Row], decide: Callable[[Row], Decision], *, name_of: Callable[[Row], str]
) -> tuple[dict[str, DiscoveredStudy], dict[str, tuple[str, ...]]]:
    """Studies by accession, and what was left out by reason (in the order of the rows)."""
    studies: dict[str, DiscoveredStudy] = {}
    skipped: dict[str, list[str]] = {}
    for row in rows:
        decision = decide(row)
        if isinstance(decision, DiscoveredStudy):
            studies[decision.accession] = decision
        else:
            skipped.setdefault(decision, []).append(name_of(row))
    return studies, {reason: tuple(dict.fromkeys(names)) for reason, names in skipped.items()}


def ena_study(row: Row, wanted: Wanted) -> Decision:
    """A ``read_study`` row; its query has asked for organism, instrument, strategy and source already."""
    accession = str(row.get("secondary_study_accession") or "").split(";")[0].strip().upper()
    if own_archive(accession) is not SourceArchive.SRA:
        return "no_study_accession"
    published = _day(row.get("first_public"))
    organisms = _names(row.get("scientific_name"))
    return DiscoveredStudy(
        accession=accession,
        changed=_day(row.get("last_updated")) or published,
        published=published,
        organisms=organisms,
        technology=Technology.RNA_SEQ,
        priority=wanted.priority(organisms),
    )


def geo_series(row: Row, wanted: Wanted, registry: PlatformRegistry, *, changed: date | None) -> Decision:
    """A row of GEO's search: expression by supported arrays, or by sequencing.

    Sequencers cannot be told from the row; the study with the reads is judged by its own survey.
    """
    types = str(row.get("type") or "").casefold()
    sequenced, arrays = GEO_SEQUENCING in types, GEO_ARRAY in types
    if not (sequenced or arrays):
        return "other_type"
    supported = any(registry.microarray_platform(platform) for platform in row.get("platforms") or ())
    if arrays and not (supported or sequenced):
        return "unsupported_platform"
    organisms = tuple(row.get("organisms") or ())
    published = _day(row.get("published"))
    return DiscoveredStudy(
        accession=str(row["accession"]),
        changed=changed,
        published=published,
        organisms=organisms,
        samples=row.get("samples"),
        technology=Technology.MICROARRAY if supported else Technology.RNA_SEQ,
        priority=wanted.priority(organisms),
    )


def array_express_study(row: Row, wanted: Wanted) -> Decision:
    """A row of BioStudies' search, which tells neither organism nor array; mirrors of GEO are found at GEO."""
    accession = str(row.get("accession") or "").strip().upper()
    if mirrored_series(accession):
        return "mirror_of_geo"
    if own_archive(accession) is not SourceArchive.ARRAY_EXPRESS:
        return "not_array_express"
    released = _day(row.get("released"))
    return DiscoveredStudy(
        accession=accession,
        changed=_day(row.get("modified")),
        published=released,
        priority=wanted.priority(()),
    )


def listed_studies(accessions: Sequence[str]) -> tuple[dict[str, DiscoveredStudy], list[str]]:
    """Studies that a list names, in its order, and what else it names.

    ArrayExpress' mirror of a GEO series stands for the series. Whatever else names an experiment (a sample, a run, a
    project) has to be looked up in an archive first.
    """
    studies: dict[str, DiscoveredStudy] = {}
    others: list[str] = []
    for text in accessions:
        accession = text.strip().upper()
        accession = mirrored_series(accession) or accession
        if own_archive(accession) is None:
            others.append(text)
        else:
            studies[accession] = DiscoveredStudy(accession=accession)
    return studies, list(dict.fromkeys(others))


def by_prefix_and_number(accession: str) -> tuple[str, int, str]:
    """Sort key: E-MTAB-9 before E-MTAB-10, all E-… before all GSE…."""
    match = _GROUPS.fullmatch(accession)
    prefix, number, rest = match.groups() if match else (accession, "", "")
    return prefix, int(number or 0), rest


def grouped_for_partitions(studies: Iterable[DiscoveredStudy]) -> list[str]:
    """Accessions grouped by organism and technology: ranges of partitions follow the order in which keys are added."""

    def group(study: DiscoveredStudy) -> tuple[Any, ...]:
        return (*study.organisms[:1], ""), study.technology.value, by_prefix_and_number(study.accession)

    return [study.accession for study in sorted(studies, key=group)]


def _day(value: object) -> date | None:
    text = str(value or "").strip()[:10]
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _names(value: object) -> tuple[str, ...]:
    return tuple(name for part in str(value or "").split(";") if (name := part.strip()))
