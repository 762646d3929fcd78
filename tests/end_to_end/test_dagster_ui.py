"""What the Dagster UI shows of an installation, and the services that ``refinebio dev`` runs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from examples.faults import Fault
from examples.synthetic import SyntheticStudy, simulated_reads
from refinebio_assets.compendia.quality_checks import CHECK_NAMES
from refinebio_assets.dagster_instance import dead_runs
from tests.end_to_end.conftest import BUNDLED_STUDY, Install
from tests.end_to_end.installation import installed
from tests.end_to_end.services import Services, processes_of, services, wait_for

pytestmark = pytest.mark.end_to_end

STUDY = "SRP010938"
ASSETS = {"source_metadata", "samples", "transcriptome_index", "quant_files", "rna_seq_expression"}
ORGANISM_ASSETS = {"qn_target", "compendium", "quantpendium"}
WATCHFUL = {
    "discovery_organisms": '["Arabidopsis thaliana"]',
    "discovery_interval_seconds": "5",
    "automation_interval_seconds": "5",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the archive serves; studies may be written to it at any time."""
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def running(studies: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The services over a home in which the demo was run, with an archive to discover studies in."""
    folder = tmp_path_factory.mktemp("services")
    with installed(folder / "home", [BUNDLED_STUDY, studies], **WATCHFUL) as installation:
        demo = installation.run("demo")
        assert demo.returncode == 0, demo.stderr
        with services(installation, folder / "log") as found:
            yield found


def nodes(running: Services) -> dict[str, Any]:
    query = """{ assetNodes { assetKey { path } groupName kinds description isPartitioned
        owners { ... on TeamAssetOwner { team } } partitionDefinition { name type }
        assetChecksOrError { ... on AssetChecks { checks { name description } } }
        assetMaterializations(limit: 1) { partition metadataEntries { __typename label
            ... on MarkdownMetadataEntry { mdStr }
            ... on TableMetadataEntry { table { records schema { columns { name } } } }
            ... on IntMetadataEntry { intValue } ... on TextMetadataEntry { text } } } } }"""
    return {node["assetKey"]["path"][0]: node for node in running.dagster(query)["assetNodes"]}


def metadata(node: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["label"]: entry for entry in node["assetMaterializations"][0]["metadataEntries"]}


def test_the_graph_shows_the_assets_in_their_groups(running: Services) -> None:
    found = nodes(running)
    assert set(found) == ASSETS | {"array_expression"} | ORGANISM_ASSETS
    assert {name: node["groupName"] for name, node in found.items()} == {
        "source_metadata": "survey", "samples": "survey", "transcriptome_index": "rna_seq", "quant_files": "rna_seq",
        "rna_seq_expression": "rna_seq", "array_expression": "microarray",
        **dict.fromkeys(ORGANISM_ASSETS, "compendia"),
    }  # fmt: skip
    assert all(node["isPartitioned"] and node["description"] and node["owners"] for node in found.values())


def test_partitions_are_experiments_and_organisms_by_read_length(running: Services) -> None:
    query = """query ($name: String!) { assetNodeOrError(assetKey: {path: [$name]}) { ... on AssetNode {
        partitionKeys partitionStats { numMaterialized numFailed } } } }"""
    samples = running.dagster(query, name="samples")["assetNodeOrError"]
    assert STUDY in samples["partitionKeys"]
    indices = running.dagster(query, name="transcriptome_index")["assetNodeOrError"]
    assert indices["partitionStats"] == {"numMaterialized": 2, "numFailed": 0}
    assert {"ARABIDOPSIS_THALIANA|short", "ARABIDOPSIS_THALIANA|long"} <= set(indices["partitionKeys"])
    organisms = running.dagster(query, name="compendium")["assetNodeOrError"]
    assert organisms["partitionStats"] == {"numMaterialized": 1, "numFailed": 0}


def test_a_materialisation_shows_its_numbers_tables_and_plots(running: Services) -> None:
    found = nodes(running)
    quant = metadata(found["quant_files"])
    assert quant["preview"]["__typename"] == "TableMetadataEntry"
    columns = {column["name"] for column in quant["preview"]["table"]["schema"]["columns"]}
    assert {"sample", "num_processed", "percent_mapped", "library_type", "index_length"} <= columns
    assert len(quant["preview"]["table"]["records"]) == 5
    assert [quant[f"samples_{what}"]["intValue"] for what in ("quantified", "kept", "failed")] == [5, 0, 0]
    assert quant["mapping_rates"]["mdStr"].startswith("![mapping rates](data:image/png;base64,iVBOR")
    expression = metadata(found["rna_seq_expression"])
    assert (expression["samples_in_matrix"]["intValue"], expression["genes_in_matrix"]["intValue"]) == (5, 145)
    assert expression["density"]["mdStr"].startswith("![expression densities](data:image/png;base64,iVBOR")
    assert expression["dagster/uri"]["text"].endswith(f"rna_seq_expression/{STUDY}/{STUDY}.h5ad")


def test_assets_of_organisms_have_their_checks(running: Services) -> None:
    found = {name: nodes(running)[name]["assetChecksOrError"]["checks"] for name in ORGANISM_ASSETS}
    assert {name: {check["name"] for check in checks} for name, checks in found.items()} == {
        "qn_target": {"agrees_with_the_target_before"},
        "compendium": {*CHECK_NAMES, "every_sample_accounted_for"},
        "quantpendium": {"every_quant_file_accounted_for"},
    }


def test_a_compendium_shows_its_counts_checks_and_distributions(running: Services) -> None:
    shown = metadata(nodes(running)["compendium"])
    assert shown["samples"]["intValue"] > 128
    assert shown["counts"]["mdStr"].startswith("| step | count |")
    assert shown["densities"]["mdStr"].startswith("![densities before and after QN](data:image/png;base64,iVBOR")
    assert "| empty_samples | passed |" in shown["checks"]["mdStr"]
    assert shown["dagster/uri"]["text"].endswith("HOMO_SAPIENS.h5ad")


def test_checks_show_their_results(running: Services) -> None:
    query = """query ($asset: String!, $check: String!) { assetCheckExecutions(
        assetKey: {path: [$asset]}, checkName: $check, limit: 10) { status evaluation { success } } }"""

    def said(asset: str, check: str) -> bool | None:
        """What a check said last. The daemon may look at a study again, and find that there is nothing to say."""
        executions = running.dagster(query, asset=asset, check=check)["assetCheckExecutions"]
        return next((one["evaluation"]["success"] for one in executions if one["evaluation"]), None)

    def results() -> dict[str, bool] | None:
        """What each check said; None while one of them has said nothing yet."""
        found = {name: node for name, node in nodes(running).items() if name not in ORGANISM_ASSETS}
        checks = [(name, one["name"]) for name, node in found.items() for one in node["assetChecksOrError"]["checks"]]
        answers = {check: said(asset, check) for asset, check in checks}
        return None if None in answers.values() else {name: bool(success) for name, success in answers.items()}

    assert wait_for(results, seconds=300) == dict.fromkeys(
        [
            "every_sample_has_a_state", "some_sample_is_eligible", "every_transcript_has_a_gene",
            "all_eligible_samples_quantified", "mapping_rates", "counts_preserved", "no_empty_or_repeated_sample",
            "all_eligible_arrays_processed", "no_empty_or_repeated_array", "arrays_agree",
        ],
        True,
    )  # fmt: skip


def test_sensors_run_and_the_lineage_page_names_the_assets(running: Services, tmp_path: Path) -> None:
    states = running.dagster(
        '{ sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: '
        '"refinebio"}) { ... on Sensors { results { name sensorState { status } } } } }'
    )["sensorsOrError"]["results"]
    assert {one["name"]: one["sensorState"]["status"] for one in states} == {
        "ena_discovery": "RUNNING", "geo_discovery": "RUNNING", "array_express_discovery": "RUNNING",
        "upstream_refresh": "RUNNING", "list_files": "STOPPED",
        "experiment_automation": "RUNNING", "retry_transient_failures": "RUNNING", "organism_readiness": "RUNNING",
    }  # fmt: skip
    page = dom(
        f"{running.dagster_url}/assets/rna_seq_expression?view=lineage&lineageScope=upstream&lineageDepth=5",
        tmp_path / "browser",
    )
    assert {name for name in ASSETS if re.search(f'[">]{name}["<]', page)} == ASSETS


def dom(url: str, profile: Path) -> str:
    """A page as headless Chromium sees it once its scripts have run."""
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    assert program is not None, "Chromium is needed to look at pages: apt-get install chromium"
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={profile}", "--window-size=1600,1000", "--virtual-time-budget=20000", "--dump-dom",
    ]  # fmt: skip
    done = subprocess.run([program, *flags, url], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_study(studies: Path, accession: str, transcripts: dict[str, str]) -> None:
    today = datetime.now(UTC).date()
    study = SyntheticStudy(accession, first_public=today, last_updated=today)
    study.add_run(fastq=simulated_reads(transcripts, pairs=150))
    study.add_run(strategy="ChIP-Seq")
    study.write(studies)


def test_the_daemon_carries_a_new_study_to_expression(
    running: Services, studies: Path, transcripts: dict[str, str]
) -> None:
    """The real daemon, code server and run queue: nobody gives a command."""
    write_study(studies, "SRP900901", transcripts)
    query = '{ experiments(accessions: ["SRP900901"]) { nodes { state numProcessedSamples computedFiles { kind } } } }'

    def processed() -> Any:
        found = running.api(query)["experiments"]["nodes"]
        return next((node for node in found if node["state"] == "PROCESSED"), None)

    experiment = wait_for(processed, seconds=300)
    assert experiment["numProcessedSamples"] == 1
    assert "EXPRESSION_ANNDATA" in {file["kind"] for file in experiment["computedFiles"]}


def test_a_backfill_of_three_experiments_is_one_run_of_the_daemon(running: Services, studies: Path) -> None:
    keys = ["SRP900911", "SRP900912", "SRP900913"]
    for key in keys:
        study = SyntheticStudy(key, organism="Mus musculus", taxonomy_id=10090)
        study.add_run(strategy="ChIP-Seq")
        study.write(studies)
        added = running.dagster(
            """mutation ($key: String!) { addDynamicPartition(partitionKey: $key, partitionsDefName: "experiments",
                repositorySelector: {repositoryName: "__repository__",
                    repositoryLocationName: "refinebio"})
                { __typename } }""",
            key=key,
        )
        assert added["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess"
    launched = running.dagster(
        """mutation ($keys: [String!]) { launchPartitionBackfill(backfillParams: {partitionNames: $keys,
            assetSelection: [{path: ["source_metadata"]}, {path: ["samples"]}]})
            { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
        keys=keys,
    )["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def finished() -> Any:
        query = """query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill {
            status numPartitions runs { status tags { key value } } } } }"""
        found = running.dagster(query, id=launched["backfillId"])["partitionBackfillOrError"]
        return found if found["status"] not in ("REQUESTED", "CANCELING") else None

    backfill = wait_for(finished, seconds=300)
    assert (backfill["status"], backfill["numPartitions"]) == ("COMPLETED_SUCCESS", 3)
    assert [run["status"] for run in backfill["runs"]] == ["SUCCESS"]
    with running.installation.catalog() as catalog:
        assert {key: catalog.ledger.counts(key) for key in keys} == {key: {"wrong_library_strategy": 1} for key in keys}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_the_services_and_everything_they_started(
    install: Install, tmp_path: Path, transcripts: dict[str, str], number: signal.Signals
) -> None:
    """Also in the middle of a run; the next process sees that the run is dead."""
    write_study(tmp_path / "studies", "SRP900921", transcripts)
    installation = install(tmp_path / "studies", **WATCHFUL)
    installation.archive.faults.add(Fault(match="biosamples|filereport", kind="slow", seconds=300))
    with services(installation, tmp_path / "log") as found:
        wait_for(lambda: installation.archive.requests_for("filereport"), seconds=180)
        assert len(found.processes()) >= 5
        os.kill(found.process.pid, number)
        assert found.process.wait(timeout=180) == 0
        assert processes_of(installation.home) == []
    said = (tmp_path / "log").read_text()
    assert f"127.0.0.1:{found.dagster_port}" in said
    assert f"127.0.0.1:{found.api_port}/graphql" in said
    with installation.session() as session:
        assert dead_runs(session.instance) == []
        assert session.instance.get_runs_count(filters=None) >= 1
        assert not [run for run in session.instance.get_runs() if not run.is_finished]
