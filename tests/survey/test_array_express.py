from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedFileError, MalformedPayloadError
from refinebio_assets.domain.records import SurveyedSample, SurveyResult
from refinebio_assets.domain.vocabulary import Technology
from refinebio_assets.survey.array_express import survey_array_express
from refinebio_assets.survey.registry import PlatformRegistry
from tests.survey.array_express_studies import (
    SDRF_FILES,
    array_row,
    counted,
    made_up,
    mage_tab,
    page_tab,
    payload,
    recorded,
    sequencing_row,
    table,
)

REGISTRY = PlatformRegistry.load()


def survey(accession: str, **fields: Any) -> SurveyResult:
    return survey_array_express(payload(accession, **fields), REGISTRY)


def survey_rows(*rows: dict[str, str], **fields: Any) -> tuple[SurveyedSample, ...]:
    return survey_array_express(made_up(table(*rows), **fields), REGISTRY).samples


def harmonized(sample: SurveyedSample) -> dict[str, tuple[str, str | None]]:
    return {each.field: (each.value, each.unit) for each in sample.record.harmonized}


@pytest.mark.parametrize("accession", SDRF_FILES)
def test_every_assay_of_a_recorded_study_is_a_sample_exactly_once(accession: str):
    result = survey(accession)
    names = [sample.record.annotations["assay"]["name"] for sample in result.samples]

    assays = {
        (name, assay) for name in SDRF_FILES[accession] for assay in counted(name, "Assay Name", "Hybridization Name")
    }
    assert sorted(names) == sorted(assay for _, assay in assays)
    assert len({sample.record.accession for sample in result.samples}) == len(names)
    lines = [line for sample in result.samples for line in sample.record.annotations["assay"]["lines"]]
    told = result.experiment.annotations["survey"]
    assert len(lines) + len(told["rows_without_assay"]) == told["rows"]
    assert told["warnings"] == []


@pytest.mark.parametrize(
    ("accession", "decisions"),
    [
        ("E-GEOD-44719", {("superseded", "processed_from_geo"): 77}),
        ("E-MEXP-31", {("surveyed", "eligible"): 20}),
        ("E-MTAB-1443", {("surveyed", "eligible"): 6, ("wrong_library_strategy", "library_strategy"): 3}),
        ("E-MTAB-1653", {("surveyed", "eligible"): 60}),
        ("E-MTAB-1677", {("surveyed", "platform_from_cel_header"): 9}),
        ("E-MTAB-20", {("wrong_library_strategy", "not_rna"): 39}),
        ("E-MTAB-2143", {("wrong_library_strategy", "library_strategy"): 9}),
        ("E-MTAB-3050", {("surveyed", "eligible"): 5}),
        ("E-MTAB-4649", {("wrong_library_strategy", "library_strategy"): 2}),
        ("E-MTAB-584", {("wrong_library_strategy", "library_strategy"): 2}),
        ("E-TABM-38", {("unsupported_platform", "unsupported_platform"): 502}),
    ],
)
def test_recorded_studies_are_judged(accession: str, decisions: dict[tuple[str, str], int]):
    made = [(sample.decision.state.value, sample.decision.reason) for sample in survey(accession).samples]
    assert {decision: made.count(decision) for decision in made} == decisions


@pytest.mark.parametrize("accession", ["E-GEOD-44719", "E-MTAB-3050", "E-TABM-38"])
def test_samples_agree_with_what_array_express_itself_made_of_the_study(accession: str):
    """The recorded answers of ArrayExpress' former API, which read the same SDRF."""
    theirs = {each["assay"]["name"]: each for each in recorded(f"{accession}.samples.json")["experiment"]["sample"]}
    ours = {sample.record.annotations["assay"]["name"]: sample for sample in survey(accession).samples}

    assert ours.keys() == theirs.keys()
    for name, sample in ours.items():
        cells = sample.record.annotations["sdrf"][0]
        values = {cell for _, cell in cells}
        attributes = [*theirs[name]["characteristic"], *theirs[name].get("variable", [])]
        missing = {str(each["value"]) for each in attributes if each["value"] is not None} - values
        assert not missing, (name, missing)
        files = theirs[name]["file"] if isinstance(theirs[name]["file"], list) else [theirs[name]["file"]]
        told = {each["name"] for each in files if "data" in each["type"]}
        assert {each["name"] for each in sample.record.annotations["files"]} == told


