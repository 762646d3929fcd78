"""Metadata tables: what archives nest becomes columns, and every row stays one row."""

from __future__ import annotations

import csv
import io
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.datasets.metadata_json import write_aggregated_metadata, write_species_metadata
from refinebio_assets.datasets.sample_metadata import (
    cell,
    flat_annotation,
    metadata_columns,
    metadata_fields,
    write_metadata_tsv,
)
from refinebio_assets.domain.download_metadata import ContributedValues, DownloadMetadata

# A sample of ArrayExpress and one of GEO, nested as refine.bio keeps them.
ARRAY_EXPRESS = {
    "refinebio_accession_code": "E-GEOD-44719-GSM1089311",
    "refinebio_cell_line": "CL",
    "refinebio_organism": "homo_sapiens",
    "refinebio_source_database": "ARRAY_EXPRESS",
    "refinebio_annotations": [
        {
            "detected_platform": "illuminaHumanv3",
            "detection_percentage": 98.44078,
            "mapped_percentage": 100.0,
        },
        {
            "assay": {"name": "GSM1089311"},
            "characteristic": [
                {"category": "cell population", "value": "IL-10 producing CD14+ monocytes"},
                {"category": "dose", "value": "1 mL"},
                {"category": "donor id", "value": "1"},
            ],
            "variable": [{"name": "stimulation", "value": "TNF"}],
            "extract": {"name": "GSM1089311 extract 1"},
            "source": {"name": "GSM1089311 1", "comment": [{"name": "Sample_source_name", "value": "monocytes"}]},
        },
    ],
}
GEO = {
    "refinebio_accession_code": "GSM1361050",
    "refinebio_cell_line": "",
    "refinebio_organism": "homo_sapiens",
    "refinebio_source_database": "GEO",
    "refinebio_annotations": [
        {
            "channel_count": ["1"],
            "characteristics_ch1": ["tissue: Bone Marrow", "disease: Multiple Myeloma", "serum: Low: Serum"],
            "contact_address": ["Crown Street"],
            "contact_country": ["United Kingdom"],
            "data_processing": ["Data was processed and normalized using R"],
            "geo_accession": ["GSM1361050"],
        }
    ],
}
SAMPLES = {each["refinebio_accession_code"]: each for each in (ARRAY_EXPRESS, GEO)}
METASRA = ContributedValues(
    attributes={"MetaSRA": {"age": {"value": 3.0}}}, keywords={"MetaSRA": ("bone marrow", "plasma cell")}
)
METADATA = DownloadMetadata(
    samples=SAMPLES,
    experiments={"E-GEOD-44719": {"title": "M", "sample_accession_codes": ["E-GEOD-44719-GSM1089311", "GONE"]}},
    memberships={"E-GEOD-44719-GSM1089311": ("E-GEOD-44719",), "GSM1361050": ("GSE56409",)},
    contributed={"GSM1361050": METASRA},
    methods={"MetaSRA": "https://example.org/metasra"},
)


def table(metadata: DownloadMetadata, **options) -> list[dict[str, str]]:
    out = io.BytesIO()
    write_metadata_tsv(out, metadata, list(metadata.samples), metadata_columns(metadata, metadata.samples), **options)
    return list(csv.DictReader(io.StringIO(out.getvalue().decode(), newline=""), dialect="excel-tab"))


def test_the_columns_of_an_array_express_and_a_geo_sample():
    columns = metadata_columns(METADATA, SAMPLES)
    assert len(columns) == 23
    assert columns == [
        "refinebio_accession_code",
        "experiment_accession",
        "refinebio_cell_line",
        "refinebio_organism",
        "refinebio_source_database",
        "MetaSRA_age",
        "assay",
        "channel_count",
        "characteristic_cell population",
        "characteristic_donor id",
        "characteristic_dose",
        "characteristics_ch1_disease",
        "characteristics_ch1_serum",
        "characteristics_ch1_tissue",
        "contact_address",
        "contact_country",
        "data_processing",
        "detected_platform",
        "detection_percentage",
        "extract",
        "geo_accession",
        "mapped_percentage",
        "variable_stimulation",
    ]


