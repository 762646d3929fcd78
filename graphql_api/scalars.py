"""Scalars that GraphQL lacks."""

from __future__ import annotations

from typing import Any, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
"""Sizes in bytes: GraphQL's Int ends at 2 GiB."""

SCALARS: dict[object, ScalarDefinition] = {
    BigInt: strawberry.scalar(
        name="BigInt", description="A whole number of up to 64 bits, as a JSON number.", serialize=int, parse_value=int
    )
}


def texts(values: list[Any]) -> list[str]:
    """A JSON list as a list of texts."""
    return [str(value) for value in values]
