"""What GEO says about a series: its entities with their attributes, whether read from SOFT or from MINiML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from refinebio_assets.domain.accessions import AccessionType
from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.archive_rows import accession_of

MOST_WARNINGS = 100
"""How many warnings of a file are kept; all are counted."""

PLATFORM_MEMBERS = frozenset({"sample_id", "series_id"})
"""Lists of everything that was ever measured on a platform (180,000 samples for GPL570): they grow daily and say
nothing about the series, so they are not kept."""

_VOLATILE_PLATFORM_ATTRIBUTES = frozenset({"last_update_date"})

_GSE = frozenset({AccessionType.GEO_SERIES})


class EntityKind(StrEnum):
    """What a section of a file describes (https://www.ncbi.nlm.nih.gov/geo/info/soft.html)."""

    DATABASE = "DATABASE"
    SERIES = "SERIES"
    PLATFORM = "PLATFORM"
    SAMPLE = "SAMPLE"
    DATASET = "DATASET"
    SUBSET = "SUBSET"
    ANNOTATION = "ANNOTATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTable:
    """The shape of a data table: its column names and how many rows it has below them."""

    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoEntity:
    """One entity.

    Attributes:
        name: Its accession as the file has it (``GSM11805``); in submissions, whatever the submitter calls it.
        line: 1-based line at which it begins.
        attributes: Attribute name without the entity's own (``title``, ``characteristics_ch1``), in lower case ->
            values in the order of the file.
        column_descriptions: Column of the data table -> what the submitter says it is.
        table: None if the entity has no data table.
    """

    kind: EntityKind
    name: str
    line: int
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    column_descriptions: Mapping[str, str] = field(default_factory=dict)
    table: DataTable | None = None

    def first(self, attribute: str) -> str:
        """The first value of an attribute that is not empty; an empty text if there is none."""
        return next(filter(None, self.attributes.get(attribute, ())), "")

    def to_payload(self) -> dict[str, Any]:
        """The entity as JSON, without what changes although the series does not."""
        dropped = PLATFORM_MEMBERS | _VOLATILE_PLATFORM_ATTRIBUTES if self.kind is EntityKind.PLATFORM else ()
        payload: dict[str, Any] = {
            "accession": self.name,
            "attributes": {key: list(values) for key, values in self.attributes.items() if key not in dropped},
        }
        if self.column_descriptions:
            payload["column_descriptions"] = dict(self.column_descriptions)
        if self.table is not None:
            payload["table"] = {"columns": list(self.table.columns), "rows": self.table.rows}
        return payload


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWarning:
    """Something in a file that is not as it should be, but could be read around."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftFamily:
    """The entities of a file, each once, in the order of their first appearance.

    Attributes:
        path: The file, for messages.
        warnings: The first :data:`MOST_WARNINGS` oddities; ``warning_count`` says how many there were.
        malformed_lines: Lines that could not be understood and were left out.
    """

    path: str
    entities: tuple[GeoEntity, ...]
    warnings: tuple[FileWarning, ...] = ()
    warning_count: int = 0
    malformed_lines: int = 0

    def of_kind(self, kind: EntityKind) -> tuple[GeoEntity, ...]:
        """The entities of one kind."""
        return tuple(entity for entity in self.entities if entity.kind is kind)

    @property
    def series(self) -> tuple[GeoEntity, ...]:
        """The series; a family file has one."""
        return self.of_kind(EntityKind.SERIES)

    @property
    def platforms(self) -> tuple[GeoEntity, ...]:
        """The platforms."""
        return self.of_kind(EntityKind.PLATFORM)

    @property
    def samples(self) -> tuple[GeoEntity, ...]:
        """The samples."""
        return self.of_kind(EntityKind.SAMPLE)

    @property
    def datasets(self) -> tuple[GeoEntity, ...]:
        """The curated datasets (GDS)."""
        return self.of_kind(EntityKind.DATASET)

    @property
    def subsets(self) -> tuple[GeoEntity, ...]:
        """The groups of samples of a curated dataset."""
        return self.of_kind(EntityKind.SUBSET)

    def accession(self) -> str | None:
        """The series that the file is about, or else the one its samples belong to; None if it names none."""
        named = [entity.name for entity in self.series] + [entity.first("geo_accession") for entity in self.series]
        named += [value for sample in self.samples for value in sample.attributes.get("series_id", ())]
        return next((gse for name in named if (gse := accession_of(name, _GSE)) is not None), None)

    def to_payload(self, accession: str | None = None) -> dict[str, Any]:
        """The ``source_metadata`` payload of a series: plain JSON, the same for the same content.

        Args:
            accession: The series, where the file may hold several; the file's own if not given.

        Raises:
            MalformedFileError: The file names no series and none is given.
        """
        series = accession or self.accession()
        if series is None:
            message = "The file names no GEO series (GSE…)."
            raise MalformedFileError(message, path=self.path, remedy="Give the family file of a series.")
        return {
            "source": "GEO",
            "accession": series,
            "series": [entity.to_payload() for entity in self.series],
            "platforms": [entity.to_payload() for entity in self.platforms],
            "samples": [entity.to_payload() for entity in self.samples],
            "malformed_lines": self.malformed_lines,
            "warnings": [{"line": warning.line, "message": warning.message} for warning in self.warnings],
        }
