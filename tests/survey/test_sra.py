from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedPayloadError
from refinebio_assets.domain.records import SurveyedSample, SurveyResult
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sra import survey_sra
from tests.survey.recorded import NO_FILES, ena_row, fastq_columns, payload, recorded, run_row

REGISTRY = PlatformRegistry.load()


def survey(*rows: Any, **fields: Any) -> SurveyResult:
    return survey_sra(payload(*rows, **fields), REGISTRY)


def survey_one(**columns: Any) -> SurveyedSample:
    (sample,) = survey(run_row(**columns)).samples
    return sample


def test_the_recorded_study_with_two_secondary_accessions_keeps_the_one_asked_for_and_names_the_other():
    result = survey_sra(recorded("sra_DRP000595.json"), REGISTRY)

    assert result.experiment.accession == "DRP000595"
    assert result.experiment.aliases == ("DRP000670", "PRJDB90")
    assert result.experiment.title == "P. sinensis EvoDevo project"
    assert result.experiment.institution == "RIKEN Center for Developmental Biology"
    assert str(result.experiment.first_published) == "2013-12-14"
    assert str(result.experiment.last_updated) == "2023-05-19"


def test_the_recorded_run_becomes_one_sample_with_all_its_accessions_and_its_announced_file():
    (sample,) = survey_sra(recorded("sra_DRP000595.json"), REGISTRY).samples
    record = sample.record

    assert sample.decision.state is SampleState.SURVEYED
    assert (record.accession, record.run_accession) == ("DRR002116", "DRR002116")
    assert record.aliases == ("DRX001563", "DRS001521", "SAMD00004104")
    assert record.title == "Gg_HH16_1_embryo_mRNAseq"  # not "DRS001521", which BioSamples has as sample name
    assert (record.organism, record.taxonomy_id) == ("GALLUS_GALLUS", 9031)
    assert (record.platform_accession, record.platform_name) == ("IlluminaHiSeq2000", "Illumina HiSeq 2000")
    (fastq,) = record.files
    assert fastq.url == "https://ftp.sra.ebi.ac.uk/vol1/fastq/DRR002/DRR002116/DRR002116.fastq.gz"
    assert (fastq.size_bytes, fastq.md5, fastq.mate) == (2969261051, "a79d7a79451b28c967892995cf268697", 0)
    assert record.annotations["read_run"]["library_selection"] == "RANDOM"
    assert record.annotations["biosample"]["characteristics"]["title"] == [{"text": "Gg_HH16_1_embryo_mRNAseq"}]


def test_attributes_that_no_rule_takes_are_counted():
    assert survey_sra(recorded("sra_DRP000595.json"), REGISTRY).coverage == {"sample comment": 1}


@pytest.mark.parametrize(
    ("run", "state", "reason"),
    [
        ("SRR1425203", SampleState.SURVEYED, "eligible"),
        ("SRR2047225", SampleState.SURVEYED, "eligible"),
        ("ERR1190989", SampleState.WRONG_LIBRARY_STRATEGY, "library_strategy"),
        ("ERR2812329", SampleState.WRONG_LIBRARY_STRATEGY, "library_strategy"),
        ("SRR2433794", SampleState.WRONG_LIBRARY_STRATEGY, "library_strategy"),
        ("SRR11217089", SampleState.WRONG_LIBRARY_STRATEGY, "library_source"),
        ("SRR1964306", SampleState.UNSUPPORTED_PLATFORM, "unsupported_platform"),
    ],
)
def test_recorded_runs_are_judged(run: str, state: SampleState, reason: str):
    (sample,) = survey(ena_row(run)).samples
    assert (sample.decision.state, sample.decision.reason) == (state, reason)


def test_geo_samples_and_series_behind_a_recorded_run_become_aliases():
    row = ena_row("SRR1425203")
    result = survey_sra(payload(row, accession=row["secondary_study_accession"], study=[]), REGISTRY)
    assert "GSM1415871" in result.samples[0].record.aliases
    assert result.experiment.aliases == ("GSE58637", row["study_accession"])


