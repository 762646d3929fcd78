"""The expression store in the object store: parts by organism and platform, read only as far as they are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from refinebio_assets.compendia.store_run import expression_parts_of, open_store, part_files
from refinebio_assets.domain.errors import MalformedFileError, NotFoundError
from refinebio_assets.domain.vocabulary import Technology
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from tests.expression_records import record_expression

NAN = np.nan


def test_arrays_of_several_platforms_are_parts_with_the_genes_of_their_own() -> None:
    parts = list(
        expression_parts_of(
            np.array([[1, 2, NAN], [NAN, 3, 4], [NAN, NAN, 5]], np.float32),
            experiment="GSE1",
            technology=Technology.MICROARRAY,
            genes=["G1", "G2", "G3"],
            samples=["GSM1", "GSM2", "GSM3"],
            organisms=["A", "A", "B"],
            platforms=["p1", "p2", "p2"],
        )
    )
    assert [(info.organism, info.genes, info.samples, info.scale) for info, _ in parts] == [
        ("A", ("G1", "G2"), ("GSM1",), "log2"),
        ("A", ("G2", "G3"), ("GSM2",), "log2"),
        ("B", ("G3",), ("GSM3",), "log2"),
    ]


def test_sequenced_samples_stay_together_whatever_machine_they_ran_on() -> None:
    (only,) = expression_parts_of(
        np.ones((2, 1)),
        experiment="SRP1",
        technology=Technology.RNA_SEQ,
        genes=["G1"],
        samples=["SRR1", "SRR2"],
        organisms=["A", "A"],
        platforms=["HiSeq", "NovaSeq"],
    )
    assert (only[0].samples, only[0].platforms, only[0].scale) == (("SRR1", "SRR2"), ("HiSeq", "NovaSeq"), "linear")


def test_samples_without_any_value_are_in_no_part() -> None:
    values = np.full((1, 2), NAN)
    names = {"genes": ["G1", "G2"], "samples": ["GSM1"], "organisms": ["A"], "platforms": ["p1"]}
    parts = expression_parts_of(values, experiment="GSE1", technology=Technology.MICROARRAY, **names)
    assert list(parts) == []


def record(catalog: Catalog, store: ObjectStore, experiment: str, values: dict[str, list[float]]) -> None:
    record_expression(
        catalog,
        store,
        np.array(list(values.values()), np.float32),
        experiment=experiment,
        samples=list(values),
        genes=["G1", "G2"],
    )


def test_what_was_stored_is_read_back(sqlite_catalog: Catalog, store: ObjectStore) -> None:
    record(sqlite_catalog, store, "GSE2", {"GSM3": [5, 6]})
    record(sqlite_catalog, store, "GSE1", {"GSM2": [3, 4], "GSM1": [1, 2]})
    whole = open_store(sqlite_catalog, store, ["HOMO_SAPIENS"])
    assert whole.samples == ("GSM1", "GSM2", "GSM3")
    np.testing.assert_array_equal(np.concatenate([block.values for block in whole.blocks()]), [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(whole.gene_slice(["G2"], ["GSM3", "GSM1"]), [[6], [2]])
    some = open_store(sqlite_catalog, store, ["HOMO_SAPIENS"], samples={"GSM2", "GSM3"})
    assert some.samples == ("GSM2", "GSM3")
    np.testing.assert_array_equal(np.concatenate([block.values for block in some.blocks()]), [[3, 4], [5, 6]])
    one = open_store(sqlite_catalog, store, ["HOMO_SAPIENS"], experiments=["GSE2"])
    assert one.samples == ("GSM3",)
    assert some.identity != whole.identity


def test_a_sample_of_two_experiments_counts_once_as_its_owner_has_it(
    sqlite_catalog: Catalog, folder_store: ObjectStore
) -> None:
    record(sqlite_catalog, folder_store, "GSE2", {"GSM1": [7, 8]})
    record(sqlite_catalog, folder_store, "GSE1", {"GSM1": [1, 2], "GSM2": [3, 4]})
    both = open_store(sqlite_catalog, folder_store, ["HOMO_SAPIENS"])
    assert both.samples == ("GSM2", "GSM1")
    np.testing.assert_array_equal(both.gene_slice(["G1"]), [[3], [7]])


def test_the_same_parts_again_are_not_written_again(folder_store: ObjectStore) -> None:
    def parts() -> list[str]:
        made = expression_parts_of(
            np.ones((1, 1)),
            experiment="GSE1",
            technology=Technology.MICROARRAY,
            genes=["G1"],
            samples=["GSM1"],
            organisms=["A"],
            platforms=["p1"],
        )
        return [file.key for file in part_files(folder_store, made)]

    (key,) = parts()
    path = folder_store.local_path(key)
    assert path is not None
    before = path.stat().st_ino
    assert parts() == [key]
    assert path.stat().st_ino == before


def test_missing_names_of_genes_and_missing_values_are_told(sqlite_catalog: Catalog, store: ObjectStore) -> None:
    record(sqlite_catalog, store, "GSE1", {"GSM1": [1, 2]})
    (info,) = sqlite_catalog.compendia.expression_parts(["HOMO_SAPIENS"])
    opened = open_store(sqlite_catalog, store, ["HOMO_SAPIENS"])
    store.delete(info.key)
    with pytest.raises(NotFoundError):
        next(opened.blocks())
    store.delete(f"expression_parts/HOMO_SAPIENS/genes_{info.gene_space}.txt")
    with pytest.raises(MalformedFileError, match="GSE1"):
        open_store(sqlite_catalog, store, ["HOMO_SAPIENS"])
