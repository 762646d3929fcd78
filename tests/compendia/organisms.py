"""Small organisms whose samples are processed, as inputs of compendia."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refinebio_assets.compendia.qn_target_run import QnTargetRun, make_qn_target
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.domain.vocabulary import Technology
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import Settings
from tests.expression_records import record_expression

ORGANISM = "HOMO_SAPIENS"
FEW = {"qn_target_min_samples": 10, "compendium_min_samples": 10}
RANK = 3


def environment_of(folder: Path, catalog: Catalog | None = None, **settings: Any) -> CompendiumEnvironment:
    """Everything in a home folder; the catalog too, if none is given."""
    chosen = Settings(home=folder, **{**FEW, "compendium_formats": ("h5ad",), **settings})
    folder.mkdir(parents=True, exist_ok=True)
    return CompendiumEnvironment(
        catalog=catalog or Catalog.connect(chosen.catalog_url),
        store=ObjectStore.from_url(chosen.store_url),
        settings=chosen,
        run_id=None,
        log=logging.getLogger(__name__),
    )


@dataclass(frozen=True, kw_only=True)
class Organism:
    """Genes whose expression has a few directions, measured by arrays and RNA-seq."""

    environment: CompendiumEnvironment
    organism: str = ORGANISM
    genes: int = 120

    @property
    def names(self) -> list[str]:
        return [f"ENSG{number:011d}" for number in range(self.genes)]

    def values(self, samples: int, seed: int) -> np.ndarray[Any, Any]:
        """On a log2 scale."""
        shape = np.random.default_rng(0)
        level, axes = shape.normal(8, 1.5, self.genes), shape.normal(size=(RANK, self.genes))
        chance = np.random.default_rng(seed)
        noise = chance.normal(0, 0.2, (samples, self.genes))
        return np.abs(level + 0.5 * chance.normal(size=(samples, RANK)) @ axes + noise).astype(np.float32)

    def arrays(self, experiment: str, samples: int, *, missing: int = 0, **changes: Any) -> list[str]:
        """A series of arrays that do not measure the last ``missing`` genes; its samples."""
        values = self.values(samples, int(experiment[3:]))[:, : self.genes - missing]
        return self._record(experiment, values, self.names[: self.genes - missing], **changes)

    def rna_seq(self, experiment: str, samples: int, **changes: Any) -> list[str]:
        """A study of RNA-seq; its samples."""
        values = np.exp2(self.values(samples, int(experiment[3:]))) - 1
        return self._record(experiment, values, self.names, technology=Technology.RNA_SEQ, **changes)

    def _record(self, experiment: str, values: np.ndarray[Any, Any], genes: list[str], **changes: Any) -> list[str]:
        prefix = "GSM" if experiment.startswith("GSE") else "SRR"
        samples = [f"{prefix}{experiment[3:]}{number:04d}" for number in range(len(values))]
        record_expression(
            self.environment.catalog, self.environment.store, values,
            experiment=experiment, samples=samples, genes=genes, organism=self.organism, **changes,
        )  # fmt: skip
        return samples

    def two_technologies(self) -> None:
        """Arrays, most of which lack a fifth of the genes, and more RNA-seq samples; with a QN target."""
        self.arrays("GSE101", 18, missing=self.genes // 5)
        self.arrays("GSE102", 12)
        self.rna_seq("SRP103", 32)
        self.make_target()

    def make_target(self) -> QnTargetRun:
        """Make the QN target of the samples that are there."""
        run = make_qn_target(self.organism, self.environment)
        assert run.value is not None, run.skipped
        if run.commit is not None:
            run.commit()
        return run
