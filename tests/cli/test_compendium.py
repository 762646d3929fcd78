"""``refinebio compendium``: which organisms, what it prints, what it exits with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.cli import common
from refinebio_assets.cli.main import main
from tests.compendia.organisms import ORGANISM, Organism, environment_of
from tests.end_to_end.installation import Installation

SETTINGS = {
    "REFINEBIO_QN_TARGET_MIN_SAMPLES": "10",
    "REFINEBIO_COMPENDIUM_MIN_SAMPLES": "10",
    "REFINEBIO_COMPENDIUM_FORMATS": '["h5ad"]',
}
Compendium = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An organism that is ready, one without a target, and one that only has samples without raw data."""
    home = tmp_path_factory.mktemp("organisms") / "home"
    environment = environment_of(home)
    organism = Organism(environment=environment)
    organism.two_technologies()
    organism.arrays("GSE108", 2, has_raw=False)
    Organism(environment=environment, organism="DANIO_RERIO").arrays("GSE109", 3)
    environment.catalog.dispose()
    return Installation(home, None, SETTINGS)


@pytest.fixture
def compendium(installation: Installation, capsys: pytest.CaptureFixture[str]) -> Compendium:
    """Runs ``refinebio compendium … --json`` in this process: exit status and answer."""

    def run(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        with installation.in_process():
            status = main(["compendium", *arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def test_without_a_name_the_organisms_that_are_ready_are_built_and_what_is_there_is_reused(
    compendium: Compendium,
    installation: Installation,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, answer = compendium()
    (built,) = answer["items"]
    assert (status, built["organism"], built["outcome"]) == (0, ORGANISM, "built")
    assert (built["samples"], sum(built["left_out"].values()), built["extends"]) == (62, 2, None)
    assert built["share_imputed"] > 0
    assert all(Path(file).exists() for file in built["files"])

    shown: list[str] = []

    class Bar(common.Progress):
        def describe(self, text: str) -> None:
            shown.append(text)

    monkeypatch.setattr("refinebio_assets.cli.compendium.progress", lambda *_, **__: _entered(Bar()))
    with installation.in_process():
        assert main(["compendium", "--organism", "Homo sapiens"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[1].split()[:5] == [ORGANISM, "reused", built["version"], "62", str(built["genes"])]
    assert "2 not in it: This sample was not processed from raw data" in said
    assert shown == [ORGANISM]


class _entered:  # noqa: N801  stands for a function
    """A context manager that gives a value."""

    def __init__(self, value: common.Progress) -> None:
        self._value = value

    def __enter__(self) -> common.Progress:
        return self._value

    def __exit__(self, *_: object) -> None:
        return None


def test_each_named_organism_has_an_outcome_and_the_worst_decides_the_exit_status(compendium: Compendium) -> None:
    status, answer = compendium("--organism", "Danio rerio")
    assert (status, answer["items"][0]["outcome"]) == (2, "skipped")
    assert "refinebio qn-target --organism DANIO_RERIO" in answer["items"][0]["message"]
    tight = ["--memory", "5MB", "--svd-algorithm", "none"]
    status, answer = compendium("--organism", "Felis catus", "--organism", "Homo sapiens", *tight)
    assert (status, [item["outcome"] for item in answer["items"]]) == (3, ["not_found", "failed"])
    assert "--memory" in answer["items"][1]["message"]


def test_quant_files_alone_need_quant_files(compendium: Compendium) -> None:
    assert compendium("--quant-only") == (0, {"items": []})
    status, answer = compendium("--quant-only", "--organism", "Homo sapiens")
    assert (status, answer["items"][0]["outcome"]) == (2, "skipped")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quant-only", "--svd-algorithm", "none", "--extend"], "--svd-algorithm, --extend say how a matrix is made"),
        (["--memory", "much"], "'much' is no size"),
        (["--organism", "!!!"], "'!!!' is no organism name"),
    ],
)
def test_contradictions_are_bad_usage(compendium: Compendium, arguments: list[str], message: str) -> None:
    status, answer = compendium(*arguments)
    assert (status, answer["error"]["code"]) == (2, "bad_input")
    assert message in answer["error"]["message"]
