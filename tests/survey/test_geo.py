from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedPayloadError
from refinebio_assets.domain.records import SurveyedSample
from refinebio_assets.domain.vocabulary import SampleState, Technology
from refinebio_assets.survey.geo import survey_geo
from refinebio_assets.survey.geo_attributes import geo_date
from refinebio_assets.survey.geo_files import accession_folder, current_url, family_file_url
from refinebio_assets.survey.registry import PlatformRegistry
from tests.survey.geo_files import FAMILIES, array_sample, cel, entity, payload, read_family

REGISTRY = PlatformRegistry.load()
SERIES = {
    path.name: family for path in FAMILIES if (family := read_family(path)).accession() is not None and family.entities
}


def one(sample, **series) -> SurveyedSample:
    result = survey_geo(payload(sample, **series), REGISTRY)
    assert len(result.samples) == 1
    return result.samples[0]


def decision(sample, **series) -> tuple[SampleState, str]:
    found = one(sample, **series).decision
    return found.state, found.reason


def harmonized(sample) -> dict[str, tuple[str, str]]:
    return {value.field: (value.raw_key, value.value) for value in one(sample).record.harmonized}


def gsms(value) -> set[str]:
    """Every GSM that a payload describes or its series lists."""
    described = {sample["accession"] for sample in value["samples"] if re.fullmatch("GSM[0-9]+", sample["accession"])}
    listed = {gsm for series in value["series"] for gsm in series["attributes"].get("sample_id", [])}
    return described | listed


@pytest.mark.parametrize("name", sorted(SERIES))
def test_every_gsm_of_a_real_series_is_there_once_with_a_reason(name):
    value = json.loads(json.dumps(SERIES[name].to_payload()))
    result = survey_geo(value, REGISTRY)
    accessions = [sample.record.accession for sample in result.samples]
    assert len(accessions) == len(set(accessions))
    assert set(accessions) == gsms(value)
    assert all(sample.decision.reason and sample.decision.message.endswith(".") for sample in result.samples)


@pytest.mark.parametrize(
    ("name", "decisions"),
    [
        ("GSE18707.soft.gz", {"eligible": 21}),
        ("GSE16035.soft.gz", {"eligible": 24}),
        ("GSE13_family.soft.gz", {"submitter_processed": 55}),
        ("GSE71229_family.soft.gz", {"processed_from_sra": 12}),
        ("GSE52778_series_matrix.txt.gz", {"processed_from_sra": 16}),
        ("GSE28843.soft.gz", {"two_colour_array": 36}),
        ("GSE2122.soft.gz", {"unsupported_platform": 4}),
        ("GSE1074_family.soft.gz", {"eligible": 12, "two_colour_array": 12}),
        ("GSE465_family.soft.gz", {"eligible": 27, "platform_from_cel_header": 30}),
        ("GSE464_family.soft.gz", {"eligible": 542, "submitter_processed": 2}),
        ("GSE180363.miniml.xml.gz", {"sample_not_described": 16}),
    ],
)
def test_real_series_are_decided_as_their_files_allow(name, decisions):
    result = survey_geo(SERIES[name].to_payload(), REGISTRY)
    assert dict(Counter(sample.decision.reason for sample in result.samples)) == decisions


def test_the_platform_is_that_of_the_sample_and_not_of_the_series():
    result = survey_geo(SERIES["GSE1074_family.soft.gz"].to_payload(), REGISTRY)
    assert {sample.record.platform_accession for sample in result.samples} == {"GPL560", "mouse4302"}
    first, second = survey_geo(
        payload(array_sample("GSM1"), array_sample("GSM2", platform_id="GPL6480"), platform_id=["GPL570", "GPL6480"]),
        REGISTRY,
    ).samples
    assert (first.record.platform_accession, second.record.platform_accession) == ("hgu133plus2", "GPL6480")


def test_a_sample_without_platform_takes_that_of_the_series_only_if_it_has_one():
    sample = array_sample(platform_id=None)
    alone = one(sample, platform_id="GPL570")
    assert alone.record.platform_accession == "hgu133plus2"
    assert "of the series" in alone.record.annotations["notes"][0]
    assert one(sample, platform_id=["GPL570", "GPL10558"]).record.platform_accession is None


@pytest.mark.parametrize("gsm", ["GSM1", "GSM1234567", "GSM12345678", "GSM123456789"])
def test_an_accession_is_never_cut_short(gsm):
    sample = one(array_sample(gsm))
    assert sample.record.accession == gsm
    assert sample.record.files[0].url.startswith(
        f"https://ftp.ncbi.nlm.nih.gov/geo/samples/{accession_folder(gsm)}/{gsm}/"
    )


