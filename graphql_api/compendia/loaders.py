"""QN targets and compendia from the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import aliased

from graphql_api.compendia.filters import CompendiumFilter, QnTargetFilter
from graphql_api.context import Reader, Statement, values_of
from graphql_api.nodes import global_id
from graphql_api.organisms.filters import organism_ids
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import Technology
from resources.catalog.models import Compendium, QnTarget

if TYPE_CHECKING:
    from graphql_api.compendia import types


def _is_current() -> ColumnElement[bool]:
    """Whether no compendium of the same organism and kind was recorded later."""
    other = aliased(Compendium)
    later = or_(
        other.created_at > Compendium.created_at,
        and_(other.created_at == Compendium.created_at, other.id > Compendium.id),
    )
    same = and_(other.organism_id == Compendium.organism_id, other.kind == Compendium.kind)
    return ~select(other.id).where(same, later).exists()


TARGETS: Statement = select(
    QnTarget.id.label("key"),
    QnTarget.organism_id.label("organism_key"),
    QnTarget.platform_id.label("platform_key"),
    QnTarget.computed_file_id.label("file_key"),
    QnTarget.technology,
    QnTarget.num_samples,
    QnTarget.num_genes,
    QnTarget.is_current,
    QnTarget.created_at,
).order_by(QnTarget.organism_id, QnTarget.id.desc())
COMPENDIA: Statement = select(
    Compendium.id.label("key"),
    Compendium.organism_id.label("organism_key"),
    Compendium.computed_file_id.label("file_key"),
    Compendium.result_id.label("result_key"),
    Compendium.kind,
    Compendium.version,
    Compendium.svd_algorithm,
    Compendium.num_samples,
    Compendium.num_genes,
    _is_current().label("is_current"),
    Compendium.created_at,
).order_by(Compendium.organism_id, Compendium.kind, Compendium.created_at.desc(), Compendium.id.desc())


def qn_targets(reader: Reader, wanted: QnTargetFilter | None) -> list[types.QnTarget]:
    """QN targets that fit a filter, the newest of an organism first."""
    statement = TARGETS
    if wanted is not None and wanted.organisms is not None:
        statement = statement.where(QnTarget.organism_id.in_(organism_ids(wanted.organisms)))
    if wanted is not None and wanted.is_current is not None:
        statement = statement.where(QnTarget.is_current.is_(wanted.is_current))
    return list(_targets(reader, statement).values())


def qn_targets_by_key(reader: Reader, keys: Iterable[int]) -> dict[int, types.QnTarget]:
    """QN targets by their key."""
    return _targets(reader, TARGETS.where(QnTarget.id.in_(list(keys))))


def compendia(reader: Reader, wanted: CompendiumFilter | None) -> list[types.Compendium]:
    """Compendia that fit a filter, the newest of an organism and kind first."""
    statement = COMPENDIA
    if wanted is not None and wanted.organisms is not None:
        statement = statement.where(Compendium.organism_id.in_(organism_ids(wanted.organisms)))
    if wanted is not None and wanted.kinds is not None:
        statement = statement.where(Compendium.kind.in_(wanted.kinds))
    if wanted is not None and wanted.versions is not None:
        statement = statement.where(Compendium.version.in_(wanted.versions))
    if wanted is not None and wanted.is_current is not None:
        statement = statement.where(_is_current() if wanted.is_current else ~_is_current())
    return list(_compendia(reader, statement).values())


def compendia_by_key(reader: Reader, keys: Iterable[int]) -> dict[int, types.Compendium]:
    """Compendia by their key."""
    return _compendia(reader, COMPENDIA.where(Compendium.id.in_(list(keys))))


def current_targets(reader: Reader, organisms: Sequence[int]) -> dict[int, types.QnTarget]:
    """The current QN target of each organism that has one, by the organism's key."""
    statement = TARGETS.where(QnTarget.organism_id.in_(organisms), QnTarget.is_current)
    return {target.organism_key: target for target in _targets(reader, statement).values()}


def compendia_of_organisms(reader: Reader, organisms: Sequence[int]) -> dict[int, list[types.Compendium]]:
    """Compendia and quantpendia of each organism, the newest of a kind first, by the organism's key."""
    found: dict[int, list[types.Compendium]] = {}
    for one in _compendia(reader, COMPENDIA.where(Compendium.organism_id.in_(organisms))).values():
        found.setdefault(one.organism_key, []).append(one)
    return found


def target_details(reader: Reader, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What was noted of QN targets, by their key."""
    listed = select(QnTarget.id, QnTarget.details)
    return dict(map(tuple, reader.rows_by_keys(keys, lambda chunk: listed.where(QnTarget.id.in_(chunk)))))


def compendium_details(reader: Reader, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What was noted of compendia, by their key."""
    listed = select(Compendium.id, Compendium.details)
    return dict(map(tuple, reader.rows_by_keys(keys, lambda chunk: listed.where(Compendium.id.in_(chunk)))))


def _targets(reader: Reader, statement: Statement) -> dict[int, types.QnTarget]:
    from graphql_api.compendia.types import QnTarget

    siblings: Siblings[QnTarget] = Siblings()
    found: dict[int, QnTarget] = {}
    for row in reader.rows(statement):
        values = values_of(row)
        values["technology"] = Technology(row.technology)
        key = row.key
        found[key] = QnTarget(id=global_id("QnTarget", key), siblings=siblings, **values)
    siblings.nodes = list(found.values())
    return found


def _compendia(reader: Reader, statement: Statement) -> dict[int, types.Compendium]:
    from graphql_api.compendia.types import Compendium

    siblings: Siblings[Compendium] = Siblings()
    found: dict[int, Compendium] = {}
    for row in reader.rows(statement):
        values = values_of(row) | {"is_current": bool(row.is_current)}
        key = row.key
        found[key] = Compendium(id=global_id("Compendium", key), siblings=siblings, **values)
    siblings.nodes = list(found.values())
    return found
