"""Names of columns are taken apart: quantity and sample."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.microarray.illumina_columns import ColumnRole, id_name_score, taken_apart

SIGNAL, DETECTION, BEADS, STDERR, OTHER = (
    ColumnRole.SIGNAL, ColumnRole.DETECTION, ColumnRole.BEADS, ColumnRole.STDERR, ColumnRole.OTHER,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "role", "key"),
    [
        ("S1.AVG_Signal", SIGNAL, "S1"),
        ("AVG_Signal-S1", SIGNAL, "S1"),
        ("AVG_Signal (S1 (24 h))", SIGNAL, "S1 (24 h)"),
        ("S1:AVG_Signal", SIGNAL, "S1"),
        ("4343238080_A.AVG_Signal", SIGNAL, "4343238080_A"),
        ("1_AVG_Signal", SIGNAL, "1"),
        ("CD4- AVG_Signal", SIGNAL, "CD4-"),
        ("CD4-.AVG_Signal", SIGNAL, "CD4-"),
        ("S1 - AVG_Signal", SIGNAL, "S1"),
        ("RAW_VALUE", SIGNAL, ""),
        ("VALUE", SIGNAL, ""),
        ("S1 (raw)", SIGNAL, "S1"),
        ("Detection Pval", DETECTION, ""),
        ("detection.p.value", DETECTION, ""),
        ("DETECTION_PVAL-S1", DETECTION, "S1"),
        ("DetectionPvalS1", DETECTION, "S1"),
        ("S1.Detection", DETECTION, "S1"),
        ("S1 P-value", DETECTION, "S1"),
        ("S1.Avg_NBEADS", BEADS, "S1"),
        ("S1.BEAD_STDERR", STDERR, "S1"),
        ("BEAD_STDEV-S1", STDERR, "S1"),
        ("ARRAY_STDEV-S1", OTHER, "S1"),
        ("MIN_Signal-S1", OTHER, "S1"),
        ("NARRAYS-S1", OTHER, "S1"),
        ("S1_normalized", OTHER, "S1"),
    ],
)
def test_a_word_for_the_quantity_is_found_at_either_end(name, role, key):
    first = taken_apart(name)[0]
    assert (first.role, first.key) == (role, key)


@pytest.mark.parametrize(
    "name", ["PROBE_ID", "ID_REF", "TargetID", "SYMBOL", "Array_Address_Id", "ENTREZ_GENE_ID", "Probe_Chr_Orientation"]
)
def test_columns_about_probes_are_no_quantities(name):
    assert taken_apart(name)[0].role is ColumnRole.ANNOTATION


@pytest.mark.parametrize("name", ["S1", "LV-C&si-Control-1", "A375 + 24h vem (3µM) 1", "GSM1165512", "Control 1", ""])
def test_other_names_may_be_samples(name):
    assert [one.role for one in taken_apart(name)] == [ColumnRole.UNTOLD]


def test_numbers_that_r_appends_to_equal_names_are_told():
    assert [(one.role, one.key) for one in taken_apart("Detection.Pval.3")] == [(DETECTION, "3")]


def test_a_short_word_at_the_end_may_be_part_of_a_name():
    meanings = taken_apart("P1_N")
    assert not meanings[0].is_sure
    assert meanings[-1].role is ColumnRole.UNTOLD
    assert meanings[-1].key == "P1_N"


@given(st.text(max_size=60))
def test_every_name_has_a_meaning(name):
    assert taken_apart(name)
    assert 0.0 <= id_name_score(name) <= 1.0


def test_names_of_probe_identifiers_count_more_than_those_of_genes():
    assert id_name_score("ID_REF ") == id_name_score("Probe_Id") == 1.0
    assert id_name_score("ProbeID") > id_name_score("TargetID") > id_name_score("") > id_name_score("SYMBOL")
