"""Harmonising anew from stored payloads, without asking an archive."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from io_managers import SourceMetadataIOManager
from refinebio_assets.domain.errors import ObjectStoreError
from refinebio_assets.domain.ontologies import SynonymScope, TermName, TermParent, TermRecord, TermRelation
from refinebio_assets.domain.records import HarmonizedValue, SurveyResult
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.harmonisation_rules import HARMONISATION_VERSION
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.reharmonise_run import field_terms, outdated_experiments, reharmonise
from refinebio_assets.survey.sources import survey_payload
from resources.catalog import Catalog
from resources.catalog.models import Experiment, Sample, SampleHarmonizedValue
from resources.catalog.ontologies import OntologySource
from resources.dagster_adapters import ObjectStoreResource
from resources.object_store import ObjectStore
from resources.source_metadata_files import read_source_metadata, source_metadata_key
from tests.resources.catalog.studies import change
from tests.survey import geo_files
from tests.survey.recorded import payload, run_row

REGISTRY = PlatformRegistry.load()
SRA, GEO = "SRP000001", "GSE1000"
OLD_AGE = HarmonizedValue(field="age", value="30.0", raw_key="age", raw_value="30 months", rule="age/age")
RUNS = [
    run_row("SRR1000001", age="30 months", sex="F", host_sex="", tissue_type="Liver"),
    run_row("SRR1000002", age="P7", sex="M", tissue_type="Brain"),
    run_row("SRR1000003", sex="not collected"),
]
ARRAYS = [
    geo_files.array_sample("GSM1000001", characteristics_ch1=["age: 8-10 weeks", "gender: female", "batch: 1"]),
    geo_files.array_sample("GSM1000002", characteristics_ch1=["treatment: 10 uM drug for 24 h"]),
]
PAYLOADS = {SRA: payload(*RUNS), GEO: geo_files.payload(*ARRAYS)}


def put(store: ObjectStore, document: dict[str, Any]) -> str:
    """Store a payload as the IO manager does, and give its hash."""
    data = gzip.compress(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), mtime=0)
    sha256 = hashlib.sha256(data).hexdigest()
    store.put_bytes(data, source_metadata_key(document["accession"], sha256))
    return sha256


def by_older_rules(result: SurveyResult) -> SurveyResult:
    """The survey as version 1 would have recorded it: one value, another title, another coverage."""
    samples = tuple(
        replace(sample, record=replace(sample.record, harmonized=(OLD_AGE,), title="an old title"))
        for sample in result.samples
    )
    annotations = {**result.experiment.annotations, "survey": {"rows": 3, "harmonisation_version": "1"}}
    experiment = replace(result.experiment, annotations=annotations)
    return replace(result, experiment=experiment, samples=samples, coverage={"old key": 3})


@pytest.fixture
def surveyed(sqlite_catalog: Catalog, folder_store: ObjectStore) -> tuple[Catalog, ObjectStore]:
    """A sequencing study and an array series, surveyed with older rules."""
    for document in PAYLOADS.values():
        result = by_older_rules(survey_payload(document, REGISTRY))
        sqlite_catalog.record_survey(result, metadata_sha256=put(folder_store, document))
    return sqlite_catalog, folder_store


def harmonized(catalog: Catalog) -> set[tuple[Any, ...]]:
    columns = [SampleHarmonizedValue.field, SampleHarmonizedValue.value, SampleHarmonizedValue.unit]
    columns += [SampleHarmonizedValue.ontology_term_id, SampleHarmonizedValue.rule, SampleHarmonizedValue.raw_key]
    with catalog.reading() as session:
        return {
            tuple(row)
            for row in session.execute(
                select(Sample.accession, Sample.title, *columns).join(
                    SampleHarmonizedValue, SampleHarmonizedValue.sample_id == Sample.id, isouter=True
                )
            )
        }


def everything_else(catalog: Catalog) -> Any:
    """What harmonising anew must not touch."""
    accessions = ["SRR1000001", "SRR1000002", "SRR1000003", "GSM1000001", "GSM1000002", SRA, GEO]
    with catalog.reading() as session:
        samples = session.execute(select(Sample.accession, Sample.annotations, Sample.owner_experiment_id)).all()
        hashes = session.execute(select(Experiment.accession, Experiment.metadata_sha256, Experiment.title)).all()
    entries = {accession: entry.state for accession, entry in catalog.ledger.entries(accessions).items()}
    return sorted(map(tuple, hashes)), sorted((row[0], str(row[1]), row[2]) for row in samples), entries


def test_values_titles_and_coverage_become_those_of_a_survey_with_todays_rules(
    surveyed: tuple[Catalog, ObjectStore], sqlite_template: Any, tmp_path: Any
):
    catalog, store = surveyed
    outcomes = reharmonise(catalog, store, registry=REGISTRY)
    assert [
        (one.experiment, one.outcome, one.version_before, one.samples, one.changed_samples) for one in outcomes
    ] == [
        (GEO, "changed", "1", 2, 2),
        (SRA, "changed", "1", 3, 3),
    ]
    fresh = Catalog.connect(f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    for document in PAYLOADS.values():
        fresh.record_survey(survey_payload(document, REGISTRY), metadata_sha256=put(store, document))
    assert harmonized(catalog) == harmonized(fresh)
    with catalog.reading() as session, fresh.reading() as other:
        query = select(Experiment.coverage).order_by(Experiment.accession)
        assert session.scalars(query).all() == other.scalars(query).all() == [{"batch": 1}, {}]
    fresh.dispose()


def test_only_harmonised_metadata_change_and_states_stay(surveyed: tuple[Catalog, ObjectStore]):
    catalog, store = surveyed
    withdrawn = change("SRR1000001", SampleState.WITHDRAWN_UPSTREAM, SRA)
    catalog.ledger.set_states([withdrawn, change("SRR1000002", SampleState.PROCESSED, SRA)])
    before = everything_else(catalog)
    reharmonise(catalog, store, registry=REGISTRY)
    assert everything_else(catalog) == before
    assert before[2]["SRR1000001"] is SampleState.WITHDRAWN_UPSTREAM


def test_the_same_again_changes_nothing(surveyed: tuple[Catalog, ObjectStore]):
    catalog, store = surveyed
    reharmonise(catalog, store, registry=REGISTRY)
    before = harmonized(catalog)
    again = reharmonise(catalog, store, registry=REGISTRY)
    assert [(one.outcome, one.changed_samples, one.fields) for one in again] == [("unchanged", 0, {})] * 2
    assert harmonized(catalog) == before


def test_a_dry_run_counts_what_would_change_per_field_and_writes_nothing(surveyed: tuple[Catalog, ObjectStore]):
    catalog, store = surveyed
    before = harmonized(catalog)
    (outcome,) = reharmonise(catalog, store, [SRA], registry=REGISTRY, dry_run=True)
    assert outcome.outcome == "would_change"
    counts = {name: (one.added, one.changed, one.removed) for name, one in outcome.fields.items()}
    assert counts == {"title": (0, 3, 0), "sex": (2, 0, 0), "age": (0, 2, 1), "specimen_part": (2, 0, 0)}
    assert harmonized(catalog) == before
    assert [one.accession for one in outdated_experiments(catalog)] == [GEO, SRA]


def test_experiments_that_went_through_older_rules_are_found(surveyed: tuple[Catalog, ObjectStore]):
    catalog, store = surveyed
    assert [(one.accession, one.harmonisation_version) for one in outdated_experiments(catalog)] == [
        (GEO, "1"),
        (SRA, "1"),
    ]
    reharmonise(catalog, store, [GEO], registry=REGISTRY)
    assert [one.accession for one in outdated_experiments(catalog)] == [SRA]
    with catalog.reading() as session:
        annotations = session.scalars(select(Experiment.annotations).where(Experiment.accession == GEO)).one()
    assert annotations["survey"] == {"rows": 3, "harmonisation_version": HARMONISATION_VERSION}


def remove(store: ObjectStore, key: str) -> None:
    store.delete(key)


def damage(store: ObjectStore, key: str) -> None:
    store.put_bytes(gzip.compress(b"{}"), key)


@pytest.mark.parametrize("harm", [remove, damage])
def test_an_experiment_without_its_payload_is_reported_and_the_others_go_on(
    surveyed: tuple[Catalog, ObjectStore], harm: Callable[[ObjectStore, str], None]
):
    catalog, store = surveyed
    with catalog.reading() as session:
        sha256 = session.scalars(select(Experiment.metadata_sha256).where(Experiment.accession == GEO)).one()
    harm(store, source_metadata_key(GEO, str(sha256)))
    reported: list[str] = []
    failed, done = reharmonise(catalog, store, registry=REGISTRY, report=lambda one: reported.append(one.experiment))
    assert (failed.experiment, failed.outcome, done.outcome) == (GEO, "failed", "changed")
    assert failed.error is not None
    assert failed.error["code"] == "object_store_error"
    assert reported == [GEO, SRA]


def test_a_payload_that_cannot_be_understood_is_reported(surveyed: tuple[Catalog, ObjectStore]):
    catalog, store = surveyed
    odd = {"accession": SRA, "source": "SRA", "read_run": "no rows"}
    sha256 = put(store, odd)
    catalog.record_survey(survey_payload(PAYLOADS[SRA], REGISTRY), metadata_sha256=sha256)
    (outcome,) = reharmonise(catalog, store, [SRA], registry=REGISTRY)
    assert outcome.error is not None
    assert outcome.error["code"] == "malformed_payload"


def test_what_was_never_surveyed_is_reported(surveyed: tuple[Catalog, ObjectStore]):
    catalog, store = surveyed
    (outcome,) = reharmonise(catalog, store, ["SRP999999"], registry=REGISTRY)
    assert outcome.outcome == "failed"
    assert outcome.error is not None
    assert outcome.error["code"] == "not_found"


def test_imported_ontologies_give_terms(surveyed: tuple[Catalog, ObjectStore]):
    catalog, store = surveyed
    source = OntologySource(prefix="UBERON", source="uberon.obo", sha256="a" * 64)
    terms = [TermRecord(id="UBERON:0002107", label="liver"), TermRecord(id="UBERON:0000955", label="brain")]
    catalog.record_ontology(source, terms)
    reharmonise(catalog, store, [SRA], registry=REGISTRY)
    parts = {row[0]: row[5] for row in harmonized(catalog) if row[2] == "specimen_part"}
    assert parts == {"SRR1000001": "UBERON:0002107", "SRR1000002": "UBERON:0000955"}


def test_a_stage_is_a_stage_and_no_organ_of_the_same_name(sqlite_catalog: Catalog):
    is_a = TermRelation.IS_A
    stage = TermRecord(id="UBERON:0000105", label="life cycle stage")
    adult = TermRecord(id="UBERON:0000113", label="adult", parents=(TermParent("UBERON:0000105", is_a),))
    node = TermRecord(id="UBERON:0003062", label="primitive knot", synonyms=(TermName("shield", SynonymScope.EXACT),))
    source = OntologySource(prefix="UBERON", source="uberon.obo", sha256="a" * 64)
    sqlite_catalog.record_ontology(source, [stage, adult, node])
    terms = field_terms(sqlite_catalog)
    assert terms["developmental_stage"].lookup("Adult") == "UBERON:0000113"
    assert terms["developmental_stage"].lookup("shield") is None
    assert terms["specimen_part"].lookup("shield") == "UBERON:0003062"


def test_a_payload_is_read_as_the_survey_stored_it(folder_store: ObjectStore):
    url = folder_store.uri("x").removesuffix("/x")
    manager = SourceMetadataIOManager(object_store=ObjectStoreResource(url=url))
    manager.save(SRA, PAYLOADS[SRA])
    sha256 = manager.current_sha256(SRA)
    assert manager.current_object(SRA).key == source_metadata_key(SRA, sha256)
    assert read_source_metadata(folder_store, SRA, sha256) == PAYLOADS[SRA]
    with pytest.raises(ObjectStoreError, match="not in the object store"):
        read_source_metadata(folder_store, SRA, "0" * 64)


def test_both_databases_harmonise_alike(catalog: Catalog, folder_store: ObjectStore):
    result = by_older_rules(survey_payload(PAYLOADS[SRA], REGISTRY))
    catalog.record_survey(result, metadata_sha256=put(folder_store, PAYLOADS[SRA]))
    assert [one.accession for one in outdated_experiments(catalog)] == [SRA]
    (outcome,) = reharmonise(catalog, folder_store, registry=REGISTRY)
    assert (outcome.outcome, outcome.changed_samples) == ("changed", 3)
    assert outdated_experiments(catalog) == []
    values = catalog.harmonized_values(["SRR1000001", "SRR1000002"])
    assert [value["age"] for value in values.values()] == ["30 month", "7 postnatal day"]
