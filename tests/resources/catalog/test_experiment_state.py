from __future__ import annotations

import pytest

from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog import Catalog
from tests.resources.catalog.studies import CONTROLLED, change, sample, study

RUNS = [f"SRR{number:07d}" for number in range(1, 5)]


@pytest.fixture
def surveyed(catalog: Catalog) -> Catalog:
    samples = [*(sample(run) for run in RUNS), sample("SRR0000009", CONTROLLED)]
    catalog.record_survey(study(samples=samples), metadata_sha256="a" * 64)
    return catalog


def set_states(catalog: Catalog, *states: SampleState) -> None:
    catalog.ledger.set_states([change(run, state) for run, state in zip(RUNS, states, strict=False)])


def test_some_samples_quantified_is_surveyed_with_counts(surveyed: Catalog) -> None:
    set_states(surveyed, SampleState.QUANTIFIED, SampleState.QUANTIFIED, SampleState.FAILED_QC)
    row = surveyed.refresh_experiment_state("SRP000001", run_id="run-3")
    assert (row.state, row.reason, row.run_id) == (SampleState.SURVEYED, "samples_not_quantified", "run-3")
    assert row.message == ("2 of 4 eligible samples quantified; 1 failed quality control; 1 under controlled access.")


def test_all_eligible_samples_quantified_is_quantified(surveyed: Catalog) -> None:
    set_states(surveyed, *[SampleState.QUANTIFIED] * 3, SampleState.PROCESSED)
    row = surveyed.refresh_experiment_state("SRP000001")
    assert (row.state, row.reason) == (SampleState.QUANTIFIED, "all_samples_quantified")


def test_expression_made_is_processed_also_when_early(surveyed: Catalog) -> None:
    set_states(surveyed, *[SampleState.PROCESSED] * 3)
    row = surveyed.refresh_experiment_state("SRP000001", processed=True)
    assert row.state is SampleState.PROCESSED
    assert row.message == "Expression of 3 of 4 eligible samples is ready; 1 under controlled access."


def test_processed_stays_until_a_sample_is_quantified_anew(surveyed: Catalog) -> None:
    set_states(surveyed, *[SampleState.PROCESSED] * 4)
    surveyed.refresh_experiment_state("SRP000001", processed=True)
    assert surveyed.refresh_experiment_state("SRP000001").state is SampleState.PROCESSED
    set_states(surveyed, SampleState.QUANTIFIED)
    assert surveyed.refresh_experiment_state("SRP000001").state is SampleState.QUANTIFIED


def test_processed_does_not_stay_when_a_sample_is_withdrawn(surveyed: Catalog) -> None:
    set_states(surveyed, *[SampleState.PROCESSED] * 4)
    surveyed.refresh_experiment_state("SRP000001", processed=True)
    samples = [*(sample(run) for run in RUNS[:3]), sample("SRR0000009", CONTROLLED)]
    surveyed.record_survey(study(samples=samples), metadata_sha256="a" * 64)
    assert surveyed.ledger.entries(["SRP000001"])["SRP000001"].state is SampleState.QUANTIFIED


def test_processed_does_not_stay_when_a_sample_in_it_fails_with_its_new_files(surveyed: Catalog) -> None:
    set_states(surveyed, *[SampleState.PROCESSED] * 4)
    surveyed.refresh_experiment_state("SRP000001", processed=True)
    set_states(surveyed, SampleState.CORRUPT_FILE)
    assert surveyed.refresh_experiment_state("SRP000001").state is SampleState.SURVEYED
    assert surveyed.ledger.experiments_to_import(limit=9) == ["SRP000001"]


def test_the_same_survey_of_a_processed_experiment_changes_nothing(surveyed: Catalog) -> None:
    set_states(surveyed, *[SampleState.PROCESSED] * 4)
    before = surveyed.refresh_experiment_state("SRP000001", processed=True)
    samples = [*(sample(run) for run in RUNS), sample("SRR0000009", CONTROLLED)]
    surveyed.record_survey(study(samples=samples), metadata_sha256="a" * 64, run_id="another")
    assert surveyed.ledger.entries(["SRP000001"])["SRP000001"] == before


def test_no_eligible_samples_says_so(catalog: Catalog) -> None:
    catalog.record_survey(study(samples=[sample("SRR0000001", CONTROLLED)]), metadata_sha256="a" * 64)
    row = catalog.ledger.entries(["SRP000001"])["SRP000001"]
    assert (row.state, row.reason) == (SampleState.SURVEYED, "no_eligible_samples")
    assert row.message == "None of 1 samples is eligible; 1 under controlled access."


def test_shared_samples_count(catalog: Catalog) -> None:
    catalog.record_survey(study("SRP000001", samples=2), metadata_sha256="a" * 64)
    catalog.record_survey(study("SRP000002", samples=2), metadata_sha256="a" * 64)
    set_states(catalog, SampleState.QUANTIFIED, SampleState.QUANTIFIED)
    assert catalog.refresh_experiment_state("SRP000002").state is SampleState.QUANTIFIED


def test_an_unknown_experiment_is_not_found(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match="SRP000404"):
        catalog.refresh_experiment_state("SRP000404")


def test_a_survey_after_failed_ones_forgets_their_attempts(catalog: Catalog) -> None:
    from refinebio_assets.domain.vocabulary import LedgerKind

    failed = change("SRP000001", SampleState.DISCOVERED, kind=LedgerKind.EXPERIMENT, retryable=True, attempted=True)
    catalog.ledger.set_states([failed])
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    row = catalog.ledger.entries(["SRP000001"])["SRP000001"]
    assert (row.state, row.retryable, row.attempts) == (SampleState.SURVEYED, False, 0)
