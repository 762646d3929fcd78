from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from refinebio_assets.domain.records import SurveyResult
from refinebio_assets.domain.vocabulary import LedgerKind, SampleState
from resources.catalog import Catalog
from resources.catalog.models import Experiment, ExperimentAlias, LedgerEntry
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import SUPERSEDED, array, sample, series, study


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.record_survey(study("SRP000001", samples=2), metadata_sha256="a" * 64)
    other = [sample("SRR0000002"), sample("SRR0000003", experiment_accession="SRX0000001")]
    catalog.record_survey(study("SRP000002", samples=other, aliases=("PRJNA000001",)), metadata_sha256="a" * 64)
    catalog.ledger.discover(["SRP000003"], source="ENA")
    return catalog


def test_answers_come_in_the_order_asked_one_for_each_query(filled: Catalog) -> None:
    queries = ["SRR0000001", "nonsense", "SRP000001", "SRP999999", "SRR0000001"]
    found = filled.resolve(queries)
    assert [one.query for one in found] == queries
    assert [one.outcome for one in found] == ["found", "unsupported", "found", "not_found", "found"]
    assert [one.type for one in found] == ["sra_run", None, "sra_study", "sra_study", "sra_run"]


def test_an_experiment_gives_its_samples_and_other_accessions(filled: Catalog) -> None:
    (found,) = filled.resolve(["SRP000001"])
    assert found.experiments == ["SRP000001"]
    assert found.samples == ["SRR0000001", "SRR0000002"]
    assert found.aliases == ["GSE000001", "PRJNA000001"]


@pytest.mark.parametrize("query", ["GSE000001", " gse000001 ", "srp000001"])
def test_any_alias_in_any_case_finds_the_experiment(filled: Catalog, query: str) -> None:
    (found,) = filled.resolve([query])
    assert (found.outcome, found.experiments) == ("found", ["SRP000001"])


@pytest.mark.parametrize("query", ["SRR0000002", "SRX0000002", "SRS0000002", "SAMN0000002"])
def test_any_accession_of_a_shared_sample_finds_it_and_both_experiments(filled: Catalog, query: str) -> None:
    (found,) = filled.resolve([query])
    assert (found.samples, found.experiments) == (["SRR0000002"], ["SRP000001", "SRP000002"])


def test_an_alias_of_two_experiments_is_ambiguous_and_names_both(filled: Catalog) -> None:
    (found,) = filled.resolve(["PRJNA000001"])
    assert (found.outcome, found.experiments) == ("ambiguous", ["SRP000001", "SRP000002"])
    assert found.samples == ["SRR0000001", "SRR0000002", "SRR0000003"]
    assert "SRP000001, SRP000002" in str(found.message)


def test_an_accession_of_several_runs_finds_them_all(filled: Catalog) -> None:
    (found,) = filled.resolve(["SRX0000001"])
    assert (found.outcome, found.samples) == ("found", ["SRR0000001", "SRR0000003"])


def test_a_discovered_experiment_is_found(filled: Catalog) -> None:
    (found,) = filled.resolve(["SRP000003"])
    assert (found.outcome, found.experiments, found.samples) == ("found", ["SRP000003"], [])


def test_an_accession_of_its_own_wins_over_an_alias(filled: Catalog) -> None:
    filled.record_survey(study("GSE000077", samples=0, aliases=()), metadata_sha256="a" * 64)
    filled.record_survey(study("GSE000078", samples=0, aliases=("GSE000077",)), metadata_sha256="a" * 64)
    (found,) = filled.resolve(["GSE000077"])
    assert (found.outcome, found.experiments) == ("found", ["GSE000077"])


def test_a_sample_whose_accession_follows_no_grammar_is_found_as_written(filled: Catalog) -> None:
    odd = sample("E-MTAB-1-Liver 5", files=())
    filled.record_survey(study("E-MTAB-1", samples=[odd], aliases=()), metadata_sha256="a" * 64)
    (found,) = filled.resolve(["E-MTAB-1-Liver 5"])
    assert (found.outcome, found.type, found.samples) == ("found", "sample", ["E-MTAB-1-Liver 5"])


def test_not_found_says_what_to_do(filled: Catalog) -> None:
    (found,) = filled.resolve(["srp999999"])
    assert found.message == "SRP999999 is not in the catalog. Survey it: refinebio survey SRP999999"


def test_statements_do_not_grow_with_queries(filled: Catalog) -> None:
    with statements(filled) as one:
        filled.resolve(["SRP000001"])
    with statements(filled) as many:
        filled.resolve([f"SRR{number:07d}" for number in range(200)])
    assert len(many) <= len(one) + 2


