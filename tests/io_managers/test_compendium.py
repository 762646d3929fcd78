"""Compendia, quantpendia and QN targets on the object store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from io_managers import CompendiumIOManager, QnTargetIOManager
from refinebio_assets.compendia.compendium_record_run import Facts, finished_files, record
from refinebio_assets.domain.errors import InputError, NotFoundError, ObjectStoreError
from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind
from resources.catalog import Catalog
from resources.compendium_files import CompendiumFiles
from resources.dagster_adapters import CatalogResource, ObjectStoreResource
from tests.compendia.organisms import ORGANISM, Organism, environment_of


@pytest.fixture(autouse=True)
def _one_catalog(sqlite_catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CatalogResource, "connect", lambda _self: sqlite_catalog)


def archive(folder: Path, content: bytes = b"archive", version: str = "v1") -> CompendiumFiles:
    path = folder / f"{ORGANISM}_rnaseq_compendia.zip"
    path.write_bytes(content)
    files = [(path, ComputedFileKind.QUANTPENDIUM_ARCHIVE)]
    return finished_files(ORGANISM, CompendiumKind.QUANTPENDIUM, version, files)


def manager(store: ObjectStoreResource, folder: Path) -> CompendiumIOManager:
    cache = str(folder / "copies")
    return CompendiumIOManager(object_store=store, catalog=CatalogResource(), asset="quantpendium", cache_dir=cache)


def test_the_version_that_was_recorded_last_is_loaded(
    object_store: ObjectStoreResource, sqlite_catalog: Catalog, tmp_path: Path
) -> None:
    io, environment = manager(object_store, tmp_path), environment_of(tmp_path / "home", sqlite_catalog)
    with pytest.raises(NotFoundError, match="There is no quantpendium of HOMO_SAPIENS yet"):
        io.load(ORGANISM)
    for version in ("v1", "v2"):
        files = archive(tmp_path, f"archive {version}".encode(), version)
        metadata = io.save(ORGANISM, files)
        assert metadata["version"].value == version
        facts = Facts(
            fingerprint=version, method_version="1", svd_algorithm=None, samples=1, genes=0, details={}, parameters={},
            inputs={},
        )  # fmt: skip
        record(files, facts, environment)
        assert Path(io.load(ORGANISM)).read_bytes() == f"archive {version}".encode()
    store = object_store.store()
    assert store.get_bytes(f"quantpendia/{ORGANISM}/v1/{ORGANISM}_rnaseq_compendia.zip") == b"archive v1"


def test_files_that_changed_or_are_anothers_are_refused(folder: ObjectStoreResource, tmp_path: Path) -> None:
    io, files = manager(folder, tmp_path), archive(tmp_path)
    with pytest.raises(InputError, match="cannot be the quantpendium of DANIO_RERIO"):
        io.save("DANIO_RERIO", files)
    (tmp_path / f"{ORGANISM}_rnaseq_compendia.zip").write_bytes(b"something else")
    with pytest.raises(ObjectStoreError, match="changed while it was stored"):
        io.save(ORGANISM, files)


def test_a_target_is_what_is_stored(sqlite_catalog: Catalog, tmp_path: Path) -> None:
    organism = Organism(environment=environment_of(tmp_path / "home", sqlite_catalog))
    organism.arrays("GSE101", 12)
    made = organism.make_target()
    store = ObjectStoreResource(url=organism.environment.settings.store_url)
    io = QnTargetIOManager(object_store=store, catalog=CatalogResource())
    assert made.value is not None
    assert io.save(ORGANISM, made.value)["values"].value == organism.genes
    assert np.array_equal(io.load(ORGANISM), made.value)
    with pytest.raises(InputError, match="not the QN target of HOMO_SAPIENS that is stored"):
        io.save(ORGANISM, made.value + 1)
