"""What decides a compendium's values, apart from the samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from refinebio_assets.compendia.filters import FilterOptions
from refinebio_assets.compendia.imputation import MAX_ITERATIONS, RANK, SMALLEST_SKETCH, TOLERANCE


class SvdAlgorithm(StrEnum):
    """How exact the decompositions of the imputation are, after the two that refine.bio offers.

    ``arpack`` follows as many directions as it takes to be as good as exact, ``randomized`` thirty-two; ``none``
    leaves missing cells missing.
    """

    ARPACK = "arpack"
    RANDOMIZED = "randomized"
    NONE = "none"


class ImputationMode(StrEnum):
    """What the iterations of the imputation go over.

    ``streaming``: all samples. ``compressed``: a few rows for each large group of samples that miss the same genes
    (:mod:`~refinebio_assets.compendia.compressed_imputation`). ``auto``: compressed where that is much less.
    """

    AUTO = "auto"
    STREAMING = "streaming"
    COMPRESSED = "compressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumRecipe:
    """Everything that decides what a compendium's values are, apart from the samples."""

    filters: FilterOptions = field(default_factory=FilterOptions)
    svd_algorithm: SvdAlgorithm = SvdAlgorithm.ARPACK
    imputation: ImputationMode = ImputationMode.AUTO
    rank: int = RANK
    max_iterations: int = MAX_ITERATIONS
    tolerance: float = TOLERANCE

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @property
    def sketch(self) -> int | None:
        """Directions that are followed; as many as it takes if None."""
        return max(SMALLEST_SKETCH, self.rank) if self.svd_algorithm is SvdAlgorithm.RANDOMIZED else None