def test_an_array_express_study_alias_becomes_an_alias_of_the_experiment():
    row = ena_row("ERR1190989")
    result = survey_sra(payload(row, accession="ERP013565", study=[]), REGISTRY)
    assert result.experiment.aliases == ("E-MTAB-4111", "PRJEB12126")


def test_a_gsm_in_a_title_of_geo_is_an_alias_but_one_inside_a_longer_word_is_not():
    aliases = survey_one(
        experiment_title="BGISEQ-500 paired end sequencing; GSM4339769: BALF, C141; Homo sapiens; RNA-Seq",
        sample_alias="GSM43397690x",
        run_alias="GSM12345678_r2",
    ).record.aliases
    assert aliases[-2:] == ("GSM12345678", "GSM4339769")


def test_umbrella_projects_are_not_aliases():
    study = {
        "study_accession": "PRJDB90",
        "secondary_study_accession": "SRP000001",
        "parent_study_accession": "PRJDB1384;PRJNA171777",
    }
    assert survey(run_row(), study=[study]).experiment.aliases == ("PRJDB90", "PRJNA1")


def test_several_biosamples_of_a_pooled_run_are_all_aliases():
    record = survey_one(sample_accession="SAMN1;SAMN2").record
    assert record.biosample_accession == "SAMN1"
    assert {"SAMN1", "SAMN2"} <= set(record.aliases)


DECISIONS = {
    "an instrument outside the list": (
        {"instrument_model": "PacBio RS II"},
        "unsupported_platform",
        "unsupported_platform",
    ),
    "no instrument": ({"instrument_model": ""}, "unsupported_platform", "unsupported_platform"),
    "no organism": ({"scientific_name": ""}, "unsupported_platform", "unknown_organism"),
    "several organisms": ({"scientific_name": "Homo sapiens;Mus musculus"}, "unsupported_platform", "unknown_organism"),
    "an organism without letters": ({"scientific_name": "--"}, "unsupported_platform", "unknown_organism"),
    "ChIP-Seq": ({"library_strategy": "ChIP-Seq"}, "wrong_library_strategy", "library_strategy"),
    "miRNA-Seq": ({"library_strategy": "miRNA-Seq"}, "wrong_library_strategy", "library_strategy"),
    "ncRNA-Seq": ({"library_strategy": "ncRNA-Seq"}, "wrong_library_strategy", "library_strategy"),
    "no strategy": ({"library_strategy": None}, "wrong_library_strategy", "library_strategy"),
    "genomic source": ({"library_source": "GENOMIC"}, "wrong_library_strategy", "library_source"),
    "metatranscriptome": ({"library_source": "METATRANSCRIPTOMIC"}, "wrong_library_strategy", "library_source"),
    "single-cell source": ({"library_source": "TRANSCRIPTOMIC SINGLE CELL"}, "wrong_library_strategy", "single_cell"),
    "single-cell strategy": ({"library_strategy": "scRNA-Seq"}, "wrong_library_strategy", "single_cell"),
    "dbGaP title, no files": (
        NO_FILES | {"sample_title": 'Blood sample of a participant in the dbGaP study "GTEx"'},
        "controlled_access",
        "controlled_access",
    ),
    "EGA broker, no files": (NO_FILES | {"broker_name": "EGA"}, "controlled_access", "controlled_access"),
    "status says controlled": ({"status": "controlled"}, "controlled_access", "controlled_access"),
    "phs number, no files, blank platform": (
        NO_FILES | {"study_alias": "phs000424", "instrument_model": ""},
        "controlled_access",
        "controlled_access",
    ),
    "dbGaP mentioned, reads public": ({"study_title": "Follow-up of a dbGaP study"}, "surveyed", "eligible"),
    "no files at all": (NO_FILES, "no_raw_file", "no_raw_file"),
    "only submitted files": (NO_FILES | {"submitted_ftp": "ftp.sra.ebi.ac.uk/x.bam"}, "no_raw_file", "no_raw_file"),
    "suppressed": ({"status": "suppressed"}, "withdrawn_upstream", "suppressed_upstream"),
    "strategy in other letter case": ({"library_strategy": "RNA-SEQ"}, "surveyed", "eligible"),
    "platform named as refine.bio's code": ({"instrument_model": "IlluminaHiSeq2000"}, "surveyed", "eligible"),
}


