"""Which spots of an array measure no gene."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.microarray.agilent_table import Names

NEGATIVE, GENE, POSITIVE = -1, 0, 1
"""Values of Agilent's column ``ControlType``."""

_NEGATIVE_NAMES = re.compile(r"^(?:\(-\)|NegativeControl|3xSLv\d|NC\d_)", re.IGNORECASE)
_POSITIVE_NAMES = re.compile(
    r"^(?:\(\+\)|(?:GE_)?(?:Bright|Dark)Corner|E1A_r60|ETG\d+_|RC\d+$|Pro25G|eQC|DCP_)", re.IGNORECASE
)
_EMPTY_NAMES = re.compile(r"^(?:NA|empty|blank|buffer|none|-)?$", re.IGNORECASE)

_WORDS = {"false": GENE, "pos": POSITIVE, "neg": NEGATIVE, "ignore": POSITIVE, "true": POSITIVE}
"""How Agilent's GAL files, and GenePix results made with them, write the column."""


def from_numbers(column: NDArray[np.int32]) -> NDArray[np.int8]:
    """Of Agilent's column: beside 0, 1 and -1 there are codes below -1 for spots that are to be ignored.

    -15000 and -20000 are spots that are deleted or ignored; they are positive here, that is no gene.
    """
    return np.where(column == NEGATIVE, NEGATIVE, np.where(column == GENE, GENE, POSITIVE)).astype(np.int8)


def told_by_names(types: NDArray[np.int8], probes: Names) -> NDArray[np.int8]:
    """Controls with the name of a negative one are negative: array lists have them as 1, too."""
    controls = types != GENE
    named = from_names(probes[controls])
    refined = types.copy()
    refined[controls] = np.where(named == NEGATIVE, NEGATIVE, types[controls])
    return refined


def from_words(column: Names) -> NDArray[np.int8] | None:
    """Of a column of words or numbers; None if it has others."""
    words = [str(word).strip().lower() for word in column]
    if set(words) <= set(_WORDS):
        return np.array([_WORDS[word] for word in words], dtype=np.int8)
    try:
        return from_numbers(np.array(words, dtype=np.int32))
    except (ValueError, OverflowError):
        return None


def from_names(probes: Names) -> NDArray[np.int8]:
    """By the names of Agilent's control probes, and of spots where nothing is printed."""
    kind = {name: _of_name(str(name)) for name in set(probes.tolist())}
    return np.array([kind[name] for name in probes.tolist()], dtype=np.int8)


def _of_name(name: str) -> int:
    if _NEGATIVE_NAMES.match(name):
        return NEGATIVE
    return POSITIVE if _POSITIVE_NAMES.match(name) or _EMPTY_NAMES.match(name) else GENE
