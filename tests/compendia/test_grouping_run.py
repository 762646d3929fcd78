"""What the catalog's counts say of organisms."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from refinebio_assets.compendia.grouping import OrganismGroup
from refinebio_assets.compendia.grouping_run import eligible_samples, organism_groups
from refinebio_assets.domain.vocabulary import Technology
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from tests.expression_records import record_expression

AGILENT = ("GPL4133", "Agilent 4x44K", "AGILENT")
BOVINE = ("GPL2112", "[Bovine] Affymetrix Bovine Genome Array", "AFFYMETRIX")


def put(catalog: Catalog, folder: Path, organism: str, count: int, number: int, **changes: object) -> None:
    samples = [f"GSM{number}0{place}" for place in range(count)]
    record_expression(
        catalog, ObjectStore.from_url(str(folder)), np.ones((count, 2), np.float32),
        **{"experiment": f"GSE{number}", "samples": samples, "genes": ["G1", "G2"], "organism": organism, **changes},
    )  # fmt: skip


def test_species_are_grouped_by_the_platforms_of_their_samples_from_raw_data(
    sqlite_catalog: Catalog, tmp_path: Path
) -> None:
    put(sqlite_catalog, tmp_path, "BOS_TAURUS", 2, 1, platform=BOVINE)
    put(sqlite_catalog, tmp_path, "BOS_INDICUS", 1, 2, platform=BOVINE)
    put(sqlite_catalog, tmp_path, "BOS_INDICUS", 3, 3, technology=Technology.RNA_SEQ)
    put(sqlite_catalog, tmp_path, "BOS_GRUNNIENS", 5, 4, platform=BOVINE, has_raw=False)
    cattle = OrganismGroup(primary="BOS_INDICUS", members=("BOS_INDICUS", "BOS_TAURUS"))
    yak = OrganismGroup(primary="BOS_GRUNNIENS", members=("BOS_GRUNNIENS",))
    assert organism_groups(sqlite_catalog, include_submitted=False) == [yak, cattle]
    (everyone,) = organism_groups(sqlite_catalog, include_submitted=True)
    assert everyone.members == ("BOS_GRUNNIENS", "BOS_INDICUS", "BOS_TAURUS")


def test_samples_for_targets_are_those_of_the_most_common_affymetrix_platform_and_of_rna_seq(
    sqlite_catalog: Catalog, tmp_path: Path
) -> None:
    put(sqlite_catalog, tmp_path, "BOS_TAURUS", 2, 1, platform=BOVINE)
    put(sqlite_catalog, tmp_path, "BOS_TAURUS", 3, 2, has_raw=False)
    put(sqlite_catalog, tmp_path, "BOS_TAURUS", 5, 3, platform=AGILENT)
    put(sqlite_catalog, tmp_path, "BOS_TAURUS", 1, 4, technology=Technology.RNA_SEQ)
    put(sqlite_catalog, tmp_path, "BOS_TAURUS", 1, 5, technology=Technology.RNA_SEQ, platform=("X", "X", "X"))
    counts = sqlite_catalog.compendia.platforms()
    assert eligible_samples(counts, include_submitted=False) == {"BOS_TAURUS": (2, 2)}
    assert eligible_samples(counts, include_submitted=True) == {"BOS_TAURUS": (3, 2)}
