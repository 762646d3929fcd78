"""Which runs are processed: every reason, on the same registry that discovery asks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.eligibility import INELIGIBLE_SELECTIONS, EligibilityRules, RunFacts
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sra_files import read_files
from tests.survey.recorded import NO_FILES, run_row

REGISTRY = PlatformRegistry.load()
RULES = EligibilityRules(registry=REGISTRY, blacklist=REGISTRY.blacklisted_runs)
SOURCES = Path(__file__).parents[2] / "refinebio_assets" / "survey"
PAGE = Path(__file__).parents[2] / "docs" / "eligibility.md"


def decide(run: str = "SRR1000001", *, biosample_text: str = "", organism: str | None = "DANIO_RERIO", **columns: Any):
    row = run_row(run, **columns)
    reads = read_files(row, run, raw_data_source="ena")
    return RULES.decide(RunFacts(run=run, row=row, biosample_text=biosample_text, organism=organism, reads=reads))


@pytest.mark.parametrize(
    ("columns", "state", "reason"),
    [
        ({}, SampleState.SURVEYED, "eligible"),
        ({"library_selection": "other"}, SampleState.SURVEYED, "eligible"),
        ({"library_selection": "size fractionation"}, SampleState.SURVEYED, "eligible"),
        ({"library_strategy": "miRNA-Seq"}, SampleState.WRONG_LIBRARY_STRATEGY, "library_strategy"),
        ({"library_source": "GENOMIC"}, SampleState.WRONG_LIBRARY_STRATEGY, "library_source"),
        ({"library_selection": "CAGE"}, SampleState.WRONG_LIBRARY_STRATEGY, "library_selection"),
        ({"library_selection": "ChIP"}, SampleState.WRONG_LIBRARY_STRATEGY, "library_selection"),
        ({"library_source": "TRANSCRIPTOMIC SINGLE CELL"}, SampleState.WRONG_LIBRARY_STRATEGY, "single_cell"),
        (NO_FILES | {"study_title": "phs000424 GTEx"}, SampleState.CONTROLLED_ACCESS, "controlled_access"),
        (NO_FILES | {"broker_name": "EGA"}, SampleState.CONTROLLED_ACCESS, "controlled_access"),
        (NO_FILES, SampleState.NO_RAW_FILE, "no_raw_file"),
        ({"instrument_model": "PacBio RS II"}, SampleState.UNSUPPORTED_PLATFORM, "unsupported_platform"),
        ({"status": "suppressed"}, SampleState.WITHDRAWN_UPSTREAM, "suppressed_upstream"),
    ],
)
def test_each_reason_has_its_state(columns, state, reason):
    decision = decide(**columns)
    assert (decision.state, decision.reason) == (state, reason)
    assert decision.message.endswith(".")


def test_a_run_on_the_list_is_not_processed_and_the_message_says_whose_list_it_is():
    decision = decide("SRR013560")
    assert (decision.state, decision.reason) == (SampleState.FAILED_QC, "blacklisted_run")
    assert "refine.bio" in decision.message


def test_what_the_archive_says_of_a_listed_run_comes_first():
    assert decide("SRR013560", library_strategy="WGS").reason == "library_strategy"


def test_an_organism_that_is_not_known_is_told():
    assert decide(organism=None).reason == "unknown_organism"


@pytest.mark.parametrize("selection", sorted(INELIGIBLE_SELECTIONS))
def test_letter_case_of_a_selection_does_not_matter(selection):
    assert decide(library_selection=selection.upper()).reason == "library_selection"


def test_what_discovery_asks_for_the_survey_takes():
    assert {decide(instrument_model=name).reason for name in REGISTRY.discovery_instruments()} == {"eligible"}


def test_every_reason_of_the_survey_is_explained():
    sources = [path.read_text(encoding="utf-8") for path in SOURCES.glob("*.py")]
    written = {reason for text in sources for reason in re.findall(r"""reason="([a-z_]+)\"""", text)}
    explained = set(re.findall(r"^\| [a-z_`]* ?\| `([a-z_]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(written) > 15
    assert written <= explained, written - explained
