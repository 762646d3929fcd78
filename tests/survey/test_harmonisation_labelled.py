"""Real values of submitters with what a biologist wants of them: tests/data/metadata/labelled_values.tsv."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from refinebio_assets.domain.vocabulary import HARMONIZED_FIELDS
from refinebio_assets.survey.harmonisation import harmonize
from tests.survey.recorded import METADATA

TABLE = METADATA / "labelled_values.tsv"
COLUMNS = ["source", "raw_key", "raw_value", "raw_unit", "raw_term", "field", "value", "unit", "term"]


def labelled() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


ROWS = labelled()


def named(row: dict[str, str]) -> str:
    return f"{row['field']}: {row['raw_key']} = {row['raw_value']}"


def submitted(row: dict[str, str]) -> dict[str, str]:
    """The value under its key; with a unit or term in the flattened form in which archives' clients give them."""
    if not row["raw_unit"] and not row["raw_term"]:
        return {row["raw_key"]: row["raw_value"]}
    name = row["raw_key"].partition("[")[2].rstrip("]") or row["raw_key"]
    parts = {"text": row["raw_value"], "unit": row["raw_unit"], "ontologyTerms_0": row["raw_term"]}
    return {f"characteristics_{name}_0_{part}": text for part, text in parts.items() if text}


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_submitted_value_becomes_what_a_biologist_wants(row: dict[str, str]):
    found = {value.field: value for value in harmonize([("sample", submitted(row))]).values}.get(row["field"])
    if not row["value"]:
        assert found is None
        return
    assert found is not None
    assert (found.value, found.unit or "", found.ontology_term_id or "") == (row["value"], row["unit"], row["term"])
    assert found.raw_value == row["raw_value"]
    assert found.raw_key in row["raw_key"]


def test_the_table_is_large_and_has_every_field_and_values_that_must_not_be_taken():
    fields = Counter(row["field"] for row in ROWS)
    assert list(ROWS[0]) == COLUMNS
    assert len(ROWS) >= 200
    assert set(fields) == set(HARMONIZED_FIELDS)
    assert min(fields[field] for field in ("age", "sex", "time", "dose", "specimen_part", "genetic_information")) >= 20
    assert sum(not row["value"] for row in ROWS) >= 60


def test_no_value_is_labelled_twice():
    keys = [tuple(row[name] for name in COLUMNS[1:6]) for row in ROWS]
    assert len(set(keys)) == len(keys)
