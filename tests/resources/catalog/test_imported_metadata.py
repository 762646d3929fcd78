from __future__ import annotations

from typing import Any

import pytest
from alembic import command
from sqlalchemy import select, text

from refinebio_assets.domain.imported_metadata import AttributeEntry, KeywordEntry, read_value
from resources.catalog import Catalog, MetadataImport
from resources.catalog.engine import create_catalog_engine
from resources.catalog.migrations.configuration import alembic_config
from resources.catalog.models import Contribution, Sample, SampleAttribute, SampleKeyword
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import sample, study

URL = "https://example.org/methods"


def attribute(name: str, value: Any, value_type: Any = "int", **changes: Any) -> AttributeEntry:
    values: dict[str, Any] = {"sample": name, "term_id": "EFO:0000246", "value": value, "value_type": value_type}
    return AttributeEntry(**(values | changes))


def keyword(name: str, term: str = "UBERON:0002107") -> KeywordEntry:
    return KeywordEntry(sample=name, term_id=term)


def record(catalog: Catalog, *entries: Any, source: str = "Ours", **options: Any) -> MetadataImport:
    return catalog.record_contributed_metadata(source, URL, entries, **options)


def counts(done: MetadataImport) -> tuple[int, int, int, int]:
    return done.added, done.changed, done.unchanged, len(done.unknown)


@pytest.fixture
def surveyed(catalog: Catalog) -> Catalog:
    runs = [
        sample("SRR0000001", secondary_sample_accession="SRS0000001"),
        sample("SRR0000002", secondary_sample_accession="SRS0000001"),
        sample("SRR0000003"),
    ]
    catalog.record_survey(study(samples=runs), metadata_sha256="a" * 64)
    return catalog


def stored(catalog: Catalog) -> dict[tuple[str, str, str], tuple[Any, str | None, float | None]]:
    query = (
        select(Sample.accession, Contribution.source_name, SampleAttribute)
        .join_from(SampleAttribute, Sample)
        .join(Contribution, Contribution.id == SampleAttribute.contribution_id)
    )
    with catalog.reading() as session:
        return {
            (accession, source, row.term_id): (
                read_value(row.value, row.value_type),  # type: ignore[arg-type]  # a plain column
                row.unit_id,
                row.probability,
            )
            for accession, source, row in session.execute(query)
        }


def test_an_attribute_is_written_once_and_updated_in_place(surveyed: Catalog) -> None:
    assert counts(record(surveyed, attribute("SRR0000003", 36))) == (1, 0, 0, 0)
    assert counts(record(surveyed, attribute("SRR0000003", 36))) == (0, 0, 1, 0)
    new = attribute("SRR0000003", 37, unit_id="UO:0000036", probability=0.5)
    assert counts(record(surveyed, new)) == (0, 1, 0, 0)
    assert stored(surveyed) == {("SRR0000003", "Ours", "EFO:0000246"): (37, "UO:0000036", 0.5)}


def test_two_contributions_do_not_overwrite_each_other(surveyed: Catalog) -> None:
    record(surveyed, attribute("SRR0000003", 36))
    assert counts(record(surveyed, attribute("SRR0000003", 40), source="Theirs")) == (1, 0, 0, 0)
    assert {key[1]: value[0] for key, value in stored(surveyed).items()} == {"Ours": 36, "Theirs": 40}


@pytest.mark.parametrize(
    ("value", "value_type"),
    [(False, "bool"), (True, "bool"), (0, "int"), (36.5, "float"), ("PATO:0000383", "term"), ("False", "text")],
)
def test_a_value_comes_back_as_what_it_was(surveyed: Catalog, value: Any, value_type: str) -> None:
    record(surveyed, attribute("SRR0000003", value, value_type))
    (found,) = stored(surveyed).values()
    assert found[0] == value
    assert type(found[0]) is type(value)


