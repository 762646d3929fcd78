from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refinebio_assets.domain.records import HarmonizedValue
from refinebio_assets.domain.vocabulary import HARMONIZED_FIELDS
from refinebio_assets.survey.harmonisation import (
    harmonize,
    is_placeholder,
    ontology_term_id,
    recognises,
    submitted_key,
)
from refinebio_assets.survey.harmonisation_rules import FIELD_KEYS, TITLE_KEYS
from tests.survey.recorded import recorded
from tests.survey.test_harmonisation_labelled import ROWS, submitted


def values(**metadata: str) -> dict[str, str]:
    return harmonised(metadata)


def harmonised(metadata: dict[str, str]) -> dict[str, str]:
    return {value.field: value.value for value in harmonize([("sample", metadata)]).values}


def one(metadata: dict[str, str]) -> HarmonizedValue:
    (value,) = harmonize([("sample", metadata)]).values
    return value


def test_the_rules_cover_exactly_the_harmonised_fields():
    assert tuple(FIELD_KEYS) == HARMONIZED_FIELDS


def test_the_attributes_of_a_recorded_sample():
    assert harmonised(recorded("sra_sample_attributes_SRS671406.json")) == {
        "sex": "female",
        "age": "57",
        "specimen_part": "tumor cell;soft tissue",
        "disease": "phosphaturic mesenchymal tumours",
    }


