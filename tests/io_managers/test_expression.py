"""Expression as AnnData and Parquet."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from io_managers import ExpressionIOManager
from io_managers.expression import write_gene_matrix, write_h5ad
from refinebio_assets.domain.errors import InputError
from resources.dagster_adapters import ObjectStoreResource
from tests.io_managers.values import LAYERS, expression

H5AD = "rna_seq_expression/SRP1/SRP1.h5ad"
PARQUET = "rna_seq_expression/SRP1/SRP1_lengthScaledTPM.parquet"


@pytest.fixture
def io(object_store: ObjectStoreResource) -> ExpressionIOManager:
    return ExpressionIOManager(object_store=object_store)


def test_expression_comes_back_with_layers_names_and_dtypes(io: ExpressionIOManager) -> None:
    value = expression()
    metadata = io.save("SRP1", value)
    loaded = io.load("SRP1")
    assert list(loaded.obs_names) == ["SRR0", "SRR1", "SRR2"]
    assert list(loaded.var_names) == list(value.var_names)
    assert loaded.X.dtype == np.float32
    np.testing.assert_array_equal(loaded.X, value.X)
    assert sorted(loaded.layers) == sorted(LAYERS)
    for layer in LAYERS:
        assert loaded.layers[layer].dtype == np.float32
        np.testing.assert_array_equal(loaded.layers[layer], value.layers[layer])
    assert loaded.uns["provenance"]["salmon"] == "1.10.1"
    assert list(loaded.uns["provenance"]["inputs"]) == ["b", "a"]
    assert metadata["samples_in_matrix"].value == 3
    assert metadata["genes_in_matrix"].value == 7
    assert "| ENSDARG00000000000 |" in metadata["preview"].value


def test_text_columns_are_categories_and_gaps_stay_gaps(io: ExpressionIOManager) -> None:
    io.save("SRP1", expression())
    obs = io.load("SRP1").obs
    assert {name: str(dtype) for name, dtype in obs.dtypes.items()} == {
        "title": "category", "sex": "category", "mapped": "float64", "early": "bool", "nothing": "category",
    }  # fmt: skip
    assert obs["sex"].isna().tolist() == [True, False, False]
    assert obs["title"].tolist() == ["sample 0", "sample 1", "sample 2"]


def test_saving_leaves_the_value_as_it_was(io: ExpressionIOManager) -> None:
    value, untouched = expression(), expression()
    io.save("SRP1", value)
    pd.testing.assert_frame_equal(value.obs, untouched.obs)
    assert list(value.layers) == list(untouched.layers)


def test_the_gene_matrix_is_there_for_any_parquet_reader(
    io: ExpressionIOManager, object_store: ObjectStoreResource
) -> None:
    value = expression()
    io.save("SRP1", value)
    with object_store.store().open_file(PARQUET) as file:
        table = pq.read_table(file)
    assert table.column_names == ["Gene", "SRR0", "SRR1", "SRR2"]
    assert [str(field.type) for field in table.schema] == ["string", "float", "float", "float"]
    assert table["Gene"].to_pylist() == list(value.var_names)
    matrix = table.to_pandas().set_index("Gene").to_numpy()
    np.testing.assert_array_equal(matrix, value.layers["lengthScaledTPM"].T)


def test_the_matrix_keeps_the_layers_dtype(tmp_path: Path) -> None:
    value = expression()
    value.layers["lengthScaledTPM"] = value.layers["lengthScaledTPM"].astype(np.float64) / 3
    table = pq.read_table(write_gene_matrix(value, tmp_path / "m.parquet"))
    assert table["SRR1"].to_pylist() == value.layers["lengthScaledTPM"][1].tolist()


_HASHES = """
import hashlib, sys
from pathlib import Path
from io_managers.expression import write_gene_matrix, write_h5ad
from tests.io_managers.values import expression
folder = Path(sys.argv[1])
value = expression(samples=40, genes=500)
for path in (write_h5ad(value, folder / "a"), write_gene_matrix(value, folder / "b")):
    print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_the_same_value_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    outputs = []
    for number, hash_seed in enumerate(("1", "2")):
        folder = tmp_path / ("folder" * (number + 1))
        folder.mkdir()
        child = subprocess.run(
            [sys.executable, "-c", _HASHES, str(folder)], capture_output=True, text=True, timeout=120, check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": f"UTC+{number}"},
        )  # fmt: skip
        outputs.append(child.stdout.split())
    value = expression(samples=40, genes=500)
    here = [write_h5ad(value, tmp_path / "x"), write_gene_matrix(value, tmp_path / "y")]
    assert outputs[0] == outputs[1] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in here]


def test_the_order_of_layers_and_annotations_does_not_matter(tmp_path: Path) -> None:
    value = expression()
    turned = anndata.AnnData(
        X=value.X, obs=value.obs, var=value.var,
        layers=dict(reversed(list(value.layers.items()))),
        uns={"provenance": {"inputs": ["b", "a"], "salmon": "1.10.1"}, "counts_from_abundance": "lengthScaledTPM"},
    )  # fmt: skip
    assert write_h5ad(value, tmp_path / "a").read_bytes() == write_h5ad(turned, tmp_path / "b").read_bytes()


def test_what_was_loaded_and_is_saved_again_has_the_same_bytes(
    io: ExpressionIOManager, object_store: ObjectStoreResource
) -> None:
    io.save("SRP1", expression())
    first = [object_store.store().get_bytes(key) for key in (H5AD, PARQUET)]
    io.save("SRP1", io.load("SRP1"))
    assert [object_store.store().get_bytes(key) for key in (H5AD, PARQUET)] == first


def test_temporary_files_are_made_where_asked_and_removed(folder: ObjectStoreResource, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    io = ExpressionIOManager(object_store=folder, scratch_dir=str(tmp_path / "scratch"))
    io.save("SRP1", expression())
    io.load("SRP1")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_expression_that_cannot_be_told_apart_is_refused(io: ExpressionIOManager) -> None:
    without = expression()
    del without.layers["lengthScaledTPM"]
    repeated_sample, repeated_gene, odd_name, mixed = (expression() for _ in range(4))
    repeated_sample.obs_names = ["SRR0", "SRR0", "SRR2"]
    repeated_gene.var_names = ["G"] * 7
    odd_name.obs_names = ["Gene", "SRR1", "SRR2"]
    mixed.obs["odd"] = ["text", 1, 2.5]
    for value, words in (
        (without, "has no layer lengthScaledTPM"),
        (repeated_sample, "repeats a sample"),
        (repeated_gene, "repeats a gene"),
        (odd_name, "has a sample named Gene"),
        (mixed, "'odd' of obs mixes types"),
    ):
        with pytest.raises(InputError, match=words):
            io.save("SRP1", value)


def test_one_sample_and_no_gene_are_stored_too(io: ExpressionIOManager) -> None:
    io.save("SRP1", expression(samples=1, genes=0))
    assert io.load("SRP1").shape == (1, 0)
