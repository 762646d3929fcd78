from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.vocabulary import LedgerKind, SampleState
from resources.catalog import Catalog, LedgerRow, StateChange
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import CONTROLLED, change, sample, study


def entry(catalog: Catalog, accession: str) -> LedgerRow:
    return catalog.ledger.entries([accession])[accession]


def history(catalog: Catalog, accession: str) -> list[str]:
    return [row.state.value for row in catalog.ledger.history(accession)]


def test_discovering_gives_back_only_new_experiments_in_order(catalog: Catalog) -> None:
    assert catalog.ledger.discover(["SRP2", "SRP1", "SRP2"], source="ENA") == ["SRP2", "SRP1"]
    catalog.ledger.set_states([change("SRP1", SampleState.SURVEYED, "SRP1", kind=LedgerKind.EXPERIMENT)])
    assert catalog.ledger.discover(["SRP1", "SRP3"], source="ENA") == ["SRP3"]
    assert entry(catalog, "SRP1").state is SampleState.SURVEYED
    row = entry(catalog, "SRP2")
    assert (row.kind, row.state, row.experiment_accession) == (LedgerKind.EXPERIMENT, SampleState.DISCOVERED, "SRP2")
    assert row.message == "Seen in ENA; its samples are not known yet."
    assert history(catalog, "SRP2") == ["discovered"]


def test_another_accession_of_a_known_experiment_is_not_new(catalog: Catalog) -> None:
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert catalog.ledger.discover(["PRJNA000001", "SRP000001"], source="ENA") == []


def test_discovering_many_experiments_takes_few_statements(catalog: Catalog) -> None:
    with statements(catalog) as seen:
        assert len(catalog.ledger.discover([f"SRP{n}" for n in range(2000)], source="ENA")) == 2000
    assert len(seen) < 20


def test_20_000_experiments_are_discovered_in_few_statements(sqlite_catalog: Catalog) -> None:
    wanted = [f"GSE{n}" for n in range(20_000)]
    with statements(sqlite_catalog) as seen:
        assert sqlite_catalog.ledger.discover(wanted, source="geo") == wanted
    assert len(seen) <= 50
    with statements(sqlite_catalog) as again:
        assert sqlite_catalog.ledger.discover(wanted, source="geo") == []
    assert len(again) <= 50


def test_the_mirror_of_a_series_is_discovered_as_the_series(catalog: Catalog) -> None:
    assert catalog.ledger.discover(["E-GEOD-5", "GSE5", "E-MTAB-5"], source="array_express") == ["GSE5", "E-MTAB-5"]


def test_a_series_and_the_study_with_its_reads_are_both_discovered(catalog: Catalog) -> None:
    catalog.record_survey(study(aliases=("GSE5", "E-GEOD-5")), metadata_sha256="a" * 64)
    assert catalog.ledger.discover(["GSE5"], source="geo") == ["GSE5"]
    catalog.record_survey(study(aliases=("GSE5", "PRJNA5")), metadata_sha256="b" * 64)
    assert entry(catalog, "GSE5").state is SampleState.DISCOVERED


def test_every_change_is_kept_in_the_history(catalog: Catalog) -> None:
    for state in (SampleState.SURVEYED, SampleState.DOWNLOADED, SampleState.QUANTIFIED):
        catalog.ledger.set_states([change("SRR1", state, run_id="run-1", tool_versions={"salmon": "1.10.3"})])
    rows = catalog.ledger.history("SRR1")
    assert [row.state.value for row in rows] == ["surveyed", "downloaded", "quantified"]
    assert rows[2].message == "It is quantified."
    assert (rows[2].run_id, rows[2].tool_versions) == ("run-1", {"salmon": "1.10.3"})
    assert rows[2].at <= datetime.now(UTC)


def test_a_change_that_changes_nothing_leaves_no_trace(catalog: Catalog) -> None:
    first = change("SRR1", SampleState.QUANTIFIED, run_id="run-1", input_fingerprint="f", tool_versions={"a": "1"})
    catalog.ledger.set_states([first])
    before = entry(catalog, "SRR1")
    catalog.ledger.set_states([change("SRR1", SampleState.QUANTIFIED, run_id="run-2")])
    assert entry(catalog, "SRR1") == before
    assert history(catalog, "SRR1") == ["quantified"]