def test_the_rows_of_an_array_express_and_a_geo_sample():
    first, second = table(METADATA)
    assert {name: value for name, value in first.items() if value} == {
        "refinebio_accession_code": "E-GEOD-44719-GSM1089311",
        "experiment_accession": "E-GEOD-44719",
        "refinebio_cell_line": "CL",
        "refinebio_organism": "homo_sapiens",
        "refinebio_source_database": "ARRAY_EXPRESS",
        "assay": "GSM1089311",
        "characteristic_cell population": "IL-10 producing CD14+ monocytes",
        "characteristic_dose": "1 mL",
        "characteristic_donor id": "1",
        "variable_stimulation": "TNF",
        "detected_platform": "illuminaHumanv3",
        "detection_percentage": "98.44078",
        "mapped_percentage": "100.0",
        "extract": "GSM1089311 extract 1",
    }
    assert second["MetaSRA_age"] == "3.0"
    assert second["contact_address"] == "Crown Street"
    assert second["characteristics_ch1_serum"] == "Low: Serum"
    assert second["experiment_accession"] == "GSE56409"
    assert "source" not in second


def test_units_and_confidence_of_contributions_are_columns():
    stated = {"age": {"value": 36, "unit": "year", "confidence": 0.75}}
    metadata = DownloadMetadata(
        samples={"S": {"refinebio_accession_code": "S"}},
        contributed={"S": ContributedValues(attributes={"Ours": stated})},
    )
    (row,) = table(metadata)
    assert (row["Ours_age"], row["Ours_age.unit"], row["Ours_age.confidence"]) == ("36", "year", "0.75")


def test_our_surveys_of_array_express_are_made_flat_like_the_others():
    annotation = {
        "assay": {"name": "A1", "sdrf": "E-MTAB-1.sdrf.txt", "lines": [2]},
        "sdrf": [
            [
                ["Source Name", "s1"],
                ["Characteristics[organism part]", "liver"],
                ["Term Source REF", "EFO"],
                ["Characteristics [age]", "30"],
                ["Unit[time unit]", "month"],
                ["Comment[ENA_RUN]", "ERR1"],
                ["Array Design REF", "A-AFFY-1"],
                ["Factor Value[compound]", "none"],
                ["Factor Value [dose]", "5"],
                ["Unit [concentration unit]", "uM"],
            ],
            [["Characteristics[organism part]", "liver"], ["Comment[ENA_RUN]", "ERR2"]],
        ],
        "files": [{"name": "a.CEL", "column": "Array Data File", "url": None}],
        "notes": ["The platform is that of the file."],
    }
    metadata = DownloadMetadata(samples={"S": {"refinebio_accession_code": "S", "refinebio_annotations": [annotation]}})
    assert metadata_fields(metadata, "S") == {
        "refinebio_accession_code": "S",
        "assay": "A1",
        "characteristic_organism part": "liver",
        "characteristic_age": "30 month",
        "comment_ENA_RUN": "ERR1; ERR2",
        "Array Design REF": "A-AFFY-1",
        "variable_compound": "none",
        "variable_dose": "5 uM",
        "notes": "The platform is that of the file.",
    }


def test_our_surveys_of_geo_and_of_sequencing_are_made_flat_like_the_others():
    geo = {"geo": {"characteristics_ch1": ["age: 5", "no label"], "title": ["a"], "platform_id": ["GPL1", "GPL2"]}}
    assert dict(flat_annotation(geo)) == {
        "characteristics_ch1_age": "5",
        "characteristics_ch1": "no label",
        "title": "a",
        "platform_id": "GPL1; GPL2",
    }
    run = {
        "read_run": {"run_accession": "SRR1", "tax_id": 7955},
        "biosample": {"name": "b", "characteristics": {"tissue": [{"text": "liver", "ontologyTerms": ["U"]}]}},
    }
    assert dict(flat_annotation(run)) == {
        "run_accession": "SRR1",
        "tax_id": "7955",
        "name": "b",
        "characteristic_tissue": "liver",
    }


