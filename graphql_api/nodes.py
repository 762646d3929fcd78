"""Global ids (Relay's ``Node``): opaque, made of the type's name and, where it has one, the row's public name."""

from __future__ import annotations

import base64
import binascii

import strawberry

from refinebio_assets.domain.errors import InputError


@strawberry.interface(description="Anything that `node(id)` can fetch again.")
class Node:
    """Anything with a global id."""

    id: strawberry.ID = strawberry.field(description="Opaque global id.")


def global_id(type_name: str, key: str | int) -> strawberry.ID:
    """The id of a node, from its type and its key."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{type_name}:{key}".encode()).decode())


def read_global_id(text: str) -> tuple[str, str]:
    """Type name and key of an id.

    Raises:
        InputError: The text was not made by :func:`global_id`.
    """
    try:
        type_name, separator, key = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
    except (binascii.Error, ValueError):
        separator = ""
    if not separator or not key:
        message = f"{text[:80]!r} is not a node id."
        raise InputError(message, remedy="Take ids from the `id` field of an earlier answer; they are opaque.")
    return type_name, key
