"""Which computed files are wanted."""

from __future__ import annotations

import strawberry
from sqlalchemy import ColumnElement

from graphql_api.connections import Keyset
from graphql_api.organisms.filters import organism_ids
from graphql_api.vocabulary import ComputedFileKind
from resources.catalog.models import ComputedFile

KEYSET = Keyset(name="computed_files", unique=ComputedFile.id)


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class ComputedFileFilter:
    """Conditions on computed files."""

    kinds: list[ComputedFileKind] | None = None
    sha256: list[str] | None = None
    filenames: list[str] | None = None
    organisms: list[str] | None = strawberry.field(
        default=None, description="Organism that the file belongs to as a whole: name or taxonomy id."
    )


def conditions(wanted: ComputedFileFilter | None) -> list[ColumnElement[bool]]:
    """SQL conditions on ``ComputedFile``."""
    if wanted is None:
        return []
    found: list[ColumnElement[bool]] = []
    if wanted.kinds is not None:
        found.append(ComputedFile.kind.in_([kind.value for kind in wanted.kinds]))
    if wanted.sha256 is not None:
        found.append(ComputedFile.sha256.in_([digest.lower() for digest in wanted.sha256]))
    if wanted.filenames is not None:
        found.append(ComputedFile.filename.in_(wanted.filenames))
    if wanted.organisms is not None:
        found.append(ComputedFile.organism_id.in_(organism_ids(wanted.organisms)))
    return found
