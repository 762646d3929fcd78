"""Compendia of organisms in catalog and object store: what is built, what is taken, who is left out and why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import orjson
import pytest

from refinebio_assets.compendia import compendium_run, compendium_space
from refinebio_assets.compendia.compendium_inputs_run import NO_RAW_DATA
from refinebio_assets.compendia.compendium_result_run import CompendiumRun
from refinebio_assets.compendia.compendium_run import build_compendium, scratch_folder
from refinebio_assets.compendia.quality import Quality
from refinebio_assets.compendia.quality_checks import CHECK_NAMES, QualityCheck
from refinebio_assets.compendia.unfit_samples import CONSTANT, COPIES
from refinebio_assets.domain.errors import ConfigurationError, InputError, LowQualityError
from refinebio_assets.domain.vocabulary import CompendiumKind
from resources.catalog import Catalog
from tests.compendia.organisms import ORGANISM, Organism, environment_of
from tests.expression_records import record_expression


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two technologies and a QN target."""
    home = tmp_path_factory.mktemp("organism") / "home"
    organism = Organism(environment=environment_of(home))
    organism.two_technologies()
    organism.environment.catalog.dispose()
    return home


@pytest.fixture
def human(prepared: Path, tmp_path: Path) -> Iterator[Organism]:
    """A copy of it."""
    shutil.copytree(prepared, tmp_path / "home")
    organism = Organism(environment=environment_of(tmp_path / "home"))
    yield organism
    organism.environment.catalog.dispose()


