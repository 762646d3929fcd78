"""Whether memory and disk suffice for a compendium, asked before hours are spent on it."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from refinebio_assets.compendia.expression_store import ExpressionStore
from refinebio_assets.compendia.memory import needed_bytes, size_text
from refinebio_assets.compendia.recipe import CompendiumRecipe, SvdAlgorithm
from refinebio_assets.domain.errors import ConfigurationError, InputError

BYTES_OF_A_CELL = {"h5ad": 8.0, "zarr": 8.0, "parquet": 4.0, "tsv": 5.0, "zip": 5.0}
"""What a value takes in the files of each format at most; compression of random digits hardly saves anything."""
FILTERED_BYTES = 4.0
"""What it takes while it is worked on."""


def check_memory(store: ExpressionStore, recipe: CompendiumRecipe, limit: int) -> None:
    """Refuse a compendium that would take more memory than allowed.

    Raises:
        InputError: It would.
    """
    samples, genes = len(store.samples), len(store.genes)
    needed = needed_bytes(samples, genes, recipe)
    if needed > limit:
        what = f"A compendium of {samples:,} samples and {genes:,} genes"
        message = f"{what} needs {size_text(needed)}, not {size_text(limit)}."
        exact = recipe.svd_algorithm is SvdAlgorithm.ARPACK
        others = ", or choose --svd-algorithm randomized, which needs less" if exact else ""
        raise InputError(message, remedy=f"Allow more with --memory or REFINEBIO_COMPENDIUM_MEMORY{others}.")


def check_disk(folder: Path, store: ExpressionStore, formats: Collection[str]) -> None:
    """Refuse a compendium that would not fit on the disk of its scratch folder.

    What an interrupted build left there counts as free: it is gone on with, or written over.

    Raises:
        ConfigurationError: It would not fit.
    """
    values = sum(len(part.info.genes) * len(places) for part, places in zip(store.parts, store.places, strict=True))
    needed = int(values * (FILTERED_BYTES + sum(BYTES_OF_A_CELL[name] for name in formats)))
    own = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free + own
    if needed > free:
        message = (
            f"The compendium may take {size_text(needed)} of scratch space, but {folder} has {size_text(free)} left."
        )
        remedy = (
            "Free some, set REFINEBIO_SCRATCH_DIR to a folder on a larger disk, or write fewer files with "
            "REFINEBIO_COMPENDIUM_FORMATS."
        )
        raise ConfigurationError(message, remedy=remedy)
