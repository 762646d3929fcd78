"""The code of an array from the name that its raw files carry: ``HuEx-1_0-st-v2`` -> ``huex10st``."""

from __future__ import annotations

import re

_NOT_WORD = re.compile(r"[\W_]+", re.ASCII)
_LIBRARY_VERSION = re.compile(r"stv[0-9]$")


def array_code(name: str) -> str:
    """The code that an array is filed under, from the chip type in a CEL header or from a code in any spelling.

    Punctuation goes and letters become small, as refine.bio does. The version behind ``st`` (of the library files, not
    of the array) goes too: ``HuGene-1_0-st-v1`` and ``hugene10st`` are one array. ``HG_U95Av2`` and ``HG_U95A`` stay
    two.
    """
    return _LIBRARY_VERSION.sub("st", _NOT_WORD.sub("", name).lower())
