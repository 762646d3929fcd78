"""QN targets and compendia as the rest of the platform sees them: who could be in, what there is, recording it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from refinebio_assets.domain.vocabulary import CompendiumKind, Technology
from resources.catalog import expression_parts
from resources.catalog.compendium_samples import (
    CompendiumSample,
    OrganismCounts,
    compendium_samples,
    organism_counts,
)
from resources.catalog.computed_files import ComputedFileInfo, files_of_results
from resources.catalog.engine import Database
from resources.catalog.expression_parts import ExpressionPartInfo
from resources.catalog.models import Compendium, ComputationalResult, ComputedFile, Organism, Platform, QnTarget, now
from resources.catalog.organism_platforms import PlatformCounts, platform_counts
from resources.catalog.organism_quant_files import OrganismQuantFile, organism_quant_files
from resources.catalog.results import ResultToRecord, record_result
from resources.catalog.statements import plain_json, upsert
from resources.catalog.vocabulary_rows import OrganismName, organism_ids

__all__ = [
    "CompendiumInfo",
    "CompendiumRecords",
    "CompendiumSample",
    "CompendiumToRecord",
    "ExpressionPartInfo",
    "OrganismCounts",
    "OrganismQuantFile",
    "PlatformCounts",
    "QnTargetInfo",
    "QnTargetToRecord",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class QnTargetToRecord:
    """A QN target of an organism (UPPER_SNAKE). The first file of ``result`` is the target itself.

    ``platform`` is the accession of the array platform whose samples made it, None for RNA-seq.
    """

    organism: str
    technology: Technology
    platform: str | None
    num_samples: int
    num_genes: int
    result: ResultToRecord
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class QnTargetInfo:
    """The QN target that an organism's samples are normalised to; ``files`` are all files of its result."""

    organism: str
    key: str
    sha256: str
    technology: Technology
    platform: str | None
    num_samples: int
    num_genes: int
    details: Mapping[str, Any]
    fingerprint: str | None
    created_at: datetime
    files: tuple[ComputedFileInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumToRecord:
    """A compendium or quantpendium of an organism (UPPER_SNAKE). The first file of ``result`` is the main artefact."""

    organism: str
    kind: CompendiumKind
    version: str
    svd_algorithm: str | None
    num_samples: int
    num_genes: int
    result: ResultToRecord
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumInfo:
    """A recorded compendium or quantpendium."""

    organism: str
    kind: CompendiumKind
    version: str
    svd_algorithm: str | None
    num_samples: int
    num_genes: int
    details: Mapping[str, Any]
    fingerprint: str | None
    created_at: datetime
    files: tuple[ComputedFileInfo, ...]


class CompendiumRecords:
    """Reads and writes what compendia are made of and what was made, each call in one transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def expression_parts(
        self, organisms: Sequence[str], *, experiments: Sequence[str] | None = None
    ) -> list[ExpressionPartInfo]:
        """Parts of the expression store of organisms (of these experiments only, if they are named)."""
        with self._database.reading() as session:
            return expression_parts.expression_parts(session, organisms, experiments=experiments)

    def samples(
        self, organisms: Sequence[str] | None, *, accessions: Sequence[str] | None = None
    ) -> list[CompendiumSample]:
        """Every processed sample, by accession: of organisms, of these accessions, or of both if both are named."""
        with self._database.reading() as session:
            return compendium_samples(session, organisms, accessions=accessions)

    def organisms(self) -> list[OrganismCounts]:
        """Every organism that has a processed or quantified sample, with how many, by name."""
        with self._database.reading() as session:
            return organism_counts(session)

    def knows(self, organism: str) -> bool:
        """Whether the catalog has the organism (UPPER_SNAKE), with or without processed samples."""
        with self._database.reading() as session:
            return session.scalar(select(Organism.id).where(Organism.name == organism)) is not None

    def platforms(self) -> list[PlatformCounts]:
        """How many processed samples of every organism were measured on each platform."""
        with self._database.reading() as session:
            return platform_counts(session)

    def quant_files(self, organism: str) -> list[OrganismQuantFile]:
        """Every RNA-seq sample of an organism that is quantified or processed, with its quant file, by experiment."""
        with self._database.reading() as session:
            return organism_quant_files(session, organism)

    def record_qn_target(self, target: QnTargetToRecord) -> int:
        """Write a target as the current one of its organism; earlier ones stay, no longer current.

        The same result (by its fingerprint) again is the same row, and becomes current again.

        Returns:
            Its row id.
        """
        with self._database.session() as session:
            organism_id = _locked_organism(session, target.organism)
            result_id, file_id = _record(session, target.result)
            session.execute(
                update(QnTarget)
                .where(QnTarget.organism_id == organism_id, QnTarget.result_id != result_id, QnTarget.is_current)
                .values(is_current=False)
                .execution_options(synchronize_session=False)
            )
            platform_id = None
            if target.platform is not None:
                platform_id = session.scalar(select(Platform.id).where(Platform.accession == target.platform))
            row = {
                "organism_id": organism_id,
                "technology": target.technology.value,
                "platform_id": platform_id,
                "num_samples": target.num_samples,
                "num_genes": target.num_genes,
                "details": plain_json(target.details),
                "is_current": True,
                "computed_file_id": file_id,
                "result_id": result_id,
                "created_at": now(),
            }
            (written,) = upsert(session, QnTarget, [row], key=["result_id"], returning=[QnTarget.id])
            return int(written.id)

    def current_qn_target(self, organism: str) -> QnTargetInfo | None:
        """The target of an organism, None if it has none yet."""
        query = (
            select(QnTarget, ComputedFile.key, ComputedFile.sha256, Platform.accession, ComputationalResult.fingerprint)
            .join(Organism, Organism.id == QnTarget.organism_id)
            .join(ComputedFile, ComputedFile.id == QnTarget.computed_file_id)
            .outerjoin(Platform, Platform.id == QnTarget.platform_id)
            .outerjoin(ComputationalResult, ComputationalResult.id == QnTarget.result_id)
            .where(Organism.name == organism, QnTarget.is_current)
        )
        with self._database.reading() as session:
            row = session.execute(query).one_or_none()
            if row is None:
                return None
            target: QnTarget = row.QnTarget
            return QnTargetInfo(
                organism=organism,
                key=row.key,
                sha256=row.sha256,
                technology=Technology(target.technology),
                platform=row.accession,
                num_samples=target.num_samples,
                num_genes=target.num_genes,
                details=target.details,
                fingerprint=row.fingerprint,
                created_at=target.created_at,
                files=files_of_results(session, [target.result_id or 0]).get(target.result_id or 0, ()),
            )

    def record_compendium(self, compendium: CompendiumToRecord) -> int:
        """Write a compendium; the same version of the same organism and kind again is the same row, and the newest.

        Returns:
            Its row id.
        """
        with self._database.session() as session:
            organism_id = _locked_organism(session, compendium.organism)
            result_id, file_id = _record(session, compendium.result)
            row = {
                "organism_id": organism_id,
                "kind": compendium.kind.value,
                "version": compendium.version,
                "svd_algorithm": compendium.svd_algorithm,
                "num_samples": compendium.num_samples,
                "num_genes": compendium.num_genes,
                "details": plain_json(compendium.details),
                "computed_file_id": file_id,
                "result_id": result_id,
                "created_at": now(),
            }
            key = ["organism_id", "kind", "version"]
            (written,) = upsert(session, Compendium, [row], key=key, returning=[Compendium.id])
            # an older version that is made again is the newest one: upsert leaves the time of the first writing
            session.execute(update(Compendium).where(Compendium.id == written.id).values(created_at=row["created_at"]))
            return int(written.id)

    def compendia(self, organism: str, kind: CompendiumKind) -> list[CompendiumInfo]:
        """Compendia or quantpendia of an organism, the one recorded last first."""
        query = (
            select(Compendium, ComputationalResult.fingerprint)
            .join(Organism, Organism.id == Compendium.organism_id)
            .outerjoin(ComputationalResult, ComputationalResult.id == Compendium.result_id)
            .where(Organism.name == organism, Compendium.kind == kind)
            .order_by(Compendium.created_at.desc(), Compendium.id.desc())
        )
        with self._database.reading() as session:
            rows = session.execute(query).all()
            files = files_of_results(session, [row.Compendium.result_id for row in rows if row.Compendium.result_id])
            return [_compendium_info(organism, kind, row, files) for row in rows]


def _compendium_info(
    organism: str, kind: CompendiumKind, row: Any, files: Mapping[int, tuple[ComputedFileInfo, ...]]
) -> CompendiumInfo:
    found: Compendium = row.Compendium
    return CompendiumInfo(
        organism=organism,
        kind=kind,
        version=found.version,
        svd_algorithm=found.svd_algorithm,
        num_samples=found.num_samples,
        num_genes=found.num_genes,
        details=found.details,
        fingerprint=row.fingerprint,
        created_at=found.created_at,
        files=files.get(found.result_id or 0, ()),
    )


def _locked_organism(session: Session, organism: str) -> int:
    """Row id of an organism; what is recorded for one organism is recorded one after the other."""
    name = OrganismName(name=organism)
    organism_id = organism_ids(session, [name])[name]
    session.execute(select(Organism.id).where(Organism.id == organism_id).with_for_update())
    return organism_id


def _record(session: Session, result: ResultToRecord) -> tuple[int, int]:
    """Row ids of the result and of its first file."""
    recorded = record_result(session, result)
    file_id = session.scalars(select(ComputedFile.id).where(ComputedFile.key == result.files[0].key)).one()
    return recorded.result_id, file_id
