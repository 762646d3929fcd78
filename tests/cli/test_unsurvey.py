"""``refinebio unsurvey``: shows first, removes only what nobody else has, and can be repeated after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.domain.errors import InputError, NotFoundError, RunUnderWayError
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.leftovers import forgotten_experiments
from refinebio_assets.partitions import EXPERIMENTS, add_experiments
from refinebio_assets.unsurvey import SUBJECT_TAG, Workspace, experiment_named, open_workspace, unsurvey
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import get_settings
from tests.resources.catalog.studies import SUPERSEDED, array, change, quant_file, quantification, sample, series, study

GONE = "SRP000001"
STAYS = "SRP000002"


@pytest.fixture
def workspace(
    catalog: Catalog, catalog_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """Two studies that share SRR0000002, which the first one owns and has quantified; a series with that run."""
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path))
    monkeypatch.setenv("REFINEBIO_DATABASE_URL", catalog_url)
    get_settings.cache_clear()
    catalog.record_survey(study(GONE, samples=2), metadata_sha256="a" * 64)
    catalog.record_survey(study(STAYS, [sample("SRR0000002"), sample("SRR0000003")]), metadata_sha256="a" * 64)
    catalog.record_survey(series("GSE5", [array("GSM51", SUPERSEDED)], aliases=(GONE,)), metadata_sha256="a" * 64)
    with open_workspace(get_settings()) as opened:
        add_experiments(opened.instance, [GONE, STAYS, "GSE5"])
        for experiment in (GONE, STAYS):
            opened.store.put_bytes(b"payload", f"source_metadata/{experiment}/current")
            opened.store.put_bytes(b"matrix", f"rna_seq_expression/{experiment}/{experiment}.h5ad")
        opened.store.put_bytes(b"index", "transcriptome_index/DANIO_RERIO/short/index.tar")
        for run in ("SRR0000001", "SRR0000002"):
            quantified(opened, run, GONE)
        yield opened
    get_settings.cache_clear()


def quantified(workspace: Workspace, run: str, experiment: str) -> None:
    file = quant_file(run, experiment=experiment)
    workspace.store.put_bytes(b"quant", file.key)
    workspace.catalog.record_result(quantification(file, fingerprint=f"f-{run}"))
    workspace.catalog.ledger.set_states([change(run, SampleState.QUANTIFIED, experiment)])


def what_is_there(workspace: Workspace) -> dict[str, list[str]]:
    catalog, names = workspace.catalog, [GONE, STAYS, "GSE5", *(f"SRR000000{n}" for n in range(1, 4))]
    return {
        "objects": workspace.store.list_keys(""),
        "partitions": sorted(workspace.instance.get_dynamic_partitions(EXPERIMENTS)),
        "ledger": sorted(catalog.ledger.entries(names)),
        "quant_files": [str(info.key) for info in catalog.quant_files(STAYS)],
    }


AFTERWARDS = {
    "objects": [
        f"quant_files/{GONE}/SRR0000002/quant.sf.gz",
        f"rna_seq_expression/{STAYS}/{STAYS}.h5ad",
        f"source_metadata/{STAYS}/current",
        "transcriptome_index/DANIO_RERIO/short/index.tar",
    ],
    "partitions": ["GSE5", STAYS],
    "ledger": ["GSE5", STAYS, "SRR0000002", "SRR0000003"],
    "quant_files": [f"quant_files/{GONE}/SRR0000002/quant.sf.gz", "None"],
}


def run_json(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> list[dict[str, Any]]:
    assert main(("unsurvey", *words, "--json")) == status
    items: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["items"]
    return items


@pytest.mark.parametrize("order", [(GONE, STAYS), (STAYS, GONE)])
def test_what_is_shown_of_several_is_what_goes(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], order: tuple[str, str]
) -> None:
    planned = run_json(capsys, *order)
    removed = run_json(capsys, *order, "--yes")
    assert removed == [item | {"outcome": "removed"} for item in planned]
    assert planned[0]["shared_samples"] == {"SRR0000002": order[1]}
    assert planned[1]["shared_samples"] == {}
    assert "SRR0000002" in planned[1]["samples"]


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_without_a_yes_it_only_shows_what_would_go(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    before = what_is_there(workspace)
    (item,) = run_json(capsys, GONE, *words)
    assert (item["outcome"], item["samples"]) == ("would_remove", ["SRR0000001"])
    assert item["shared_samples"] == {"SRR0000002": STAYS}
    assert (item["ledger_entries"], item["results"], item["computed_files"], item["partition"]) == (2, 1, 1, True)
    assert sorted(item["objects"]) == [
        f"quant_files/{GONE}/SRR0000001/quant.sf.gz",
        f"rna_seq_expression/{GONE}/{GONE}.h5ad",
        f"source_metadata/{GONE}/current",
    ]
    assert main(("unsurvey", GONE, *words)) == 0
    shown = capsys.readouterr()
    assert f"{GONE} (Larvae in the cold): would be removed" in shown.out
    assert "SRR0000002 (owner: SRP000002)" in shown.out
    assert "Nothing was removed" in shown.err
    assert what_is_there(workspace) == before


def test_with_a_yes_only_what_others_have_stays(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (planned,) = run_json(capsys, GONE)
    (item,) = run_json(capsys, GONE, "--yes")
    assert item == planned | {"outcome": "removed"}
    assert what_is_there(workspace) == AFTERWARDS
    assert run_json(capsys, GONE, "--yes", status=3)[0]["outcome"] == "not_found"


def test_a_person_at_a_terminal_is_asked(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, asked = what_is_there(workspace), []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda text, **_: asked.append(text) or len(asked) > 1)
    assert main(("unsurvey", GONE)) == 0
    assert what_is_there(workspace) == before
    assert main(("unsurvey", GONE)) == 0
    assert asked == ["Remove 1 experiment?"] * 2
    assert what_is_there(workspace) == AFTERWARDS
    assert f"{GONE} (Larvae in the cold): removed" in capsys.readouterr().out


def test_a_superseded_series_goes_itself_and_its_study_stays(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (item,) = run_json(capsys, "E-GEOD-5", "--yes")
    assert (item["experiment"], item["samples"], item["linked_studies"]) == ("GSE5", ["GSM51"], [GONE])
    assert workspace.catalog.resolve([GONE])[0].samples == ["SRR0000001", "SRR0000002"]


def test_the_others_are_done_when_one_is_unknown(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "list.txt"
    file.write_text(f"{GONE} # no longer wanted\nGSE000001\n")
    items = run_json(capsys, "SRP000404", "--file", str(file), "--yes", status=3)
    assert [item["outcome"] for item in items] == ["not_found", "removed", "not_found"]
    assert what_is_there(workspace) == AFTERWARDS


def test_a_project_names_its_study_and_a_series_only_itself(workspace: Workspace) -> None:
    assert experiment_named(workspace.catalog, "prjna000001") == GONE
    assert experiment_named(workspace.catalog, " e-geod-000001") == "GSE000001"
    with pytest.raises(NotFoundError):
        unsurvey(workspace, "GSE000001")


@pytest.mark.parametrize(
    ("query", "error", "told"),
    [
        ("SRR0000001", InputError, "names samples"),
        ("nonsense", InputError, "not an accession"),
        ("GPL570", InputError, "GSE"),
        ("PRJNA404", NotFoundError, "not in the catalog"),
        ("PRJNA000007", InputError, "names 2 experiments"),
    ],
)
def test_what_names_no_single_experiment_is_refused(
    workspace: Workspace, query: str, error: type[Exception], told: str
) -> None:
    for number in (7, 8):
        found = study(f"SRP00000{number}", samples=0, aliases=("PRJNA000007",))
        workspace.catalog.record_survey(found, metadata_sha256="a" * 64)
    with pytest.raises(error, match=told):
        experiment_named(workspace.catalog, query)


def test_a_run_on_the_experiment_is_waited_for(workspace: Workspace) -> None:
    job = dg.GraphDefinition(name="nothing").to_job()
    run = workspace.instance.create_run_for_job(job, tags={SUBJECT_TAG: GONE}, status=dg.DagsterRunStatus.STARTED)
    before = what_is_there(workspace)
    with pytest.raises(RunUnderWayError, match=run.run_id):
        unsurvey(workspace, GONE)
    assert what_is_there(workspace) == before
    workspace.instance.report_run_failed(run)
    unsurvey(workspace, GONE)
    assert what_is_there(workspace) == AFTERWARDS


class Killed(BaseException):
    """A process that is killed runs no handler of errors."""


def kill_at(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, moment: int) -> None:
    """From the ``moment``-th step on nothing is done any more; deletions of objects and of the partition are steps."""
    steps = iter(range(100))

    def dying(work: Any) -> Any:
        def step(*arguments: Any) -> Any:
            if next(steps) >= moment:
                raise Killed
            return work(*arguments)

        return step

    monkeypatch.setattr(Catalog, "remove_experiment", dying(Catalog.remove_experiment))
    monkeypatch.setattr(type(workspace.store), "delete", dying(type(workspace.store).delete))
    partitions = dg.DagsterInstance.delete_dynamic_partition
    monkeypatch.setattr(dg.DagsterInstance, "delete_dynamic_partition", dying(partitions))


@pytest.mark.parametrize("moment", range(5))
def test_a_kill_at_any_moment_can_be_repeated_to_the_same_end(workspace: Workspace, moment: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        kill_at(patched, workspace, moment)
        with pytest.raises(Killed):
            unsurvey(workspace, GONE)
    recorded = workspace.catalog.recorded_keys(workspace.store.list_keys("quant_files"))
    assert all(workspace.store.exists(key) for key in recorded)
    assert (GONE in forgotten_experiments(workspace.catalog, workspace.store)) == (1 <= moment <= 3)
    unsurvey(workspace, GONE)
    assert what_is_there(workspace) == AFTERWARDS


def test_leftovers_of_interrupted_removals_are_found_and_removed(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.catalog.remove_experiment(GONE)
    (item,) = run_json(capsys, "--leftovers")
    assert (item["experiment"], item["outcome"], len(item["objects"])) == (GONE, "would_remove", 3)
    run_json(capsys, "--leftovers", "--yes")
    assert what_is_there(workspace) == AFTERWARDS
    assert run_json(capsys, "--leftovers", "--yes") == []


def test_files_of_a_sample_below_its_former_owners_prefix_go_with_the_sample(workspace: Workspace) -> None:
    unsurvey(workspace, GONE)
    removed = unsurvey(workspace, STAYS)
    assert f"quant_files/{GONE}/SRR0000002/quant.sf.gz" in removed.objects
    assert workspace.store.list_keys("") == ["transcriptome_index/DANIO_RERIO/short/index.tar"]


def test_surveying_it_again_brings_it_back(workspace: Workspace) -> None:
    unsurvey(workspace, GONE)
    outcome = workspace.catalog.record_survey(study(GONE, samples=2), metadata_sha256="a" * 64)
    assert (outcome.new, outcome.states) == (1, {"quantified": 1, "surveyed": 1})
    assert add_experiments(workspace.instance, [GONE]) == 1


def test_downloads_of_its_samples_go_too(workspace: Workspace) -> None:
    samples = workspace.settings.scratch / "samples"
    for run in ("SRR0000001", "SRR0000002"):
        (samples / run).mkdir(parents=True)
        (samples / run / "reads.fastq.gz.part").write_text("part")
    unsurvey(workspace, GONE)
    assert [path.name for path in samples.iterdir()] == ["SRR0000002"]


@pytest.mark.parametrize("words", [(), ("SRP000001", "--yes", "--dry-run")])
def test_bad_usage_is_refused(workspace: Workspace, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    before = what_is_there(workspace)
    assert main(("unsurvey", *words)) == 2
    assert capsys.readouterr().err
    assert what_is_there(workspace) == before


def test_a_store_that_refuses_is_told_and_the_same_command_goes_on(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from refinebio_assets.domain.errors import ObjectStoreError

    def refuse(_store: ObjectStore, key: str) -> None:
        message = f"The object store could not delete {key}."
        raise ObjectStoreError(message)

    with monkeypatch.context() as patched:
        patched.setattr(type(workspace.store), "delete", refuse)
        assert run_json(capsys, GONE, "--yes", status=1)[0]["outcome"] == "object_store_error"
    assert run_json(capsys, GONE, "--yes")[0]["message"].startswith("The catalog has forgotten it already")
    assert what_is_there(workspace) == AFTERWARDS