def test_attempts_are_counted(catalog: Catalog) -> None:
    failed = change("SRR1", SampleState.FAILED_PROCESSING, attempted=True, retryable=True)
    catalog.ledger.set_states([failed])
    catalog.ledger.set_states([failed])
    assert (entry(catalog, "SRR1").attempts, entry(catalog, "SRR1").retryable) == (2, True)
    assert len(catalog.ledger.history("SRR1")) == 2


def test_several_changes_of_one_accession_in_one_call_are_applied_in_order(catalog: Catalog) -> None:
    catalog.ledger.set_states(
        [change("SRR1", SampleState.DOWNLOADED), change("SRR1", SampleState.QUANTIFIED, input_fingerprint="f")]
    )
    assert entry(catalog, "SRR1").state is SampleState.QUANTIFIED
    assert history(catalog, "SRR1") == ["downloaded", "quantified"]


def test_progress_keeps_fingerprint_and_tools_and_starting_again_forgets_them(catalog: Catalog) -> None:
    catalog.ledger.set_states(
        [change("SRR1", SampleState.QUANTIFIED, input_fingerprint="f", tool_versions={"salmon": "1"})]
    )
    catalog.ledger.set_states([change("SRR1", SampleState.PROCESSED)])
    assert (entry(catalog, "SRR1").input_fingerprint, entry(catalog, "SRR1").tool_versions) == ("f", {"salmon": "1"})
    catalog.ledger.set_states([change("SRR1", SampleState.SURVEYED)])
    assert (entry(catalog, "SRR1").input_fingerprint, entry(catalog, "SRR1").tool_versions) == (None, {})


def test_reporting_progress_does_not_change_the_owner(catalog: Catalog) -> None:
    catalog.ledger.set_states([change("SRR1", SampleState.SURVEYED, "SRP1")])
    catalog.ledger.set_states([change("SRR1", SampleState.PROCESSED, "SRP2")])
    assert entry(catalog, "SRR1").experiment_accession == "SRP1"


def test_work_that_ends_after_a_withdrawal_does_not_undo_it(catalog: Catalog) -> None:
    catalog.ledger.set_states([change("SRR1", SampleState.WITHDRAWN_UPSTREAM)])
    late = change("SRR1", SampleState.QUANTIFIED, attempted=True, not_from=frozenset({SampleState.WITHDRAWN_UPSTREAM}))
    catalog.ledger.set_states([late])
    assert entry(catalog, "SRR1").state is SampleState.WITHDRAWN_UPSTREAM
    assert history(catalog, "SRR1") == ["withdrawn_upstream"]


def test_a_tools_words_with_characters_no_database_holds_are_stored(catalog: Catalog) -> None:
    catalog.ledger.set_states([change("SRR1", SampleState.FAILED_PROCESSING, message="died\0 \udcff")])
    assert entry(catalog, "SRR1").message == "died\N{REPLACEMENT CHARACTER} ?"


def test_unknown_accessions_are_absent(catalog: Catalog) -> None:
    assert catalog.ledger.entries(["SRR1"]) == {}
    assert catalog.ledger.history("SRR1") == []
    assert catalog.ledger.of_experiment("SRP1") == []
    assert catalog.ledger.counts("SRP1") == {}


def test_samples_known_to_the_ledger_alone_belong_to_their_experiment(catalog: Catalog) -> None:
    catalog.record_survey(study(samples=1), metadata_sha256="a" * 64)
    catalog.ledger.set_states([change("SRR0000009", SampleState.DISCOVERED)])
    assert [row.accession for row in catalog.ledger.of_experiment("SRP000001")] == ["SRR0000001", "SRR0000009"]
    assert catalog.ledger.counts("SRP000001") == {"discovered": 1, "surveyed": 1}


def test_counts_and_reasons_of_everything(catalog: Catalog) -> None:
    samples = [*study().samples, sample("SRR0000009", CONTROLLED)]
    catalog.record_survey(study(samples=samples), metadata_sha256="a" * 64)
    assert catalog.ledger.counts() == {"controlled_access": 1, "surveyed": 3}
    assert catalog.ledger.experiment_counts() == {"surveyed": 1}
    reasons = [(one.state.value, one.reason, one.count) for one in catalog.ledger.reasons(limit=5)]
    assert reasons == [("surveyed", "eligible", 3), ("controlled_access", "dbgap", 1)]


