from __future__ import annotations

from collections.abc import Mapping

from refinebio_assets.domain.records import HarmonizedValue
from refinebio_assets.domain.vocabulary import HARMONIZED_FIELDS
from refinebio_assets.survey.harmonisation import harmonize
from refinebio_assets.survey.harmonisation_rules import FIELD_KEYS
from refinebio_assets.survey.harmonised_terms import TERM_PREFIXES, survey_with_terms, with_terms
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sra import survey_sra
from tests.survey.recorded import payload, run_row

# Labels and exact synonyms of Uberon, the Cell Ontology, MONDO and PATO.
ANATOMY = {"liver": "UBERON:0002107", "hepatocyte": "CL:0000182", "nerve cell": "CL:0000540", "male": "PATO:0000384"}
DISEASES = {"psoriasis": "MONDO:0005083", "liver": "UBERON:0002107"}


class Terms:
    """Terms by name, and what was asked for."""

    def __init__(self, ids: Mapping[str, str]) -> None:
        self._ids = ids
        self.asked: list[str] = []

    def lookup(self, label: str) -> str | None:
        self.asked.append(label)
        return self._ids.get(label.lower())


INDICES = {"specimen_part": Terms(ANATOMY), "disease": Terms(DISEASES)}


def found(metadata: Mapping[str, str]) -> dict[str, HarmonizedValue]:
    return {value.field: value for value in harmonize([("sample", metadata)], terms=INDICES).values}


def test_a_value_that_is_called_exactly_like_a_term_gets_its_id_and_the_rule_says_from_which_ontology():
    value = found({"tissue": "Liver"})["specimen_part"]
    assert (value.value, value.ontology_term_id) == ("liver", "UBERON:0002107")
    assert value.rule == "specimen_part/tissue (UBERON)"


def test_without_an_index_or_an_exact_name_there_is_no_term():
    assert found({"tissue": "left liver"})["specimen_part"].ontology_term_id is None
    (value,) = harmonize([("sample", {"tissue": "liver"})]).values
    assert (value.ontology_term_id, value.rule) == (None, "specimen_part/tissue")


def test_terms_of_other_ontologies_than_the_fields_own_do_not_count():
    assert found({"disease": "liver"})["disease"].ontology_term_id is None
    assert found({"disease": "psoriasis"})["disease"].ontology_term_id == "MONDO:0005083"


def test_the_term_that_was_submitted_stays():
    submitted = {"characteristics_tissue_0_text": "liver", "characteristics_tissue_0_ontologyTerms_0": "EFO_0000887"}
    value = found(submitted)["specimen_part"]
    assert (value.ontology_term_id, value.rule) == ("EFO:0000887", "specimen_part/tissue")


def test_joined_values_and_terms_are_in_the_same_order_with_a_place_for_each():
    joined = found({"organism part": "left foot", "cell type": "hepatocyte", "tissue": "liver"})["specimen_part"]
    assert joined.value == "left foot;hepatocyte;liver"
    assert joined.ontology_term_id == ";CL:0000182;UBERON:0002107"
    assert joined.rule.endswith("(CL, UBERON)")


def test_a_value_with_semicolons_of_its_own_gets_no_term_in_a_wrong_place():
    odd = HarmonizedValue(
        field="specimen_part",
        value="liver;hepatocyte",
        raw_key="tissue",
        raw_value="liver;hepatocyte",
        rule="specimen_part/tissue",
        ontology_term_id="UBERON:0002107",
    )
    assert with_terms([odd], INDICES) == (odd,)


def test_sexes_and_units_have_their_terms_by_rule():
    values = found({"sex": "pooled male and female", "age": "E14.5", "time": "2 weeks", "dose": "10 uM"})
    terms = {field: value.ontology_term_id for field, value in values.items()}
    assert terms == {"sex": "PATO:0001338", "age": "UO:0000033", "time": "UO:0000034", "dose": "UO:0000064"}


def test_the_rule_fits_its_column_also_with_an_ontology():
    others = {key: f"value of {key}" for key in FIELD_KEYS["specimen_part"][1:]}
    value = found({"organism part": "liver", "cell type": "hepatocyte"} | others)
    assert len(value["specimen_part"].rule) <= 255


def test_all_samples_of_a_survey_get_terms():
    rows = [run_row(f"SRR100000{number}", tissue_type="Liver") for number in (1, 2)]
    result = survey_sra(payload(*rows), PlatformRegistry.load())
    with_ids = survey_with_terms(result, INDICES)
    assert [[value.ontology_term_id for value in sample.record.harmonized] for sample in with_ids.samples] == [
        ["UBERON:0002107"]
    ] * 2
    assert survey_with_terms(result, {}) is result


def test_every_field_with_ontologies_is_a_harmonised_field():
    assert set(TERM_PREFIXES) < set(HARMONIZED_FIELDS)
