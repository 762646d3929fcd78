"""QN targets and compendia over GraphQL: what they are made of, how, and where their files are."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from graphql_api.app import create_app
from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind, Technology
from resources.catalog import Catalog, CompendiumToRecord, FileToRecord, QnTargetToRecord, ResultToRecord
from resources.object_store import ObjectStore
from resources.settings import Settings
from tests.expression_records import record_expression
from tests.graphql_api.conftest import Api

HUMAN, MOUSE = "HOMO_SAPIENS", "MUS_MUSCULUS"
DETAILS: dict[str, Any] = {
    "organisms": [HUMAN, MOUSE],
    "method": "refinebio-2",
    "summary": {"share_imputed": 0.25, "iterations": 7, "converged": True, "quantile_normalized": True},
    "checks": [
        {"name": "empty_samples", "passed": True, "blocking": True, "description": "None is empty.", "metadata": {}}
    ],
    "left_out": {"too few genes": 2, "no raw data": 3},
    "extends": "000000000001",
}
KINDS = (
    ComputedFileKind.COMPENDIUM_ANNDATA,
    ComputedFileKind.COMPENDIUM_ARCHIVE,
    ComputedFileKind.COMPENDIUM_PARQUET,
    ComputedFileKind.COMPENDIUM_REPORT,
)


def result(name: str, organism: str, kinds: tuple[ComputedFileKind, ...]) -> ResultToRecord:
    files = [
        FileToRecord(
            key=f"{name}/{kind}", filename=f"{kind}", kind=kind, size_bytes=2**40,
            sha256=hashlib.sha256(kind.encode()).hexdigest(), organism=organism,
        )
        for kind in kinds
    ]  # fmt: skip
    return ResultToRecord(processor="Compendium", processor_version="1", fingerprint=name, files=tuple(files))


def record_target(catalog: Catalog, version: str, **details: Any) -> None:
    catalog.compendia.record_qn_target(
        QnTargetToRecord(
            organism=HUMAN, technology=Technology.MICROARRAY, platform="hgu95av2", num_samples=120, num_genes=9_000,
            details={"version": version, **details}, result=result(version, HUMAN, (ComputedFileKind.QN_TARGET,)),
        )
    )  # fmt: skip


def record_compendium(catalog: Catalog, version: str, details: dict[str, Any], organism: str = HUMAN) -> None:
    catalog.compendia.record_compendium(
        CompendiumToRecord(
            organism=organism, kind=CompendiumKind.COMPENDIUM, version=version, svd_algorithm="arpack",
            num_samples=100, num_genes=9_000, details=details, result=result(version, organism, KINDS),
        )
    )  # fmt: skip


@pytest.fixture
def api(catalog: Catalog, tmp_path: Path) -> Api:
    """Two QN targets and two compendia of one organism."""
    settings = Settings(home=tmp_path / "home")
    store = ObjectStore.from_url(settings.store_url)
    for organism, experiment in ((HUMAN, "GSE1"), (MOUSE, "GSE2")):
        record_expression(
            catalog, store, np.ones((1, 1)), experiment=experiment,
            samples=[f"GSM{experiment}"], genes=["G"], organism=organism,
        )  # fmt: skip
    record_target(catalog, "t1")
    record_target(catalog, "t2", agreement={"statistic": 0.125, "p_value": 0.5}, left_out={"On another platform.": 4})
    record_compendium(catalog, "c1", {})
    record_compendium(catalog, "c2", DETAILS)
    return Api(TestClient(create_app(settings, catalog), raise_server_exceptions=False), catalog)


def test_a_target_says_what_it_is_made_of(api: Api) -> None:
    query = """{ qnTargets { version isCurrent numSamples technology platform { accession } agreement { statistic
        pValue } leftOut { reason numSamples } details computedFile { kind downloadUrl } } }"""
    new, old = api.ask(query)["qnTargets"]
    assert new.pop("computedFile")["kind"] == "QN_TARGET"
    assert new.pop("details")["version"] == "t2"
    assert new == {
        "version": "t2",
        "isCurrent": True,
        "numSamples": 120,
        "technology": "MICROARRAY",
        "platform": {"accession": "hgu95av2"},
        "agreement": {"statistic": 0.125, "pValue": 0.5},
        "leftOut": [{"reason": "On another platform.", "numSamples": 4}],
    }
    assert (old["isCurrent"], old["agreement"], old["leftOut"]) == (False, None, [])


def test_a_compendium_says_how_it_was_made_and_where_it_is(api: Api) -> None:
    query = """{ compendia(filter: {isCurrent: true}) { version isCurrent organisms { name } method shareImputed
        iterations converged quantileNormalized numSamplesFiltered leftOut { reason numSamples } extends formats
        checks { name passed blocking } files { kind sizeBytes sha256 downloadUrl } } }"""
    (found,) = api.ask(query)["compendia"]
    files = found.pop("files")
    assert {file["kind"] for file in files} == {kind.name for kind in KINDS}
    assert {file["sizeBytes"] for file in files} == {2**40}
    assert all(len(file["sha256"]) == 64 and "/files/" in file["downloadUrl"] for file in files)
    assert found == {
        "version": "c2",
        "isCurrent": True,
        "organisms": [{"name": HUMAN}, {"name": MOUSE}],
        "method": "refinebio-2",
        "shareImputed": 0.25,
        "iterations": 7,
        "converged": True,
        "quantileNormalized": True,
        "numSamplesFiltered": 5,
        "leftOut": [{"reason": "no raw data", "numSamples": 3}, {"reason": "too few genes", "numSamples": 2}],
        "extends": "000000000001",
        "formats": ["h5ad", "parquet", "zip"],
        "checks": [{"name": "empty_samples", "passed": True, "blocking": True}],
    }


def test_what_was_not_noted_is_null(api: Api) -> None:
    query = """{ compendia(filter: {isCurrent: false}) { version isCurrent organisms { name } shareImputed checks {
        name } leftOut { reason } numSamplesFiltered } }"""
    assert api.ask(query)["compendia"] == [
        {
            "version": "c1",
            "isCurrent": False,
            "organisms": [{"name": HUMAN}],
            "shareImputed": None,
            "checks": [],
            "leftOut": [],
            "numSamplesFiltered": 0,
        }
    ]


def test_a_version_that_is_made_again_is_current_again(api: Api) -> None:
    record_compendium(api.catalog, "c1", {})
    found = api.ask("{ compendia { version isCurrent } }")["compendia"]
    assert [(one["version"], one["isCurrent"]) for one in found] == [("c1", True), ("c2", False)]


def test_an_organism_leads_to_its_target_and_compendia(api: Api) -> None:
    query = "{ organisms { name qnTarget { version organism { name } } compendia { version files { filename } } } }"
    with api.statements() as sent:
        human, mouse = api.ask(query)["organisms"]
    assert human["qnTarget"] == {"version": "t2", "organism": {"name": HUMAN}}
    assert [one["version"] for one in human["compendia"]] == ["c2", "c1"]
    assert (mouse["qnTarget"], mouse["compendia"]) == (None, [])
    assert len(sent) == 6


def test_statements_do_not_grow_with_compendia(api: Api) -> None:
    query = """{ compendia { organism { name } organisms { name } method formats files { kind } result { metrics }
        computedFile { kind } } qnTargets { organism { name } platform { name } agreement { statistic } } }"""
    with api.statements() as few:
        api.ask(query)
    for number in range(5):
        record_compendium(api.catalog, f"d{number}", DETAILS, organism=MOUSE)
        record_target(api.catalog, f"u{number}")
    with api.statements() as many:
        assert len(api.ask(query)["compendia"]) == 7
    assert len(few) == len(many) == 11
