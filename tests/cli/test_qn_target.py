"""``refinebio qn-target``: which organisms, what it prints, what it exits with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refinebio_assets.cli.main import main
from refinebio_assets.compendia.quantile_normalization import quantile_target
from refinebio_assets.domain.vocabulary import Technology
from resources.object_store import ObjectStore
from tests.end_to_end.installation import Installation, installed
from tests.expression_records import record_expression
from tests.resources.catalog.studies import study

GENES = [f"ENSG{number:011d}" for number in range(30)]
QnTarget = Callable[..., tuple[int, Any]]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation without an archive, where five samples make a target."""
    with installed(tmp_path / "home", None, qn_target_min_samples="5") as made:
        yield made


@pytest.fixture
def qn_target(installation: Installation, capsys: pytest.CaptureFixture[str]) -> QnTarget:
    """Runs ``refinebio qn-target … --json`` in this process: exit status and answer."""

    def run(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        with installation.in_process():
            status = main(["qn-target", *arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def values_of(experiment: int, count: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(experiment).normal(8, 2, (count, len(GENES))).astype(np.float32)


def put(installation: Installation, organism: str, experiment: int, count: int, **changes: Any) -> None:
    store = ObjectStore.from_url(str(installation.objects))
    with installation.catalog() as catalog:
        record_expression(
            catalog, store, values_of(experiment, count), experiment=f"GSE{experiment}", genes=GENES, organism=organism,
            samples=[f"GSM{experiment}{number:03d}" for number in range(count)], **changes,
        )  # fmt: skip


def test_a_named_organism_has_its_target_made_grown_and_kept(installation: Installation, qn_target: QnTarget) -> None:
    put(installation, "DANIO_RERIO", 1, 6)
    status, answer = qn_target("--organism", "Danio rerio")
    (item,) = answer["items"]
    assert status == 0
    names = ("organism", "outcome", "platform", "samples", "genes", "reused", "agreement")
    assert {name: item[name] for name in names} == {
        "organism": "DANIO_RERIO", "outcome": "made", "platform": "hgu95av2", "samples": 6, "genes": 30, "reused": 0,
        "agreement": None,
    }  # fmt: skip
    stored = [float(line) for line in Path(item["file"]).read_text().splitlines()]
    assert stored == quantile_target([values_of(1, 6)]).tolist()

    put(installation, "DANIO_RERIO", 2, 3)
    _, answer = qn_target("--organism", "DANIO_RERIO")
    (grown,) = answer["items"]
    assert (grown["outcome"], grown["samples"], grown["reused"]) == ("made", 9, 6)
    assert set(grown["agreement"]) == {"statistic", "p_value"}
    assert Path(item["file"]).exists()

    _, answer = qn_target("--organism", "danio_rerio", "--organism", "danio_rerio")
    (kept,) = answer["items"]
    assert (kept["outcome"], kept["version"], kept["reused"]) == ("kept", grown["version"], 9)


def test_without_a_name_all_organisms_with_enough_samples_are_done(
    installation: Installation, qn_target: QnTarget
) -> None:
    assert qn_target() == (0, {"items": []})
    put(installation, "DANIO_RERIO", 1, 5)
    put(installation, "MUS_MUSCULUS", 2, 4)
    put(installation, "HOMO_SAPIENS", 3, 5, technology=Technology.RNA_SEQ)
    status, answer = qn_target()
    assert status == 0
    assert [(item["organism"], item["technology"], item["platform"]) for item in answer["items"]] == [
        ("DANIO_RERIO", "MICROARRAY", "hgu95av2"), ("HOMO_SAPIENS", "RNA_SEQ", None),
    ]  # fmt: skip


def test_named_organisms_with_too_few_samples_are_told_the_figures_and_unknown_ones_are_not_found(
    installation: Installation, qn_target: QnTarget
) -> None:
    put(installation, "MUS_MUSCULUS", 1, 4)
    with installation.catalog() as catalog:
        catalog.record_survey(study(samples=1), metadata_sha256="a" * 64)
    status, answer = qn_target("--organism", "Mus musculus", "--organism", "Danio rerio")
    few, nothing = answer["items"]
    assert (status, few["outcome"], nothing["outcome"]) == (2, "skipped", "skipped")
    assert "4 Affymetrix arrays of its most common platform (hgu95av2)" in few["message"]
    assert "needs 5 of either" in few["message"]
    status, answer = qn_target("--organism", "Felis catus")
    (unknown,) = answer["items"]
    assert (status, unknown["outcome"]) == (3, "not_found")
    assert "Felis catus" in unknown["message"]


def test_what_cannot_be_an_organism_is_bad_input(qn_target: QnTarget) -> None:
    status, answer = qn_target("--organism", "!!!")
    assert (status, answer["error"]["code"]) == (2, "bad_input")


def test_people_see_a_table_and_why_samples_are_left_out(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    put(installation, "DANIO_RERIO", 1, 5)
    put(installation, "DANIO_RERIO", 2, 2, has_raw=False)
    with installation.in_process():
        assert main(["qn-target"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].split() == [
        "ORGANISM", "OUTCOME", "TECHNOLOGY", "PLATFORM", "SAMPLES", "GENES", "REUSED", "AGREEMENT", "MESSAGE",
    ]  # fmt: skip
    assert "2 left out: It was not processed from raw data." in said
    assert "DANIO_RERIO_target.tsv" in said
