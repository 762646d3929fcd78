"""The QN target of an organism in the catalog and the object store."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from refinebio_assets.compendia.qn_target_files_run import target_text
from refinebio_assets.compendia.qn_target_run import QnTargetRun, current_target, make_qn_target
from refinebio_assets.compendia.quantile_normalization import quantile_target
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.compendia.watching import Watcher, watched_by
from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.vocabulary import SampleState, Technology
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import Settings
from tests.expression_records import record_expression
from tests.resources.catalog.studies import change

GENES = [f"ENSG{number:011d}" for number in range(60)]


@pytest.fixture
def environment(sqlite_catalog: Catalog, tmp_path: Path) -> CompendiumEnvironment:
    return environment_with(sqlite_catalog, tmp_path)


def environment_with(catalog: Catalog, folder: Path, **settings: Any) -> CompendiumEnvironment:
    return CompendiumEnvironment(
        catalog=catalog,
        store=ObjectStore.from_url(str(folder / "objects")),
        settings=Settings(home=folder, **{"qn_target_min_samples": 5, **settings}),
        run_id="run-1",
        log=logging.getLogger(__name__),
    )


def numbers(samples: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.abs(np.random.default_rng(seed).normal(8, 3, (samples, len(GENES)))).astype(np.float32)


def put(environment: CompendiumEnvironment, experiment: str, values: Any, **changes: Any) -> list[str]:
    """Record an experiment; the names of its samples."""
    samples = [
        f"{experiment.replace('GSE', 'GSM').replace('SRP', 'SRR')}0{number:03d}" for number in range(len(values))
    ]
    record_expression(
        environment.catalog, environment.store, values,
        **{"experiment": experiment, "samples": samples, "genes": GENES, **changes},
    )  # fmt: skip
    return samples


def make(environment: CompendiumEnvironment, organism: str = "HOMO_SAPIENS") -> QnTargetRun:
    """Make a target and commit it, as the asset does."""
    run = make_qn_target(organism, environment)
    if run.commit is not None:
        run.commit()
    return run


def stored(environment: CompendiumEnvironment) -> dict[str, tuple[str, int]]:
    """sha256 and time of writing of every stored file below ``qn_targets``."""
    folder = environment.settings.home / "objects"
    files = [path for path in sorted((folder / "qn_targets").rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in files
    }


def test_the_target_is_stored_under_its_version_and_recorded(environment: CompendiumEnvironment) -> None:
    samples = put(environment, "GSE1", numbers(6))
    run = make(environment)
    folder = f"qn_targets/HOMO_SAPIENS/{run.version}"
    assert list(stored(environment)) == [
        f"{folder}/HOMO_SAPIENS_{name}" for name in ("sums.npz", "target.json", "target.tsv")
    ]
    found = current_target("HOMO_SAPIENS", environment.catalog, environment.store)
    assert found is not None
    values, info = found
    np.testing.assert_array_equal(values, quantile_target([numbers(6)]))
    assert (info.key, info.platform, info.technology) == (
        f"{folder}/HOMO_SAPIENS_target.tsv", "hgu95av2", Technology.MICROARRAY,
    )  # fmt: skip
    assert (info.num_samples, info.num_genes, info.fingerprint) == (6, 60, run.fingerprint)
    assert info.details == {
        "version": run.version, "arrays": 6, "rna_seq": 0, "reused": 0, "agreement": None, "left_out": {},
    }  # fmt: skip
    facts = orjson.loads(environment.store.get_bytes(f"{folder}/HOMO_SAPIENS_target.json"))
    assert (facts["genes"], facts["num_samples"], facts["inputs"][0]["samples"]) == (GENES, 6, samples)


def test_the_same_samples_again_write_nothing(environment: CompendiumEnvironment) -> None:
    put(environment, "GSE1", numbers(6))
    first = make(environment)
    before = stored(environment)
    again = make_qn_target("HOMO_SAPIENS", environment)
    assert again.kept
    assert (again.version, again.reused, again.commit) == (first.version, 6, None)
    np.testing.assert_array_equal(again.value, first.value)
    assert stored(environment) == before


def test_samples_that_change_nothing_in_the_target_are_counted_all_the_same(environment: CompendiumEnvironment) -> None:
    put(environment, "GSE1", numbers(6))
    first = make(environment)
    files = stored(environment)
    put(environment, "GSE2", numbers(3, 1)[:, 9:], genes=GENES[9:])  # of other genes
    put(environment, "SRP1", numbers(2), technology=Technology.RNA_SEQ)
    assert make(environment).kept
    info = environment.catalog.compendia.current_qn_target("HOMO_SAPIENS")
    assert info is not None
    assert (info.fingerprint, info.num_samples, len(info.files)) == (first.fingerprint, 6, 3)
    assert (info.details["arrays"], info.details["rna_seq"]) == (9, 2)
    assert info.key.endswith("_target.tsv")
    assert stored(environment) == files
    assert make(environment).commit is None


def test_new_samples_make_a_new_version_from_the_sums_of_the_old_one(environment: CompendiumEnvironment) -> None:
    put(environment, "GSE1", numbers(6))
    first = make(environment)
    put(environment, "GSE2", numbers(4, 1))
    grown = make(environment)
    assert (grown.num_samples, grown.reused) == (10, 6)
    assert grown.version != first.version
    assert grown.agreement is not None
    assert 0 <= grown.agreement.statistic < 0.2
    assert {key.split("/")[2] for key in stored(environment)} == {first.version, grown.version}


def test_two_ways_to_the_same_samples_store_the_same_bytes(environment: CompendiumEnvironment, tmp_path: Path) -> None:
    put(environment, "GSE1", numbers(6))
    make(environment)
    put(environment, "GSE2", numbers(4, 1))
    grown = make(environment)
    with_catalog = Catalog.connect(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other = environment_with(with_catalog, tmp_path / "other")
    put(other, "GSE2", numbers(4, 1))
    put(other, "GSE1", numbers(6))
    anew = make(other)
    assert (anew.reused, anew.version) == (0, grown.version)
    mine, theirs = stored(environment), stored(other)
    assert {key: theirs[key][0] for key in theirs} == {key: mine[key][0] for key in mine if str(grown.version) in key}
    with_catalog.dispose()


def test_a_withdrawn_sample_leaves_the_target_and_the_earlier_version_comes_back_with_it(
    environment: CompendiumEnvironment,
) -> None:
    samples = put(environment, "GSE1", numbers(7))
    first = make(environment)
    environment.catalog.ledger.set_states([change(samples[0], SampleState.WITHDRAWN_UPSTREAM, "GSE1")])
    smaller = make(environment)
    assert (smaller.num_samples, smaller.reused) == (6, 0)
    np.testing.assert_array_equal(smaller.value, quantile_target([numbers(7)[1:]]))
    environment.catalog.ledger.set_states([change(samples[0], SampleState.PROCESSED, "GSE1")])
    back = make(environment)
    assert (back.version, back.reused) == (first.version, 6)
    info = environment.catalog.compendia.current_qn_target("HOMO_SAPIENS")
    assert info is not None
    assert info.fingerprint == first.fingerprint


def test_too_few_samples_are_skipped_with_the_numbers(environment: CompendiumEnvironment) -> None:
    nothing = make_qn_target("DANIO_RERIO", environment)
    assert nothing.skipped is not None
    assert "no Affymetrix arrays and 0 RNA-seq samples" in nothing.skipped
    put(environment, "GSE1", numbers(4))
    few = make_qn_target("HOMO_SAPIENS", environment)
    assert (few.value, few.commit, few.version) == (None, None, None)
    assert few.skipped is not None
    assert "4 Affymetrix arrays of its most common platform (hgu95av2)" in few.skipped
    assert "needs 5 of either" in few.skipped


def test_samples_that_lack_values_are_left_out_and_too_few_others_make_no_target(
    environment: CompendiumEnvironment,
) -> None:
    values = numbers(6)
    values[0, :3] = np.nan
    samples = put(environment, "GSE1", values)
    run = make(environment)
    assert (run.num_samples, run.left_out) == (5, {samples[0]: "3 of its 60 genes have no value."})
    values[1, 0] = np.nan
    put(environment, "GSE1", values, platform=("hgu95av2", "U95", "AFFYMETRIX"))
    few = make_qn_target("HOMO_SAPIENS", environment)
    assert (few.value, few.commit) == (None, None)
    assert few.skipped is not None
    assert "6 samples that a QN target could be made of, but only 4 have a value of each of the 60 genes" in few.skipped


def test_submitter_processed_samples_and_other_makers_are_left_out(environment: CompendiumEnvironment) -> None:
    put(environment, "GSE1", numbers(5))
    (submitted,) = put(environment, "GSE2", numbers(1, 1), has_raw=False)
    (agilent,) = put(environment, "GSE3", numbers(1, 2), platform=("GPL4133", "Agilent 4x44K", "AGILENT"))
    run = make(environment)
    assert run.num_samples == 5
    assert run.left_out == {
        submitted: "It was not processed from raw data.", agilent: "Its array is not one of Affymetrix.",
    }  # fmt: skip
    info = environment.catalog.compendia.current_qn_target("HOMO_SAPIENS")
    assert info is not None
    assert sum(info.details["left_out"].values()) == 2


def test_submitter_processed_samples_are_taken_in_if_the_settings_say_so(
    sqlite_catalog: Catalog, tmp_path: Path
) -> None:
    environment = environment_with(sqlite_catalog, tmp_path, compendium_include_submitted=True)
    put(environment, "GSE1", numbers(5), has_raw=False)
    assert make(environment).num_samples == 5


def test_a_constant_sample_and_a_copy_are_left_out_and_counted(environment: CompendiumEnvironment) -> None:
    values = numbers(7)
    values[5], values[6] = 3.0, values[0]
    samples = put(environment, "GSE1", values)
    run = make(environment)
    assert (run.num_samples, run.arrays, sorted(run.left_out)) == (5, 7, samples[5:])
    np.testing.assert_array_equal(run.value, quantile_target([values[:5]]))


def test_an_organism_of_rna_seq_only_has_a_target_of_its_own(environment: CompendiumEnvironment) -> None:
    first, second = numbers(3) * 100, numbers(4, 1) * 100
    put(environment, "SRP1", first, technology=Technology.RNA_SEQ)
    put(environment, "SRP2", second[:, 1:], technology=Technology.RNA_SEQ, genes=GENES[1:])
    run = make(environment)
    assert (run.technology, run.platform, run.num_samples, run.num_genes) == (Technology.RNA_SEQ, None, 7, 59)
    expected = quantile_target([np.log2(np.concatenate([first, second])[:, 1:] + np.float32(1))])
    np.testing.assert_array_equal(run.value, expected)


def test_a_sample_of_two_experiments_counts_once(environment: CompendiumEnvironment) -> None:
    samples = put(environment, "GSE1", numbers(6))
    put(environment, "GSE2", numbers(6), samples=samples)
    assert make(environment).num_samples == 6


@pytest.mark.parametrize("damage", ["changed", "gone", "genes gone"])
def test_a_damaged_experiment_is_left_out_and_comes_back_when_it_is_mended(
    environment: CompendiumEnvironment, damage: str
) -> None:
    put(environment, "GSE1", numbers(6))
    samples = put(environment, "GSE2", numbers(3, 1)[:, 1:], genes=GENES[1:])
    samples += put(environment, "GSE3", numbers(3, 2))
    store = environment.store
    parts = {part.experiment: part for part in environment.catalog.compendia.expression_parts(["HOMO_SAPIENS"])}
    broken = parts["GSE2" if damage == "genes gone" else "GSE3"]
    key = broken.key if damage != "genes gone" else f"expression_parts/HOMO_SAPIENS/genes_{broken.gene_space}.txt"
    content = store.get_bytes(key)
    if damage == "changed":
        store.put_bytes(content[:-4] + b"\0\0\0\0", key)
    else:
        store.delete(key)
    run = make(environment)
    assert run.num_samples == (9 if damage == "genes gone" else 6)
    reasons = {name: reason for name, reason in run.left_out.items() if name in broken.samples}
    assert set(reasons.values()) == {
        f"The stored expression of {broken.experiment} is damaged or missing: materialise it again."
    }
    assert make_qn_target("HOMO_SAPIENS", environment).kept
    store.put_bytes(content, key)
    assert make(environment).num_samples == 9


@pytest.mark.parametrize("name", ["target.tsv", "sums.npz"])
@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_target_is_made_anew(environment: CompendiumEnvironment, name: str, damage: str) -> None:
    put(environment, "GSE1", numbers(6))
    first = make(environment)
    before = stored(environment)
    key = next(key for key in before if key.endswith(name))
    if damage == "gone":
        environment.store.delete(key)
    else:
        environment.store.put_bytes(b"1.5\n", key)
    if name == "target.tsv":
        with pytest.raises(MalformedFileError, match="QN target of HOMO_SAPIENS"):
            current_target("HOMO_SAPIENS", environment.catalog, environment.store)
    else:
        put(environment, "GSE2", numbers(2, 1))
    again = make(environment)
    assert again.reused == 0
    found = current_target("HOMO_SAPIENS", environment.catalog, environment.store)
    assert found is not None
    np.testing.assert_array_equal(found[0], again.value)
    if name == "target.tsv":
        assert (again.version, stored(environment)[key][0]) == (first.version, before[key][0])


def test_whoever_watches_hears_what_came_of_it(environment: CompendiumEnvironment) -> None:
    heard: list[Any] = []

    class Listener(Watcher):
        def finished(self, organism: str, outcome: Any) -> None:
            heard.append((organism, outcome["outcome"], outcome["samples"]))

    put(environment, "GSE1", numbers(6))
    with watched_by(Listener()):
        make(environment)
        make_qn_target("HOMO_SAPIENS", environment)
        make_qn_target("DANIO_RERIO", environment)
    assert heard == [("HOMO_SAPIENS", "made", 6), ("HOMO_SAPIENS", "kept", 6), ("DANIO_RERIO", "skipped", 0)]


def test_numbers_read_back_equal() -> None:
    values = np.array([-0.1, 0.0, 1 / 3, 1e-300, 5e300, 123456789.12345679])
    lines = target_text(values).decode().splitlines()
    assert [float(line) for line in lines] == values.tolist()
