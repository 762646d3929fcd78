"""JSON documents: read once, then told apart by their shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.inspection import eutils, json_archives, json_references
from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting
from refinebio_assets.inspection.report import UNKNOWN, Description

JsonShape = Callable[[Any, Content, Setting], Description | None]
"""Describes a parsed document, or gives None if it is none of its kind."""

SHAPES: tuple[JsonShape, ...] = (
    *json_archives.SHAPES,
    *eutils.JSON_SHAPES,
    *json_references.SHAPES,
)


_BEGINNING = re.compile(r'\{\s*(?:["}]|$)|\[\s*(?:[{\["\]0-9-]|true\b|false\b|null\b|$)')


def recognise(content: Content) -> Recognition | None:
    """JSON begins with a brace or a bracket; what it is shows when it is read."""
    start = content.text.lstrip("\ufeff \t\r\n")
    if not start.startswith(("{", "[")) or "\0" in content.text:
        return None
    if not _BEGINNING.match(start):
        return None
    return Recognition(kind="json", confidence=0.5, evidence="begins like JSON")


def describe(content: Content, _: Recognition, setting: Setting) -> Description:
    """Read the document and ask every shape, most specific first.

    Raises:
        MalformedFileError: It is no JSON; the line is named.
    """
    import orjson

    data = content.read().removeprefix(b"\xef\xbb\xbf")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        message = f"This is no JSON: {error.msg}."
        raise MalformedFileError(message, path=content.name, line=error.lineno, remedy="Download it again.") from error
    for shape in SHAPES:
        description = shape(value, content, setting)
        if description is not None:
            return description
    return _other(value)


def _other(value: Any) -> Description:
    """A document of no known shape, with what tells what it might be."""
    description = Description(kind=UNKNOWN, confidence=0.0, evidence=["JSON of no shape that is known"])
    if isinstance(value, dict):
        description.header = {"type": "object", "size": len(value), "keys": list(value)[:20]}
    elif isinstance(value, list):
        first = value[0] if value else None
        keys = list(first)[:20] if isinstance(first, dict) else []
        description.header = {"type": "array", "size": len(value), "keys_of_the_first": keys}
    return description


DESCRIBERS = (Describer(recognise=recognise, describe=describe),)
