from __future__ import annotations

import pytest

from resources.catalog import Catalog
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import sample, study


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
