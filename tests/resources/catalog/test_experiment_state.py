from __future__ import annotations

from dataclasses import replace

import pytest

from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog import Catalog
from tests.resources.catalog.studies import BLACKLISTED, CONTROLLED, SUPERSEDED, array, change, sample, series, study

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


def test_an_experiment_whose_samples_are_all_superseded_is_superseded_and_names_the_studies(catalog: Catalog) -> None:
    samples = [array("GSM51", SUPERSEDED, aliases=("SRX0000051",)), array("GSM52", SUPERSEDED)]
    named = replace(series("GSE5", samples), linked_studies=("SRP000005",))
    catalog.record_survey(named, metadata_sha256="a" * 64)
    row = catalog.ledger.entries(["GSE5"])["GSE5"]
    assert (row.state, row.reason) == (SampleState.SUPERSEDED, "all_samples_superseded")
    assert row.message == "All 2 samples are processed from their reads in the sequence archives: SRP000005."


def test_the_studies_of_a_superseries_are_found_through_its_samples(catalog: Catalog) -> None:
    samples = [array("GSM51", SUPERSEDED, aliases=("SRX0000051",)), array("GSM52", SUPERSEDED)]
    catalog.record_survey(series("GSE5", samples), metadata_sha256="a" * 64)
    assert catalog.linked_studies("GSE5") == []
    assert "not known yet" in catalog.ledger.entries(["GSE5"])["GSE5"].message
    for number, aliases in ((51, ()), (52, ("GSM52",))):
        run = sample(f"SRR00000{number}", aliases=aliases)
        found = study(f"SRP0000{number}", [run], aliases=())
        catalog.record_survey(found, metadata_sha256="a" * 64)
    assert catalog.linked_studies("GSE5") == ["SRP000051", "SRP000052"]
    assert catalog.refresh_experiment_state("GSE5").message.endswith("archives: SRP000051, SRP000052.")
    assert catalog.linked_studies("SRP000051") == []


def test_a_withdrawn_sample_does_not_keep_a_series_from_being_superseded(catalog: Catalog) -> None:
    both = [array("GSM51", SUPERSEDED), array("GSM52", SUPERSEDED)]
    catalog.record_survey(series("GSE5", both), metadata_sha256="a" * 64)
    catalog.record_survey(series("GSE5", both[:1]), metadata_sha256="a" * 64)
    assert catalog.ledger.entries(["GSE5"])["GSE5"].state is SampleState.SUPERSEDED
    catalog.record_survey(series("GSE5", []), metadata_sha256="a" * 64)
    assert catalog.ledger.entries(["GSE5"])["GSE5"].state is SampleState.SURVEYED


def test_a_series_with_an_array_is_not_superseded(catalog: Catalog) -> None:
    catalog.record_survey(series("GSE5", [array("GSM51", SUPERSEDED), array("GSM52")]), metadata_sha256="a" * 64)
    assert catalog.ledger.entries(["GSE5"])["GSE5"].state is SampleState.SURVEYED


def test_a_blacklisted_run_is_not_eligible_offered_or_tried_again(catalog: Catalog) -> None:
    catalog.record_survey(study(samples=[sample(RUNS[0]), sample(RUNS[1], BLACKLISTED)]), metadata_sha256="a" * 64)
    assert [one.accession for one in catalog.samples_to_quantify("SRP000001")] == [RUNS[0]]
    assert [one.sample for one in catalog.quant_files("SRP000001")] == [RUNS[0]]
    assert catalog.sample_to_quantify("SRP000001", RUNS[1]) is None
    set_states(catalog, SampleState.QUANTIFIED)
    row = catalog.refresh_experiment_state("SRP000001")
    assert (row.state, row.message) == (
        SampleState.QUANTIFIED,
        "1 of 1 eligible samples quantified; 1 on the list of runs known to be bad.",
    )
    assert catalog.ledger.retryable(max_attempts=9) == []


@pytest.mark.parametrize("reached", [SampleState.QUANTIFIED, SampleState.FAILED_PROCESSING])
def test_a_run_that_is_blacklisted_later_is_ruled_out_and_comes_back_when_it_is_taken_off_the_list(
    catalog: Catalog, reached: SampleState
) -> None:
    catalog.record_survey(study(samples=[sample(RUNS[0])]), metadata_sha256="a" * 64)
    catalog.ledger.set_states([change(RUNS[0], reached, attempted=True, retryable=True)])
    catalog.record_survey(study(samples=[sample(RUNS[0], BLACKLISTED)]), metadata_sha256="b" * 64)
    entry = catalog.ledger.entries([RUNS[0]])[RUNS[0]]
    assert (entry.state, entry.reason, entry.retryable) == (SampleState.FAILED_QC, "blacklisted_run", False)
    assert catalog.ledger.failed_with_index("DANIO_RERIO") == []
    catalog.record_survey(study(samples=[sample(RUNS[0])]), metadata_sha256="a" * 64)
    assert catalog.ledger.entries([RUNS[0]])[RUNS[0]].state is SampleState.SURVEYED


def test_arrays_are_in_no_query_for_sequenced_samples(catalog: Catalog) -> None:
    catalog.record_survey(series("GSE5", [array("GSM51")]), metadata_sha256="a" * 64)
    assert catalog.ledger.experiments_to_quantify(limit=9) == []
    catalog.ledger.set_states([change("GSM51", SampleState.PROCESSED, "GSE5", attempted=True)])
    assert catalog.samples_to_quantify("GSE5") == []
    assert catalog.quant_files("GSE5") == []
    assert catalog.experiment_organisms("GSE5") == []
    assert catalog.ledger.experiments_to_import(limit=9) == []
    catalog.ledger.set_states([change("GSM51", SampleState.FAILED_PROCESSING, "GSE5", attempted=True)])
    assert catalog.ledger.failed_with_index("DANIO_RERIO") == []
