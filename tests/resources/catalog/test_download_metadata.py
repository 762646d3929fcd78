"""Metadata for downloads: what a sample and an experiment say, in a number of statements that rows do not add to."""

from __future__ import annotations

import zlib
from datetime import date

import pytest

from refinebio_assets.domain.imported_metadata import AttributeEntry, KeywordEntry
from refinebio_assets.domain.ontologies import TermRecord
from refinebio_assets.domain.records import HarmonizedValue
from refinebio_assets.domain.vocabulary import ComputedFileKind, SampleState
from resources.catalog import Catalog, FileToRecord, ResultToRecord
from resources.catalog import download_metadata as module
from resources.catalog.download_metadata import download_metadata
from resources.catalog.ontologies import OntologySource
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import array, change, quant_file, quantification, sample, series, study

DOSE = HarmonizedValue(field="dose", value="5", unit="uM", raw_key="dose", raw_value="5 uM", rule="dose")


@pytest.fixture
def surveyed(catalog: Catalog) -> Catalog:
    runs = [sample(f"SRR000000{number}") for number in (1, 2)]
    about = {
        "description": "They were cold.",
        "institution": "University",
        "pubmed_id": "123",
        "publication_title": "Cold larvae",
    }
    catalog.record_survey(study(samples=runs, **about), metadata_sha256="a" * 64)
    arrays = [array("GSM0000001", harmonized=(DOSE,), has_raw=False, source_url="https://x"), array("GSM0000002")]
    catalog.record_survey(series("GSE7", arrays, last_updated=None), metadata_sha256="b" * 64)
    catalog.record_survey(series("GSE3", arrays[:1]), metadata_sha256="c" * 64)
    catalog.ledger.set_states([change("GSM0000001", SampleState.PROCESSED, "GSE7")])
    return catalog


def read(catalog: Catalog, *samples: str, **options):
    with catalog.reading() as session:
        return download_metadata(session, samples, **options)


def test_a_sample_is_described_as_refine_bio_does(surveyed: Catalog) -> None:
    assert read(surveyed, "GSM0000001").samples["GSM0000001"] == {
        "refinebio_accession_code": "GSM0000001",
        "refinebio_title": "larva 0000001",
        "refinebio_organism": "DANIO_RERIO",
        "refinebio_source_database": "GEO",
        "refinebio_source_archive_url": "https://x",
        "refinebio_platform": "Affymetrix Zebrafish Genome Array (GPL1319)",
        "refinebio_technology": "MICROARRAY",
        "refinebio_processed": True,
        "refinebio_has_raw": False,
        "refinebio_sex": "",
        "refinebio_age": "",
        "refinebio_specimen_part": "",
        "refinebio_genetic_information": "",
        "refinebio_disease": "",
        "refinebio_disease_stage": "",
        "refinebio_cell_line": "",
        "refinebio_treatment": "",
        "refinebio_race": "",
        "refinebio_subject": "",
        "refinebio_developmental_stage": "",
        "refinebio_compound": "",
        "refinebio_time": "",
        "refinebio_dose": "5 uM",
        "refinebio_annotations": [
            {"read_run": {"run_accession": "GSM0000001", "tags": ["a", "b"]}, "biosample": {"n": 1.5}}
        ],
    }


def test_an_experiment_is_described_as_refine_bio_does(surveyed: Catalog) -> None:
    assert read(surveyed, "SRR0000002").experiments == {
        "SRP000001": {
            "accession_code": "SRP000001",
            "title": "Larvae in the cold",
            "description": "They were cold.",
            "organisms": ["DANIO_RERIO"],
            "sample_accession_codes": ["SRR0000002"],
            "protocol_description": "",
            "technology": "RNA-SEQ",
            "submitter_institution": "University",
            "has_publication": True,
            "publication_title": "Cold larvae",
            "publication_doi": "",
            "pubmed_id": "123",
            "source_first_published": "2020-01-02T00:00:00",
            "source_last_modified": "2021-01-02T00:00:00",
        }
    }


def test_a_shared_sample_is_in_all_of_its_experiments_the_owner_first(surveyed: Catalog) -> None:
    found = read(surveyed, "GSM0000002", "GSM0000001", "GSM0000001", "UNKNOWN")
    assert list(found.samples) == ["GSM0000002", "GSM0000001"]
    assert found.memberships == {"GSM0000002": ("GSE7",), "GSM0000001": ("GSE7", "GSE3")}
    assert found.experiments["GSE3"]["sample_accession_codes"] == ["GSM0000001"]
    assert found.experiments["GSE7"]["source_last_modified"] is None
    assert found.experiments["GSE7"]["has_publication"] is False
    only = read(surveyed, "GSM0000001", experiments={"GSE3"})
    assert only.memberships == {"GSM0000001": ("GSE3",)}
    assert list(only.experiments) == ["GSE3"]


