"""Array expression on the object store."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from io_managers import ArrayExpressionIOManager
from refinebio_assets.domain.errors import InputError, NotFoundError
from resources.dagster_adapters import ObjectStoreResource


def matrix(organism: str, samples: int = 2, genes: int = 3) -> anndata.AnnData:
    values = np.arange(samples * genes, dtype=np.float32).reshape(samples, genes) / 7
    values[0, -1] = np.nan
    obs = pd.DataFrame({"title": [f"{organism} {at}" for at in range(samples)]})
    obs.index = pd.Index([f"GSM{at}{organism[:1]}" for at in range(samples)])
    made = anndata.AnnData(X=values, obs=obs, var=pd.DataFrame(index=pd.Index([f"G{at}" for at in range(genes)])))
    made.uns["organism"] = organism
    return made


@pytest.fixture
def manager(tmp_path) -> ArrayExpressionIOManager:
    return ArrayExpressionIOManager(object_store=ObjectStoreResource(url=str(tmp_path / "objects")))


def names(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "objects/array_expression/GSE1").iterdir())


def test_a_matrix_of_one_organism_has_the_name_of_its_experiment(manager, tmp_path) -> None:
    metadata = manager.save("GSE1", {"HOMO_SAPIENS": matrix("HOMO_SAPIENS")})
    assert names(tmp_path) == ["GSE1.h5ad", "GSE1.parquet"]
    assert metadata["samples_in_matrix"].value == 2
    loaded = manager.load("GSE1")["HOMO_SAPIENS"]
    assert loaded.X.dtype == np.float32
    assert np.array_equal(loaded.X, matrix("HOMO_SAPIENS").X, equal_nan=True)
    assert list(loaded.obs["title"]) == ["HOMO_SAPIENS 0", "HOMO_SAPIENS 1"]
    table = pq.read_table(tmp_path / "objects/array_expression/GSE1/GSE1.parquet")
    assert table.column_names == ["Gene", "GSM0H", "GSM1H"]
    assert table.schema.field("GSM0H").type == "float"


def test_matrices_of_several_organisms_have_its_name_behind_the_experiment(manager, tmp_path) -> None:
    both = {name: matrix(name) for name in ("HOMO_SAPIENS", "MUS_MUSCULUS")}
    manager.save("GSE1", both)
    assert names(tmp_path) == [
        "GSE1_HOMO_SAPIENS.h5ad", "GSE1_HOMO_SAPIENS.parquet", "GSE1_MUS_MUSCULUS.h5ad", "GSE1_MUS_MUSCULUS.parquet",
    ]  # fmt: skip
    assert set(manager.load("GSE1")) == set(both)


def test_the_same_matrix_gives_the_same_bytes(manager, tmp_path) -> None:
    path = tmp_path / "objects/array_expression/GSE1/GSE1.h5ad"
    manager.save("GSE1", {"HOMO_SAPIENS": matrix("HOMO_SAPIENS")})
    first = path.read_bytes()
    manager.save("GSE1", {"HOMO_SAPIENS": matrix("HOMO_SAPIENS")})
    assert path.read_bytes() == first


def test_what_cannot_be_stored_is_refused_and_what_was_never_stored_not_found(manager) -> None:
    repeated = matrix("HOMO_SAPIENS")
    repeated.obs_names = ["GSM1", "GSM1"]
    for value, message in (({}, "has no matrix"), ({"HOMO_SAPIENS": repeated}, "repeats a sample")):
        with pytest.raises(InputError, match=message):
            manager.save("GSE1", value)
    with pytest.raises(NotFoundError, match="There is no array_expression of GSE1 yet"):
        manager.load("GSE1")
