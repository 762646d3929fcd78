"""A backfill over organisms, launched as the Dagster UI launches it, run by the real daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refinebio_assets.domain.vocabulary import CompendiumKind, Technology
from resources.object_store import ObjectStore
from tests.end_to_end.installation import Installation, installed
from tests.end_to_end.services import Services, services, wait_for
from tests.expression_records import record_expression

pytestmark = pytest.mark.end_to_end

ARRAYS, RNA_SEQ, MIXED, FEW = "DANIO_RERIO", "CAENORHABDITIS_ELEGANS", "HOMO_SAPIENS", "MUS_MUSCULUS"
ORGANISMS = (ARRAYS, FEW, MIXED, RNA_SEQ)
GENES = [f"ENSG{number:011d}" for number in range(40)]
SMALL = {
    "qn_target_min_samples": "12",
    "compendium_min_samples": "12",
    "compendium_formats": '["h5ad"]',
}
SENSORS = """{ sensorsOrError(repositorySelector: {repositoryName: "__repository__",
    repositoryLocationName: "refinebio"}) { ... on Sensors { results { sensorState { id } } } } }"""
STOP = "mutation ($id: String!) { stopSensor(id: $id) { __typename ... on PythonError { message } } }"
ADD = """mutation ($key: String!) { addDynamicPartition(partitionKey: $key, partitionsDefName: "organisms",
    repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "refinebio"}) { __typename } }"""
LAUNCH = """mutation ($keys: [String!]) { launchPartitionBackfill(backfillParams: {partitionNames: $keys,
    assetSelection: [{path: ["qn_target"]}, {path: ["compendium"]}]})
    { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = """query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill {
    status numPartitions error { message } runs { status } } } }"""
PARTITIONS = """query ($name: String!) { assetNodeOrError(assetKey: {path: [$name]}) { ... on AssetNode {
    assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions failedPartitions } } } } }"""


def test_a_backfill_over_organisms_makes_targets_and_compendia_and_one_with_too_few_samples_harms_nobody(
    tmp_path: Path,
) -> None:
    with installed(tmp_path / "home", None, **SMALL) as installation:
        with services(installation, tmp_path / "log") as running:
            stop_sensors(running)
            record_organisms(installation)
            for organism in ORGANISMS:
                running.dagster(ADD, key=organism)
            launched = running.dagster(LAUNCH, keys=list(ORGANISMS))["launchPartitionBackfill"]
            assert launched["__typename"] == "LaunchBackfillSuccess", launched
            statuses = wait_for(lambda: ended_runs(running, launched["backfillId"]), seconds=600)
            assert statuses == ["SUCCESS"] * len(ORGANISMS)
            made = sorted({ARRAYS, RNA_SEQ, MIXED})
            for asset in ("qn_target", "compendium"):
                node = running.dagster(PARTITIONS, name=asset)["assetNodeOrError"]
                found = node["assetPartitionStatuses"]
                assert (sorted(found["materializedPartitions"]), found["failedPartitions"]) == (made, []), asset
        check_artefacts(installation)


def record_organisms(installation: Installation) -> None:
    """Expression of three organisms with enough samples, and of one with too few."""
    store = ObjectStore.from_url(str(installation.objects))
    with installation.catalog() as catalog:
        plan = [
            (ARRAYS, Technology.MICROARRAY, 14), (RNA_SEQ, Technology.RNA_SEQ, 13), (MIXED, Technology.MICROARRAY, 12),
            (MIXED, Technology.RNA_SEQ, 6), (FEW, Technology.MICROARRAY, 3),
        ]  # fmt: skip
        for number, (organism, technology, count) in enumerate(plan, start=1):
            prefix = "SRR" if technology is Technology.RNA_SEQ else "GSM"
            record_expression(
                catalog, store, expression(number, count, technology), technology=technology, organism=organism,
                experiment=f"{'SRP' if technology is Technology.RNA_SEQ else 'GSE'}90{number}", genes=GENES,
                samples=[f"{prefix}90{number}{place:03d}" for place in range(count)],
            )  # fmt: skip


def expression(seed: int, samples: int, technology: Technology) -> np.ndarray[Any, Any]:
    """A few factors and noise, without missing values."""
    draw = np.random.default_rng(seed)
    values = (
        8 + draw.normal(0, 1, (samples, 3)) @ draw.normal(0, 1, (3, len(GENES))) + draw.normal(0, 0.2, (samples, 1))
    )
    values = values + draw.normal(0, 0.1, (samples, len(GENES)))
    return (2**values if technology is Technology.RNA_SEQ else values).astype(np.float32)


def stop_sensors(running: Services) -> None:
    """Before there is anything to make: what is made is asked for by the backfill alone."""
    for sensor in running.dagster(SENSORS)["sensorsOrError"]["results"]:
        stopped = running.dagster(STOP, id=sensor["sensorState"]["id"])["stopSensor"]
        assert stopped["__typename"] == "StopSensorMutationResult", stopped


def ended_runs(running: Services, backfill: str) -> list[str]:
    """How the runs of the backfill ended, once all have.

    The daemon looks at backfills every 30 s only: that it then calls this one completed is not waited for.
    """
    found = running.dagster(STATUS, id=backfill)["partitionBackfillOrError"]
    assert found["error"] is None, found
    statuses = [run["status"] for run in found["runs"]]
    ended = len(statuses) == len(ORGANISMS) and set(statuses) <= {"SUCCESS", "FAILURE", "CANCELED"}
    return statuses if ended else []


def check_artefacts(installation: Installation) -> None:
    """What the catalog has is in the store; the organism with too few samples has nothing."""
    with installation.catalog() as catalog:
        technologies = {}
        for organism in (ARRAYS, RNA_SEQ, MIXED):
            target = catalog.compendia.current_qn_target(organism)
            assert target is not None, organism
            technologies[organism] = target.technology
            (compendium,) = catalog.compendia.compendia(organism, CompendiumKind.COMPENDIUM)
            assert compendium.num_samples >= 12
            for file in (*target.files, *compendium.files):
                assert (installation.objects / file.key).stat().st_size == file.size_bytes
        assert technologies == {
            ARRAYS: Technology.MICROARRAY, RNA_SEQ: Technology.RNA_SEQ, MIXED: Technology.MICROARRAY,
        }  # fmt: skip
        assert catalog.compendia.current_qn_target(FEW) is None
        assert catalog.compendia.compendia(FEW, CompendiumKind.COMPENDIUM) == []
