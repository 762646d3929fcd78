"""QN targets and compendia from the catalog."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import select

from graphql_api.compendia.filters import CompendiumFilter, QnTargetFilter
from graphql_api.context import Reader, Statement, values_of
from graphql_api.nodes import global_id
from graphql_api.organisms.filters import organism_ids
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import Technology
from resources.catalog.models import Compendium, QnTarget

if TYPE_CHECKING:
    from graphql_api.compendia import types

TARGETS: Statement = select(
    QnTarget.id.label("loader_key"),
    QnTarget.organism_id.label("organism_key"),
    QnTarget.computed_file_id.label("file_key"),
    QnTarget.technology,
    QnTarget.num_samples,
    QnTarget.num_genes,
    QnTarget.is_current,
    QnTarget.created_at,
).order_by(QnTarget.organism_id, QnTarget.id.desc())
COMPENDIA: Statement = select(
    Compendium.id.label("loader_key"),
    Compendium.organism_id.label("organism_key"),
    Compendium.computed_file_id.label("file_key"),
    Compendium.kind,
    Compendium.version,
    Compendium.svd_algorithm,
    Compendium.num_samples,
    Compendium.num_genes,
    Compendium.created_at,
).order_by(Compendium.organism_id, Compendium.kind, Compendium.id.desc())


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
    return list(_compendia(reader, statement).values())


def compendia_by_key(reader: Reader, keys: Iterable[int]) -> dict[int, types.Compendium]:
    """Compendia by their key."""
    return _compendia(reader, COMPENDIA.where(Compendium.id.in_(list(keys))))


def _targets(reader: Reader, statement: Statement) -> dict[int, types.QnTarget]:
    from graphql_api.compendia.types import QnTarget

    siblings: Siblings[QnTarget] = Siblings()
    found: dict[int, QnTarget] = {}
    for row in reader.rows(statement):
        values = values_of(row)
        values["technology"] = Technology(row.technology)
        key = row.loader_key
        found[key] = QnTarget(id=global_id("QnTarget", key), siblings=siblings, **values)
    siblings.nodes = list(found.values())
    return found


def _compendia(reader: Reader, statement: Statement) -> dict[int, types.Compendium]:
    from graphql_api.compendia.types import Compendium

    siblings: Siblings[Compendium] = Siblings()
    found: dict[int, Compendium] = {}
    for row in reader.rows(statement):
        values = values_of(row)
        key = row.loader_key
        found[key] = Compendium(id=global_id("Compendium", key), siblings=siblings, **values)
    siblings.nodes = list(found.values())
    return found
