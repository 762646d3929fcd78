"""Values per gene against a plain dictionary; what becomes of every row."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.gene_conversion import (
    ConversionPolicy,
    Outcome,
    convert_genes,
    detect_identifiers,
)
from refinebio_assets.microarray.gene_identifiers import IdentifierType
from refinebio_assets.microarray.identifier_map_files import read_identifier_map
from refinebio_assets.microarray.identifier_maps import IdentifierMap, MapOrigin
from refinebio_assets.microarray.submitter_tables import read_submitter_table

DATA = Path(__file__).parents[1] / "data"
GENES = [f"ENSG{number:011d}" for number in range(1, 9)]


def mapping(pairs, kind=IdentifierType.PROBE) -> IdentifierMap:
    return IdentifierMap(
        columns={
            kind: np.array([name for name, _ in pairs], dtype=object),
            IdentifierType.ENSEMBL_GENE: np.array([gene for _, gene in pairs], dtype=object),
        },
        origin=MapOrigin(format="table", source="made", version="0"),
    )


def by_dictionary(ids, values, pairs, *, each: bool) -> tuple[dict[str, list[float]], dict[str, int]]:
    """The expected conversion: lists per gene, and rows by outcome."""
    genes_of = defaultdict(set)
    for name, gene in pairs:
        if gene:
            genes_of[name].add(gene)
    rows, counts = defaultdict(list), defaultdict(int)
    for name, value in zip(ids, values, strict=True):
        if name.startswith("AFFX-"):
            counts["control"] += 1
        elif name not in genes_of:
            counts["unmapped"] += 1
        elif len(genes_of[name]) > 1 and not each:
            counts["ambiguous"] += 1
        else:
            counts["mapped"] += 1
            for gene in genes_of[name]:
                rows[gene].append(value)
    return rows, counts


def mean_of_present(values) -> float:
    present = [value for value in values if value == value]  # noqa: PLR0124  NaN is not itself
    return sum(present) / len(present) if present else float("nan")


@cache
def gpl96_to_genes() -> IdentifierMap:
    identifiers = DATA / "identifiers"
    platform = read_identifier_map(identifiers / "GPL96.soft.gz")
    return platform.completed_by(read_identifier_map(identifiers / "gencode_v24_chr19.gtf.gz"))


@pytest.mark.parametrize("policy", ConversionPolicy)
def test_a_real_sample_becomes_what_a_dictionary_makes_of_it(policy):
    table, mapped = read_submitter_table(DATA / "geo/GSM11805.txt.gz"), gpl96_to_genes()
    cells = zip(mapped.columns[IdentifierType.PROBE], mapped.columns[IdentifierType.ENSEMBL_GENE], strict=True)
    pairs = [(probe, gene) for probe, cell in cells for gene in cell.split("///")]
    expected, counts = by_dictionary(table.ids, table.values[:, 0], pairs, each=policy is not ConversionPolicy.UNIQUE)
    result = convert_genes(table.ids, table.values, mapped, policy=policy)
    assert result.genes == tuple(sorted(expected))
    np.testing.assert_allclose(
        result.values[:, 0], [mean_of_present(expected[gene]) for gene in result.genes], rtol=1e-13
    )
    assert result.rows_per_gene.tolist() == [len(expected[gene]) for gene in result.genes]
    assert result.counts.rows == 22_283
    assert result.counts.controls == counts["control"] == 68
    assert result.counts.mapped == counts["mapped"] > 1000
    assert result.counts.ambiguous == counts["ambiguous"]
    assert result.counts.unmapped == counts["unmapped"]
    assert result.counts.genes_of_several > 200
    assert result.method == f"gene-conversion.{policy}"
    assert result.detection.kind is IdentifierType.PROBE
    assert result.detection.overlaps[IdentifierType.PROBE].of_data == 1.0
    assert result.versions[0].isdecimal()


IDS = st.lists(
    st.sampled_from(["A_at", "B_at", "C_at", "D_at", "E_at", "AFFX-BioB-5_at", "AFFX-x_at"]), min_size=1, max_size=40
)
PAIRS = st.lists(
    st.tuples(st.sampled_from(["A_at", "B_at", "C_at", "D_at"]), st.sampled_from([*GENES, ""])), min_size=1, max_size=30
)


@given(ids=IDS, pairs=PAIRS, policy=st.sampled_from(ConversionPolicy), data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_table_and_mapping_become_what_a_dictionary_makes_of_them(ids, pairs, policy, data):
    samples = data.draw(st.integers(1, 3))
    cell = st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")))
    values = np.array(data.draw(st.lists(cell, min_size=len(ids) * samples, max_size=len(ids) * samples)))
    values = values.reshape(len(ids), samples)
    expected, counts = by_dictionary(ids, values.tolist(), pairs, each=policy is not ConversionPolicy.UNIQUE)
    try:
        result = convert_genes(ids, values, mapping(pairs), policy=policy, least_overlap=0)
    except InputError:
        assert not expected or not set(ids) & {name for name, _ in pairs}
        return
    assert result.genes == tuple(sorted(expected))
    for gene, row in zip(result.genes, result.values, strict=True):
        wanted = [mean_of_present(column) for column in zip(*expected[gene], strict=True)]
        np.testing.assert_allclose(row, wanted, rtol=1e-12, atol=1e-6)
    assert [result.outcomes.count(outcome) for outcome in Outcome] == [
        counts["mapped"], counts["ambiguous"], counts["unmapped"], counts["control"],
    ]  # fmt: skip
    found = result.counts
    assert found.rows == len(ids) == found.mapped + found.ambiguous + found.unmapped + found.controls


def test_an_identifier_of_several_genes_is_left_out_or_given_to_each():
    pairs = [("A_at", GENES[0]), ("A_at", GENES[1]), ("B_at", GENES[1])]
    unique = convert_genes(["A_at", "B_at"], np.array([1.0, 3.0]), mapping(pairs))
    assert (unique.genes, unique.values.tolist()) == ((GENES[1],), [[3.0]])
    assert unique.outcomes == (Outcome.AMBIGUOUS, Outcome.MAPPED)
    assert unique.targets[0] == (GENES[0], GENES[1])
    assert any("several genes" in warning for warning in unique.warnings)
    each = convert_genes(["A_at", "B_at"], np.array([1.0, 3.0]), mapping(pairs), policy=ConversionPolicy.EACH)
    assert (each.genes, each.values.tolist()) == ((GENES[0], GENES[1]), [[1.0], [2.0]])
    assert each.counts.to_several == 1


def test_the_column_with_most_identifiers_is_that_of_the_data_and_half_of_them_are_needed():
    mapped = gpl96_to_genes()
    symbols = ["DDR1", "RFC2", "PAX8", "nothing1", "nothing2"]
    detection = detect_identifiers(symbols, mapped)
    assert (detection.kind, detection.told_by) == (IdentifierType.SYMBOL, "table")
    assert detection.overlaps[IdentifierType.SYMBOL].of_data == 0.6
    assert detection.patterns.shares == {IdentifierType.SYMBOL: 1.0}
    with pytest.raises(InputError, match=r"SYMBOL 42\.9%.*50% are needed.*symbol 100%"):
        detect_identifiers([*symbols, "nothing3", "nothing4"], mapped)
    half = detect_identifiers([*symbols, "nothing3"], mapped)
    assert half.overlaps[IdentifierType.SYMBOL].of_data == 0.5


def test_controls_count_for_the_overlap_only_as_in_the_original():
    ids = ["A_at", "AFFX-1_at", "AFFX-2_at"]
    pairs = [("A_at", GENES[0])]
    assert convert_genes(ids, np.ones(3), mapping(pairs)).counts.controls == 2
    with pytest.raises(InputError, match=r"33\.3%"):
        convert_genes(ids, np.ones(3), mapping(pairs), policy=ConversionPolicy.REFINEBIO_1)


def test_versions_are_ignored_where_databases_have_them_but_not_as_in_the_original():
    refseq = mapping([("NM_001954", GENES[0])], IdentifierType.REFSEQ)
    assert convert_genes(["NM_001954.4"], np.ones(1), refseq).genes == (GENES[0],)
    with pytest.raises(InputError):
        convert_genes(["NM_001954.4"], np.ones(1), refseq, policy=ConversionPolicy.REFINEBIO_1)
    symbols = mapping([("AC012345", GENES[0]), ("TP53", GENES[1])], IdentifierType.SYMBOL)
    result = convert_genes(["AC012345.1", "TP53"], np.ones(2), symbols)
    assert result.genes == (GENES[1],)


def test_ensembl_ids_need_no_table_and_keep_their_version_beside_them():
    ids = [f"{GENES[0]}.14", f"{GENES[1]}_at", f"{GENES[2]}.3_at", "AFFX-BioB-5_at"]
    result = convert_genes(ids, np.arange(4.0), None)
    assert result.genes == tuple(GENES[:3])
    assert result.versions == ("14", "", "3")
    assert result.values[:, 0].tolist() == [0, 1, 2]
    assert result.counts.controls == 1
    assert result.detection.told_by == "pattern"
    assert result.parameters["mapping"] is None
    with pytest.raises(InputError, match="of the type symbol, and there is no mapping table"):
        convert_genes(["TP53"], np.ones(1), None)
    with pytest.raises(InputError, match="look like nothing known"):
        convert_genes(["?", "!"], np.ones(2), None)
    with pytest.raises(InputError, match="of the type ensembl are needed"):
        convert_genes(["TP53", "DDR1", GENES[0]], np.ones(3), None, kind=IdentifierType.ENSEMBL_GENE)


def test_retired_ensembl_ids_are_unmapped():
    table = mapping([("TP53", GENES[0]), ("DDR1", GENES[1])], IdentifierType.SYMBOL)
    result = convert_genes([GENES[0], f"{GENES[1]}.2", GENES[7]], np.ones(3), table)
    assert result.detection.kind is IdentifierType.ENSEMBL_GENE
    assert result.genes == (GENES[0], GENES[1])
    assert result.outcomes == (Outcome.MAPPED, Outcome.MAPPED, Outcome.UNMAPPED)


def test_a_caller_who_knows_the_type_is_heeded_and_contradicted_in_words():
    numbers = IdentifierMap(
        columns={
            IdentifierType.PROBE: np.array(["7896736", "7896738"], dtype=object),
            IdentifierType.ENSEMBL_GENE: np.array(GENES[:2], dtype=object),
        },
        origin=MapOrigin(format="table", source="made", version="0"),
    )
    result = convert_genes(["7896736", "7896738"], np.ones(2), numbers, kind=IdentifierType.PROBE)
    assert result.detection.told_by == "caller"
    assert any("most look like entrez" in warning for warning in result.warnings)
    with pytest.raises(InputError, match="no column ENTREZID"):
        convert_genes(["7896736"], np.ones(1), numbers, kind=IdentifierType.ENTREZ)


def test_means_are_over_present_values_and_a_gene_without_any_stays_missing():
    pairs = [("A_at", GENES[0]), ("B_at", GENES[0]), ("C_at", GENES[1])]
    nan = float("nan")
    values = np.array([[1.0, nan], [nan, nan], [nan, 7.0]])
    result = convert_genes(["A_at", "B_at", "C_at"], values, mapping(pairs))
    np.testing.assert_array_equal(result.values, [[1.0, nan], [nan, 7.0]])
    assert result.rows_per_gene.tolist() == [2, 1]
    assert result.counts.without_value == 0
    assert convert_genes(["C_at"], np.array([nan]), mapping(pairs)).counts.without_value == 1


def test_symbols_that_became_dates_are_told():
    pairs = [("SEPTIN2", GENES[0]), ("DDR1", GENES[1])]
    result = convert_genes(["2-Sep", "DDR1"], np.ones(2), mapping(pairs, IdentifierType.SYMBOL))
    assert result.counts.dates == 1
    assert any("spreadsheet" in warning for warning in result.warnings)


def test_one_value_per_gene_is_unchanged_to_the_last_bit():
    values = np.random.default_rng(0).normal(8, 2, 8)
    result = convert_genes(
        [f"P{n}_at" for n in range(8)], values, mapping([(f"P{n}_at", g) for n, g in enumerate(GENES)])
    )
    assert result.values[:, 0].tolist() == values.tolist()
