"""How much memory a compendium takes, and sizes as people write them."""

from __future__ import annotations

import re

from refinebio_assets.compendia.compendium import WRITTEN_SAMPLES
from refinebio_assets.compendia.compressed_imputation import (
    CHUNK_SAMPLES,
    FEWEST_GENES,
    SKETCH_ROWS,
    SMALLEST_GROUP,
    SMALLEST_SAVING,
    most_groups,
)
from refinebio_assets.compendia.expression_store import MOST_SAMPLES
from refinebio_assets.compendia.filtered_samples import SLICE_SAMPLES
from refinebio_assets.compendia.imputation import BLOCK_SAMPLES, LARGEST_SKETCH
from refinebio_assets.compendia.linear_algebra import processors
from refinebio_assets.compendia.recipe import CompendiumRecipe, ImputationMode, SvdAlgorithm
from refinebio_assets.domain.errors import InputError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]i?)?b?\s*", re.IGNORECASE)

PROGRAM_BYTES = 200 * 2**20
"""Interpreter and libraries."""
SAMPLE_BYTES = 600
"""Names and facts of a sample."""
FILTER_BYTES = 40
"""Copies of a value while it is filtered."""
WRITTEN_BLOCKS = 2


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


def size_text(size: int) -> str:
    """A number of bytes for people: ``2.5 GiB``, ``300 MiB``."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def needed_bytes(samples: int, genes: int, recipe: CompendiumRecipe) -> int:
    """Memory that a compendium of a store takes at most.

    The largest of: a part while it is filtered, the places of samples and genes in the decompositions, and the
    directions of compressed groups. Files that are written beside take what their writers say.
    """
    workers = processors()
    part = min(samples, MOST_SAMPLES) * genes * 4 + SLICE_SAMPLES * genes * FILTER_BYTES
    writing = WRITTEN_BLOCKS * WRITTEN_SAMPLES * genes * 9
    if recipe.svd_algorithm is SvdAlgorithm.NONE:
        return PROGRAM_BYTES + max(part, writing)
    sketch = max(recipe.sketch or LARGEST_SKETCH, recipe.rank)
    thin = 2 * recipe.rank * 4
    blocks = workers * genes * (BLOCK_SAMPLES * 4 + sketch * 4)
    model = genes * sketch * (3 * 8 + 2 * 4) + genes * thin + blocks
    streaming = samples * (sketch * 4 + 2 * thin) + model
    groups = min(most_groups(genes), samples // SMALLEST_GROUP)
    compressible = recipe.imputation is not ImputationMode.STREAMING and groups and genes >= FEWEST_GENES
    rows = groups * (genes + SKETCH_ROWS) + samples // SMALLEST_SAVING
    measuring = 2 * groups * genes * SKETCH_ROWS * 12 + CHUNK_SAMPLES * genes * 16
    iterating = rows * (sketch * 4 + 2 * thin) + model + workers * genes * sketch * 24
    placing = (rows + samples) * 2 * thin + groups * genes * thin + workers * CHUNK_SAMPLES * genes * 8
    compressed = max(measuring, iterating, placing) if compressible else 0
    return PROGRAM_BYTES + samples * SAMPLE_BYTES + max(part, writing, streaming, compressed)
