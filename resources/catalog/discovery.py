"""What discovery needs to know: how far sources were read, what is outdated; and properties of the whole catalog."""

from __future__ import annotations

from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from resources.catalog.models import CatalogProperty, DiscoveryCursor, Experiment, ExperimentAlias, now
from resources.catalog.statements import upsert


def read_cursor(session: Session, source: str, *, lock: bool = False) -> str | None:
    """How far a source has been read, None if never; ``lock`` keeps it from other writers until the end."""
    query = select(DiscoveryCursor.cursor).where(DiscoveryCursor.source == source)
    return session.scalar(query.with_for_update() if lock else query)


def write_cursor(session: Session, source: str, cursor: str) -> None:
    """Remember how far a source has been read."""
    upsert(session, DiscoveryCursor, [{"source": source, "cursor": cursor, "updated_at": now()}], key=["source"])


def read_property(session: Session, name: str) -> str | None:
    """A property of the catalog, None if it was never set."""
    row = session.get(CatalogProperty, name)
    return None if row is None else row.value


def write_property(session: Session, name: str, value: str) -> None:
    """Set a property of the catalog."""
    upsert(session, CatalogProperty, [{"name": name, "value": value}], key=["name"])


def is_outdated(session: Session, experiment: str, last_updated: date | None) -> bool:
    """Whether an experiment (any of its accessions) was never surveyed, or has changed upstream since."""
    named = select(ExperimentAlias.experiment_id).where(ExperimentAlias.alias == experiment)
    query = select(Experiment.last_updated).where(or_(Experiment.accession == experiment, Experiment.id.in_(named)))
    known = list(session.scalars(query))
    if not known:
        return True
    return last_updated is not None and any(day is None or day < last_updated for day in known)


def has_experiments(session: Session) -> bool:
    """Whether any experiment was ever surveyed."""
    return session.scalar(select(Experiment.id).limit(1)) is not None
