"""What discovery finds in an archive, before anything of it is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from refinebio_assets.domain.vocabulary import Technology

SourceName = Literal["ena", "geo", "array_express"]
"""An archive that is searched for new studies; each has a daily quota of its own."""

SOURCE_NAMES: tuple[SourceName, ...] = ("ena", "geo", "array_express")


WAITING_FOR_QUOTA = "waiting_for_quota"
"""Ledger reason of studies that were found, and for which the daily quota of their archive has no room yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredStudy:
    """A study that an archive lists.

    Attributes:
        accession: Its own experiment accession (SRP/ERP/DRP, GSE, E-…).
        changed: The day of its last change, or, if the archive only says that it changed since a day, that day.
        published: The day it became public.
        organisms: Scientific names.
        samples: Number of samples, None if the archive does not say.
        technology: ``UNKNOWN`` if the archive does not say.
        priority: Place of its organism in the list that was asked for, 0 first.
    """

    accession: str
    changed: date | None = None
    published: date | None = None
    organisms: tuple[str, ...] = ()
    samples: int | None = None
    technology: Technology = Technology.UNKNOWN
    priority: int = 0


def source_of_study(accession: str) -> SourceName:
    """The archive whose quota an experiment accession (upper case) counts for."""
    if accession.startswith("GSE"):
        return "geo"
    return "array_express" if accession.startswith("E-") else "ena"
