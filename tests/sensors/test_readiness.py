"""What is asked for of whole organisms, by the counts in the catalog."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from refinebio_assets.compendia.compendium_inputs_run import NO_RAW_DATA
from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind, SampleState, Technology
from refinebio_assets.partitions import ORGANISMS
from resources.catalog import Catalog, CompendiumToRecord, FileToRecord, QnTargetToRecord, ResultToRecord
from resources.object_store import ObjectStore
from resources.settings import Settings
from sensors.readiness import has_grown, not_under_way, readiness_requests
from sensors.requests import SUBJECT_TAG
from tests.end_to_end.installation import installed
from tests.expression_records import record_expression
from tests.resources.catalog.studies import change, quant_file, quantification, sample, study
from tests.sensors.ticks import Ticks, start_run

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
BOVINE = ("GPL2112", "[Bovine] Affymetrix Bovine Genome Array", "AFFYMETRIX")
Put = Callable[..., list[str]]


@pytest.fixture
def put(sqlite_catalog: Catalog, tmp_path: Path) -> Put:
    """Records an experiment of so many processed samples; gives their names."""
    experiments = 0

    def record(organism: str, count: int, **changes: Any) -> list[str]:
        nonlocal experiments
        experiments += 1
        samples = [f"GSM{experiments}{number:03d}" for number in range(count)]
        record_expression(
            sqlite_catalog, ObjectStore.from_url(str(tmp_path)), np.ones((count, 2), np.float32),
            experiment=f"GSE{experiments}", samples=samples, genes=["G1", "G2"], organism=organism,
            **changes,
        )  # fmt: skip
        return samples

    return record


def settings(**changes: Any) -> Settings:
    return Settings(**{"qn_target_min_samples": 5, "compendium_min_samples": 5, **changes})


def requests(catalog: Catalog, moment: datetime = NOON, **changes: Any) -> list[dg.RunRequest]:
    return list(readiness_requests(catalog, settings(**changes), moment=moment))


def asked(catalog: Catalog, **changes: Any) -> list[str]:
    return [one.tags[SUBJECT_TAG] for one in requests(catalog, **changes)]


def result(name: str, kind: ComputedFileKind, organism: str) -> ResultToRecord:
    file = FileToRecord(key=name, filename="f", kind=kind, size_bytes=1, sha256="a" * 64, organism=organism)
    return ResultToRecord(processor="p", processor_version="1", fingerprint=name, files=(file,))


def has_target(
    catalog: Catalog, organism: str, *, arrays: int = 0, rna_seq: int = 0, of: Technology = Technology.MICROARRAY
) -> None:
    target = QnTargetToRecord(
        organism=organism, technology=of, platform=None, num_samples=5, num_genes=2,
        details={"arrays": arrays, "rna_seq": rna_seq},
        result=result(f"{organism} target", ComputedFileKind.QN_TARGET, organism),
    )  # fmt: skip
    catalog.compendia.record_qn_target(target)


def has_compendium(
    catalog: Catalog, organism: str, samples: int, left_out: dict[str, int] | None = None,
    kind: CompendiumKind = CompendiumKind.COMPENDIUM,
) -> None:  # fmt: skip
    made = CompendiumToRecord(
        organism=organism, kind=kind, version="v1", svd_algorithm=None, num_samples=samples, num_genes=2,
        details={"left_out": left_out or {}},
        result=result(f"{organism} {kind}", ComputedFileKind.COMPENDIUM_ANNDATA, organism),
    )  # fmt: skip
    catalog.compendia.record_compendium(made)


def test_a_target_is_asked_for_once_there_are_enough_samples_of_one_platform(sqlite_catalog: Catalog, put: Put) -> None:
    put("BOS_TAURUS", 4)
    put("BOS_TAURUS", 4, platform=BOVINE)
    put("BOS_TAURUS", 9, has_raw=False)
    put("BOS_TAURUS", 9, platform=("GPL1", "Agilent", "AGILENT"))
    assert asked(sqlite_catalog) == []
    assert asked(sqlite_catalog, compendium_include_submitted=True) == ["BOS_TAURUS|qn_target"]
    put("BOS_TAURUS", 1, platform=BOVINE)
    (request,) = requests(sqlite_catalog)
    assert (request.partition_key, request.job_name) == ("BOS_TAURUS", "build_qn_target")
    assert [key.to_user_string() for key in request.asset_selection or ()] == ["qn_target"]


def test_enough_rna_seq_samples_ask_for_a_target_too(sqlite_catalog: Catalog, put: Put) -> None:
    put("DANIO_RERIO", 5, technology=Technology.RNA_SEQ)
    assert asked(sqlite_catalog) == ["DANIO_RERIO|qn_target"]


def test_the_compendium_is_asked_for_when_there_is_a_target(sqlite_catalog: Catalog, put: Put) -> None:
    put("BOS_TAURUS", 5)
    has_target(sqlite_catalog, "BOS_TAURUS", arrays=5)
    (request,) = requests(sqlite_catalog)
    assert (request.partition_key, request.job_name) == ("BOS_TAURUS", "build_compendium")
    has_compendium(sqlite_catalog, "BOS_TAURUS", 5)
    assert asked(sqlite_catalog) == []


def test_a_target_that_grew_comes_before_the_compendium(sqlite_catalog: Catalog, put: Put) -> None:
    put("BOS_TAURUS", 20)
    has_target(sqlite_catalog, "BOS_TAURUS", arrays=20)
    has_compendium(sqlite_catalog, "BOS_TAURUS", 20)
    put("BOS_TAURUS", 1)
    assert asked(sqlite_catalog) == []
    put("BOS_TAURUS", 1)
    assert asked(sqlite_catalog) == ["BOS_TAURUS|qn_target"]
    assert asked(sqlite_catalog, qn_target_growth=0.5) == ["BOS_TAURUS|compendium"]
    has_target(sqlite_catalog, "BOS_TAURUS", arrays=22)
    assert asked(sqlite_catalog) == ["BOS_TAURUS|compendium"]


def test_samples_that_were_left_out_of_a_compendium_are_no_growth(sqlite_catalog: Catalog, put: Put) -> None:
    put("BOS_TAURUS", 20)
    has_target(sqlite_catalog, "BOS_TAURUS", arrays=20)
    has_compendium(sqlite_catalog, "BOS_TAURUS", 12, {"too few genes": 8, NO_RAW_DATA: 99})
    assert asked(sqlite_catalog) == []
    has_compendium(sqlite_catalog, "BOS_TAURUS", 12, {"too few genes": 2, NO_RAW_DATA: 99})
    assert asked(sqlite_catalog) == ["BOS_TAURUS|compendium"]


def test_a_target_of_rna_seq_grows_with_rna_seq_and_gives_way_to_arrays(sqlite_catalog: Catalog, put: Put) -> None:
    put("DANIO_RERIO", 10, technology=Technology.RNA_SEQ)
    put("DANIO_RERIO", 4)
    has_target(sqlite_catalog, "DANIO_RERIO", arrays=4, rna_seq=10, of=Technology.RNA_SEQ)
    has_compendium(sqlite_catalog, "DANIO_RERIO", 14)
    assert asked(sqlite_catalog) == []
    put("DANIO_RERIO", 1)
    assert asked(sqlite_catalog) == ["DANIO_RERIO|qn_target"]
    has_target(sqlite_catalog, "DANIO_RERIO", arrays=5, rna_seq=9, of=Technology.RNA_SEQ)
    assert asked(sqlite_catalog) == ["DANIO_RERIO|qn_target"]
    has_target(sqlite_catalog, "DANIO_RERIO", arrays=5, rna_seq=9)
    assert asked(sqlite_catalog) == []


def test_of_a_group_only_the_primary_organism_has_a_compendium_but_each_its_target(
    sqlite_catalog: Catalog, put: Put
) -> None:
    put("BOS_TAURUS", 6, platform=BOVINE)
    put("BOS_INDICUS", 5, platform=BOVINE)
    assert asked(sqlite_catalog) == ["BOS_INDICUS|qn_target", "BOS_TAURUS|qn_target"]
    for organism, arrays in (("BOS_TAURUS", 6), ("BOS_INDICUS", 5)):
        has_target(sqlite_catalog, organism, arrays=arrays)
    assert asked(sqlite_catalog) == ["BOS_TAURUS|compendium"]
    has_compendium(sqlite_catalog, "BOS_TAURUS", 11)
    assert asked(sqlite_catalog) == []


def test_a_quantpendium_is_asked_for_by_quant_files(sqlite_catalog: Catalog) -> None:
    runs = [f"SRR{number:07d}" for number in range(6)]
    sqlite_catalog.record_survey(study(samples=[sample(run) for run in runs]), metadata_sha256="a" * 64)
    for count, run in enumerate(runs, start=1):
        sqlite_catalog.record_result(quantification(quant_file(run), fingerprint=run))
        sqlite_catalog.ledger.set_states([change(run, SampleState.QUANTIFIED)])
        assert asked(sqlite_catalog) == (["DANIO_RERIO|quantpendium"] if count >= 5 else [])
    has_compendium(sqlite_catalog, "DANIO_RERIO", 6, kind=CompendiumKind.QUANTPENDIUM)
    assert asked(sqlite_catalog) == []


def test_the_same_state_is_asked_for_once_an_hour(sqlite_catalog: Catalog, put: Put) -> None:
    put("BOS_TAURUS", 5)
    keys = [
        [one.run_key for one in requests(sqlite_catalog, NOON + timedelta(minutes=minutes))] for minutes in (0, 59, 61)
    ]
    assert keys[0] == keys[1] != keys[2]
    put("BOS_TAURUS", 1)
    assert [one.run_key for one in requests(sqlite_catalog)] != keys[0]


def test_a_compendium_that_came_to_nothing_is_asked_for_again_the_next_day(sqlite_catalog: Catalog, put: Put) -> None:
    put("BOS_TAURUS", 5)
    has_target(sqlite_catalog, "BOS_TAURUS", arrays=5)

    def keys(moment: datetime) -> list[str | None]:
        return [one.run_key for one in requests(sqlite_catalog, moment) if "compendium:" in str(one.run_key)]

    assert len(keys(NOON)) == 1
    assert keys(NOON) == keys(NOON + timedelta(hours=5)) != keys(NOON + timedelta(hours=13))


def test_what_runs_are_busy_with_is_not_asked_for() -> None:
    wanted = [
        dg.RunRequest(partition_key=organism, tags={SUBJECT_TAG: f"{organism}|{asset}"})
        for asset in ("qn_target", "compendium", "quantpendium")
        for organism in ("A_A", "B_B")
    ]

    def left(*busy: str) -> list[str]:
        return [one.tags[SUBJECT_TAG] for one in not_under_way(wanted, busy=set(busy))]

    assert len(left()) == 6
    assert left("A_A", "B_B|compendium", "B_B|quantpendium") == ["B_B|qn_target"]
    assert left("A_A|qn_target", "B_B") == ["A_A|quantpendium"]


@pytest.mark.parametrize(
    ("before", "now", "growth", "grown"),
    [(100, 110, 0.1, True), (100, 109, 0.1, False), (100, 100, 0.0, False), (70, 77, 0.1, True), (0, 1, 0.5, True)],
)
def test_growth_is_a_share_of_what_there_was(before: int, now: int, growth: float, grown: bool) -> None:
    assert has_grown(before, now, growth) is grown


def test_ticks_carry_an_organism_from_samples_to_its_target_and_ask_for_its_compendium(tmp_path: Path) -> None:
    """The sensor, the job and the asset as Dagster's daemon uses them."""
    with installed(tmp_path / "home", None, qn_target_min_samples="5", compendium_min_samples="5") as installation:
        store = ObjectStore.from_url(str(installation.objects))
        with installation.session() as session:
            ticks = Ticks(session)
            assert ticks.evaluate("organism_readiness")[1] is not None
            values = np.random.default_rng(0).normal(8, 2, (6, 30)).astype(np.float32)
            samples, genes = [f"GSM1{number}" for number in range(6)], [f"G{number:02d}" for number in range(30)]
            record_expression(
                session.catalog, store, values, experiment="GSE1", samples=samples, genes=genes, organism="BOS_TAURUS"
            )
            assert ticks.tick("organism_readiness") == ["BOS_TAURUS"]
            assert session.instance.get_dynamic_partitions(ORGANISMS) == ["BOS_TAURUS"]
            assert session.catalog.compendia.current_qn_target("BOS_TAURUS") is not None
            (request,) = ticks.new_requests("organism_readiness")
            assert request.tags[SUBJECT_TAG] == "BOS_TAURUS|compendium"
            start_run(session, "BOS_TAURUS|compendium", "BOS_TAURUS")
            assert ticks.evaluate("organism_readiness")[0] == []
