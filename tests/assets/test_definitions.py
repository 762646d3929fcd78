"""The code location as Dagster loads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from refinebio_assets.compendia.quality_checks import CHECK_NAMES
from refinebio_assets.definitions import defs

PROJECT = Path(__file__).parents[2]
OF_EXPERIMENTS = {"source_metadata", "samples", "quant_files", "rna_seq_expression", "array_expression"}
OF_ORGANISMS = {"qn_target", "compendium", "quantpendium"}
ASSETS = OF_EXPERIMENTS | OF_ORGANISMS | {"transcriptome_index"}
GROUPS = {"survey", "rna_seq", "microarray", "compendia"}
KINDS = {"json", "ena", "geo", "array_express", "ensembl", "sqlalchemy", "salmon", "numpy", "anndata"}
TEAMS = {"team:data-engineering"}
POOLS = {"archives", "transcriptome_index", "quantification", "arrays", "compendia"}
CHECKS = {
    "every_sample_has_a_state",
    "some_sample_is_eligible",
    "every_transcript_has_a_gene",
    "all_eligible_samples_quantified",
    "mapping_rates",
    "counts_preserved",
    "no_empty_or_repeated_sample",
    "all_eligible_arrays_processed",
    "no_empty_or_repeated_array",
    "arrays_agree",
    "agrees_with_the_target_before",
    *CHECK_NAMES,
    "every_sample_accounted_for",
    "every_quant_file_accounted_for",
}


def run(*command: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("REFINEBIO_", "DAGSTER_"))}
    environment = own | {"REFINEBIO_HOME": str(home), **variables}
    return subprocess.run(
        [sys.executable, *command],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(params=sorted(ASSETS))
def node(request: pytest.FixtureRequest) -> dg.AssetSpec:
    return next(spec for spec in defs.resolve_all_asset_specs() if spec.key == dg.AssetKey(request.param))


def test_the_graph_has_the_assets_of_both_paths() -> None:
    assert {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()} == ASSETS


def test_every_asset_says_what_it_is_in_the_closed_vocabularies(node: dg.AssetSpec) -> None:
    assert node.group_name in GROUPS
    assert node.kinds, "no kind"
    assert node.kinds <= KINDS
    assert node.owners, "no owner"
    assert set(node.owners) <= TEAMS
    assert node.code_version
    assert node.description
    assert not node.description.endswith(":")
    assert node.partitions_def is not None


def test_what_waits_for_archives_or_heavy_programs_is_in_a_pool() -> None:
    graph = defs.resolve_asset_graph()
    pools = {key.to_user_string(): graph.get(key).pools for key in graph.get_all_asset_keys()}
    pooled = {name for name, found in pools.items() if found}
    assert pooled == {"source_metadata", "transcriptome_index", "quant_files", "array_expression", *OF_ORGANISMS}
    assert set().union(*pools.values()) == POOLS


def test_experiments_are_backfilled_fifty_at_a_time_and_organisms_one_at_a_time() -> None:
    graph = defs.resolve_asset_graph()
    for names, size in ((OF_EXPERIMENTS, 50), (OF_ORGANISMS, 1)):
        for name in names:
            assert graph.get(dg.AssetKey(name)).backfill_policy == dg.BackfillPolicy.multi_run(size), name


def test_checks_that_say_a_compendium_is_unfit_for_use_block() -> None:
    graph = defs.resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
    assert blocking == {
        "every_sample_has_a_state", "every_transcript_has_a_gene", "empty_samples", "constant_samples",
        "duplicated_samples", "duplicated_genes", "unmapped_genes",
        "finite_values", "observed_values_untouched", "quantile_normalization_deterministic",
    }  # fmt: skip


def test_every_check_is_known_and_described() -> None:
    graph = defs.resolve_asset_graph()
    keys = graph.asset_check_keys
    assert {key.name for key in keys} == CHECKS
    assert all(graph.get_check_spec(key).description for key in keys)


def test_the_workspace_is_valid(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    found = run(
        "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml",
        home=tmp_path / "home", DAGSTER_HOME=str(tmp_path / "dagster"),
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr


LOADING = """
import socket
def refuse(*_args, **_kwargs): raise AssertionError("the network was asked")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
import refinebio_assets.definitions
refinebio_assets.definitions.defs.get_repository_def()
"""


def test_loading_touches_neither_disk_nor_network(tmp_path: Path) -> None:
    found = run("-c", LOADING, home=tmp_path / "home")
    assert found.returncode == 0, found.stderr
    assert not (tmp_path / "home").exists()
