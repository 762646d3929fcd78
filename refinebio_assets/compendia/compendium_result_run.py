"""What came of building a compendium."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from refinebio_assets.compendia.quality_densities import Density
from refinebio_assets.domain.errors import RefinebioError
from resources.compendium_files import CompendiumFiles


@dataclass(slots=True, kw_only=True)
class CompendiumRun:
    """What came of an organism.

    Attributes:
        organism: The organism asked for.
        skipped: Why there is nothing to build; then all else is empty.
        refused: Why what was built must not be used: it fails a blocking check. Nothing of it is stored.
        files: Its files; those without a path are in the object store already.
        commit: Records the stored files, and removes the scratch folder.
        version: Its name.
        reused: Whether this version was there already.
        samples: How many it has.
        genes: How many it has.
        left_out: Number of samples that are not in it, by reason.
        unaccounted: Samples with expression that are neither in it nor left out with a reason, or that nobody knows.
        summary: How it was made, as :meth:`PreparedCompendium.summary` says it.
        quality: Figures of the evidence.
        densities: Values by technology before and after quantile normalisation; none if the version was there.
        checks: The evidence's checks, as JSON.
        extends: Version that it extends; None if it was built from the start.
        full_because: Why it is not an extension although one was asked for.
    """

    organism: str
    skipped: str | None = None
    refused: RefinebioError | None = None
    files: CompendiumFiles | None = None
    commit: Callable[[], object] | None = None
    version: str | None = None
    reused: bool = False
    samples: int = 0
    genes: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    unaccounted: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    densities: tuple[Density, ...] = ()
    checks: tuple[Mapping[str, Any], ...] = ()
    extends: str | None = None
    full_because: str | None = None

    def outcome(self) -> dict[str, Any]:
        """For people and scripts, as JSON."""
        outcome = "skipped" if self.skipped else "refused" if self.refused is not None else "built"
        return {
            "organism": self.organism,
            "outcome": "reused" if self.reused else outcome,
            "version": self.version,
            "samples": self.samples,
            "genes": self.genes,
            "left_out": dict(self.left_out),
            "share_imputed": self.summary.get("share_imputed"),
            "iterations": self.summary.get("iterations"),
            "extends": self.extends,
            "failed_checks": [check["name"] for check in self.checks if not check["passed"]],
            "files": [] if self.files is None else [self.files.key(file) for file in self.files.files],
            "message": self.skipped or (str(self.refused) if self.refused is not None else self.full_because or ""),
        }
