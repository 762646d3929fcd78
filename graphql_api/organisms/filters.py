"""Organisms and platforms by any of their names."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry
from sqlalchemy import or_, select

from graphql_api.context import Statement
from graphql_api.vocabulary import Technology
from refinebio_assets.domain.organisms import organism_key
from resources.catalog.models import Organism, Platform

LARGEST_TAXONOMY_ID = 2**31 - 1
"""Largest value of the column; NCBI's ids have seven digits."""


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class OrganismFilter:
    """Conditions on organisms."""

    names: list[str] | None = strawberry.field(default=None, description="Name, UPPER_SNAKE name or NCBI taxonomy id.")


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class PlatformFilter:
    """Conditions on platforms."""

    names: list[str] | None = strawberry.field(default=None, description="Accession or name.")
    technologies: list[Technology] | None = None


def organism_ids(names: Sequence[str]) -> Statement:
    """Keys of the organisms called so: ``Danio rerio``, ``DANIO_RERIO`` or ``7955``."""
    keys = [organism_key(name) for name in names if any(letter.isascii() and letter.isalnum() for letter in name)]
    numbers = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 11]
    taxonomy_ids = [number for number in numbers if number <= LARGEST_TAXONOMY_ID]
    return select(Organism.id).where(or_(Organism.name.in_(keys), Organism.taxonomy_id.in_(taxonomy_ids)))


def platform_ids(names: Sequence[str]) -> Statement:
    """Keys of the platforms with that accession or name."""
    return select(Platform.id).where(or_(Platform.accession.in_(names), Platform.name.in_(names)))