def test_experiments_to_quantify_are_those_longest_waiting(catalog: Catalog) -> None:
    for number in (3, 1, 2):
        run = sample(f"SRR000000{number}")
        catalog.record_survey(study(f"SRP00000{number}", samples=[run]), metadata_sha256="a" * 64)
    catalog.ledger.set_states([change("SRR0000001", SampleState.QUANTIFIED)])
    assert catalog.ledger.experiments_to_quantify(limit=9) == ["SRP000003", "SRP000002"]
    assert catalog.ledger.experiments_to_quantify(limit=1) == ["SRP000003"]
    assert catalog.ledger.experiments_in_state(SampleState.SURVEYED, limit=2) == ["SRP000003", "SRP000001"]


def test_a_sample_left_to_the_retry_loop_does_not_make_its_experiment_wait(catalog: Catalog) -> None:
    catalog.record_survey(study(samples=1), metadata_sha256="a" * 64)
    catalog.ledger.set_states([change("SRR0000001", SampleState.SURVEYED, retryable=True, attempted=True)])
    assert catalog.ledger.experiments_to_quantify(limit=9) == []
    assert [row.accession for row in catalog.ledger.retryable(max_attempts=5)] == ["SRR0000001"]


def test_experiments_to_import_have_quantified_samples_owned_or_shared(catalog: Catalog) -> None:
    catalog.record_survey(study("SRP000001", samples=2), metadata_sha256="a" * 64)
    catalog.record_survey(study("SRP000002", samples=1), metadata_sha256="a" * 64)
    catalog.record_survey(study("SRP000003", samples=[sample("SRR0000009")]), metadata_sha256="a" * 64)
    catalog.ledger.set_states([change("SRR0000001", SampleState.QUANTIFIED)])
    assert catalog.ledger.experiments_to_import(limit=9) == ["SRP000001", "SRP000002"]


def test_an_experiment_that_only_shares_a_waiting_sample_is_not_asked_to_quantify_it(catalog: Catalog) -> None:
    catalog.record_survey(study("SRP000001", samples=1), metadata_sha256="a" * 64)
    catalog.record_survey(study("SRP000002", samples=1), metadata_sha256="a" * 64)
    assert catalog.ledger.experiments_to_quantify(limit=9) == ["SRP000001"]


def test_retryable_entries_are_those_with_tries_left(catalog: Catalog) -> None:
    failed = {"retryable": True, "attempted": True}
    catalog.ledger.set_states([change("SRR1", SampleState.FAILED_PROCESSING, **failed)])
    catalog.ledger.set_states([change("SRR2", SampleState.FAILED_PROCESSING, **failed) for _ in range(3)])
    catalog.ledger.set_states([change("SRR3", SampleState.FAILED_QC, attempted=True)])
    assert [row.accession for row in catalog.ledger.retryable(max_attempts=3)] == ["SRR1"]


def test_the_version_of_an_experiment_grows_with_every_change_of_its_samples(catalog: Catalog) -> None:
    assert catalog.ledger.version_of_experiment("SRP000001") == 0
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    first = catalog.ledger.version_of_experiment("SRP000001")
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert catalog.ledger.version_of_experiment("SRP000001") == first
    catalog.ledger.set_states([change("SRR0000002", SampleState.QUANTIFIED)])
    assert catalog.ledger.version_of_experiment("SRP000001") > first


def test_a_thousand_changes_take_few_statements(catalog: Catalog) -> None:
    with statements(catalog) as seen:
        catalog.ledger.set_states([change(f"SRR{number}", SampleState.DOWNLOADED) for number in range(1000)])
    assert len(seen) < 12


@pytest.mark.parametrize("changes", [[]])
def test_no_changes_are_no_transaction(catalog: Catalog, changes: list[StateChange]) -> None:
    with statements(catalog) as seen:
        catalog.ledger.set_states(changes)
    assert seen == []


steps = st.lists(
    st.tuples(st.sampled_from(["SRR1", "SRR2", "SRR3"]), st.sampled_from(SampleState), st.booleans()), max_size=12
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, split=st.integers(0, 12))
def test_one_row_per_accession_and_its_history_ends_in_it(
    sqlite_catalog: Catalog, steps: list[tuple[str, SampleState, bool]], split: int
) -> None:
    changes = [change(accession, state, attempted=attempted) for accession, state, attempted in steps]
    sqlite_catalog.ledger.set_states(changes[:split])
    sqlite_catalog.ledger.set_states(changes[split:])
    last = {accession: state for accession, state, _ in steps}
    entries = sqlite_catalog.ledger.entries(list(last))
    assert {accession: row.state for accession, row in entries.items()} == last
    for accession, row in entries.items():
        assert sqlite_catalog.ledger.history(accession)[-1].state is row.state
