from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.organisms import organism_key, scientific_name


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Danio rerio", "DANIO_RERIO"),
        ("DANIO_RERIO", "DANIO_RERIO"),
        ("[Candida] auris", "CANDIDA_AURIS"),
        ("Escherichia coli str. K-12 substr. MG1655", "ESCHERICHIA_COLI_STR_K_12_SUBSTR_MG1655"),
        ("  Homo   sapiens ", "HOMO_SAPIENS"),
    ],
)
def test_names_become_upper_snake_keys(name: str, key: str):
    assert organism_key(name) == key


@given(st.text(max_size=40))
def test_a_key_is_safe_in_paths_and_stays_itself(name: str):
    try:
        key = organism_key(name)
    except ValueError:
        assert not re.search(r"[A-Z0-9]", name.upper())
        return
    assert re.fullmatch(r"[A-Z0-9]+(?:_[A-Z0-9]+)*", key)
    assert organism_key(key) == key


@pytest.mark.parametrize("name", ["", " ", "--", "大鼠"])
def test_a_name_without_letters_is_refused(name: str):
    with pytest.raises(ValueError, match="organism name"):
        organism_key(name)


def test_the_scientific_name_is_restored():
    assert scientific_name("DANIO_RERIO") == "Danio rerio"
    assert organism_key(scientific_name("CANDIDA_ALBICANS")) == "CANDIDA_ALBICANS"
