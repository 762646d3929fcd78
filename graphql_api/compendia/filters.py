"""Which organism-wide artefacts are wanted."""

from __future__ import annotations

import strawberry


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class QnTargetFilter:
    """Conditions on QN targets."""

    organisms: list[str] | None = strawberry.field(
        default=None, description="Name, UPPER_SNAKE name or NCBI taxonomy id."
    )
    is_current: bool | None = None


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class CompendiumFilter:
    """Conditions on compendia."""

    organisms: list[str] | None = strawberry.field(
        default=None, description="Name, UPPER_SNAKE name or NCBI taxonomy id."
    )
    kinds: list[str] | None = None
    versions: list[str] | None = None
    is_current: bool | None = strawberry.field(
        default=None, description="Whether it is the newest of its organism and kind."
    )
