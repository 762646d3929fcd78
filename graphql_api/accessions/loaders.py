"""Accession arguments: any alias, answers in input order, an outcome for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from graphql_api.context import RequestContext
from graphql_api.limits import MAX_ACCESSIONS
from graphql_api.siblings import Siblings
from refinebio_assets.domain.accessions import EXPERIMENT_TYPES
from refinebio_assets.domain.errors import InputError
from resources.catalog import accessions as catalog
from resources.catalog.models import Experiment, LedgerEntry, Sample

if TYPE_CHECKING:
    from graphql_api.accessions.types import Resolution

_EXPERIMENT_TYPES = {*(kind.value for kind in EXPERIMENT_TYPES), "experiment"}


def names_experiments(accession_type: str | None) -> bool:
    """Whether an accession of that type names experiments rather than samples."""
    return accession_type in _EXPERIMENT_TYPES


def resolve(context: RequestContext, accessions: Sequence[str]) -> list[catalog.Resolution]:
    """Resolve accessions in input order.

    Raises:
        InputError: There are more than 10,000.
    """
    if len(accessions) > MAX_ACCESSIONS:
        message = f"{len(accessions)} accessions are too many at once; {MAX_ACCESSIONS} are allowed."
        raise InputError(message, remedy="Ask in several requests.")
    return context.reader.run(lambda session: catalog.resolve(session, accessions))


def make_resolutions(found: Sequence[catalog.Resolution]) -> list[Resolution]:
    """The catalog's resolutions as siblings."""
    from graphql_api.accessions.types import Resolution, ResolutionOutcome

    siblings: Siblings[Resolution] = Siblings()
    siblings.nodes = [
        Resolution(
            siblings=siblings,
            query=one.query,
            outcome=ResolutionOutcome(one.outcome),
            type=one.type,
            experiment_accessions=list(one.experiments),
            sample_accessions=list(one.samples),
            aliases=list(one.aliases),
            superseded_accessions=list(one.superseded),
            message=one.message,
        )
        for one in found
    ]
    return siblings.nodes


def accessions_named(
    context: RequestContext, queries: Sequence[str], wanted: Literal["experiments", "samples"]
) -> tuple[list[str], list[Resolution]]:
    """Accessions of the experiments or samples that ``queries`` name, and the queries that name none.

    Returns:
        Distinct accessions in input order, and a resolution with a message for each query without any.
    """
    column = Experiment.accession if wanted == "experiments" else Sample.accession
    resolutions = resolve(context, queries)
    named = [name for one in resolutions for name in getattr(one, wanted)]
    rows = context.reader.rows_by_keys(named, lambda chunk: select(column).where(column.in_(chunk)))
    surveyed = {row[0] for row in rows}
    missing = [one for one in resolutions if surveyed.isdisjoint(getattr(one, wanted))]
    return [name for name in dict.fromkeys(named) if name in surveyed], make_resolutions(
        [_explain(one) for one in missing]
    )


def ledger_accessions_named(context: RequestContext, queries: Sequence[str]) -> tuple[list[str], list[Resolution]]:
    """Like :func:`accessions_named` for ledger entries: an experiment, then its samples; a sample alone."""
    resolutions = resolve(context, queries)
    lists = [
        [*one.experiments, *one.samples] if names_experiments(one.type) else list(one.samples) for one in resolutions
    ]
    # a text of no known grammar can still have an entry of its own
    lists = [names or [one.query.strip().upper()] for names, one in zip(lists, resolutions, strict=True)]
    entry = LedgerEntry.accession
    every = list(dict.fromkeys(name for names in lists for name in names))
    known = {row[0] for row in context.reader.rows_by_keys(every, lambda chunk: select(entry).where(entry.in_(chunk)))}
    missing = [one for names, one in zip(lists, resolutions, strict=True) if known.isdisjoint(names)]
    return [name for name in every if name in known], make_resolutions([_explain(one) for one in missing])


def _explain(resolution: catalog.Resolution) -> catalog.Resolution:
    """A known accession without rows was discovered and not surveyed, or has nothing of the kind that was asked for."""
    if resolution.message is not None:
        return resolution
    message = f"{resolution.query} is known, but nothing of this kind was surveyed for it yet."
    return replace(resolution, message=f"{message} Survey it: refinebio survey {resolution.query}")
