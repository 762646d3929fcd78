"""Forgetting an experiment: only what no other has goes, and surveying it again brings the same back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.vocabulary import ComputedFileKind, SampleState
from resources.catalog import Catalog, FileToRecord
from resources.catalog.models import (
    Base,
    ComputedFile,
    Dataset,
    Experiment,
    ExperimentSample,
    LedgerEntry,
    LedgerHistory,
    OriginalFile,
    Sample,
)
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import (
    SUPERSEDED,
    array,
    change,
    fastq,
    quant_file,
    quantification,
    sample,
    series,
    study,
)

STAY = {"organisms", "platforms", "processors", "alembic_version"}
"""Tables of words that other experiments will use too."""
TIMES_AND_KEYS = {"id", "created_at", "updated_at", "at", "owner_experiment_id", "experiment_id", "sample_id"}


def record(catalog: Catalog, *results: Any) -> None:
    for result in results:
        catalog.record_survey(result, metadata_sha256="a" * 64)


def rows(catalog: Catalog) -> dict[str, list[Any]]:
    """All rows by table."""
    with catalog.reading() as session:
        return {
            table.name: [dict(row._mapping) for row in session.execute(select(table))]
            for table in Base.metadata.sorted_tables
            if table.name not in STAY
        }


def content(catalog: Catalog) -> dict[str, list[str]]:
    """All rows by table, without keys and times."""
    return {
        name: sorted(str({key: value for key, value in row.items() if key not in TIMES_AND_KEYS}) for row in found)
        for name, found in rows(catalog).items()
        if name not in {"original_file_samples", "experiment_samples", "catalog_properties"}
    }


def quantify(catalog: Catalog, run: str, experiment: str) -> None:
    file = quant_file(run, experiment=experiment)
    catalog.record_result(quantification(file, fingerprint=f"f-{run}"))
    catalog.ledger.set_states([change(run, SampleState.QUANTIFIED, experiment)])


def test_nothing_of_an_experiment_without_shared_samples_is_left(catalog: Catalog) -> None:
    catalog.ledger.discover(["PRJNA000001"], source="ENA")
    record(catalog, study("SRP000001"))
    quantify(catalog, "SRR0000001", "SRP000001")
    matrix = FileToRecord(
        key="rna_seq_expression/SRP000001/SRP000001.h5ad",
        filename="SRP000001.h5ad",
        kind=ComputedFileKind.EXPRESSION_ANNDATA,
        size_bytes=1,
        sha256="b" * 64,
        experiment="SRP000001",
    )
    catalog.record_result(quantification(matrix, fingerprint="f-matrix"))
    planned = catalog.plan_removal("SRP000001")
    before = content(catalog)
    removed = catalog.remove_experiment("SRP000001")
    assert removed == planned
    assert before != content(catalog)
    assert removed.samples == ("SRR0000001", "SRR0000002", "SRR0000003")
    assert removed.ledger == ("PRJNA000001", "SRP000001", *removed.samples)
    assert removed.files == ("quant_files/SRP000001/SRR0000001/quant.sf.gz", matrix.key)
    assert (removed.results, removed.original_files, removed.shared) == (2, 3, {})
    assert {name: found for name, found in rows(catalog).items() if found} == {}


def test_plans_of_several_foretell_what_goes_and_who_owns_what_stays(catalog: Catalog) -> None:
    names = [f"SRP00000{number}" for number in range(1, 5)]
    runs = {
        "SRP000001": ["SRR0000001", "SRR0000002", "SRR0000003"],
        "SRP000002": ["SRR0000002", "SRR0000003"],
        "SRP000003": ["SRR0000003"],
        "SRP000004": ["SRR0000002", "SRR0000003", "SRR0000004"],
    }
    record(catalog, *(study(name, [sample(run) for run in runs[name]]) for name in names))
    order = ["SRP000001", "SRP000004", "SRP000002"]
    plans = [catalog.plan_removal(name, after=order[:place]) for place, name in enumerate(order)]
    assert plans[1].shared == {"SRR0000002": "SRP000002", "SRR0000003": "SRP000002"}
    assert (plans[2].samples, plans[2].shared) == (("SRR0000002",), {"SRR0000003": "SRP000003"})
    assert [catalog.remove_experiment(name) for name in order] == plans


def test_a_plan_changes_nothing(catalog: Catalog) -> None:
    record(catalog, study("SRP000001"))
    before = rows(catalog)
    catalog.plan_removal("SRP000001")
    assert rows(catalog) == before


def test_surveying_again_gives_the_same_records(catalog: Catalog) -> None:
    record(catalog, study("SRP000001"))
    before = content(catalog)
    catalog.remove_experiment("SRP000001")
    record(catalog, study("SRP000001"))
    assert content(catalog) == before


def test_shared_samples_stay_with_their_results_and_get_another_owner(catalog: Catalog) -> None:
    shared = sample("SRR0000002", files=(fastq("SRR0000002"), fastq("both")))
    record(catalog, study("SRP000001", [sample("SRR0000001", files=(fastq("both"), fastq("SRR0000001"))), shared]))
    record(catalog, study("SRP000002", [shared, sample("SRR0000003")]))
    for run in ("SRR0000001", "SRR0000002"):
        quantify(catalog, run, "SRP000001")
    removed = catalog.remove_experiment("SRP000001")
    assert (removed.samples, removed.shared) == (("SRR0000001",), {"SRR0000002": "SRP000002"})
    assert removed.files == ("quant_files/SRP000001/SRR0000001/quant.sf.gz",)
    assert removed.original_files == 1
    with catalog.reading() as session:
        urls = {url.rpartition("/")[2] for url in session.scalars(select(OriginalFile.url))}
    assert urls == {"SRR0000002.fastq.gz", "both.fastq.gz", "SRR0000003.fastq.gz"}
    entry = catalog.ledger.entries(["SRR0000002"])["SRR0000002"]
    assert (entry.experiment_accession, entry.state) == ("SRP000002", SampleState.QUANTIFIED)
    assert [one.accession for one in catalog.samples_to_quantify("SRP000002")] == ["SRR0000002", "SRR0000003"]
    (kept,) = [info for info in catalog.quant_files("SRP000002") if info.sample == "SRR0000002"]
    assert kept.key == "quant_files/SRP000001/SRR0000002/quant.sf.gz"
    assert catalog.recorded_keys([kept.key, *removed.files]) == {kept.key}
    assert catalog.resolve(["SRP000001"])[0].outcome == "not_found"


def test_samples_that_another_experiment_owns_are_only_unlinked(catalog: Catalog) -> None:
    record(catalog, study("SRP000001", samples=2), study("SRP000002", samples=2))
    before = catalog.ledger.entries(["SRR0000001", "SRR0000002"])
    removed = catalog.remove_experiment("SRP000002")
    assert (removed.samples, set(removed.shared.values())) == ((), {"SRP000001"})
    assert catalog.ledger.entries(["SRR0000001", "SRR0000002"]) == before
    with catalog.reading() as session:
        assert len(session.execute(select(ExperimentSample.sample_id)).all()) == 2


def test_a_superseries_and_its_subseries_can_go_in_any_order(catalog: Catalog) -> None:
    parts = [array("GSM1"), array("GSM2")]
    record(catalog, series("GSE10", parts), series("GSE11", parts[:1]), series("GSE12", parts[1:]))
    assert catalog.remove_experiment("GSE10").shared == {"GSM1": "GSE11", "GSM2": "GSE12"}
    assert catalog.remove_experiment("GSE12").samples == ("GSM2",)
    record(catalog, series("GSE10", parts))
    assert catalog.ledger_is_complete("GSE10") == (2, 2)
    assert catalog.remove_experiment("GSE11").shared == {"GSM1": "GSE10"}
    assert catalog.remove_experiment("GSE10").samples == ("GSM1", "GSM2")


def test_linked_studies_are_named_and_stay(catalog: Catalog) -> None:
    record(catalog, series("GSE5", [array("GSM51", SUPERSEDED)], aliases=("SRP000005",)))
    record(catalog, study("SRP000005", [sample("SRR0000051", aliases=("GSM51",))], aliases=("GSE5",)))
    assert catalog.remove_experiment("GSE5").linked_studies == ("SRP000005",)
    assert catalog.resolve(["GSE5"])[0].experiments == ["SRP000005"]


def test_a_discovered_experiment_is_forgotten_too(catalog: Catalog) -> None:
    catalog.ledger.discover(["SRP000009"], source="ENA")
    removed = catalog.remove_experiment("SRP000009")
    assert (removed.title, removed.ledger, removed.history) == (None, ("SRP000009",), 1)
    assert catalog.ledger.discover(["SRP000009"], source="ENA") == ["SRP000009"]


def test_samples_that_only_the_ledger_knows_go_along(catalog: Catalog) -> None:
    record(catalog, study("SRP000001", samples=1))
    catalog.ledger.set_states([change("SRR0000077", SampleState.WITHDRAWN_UPSTREAM)])
    assert "SRR0000077" in catalog.remove_experiment("SRP000001").ledger
    with catalog.reading() as session:
        assert session.scalars(select(LedgerEntry.accession)).all() == []
        assert session.scalars(select(LedgerHistory.accession)).all() == []


def test_a_name_that_another_experiment_has_too_keeps_its_entry(catalog: Catalog) -> None:
    catalog.ledger.discover(["PRJNA000001"], source="ENA")
    record(catalog, study("SRP000001", samples=1))
    record(catalog, study("SRP000002", [sample("SRR0000009")], aliases=("PRJNA000001",)))
    assert "PRJNA000001" not in catalog.remove_experiment("SRP000001").ledger
    assert "PRJNA000001" in catalog.remove_experiment("SRP000002").ledger


def test_a_file_that_a_dataset_offers_stays(catalog: Catalog) -> None:
    record(catalog, study("SRP000001", samples=1))
    quantify(catalog, "SRR0000001", "SRP000001")
    with catalog.session() as session:
        file = session.scalars(select(ComputedFile)).one()
        session.add(Dataset(id="d1", state="ready", recipe={}, computed_file_id=file.id))
    removed = catalog.remove_experiment("SRP000001")
    assert (removed.files, removed.results) == ((), 0)
    with catalog.reading() as session:
        file = session.scalars(select(ComputedFile)).one()
        assert (file.sample_id, file.result_id is None) == (None, False)


@pytest.mark.parametrize("accession", ["SRP000404", "SRR0000001"])
def test_what_is_no_known_experiment_is_not_found(catalog: Catalog, accession: str) -> None:
    record(catalog, study("SRP000001", samples=1))
    with pytest.raises(NotFoundError, match=accession):
        catalog.remove_experiment(accession)
    with catalog.reading() as session:
        assert session.scalars(select(Experiment.accession)).all() == ["SRP000001"]
        assert session.scalars(select(Sample.accession)).all() == ["SRR0000001"]


def test_an_error_midway_leaves_everything_as_it_was(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    record(catalog, study("SRP000001"))
    before = rows(catalog)

    def fail(*_: Any) -> None:
        message = "power cut"
        raise RuntimeError(message)

    monkeypatch.setattr("resources.catalog.removal.forget", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        catalog.remove_experiment("SRP000001")
    assert rows(catalog) == before


def test_statements_do_not_grow_with_samples(sqlite_catalog: Catalog) -> None:
    record(sqlite_catalog, study("SRP000001", samples=1), study("SRP000002", samples=600))
    with statements(sqlite_catalog) as few:
        sqlite_catalog.remove_experiment("SRP000001")
    with statements(sqlite_catalog) as many:
        sqlite_catalog.remove_experiment("SRP000002")
    assert len(many) <= len(few) + 5


def test_removals_and_surveys_of_shared_samples_at_once_wait_for_each_other(catalog: Catalog) -> None:
    samples = [sample(f"SRR{number:07d}") for number in range(1, 20)]
    record(catalog, study("SRP000001", samples), study("SRP000002", samples[::-1]))

    def work(number: int) -> None:
        if number % 3 == 0:
            record(catalog, study("SRP000001", samples))
        elif number % 3 == 1:
            record(catalog, study("SRP000002", samples[number % 5 :]))
        else:
            catalog.remove_experiment("SRP000001")
            record(catalog, study("SRP000001", samples))

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(work, number) for number in range(12) if number % 3 != 2 or number == 2]:
            done.result()
    record(catalog, study("SRP000001", samples), study("SRP000002", samples))
    assert catalog.ledger_is_complete("SRP000001") == catalog.ledger_is_complete("SRP000002") == (19, 19)
    assert {entry.state for entry in catalog.ledger.of_experiment("SRP000001")} == {SampleState.SURVEYED}
    assert catalog.remove_experiment("SRP000001").samples == ()
    assert len(catalog.remove_experiment("SRP000002").samples) == 19