def test_no_queries_give_no_answers(filled: Catalog) -> None:
    assert filled.resolve([]) == []


def test_a_million_letters_are_unsupported(filled: Catalog) -> None:
    assert filled.resolve(["S" * 1_000_000])[0].outcome == "unsupported"


def test_unstorable_text_is_unsupported(filled: Catalog) -> None:
    assert [one.outcome for one in filled.resolve(["SRP\0", "\ud83d"])] == ["unsupported", "unsupported"]


def record(catalog: Catalog, *results: SurveyResult) -> None:
    for result in results:
        catalog.record_survey(result, metadata_sha256="a" * 64)


SEQUENCED = series("GSE5", [array("GSM51", SUPERSEDED, aliases=("SRX0000051",)), array("GSM52", SUPERSEDED)])


@pytest.mark.parametrize("query", ["GSE5", "E-GEOD-5", "gse5", " e-geod-5 "])
def test_a_superseded_series_is_itself_the_answer_until_its_study_is_surveyed(catalog: Catalog, query: str) -> None:
    record(catalog, SEQUENCED)
    catalog.ledger.discover(["SRP000005"], source="geo")
    (before,) = catalog.resolve([query])
    assert (before.outcome, before.experiments, before.superseded) == ("found", ["GSE5"], [])
    record(catalog, study("SRP000005", [sample("SRR0000051", aliases=("GSM51",))], aliases=("GSE5",)))
    (after,) = catalog.resolve([query])
    assert (after.outcome, after.experiments, after.superseded) == ("found", ["SRP000005"], ["GSE5"])
    assert after.samples == ["SRR0000051"]
    assert after.message == "GSE5 is processed from its reads: see SRP000005."


def test_a_superseded_series_leads_to_the_study_that_it_names_itself(catalog: Catalog) -> None:
    record(catalog, series("GSE6", [array("GSM6", SUPERSEDED)], aliases=("SRP000006", "PRJNA6")))
    record(catalog, study("SRP000006", [sample("SRR0000061")], aliases=("PRJNA6",)))
    assert [one.experiments for one in catalog.resolve(["GSE6", "SRP000006", "PRJNA6"])] == [["SRP000006"]] * 3


def test_a_study_that_only_a_series_names_is_not_taken_for_another(catalog: Catalog) -> None:
    record(catalog, series("GSE6", [array("GSM6")], aliases=("SRP000006",)))
    assert catalog.ledger.discover(["SRP000006"], source="geo") == ["SRP000006"]
    (found,) = catalog.resolve(["SRP000006"])
    assert (found.outcome, found.experiments, found.samples) == ("found", ["SRP000006"], [])


def test_a_series_with_two_studies_is_ambiguous(catalog: Catalog) -> None:
    studies = [study(f"SRP00000{n}", [sample(f"SRR000005{n}")], aliases=("GSE5",)) for n in (7, 8)]
    record(catalog, SEQUENCED, *studies)
    (found,) = catalog.resolve(["GSE5"])
    assert (found.outcome, found.experiments) == ("ambiguous", ["SRP000007", "SRP000008"])
    assert "GSE5 names 2 experiments: SRP000007, SRP000008" in str(found.message)


def test_a_series_with_arrays_stays_the_answer(catalog: Catalog) -> None:
    mixed = series("GSE5", [array("GSM51", SUPERSEDED), array("GSM53")])
    record(catalog, mixed, study("SRP000005", [sample("SRR0000051", aliases=("GSM51",))], aliases=("GSE5",)))
    assert catalog.resolve(["GSE5"])[0].experiments == ["GSE5"]


@pytest.mark.parametrize("aliases", [("GSM51",), ()], ids=["the run names the sample", "they share their library"])
def test_a_superseded_sample_leads_to_its_runs(catalog: Catalog, aliases: tuple[str, ...]) -> None:
    run = sample("SRR0000051", experiment_accession="SRX0000051", aliases=aliases)
    record(catalog, SEQUENCED)
    assert catalog.resolve(["GSM51"])[0].samples == ["GSM51"]
    record(catalog, study("SRP000005", [run], aliases=()))
    for query in ("GSM51", "SRX0000051", "SRR0000051"):
        (found,) = catalog.resolve([query])
        assert (found.outcome, found.samples, found.experiments) == ("found", ["SRR0000051"], ["SRP000005"])


def test_a_mirror_is_found_when_only_the_series_is_an_alias(catalog: Catalog) -> None:
    record(catalog, study("SRP000005", [sample("SRR0000051")], aliases=("GSE5",)))
    record(catalog, study("SRP000006", [sample("SRR0000061")], aliases=("E-GEOD-6",)))
    assert [one.experiments for one in catalog.resolve(["E-GEOD-5", "GSE6"])] == [["SRP000005"], ["SRP000006"]]


