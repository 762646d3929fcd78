"""Tables of array platforms: their references, and on which array a sample was really measured."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from resources.catalog.model_base import Base, now


class PlatformReference(Base):
    """What the probes of an array are: where they lie, which genes they measure, or which gene an identifier names.

    At most one of a platform and kind is current. ``sha256`` is that of the file as it was imported.
    """

    __tablename__ = "platform_references"
    __table_args__ = (
        Index("uq_platform_references", "platform_id", "kind", "sha256", unique=True),
        Index(
            "uq_platform_references_current",
            "platform_id",
            "kind",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    platform_id: Mapped[int] = mapped_column(ForeignKey("platforms.id"), index=True)
    organism_id: Mapped[int | None] = mapped_column(ForeignKey("organisms.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(1024))
    filename: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    num_probes: Mapped[int]
    num_genes: Mapped[int]
    is_current: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class DetectedPlatform(Base):
    """The array that a sample's raw file shows; the sample itself keeps what the submitter says.

    ``platform_id`` is None if the array is not supported. ``named`` is what the evidence says, in its own words: the
    chip type of a CEL header, or the probes' platform. ``share`` is the part of its probes that a table has.
    """

    __tablename__ = "detected_platforms"
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id", ondelete="CASCADE"), primary_key=True)
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platforms.id"), index=True)
    named: Mapped[str] = mapped_column(Text)
    evidence: Mapped[str] = mapped_column(String(32))
    share: Mapped[float | None]
    detected_at: Mapped[datetime] = mapped_column(default=now)
