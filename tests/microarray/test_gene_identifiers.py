"""What identifiers look like, and how little is taken off them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.microarray.gene_identifiers import (
    IdentifierType,
    bare_identifier,
    identifier_type,
    is_control,
    pattern_shares,
    split_stable_version,
    turned_into_dates,
)

DATA = Path(__file__).parents[1] / "data" / "identifiers"

LABELLED = {
    IdentifierType.PROBE: "1007_s_at 200000_s_at A28102_at AFFX-BioB-5_at 1415670_at A_44_P1025812 ILMN_1651268 "
    "GI_10047093-S 141200_at IMAGE:297443 J00129cds_s_at",
    IdentifierType.ENSEMBL_GENE: "ENSG00000000003 ENSG00000000003.14 ENSG00000000003_at ENSMUSG00000051951 FBgn0000008 "
    "WBGene00000001 YDL246C YAL054C-A AT1G01010 ENSGALG00000011847",
    IdentifierType.ENSEMBL_TRANSCRIPT: "ENST00000632506 ENST00000632506.1 ENSMUST00000070533 FBtr0070000",
    IdentifierType.ENTREZ: "780 1 100506403",
    IdentifierType.REFSEQ: "NM_001954 NM_001954.4 NR_046018.2 XM_011541469 NP_000537",
    IdentifierType.GENBANK: "U48705 M87338.1 AK015719 BC003333 AA001791",
    IdentifierType.UNIGENE: "Hs.631988 Mm.5021 Dr.1",
    IdentifierType.SYMBOL: "DDR1 TP53 Nfatc2 HLA-DRA C1orf112 0610033I05Rik",
}


@pytest.mark.parametrize(
    ("identifier", "kind"), [(name, kind) for kind, names in LABELLED.items() for name in names.split()]
)
def test_identifiers_of_every_database_are_told(identifier, kind):
    assert identifier_type(identifier) is kind


@pytest.mark.parametrize("text", ["", "two words", "-", "???", "0", "0123", "a\tb"])
def test_what_is_no_identifier_has_no_type(text):
    assert identifier_type(text) is None


@pytest.mark.parametrize(
    "untouched",
    ["1007_s_at", "200000_s_at", "A_at_B", "AT1G01010.1", "Hs.75081", "H2-T24.2", "AC012345.1", "Y74C9A.3",
     "RP11-34P13.7", "ENSG00000000003_atypical", "ENSG0000000000.3", "X_at"],
)  # fmt: skip
def test_only_ensembl_ids_lose_a_version_or_at(untouched):
    assert split_stable_version(untouched) == (untouched, "")


@given(st.text(max_size=30))
def test_what_is_taken_off_is_at_or_a_version_of_an_ensembl_id_and_nothing_else(text):
    bare, version = split_stable_version(text)
    assert text in {bare, f"{bare}_at", f"{bare}.{version}", f"{bare}.{version}_at"}
    if bare != text:
        assert identifier_type(bare) in {IdentifierType.ENSEMBL_GENE, IdentifierType.ENSEMBL_TRANSCRIPT}


def test_versions_are_kept_beside_the_id():
    assert split_stable_version("ENSG00000000003.14") == ("ENSG00000000003", "14")
    assert split_stable_version("ENSG00000000003.14_at") == ("ENSG00000000003", "14")
    assert split_stable_version("YDL246C_at") == ("YDL246C", "")
    assert split_stable_version("WBGene00000001.2") == ("WBGene00000001", "2")


def test_accessions_are_looked_up_without_version_where_their_database_has_versions():
    assert bare_identifier("NM_001954.4", IdentifierType.REFSEQ) == "NM_001954"
    assert bare_identifier("U48705.1", IdentifierType.GENBANK) == "U48705"
    assert bare_identifier("NM_001954.4", IdentifierType.GENBANK) == "NM_001954"
    for kind in (IdentifierType.SYMBOL, IdentifierType.PROBE, IdentifierType.UNIGENE, IdentifierType.ENTREZ):
        assert bare_identifier("AC012345.1", kind) == "AC012345.1"
    assert bare_identifier("Hs.1", IdentifierType.REFSEQ) == "Hs.1"


def test_a_column_is_what_most_of_it_is_and_controls_do_not_count():
    shares = pattern_shares(["AFFX-BioB-5_at", "TP53", "TP53", "DDR1", "780", ""])
    assert shares.likeliest is IdentifierType.SYMBOL
    assert shares.distinct == 3
    assert shares.shares == {IdentifierType.ENTREZ: pytest.approx(1 / 3), IdentifierType.SYMBOL: pytest.approx(2 / 3)}
    assert pattern_shares(["AFFX-BioB-5_at"]).likeliest is None


@given(st.lists(st.text(max_size=12), max_size=30))
def test_shares_are_parts_of_one(identifiers):
    shares = pattern_shares(identifiers).shares
    assert all(0 < share <= 1 for share in shares.values())
    assert sum(shares.values()) <= 1 + 1e-9


def test_every_probe_set_of_a_real_array_is_a_probe():
    text = gzip.decompress((DATA / "GPL96.soft.gz").read_bytes()).decode("latin-1")
    ids = re.findall(r"^(\S+)\t", text.split("!platform_table_begin\n")[1], re.MULTILINE)[1:]
    assert pattern_shares(ids).shares == {IdentifierType.PROBE: 1.0}
    assert sum(map(is_control, ids)) == 68


def test_dates_that_were_symbols_are_counted():
    assert turned_into_dates(["2-Sep", "Mar-01", "SEPT2", "MARCH1", "1-Dec-2003", "DEC1"]) == 2