@pytest.mark.parametrize(
    ("query", "instead"), [("GPL570", "GSE…"), ("gds10", "GSE…"), ("A-AFFY-44", "E-…"), ("SRA000123", "SRP…")]
)
def test_what_names_no_experiment_is_unsupported_and_says_what_to_give(
    sqlite_catalog: Catalog, query: str, instead: str
) -> None:
    (found,) = sqlite_catalog.resolve([query])
    assert found.outcome == "unsupported"
    assert instead in str(found.message)


def test_own_experiments_are_found_also_when_superseded(catalog: Catalog) -> None:
    record(catalog, SEQUENCED, study("SRP000005", [sample("SRR0000051")], aliases=("GSE5",)))
    catalog.ledger.discover(["GSE9"], source="geo")
    assert catalog.own_experiments(["e-geod-5", "SRP000005", "GSE9", "GSM51", "GSE404", "x"]) == {
        "e-geod-5": "GSE5",
        "SRP000005": "SRP000005",
        "GSE9": "GSE9",
    }


def test_samples_can_be_left_out(filled: Catalog) -> None:
    run, project = filled.resolve(["SRR0000001", "SRP000001"], samples=False)
    assert (run.samples, project.samples) == (["SRR0000001"], [])


def test_a_list_of_39_000_takes_a_bounded_number_of_statements(sqlite_catalog: Catalog) -> None:
    known = [{"accession": f"GSE{n}", "source": "GEO", "title": "", "technology": "MICROARRAY"} for n in range(10_000)]
    with sqlite_catalog.session() as session:
        session.execute(insert(Experiment), known)
    queries = [f"{prefix}{n}" for n in range(13_000) for prefix in ("GSE", "E-GEOD-", "SRP00000")]
    with statements(sqlite_catalog) as seen:
        found = sqlite_catalog.resolve(queries)
    assert [one.query for one in found] == queries
    assert sum(one.outcome == "found" for one in found) == 20_000
    assert len(seen) <= 40


POOL = [f"{prefix}{n}" for n in range(1, 4) for prefix in ("GSE", "E-GEOD-", "E-MTAB-", "SRP00000", "PRJNA")]
RECORDS = st.dictionaries(
    st.sampled_from([one for one in POOL if not one.startswith(("PRJ", "E-GEOD"))]),
    st.tuples(
        st.sampled_from([SampleState.SURVEYED, SampleState.PROCESSED, SampleState.SUPERSEDED]),
        st.sets(st.sampled_from(POOL), max_size=3),
    ),
    max_size=6,
)


def fill(catalog: Catalog, records: dict[str, tuple[SampleState, set[str]]]) -> None:
    with catalog.session() as session:
        for model in (ExperimentAlias, Experiment, LedgerEntry):
            session.execute(delete(model))
        for number, (accession, (state, aliases)) in enumerate(records.items(), start=1):
            session.add(Experiment(id=number, accession=accession, source="SRA", title="", technology="RNA_SEQ"))
            entry = LedgerEntry(accession=accession, kind=LedgerKind.EXPERIMENT, state=state, reason="", message="")
            session.add(entry)
            session.flush()
            session.add_all(ExperimentAlias(experiment_id=number, alias=one) for one in aliases - {accession})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RECORDS, st.lists(st.sampled_from([*POOL, *map(str.lower, POOL), "nonsense"]), max_size=12))
def test_resolving_prefers_where_the_data_is(
    sqlite_catalog: Catalog, records: dict[str, tuple[SampleState, set[str]]], queries: list[str]
) -> None:
    fill(sqlite_catalog, records)
    found = sqlite_catalog.resolve(queries)
    assert [one.query for one in found] == queries
    assert found == [sqlite_catalog.resolve([query])[0] for query in queries]
    superseded = {accession for accession, (state, _) in records.items() if state is SampleState.SUPERSEDED}
    for one in found:
        name = one.query.upper()
        assert sorted(one.experiments) == one.experiments
        assert (one.outcome == "ambiguous") == (len(one.experiments) > 1)
        if name in records and name not in superseded:
            assert one.experiments == [name]
        carriers = {accession for accession, (_, aliases) in records.items() if name in aliases}
        if carriers - superseded - {name}:
            assert superseded.isdisjoint(one.experiments)
        assert bool(one.experiments) or (name not in records and not carriers)
    mirrors = sqlite_catalog.resolve(["GSE1", "E-GEOD-1"])
    assert mirrors[0].experiments == mirrors[1].experiments
