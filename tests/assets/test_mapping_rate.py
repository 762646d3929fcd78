"""The mapping rate that is asked for can be changed later."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinebio_assets.runs import ingest_experiment
from tests.end_to_end.installation import installed

pytestmark = pytest.mark.end_to_end

STUDY = "SRP010938"


def test_samples_are_judged_by_the_mapping_rate_that_is_asked_for_now(tmp_path: Path) -> None:
    with installed(tmp_path / "home") as installation:
        outcomes = []
        for rate in ("50", "10", "50"):
            installation.settings["REFINEBIO_MIN_MAPPING_RATE"] = rate
            with installation.session() as session:
                assert ingest_experiment(session, STUDY, early=False, report=lambda _: None) == []
                outcomes.append(session.catalog.ledger.counts(STUDY))
    assert outcomes == [{"failed_qc": 3, "processed": 2}, {"processed": 5}, {"failed_qc": 3, "processed": 2}]
