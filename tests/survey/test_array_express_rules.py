from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.records import SurveyedSample
from refinebio_assets.survey.array_express import survey_array_express
from refinebio_assets.survey.registry import PlatformRegistry
from tests.survey.array_express_studies import array_row, made_up, sequencing_row, table

REGISTRY = PlatformRegistry.load()


def survey(*rows: dict[str, str], **fields: Any) -> tuple[SurveyedSample, ...]:
    return survey_array_express(made_up(table(*rows), **fields), REGISTRY).samples


def decision(row: dict[str, str], **fields: Any) -> tuple[str, str]:
    (sample,) = survey(row, **fields)
    assert sample.decision.message.endswith(".")
    return sample.decision.state.value, sample.decision.reason


def study_type(name: str) -> str:
    return f"Investigation Title\tA study\nComment[AEExperimentType]\t{name}\n"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (array_row(), ("surveyed", "eligible")),
        (array_row(Array_Design_REF="a-affy-44"), ("surveyed", "eligible")),
        (array_row(Array_Design_REF="A-GEOD-570"), ("surveyed", "eligible")),
        (array_row(Array_Design_REF="A-AFFY-99999"), ("surveyed", "platform_from_cel_header")),
        (array_row(Array_Design_REF=""), ("surveyed", "platform_from_cel_header")),
        (array_row(Array_Design_REF="", Array_Data_File="x.txt"), ("unsupported_platform", "unknown_platform")),
        (
            array_row(Array_Design_REF="A-AGIL-28", Array_Data_File="x.txt"),
            ("unsupported_platform", "unsupported_platform"),
        ),
        (array_row(Array_Data_File=""), ("no_raw_file", "no_raw_file")),
        (array_row(Array_Data_File="", Derived_Array_Data_File="x.txt"), ("surveyed", "submitter_processed")),
        (array_row(Array_Data_File="x.txt"), ("surveyed", "submitter_processed")),
        (array_row(Array_Design_REF="A-MEXP-1171", Array_Data_File="x.txt"), ("surveyed", "eligible")),
        (array_row() | {"Characteristics[organism]": ""}, ("unsupported_platform", "unknown_organism")),
        (array_row() | {"Characteristics[organism]": "not specified"}, ("unsupported_platform", "unknown_organism")),
        (sequencing_row(), ("superseded", "processed_from_sra")),
        (sequencing_row(ENA_RUN=""), ("superseded", "processed_from_sra")),
        (sequencing_row(LIBRARY_STRATEGY="rna-seq"), ("superseded", "processed_from_sra")),
        (sequencing_row(LIBRARY_STRATEGY="miRNA-Seq"), ("wrong_library_strategy", "library_strategy")),
        (sequencing_row(LIBRARY_SOURCE="GENOMIC"), ("wrong_library_strategy", "library_source")),
        (sequencing_row(LIBRARY_SOURCE="TRANSCRIPTOMIC SINGLE CELL"), ("wrong_library_strategy", "single_cell")),
        (sequencing_row(ENA_RUN="", ENA_EXPERIMENT=""), ("no_raw_file", "no_sra_study")),
    ],
)
def test_assays_are_judged(row: dict[str, str], expected: tuple[str, str]):
    assert decision(row) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("transcription profiling by array", "eligible"),
        ("translation profiling", "eligible"),
        ("ChIP-chip by tiling array", "not_expression"),
        ("comparative genomic hybridization by array", "not_expression"),
        ("methylation profiling by array", "not_expression"),
        ("genotyping by array", "not_expression"),
        ("genotyping by array\ttranscription profiling by array", "eligible"),
    ],
)
def test_arrays_of_studies_that_measure_something_else_are_left_out(name: str, expected: str):
    assert decision(array_row(), idf=study_type(name))[1] == expected


def test_a_single_cell_study_is_told_by_its_type():
    row = sequencing_row(LIBRARY_SOURCE="TRANSCRIPTOMIC")
    assert decision(row, idf=study_type("RNA-seq of coding RNA from single cells"))[1] == "single_cell"


def test_reads_behind_an_access_committee():
    row = sequencing_row(ENA_RUN="", ENA_EXPERIMENT="")
    idf = "Investigation Title\tA study\nComment[SecondaryAccession]\tEGAS00001000001\n"
    assert decision(row, idf=idf) == ("controlled_access", "controlled_access")


def test_two_channels_of_two_organisms_have_no_organism():
    rows = (array_row(Label="Cy3"), array_row(Label="Cy5") | {"Characteristics[organism]": "Mus musculus"})
    (sample,) = survey(*rows)
    assert sample.decision.reason == "unknown_organism"
    assert "Homo sapiens, Mus musculus" in sample.decision.message
    assert sample.record.organism is None


def test_two_labels_on_an_unlisted_array_are_told_as_two_colours():
    (sample,) = survey(*(array_row(Label=label, Array_Design_REF="A-MEXP-255") for label in ("Cy3", "Cy5")))
    assert sample.decision.reason == "two_colour_array"
    assert "A-MEXP-255" in sample.decision.message


FILES = [{"path": "chip 1.CEL", "size": 5, "md5": "0" * 32}]


def test_sizes_and_checksums_come_from_the_file_list():
    (sample,) = survey(array_row(), files=FILES)
    (file,) = sample.record.files
    assert (file.url.rpartition("/")[2], file.size_bytes, file.md5) == ("chip%201.CEL", 5, "0" * 32)


