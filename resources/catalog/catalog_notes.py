"""Notes about single experiments among the catalog's properties: ``{kind}:{accession}`` -> a text that sorts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, Select, delete, select
from sqlalchemy.orm import Session

from resources.catalog.models import CatalogProperty
from resources.catalog.statements import chunks, rows_where_in, upsert


def has_kind(kind: str) -> ColumnElement[bool]:
    """Condition: a property is a note of this kind.

    A range of names would use the index, but its meaning depends on the database's collation.
    """
    return CatalogProperty.name.startswith(f"{kind}:", autoescape=True)


def ordered(kind: str) -> Select[str, str]:
    """Query for name and text of all notes of a kind, in the order of their texts."""
    query = select(CatalogProperty.name, CatalogProperty.value).where(has_kind(kind))
    return query.order_by(CatalogProperty.value, CatalogProperty.name)


def read_notes(session: Session, kind: str, accessions: Iterable[str]) -> dict[str, str]:
    """Texts by accession; accessions without a note are absent."""
    names = [f"{kind}:{accession}" for accession in accessions]
    query = select(CatalogProperty.name, CatalogProperty.value)
    rows = rows_where_in(session, query, CatalogProperty.name, names)
    return {accession_of(row.name): row.value for row in rows}


def write_notes(session: Session, kind: str, texts: Mapping[str, str]) -> None:
    """Write a note for each accession; an earlier one is replaced."""
    rows = [{"name": f"{kind}:{accession}", "value": text} for accession, text in texts.items()]
    upsert(session, CatalogProperty, rows, key=["name"])


def remove_notes(session: Session, kind: str, accessions: Iterable[str]) -> None:
    """Remove the notes of these accessions."""
    for chunk in chunks([f"{kind}:{accession}" for accession in accessions]):
        session.execute(delete(CatalogProperty).where(CatalogProperty.name.in_(chunk)))


def accession_of(name: str) -> str:
    """The accession that a note is about."""
    return name.rpartition(":")[2]
