"""Figures over the whole catalog, from indices and in one statement each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog import Catalog, UnsupportedPlatform
from tests.resources.catalog.studies import array, sample, series, study

UNSUPPORTED = LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason="platform", message="Not supported.")


def test_platforms_with_most_samples_come_first_and_shared_samples_count_once(catalog: Catalog) -> None:
    rare = array("GSM1", UNSUPPORTED, platform_accession="GPL2", platform_name="Rare")
    common = [array(f"GSM{n}", UNSUPPORTED, platform_accession="GPL1", platform_name="Common") for n in (2, 3)]
    nameless = array("GSM4", UNSUPPORTED, platform_accession=None, platform_name=None)
    for result in (series("GSE1", [rare, *common, nameless]), series("GSE2", common)):
        catalog.record_survey(result, metadata_sha256="a" * 64)
    found = catalog.summary.unsupported_platforms(limit=9)
    first = UnsupportedPlatform(accession="GPL1", name="Common", technology="MICROARRAY", samples=2, experiments=2)
    assert found[0] == first
    assert {(one.accession, one.samples, one.experiments) for one in found[1:]} == {("GPL2", 1, 1), (None, 1, 1)}
    assert catalog.summary.unsupported_platforms(limit=1) == [first]


def test_a_discovered_experiment_counts_for_the_archive_of_its_accession(catalog: Catalog) -> None:
    catalog.ledger.discover(["GSE1", "E-MTAB-1", "SRP000001"], source="list")
    found = {one.source: one.experiments for one in catalog.summary.states_by_source()}
    assert found == {source: {SampleState.DISCOVERED: 1} for source in set(SourceArchive) - {SourceArchive.LOCAL}}


def test_an_empty_catalog_has_no_figures(catalog: Catalog) -> None:
    assert catalog.summary.states_by_source() == []
    assert catalog.summary.unsupported_platforms(limit=9) == []
    assert catalog.summary.coverage_by_source() == {}
    assert catalog.summary.coverage_of_experiment("SRP000001") is None


def test_unmatched_keys_are_summed_over_experiments_and_the_most_frequent_kept(catalog: Catalog) -> None:
    for number in (1, 2):
        runs = [sample(f"SRR000000{number}")]
        catalog.record_survey(study(f"SRP00000{number}", runs), metadata_sha256="a" * 64)
    (coverage,) = catalog.summary.coverage_by_source().values()
    assert [(one.key, one.samples) for one in coverage.unmatched] == [("strain", 4)]
    assert catalog.summary.coverage_by_source(limit=0)[SourceArchive.SRA].unmatched == ()


def test_an_experiment_without_samples_has_a_share_of_nothing(catalog: Catalog) -> None:
    catalog.record_survey(study(samples=0), metadata_sha256="a" * 64)
    coverage = catalog.summary.coverage_of_experiment("SRP000001")
    assert coverage is not None
    assert (coverage.samples, coverage.fields) == (0, ())


def test_states_and_coverage_are_counted_from_indices_alone(sqlite_catalog: Catalog) -> None:
    sqlite_catalog.record_survey(study(), metadata_sha256="a" * 64)
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    event.listen(sqlite_catalog.engine, "before_cursor_execute", note)
    sqlite_catalog.summary.states_by_source()
    sqlite_catalog.summary.coverage_by_source()
    event.remove(sqlite_catalog.engine, "before_cursor_execute", note)
    assert len(sent) == 4
    with sqlite_catalog.engine.connect() as connection:
        plans = [
            row.detail
            for statement, parameters in sent[:3]
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    tables = ("ledger", "samples", "sample_harmonized_values")
    read = [plan for plan in plans if any(f" {table} " in plan for table in tables)]
    assert len(read) >= 4
    assert all("COVERING INDEX" in plan for plan in read)
