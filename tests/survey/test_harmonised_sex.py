from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.survey.harmonised_sex import SEX_TERMS, canonical_sex


@pytest.mark.parametrize(
    ("raw", "sex"),
    [
        *(
            (raw, "female")
            for raw in ("F", "f.", "Female", "FEMALE", "females", "Woman", "girl", "sex: F", "female (pooled)")
        ),
        *((raw, "male") for raw in ("M", "male", "Males", "MAN", "boy", "gender: male", "pooled males")),
        *(
            (raw, "mixed sex")
            for raw in ("pooled male and female", "1 Male, 2 Female", "M/F", "male & female", "3F/2M")
        ),
        *((raw, "mixed sex") for raw in ("mixed", "both", "both sexes", "Mixed sex", "females and males", "pooled")),
        *((raw, "hermaphrodite") for raw in ("hermaphrodite", "Hermaphrodites", "hermaphroditic")),
    ],
)
def test_every_spelling_of_a_sex_becomes_its_one_name(raw: str, sex: str):
    assert canonical_sex(raw) == sex
    assert sex in SEX_TERMS


@pytest.mark.parametrize("raw", ["1", "2", "?", "U", "unk", "undetermined", "not known", "n.d.", "0/1"])
def test_a_code_or_a_word_for_unknown_is_no_sex(raw: str):
    assert canonical_sex(raw) is None


@pytest.mark.parametrize(
    "raw", ["xx", "xy", "intersex", "neuter", "male or female", "not male", "virgin female", "queen", "female to male"]
)
def test_what_says_more_or_something_else_stays_as_it_was_submitted(raw: str):
    assert canonical_sex(raw) == raw


@given(st.text(max_size=30))
def test_any_text_gives_the_same_sex_when_read_twice(text: str):
    sex = canonical_sex(text)
    assert sex is None or canonical_sex(sex) == sex