def test_a_series_without_institute_samples_or_description_is_surveyed():
    result = survey_geo(payload() | {"series": []}, REGISTRY)
    assert (result.experiment.accession, result.experiment.title) == ("GSE1000", "GSE1000")
    assert (result.experiment.institution, result.samples) == (None, ())


def test_the_experiment_has_what_the_series_says():
    result = survey_geo(SERIES["GSE71229_family.soft.gz"].to_payload(), REGISTRY)
    experiment = result.experiment
    assert experiment.technology is Technology.RNA_SEQ
    assert experiment.aliases == ("E-GEOD-71229", "PRJNA290643", "SRP061434")
    assert experiment.annotations["subseries_of"] == ["GSE71235"]
    assert experiment.first_published == date(2015, 11, 27)
    assert experiment.last_updated is not None
    assert experiment.institution is not None
    assert experiment.annotations["survey"]["samples_described"] == 12


def test_a_sequenced_sample_points_to_its_study_and_knows_its_aliases():
    sample = survey_geo(SERIES["GSE71229_family.soft.gz"].to_payload(), REGISTRY).samples[0]
    assert sample.decision.state is SampleState.SUPERSEDED
    assert "SRP061434" in sample.decision.message
    assert sample.record.experiment_accession == "SRX1116194"
    assert sample.record.biosample_accession is not None
    assert set(sample.record.aliases) >= {"SRX1116194", sample.record.biosample_accession}
    assert sample.record.files == ()


def test_an_umbrella_project_of_a_superseries_is_no_alias():
    relation = [
        "SuperSeries of: GSE1001",
        "SuperSeries of: GSE1002",
        "BioProject: https://www.ncbi.nlm.nih.gov/bioproject/PRJNA7",
    ]
    experiment = survey_geo(payload(array_sample(), relation=relation), REGISTRY).experiment
    assert experiment.aliases == ("E-GEOD-1000",)
    assert experiment.annotations["superseries_of"] == ["GSE1001", "GSE1002"]


def test_a_mixed_series_has_the_technology_of_what_is_processed():
    sequenced = entity("GSM2", type="SRA", platform_id="GPL11154", organism_ch1="Homo sapiens")
    related = "SRA: https://www.ncbi.nlm.nih.gov/sra?term=SRP000001"
    result = survey_geo(payload(array_sample("GSM1"), sequenced, relation=related), REGISTRY)
    assert result.experiment.technology is Technology.MICROARRAY
    assert result.experiment.annotations["technologies"] == {"MICROARRAY": 1, "RNA_SEQ": 1}
    assert [sample.decision.reason for sample in result.samples] == ["eligible", "processed_from_sra"]


SEQUENCED = {"type": "SRA", "platform_id": "GPL11154", "supplementary_file": None}
TWO_COLOURS = {"platform_id": "GPL6480", "channel_count": "2", "supplementary_file": None}


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (array_sample(), (SampleState.SURVEYED, "eligible")),
        (array_sample(supplementary_file=None, table=54675), (SampleState.SURVEYED, "submitter_processed")),
        (array_sample(supplementary_file="NONE"), (SampleState.NO_RAW_FILE, "no_raw_file")),
        (array_sample(supplementary_file="NONE", table=0), (SampleState.NO_RAW_FILE, "no_raw_file")),
        (array_sample(platform_id="GPL99999"), (SampleState.SURVEYED, "platform_from_cel_header")),
        (
            array_sample(platform_id="GPL6480", supplementary_file=None, table=9),
            (SampleState.UNSUPPORTED_PLATFORM, "unsupported_platform"),
        ),
        (
            array_sample(platform_id=None, supplementary_file=None),
            (SampleState.UNSUPPORTED_PLATFORM, "unsupported_platform"),
        ),
        (array_sample(**TWO_COLOURS), (SampleState.UNSUPPORTED_PLATFORM, "two_colour_array")),
        (array_sample(channel_count="2", organism_ch2="Homo sapiens"), (SampleState.SURVEYED, "eligible")),
        (
            array_sample(organism_ch1=["Homo sapiens", "Mus musculus"]),
            (SampleState.UNSUPPORTED_PLATFORM, "unknown_organism"),
        ),
        (array_sample(molecule_ch1="genomic DNA"), (SampleState.WRONG_LIBRARY_STRATEGY, "not_rna")),
        (array_sample(**SEQUENCED), (SampleState.NO_RAW_FILE, "no_sra_study")),
        (
            array_sample(**SEQUENCED, relation="SRA: https://www.ncbi.nlm.nih.gov/sra?term=SRX000001"),
            (SampleState.SUPERSEDED, "processed_from_sra"),
        ),
        (
            array_sample(**SEQUENCED, library_strategy="ChIP-Seq"),
            (SampleState.WRONG_LIBRARY_STRATEGY, "library_strategy"),
        ),
        (entity("GSM1"), (SampleState.WITHDRAWN_UPSTREAM, "sample_not_described")),
    ],
)
def test_each_reason_is_found(sample, expected):
    assert decision(sample) == expected


