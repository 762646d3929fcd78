"""How much memory a compendium takes, and sizes as people write them."""

from __future__ import annotations

import re

from refinebio_assets.compendia.compendium import CompendiumRecipe, SvdAlgorithm
from refinebio_assets.compendia.expression_store import MOST_SAMPLES
from refinebio_assets.compendia.imputation import LARGEST_SKETCH, SMALLEST_SKETCH
from refinebio_assets.domain.errors import InputError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]i?)?b?\s*", re.IGNORECASE)

PROGRAM_BYTES = 200 * 2**20
"""Interpreter and libraries."""


def parse_size(text: str) -> int:
    """Bytes of ``8GiB``, ``500 MB``, ``2g`` or ``1073741824``.

    Raises:
        InputError: The text is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        message = f"{text!r} is no size."
        raise InputError(message, remedy="Write, for example, 8GiB or 500MB.")
    return int(float(match.group(1)) * _UNITS[(match.group(2) or "").lower()])


def needed_bytes(samples: int, genes: int, recipe: CompendiumRecipe) -> int:
    """Memory that a compendium of a store takes at most.

    A part with its copies while it is filtered, and per sample and per gene the places in the decompositions.
    """
    part = 4 * min(samples, MOST_SAMPLES) * genes * 4
    if recipe.svd_algorithm is SvdAlgorithm.NONE:
        return PROGRAM_BYTES + part
    sketch = SMALLEST_SKETCH if recipe.svd_algorithm is SvdAlgorithm.RANDOMIZED else LARGEST_SKETCH
    sketch = max(sketch, recipe.rank)
    decompositions = samples * (2 * sketch + 2 * recipe.rank) * 4 + genes * sketch * (4 * 8 + 2 * 4)
    return PROGRAM_BYTES + max(part, decompositions)
