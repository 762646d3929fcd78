"""Discovery: what each archive is asked for, and how what it lists gets into the catalog. Knows nothing of Dagster."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.discovery import DiscoveredStudy, SourceName
from refinebio_assets.domain.errors import (
    AccessControlledError,
    ArchiveError,
    InputError,
    MalformedPayloadError,
    RefinebioError,
)
from refinebio_assets.survey.discovery import (
    OVERLAP,
    OVERLAP_WITHOUT_DAYS,
    DiscoveryCursor,
    Found,
    Row,
    Wanted,
    array_express_study,
    ena_study,
    geo_series,
    grouped_for_partitions,
    listed_studies,
    sort_out,
)
from refinebio_assets.survey.registry import PlatformRegistry
from resources.archives import Archives
from resources.archives.ena import StudySearch
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import Settings

LOOKUPS_PER_LOOK = 50
"""ArrayExpress studies whose day of change is looked up in one look: each takes a request of its own."""


class DiscoverySource(Protocol):
    """One search of one archive, read page by page."""

    @property
    def archive(self) -> SourceName:
        """Whose quota the studies count for."""
        ...

    @property
    def query(self) -> str:
        """What is asked, in a word: ``published`` or ``updated``."""
        ...

    def look(self, cursor: DiscoveryCursor, *, until: date, limit: int) -> Found:
        """Read one page.

        Args:
            cursor: Where to go on.
            until: Last day to ask for.
            limit: Rows of the page.

        Raises:
            ArchiveError: The archive is unwell; the cursor stays where it is.
        """
        ...


@dataclass(frozen=True, slots=True)
class EnaStudies:
    """Bulk RNA-seq studies of supported instruments, by the day of publication or of the last change."""

    archives: Archives
    wanted: Wanted
    registry: PlatformRegistry
    query: str = "published"
    archive: SourceName = "ena"

    def look(self, cursor: DiscoveryCursor, *, until: date, limit: int) -> Found:
        """Read one page of ``read_study`` rows."""
        search = StudySearch(
            since=cursor.since,
            until=until,
            dates=("first_public",) if self.query == "published" else ("last_updated",),
            organisms=self.wanted.organisms,
            instrument_models=self.registry.discovery_instruments(),
            keyword=self.wanted.keyword,
        )
        rows = self.archives.ena.search_studies(search, limit=limit, offset=cursor.offset)
        studies, skipped = sort_out(rows, lambda row: ena_study(row, self.wanted), name_of=_name_of_ena_row)
        full = len(rows) >= limit
        following = cursor.after(rows=len(rows), full=full, until=until)
        return Found(studies=studies, cursor=following, complete=not full, skipped=skipped)


@dataclass(frozen=True, slots=True)
class GeoSeries:
    """Expression series on supported platforms, by the day of publication or of the last change.

    GEO's answer does not tell the day of a change: a series counts as changed on the first day of the window.
    """

    archives: Archives
    wanted: Wanted
    registry: PlatformRegistry
    query: str = "published"
    archive: SourceName = "geo"

    def look(self, cursor: DiscoveryCursor, *, until: date, limit: int) -> Found:
        """Read one page of series."""
        updated = self.query == "updated"
        ask = self.archives.geo.updated if updated else self.archives.geo.published
        page = ask(
            since=cursor.since,
            until=until,
            organisms=self.wanted.organisms,
            keyword=self.wanted.keyword,
            limit=limit,
            offset=cursor.offset,
        )
        changed = cursor.since if updated else None

        def decide(row: Row) -> DiscoveredStudy | str:
            return geo_series(row, self.wanted, self.registry, changed=changed)

        studies, skipped = sort_out(page.rows, decide, name_of=_accession_of)
        # GEO leaves out of a page what it cannot summarise: the total says whether there is more.
        full = cursor.offset + limit < page.total
        overlap = OVERLAP_WITHOUT_DAYS if updated else OVERLAP
        following = cursor.after(rows=limit, full=full, until=until, overlap=overlap)
        return Found(studies=studies, cursor=following, complete=not full, skipped=skipped)


@dataclass(frozen=True)
class ArrayExpressStudies:
    """Studies of the ArrayExpress collection, by the day of release."""

    archives: Archives
    wanted: Wanted
    query: str = "published"
    archive: SourceName = "array_express"

    @cached_property
    def _organisms(self) -> list[str]:
        """Scientific names: BioStudies knows no taxonomy ids."""
        return [name for one in self.wanted.organisms if (name := self._scientific_name(one))]

    def _scientific_name(self, organism: str) -> str:
        if not organism.strip().isdigit():
            return organism
        name = self.archives.ncbi.scientific_name(int(organism))
        if name is None:
            message = f"NCBI knows no organism with the taxonomy id {organism}."
            raise InputError(message, remedy="Check the id, or give the scientific name.")
        return name

    def look(self, cursor: DiscoveryCursor, *, until: date, limit: int) -> Found:
        """Read one page of studies; the archive numbers its pages, so their size stays as it was in the window."""
        size = min(limit, 100)
        page = self.archives.biostudies.released(
            since=cursor.since,
            until=until,
            organisms=self._organisms,
            keyword=self.wanted.keyword,
            page=cursor.offset // size + 1,
            page_size=size,
        )
        studies, skipped = sort_out(page.rows, lambda row: array_express_study(row, self.wanted), name_of=_accession_of)
        read = (cursor.offset // size + 1) * size
        if page.rows and read < page.total:
            following = DiscoveryCursor(cursor.since, read)
            return Found(studies=studies, cursor=following, complete=False, skipped=skipped)
        following = cursor.after(rows=0, full=False, until=until)
        return Found(studies=studies, cursor=following, complete=True, skipped=skipped)


@dataclass(frozen=True, slots=True)
class ArrayExpressChanges:
    """Days of change of known ArrayExpress studies, some at a time: the archive has no search by them.

    ``offset`` of the cursor counts the studies that were asked for in this round. One that is not public any more, or
    of which the archive tells nonsense, is left out: the round would never get beyond it.
    """

    archives: Archives
    known: Callable[[int, int], Sequence[str]]
    query: str = "updated"
    archive: SourceName = "array_express"

    def look(self, cursor: DiscoveryCursor, *, until: date, limit: int) -> Found:
        """Look up the next studies."""
        size = min(limit, LOOKUPS_PER_LOOK)
        accessions = self.known(cursor.offset, size)
        studies: dict[str, DiscoveredStudy] = {}
        skipped: dict[str, tuple[str, ...]] = {}
        for accession in accessions:
            try:
                info = self.archives.biostudies.info(accession)
            except (AccessControlledError, MalformedPayloadError) as error:
                skipped[error.code] = (*skipped.get(error.code, ()), accession)
                continue
            changed = _day_of_milliseconds((info or {}).get("modified"))
            if changed is None:
                skipped["no_day_of_change"] = (*skipped.get("no_day_of_change", ()), accession)
            else:
                studies[accession] = DiscoveredStudy(accession=accession, changed=changed)
        full = len(accessions) >= size
        following = DiscoveryCursor(until, cursor.offset + len(accessions) if full else 0)
        return Found(studies=studies, cursor=following, complete=not full, skipped=skipped)


def sources_of(
    archive: SourceName, archives: Archives, wanted: Wanted, registry: PlatformRegistry, catalog: Catalog | None = None
) -> list[DiscoverySource]:
    """The searches of an archive; those for changes only if a catalog says what is known."""
    if archive == "ena":
        return [EnaStudies(archives, wanted, registry, query) for query in _queries(catalog)]
    if archive == "geo":
        return [GeoSeries(archives, wanted, registry, query) for query in _queries(catalog)]
    published = ArrayExpressStudies(archives, wanted)
    if catalog is None:
        return [published]
    records = catalog.discovery

    def known(offset: int, limit: int) -> Sequence[str]:
        return records.experiments_of(SourceArchive.ARRAY_EXPRESS, offset=offset, limit=limit)

    return [published, ArrayExpressChanges(archives, known)]


def _queries(catalog: Catalog | None) -> tuple[str, ...]:
    return ("published",) if catalog is None else ("published", "updated")


def cursor_key(source: DiscoverySource, wanted: Wanted) -> str:
    """Where the cursor of a search is kept: other organisms make another search, which begins at its own start."""
    asked = "\n".join([wanted.keyword or "", *sorted(wanted.organisms)])
    return f"{source.archive}:{source.query}:{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one look at an archive brought, over all of its searches."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    seen: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line for a log."""
        left_out = "; ".join(f"{number} left out: {reason}" for reason, number in sorted(self.skipped.items()))
        counts = f"{self.seen} listed, {len(self.new)} new, {len(self.changed)} changed"
        return ". ".join([*filter(None, [counts, left_out]), *self.problems])