def test_the_message_names_the_platform():
    message = one(array_sample(platform_id="GPL6480", supplementary_file=None)).decision.message
    assert "GPL6480 (Agilent-014850)" in message


def test_a_listed_sample_that_is_not_described_has_a_state():
    result = survey_geo(payload(array_sample("GSM1"), sample_id=["GSM1", "GSM2"]), REGISTRY)
    assert [(sample.record.accession, sample.decision.state) for sample in result.samples] == [
        ("GSM1", SampleState.SURVEYED),
        ("GSM2", SampleState.WITHDRAWN_UPSTREAM),
    ]


def test_a_missing_organism_is_that_of_a_platform_made_for_one():
    assert one(array_sample(organism_ch1=None)).record.organism == "HOMO_SAPIENS"
    two = payload(array_sample(organism_ch1=None))
    two["platforms"] = [entity("GPL570", organism=["Homo sapiens", "Mus musculus"])]
    assert survey_geo(two, REGISTRY).samples[0].decision.reason == "unknown_organism"


@pytest.mark.parametrize(
    ("files", "kinds"),
    [
        (["x/GSM1_A.CEL.gz"], ["cel"]),
        (["x/GSM1_a.cel", "x/GSM1_A.CHP.gz", "x/GSM1.EXP.gz"], ["cel"]),
        (["NONE", "x/GSM1.CEL.gz"], []),
        (["x/GSM1.CEL.CHP.gz"], []),
        (["x/GSM1.cell_counts.txt.gz"], []),
        (["x/GSM1_Grn.idat.gz", "x/GSM1.pair.gz", "x/GSM1.tif.gz"], []),
        (["x/GSM1_non_normalized.txt.gz"], ["table"]),
        (["x/GSM1-non-normalized.txt.gz", "x/GSM1.csv.gz"], ["table"]),
        (["x/GSM1_normalized.txt.gz"], []),
    ],
)
def test_raw_files_are_known_by_their_names(files, kinds):
    urls = [name if name == "NONE" else f"ftp://ftp.ncbi.nlm.nih.gov/geo/{name}" for name in files]
    assert [file.kind for file in one(array_sample(supplementary_file=urls)).record.files] == kinds


def test_a_file_name_without_address_is_no_file():
    assert decision(array_sample(supplementary_file="file1.CEL"))[1] == "no_raw_file"


@pytest.mark.parametrize("address", ["ftp://[x/GSM1000001.CEL.gz", "https://[::1/a_non-normalized.txt", "//[x]y/a.CEL"])
def test_an_address_that_is_none_is_no_file_and_takes_no_series_down(address):
    assert one(array_sample(supplementary_file=address)).record.files == ()


def test_numbered_supplementary_files_count():
    sample = array_sample(supplementary_file=None, supplementary_file_1=cel("GSM1000001"))
    assert one(sample).record.files[0].kind == "cel"


def test_the_series_non_normalised_table_is_for_its_illumina_arrays_without_own_files():
    table = "ftp://ftp.ncbi.nlm.nih.gov/geo/series/GSE1nnn/GSE1000/suppl/GSE1000_non-normalized.txt.gz"
    illumina = array_sample("GSM1", platform_id="GPL10558", supplementary_file=None)
    affymetrix = array_sample("GSM2", supplementary_file=None)
    first, second = survey_geo(payload(illumina, affymetrix, supplementary_file=table), REGISTRY).samples
    assert [file.filename for file in first.record.files] == ["GSE1000_non-normalized.txt.gz"]
    assert first.record.manufacturer == "ILLUMINA"
    assert second.decision.reason == "no_raw_file"


def test_a_processed_table_is_taken_from_the_family_file():
    record = one(array_sample(supplementary_file=None, table=54675)).record
    assert [(file.kind, file.url) for file in record.files] == [("table", family_file_url("GSE1000"))]
    assert record.has_raw is False


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "ftp://ftp.ncbi.nih.gov/pub/geo/DATA/supplementary/samples/GSM11nnn/GSM11805/GSM11805.CEL.gz",
            "https://ftp.ncbi.nlm.nih.gov/geo/samples/GSM11nnn/GSM11805/suppl/GSM11805.CEL.gz",
        ),
        (
            "ftp://ftp.ncbi.nlm.nih.gov/pub/geo/DATA/supplementary/samples/GSM1339/GSM1339.CEL.gz",
            "https://ftp.ncbi.nlm.nih.gov/geo/samples/GSM1nnn/GSM1339/suppl/GSM1339.CEL.gz",
        ),
        ("ftp://example.org/a.CEL", "ftp://example.org/a.CEL"),
    ],
)
def test_former_addresses_of_geo_become_todays(old, new):
    assert current_url(old) == new


