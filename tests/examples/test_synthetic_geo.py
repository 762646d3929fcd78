"""Made-up GEO series are read by the project's own parser and survey as real ones are."""

from __future__ import annotations

import gzip
from datetime import date

import pytest

from examples.synthetic_geo import PLATFORMS, SyntheticPlatform, SyntheticSeries, supplementary_path
from refinebio_assets.domain.vocabulary import SampleState, Technology
from refinebio_assets.survey.geo import survey_geo
from refinebio_assets.survey.geo_soft import read_soft_family
from refinebio_assets.survey.registry import PlatformRegistry


def surveyed(series, root):
    folder = series.write(root)
    family = read_soft_family(folder / "geo" / f"{series.accession}_family.soft.gz")
    assert (family.warning_count, family.malformed_lines) == (0, 0)
    return survey_geo(family.to_payload(), PlatformRegistry.load())


def reasons(series, root):
    return [(each.decision.state, each.decision.reason) for each in surveyed(series, root).samples]


def test_every_kind_of_sample_is_judged_as_a_real_one(tmp_path):
    series = SyntheticSeries("GSE9000001", sequence_study="SRP900001")
    series.add_array_sample()
    series.add_array_sample(platform="GPL6480", cel=None)
    series.add_array_sample(platform="GPL10558", cel=None, values={"ILMN_1": 7.5})
    series.add_array_sample(cel=None)
    series.add_sequenced_sample()
    series.add_sequenced_sample(strategy="ChIP-Seq")
    assert reasons(series, tmp_path) == [
        (SampleState.SURVEYED, "eligible"),
        (SampleState.UNSUPPORTED_PLATFORM, "unsupported_platform"),
        (SampleState.SURVEYED, "submitter_processed"),
        (SampleState.NO_RAW_FILE, "no_raw_file"),
        (SampleState.SUPERSEDED, "processed_from_sra"),
        (SampleState.WRONG_LIBRARY_STRATEGY, "library_strategy"),
    ]


def test_a_sequenced_sample_without_a_relation_has_no_reads(tmp_path):
    series = SyntheticSeries("GSE9000001")
    series.add_sequenced_sample(experiment=None)
    assert reasons(series, tmp_path) == [(SampleState.NO_RAW_FILE, "no_sra_study")]


def test_the_series_is_described(tmp_path):
    series = SyntheticSeries(
        "GSE9000001",
        title="A title",
        summary="A summary",
        published=date(2021, 2, 3),
        updated=date(2022, 3, 4),
        pubmed_id="900001",
        sequence_study="SRP900001",
        project="PRJNA900001",
        superseries=["GSE9000009"],
        attributes={"overall_design": "two by two"},
    )
    series.add_sequenced_sample(characteristics={"tissue": "liver", "age": "3 years"}, title="mine")
    result = surveyed(series, tmp_path)
    experiment, (sample,) = result.experiment, result.samples
    assert (experiment.title, experiment.description, experiment.pubmed_id) == ("A title", "A summary", "900001")
    assert (experiment.first_published, experiment.last_updated) == (date(2021, 2, 3), date(2022, 3, 4))
    assert experiment.aliases == ("E-GEOD-9000001", "PRJNA900001", "SRP900001")
    assert experiment.annotations["subseries_of"] == ["GSE9000009"]
    assert experiment.annotations["series"]["overall_design"] == ["two by two"]
    assert experiment.technology is Technology.RNA_SEQ
    assert (sample.record.title, sample.record.experiment_accession) == ("mine", "SRX900010000")
    assert {each.field: each.value for each in sample.record.harmonized} == {"specimen_part": "liver", "age": "3"}


def test_a_superseries_names_its_subseries(tmp_path):
    series = SyntheticSeries("GSE9000001", subseries=["GSE9000002", "GSE9000003"])
    series.add_array_sample("GSM900020000")
    result = surveyed(series, tmp_path)
    assert result.experiment.annotations["superseries_of"] == ["GSE9000002", "GSE9000003"]
    assert [each.record.accession for each in result.samples] == ["GSM900020000"]


def test_supplementary_files_lie_where_the_survey_finds_them(tmp_path):
    series = SyntheticSeries("GSE9000001", files={"GSE9000001_non-normalized.txt.gz": b"table"})
    series.add_array_sample(cel=b"intensities")
    series.add_array_sample(platform="GPL10558", cel=None)
    found = {file.url for each in surveyed(series, tmp_path).samples for file in each.record.files}
    contents = [(tmp_path / "GSE9000001/files" / url.removeprefix("https://")).read_bytes() for url in sorted(found)]
    assert gzip.decompress(contents[0]) == b"intensities"
    assert contents[1:] == [b"table"]


def test_platforms_that_are_not_known_are_described_first(tmp_path):
    series = SyntheticSeries("GSE9000001")
    with pytest.raises(KeyError, match="GPL1"):
        series.add_array_sample(platform="GPL1")
    series.add_platform(SyntheticPlatform(accession="GPL1", title="An old filter", technology="spotted DNA/cDNA"))
    series.add_array_sample(platform="GPL1", cel=None)
    (sample,) = surveyed(series, tmp_path).samples
    assert sample.record.platform_name == "An old filter"
    assert sample.decision.state is SampleState.UNSUPPORTED_PLATFORM


def test_the_registry_agrees_which_platforms_are_supported():
    registry = PlatformRegistry.load()
    supported = {accession for accession in PLATFORMS if registry.microarray_platform(accession)}
    assert supported == {"GPL570", "GPL1261", "GPL10558"}
    assert registry.rna_seq_platform(PLATFORMS["GPL16791"].title) is not None


def test_attributes_may_be_left_out(tmp_path):
    series = SyntheticSeries("GSE9000001")
    sample = series.add_array_sample(organism_ch1="", taxid_ch1="", source_name_ch1="")
    assert not {"organism_ch1", "taxid_ch1", "source_name_ch1"} & sample.attributes.keys()
    assert reasons(series, tmp_path) == [(SampleState.SURVEYED, "eligible")]


@pytest.mark.parametrize(
    ("accession", "path"),
    [
        ("GSM1234567", "geo/samples/GSM1234nnn/GSM1234567/suppl/a.gz"),
        ("GSE12", "geo/series/GSEnnn/GSE12/suppl/a.gz"),
    ],
)
def test_supplementary_paths_are_geos(accession, path):
    assert supplementary_path(accession, "a.gz") == path