def test_another_accession_of_several_runs_stands_for_all_of_them(surveyed: Catalog) -> None:
    done = record(surveyed, attribute("SRS0000001", 36), keyword("srs0000001 "), keyword("SRR0000003"))
    assert counts(done) == (5, 0, 0, 0)
    assert done.samples == {"SRR0000001", "SRR0000002", "SRR0000003"}
    assert {accession for accession, _, _ in stored(surveyed)} == {"SRR0000001", "SRR0000002"}


def test_entries_of_unknown_samples_are_given_back(surveyed: Catalog) -> None:
    done = record(surveyed, attribute("SRR9999999", 1), keyword("GSM1"), keyword("SRR0000003"))
    assert counts(done) == (1, 0, 0, 2)
    assert [entry.sample for entry in done.unknown] == ["SRR9999999", "GSM1"]


def test_of_two_entries_of_the_same_sample_the_later_one_counts(surveyed: Catalog) -> None:
    done = record(
        surveyed, attribute("SRR0000001", 1), attribute("SRS0000001", 2), keyword("SRR0000001"), keyword("SRR0000001")
    )
    assert counts(done) == (3, 0, 0, 0)
    assert {key[0]: value[0] for key, value in stored(surveyed).items()} == {"SRR0000001": 2, "SRR0000002": 2}


def test_a_dry_run_says_what_would_change_and_changes_nothing(surveyed: Catalog) -> None:
    entries = [attribute("SRR0000003", 36), keyword("SRR0000003"), keyword("GSM1")]
    assert counts(record(surveyed, *entries, dry_run=True)) == (2, 0, 0, 1)
    assert stored(surveyed) == {}
    with surveyed.reading() as session:
        assert session.scalars(select(Contribution)).all() == []
    record(surveyed, *entries)
    changed = [attribute("SRR0000003", 37), *entries[1:]]
    assert counts(record(surveyed, *changed, dry_run=True)) == (0, 1, 1, 1)
    assert counts(record(surveyed, *changed)) == (0, 1, 1, 1)


def test_a_contribution_has_the_last_address_of_its_methods(surveyed: Catalog) -> None:
    record(surveyed, keyword("SRR0000003"))
    surveyed.record_contributed_metadata("Ours", "https://example.org/new", [keyword("SRR0000003")])
    with surveyed.reading() as session:
        (contribution,) = session.scalars(select(Contribution))
    assert contribution.methods_url == "https://example.org/new"


def test_a_removed_sample_takes_its_attributes_and_keywords_with_it(surveyed: Catalog) -> None:
    record(surveyed, attribute("SRR0000003", 36), keyword("SRR0000003"))
    with surveyed.session() as session:
        session.execute(text("DELETE FROM original_file_samples"))
        session.execute(text("DELETE FROM samples WHERE accession = 'SRR0000003'"))
    with surveyed.reading() as session:
        assert session.scalars(select(SampleKeyword)).all() == []
    assert stored(surveyed) == {}


def test_statements_do_not_grow_with_entries(surveyed: Catalog) -> None:
    entries = [keyword("SRR0000003", f"UBERON:{number:07d}") for number in range(300)]
    record(surveyed, entries[0], attribute("SRR0000003", 1))
    with statements(surveyed) as few:
        record(surveyed, *entries[:2], attribute("SRR0000003", 2))
    with statements(surveyed) as many:
        record(surveyed, *entries, attribute("SRR0000003", 3))
    assert len(many) == len(few)


def test_a_catalog_of_the_first_revision_keeps_its_content(fresh_catalog_url: str) -> None:
    catalog = Catalog.connect(fresh_catalog_url)
    catalog.record_survey(study(), metadata_sha256="a" * 64)
    with catalog.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0001")
    catalog.dispose()
    engine = create_catalog_engine(fresh_catalog_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0001"
    engine.dispose()
    again = Catalog.connect(fresh_catalog_url)
    assert again.harmonized_values(["SRR0000001"]) == {"SRR0000001": {"sex": "female", "age": "5 day"}}
    assert counts(record(again, keyword("SRR0000001"), attribute("SRR0000001", 36))) == (2, 0, 0, 0)
    again.dispose()
