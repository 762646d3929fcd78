"""Made-up ArrayExpress studies are read by the project's own parsers and survey as real ones are."""

from __future__ import annotations

from datetime import date

from examples.synthetic_array_express import SyntheticArrayExpressStudy
from refinebio_assets.domain.vocabulary import SampleState
from refinebio_assets.survey.array_express import survey_array_express
from refinebio_assets.survey.biostudies import parse_study, parse_study_info
from refinebio_assets.survey.registry import PlatformRegistry


def surveyed(study):
    documents = {name: content.decode(study.encoding) for name, content in study.documents().items()}
    payload = {
        "source": "ARRAY_EXPRESS",
        "accession": study.accession,
        "study": study.study(),
        "info": study.info(),
        "idf": documents[f"{study.accession}.idf.txt"],
        "sdrf": [text for name, text in sorted(documents.items()) if name.endswith(".sdrf.txt")],
        "files": [],
    }
    return survey_array_express(payload, PlatformRegistry.load())


def test_every_kind_of_assay_is_judged_as_a_real_one():
    study = SyntheticArrayExpressStudy("E-MTAB-900001", sequence_study="ERP900001")
    study.add_array_assay()
    study.add_array_assay(design="A-AGIL-28", file=b"text", filename="chip.txt")
    study.add_array_assay(file=None)
    study.add_sequencing_assay()
    study.add_sequencing_assay(strategy="ChIP-Seq")
    result = surveyed(study)
    assert [(each.decision.state, each.decision.reason) for each in result.samples] == [
        (SampleState.SURVEYED, "eligible"),
        (SampleState.UNSUPPORTED_PLATFORM, "unsupported_platform"),
        (SampleState.NO_RAW_FILE, "no_raw_file"),
        (SampleState.SUPERSEDED, "processed_from_sra"),
        (SampleState.WRONG_LIBRARY_STRATEGY, "library_strategy"),
    ]
    assert result.experiment.annotations["survey"]["warnings"] == []
    assert result.experiment.annotations["survey"]["rows_without_assay"] == []


def test_the_study_is_described():
    study = SyntheticArrayExpressStudy(
        "E-MTAB-900001",
        title="A title",
        description="A description",
        released=date(2021, 2, 3),
        modified=date(2022, 3, 4),
        sequence_study="ERP900001",
        pubmed_id="900001",
    )
    study.add_sequencing_assay(run="ERR900000001", characteristics={"organism part": "liver"}, factors={"sex": "male"})
    result = surveyed(study)
    experiment, (sample,) = result.experiment, result.samples
    assert (experiment.title, experiment.description, experiment.pubmed_id) == ("A title", "A description", "900001")
    assert (experiment.first_published, experiment.last_updated) == (date(2021, 2, 3), date(2022, 3, 4))
    assert experiment.aliases == ("ERP900001",)
    assert (sample.record.run_accession, sample.record.experiment_accession) == ("ERR900000001", "ERX900000001")
    assert {each.field: each.value for each in sample.record.harmonized} == {"specimen_part": "liver", "sex": "male"}


def test_arrays_and_sequencing_have_sdrfs_of_their_own():
    study = SyntheticArrayExpressStudy("E-MTAB-900001")
    study.add_array_assay()
    assert list(study.documents()) == ["E-MTAB-900001.idf.txt", "E-MTAB-900001.sdrf.txt"]
    study.add_sequencing_assay()
    assert list(study.documents()) == [
        "E-MTAB-900001.idf.txt",
        "E-MTAB-900001.hyb.sdrf.txt",
        "E-MTAB-900001.seq.sdrf.txt",
    ]


def test_assays_with_other_columns_share_an_sdrf():
    study = SyntheticArrayExpressStudy("E-MTAB-900001")
    study.add_array_assay("one", characteristics={"age": "3"})
    study.add_array_assay("two", characteristics={"sex": "male", "age": "4"})
    one, two = surveyed(study).samples
    assert {each.field: each.value for each in one.record.harmonized} == {"age": "3"}
    assert {each.field: each.value for each in two.record.harmonized} == {"age": "4", "sex": "male"}


def test_the_written_folder_holds_documents_files_and_what_biostudies_tells(tmp_path):
    study = SyntheticArrayExpressStudy("E-MTAB-900001", has_file_list=True, pubmed_id="900001")
    study.add_array_assay()
    folder = study.write(tmp_path)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "biostudies/E-MTAB-900001/files/E-MTAB-900001.idf.txt",
        "biostudies/E-MTAB-900001/files/E-MTAB-900001.sdrf.txt",
        "biostudies/E-MTAB-900001/files/E-MTAB-900001_raw_data.json",
        "biostudies/E-MTAB-900001/files/chip_1.CEL",
        "biostudies/E-MTAB-900001/info.json",
        "biostudies/E-MTAB-900001/study.json",
        "pubmed.json",
    ]
    assert parse_study(study.study()).array_designs == ("A-AFFY-44",)
    assert parse_study_info(study.info()).files == 3


def test_a_study_need_not_tell_when_it_changed(tmp_path):
    study = SyntheticArrayExpressStudy("E-MTAB-900001", has_info=False)
    study.add_array_assay()
    assert not (study.write(tmp_path) / "biostudies/E-MTAB-900001/info.json").exists()
