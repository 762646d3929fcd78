"""Assets of organisms as Dagster sees them: what is stored and shown, and what a blocking check keeps back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata
import dagster as dg
import numpy as np
import pytest

from refinebio_assets.compendia import compendium_run
from refinebio_assets.compendia.quality import Quality
from refinebio_assets.compendia.quality_checks import CHECK_NAMES, QualityCheck
from refinebio_assets.definitions import build_resources
from refinebio_assets.domain.errors import LowQualityError, NotFoundError
from refinebio_assets.domain.vocabulary import CompendiumKind
from refinebio_assets.runs import Session
from tests.assets.test_batches import check, latest
from tests.compendia.organisms import ORGANISM, Organism, environment_of
from tests.end_to_end.installation import Installation

SETTINGS = {
    "REFINEBIO_QN_TARGET_MIN_SAMPLES": "10",
    "REFINEBIO_COMPENDIUM_MIN_SAMPLES": "10",
    "REFINEBIO_COMPENDIUM_FORMATS": '["h5ad"]',
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Two technologies of an organism, its target and its compendium."""
    home = tmp_path_factory.mktemp("organism") / "home"
    organism = Organism(environment=environment_of(home))
    organism.arrays("GSE101", 18, missing=24)
    organism.arrays("GSE102", 12)
    organism.rna_seq("SRP103", 32)
    organism.environment.catalog.dispose()
    made = Installation(home, None, SETTINGS)
    with made.session() as session:
        assert session.qn_target(ORGANISM) is None
        assert session.compendium(ORGANISM, svd_algorithm="randomized") is None
    return made


@pytest.fixture
def session(installation: Installation, tmp_path: Path) -> Iterator[Session]:
    """Over a copy, so that tests do not see each other's runs."""
    shutil.copytree(installation.home, tmp_path / "home")
    with Installation(tmp_path / "home", None, SETTINGS).session() as opened:
        yield opened


def metadata(session: Session, asset: str) -> dict[str, Any]:
    return {label: value.value for label, value in latest(session, asset, ORGANISM).metadata.items()}


def test_a_target_is_stored_shown_and_loaded(session: Session) -> None:
    shown = metadata(session, "qn_target")
    assert (shown["technology"], shown["samples"], shown["values"]) == ("MICROARRAY", 18, 96)
    assert check(session, "qn_target", "agrees_with_the_target_before")[0]
    loaded = build_resources(session.settings)["qn_target_io"].load(ORGANISM)
    assert loaded.dtype == np.float64
    assert (len(loaded), np.all(np.diff(loaded) >= 0)) == (96, True)
    with pytest.raises(NotFoundError, match="There is no qn_target of DANIO_RERIO yet"):
        build_resources(session.settings)["qn_target_io"].load("DANIO_RERIO")


def test_a_compendium_is_stored_shown_checked_and_loaded(session: Session) -> None:
    shown = metadata(session, "compendium")
    assert (shown["samples"], shown["reused"], shown["extends"]) == (62, False, "")
    assert shown["share_imputed"] > 0
    assert "| samples with expression | 62 |" in shown["counts"]
    assert shown["densities"].startswith("![densities before and after QN](data:image/png;base64,")
    assert shown["dagster/uri"].endswith(f"compendia/{ORGANISM}/{shown['version']}/{ORGANISM}.h5ad")
    assert latest(session, "compendium", ORGANISM).tags["dagster/data_version"] == shown["version"]
    passed = {name: check(session, "compendium", name)[0] for name in (*CHECK_NAMES, "every_sample_accounted_for")}
    assert passed["empty_samples"]
    assert passed["every_sample_accounted_for"]

    io = build_resources(session.settings)["compendium_io"]
    loaded = io.load(ORGANISM)
    assert isinstance(loaded, anndata.AnnData)
    assert loaded.isbacked
    assert loaded.shape == (62, shown["genes"])
    with pytest.raises(NotFoundError, match="There is no compendium of DANIO_RERIO yet"):
        io.load("DANIO_RERIO")


def test_what_fails_a_blocking_check_fails_the_partition_and_the_one_before_stays(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = metadata(session, "compendium")["version"]
    finish = compendium_run.QualityStatistics.finish

    def spoilt(statistics: object, *arguments: object, **named: object) -> Quality:
        quality = finish(statistics, *arguments, **named)  # type: ignore[arg-type]
        bad = QualityCheck("empty_samples", False, True, "One is empty.", {"count": 1, "named": ["GSM1"]})
        return replace(quality, checks=(bad, *quality.checks[1:]))

    monkeypatch.setattr(compendium_run.QualityStatistics, "finish", spoilt)
    failed = session.compendium(ORGANISM, svd_algorithm="none")
    assert failed is not None
    assert (failed.code, failed.exit_status) == (LowQualityError.code, 2)
    assert "is not published. empty_samples: One is empty." in failed.message
    assert check(session, "compendium", "empty_samples") == (False, {"count": 1, "named": ["GSM1"]})
    assert metadata(session, "compendium")["version"] == before
    versions = session.catalog.compendia.compendia(ORGANISM, CompendiumKind.COMPENDIUM)
    assert [one.version for one in versions] == [before]


def test_an_organism_without_anything_to_make_is_skipped(session: Session) -> None:
    assert session.quantpendium(ORGANISM) is None
    assert session.compendium("MUS_MUSCULUS") is None
    for asset, organism in (("quantpendium", ORGANISM), ("compendium", "MUS_MUSCULUS")):
        wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[organism])
        assert session.instance.fetch_materializations(wanted, limit=1).records == []