def processor(metadata, accession: str) -> tuple[str | None, str | None]:
    found = metadata.samples[accession]
    return found.get("refinebio_processor_name"), found.get("refinebio_processor_version")


def test_the_processor_is_what_made_the_expression(surveyed: Catalog) -> None:
    assert processor(read(surveyed, "SRR0000001"), "SRR0000001") == (None, None)
    surveyed.record_result(quantification(quant_file("SRR0000001")))
    assert processor(read(surveyed, "SRR0000001"), "SRR0000001") == ("salmon", "1.10.3")
    expression = FileToRecord(
        key="e.h5ad", filename="e.h5ad", kind=ComputedFileKind.EXPRESSION_ANNDATA, size_bytes=1, sha256="1" * 64,
        experiment="SRP000001",
    )  # fmt: skip
    surveyed.record_result(
        ResultToRecord(processor="tximport", processor_version="1", fingerprint="t", files=(expression,))
    )
    values = FileToRecord(
        key="a.parquet", filename="a.parquet", kind=ComputedFileKind.ARRAY_VALUES, size_bytes=1, sha256="2" * 64,
        sample="GSM0000002",
    )  # fmt: skip
    surveyed.record_result(ResultToRecord(processor="SCAN", processor_version="2", fingerprint="s", files=(values,)))
    found = read(surveyed, "SRR0000001", "SRR0000002", "GSM0000001", "GSM0000002")
    assert processor(found, "SRR0000001") == processor(found, "SRR0000002") == ("tximport", "1")
    assert processor(found, "GSM0000001") == (None, None)
    assert processor(found, "GSM0000002") == ("SCAN", "2")
    # of name and version alone: in another catalog the row has another number
    assert found.samples["GSM0000002"]["refinebio_processor_id"] == zlib.crc32(b"SCAN 2")


def test_contributions_are_told_by_the_names_of_terms(surveyed: Catalog) -> None:
    terms = [
        TermRecord(id="EFO:0000246", label="age"),
        TermRecord(id="EFO:0000001", label="liver"),
    ]
    surveyed.record_ontology(OntologySource(prefix="EFO", version="1", source="efo.obo", sha256="0" * 64), terms)
    entries = [
        AttributeEntry(
            sample="SRR0000001", term_id="EFO:0000246", value=36, value_type="int", unit_id="UO:1", probability=0.5
        ),
        AttributeEntry(sample="SRR0000001", term_id="EFO:0000009", value="EFO:0000001", value_type="term"),
        KeywordEntry(sample="SRR0000002", term_id="EFO:0000001"),
    ]
    surveyed.record_contributed_metadata("Ours", "https://example.org", entries)
    found = read(surveyed, "SRR0000001", "SRR0000002", "GSM0000001")
    assert found.contributed["SRR0000001"].attributes == {
        "Ours": {"age": {"value": 36, "unit": "UO:1", "confidence": 0.5}, "EFO:0000009": {"value": "liver"}}
    }
    assert found.contributed["SRR0000002"].keywords == {"Ours": ("liver",)}
    assert "GSM0000001" not in found.contributed
    assert found.methods == {"Ours": "https://example.org"}


def test_many_samples_take_as_many_statements_as_few(surveyed: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    with statements(surveyed) as few:
        read(surveyed, "SRR0000001")
    runs = [f"SRR{number:07d}" for number in range(100, 400)]
    surveyed.record_survey(study("SRP000009", [sample(run) for run in runs]), metadata_sha256="d" * 64)
    with statements(surveyed) as many:
        assert len(read(surveyed, *runs).samples) == 300
    assert len(many) == len(few) <= 10
    monkeypatch.setattr(module, "SAMPLES_AT_A_TIME", 100)
    in_parts = read(surveyed, *runs)
    assert list(in_parts.samples) == runs
    assert in_parts.experiments["SRP000009"]["sample_accession_codes"] == runs


def test_no_samples_have_no_metadata(catalog: Catalog) -> None:
    found = read(catalog)
    assert (dict(found.samples), found.experiments, found.last_changed()) == ({}, {}, "")


def test_dates_are_midnights(surveyed: Catalog) -> None:
    surveyed.record_survey(
        study("SRP000008", [sample("SRR0000008")], first_published=date(2022, 3, 4)), metadata_sha256="e"
    )
    assert read(surveyed, "SRR0000008").last_changed() == "2022-03-04T00:00:00"
