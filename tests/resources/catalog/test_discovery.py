from __future__ import annotations

from datetime import date

import pytest

from resources.catalog import Catalog
from tests.resources.catalog.studies import sample, study


def test_a_cursor_is_remembered_by_source(catalog: Catalog) -> None:
    assert catalog.cursor("ena") is None
    catalog.set_cursor("ena", "2026-01-01")
    catalog.set_cursor("geo", "7")
    catalog.set_cursor("ena", "2026-02-01")
    assert (catalog.cursor("ena"), catalog.cursor("geo")) == ("2026-02-01", "7")


def test_a_property_can_be_set_and_changed(catalog: Catalog) -> None:
    assert catalog.property("archive") is None
    catalog.set_property("archive", "bundled")
    catalog.set_property("archive", "public")
    assert catalog.property("archive") == "public"


@pytest.mark.parametrize(
    ("accession", "day", "outdated"),
    [
        ("SRP000001", "2021-01-03", True),
        ("SRP000001", date(2021, 1, 2), False),
        ("SRP000001", "", False),
        ("SRP000001", None, False),
        ("GSE000001", "2021-01-03", True),
        ("GSE000001", "2020-01-01", False),
        ("SRP000404", "2020-01-01", True),
        ("SRP000404", None, True),
    ],
)
def test_an_experiment_is_outdated_if_never_surveyed_or_changed_since(
    sqlite_catalog: Catalog, accession: str, day: date | str | None, outdated: bool
) -> None:
    sqlite_catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert sqlite_catalog.is_outdated(accession, day) is outdated


def test_has_experiments_only_after_a_survey(catalog: Catalog) -> None:
    catalog.ledger.discover(["SRP000001"], source="ENA")
    assert not catalog.has_experiments()
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert catalog.has_experiments()


def test_titles_of_experiments_and_samples(catalog: Catalog) -> None:
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    assert catalog.titles(["SRP000001", "SRR0000002", "SRR404"]) == {
        "SRP000001": "Larvae in the cold",
        "SRR0000002": "larva 0000002",
    }


def test_organisms_and_harmonised_values_by_sample(catalog: Catalog) -> None:
    bare = sample("SRR0000009", organism=None, taxonomy_id=None, harmonized=())
    catalog.record_survey(study(samples=[sample("SRR0000001"), bare]), metadata_sha256="a" * 64)
    asked = ["SRR0000001", "SRR0000009", "SRR404"]
    assert catalog.sample_organisms(asked) == {"SRR0000001": "DANIO_RERIO"}
    assert catalog.harmonized_values(asked) == {"SRR0000001": {"sex": "female", "age": "5 day"}}


def test_statuses_carry_names_and_reasons(catalog: Catalog) -> None:
    catalog.record_survey(study(), metadata_sha256="a" * 64, run_id="run-1")
    status = catalog.sample_statuses(["SRR0000002", "SRP000001", "SRR404"])
    assert list(status) == ["SRR0000002"]
    one = status["SRR0000002"]
    assert (one.title, one.organism, one.platform) == ("larva 0000002", "DANIO_RERIO", "Illumina HiSeq 2500")
    assert (one.reason, one.run_id) == ("eligible", "run-1")