SPELLINGS = [
    "{0}",
    "{0} ",
    "characteristic[{0}]",
    "characteristics [{0}]",
    "Characteristics[{0}]",
    "Comment[{0}]",
    "comments [{0}]",
    "FactorValue [{0}]",
    "factor value[{0}]",
    "sample_{0}",
    "sample_sample_{0}",
    "sample_host_{0}",
    "host_{0}",
    "characteristics_{0}",
    "characteristics_{0}_0_text",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("separator", [" ", "_", "-", ""])
def test_every_base_key_is_recognised_in_every_spelling(spelling: str, separator: str):
    for field, keys in FIELD_KEYS.items():
        for key in keys:
            raw_key = spelling.format(key.replace(" ", separator).title())
            found = {value.field for value in harmonize([("sample", {raw_key: "5 years"})]).values}
            assert field in found, (raw_key, field)


@pytest.mark.parametrize(
    "key", ["hostage", "sexual orientation", "cage", "status", "", "characteristics_", "[]", "image"]
)
def test_a_key_that_only_contains_a_known_one_is_not_recognised(key: str):
    assert not recognises(key)
    assert not harmonised({key: "12"})


def test_parentheses_in_flattened_biosample_keys_are_recognised():
    value = one({"characteristics_age (years)_0_text": "30"})
    assert (value.value, value.unit, value.raw_key) == ("30", "year", "age (years)")


def test_the_sex_of_the_host_counts_if_the_sample_has_none_of_its_own():
    assert values(host_sex="M") == {"sex": "male"}
    assert values(host_sex="M", sex="female") == {"sex": "female"}
    assert values(host_sex="M", sex="not collected") == {"sex": "male"}
    assert one({"host_sex": "M"}).rule == "sex/sex (host)"


@pytest.mark.parametrize(
    "key", ["source_name", "source name", "Source Name", "source_name_ch1", "characteristics_source_name_0_text"]
)
def test_the_source_name_is_the_specimen_not_the_subject(key: str):
    assert harmonised({key: "Human brain"}) == {"specimen_part": "human brain"}
    assert harmonised({key: "Human brain", "tissue": "cortex"}) == {"specimen_part": "cortex"}


def test_sample_type_is_a_disease_only_for_want_of_anything_better():
    assert values(sample_type="tumor") == {"disease": "tumor"}
    assert values(sample_type="fresh frozen", diagnosis="AML") == {"disease": "aml"}


def test_disease_state_feeds_disease_and_disease_stage():
    assert values(disease_state="Relapse") == {"disease": "relapse", "disease_stage": "relapse"}


def test_distinct_values_are_joined_by_priority_and_equal_ones_said_once():
    metadata = {"organ": "Liver", "cell type": "hepatocyte", "tissue": "liver"}
    value = one(metadata)
    assert value.value == "hepatocyte;liver"
    assert value.raw_key == "cell type;tissue"
    assert value.raw_value == "hepatocyte;liver"
    assert value.rule == "specimen_part/cell type;specimen_part/tissue"


def test_an_earlier_source_leads():
    first, second = ("biosample", {"tissue": "a"}), ("read_run", {"tissue": "b"})
    assert [value.value for value in harmonize([first, second]).values] == ["a;b"]
    assert [value.value for value in harmonize([second, first]).values] == ["b;a"]


@pytest.mark.parametrize(
    ("raw", "sex"),
    [("F", "female"), ("Woman", "female"), ("m", "male"), ("MAN", "male"), ("Hermaphrodite", "hermaphrodite")],
)
def test_sexes(raw: str, sex: str):
    assert values(gender=raw) == {"sex": sex}


def test_the_unit_of_an_age_comes_from_the_value_then_biosamples_then_the_key():
    assert one({"age (months)": "30"}).unit == "month"
    assert one({"age (months)": "30 days"}).unit == "day"
    assert one({"characteristics_age_0_text": "3", "characteristics_age_0_unit": "weeks"}).unit == "week"


def test_the_first_age_that_is_a_number_is_taken():
    found = {value.field: value for value in harmonize([("sample", {"age": "mature", "patient age": "40"})]).values}
    assert found["age"].raw_key == "patient age"


@pytest.mark.parametrize(
    "value",
    [
        "not applicable",
        "Missing",
        "NA",
        "n/a",
        "None",
        "not collected",
        "NOT_PROVIDED",
        "unknown",
        " ",
        "missing: lab stock",
        "Restricted access",
    ],
)
def test_placeholders_do_not_become_values(value: str):
    assert is_placeholder(value)
    assert harmonize([("sample", {"tissue": value, "odd": value, "title": value})]) == harmonize([])


def test_words_that_begin_like_a_placeholder_are_values():
    assert not is_placeholder("natural killer cell")
    assert not is_placeholder("missing middle finger")


def test_the_title_follows_the_order_of_its_keys_and_keeps_its_letters():
    metadata = {key: f"The {key}" for key in reversed(TITLE_KEYS)}
    assert harmonize([("sample", metadata)]).title == "The sample name"


def test_an_accession_is_a_title_only_for_want_of_another():
    assert harmonize([("sample", {"sample name": "SRS1234567", "title": "Liver 1"})]).title == "Liver 1"
    assert harmonize([("sample", {"sample name": "SRS1234567"})]).title == "SRS1234567"


def test_keys_whose_values_cannot_be_read_are_reported_too():
    metadata = {"Age": "10 DAG", "sex": "1", "time": "overnight", "sample age": "adult"}
    assert harmonize([("sample", metadata)]).unmatched_keys == ("Age", "sex")
    same_key = [("run", {"Age": "10 DAG"}), ("sample", {"Age": "3 weeks"})]
    assert harmonize(same_key).unmatched_keys == ()


def test_unmatched_keys_are_reported_as_submitted():
    metadata = {
        "characteristics_rna integrity_0_text": "8",
        "characteristics_rna integrity_0_unit": "RIN",
        "Batch": "3",
    }
    assert harmonize([("sample", metadata)]).unmatched_keys == ("Batch", "rna integrity")


@pytest.mark.parametrize(
    ("term", "short"),
    [
        ("http://purl.obolibrary.org/obo/UBERON_0002107", "UBERON:0002107"),
        ("http://www.ebi.ac.uk/efo/EFO_0000001", "EFO:0000001"),
        ("CL:0000182", "CL:0000182"),
        ("http://example.org/page", None),
        ("", None),
    ],
)
def test_ontology_terms_are_kept_in_their_short_form(term: str, short: str | None):
    assert ontology_term_id(term) == short


def test_the_submitters_key_is_restored():
    assert submitted_key("characteristics_cell type_0_text") == "cell type"
    assert submitted_key("Characteristics [cell type]") == "cell type"
    assert submitted_key("cell type") == "cell type"


def test_the_rule_of_a_value_fits_its_column_even_if_every_key_speaks():
    metadata = {key: f"value of {key}" for key in FIELD_KEYS["specimen_part"]}
    assert len(one(metadata).rule) <= 255


known_keys = st.sampled_from([key for keys in FIELD_KEYS.values() for key in keys] + list(TITLE_KEYS))
metadata_sets = st.dictionaries(
    known_keys | st.text(max_size=15),
    st.text(max_size=10) | st.sampled_from([row["raw_value"] for row in ROWS]),
    max_size=12,
)


@given(metadata_sets, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(metadata: dict[str, str], shuffler: random.Random):
    shuffled = list(metadata.items())
    shuffler.shuffle(shuffled)
    assert harmonize([("sample", dict(shuffled))]) == harmonize([("sample", metadata)])


@example({"sex": ";"})
@example({"age": "; ;"})
@given(metadata_sets)
def test_each_field_has_at_most_one_value_which_is_not_empty(metadata: dict[str, str]):
    found = harmonize([("sample", metadata)]).values
    assert len({value.field for value in found}) == len(found)
    assert all(value.value.strip(";") and value.rule and value.field in HARMONIZED_FIELDS for value in found)


PROGRAM = """
import dataclasses, json
from refinebio_assets.survey.geo import survey_geo
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sra import survey_sra
from tests.survey import geo_files
from tests.survey.recorded import payload, recorded
from refinebio_assets.survey.harmonisation import harmonize
from tests.survey.test_harmonisation_labelled import ROWS, submitted

registry = PlatformRegistry.load()
rows = recorded("ena_read_run_rows.json")
results = [survey_sra(recorded("sra_DRP000595.json"), registry), survey_sra(payload(*rows), registry)]
for name in ("GSE4047_family.soft.gz", "GSE28843.soft.gz", "GSE7540.soft.gz", "GSE13657_family.soft.gz"):
    family = geo_files.read_family(geo_files.GEO / name)
    results.append(survey_geo(family.to_payload(name.replace(".", "_").partition("_")[0]), registry))
for result in results:
    for sample in result.samples:
        print(sample.record.title, json.dumps([dataclasses.asdict(value) for value in sample.record.harmonized]))
    print(json.dumps(result.coverage))
together = {key: value for row in ROWS for key, value in submitted(row).items()}
print(harmonize([("sample", together)]))
"""


def test_the_hash_seed_of_the_process_does_not_matter():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
    assert '"raw_key": "characteristics_ch1: Age"' in outputs.pop()


def test_a_thousand_samples_of_thirty_keys_each_get_their_own_values(figures: Callable[[str], None]):
    rows = [row for row in ROWS if row["raw_value"]]
    metadata = [
        {**submitted(rows[(31 * sample + key) % len(rows)]), f"plate {key}": f"{sample}"}
        for sample in range(1000)
        for key in range(20)
    ]
    samples = [
        {key: value for part in metadata[20 * sample : 20 * sample + 20] for key, value in part.items()}
        | {"age": f"{sample} days", "tissue": f"tissue {sample}", "treatment": f"{sample} nM drug for {sample} h"}
        for sample in range(1000)
    ]
    started = time.perf_counter()
    harmonized = [harmonize([("sample", sample)]) for sample in samples]
    seconds = time.perf_counter() - started
    keys = sum(map(len, samples)) / len(samples)
    figures(f"harmonisation: 1,000 samples of {keys:.0f} keys in {seconds:.2f} s")
    assert keys >= 30
    assert all(sum(key.startswith("plate ") for key in one.unmatched_keys) == 20 for one in harmonized)
    assert len({one.values for one in harmonized}) == 1000