def test_the_recorded_affymetrix_study_becomes_five_assays_with_their_cel_files():
    result = survey("E-MTAB-3050")
    first = result.samples[0]
    record = first.record

    assert record.accession == "E-MTAB-3050-1007409-C30057"
    assert record.title == "donor A islets RNA"  # sources repeat: three assays of donor A, two of donor B
    assert (record.organism, record.technology) == ("HOMO_SAPIENS", Technology.MICROARRAY)
    assert (record.platform_accession, record.manufacturer) == ("hgu95av2", "AFFYMETRIX")
    (file,) = record.files
    assert file.url == "https://www.ebi.ac.uk/biostudies/files/E-MTAB-3050/C30057.CEL"
    assert (file.filename, file.kind, record.has_raw) == ("C30057.CEL", "cel", True)
    assert harmonized(first)["age"] == ("54", "year")
    assert harmonized(first)["sex"] == ("female", None)
    assert record.annotations["replicates"]["assays_of_source"] == 3
    assert "supported and the raw data are public" in first.decision.message


def test_the_recorded_experiment_has_its_texts_people_and_dates():
    experiment = survey("E-MTAB-20").experiment
    assert experiment.title.startswith("Transcription profiling of Salmonella enterica serovar Typhimurium")
    assert experiment.institution == "Wellcome Trust Sanger Institute"
    assert experiment.pubmed_id == "18849424"
    assert experiment.publication_doi is None  # the file has the PubMed id in its place
    assert experiment.publication_authors[:2] == ("Cooke, Fiona J", "Brown, Derek J")
    assert experiment.first_published == date(2008, 9, 5)
    assert (experiment.protocol or "").startswith("specified_biomaterial_action: The bacterial strains")
    assert experiment.source_url == "https://www.ebi.ac.uk/biostudies/arrayexpress/studies/E-MTAB-20"
    assert not any("@" in str(values) for values in experiment.annotations["idf"].values())


def test_each_assay_has_the_platform_of_its_own_array_design():
    samples = survey("E-MEXP-31").samples
    of_design = {
        (dict(sample.record.annotations["sdrf"][0])["Array Design REF"], sample.record.platform_accession)
        for sample in samples
    }
    assert of_design == {("A-AFFY-18", "rgu34a"), ("A-AFFY-19", "rgu34b")}
    assert all(sample.record.annotations["replicates"]["assays_of_extract"] == 1 for sample in samples)


def test_a_unit_in_a_column_of_its_own_belongs_to_the_value_before_it():
    result = survey("E-MEXP-31")
    assert {harmonized(sample)["age"] for sample in result.samples} >= {("9", "day")}
    assert "TimeUnit" not in result.coverage


def test_several_sdrfs_of_a_study_are_read_together():
    result = survey("E-MTAB-1443")
    technologies = [sample.record.technology for sample in result.samples]
    assert technologies == [Technology.MICROARRAY] * 6 + [Technology.UNKNOWN] * 3  # ChIP-seq
    assert result.experiment.technology is Technology.MICROARRAY
    assert result.experiment.aliases == ("ERP002132",)
    assert result.samples[6].record.aliases == ("ERR220394", "ERX195060", "ERS206786")


def test_a_raw_table_of_all_assays_is_the_raw_file_of_each():
    samples = survey("E-MTAB-1653").samples
    assert {file.filename for sample in samples for file in sample.record.files} == {"hESC_Polysomes_Raw_Dataset.txt"}
    assert all(sample.record.has_raw for sample in samples)  # label Cy3 alone is no sign of missing data
    assert harmonized(samples[0])["time"] == ("0", "hour")


def test_two_channels_are_one_assay():
    sample = next(each for each in survey("E-MTAB-20").samples if each.record.accession == "E-MTAB-20-array33")
    assert [channel["label"] for channel in sample.record.annotations["channels"]] == [["Cy5"], ["Cy3"]]
    assert [channel["source"] for channel in sample.record.annotations["channels"]] == [["DT104(ref)"], ["D11"]]
    assert len(sample.record.annotations["sdrf"]) == 2
    assert sample.record.title == "array33"
    assert len(sample.record.files) == 1


def test_a_copy_of_a_geo_series_points_to_it_and_its_samples():
    result = survey("E-GEOD-44719")
    assert result.experiment.aliases == ("GSE44719",)
    sample = result.samples[0]
    assert sample.record.accession == "E-GEOD-44719-GSM1089365"
    assert "GSM1089365" in sample.record.aliases
    assert sample.record.title == "IL4 DC_ND197_TNFa"
    assert sample.record.taxonomy_id == 9606
    assert {each.ontology_term_id for each in sample.record.harmonized} >= {"UBERON:0000178"}
    assert sample.decision.message.endswith("survey GSE44719.")