@pytest.mark.parametrize(
    ("accession", "folder"),
    [("GSE1", "GSEnnn"), ("GSE781", "GSEnnn"), ("GSM11805", "GSM11nnn"), ("GSM1000", "GSM1nnn")],
)
def test_folders_hide_the_last_three_digits(accession, folder):
    assert accession_folder(accession) == folder


def test_characteristics_are_split_at_the_first_colon_and_keep_their_channel():
    sample = array_sample(
        characteristics_ch1=["tissue: liver: left lobe", "Sex: F", "no key"], characteristics_ch2=["cell line: HeLa"]
    )
    assert harmonized(sample) == {
        "specimen_part": ("characteristics_ch1: tissue", "liver: left lobe"),
        "sex": ("characteristics_ch1: Sex", "female"),
        "cell_line": ("characteristics_ch2: cell line", "hela"),
    }
    assert survey_geo(payload(sample), REGISTRY).coverage == {"characteristics_ch1": 1}


def test_a_key_that_comes_twice_loses_no_value():
    assert harmonized(array_sample(characteristics_ch1=["treatment: A", "treatment: B"]))["treatment"][1] == "a;b"


def test_the_source_name_speaks_only_if_nothing_else_does():
    assert harmonized(array_sample(source_name_ch1="Liver"))["specimen_part"] == ("source_name_ch1", "liver")
    both = array_sample(source_name_ch1="Patient 3", characteristics_ch1="tissue: liver")
    assert harmonized(both)["specimen_part"] == ("characteristics_ch1: tissue", "liver")


def test_the_title_is_geos():
    sample = array_sample(title="Kidney 7", characteristics_ch1="sample name: 7")
    assert one(sample).record.title == "Kidney 7"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nov 25 2003", date(2003, 11, 25)),
        ("Public on Oct 4 2017", date(2017, 10, 4)),
        ("2021-07-27", date(2021, 7, 27)),
        ("Foo 99 2003", None),
        ("", None),
    ],
)
def test_dates_are_read(text, expected):
    assert geo_date(text) == expected


@pytest.mark.parametrize(
    "broken",
    [
        {"accession": "SRP000001"},
        {"accession": None},
        {"series": None},
        {"samples": "GSM1"},
        {"samples": [{"accession": "GSM1", "attributes": []}]},
        {"samples": [{"accession": "GSM1", "attributes": {"title": ["A"]}, "table": 3}]},
        {"platforms": [3]},
        {"publication": "text"},
    ],
)
def test_a_malformed_payload_is_refused(broken):
    with pytest.raises(MalformedPayloadError, match="payload"):
        survey_geo(payload(array_sample()) | broken, REGISTRY)


VALUES = st.one_of(st.text(max_size=8), st.none(), st.integers(), st.lists(st.text(max_size=8), max_size=3))
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        [
            "title",
            "platform_id",
            "organism_ch1",
            "type",
            "channel_count",
            "relation",
            "status",
            "supplementary_file",
            "characteristics_ch1",
            "characteristics_ch2",
            "library_strategy",
        ]
    ),
    VALUES,
    max_size=6,
)
NAMES = st.one_of(st.integers(1, 10**9).map(lambda number: f"GSM{number}"), st.text(max_size=6))


@given(
    st.lists(st.tuples(NAMES, ATTRIBUTES), max_size=6), ATTRIBUTES, st.lists(st.integers(1, 10**9).map(str), max_size=3)
)
def test_whatever_the_attributes_hold_every_gsm_is_there_once(samples, series, numbers):
    listed = [f"GSM{number}" for number in numbers]
    value = payload() | {"samples": [{"accession": name, "attributes": attributes} for name, attributes in samples]}
    value["series"] = [{"accession": "GSE1000", "attributes": series | {"sample_id": listed}}]
    result = survey_geo(value, REGISTRY)
    accessions = [sample.record.accession for sample in result.samples]
    expected = {name.strip().upper() for name, _ in samples if re.fullmatch("GSM[0-9]+", name.strip().upper())}
    assert sorted(accessions) == sorted(expected | set(listed))