def test_deeper_values_are_json_and_empty_ones_empty():
    fields = dict(
        flat_annotation({"deep": {"b": [1, {"c": None}], "a": "ä"}, "none": None, "flag": True, "many": [1, 2]})
    )
    assert json.loads(fields["deep"]) == {"a": "ä", "b": [1, {"c": None}]}
    assert (fields["none"], fields["flag"], fields["many"]) == ("", "True", "1; 2")


def test_the_experiment_can_be_another_and_a_reason_is_the_third_column():
    rows = table(METADATA, experiment_of=lambda _: "GSE9", reason_of=lambda sample: f"no file of {sample}")
    assert list(rows[0])[:3] == ["refinebio_accession_code", "experiment_accession", "reason"]
    assert {row["experiment_accession"] for row in rows} == {"GSE9"}
    assert rows[1]["reason"] == "no file of GSM1361050"


TEXTS = st.text(max_size=20) | st.sampled_from(["a\tb", "a\nb", '"', '"a', "=1+1", "-/-", "\u2028", "\r", "\udc80"])


@given(st.dictionaries(TEXTS, TEXTS, max_size=4), TEXTS)
def test_whatever_submitters_write_a_row_stays_a_row(values, title):
    record = {"refinebio_accession_code": "S", "refinebio_title": title, "refinebio_annotations": [values]}
    metadata = DownloadMetadata(samples={"S": record, "T": {"refinebio_accession_code": "T"}})
    out = io.BytesIO()
    columns = metadata_columns(metadata, metadata.samples)
    write_metadata_tsv(out, metadata, metadata.samples, columns)
    frame = pd.read_csv(io.BytesIO(out.getvalue()), sep="\t", keep_default_na=False, dtype=str)
    assert list(frame["refinebio_accession_code"]) == ["S", "T"]
    assert frame.shape[1] == len(columns)
    assert out.getvalue().count(b"\n") == 3


@pytest.mark.parametrize("text", ['say "x"', '"', 'a"b"c', "plain", "=SUM(A1)", "it's"])
def test_quotes_come_back(text):
    (row,) = csv.reader(io.StringIO(cell(text)), dialect="excel-tab")
    assert row == [text]


def test_json_of_samples_has_what_contributions_say():
    out = io.BytesIO()
    write_species_metadata(out, METADATA, SAMPLES, "HOMO_SAPIENS")
    read = json.loads(out.getvalue())
    assert read["species"] == "HOMO_SAPIENS"
    first, second = read["samples"]
    assert first == ARRAY_EXPRESS
    assert second["MetaSRA_age"] == {"value": 3.0}
    assert second["keywords"] == {"MetaSRA": ["bone marrow", "plasma cell"]}
    assert second["methods"] == {"MetaSRA": "https://example.org/metasra"}


def test_json_of_the_whole_counts_what_is_inside():
    out = io.BytesIO()
    write_aggregated_metadata(out, METADATA, SAMPLES, {"scale_by": "NONE", "quant_sf_only": False})
    read = json.loads(out.getvalue())
    assert read["experiments"]["E-GEOD-44719"]["sample_accession_codes"] == ["E-GEOD-44719-GSM1089311"]
    assert (read["num_samples"], read["num_experiments"], read["scale_by"]) == (2, 1, "NONE")
    assert read["samples"] == SAMPLES
    empty = io.BytesIO()
    write_aggregated_metadata(empty, METADATA, [], {})
    assert json.loads(empty.getvalue())["samples"] == {}