@pytest.fixture(autouse=True)
def _plain_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plots of the report take most of the time of so small a compendium; other tests look at it."""
    monkeypatch.setattr(compendium_run, "write_qc_report", lambda path, *_: path.write_text("<html></html>"))


def publish(run: CompendiumRun, organism: Organism) -> CompendiumRun:
    """Store and record, as the asset does."""
    assert run.files is not None, run.skipped or run.refused
    for file in run.files.files:
        if file.path is not None:
            organism.environment.store.put_file(file.path, run.files.key(file))
    if run.commit is not None:
        run.commit()
    return run


def build(organism: Organism, **options: object) -> CompendiumRun:
    return publish(build_compendium(ORGANISM, organism.environment, **options), organism)  # type: ignore[arg-type]


def matrix(run: CompendiumRun, organism: Organism) -> anndata.AnnData:
    assert run.files is not None
    return anndata.read_h5ad(organism.environment.store.local_path(run.files.key(run.files.files[0])))


def expected_scratch(organism: Organism) -> list[Path]:
    folder = organism.environment.settings.scratch
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_compendium_is_built_stored_and_recorded_and_not_built_again(human: Organism) -> None:
    run = build(human)
    assert (run.samples, run.reused, run.extends) == (62, False, None)
    assert run.summary["share_imputed"] > 0
    assert [check["name"] for check in run.checks] == list(CHECK_NAMES)
    assert run.unaccounted == ()
    made = matrix(run, human)
    assert made.shape == (run.samples, run.genes)
    assert expected_scratch(human) == []
    info = human.environment.catalog.compendia.compendia(ORGANISM, CompendiumKind.COMPENDIUM)[0]
    assert (info.version, info.num_samples, info.fingerprint[:12]) == (run.version, 62, run.version)

    again = build_compendium(ORGANISM, human.environment)
    assert (again.reused, again.version, again.commit) == (True, run.version, None)
    assert again.outcome() == run.outcome() | {"outcome": "reused"}
    assert again.checks == run.checks


def test_a_version_whose_files_are_gone_is_built_again(human: Organism) -> None:
    run = build(human)
    key = run.files.key(run.files.files[-1])
    human.environment.store.delete(key)
    again = build(human)
    assert (again.reused, again.version) == (False, run.version)
    assert human.environment.store.exists(key)


def test_an_earlier_version_becomes_current_again_without_being_built(human: Organism) -> None:
    first = build(human)
    other = build(human, svd_algorithm="none")
    assert other.version != first.version
    again = build(human)
    assert (again.reused, again.version) == (True, first.version)
    versions = human.environment.catalog.compendia.compendia(ORGANISM, CompendiumKind.COMPENDIUM)
    assert [one.version for one in versions] == [first.version, other.version]


def test_without_a_qn_target_or_samples_it_says_what_to_do(sqlite_catalog: Catalog, tmp_path: Path) -> None:
    organism = Organism(environment=environment_of(tmp_path / "home", sqlite_catalog))
    organism.arrays("GSE101", 4)
    run = build_compendium(ORGANISM, organism.environment)
    assert run.files is None
    assert "refinebio qn-target --organism HOMO_SAPIENS" in str(run.skipped)
    assert run.outcome()["outcome"] == "skipped"


def test_samples_without_raw_data_are_left_out_with_the_reason_unless_they_are_wanted(human: Organism) -> None:
    human.arrays("GSE109", 3, has_raw=False)
    run = build(human)
    assert (run.samples, run.left_out) == (62, {NO_RAW_DATA: 3})
    table = human.environment.store.get_bytes(f"compendia/{ORGANISM}/{run.version}/filtered_samples.tsv").decode()
    assert table.splitlines()[1].startswith("GSM1090000\tGSE109\tThis sample was not processed from raw data")

    wanted = human.environment.settings.model_copy(update={"compendium_include_submitted": True})
    everyone = build_compendium(ORGANISM, replace(human.environment, settings=wanted))
    assert (everyone.samples, everyone.left_out) == (65, {})


@pytest.mark.parametrize("damage", ["missing", "other bytes", "cut short", "no gene names"])
def test_a_damaged_experiment_is_left_out_and_the_others_go_on(human: Organism, damage: str) -> None:
    catalog, store = human.environment.catalog, human.environment.store
    (part,) = catalog.compendia.expression_parts([ORGANISM], experiments=["GSE102"])
    path = Path(str(store.local_path(part.key)))
    if damage == "missing":
        path.unlink()
    elif damage == "no gene names":
        human.arrays("GSE105", 4, missing=7)  # genes of its own
        (part,) = catalog.compendia.expression_parts([ORGANISM], experiments=["GSE105"])
        store.delete(f"expression_parts/{ORGANISM}/genes_{part.gene_space}.txt")
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-9] + b"x" * 9 if damage == "other bytes" else content[:-9])

    run = build(human)
    name, number = ("GSE105", 4) if damage == "no gene names" else ("GSE102", 12)
    assert run.left_out == {f"The stored expression of {name} is damaged or missing: materialise it again.": number}
    assert run.unaccounted == ()
    assert name not in set(matrix(run, human).obs["experiment"])
    assert build_compendium(ORGANISM, human.environment).reused


def test_what_fails_a_blocking_check_is_not_published(human: Organism, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(human)
    human.rna_seq("SRP104", 5)
    finish = compendium_run.QualityStatistics.finish

    def spoilt(statistics: object, *arguments: object, **named: object) -> Quality:
        quality = finish(statistics, *arguments, **named)  # type: ignore[arg-type]
        return replace(quality, checks=(QualityCheck("empty_samples", False, True, "One is empty."),))

    monkeypatch.setattr(compendium_run.QualityStatistics, "finish", spoilt)
    run = build_compendium(ORGANISM, human.environment)
    assert isinstance(run.refused, LowQualityError)
    assert "is not published. empty_samples: One is empty." in str(run.refused)
    assert (run.files, run.commit, run.outcome()["outcome"]) == (None, None, "refused")
    assert [path.name for path in expected_scratch(human)] == [f"{ORGANISM}_refused.html"]
    versions = human.environment.catalog.compendia.compendia(ORGANISM, CompendiumKind.COMPENDIUM)
    assert [one.version for one in versions] == [first.version]


def test_too_few_samples_for_the_rank_are_an_error_with_a_way_out(sqlite_catalog: Catalog, tmp_path: Path) -> None:
    organism = Organism(environment=environment_of(tmp_path / "home", sqlite_catalog, qn_target_min_samples=4))
    organism.arrays("GSE101", 4, missing=10)
    organism.rna_seq("SRP102", 3)
    organism.make_target()
    changed = organism.environment.settings.model_copy(
        update={"compendium_gene_completeness": 0.3, "compendium_gene_presence": 0.3}
    )
    environment = replace(organism.environment, settings=changed)
    with pytest.raises(InputError, match=r"rank must be above 0 and below 7.*--svd-algorithm none"):
        build_compendium(ORGANISM, environment)
    run = build_compendium(ORGANISM, environment, svd_algorithm="none")
    assert run.summary["iterations"] == 0


def test_a_handful_of_samples_is_no_compendium_even_if_nothing_is_missing(
    sqlite_catalog: Catalog, tmp_path: Path
) -> None:
    organism = Organism(environment=environment_of(tmp_path / "home", sqlite_catalog, qn_target_min_samples=4))
    organism.arrays("GSE101", 4)
    organism.make_target()
    with pytest.raises(InputError, match="4 samples of HOMO_SAPIENS: the rank must be above 0 and below 4, it is 10"):
        build_compendium(ORGANISM, organism.environment)


def test_memory_and_disk_are_asked_first(human: Organism, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"needs \d.*--memory"):
        build_compendium(ORGANISM, human.environment, memory="10MB")
    monkeypatch.setitem(compendium_space.BYTES_OF_A_CELL, "h5ad", 1e12)
    with pytest.raises(ConfigurationError, match="REFINEBIO_SCRATCH_DIR"):
        build_compendium(ORGANISM, human.environment)


def test_relatives_that_share_a_platform_share_a_compendium(sqlite_catalog: Catalog, tmp_path: Path) -> None:
    environment = environment_of(tmp_path / "home", sqlite_catalog)
    danio = Organism(environment=environment, organism="DANIO_RERIO")
    danio.arrays("GSE201", 12)
    Organism(environment=environment, organism="DANIO_ALBOLINEATUS").arrays("GSE202", 4)
    danio.make_target()
    run = publish(build_compendium("DANIO_RERIO", environment), danio)
    assert set(matrix(run, danio).obs["organism"]) == {"DANIO_RERIO", "DANIO_ALBOLINEATUS"}
    skipped = build_compendium("DANIO_ALBOLINEATUS", environment).skipped
    assert str(skipped).startswith("DANIO_ALBOLINEATUS is part of the compendium of DANIO_RERIO")


def test_provenance_names_inputs_versions_and_parameters(human: Organism) -> None:
    run = build(human)
    key = f"compendia/{ORGANISM}/{run.version}/provenance.json"
    provenance = orjson.loads(human.environment.store.get_bytes(key))["provenance"]
    parts = human.environment.catalog.compendia.expression_parts([ORGANISM])
    assert set(provenance["expression_parts"]) == {part.sha256 for part in parts}
    assert provenance["parameters"]["rank"] == 10
    assert provenance["qn_target"]["num_samples"] > 0
    assert provenance["version"] == run.version


def test_an_extension_keeps_the_values_of_the_samples_before(human: Organism) -> None:
    first = build(human)
    before = matrix(first, human)
    human.arrays("GSE104", 15, missing=24)
    human.make_target()  # a newer one: the extension stays with the one before

    run = build(human, extend=True)
    assert (run.extends, run.full_because, run.samples) == (first.version, None, 77)
    after = matrix(run, human)
    kept = after[before.obs_names, before.var_names]
    for name in (None, "before_qn", "imputed"):
        one, other = (made.X if name is None else made.layers[name] for made in (before, kept))
        assert np.array_equal(one, other), name
    assert build_compendium(ORGANISM, human.environment, extend=True).reused

    full = build(human)
    assert (full.extends, full.samples) == (None, 77)
    assert full.version != run.version


def test_what_cannot_be_extended_is_built_from_the_start_and_says_why(human: Organism) -> None:
    first = build(human, extend=True)
    assert first.full_because == "There is no compendium to extend yet."
    human.rna_seq("SRP104", 5)
    run = build(human, extend=True, svd_algorithm="randomized")
    assert run.extends is None
    assert run.full_because == f"Version {first.version} was made with other parameters."


def test_a_compendium_without_gaps_has_nothing_to_fill_those_of_new_samples_with(
    sqlite_catalog: Catalog, tmp_path: Path
) -> None:
    arrays = Organism(environment=environment_of(tmp_path / "home", sqlite_catalog))
    arrays.arrays("GSE301", 12)
    arrays.make_target()
    assert build(arrays).summary["share_imputed"] == 0
    arrays.arrays("GSE302", 3, missing=24)
    run = build(arrays, extend=True)
    assert (run.extends, run.samples) == (None, 15)
    assert run.full_because == "Cells of new samples are missing, but the compendium had none to learn from."
    assert run.summary["share_imputed"] > 0


def test_a_killed_build_is_gone_on_with_and_another_one_waits(human: Organism, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_arguments: object, **_named: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(compendium_run, "write_compendium_files", killed)
        with pytest.raises(Killed):
            build_compendium(ORGANISM, human.environment)
    folder = scratch_folder(human.environment, ORGANISM)
    assert (folder / "filtered.f32").stat().st_size > 0
    steps: list[str] = []
    run = publish(build_compendium(ORGANISM, human.environment, report=lambda one: steps.append(one.step)), human)
    assert "filtering" not in steps
    assert "writing" in steps
    assert run.samples == 62
    assert expected_scratch(human) == []


def test_empty_and_repeated_samples_cost_nobody_else_anything(human: Organism) -> None:
    values = human.values(4, 77)
    values[1] = 5
    values[3] = values[0]
    again = np.concatenate([human.values(2, 78), values[2:3]])  # an array that was deposited in two series
    for experiment, content in (("GSE900", values), ("GSE901", again)):
        record_expression(
            human.environment.catalog, human.environment.store, content, experiment=experiment, genes=human.names,
            samples=[f"GSM{experiment[3:]}{number}" for number in range(len(content))],
        )  # fmt: skip
    run = build(human)
    assert run.refused is None
    names = set(matrix(run, human).obs_names)
    assert names.isdisjoint({"GSM9001", "GSM9003", "GSM9012"})
    assert names >= {"GSM9000", "GSM9002", "GSM9010", "GSM9011"}
    assert run.unaccounted == ()
    assert sorted(run.left_out.items()) == [(CONSTANT, 1), (COPIES, 2)]
    table = human.environment.store.get_bytes(f"compendia/{ORGANISM}/{run.version}/filtered_samples.tsv").decode()
    assert "those of GSM9000 (GSE900)" in table
    assert "those of GSM9002 (GSE900)" in table
