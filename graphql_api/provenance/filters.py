"""Which computational results are wanted."""

from __future__ import annotations

import strawberry
from sqlalchemy import ColumnElement, select

from graphql_api.connections import Keyset
from resources.catalog.models import ComputationalResult, Processor

KEYSET = Keyset(name="computational_results", unique=ComputationalResult.id)


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class ComputationalResultFilter:
    """Conditions on computational results."""

    processors: list[str] | None = strawberry.field(default=None, description="Names of processors.")
    run_ids: list[str] | None = strawberry.field(default=None, description="Dagster runs.")
    fingerprints: list[str] | None = None


def conditions(wanted: ComputationalResultFilter | None) -> list[ColumnElement[bool]]:
    """SQL conditions on ``ComputationalResult``."""
    if wanted is None:
        return []
    found: list[ColumnElement[bool]] = []
    if wanted.processors is not None:
        named = select(Processor.id).where(Processor.name.in_(wanted.processors))
        found.append(ComputationalResult.processor_id.in_(named))
    if wanted.run_ids is not None:
        found.append(ComputationalResult.run_id.in_(wanted.run_ids))
    if wanted.fingerprints is not None:
        found.append(ComputationalResult.fingerprint.in_(wanted.fingerprints))
    return found
