"""Organism names: the scientific name, and the UPPER_SNAKE form used in paths and partition keys."""

from __future__ import annotations

import re

_NOT_NAME = re.compile(r"[^A-Z0-9]+")


def organism_key(scientific_name: str) -> str:
    """``Danio rerio`` -> ``DANIO_RERIO``.

    Anything but letters and digits becomes one underscore, so the key is safe in paths and partition keys.

    Raises:
        ValueError: The name has no letter or digit.
    """
    key = _NOT_NAME.sub("_", scientific_name.upper()).strip("_")
    if not key:
        message = f"{scientific_name!r} is not an organism name"
        raise ValueError(message)
    return key


def scientific_name(key: str) -> str:
    """``DANIO_RERIO`` -> ``Danio rerio``; strains keep what followed the species, in lower case."""
    return key.replace("_", " ").capitalize()