def test_a_file_in_an_archive_is_fetched_with_the_archive():
    row = array_row() | {"Comment[ArrayExpress FTP file]": "ftp://ftp.ebi.ac.uk/x/E-MTAB-1.raw.1.zip"}
    row = {
        key: row[key] for key in [*list(array_row())[:-1], "Comment[ArrayExpress FTP file]", "Derived Array Data File"]
    }
    (sample,) = survey(row, files=[{"path": "E-MTAB-1.raw.1.zip"}])
    (file,) = sample.record.files
    assert (file.filename, file.kind) == ("E-MTAB-1.raw.1.zip", "archive")
    assert sample.record.annotations["files"][0]["name"] == "chip 1.CEL"
    assert sample.decision.reason == "eligible"

    (direct,) = survey(row, files=[{"path": "E-MTAB-1.raw.1.zip"}, *FILES])
    assert direct.record.files[0].filename == "chip 1.CEL"


def test_a_raw_file_the_archive_does_not_have_is_told_and_processed_data_taken_instead():
    row = array_row(Derived_Array_Data_File="values.txt")
    (sample,) = survey(row, files=[{"path": "values.txt"}])
    assert sample.decision.reason == "submitter_processed"
    assert sample.record.has_raw is False
    assert sample.record.annotations["notes"] == ["The archive does not list chip 1.CEL, which the SDRF names."]

    (without,) = survey(array_row(), files=[{"path": "other.txt"}])
    assert without.decision.reason == "no_raw_file"
    assert "chip 1.CEL" in without.decision.message


def test_the_letter_case_of_a_file_name_does_not_matter():
    (sample,) = survey(array_row(Array_Data_File="CHIP 1.cel"), files=FILES)
    assert sample.record.files[0].filename == "chip 1.CEL"


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "C:\\data\\..\\x.CEL"])
def test_file_names_never_lead_out_of_the_study(name: str):
    (sample,) = survey(array_row(Array_Data_File=name))
    for file in sample.record.files:
        assert file.url.startswith("https://www.ebi.ac.uk/biostudies/files/E-MTAB-1/")
        assert ".." not in file.url
        assert file.filename in {"passwd", "x.CEL"}


def test_one_name_for_the_two_arrays_of_a_set_gives_two_samples():
    samples = survey(
        array_row("P1", Array_Design_REF="A-AFFY-33", Array_Data_File="P1_A.CEL"),
        array_row("P1", Array_Design_REF="A-AFFY-34", Array_Data_File="P1_B.CEL"),
    )
    assert [sample.record.platform_accession for sample in samples] == ["hgu133a", "hgu133b"]
    assert len({sample.record.accession for sample in samples}) == 2
    assert all(sample.record.accession.startswith("E-MTAB-1-P1-") for sample in samples)


def test_one_name_for_several_cel_files_gives_one_sample_each():
    samples = survey(array_row("P1", Array_Data_File="a.CEL"), array_row("P1", Array_Data_File="b.CEL"))
    assert [[file.filename for file in sample.record.files] for sample in samples] == [["a.CEL"], ["b.CEL"]]


def test_technical_and_biological_replicates_are_told_apart():
    group = "Factor Value[dose]"
    first = array_row("A1") | {group: "5"}
    rescan = array_row("A2") | {"Source Name": first["Source Name"], "Extract Name": first["Extract Name"], group: "5"}
    other = array_row("B1") | {group: "5"}
    replicates = [sample.record.annotations["replicates"] for sample in survey(first, rescan, other)]
    assert [each["assays_of_extract"] for each in replicates] == [2, 2, 1]
    assert [each["sources_with_these_factor_values"] for each in replicates] == [2, 2, 2]


def test_accessions_are_safe_and_the_submitters_spelling_finds_the_sample():
    (sample,) = survey(array_row("donor A/islets #1"))
    assert sample.record.accession == "E-MTAB-1-donor_A_islets_1"
    assert sample.record.aliases == ("E-MTAB-1-donor A/islets #1",)


def test_rows_without_an_assay_are_counted_with_their_line():
    rows = (array_row(), array_row() | {"Assay Name": "", "Array Data File": "", "Derived Array Data File": ""})
    result = survey_array_express(made_up(table(*rows)), REGISTRY)
    assert len(result.samples) == 1
    assert result.experiment.annotations["survey"]["rows_without_assay"] == ["E-MTAB-1.sdrf.txt:3"]


def test_without_a_column_for_assays_the_scan_or_file_names_them():
    row = {key: value for key, value in array_row().items() if key != "Assay Name"}
    (sample,) = survey(row)
    assert sample.record.accession == "E-MTAB-1-chip_1.CEL"


NAMES = st.text(st.sampled_from("aAbB1 _-./é"), min_size=1, max_size=6).filter(lambda name: name.strip(" "))


@given(st.lists(NAMES, min_size=1, max_size=12, unique_by=str.strip), st.randoms())
def test_accessions_are_unique_whatever_the_names_and_independent_of_the_order(names: list[str], random: Any):
    def accessions(order: list[str]) -> dict[str, str]:
        samples = survey(*(array_row(name, Array_Data_File="") for name in order))
        return {sample.record.annotations["assay"]["name"]: sample.record.accession for sample in samples}

    first = accessions(names)
    random.shuffle(names)
    assert accessions(names) == first
    assert len({accession.casefold() for accession in first.values()}) == len(names)
