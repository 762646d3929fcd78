"""Platforms: their tables, which one a table is of, which genes probes are for; nuIDs."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError, RefinebioError
from refinebio_assets.microarray.illumina_genes import map_genes
from refinebio_assets.microarray.illumina_platform import detect_platform, overlaps, read_platform_table, read_probe_map
from refinebio_assets.microarray.probe_identifiers import ProbeIdKind, kind_of_identifiers, nuid_sequence
from tests.microarray.illumina_corpus import SEQUENCES

TABLE = (
    b"probe_id\tArray_Address_Id\tnuID\tEnsembl_ID\tquality\tsequence\n"
    b"ILMN_1\t0010\toZsQEQXp9ccVIlwoQo\tENSG00000000001.4\tPerfect\tACGT\n"
    b"ILMN_2\t20\t\tENSG00000000001 /// ENSG00000000002\tGood***\t\n"
    b"ILMN_3\t30\t\tNA\tPerfect\t\n"
    b"ILMN_4\t40\t\tENSG00000000003\tBad\t\n"
    b"ILMN_5\t50\t\tENSG00000000001\tgood\t\n"
    b"ILMN_6\t60\t\tENSG00000000004\tPerfect\t\n"
    b"ILMN_6\t60\t\tENSG00000000005\tPerfect\t\n"
)
RAT = SEQUENCES.parent / "illuminaRatv1.tsv"


@pytest.fixture
def platform():
    return read_platform_table(TABLE, name="made")


def test_a_platform_table_is_read_by_its_column_names(platform):
    assert platform.probes == tuple(f"ILMN_{at}" for at in range(1, 7))
    assert platform.sequences[0] == "ACGT"
    assert platform.is_good().tolist() == [True, True, True, False, True, True]
    assert platform.genes[0] == ("ENSG00000000001",)
    assert platform.genes[1] == ("ENSG00000000001", "ENSG00000000002")
    assert platform.genes[2] == ()
    assert platform.genes[5] == ("ENSG00000000004", "ENSG00000000005")


def test_probes_are_found_by_name_address_and_nuid(platform):
    assert platform.places(["ILMN_3", "nothing"]).tolist() == [2, -1]
    assert platform.places(["10", "0030"]).tolist() == [0, 2]
    assert platform.places(["oZsQEQXp9ccVIlwoQo"]).tolist() == [0]


def test_probes_are_found_by_the_sequence_that_a_nuid_spells():
    text = b"probe_id,sequence\nILMN_7,CGCGTACAAACACAACCTGGCTTCCTACTACCCAGAGCCTAAGGACAAGG\nILMN_8,A\n"
    assert read_platform_table(text).places(["oZsQEQXp9ccVIlwoQo", "9qedFRd_5Cul.ueZeQ"]).tolist() == [0, -1]


def test_every_nuid_of_the_example_spells_its_probe():
    lines = [line.split("\t") for line in gzip.decompress(SEQUENCES.read_bytes()).decode().splitlines()[1:]]
    assert all(nuid_sequence(nuid) == sequence for _, nuid, sequence in lines)
    assert kind_of_identifiers([nuid for _, nuid, _ in lines]) is ProbeIdKind.NUID


@given(st.text(max_size=30))
def test_any_text_is_a_nuid_or_none(text):
    sequence = nuid_sequence(text)
    assert sequence is None or set(sequence) <= set("ACGT")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["ILMN_1343291", "ILMN_1651209", "ILMN_1651228"], ProbeIdKind.ILMN),
        (["GI_10047089-S", "GI_10047133-A", "hmm2373-S"], ProbeIdKind.TARGET),
        (["10008", "10010", "10014", "6510136"], ProbeIdKind.ADDRESS),
        (["1001", "1002", "1003", "1004"], ProbeIdKind.ROW_NUMBER),
        (["1", "2", "3"], ProbeIdKind.ROW_NUMBER),
        (["TP53", "MYC", "KRAS"], ProbeIdKind.NAME),
        (["TP53", "TP53", "TP53"], ProbeIdKind.NONE),
        (["1.5", "2.5", "7.25"], ProbeIdKind.NONE),
        ([*map(str, range(10_008, 10_108, 3)), "²0123"], ProbeIdKind.ROW_NUMBER),
        (["²", "³", "¹"], ProbeIdKind.NAME),
    ],
)
def test_kinds_of_identifiers_are_told(values, kind):
    assert kind_of_identifiers(values) is kind


def made(name, ids):
    return read_platform_table(("probe_id\tquality\n" + "".join(f"{one}\tGood\n" for one in ids)).encode(), name=name)


def test_the_platform_with_most_of_its_probes_in_the_table_is_taken():
    v1, v2 = made("v1", [f"A{at}" for at in range(100)]), made("v2", [f"A{at}" for at in range(50, 250)])
    data = [f"A{at}" for at in range(100)]
    platform, found = detect_platform(data, [v2, v1])
    assert platform is v1
    assert [(one.of_platform, one.of_data, one.shared) for one in found] == [(25.0, 50.0, 50), (100.0, 100.0, 100)]


def test_a_platform_must_have_more_than_three_quarters_of_the_table():
    data = [f"A{at}" for at in range(100)]
    half = made("half", [f"A{at}" for at in range(75)] + [f"B{at}" for at in range(75)])
    with pytest.raises(InputError, match=r"half 75\.0 %"):
        detect_platform(data, [half])
    enough = made("enough", [f"A{at}" for at in range(76)] + [f"B{at}" for at in range(76)])
    assert detect_platform(data, [enough])[0] is enough


def test_a_part_of_a_platform_is_told_as_such():
    part = made("part", [f"A{at}" for at in range(10)])
    _, found = detect_platform([f"A{at}" for at in range(100)], [part])
    assert found[0].is_part
    assert overlaps(["", "A1", "A1"], [part])[0].of_data == 100.0


def test_ambiguous_probes_are_left_out_and_counted(platform):
    mapping = map_genes(platform.probes, platform)
    assert mapping.genes == ("ENSG00000000001",)
    assert mapping.probes_per_gene.tolist() == [2]
    counts = mapping.counts
    assert (counts.probes, counts.good, counts.unique, counts.ambiguous, counts.unmapped) == (6, 5, 2, 2, 1)


def test_a_probe_map_chooses_for_ambiguous_probes_only(platform):
    chosen = {"ILMN_2": "ENSG00000000002", "ILMN_1": "ENSG00000000009", "ILMN_3": "ENSG00000000009"}
    mapping = map_genes(platform.probes, platform, probe_map=chosen)
    assert mapping.genes == ("ENSG00000000001", "ENSG00000000002")
    assert mapping.counts.chosen == 1


def test_a_probe_map_alone_names_genes():
    chosen = read_probe_map(RAT)
    assert len(chosen) == 168
    assert set(map(type, chosen.values())) == {str}
    mapping = map_genes([*chosen, "other"], None, probe_map=chosen)
    assert mapping.counts.chosen == 168
    assert mapping.counts.unmapped == 1


def test_a_gene_has_the_mean_of_its_probes(platform):
    mapping = map_genes(platform.probes, platform)
    values = np.array([[1.0, 9, 9, 9, 3.0, 9], [np.nan, 9, 9, 9, 3.0, 9], [np.nan, 9, 9, 9, np.nan, 9]])
    np.testing.assert_array_equal(mapping.summarize(values), [[2.0], [3.0], [np.nan]])


@pytest.mark.parametrize("content", [b"a\tb\nc\td\n", b"probe_id\nx\n", b"\n\n", b"quality\tprobe_id\nx\n"])
def test_a_table_that_is_none_of_a_platform_is_malformed(content):
    with pytest.raises(MalformedFileError):
        read_platform_table(content)


def test_a_probe_map_with_several_genes_for_a_probe_is_malformed():
    with pytest.raises(MalformedFileError, match="ILMN_2"):
        read_probe_map(TABLE)


@given(st.binary(max_size=400))
def test_any_content_is_a_platform_table_or_an_error_of_ours(content):
    try:
        read_platform_table(b"probe_id\tsequence\n" + content)
    except RefinebioError:
        return