def look_at(
    sources: Sequence[DiscoverySource],
    catalog: Catalog,
    wanted: Wanted,
    *,
    start: date,
    today: date,
    limit: int,
    add_partitions: Callable[[Sequence[str]], object],
) -> Outcome:
    """Read one page of each search, and take in what is new or changed.

    A cursor moves only when its page is in the catalog and its partitions are added; a search that fails leaves its
    own where it is, and the others go on.

    Args:
        sources: The searches.
        catalog: Takes the studies.
        wanted: What is looked for; part of the cursor's name.
        start: Where a search begins that was never asked before.
        today: Last day to ask for.
        limit: Rows of a page.
        add_partitions: Adds experiment partitions.
    """
    outcome = Outcome()
    for source in sources:
        key = cursor_key(source, wanted)
        cursor = DiscoveryCursor.loads(catalog.cursor(key), start=start)
        try:
            found = source.look(cursor, until=today, limit=limit)
        except (ArchiveError, InputError) as error:
            outcome.problems.append(f"{error} The search for what was {source.query} stays at {cursor.since}.")
            continue
        taken = catalog.discovery.take_in(found.studies.values(), today=today)
        add_partitions(grouped_for_partitions(found.studies[one] for one in taken.new))
        catalog.set_cursor(key, found.cursor.dumps())
        outcome.new += taken.new
        outcome.changed += taken.changed
        outcome.seen += len(found.studies)
        outcome.skipped.update({reason: len(names) for reason, names in found.skipped.items()})
    return outcome


