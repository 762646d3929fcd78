"""Quantpendia of organisms in catalog and object store."""

from __future__ import annotations

import gzip
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from refinebio_assets.compendia import quantpendium_run
from refinebio_assets.compendia.quantpendium import HEADER, NO_FILE, NO_HEADER, NOT_FOUND
from refinebio_assets.compendia.quantpendium_run import QuantpendiumRun, build_quantpendium
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.domain.errors import ConfigurationError
from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind, SampleState
from resources.catalog import Catalog, FileToRecord, ResultToRecord
from tests.compendia.organisms import environment_of
from tests.resources.catalog.studies import change, sample, study

ORGANISM = "DANIO_RERIO"
QUANT = HEADER + b"\nENSDART1\t100\t90.5\t1000000\t12\n"


@pytest.fixture
def environment(sqlite_catalog: Catalog, tmp_path: Path) -> CompendiumEnvironment:
    return environment_of(tmp_path / "home", sqlite_catalog)


def put(environment: CompendiumEnvironment, accession: str, samples: int, content: bytes = QUANT) -> list[str]:
    """Record a study whose samples are all quantified, the last one of them not processed yet."""
    surveyed = study(accession, samples=[sample(f"SRR{accession[-2:]}{number:05d}") for number in range(samples)])
    environment.catalog.record_survey(surveyed, metadata_sha256="a" * 64)
    names = [one.record.accession for one in surveyed.samples]
    for number, name in enumerate(names):
        stored = environment.store.put_bytes(
            gzip.compress(content, mtime=0), f"quant_files/{accession}/{name}/quant.sf.gz"
        )
        file = FileToRecord(
            key=stored.key, filename="quant.sf.gz", kind=ComputedFileKind.QUANT_SF, size_bytes=stored.size_bytes,
            sha256=stored.sha256, sample=name,
        )  # fmt: skip
        result = ResultToRecord(processor="Salmon", processor_version="1", fingerprint=f"quant {name}", files=(file,))
        environment.catalog.record_result(result)
        last = number == len(names) - 1
        state = SampleState.QUANTIFIED if last else SampleState.PROCESSED
        environment.catalog.ledger.set_states([change(name, state, experiment=accession)])
    return names


def publish(run: QuantpendiumRun, environment: CompendiumEnvironment) -> zipfile.ZipFile:
    """Store and record, as the asset does; the stored archive."""
    assert run.files is not None
    (file,) = run.files.files
    if file.path is not None:
        environment.store.put_file(file.path, run.files.key(file))
    if run.commit is not None:
        run.commit()
    return zipfile.ZipFile(Path(str(environment.store.local_path(run.files.key(file)))))


def test_the_quant_files_of_an_organism_are_packed_once(environment: CompendiumEnvironment) -> None:
    first, second = put(environment, "SRP000001", 2), put(environment, "SRP000002", 1)
    run = build_quantpendium(ORGANISM, environment)
    archive = publish(run, environment)
    assert (run.samples, run.experiments, run.left_out, run.unaccounted) == (3, 2, {}, ())
    names = {f"SRP000001/{name}_quant.sf" for name in first} | {f"SRP000002/{name}_quant.sf" for name in second}
    assert names <= set(archive.namelist())
    assert archive.read(min(names)) == QUANT
    assert [path for path in environment.settings.scratch.rglob("*") if path.is_file()] == []

    again = build_quantpendium(ORGANISM, environment)
    assert (again.reused, again.commit, again.outcome()) == (True, None, run.outcome() | {"outcome": "reused"})
    info = environment.catalog.compendia.compendia(ORGANISM, CompendiumKind.QUANTPENDIUM)[0]
    assert (info.version, info.num_samples, info.num_genes, info.svd_algorithm) == (run.version, 3, 0, None)


def test_damaged_files_are_left_out_and_a_mended_archive_is_another_version(environment: CompendiumEnvironment) -> None:
    lost, *_ = put(environment, "SRP000001", 2)
    (headless,) = put(environment, "SRP000002", 1, content=b"no header\n")
    key = f"quant_files/SRP000001/{lost}/quant.sf.gz"
    content = environment.store.get_bytes(key)
    environment.store.delete(key)

    run = build_quantpendium(ORGANISM, environment)
    archive = publish(run, environment)
    assert (run.samples, run.left_out) == (1, {NOT_FOUND: 1, NO_HEADER: 1})
    assert f"SRP000002/{headless}_quant.sf" not in archive.namelist()
    assert build_quantpendium(ORGANISM, environment).reused

    environment.store.put_bytes(content, key)
    mended = build_quantpendium(ORGANISM, environment)
    assert (mended.reused, mended.samples) == (False, 2)
    assert mended.version != run.version


def test_samples_without_a_quant_file_are_named(environment: CompendiumEnvironment) -> None:
    put(environment, "SRP000001", 1)
    environment.catalog.record_survey(study("SRP000002", samples=[sample("SRR0200000")]), metadata_sha256="a" * 64)
    environment.catalog.ledger.set_states([change("SRR0200000", SampleState.PROCESSED, experiment="SRP000002")])
    assert build_quantpendium(ORGANISM, environment).left_out == {NO_FILE: 1}


def test_an_organism_without_quant_files_is_skipped_and_a_full_disk_told(
    environment: CompendiumEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no quantified RNA-seq sample" in str(build_quantpendium(ORGANISM, environment).skipped)
    put(environment, "SRP000001", 1)
    monkeypatch.setattr(quantpendium_run, "GROWTH", 1e15)
    with pytest.raises(ConfigurationError, match="REFINEBIO_SCRATCH_DIR"):
        build_quantpendium(ORGANISM, replace(environment))