@pytest.mark.parametrize("case", DECISIONS)
def test_each_run_gets_the_state_and_reason_of_the_first_rule_that_objects(case: str):
    columns, state, reason = DECISIONS[case]
    decision = survey_one(**columns).decision
    assert (decision.state.value, decision.reason) == (state, reason)
    assert decision.message.endswith(".")
    assert len(decision.message.split()) > 5


def test_a_biosample_of_dbgap_marks_a_run_without_files_as_controlled_access():
    biosample = {"characteristics": {"gap accession": [{"text": "phs000178"}]}}
    (sample,) = survey(run_row(**NO_FILES), biosamples={"SAMN00000001": biosample}).samples
    assert sample.decision.state is SampleState.CONTROLLED_ACCESS


def test_a_blacklisted_run_is_recorded_with_the_reason():
    (sample,) = survey_sra(payload(run_row()), REGISTRY, blacklist={"SRR1000001"}).samples
    assert (sample.decision.state, sample.decision.reason) == (SampleState.FAILED_QC, "blacklisted_run")
    assert sample.record.files == ()


def test_duplicate_rows_are_one_sample_and_fill_each_others_gaps():
    first = run_row(library_layout="", sample_title="first")
    second = run_row(sample_title="second")
    result = survey(first, second)
    assert [(each.record.accession, each.record.title) for each in result.samples] == [("SRR1000001", "first")]
    assert result.experiment.annotations["survey"]["duplicate_rows"] == 1


def test_rows_that_name_no_run_are_counted_and_do_not_stop_the_others():
    result = survey(run_row(), run_row(run="SRR1000002") | {"run_accession": ""}, {"run_accession": "nonsense"})
    assert len(result.samples) == 1
    assert result.experiment.annotations["survey"]["rows_without_run_accession"] == 2


def test_a_study_without_runs_is_an_experiment_without_samples():
    assert survey().samples == ()


def test_samples_come_in_the_order_of_their_numbers():
    runs = [f"SRR{number}" for number in (10000001, 9000001, 9000002)]
    result = survey(*(run_row(run=run) for run in runs))
    assert [each.record.accession for each in result.samples] == ["SRR9000001", "SRR9000002", "SRR10000001"]


def test_the_publication_is_taken_over():
    publication = {"pubmed_id": 25549968, "title": "T", "doi": "10.1/x", "authors": ["A B", "C D"]}
    experiment = survey(run_row(), publication=publication).experiment
    assert (experiment.pubmed_id, experiment.publication_doi) == ("25549968", "10.1/x")
    assert experiment.publication_authors == ("A B", "C D")


def test_biosample_attributes_lead_over_the_columns_of_ena_and_keep_their_ontology_term():
    biosample = {
        "characteristics": {
            "organism part": [{"text": "Liver", "ontologyTerms": ["http://purl.obolibrary.org/obo/UBERON_0002107"]}],
            "age": [{"text": "8", "unit": "weeks"}],
        }
    }
    (sample,) = survey(run_row(sex="female"), biosamples={"SAMN00000001": biosample}).samples
    values = {value.field: value for value in sample.record.harmonized}
    assert (values["specimen_part"].value, values["specimen_part"].ontology_term_id) == ("liver", "UBERON:0002107")
    assert (values["age"].value, values["age"].unit) == ("8", "week")
    assert (values["sex"].value, values["sex"].raw_key) == ("female", "sex")