PAGE_ROWS: Mapping[SourceName, int] = {"ena": 10_000, "geo": 500, "array_express": 100}
"""Rows of a page where nobody waits for the answer: what each archive gives at most."""


@dataclass(slots=True, kw_only=True)
class Gathered:
    """Studies of a time span or a list: by accession, with what was left out, and what could not be asked."""

    studies: dict[str, DiscoveredStudy] = field(default_factory=dict)
    skipped: dict[SourceName, Counter[str]] = field(default_factory=dict)
    not_experiments: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def gather(
    sources: Sequence[DiscoverySource], *, since: date, until: date, report: Callable[[str], object]
) -> Gathered:
    """Everything that searches find between two days (both included).

    A search that fails is named among the problems; what it brought before that is kept, and the others go on.

    Args:
        sources: The searches.
        since: First day.
        until: Last day.
        report: Told what is being done.
    """
    gathered = Gathered()
    for source in sources:
        reasons = gathered.skipped.setdefault(source.archive, Counter())
        try:
            for found in every_page(source, since=since, until=until, limit=PAGE_ROWS[source.archive]):
                gathered.studies.update(found.studies)
                reasons.update({reason: len(names) for reason, names in found.skipped.items()})
                report(f"{source.archive}: {len(gathered.studies)} studies")
        except (ArchiveError, InputError) as error:
            gathered.problems.append(f"{source.archive}: {error}")
    return gathered


def gather_list(location: str, settings: Settings) -> Gathered:
    """What a list of accessions names, from disk or S3, as if a search had found it.

    Raises:
        InputError: It cannot be read, or is no text.
    """
    accessions = accessions_in(read_list(location, settings), location=location)
    studies, others = listed_studies(accessions)
    return Gathered(studies=studies, not_experiments=others)


def every_page(source: DiscoverySource, *, since: date, until: date, limit: int) -> Iterator[Found]:
    """All pages of one window.

    Raises:
        ArchiveError: The archive is unwell.
    """
    cursor = DiscoveryCursor(since)
    while True:
        found = source.look(cursor, until=until, limit=limit)
        yield found
        if found.complete:
            return
        cursor = found.cursor


def read_list(location: str, settings: Settings) -> bytes:
    """A list of accessions from disk or ``s3://bucket/key``.

    Raises:
        InputError: It cannot be read.
    """
    try:
        if location.startswith("s3://"):
            parent, _, name = location.rpartition("/")
            return ObjectStore.from_url(parent, endpoint_url=settings.s3_endpoint_url).get_bytes(name)
        return Path(location).read_bytes()
    except (OSError, RefinebioError) as error:
        message = f"The list of accessions cannot be read: {error}"
        raise InputError(message, path=location) from error


def accessions_in(content: bytes, *, location: str) -> list[str]:
    """Accessions of a list, one a line, without comments (``#``) and repeats, in its order.

    Raises:
        InputError: It is no text.
    """
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        message = f"The list of accessions is no text: {error}"
        raise InputError(message, path=location) from error
    return list(dict.fromkeys(word for line in lines if (word := line.split("#", 1)[0].strip())))


def _name_of_ena_row(row: Row) -> str:
    return str(row.get("secondary_study_accession") or row.get("study_accession") or "")


def _accession_of(row: Row) -> str:
    return str(row.get("accession") or "")


def _day_of_milliseconds(value: object) -> date | None:
    return datetime.fromtimestamp(value / 1000, UTC).date() if isinstance(value, int) and value > 0 else None
