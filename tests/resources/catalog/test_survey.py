from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text

from refinebio_assets.domain.records import HarmonizedValue, SurveyedSample, SurveyResult
from refinebio_assets.domain.vocabulary import LedgerKind, SampleState
from resources.catalog import Catalog, SurveyOutcome
from resources.catalog.models import Base, Experiment, Organism, OriginalFile, Sample, SampleHarmonizedValue
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import CONTROLLED, SURVEYED, change, fastq, sample, study


def record(catalog: Catalog, result: SurveyResult, sha: str = "a" * 64, run_id: str | None = "run-1") -> SurveyOutcome:
    return catalog.record_survey(result, metadata_sha256=sha, run_id=run_id)


def snapshot(catalog: Catalog) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, but for the moment an experiment was last looked at."""
    with catalog.reading() as session:
        found = {
            table.name: sorted((tuple(row) for row in session.execute(table.select())), key=repr)
            for table in Base.metadata.sorted_tables
        }
    notes = found["catalog_properties"]
    found["catalog_properties"] = [(name, "a time" if name.startswith("surveyed:") else note) for name, note in notes]
    return found


def state(catalog: Catalog, accession: str) -> str:
    return catalog.ledger.entries([accession])[accession].state.value


def with_record(surveyed: SurveyedSample, **changes: Any) -> SurveyedSample:
    return replace(surveyed, record=replace(surveyed.record, **changes))


def test_a_survey_records_experiment_samples_files_and_ledger(catalog: Catalog) -> None:
    outcome = record(catalog, study(samples=[sample("SRR0000001"), sample("SRR0000002", CONTROLLED)]))
    assert outcome == SurveyOutcome(
        experiment="SRP000001",
        new=2,
        updated=0,
        unchanged=0,
        states={"controlled_access": 1, "surveyed": 1},
        aliases=("GSE000001", "PRJNA000001"),
    )
    entry = catalog.ledger.entries(["SRR0000002"])["SRR0000002"]
    assert (entry.kind, entry.experiment_accession, entry.reason, entry.run_id) == (
        LedgerKind.SAMPLE,
        "SRP000001",
        "dbgap",
        "run-1",
    )
    assert state(catalog, "SRP000001") == "surveyed"
    assert catalog.ledger_is_complete("SRP000001") == (2, 2)
    (to_do,) = catalog.samples_to_quantify("SRP000001")
    assert (to_do.accession, to_do.organism, to_do.library_layout) == ("SRR0000001", "DANIO_RERIO", "SINGLE")
    assert to_do.files == (fastq("SRR0000001"),)


def test_recording_the_same_survey_twice_changes_nothing(catalog: Catalog) -> None:
    record(catalog, study())
    before = snapshot(catalog)
    outcome = record(catalog, study(), run_id="run-2")
    assert (outcome.new, outcome.updated, outcome.unchanged) == (0, 0, 3)
    assert snapshot(catalog) == before


def test_a_changed_title_updates_only_that_sample(catalog: Catalog) -> None:
    record(catalog, study())
    before = snapshot(catalog)
    changed = [with_record(one, title="renamed") if n == 1 else one for n, one in enumerate(study().samples)]
    outcome = record(catalog, study(samples=changed))
    assert (outcome.new, outcome.updated, outcome.unchanged) == (0, 1, 2)
    after = snapshot(catalog)
    assert [row[1] for row in after["samples"] if row not in before["samples"]] == ["SRR0000002"]
    assert after["ledger"] == before["ledger"]
    assert after["experiments"] == before["experiments"]


def test_changed_aliases_and_harmonised_values_replace_the_old_ones(catalog: Catalog) -> None:
    record(catalog, study(samples=1))
    new_value = HarmonizedValue(field="sex", value="male", raw_key="Sex", raw_value="M", rule="synonym:sex")
    changed = with_record(study(samples=1).samples[0], harmonized=(new_value,), experiment_accession="SRX42;SRX43")
    assert record(catalog, study(samples=[changed])).updated == 1
    (found,) = catalog.resolve(["SRR0000001"])
    assert found.aliases == ["SAMN0000001", "SRS0000001", "SRX42", "SRX43"]
    with catalog.reading() as session:
        values = session.execute(select(SampleHarmonizedValue.field, SampleHarmonizedValue.value)).all()
    assert [tuple(row) for row in values] == [("sex", "male")]


def test_changed_experiment_metadata_is_updated(catalog: Catalog) -> None:
    record(catalog, study())
    record(catalog, study(title="Warm larvae", aliases=("PRJNA000001",)), sha="b" * 64)
    with catalog.reading() as session:
        row = session.scalars(select(Experiment)).one()
        assert (row.title, row.metadata_sha256, row.coverage) == ("Warm larvae", "b" * 64, {"strain": 2})
    assert [found.outcome for found in catalog.resolve(["PRJNA000001", "GSE000001"])] == ["found", "not_found"]


@pytest.mark.parametrize(
    "reached",
    [
        SampleState.DOWNLOADED,
        SampleState.QUANTIFIED,
        SampleState.PROCESSED,
        SampleState.FAILED_QC,
        SampleState.CORRUPT_FILE,
        SampleState.FAILED_PROCESSING,
    ],
)
def test_a_sample_that_is_further_along_keeps_its_state(sqlite_catalog: Catalog, reached: SampleState) -> None:
    record(sqlite_catalog, study())
    sqlite_catalog.ledger.set_states([change("SRR0000001", reached, input_fingerprint="f" * 64)])
    before = snapshot(sqlite_catalog)["ledger"]
    outcome = record(sqlite_catalog, study())
    assert outcome.states == {reached.value: 1, "surveyed": 2}
    samples = [row for row in snapshot(sqlite_catalog)["ledger"] if row[1] == "sample"]
    assert samples == [row for row in before if row[1] == "sample"]


def test_a_processed_sample_that_the_survey_rules_out_becomes_ineligible(catalog: Catalog) -> None:
    record(catalog, study())
    catalog.ledger.set_states([change("SRR0000001", SampleState.PROCESSED, input_fingerprint="f" * 64)])
    record(catalog, study(samples=[sample("SRR0000001", CONTROLLED), *study().samples[1:]]))
    entry = catalog.ledger.entries(["SRR0000001"])["SRR0000001"]
    assert (entry.state, entry.input_fingerprint) == (SampleState.CONTROLLED_ACCESS, None)


@pytest.mark.parametrize("changes", [{"md5": "1" * 32}, {"size_bytes": 7}, {"url": "https://other/x.fastq.gz"}])
def test_a_processed_sample_with_other_files_starts_again(catalog: Catalog, changes: dict[str, Any]) -> None:
    record(catalog, study())
    catalog.ledger.set_states([change("SRR0000001", SampleState.PROCESSED, attempted=True)])
    other = with_record(study().samples[0], files=(replace(fastq("SRR0000001"), **changes),))
    record(catalog, study(samples=[other, *study().samples[1:]]))
    entry = catalog.ledger.entries(["SRR0000001"])["SRR0000001"]
    assert (entry.state, entry.attempts) == (SampleState.SURVEYED, 0)
    with catalog.reading() as session:
        assert len(session.scalars(select(OriginalFile)).all()) == 3


def test_a_sample_that_is_not_listed_any_more_is_withdrawn_and_stays(catalog: Catalog) -> None:
    record(catalog, study(samples=3))
    outcome = record(catalog, study(samples=2))
    assert outcome.states == {"surveyed": 2, "withdrawn_upstream": 1}
    assert catalog.ledger_is_complete("SRP000001") == (3, 3)
    assert [one.accession for one in catalog.samples_to_quantify("SRP000001")] == ["SRR0000001", "SRR0000002"]
    before = snapshot(catalog)
    record(catalog, study(samples=2))
    assert snapshot(catalog) == before


def test_a_withdrawn_sample_that_comes_back_is_surveyed_again(catalog: Catalog) -> None:
    for number in (2, 1, 2):
        record(catalog, study(samples=number))
    assert state(catalog, "SRR0000002") == "surveyed"
    assert [row.state.value for row in catalog.ledger.history("SRR0000002")] == [
        "surveyed",
        "withdrawn_upstream",
        "surveyed",
    ]


def test_a_shared_sample_keeps_its_owner_and_its_one_ledger_row(catalog: Catalog) -> None:
    record(catalog, study("SRP000001", samples=2))
    outcome = record(catalog, study("SRP000002", samples=[sample("SRR0000002"), sample("SRR0000009")]))
    assert (outcome.new, outcome.unchanged) == (1, 1)
    assert catalog.ledger.entries(["SRR0000002"])["SRR0000002"].experiment_accession == "SRP000001"
    assert [one.accession for one in catalog.samples_to_quantify("SRP000002")] == ["SRR0000009"]
    assert [one.sample for one in catalog.quant_files("SRP000002")] == ["SRR0000002", "SRR0000009"]
    assert [row.accession for row in catalog.ledger.of_experiment("SRP000002")] == ["SRR0000002", "SRR0000009"]
    assert catalog.ledger.counts("SRP000002") == {"surveyed": 2}
    assert catalog.ledger.counts() == {"surveyed": 3}
    assert catalog.ledger_is_complete("SRP000002") == (2, 2)


def test_a_shared_sample_that_leaves_its_owner_is_handed_over(catalog: Catalog) -> None:
    record(catalog, study("SRP000001", samples=2))
    record(catalog, study("SRP000002", samples=[sample("SRR0000002")]))
    catalog.ledger.set_states([change("SRR0000002", SampleState.QUANTIFIED)])
    record(catalog, study("SRP000001", samples=1))
    entry = catalog.ledger.entries(["SRR0000002"])["SRR0000002"]
    assert (entry.experiment_accession, entry.state) == ("SRP000002", SampleState.QUANTIFIED)
    assert [row.accession for row in catalog.ledger.of_experiment("SRP000001")] == ["SRR0000001"]
    assert [one.accession for one in catalog.samples_to_quantify("SRP000002")] == ["SRR0000002"]


def test_a_shared_sample_that_leaves_the_other_experiment_is_only_unlinked(catalog: Catalog) -> None:
    record(catalog, study("SRP000001", samples=2))
    record(catalog, study("SRP000002", samples=[sample("SRR0000002"), sample("SRR0000009")]))
    record(catalog, study("SRP000002", samples=[sample("SRR0000009")]))
    assert state(catalog, "SRR0000002") == "surveyed"
    assert catalog.ledger.counts("SRP000002") == {"surveyed": 1}


def test_an_experiment_discovered_under_another_accession_is_superseded(catalog: Catalog) -> None:
    catalog.ledger.discover(["PRJNA000001", "SRP000001"], source="ENA")
    record(catalog, study())
    entry = catalog.ledger.entries(["PRJNA000001"])["PRJNA000001"]
    assert entry.state is SampleState.SUPERSEDED
    assert entry.message == "This is another accession of SRP000001."
    assert catalog.ledger.experiments_in_state(SampleState.DISCOVERED, limit=9) == []


def test_a_sample_listed_twice_is_refused_and_nothing_is_stored(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="SRR0000001"):
        record(catalog, study(samples=[sample("SRR0000001"), sample("SRR0000001")]))
    assert not catalog.has_experiments()


def test_an_organism_under_a_new_name_keeps_its_row(catalog: Catalog) -> None:
    record(catalog, study(samples=[sample("SRR0000001", organism="BRACHYDANIO_RERIO")]))
    record(catalog, study(samples=[sample("SRR0000001"), sample("SRR0000002", taxonomy_id=None)]))
    assert catalog.experiment_organisms("SRP000001") == ["BRACHYDANIO_RERIO", "DANIO_RERIO"]
    with catalog.reading() as session:
        rows = {row.name: row.taxonomy_id for row in session.scalars(select(Organism))}
    assert rows == {"BRACHYDANIO_RERIO": 7955, "DANIO_RERIO": None}


def test_one_taxonomy_id_under_two_names_in_one_survey_is_one_organism(catalog: Catalog) -> None:
    samples = [sample("SRR0000001", organism="A_B", taxonomy_id=5), sample("SRR0000002", organism="A_C", taxonomy_id=5)]
    record(catalog, study(samples=samples))
    assert catalog.experiment_organisms("SRP000001") == ["A_B"]


def test_an_organism_learns_its_taxonomy_id_later(catalog: Catalog) -> None:
    record(catalog, study(samples=[sample("SRR0000001", taxonomy_id=None)]))
    record(catalog, study(samples=[sample("SRR0000001")]))
    with catalog.reading() as session:
        assert session.scalars(select(Organism.taxonomy_id)).all() == [7955]


def test_a_sample_without_organism_and_platform_is_kept(catalog: Catalog) -> None:
    bare = sample("SRR0000001", organism=None, taxonomy_id=None, platform_accession=None, files=(), harmonized=())
    record(catalog, study(samples=[bare]))
    (to_do,) = catalog.samples_to_quantify("SRP000001")
    assert (to_do.organism, to_do.files) == (None, ())


def test_overlong_and_unstorable_values_do_not_stop_a_survey(catalog: Catalog) -> None:
    protocol = "Larvae were kept at 28 °C. " * 2000
    odd = sample(
        "SRR0000001",
        title="nul\0 and half a pair \ud83d",
        library_selection="size fractionation " * 50,
        manufacturer="x" * 3000,
        harmonized=(
            HarmonizedValue(field="treatment", value=protocol, raw_key="k" * 999, raw_value=protocol, rule="text"),
        ),
        annotations={"odd": "nul\0 and half a pair \ud83d"},
    )
    record(catalog, study(samples=[odd], description=protocol, publication_doi="10.1/" + "9" * 500))
    assert catalog.titles(["SRR0000001"])["SRR0000001"] == "nul\N{REPLACEMENT CHARACTER} and half a pair ?"
    before = snapshot(catalog)
    assert record(catalog, study(samples=[odd], description=protocol, publication_doi="10.1/" + "9" * 500)).updated == 0
    assert snapshot(catalog)["samples"] == before["samples"]


def test_long_harmonised_values_are_found_by_their_indexed_prefix(catalog: Catalog) -> None:
    record(catalog, study(samples=1))
    with catalog.reading() as session:
        prefixes = session.scalars(select(SampleHarmonizedValue.value_prefix)).all()
    assert sorted(prefixes) == ["5", "female"]


def test_samples_that_share_a_file_are_unchanged_by_the_same_survey(catalog: Catalog) -> None:
    shared = fastq("SRR0000001")
    samples = [sample("SRR0000001", files=(shared,)), sample("SRR0000002", files=(replace(shared, size_bytes=5),))]
    record(catalog, study(samples=samples))
    assert record(catalog, study(samples=samples)).unchanged == 2


def test_a_thousand_samples_take_a_bounded_number_of_statements(catalog: Catalog) -> None:
    result = study(samples=1000)
    with statements(catalog) as first:
        record(catalog, result)
    with statements(catalog) as second:
        record(catalog, result)
    assert len(first) < 120
    assert len(second) < 60
    with statements(catalog) as reading:
        assert len(catalog.samples_to_quantify("SRP000001")) == 1000
    assert len(reading) < 12
    assert catalog.ledger_is_complete("SRP000001") == (1000, 1000)


def test_a_sample_update_moves_its_time(catalog: Catalog) -> None:
    record(catalog, study(samples=1))
    with catalog.session() as session:
        session.execute(text("UPDATE samples SET updated_at = created_at"))
    record(catalog, study(samples=[sample("SRR0000001", title="other")]))
    with catalog.reading() as session:
        row = session.scalars(select(Sample)).one()
        assert row.updated_at > row.created_at


def test_the_experiment_message_counts_its_samples(catalog: Catalog) -> None:
    record(catalog, study(samples=[sample("SRR0000001", SURVEYED), sample("SRR0000002", CONTROLLED)]))
    message = catalog.ledger.entries(["SRP000001"])["SRP000001"].message
    assert message == "0 of 1 eligible samples quantified; 1 under controlled access."


def test_a_sample_that_moved_to_an_experiment_surveyed_later_leaves_its_first_one(catalog: Catalog) -> None:
    record(catalog, study("SRP000001", samples=2))
    record(catalog, study("SRP000001", samples=1))
    assert state(catalog, "SRR0000002") == "withdrawn_upstream"
    record(catalog, study("SRP000002", samples=[sample("SRR0000002")]))
    entry = catalog.ledger.entries(["SRR0000002"])["SRR0000002"]
    assert (entry.experiment_accession, entry.state) == ("SRP000002", SampleState.SURVEYED)
    assert [one.accession for one in catalog.samples_to_quantify("SRP000002")] == ["SRR0000002"]
    assert [one.sample for one in catalog.quant_files("SRP000001")] == ["SRR0000001"]
    assert [row.accession for row in catalog.ledger.of_experiment("SRP000001")] == ["SRR0000001"]


@pytest.mark.parametrize(
    "correction", [{"organism": "MUS_MUSCULUS", "taxonomy_id": 10090}, {"library_layout": "PAIRED"}]
)
def test_a_sample_whose_organism_or_layout_is_corrected_starts_again(
    catalog: Catalog, correction: dict[str, Any]
) -> None:
    record(catalog, study(samples=2))
    catalog.ledger.set_states([change(run, SampleState.PROCESSED) for run in ("SRR0000001", "SRR0000002")])
    record(catalog, study(samples=[sample("SRR0000001"), sample("SRR0000002", **correction)]))
    assert (state(catalog, "SRR0000001"), state(catalog, "SRR0000002")) == ("processed", "surveyed")