@pytest.mark.parametrize("field", ["accession", "read_run", "study", "biosamples"])
def test_a_missing_field_is_named(field: str):
    broken = payload(run_row())
    del broken[field]
    with pytest.raises(MalformedPayloadError, match=field):
        survey_sra(broken, REGISTRY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accession", "not an accession"),
        ("accession", None),
        ("read_run", "<html><body>Service unavailable</body></html>"),
        ("read_run", {"run_accession": "SRR1000001"}),
        ("read_run", ["SRR1000001"]),
        ("study", [None]),
        ("biosamples", []),
        ("biosamples", {"SAMN1": "<html>"}),
        ("publication", ["x"]),
    ],
)
def test_a_field_of_the_wrong_type_is_named(field: str, value: object):
    with pytest.raises(MalformedPayloadError, match=field):
        survey_sra(payload(run_row()) | {field: value}, REGISTRY)


def test_a_page_instead_of_a_payload_is_malformed():
    with pytest.raises(MalformedPayloadError, match="payload"):
        survey_sra("<html>challenge</html>", REGISTRY)  # type: ignore[arg-type]  # what a careless caller might pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
odd_rows = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(run_row(), json_values)
    | {"sample_title": json_values, "experiment_title": json_values, "age": json_values}
    | {"run_accession": st.sampled_from(["SRR1000001", "srr1000002", "SRR12345678", "", None, 7, "x"])},
)
odd_biosamples = st.dictionaries(
    st.just("SAMN00000001"),
    st.dictionaries(
        st.just("characteristics"),
        st.dictionaries(
            st.text(max_size=12),
            json_values
            | st.lists(st.dictionaries(st.sampled_from(["text", "unit", "ontologyTerms"]), json_values), max_size=2),
            max_size=4,
        )
        | json_values,
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(odd_rows | st.builds(lambda odd: run_row() | odd, odd_rows), max_size=4),
    biosamples=odd_biosamples,
    study=st.lists(
        st.dictionaries(st.sampled_from(["study_title", "study_alias", "first_public"]), json_values), max_size=2
    ),
    source=st.sampled_from(["ena", "sra"]),
)
def test_odd_values_never_break_a_survey_and_every_run_is_there_exactly_once(rows, biosamples, study, source):
    result = survey_sra(payload(*rows, biosamples=biosamples, study=study), REGISTRY, raw_data_source=source)

    named = {row["run_accession"].upper() for row in rows if str(row.get("run_accession")).upper().startswith("SRR")}
    accessions = [each.record.accession for each in result.samples]
    assert set(accessions) == named
    assert len(accessions) == len(named)
    counted = result.experiment.annotations["survey"]
    assert (
        counted["rows"] == len(rows) == len(named) + counted["duplicate_rows"] + counted["rows_without_run_accession"]
    )
    for each in result.samples:
        assert each.decision.state is not SampleState.SURVEYED or each.record.files


@settings(max_examples=50, deadline=None)
@given(value=json_values, field=st.sampled_from(["accession", "read_run", "study", "biosamples", "publication"]))
def test_any_payload_gives_a_result_or_a_malformed_payload_error(value, field):
    with suppress(MalformedPayloadError):
        assert isinstance(survey_sra(payload(run_row()) | {field: value}, REGISTRY), SurveyResult)


def test_the_order_of_rows_does_not_change_the_result():
    rows = [run_row(run=f"SRR100000{number}", **fastq_columns(f"SRR100000{number}", "_1", "_2")) for number in range(5)]
    assert survey(*rows).samples == survey(*reversed(rows)).samples


def test_a_study_knows_its_names_in_geo_and_array_express_and_all_its_own_numbers():
    study = {
        "study_accession": "PRJNA1",
        "secondary_study_accession": "SRP000001;SRP000777",
        "study_alias": "E-MTAB-77",
        "geo_accession": "GSE55",
    }
    run = {"secondary_study_accession": "SRP000001", "study_alias": "GSE56"}

    result = survey(run_row(**run), study=[study], accession="SRP000001")

    assert set(result.experiment.aliases) >= {"E-MTAB-77", "GSE55", "GSE56", "PRJNA1", "SRP000777"}
    assert result.linked_studies == ()