def test_rna_seq_assays_lead_to_their_runs():
    (first, second) = survey_rows(
        sequencing_row("L1"),
        sequencing_row("L1") | {"Scan Name": "L1_2.fastq.gz"},
        sequencing_row("L2", ENA_RUN="ERR000002", ENA_EXPERIMENT="ERX000002"),
        idf="Investigation Title\tA study\nComment[SecondaryAccession]\tERP000001\n",
    )
    assert (first.decision.state.value, first.decision.reason) == ("superseded", "processed_from_sra")
    assert "ERR000001" in first.decision.message
    assert first.decision.message.endswith("survey ERP000001.")
    assert first.record.run_accession == "ERR000001"
    assert first.record.aliases == ("ERR000001", "ERX000001", "ERS000001")
    assert first.record.technology is Technology.RNA_SEQ
    assert first.record.files == ()
    assert second.record.run_accession == "ERR000002"


def test_the_recorded_study_of_biostudies_gives_files_dates_and_designs():
    study = page_tab(recorded("E-MTAB-16149.biostudies.json"))
    names = ("US11033868_252116912172_S01_GE1_107_Sep09_1_3.txt", "normalized_data.txt")
    row = array_row("Cold1", Array_Design_REF="A-MEXP-1711", Array_Data_File=names[0], Derived_Array_Data_File=names[1])
    fields = {"accession": "E-MTAB-16149", "study": study, "info": {"modified": 1767363000000, "files": 15}}
    result = survey_array_express(made_up(table(row), **fields), REGISTRY)

    (sample,) = result.samples
    (file,) = sample.record.files
    assert (file.filename, file.size_bytes) == (names[0], 6814073)
    assert sample.decision.reason == "unsupported_platform"
    assert result.experiment.institution == "United Graduate School of Agriculture, Gifu University"
    assert result.experiment.last_updated == date(2026, 1, 2)
    assert result.experiment.first_published == date(2026, 1, 1)
    assert (result.experiment.protocol or "").startswith("sample collection protocol: Samples were collected")


def test_the_recorded_sequencing_study_of_biostudies_names_its_ena_study():
    fields = {"accession": "E-MTAB-9697", "study": recorded("E-MTAB-9697.biostudies.json")}
    bare = sequencing_row(ENA_RUN="", ENA_EXPERIMENT="", ENA_SAMPLE="")
    result = survey_array_express(made_up(table(bare), **fields), REGISTRY)
    assert result.experiment.aliases == ("ERP124622",)
    assert result.samples[0].decision.reason == "processed_from_sra"


@pytest.mark.parametrize(
    ("fields", "error", "told"),
    [
        ({"accession": "GSE1"}, MalformedPayloadError, "payload.accession"),
        ({"idf": None}, MalformedPayloadError, "payload.idf"),
        ({"sdrf": "text"}, MalformedPayloadError, "payload.sdrf"),
        ({"study": {"accno": "E-MTAB-2"}}, MalformedPayloadError, "payload.study.accno"),
        ({"sdrf": ["<html>503</html>"]}, MalformedFileError, "HTML"),
        ({"idf": "<html>503</html>"}, MalformedFileError, "E-MTAB-1.idf.txt:1"),
    ],
)
def test_what_is_no_study_is_refused_and_the_place_named(fields: dict[str, Any], error: type[Exception], told: str):
    with pytest.raises(error, match=told):
        survey_array_express(made_up(table(array_row())) | fields, REGISTRY)


def test_a_study_without_sdrf_has_no_samples():
    assert survey_array_express(made_up(), REGISTRY).samples == ()


def test_the_outcome_does_not_depend_on_the_hash_seed():
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.survey.test_array_express import survey\n"
        "print([repr(survey(a)) for a in ('E-MTAB-20', 'E-MEXP-31', 'E-MTAB-1443')])"
    )
    root = Path(__file__).parents[2]
    outcomes = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outcomes) == 1


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damaged_tables_never_lose_a_row(data: st.DataObject):
    accession = data.draw(st.sampled_from(("E-MTAB-584", "E-MTAB-1677", "E-MTAB-3050")))
    text = mage_tab(SDRF_FILES[accession][0])
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        text = (
            text[:start]
            + data.draw(st.sampled_from(["", "\t", '"', "\n"]))
            + text[start + data.draw(st.integers(0, 80)) :]
        )
    with suppress(MalformedFileError):
        result = survey(accession, sdrf=[text])
        told = result.experiment.annotations["survey"]
        lines = {line for sample in result.samples for line in sample.record.annotations["assay"]["lines"]}
        assert len(lines) + len(told["rows_without_assay"]) == told["rows"]
        assert told["assays"] == len(result.samples) == len({each.record.accession.lower() for each in result.samples})
