"""Mapping tables of every origin, stored and joined."""

from __future__ import annotations

import gzip
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.gene_identifiers import IdentifierType
from refinebio_assets.microarray.identifier_map_files import read_identifier_map
from refinebio_assets.microarray.identifier_maps import IdentifierMap, MapOrigin

DATA = Path(__file__).parents[1] / "data" / "identifiers"
PROBE, GENE, SYMBOL = IdentifierType.PROBE, IdentifierType.ENSEMBL_GENE, IdentifierType.SYMBOL

REFINEBIO = (
    "PROBEID\tENSEMBL\tSYMBOL\tENTREZID\tUNIGENE\tREFSEQ\n"
    "1007_s_at\tENSG00000204580\tDDR1\t780\tHs.631988\tNM_001954\n"
    "1007_s_at\tENSG00000230456\tDDR1\t780\tHs.631988\tNM_001954\n"
    "1053_at\tENSG00000049541\tRFC2\t5982\tHs.647062\tNM_002914\n"
    "AFFX-BioB-5_at\tNA\tNA\tNA\tNA\tNA\n"
)


@cache
def stored(name: str) -> IdentifierMap:
    return read_identifier_map(DATA / name)


def rows_of(name: str) -> list[list[str]]:
    text = gzip.decompress((DATA / name).read_bytes()).decode("latin-1")
    return [line.split("\t") for line in text.rstrip("\n").split("\n")]


def test_the_originals_gene_indices_are_read():
    read = read_identifier_map(gzip.compress(REFINEBIO.encode()), name="hgu133a.tsv.gz")
    assert read.origin.format == "refine.bio"
    assert set(read.columns) == {
        PROBE, GENE, SYMBOL, IdentifierType.ENTREZ, IdentifierType.UNIGENE, IdentifierType.REFSEQ,
    }  # fmt: skip
    assert read.targets(PROBE) == {
        "1007_s_at": ("ENSG00000204580", "ENSG00000230456"),
        "1053_at": ("ENSG00000049541",),
    }
    assert read.targets(IdentifierType.ENTREZ)["780"] == ("ENSG00000204580", "ENSG00000230456")
    without_columns = "PROBEID\tENSEMBL\tSYMBOL\n1769308_at\tYDL246C\tSOR2\n"  # as yeast's
    assert read_identifier_map(without_columns.encode()).targets(SYMBOL) == {"SOR2": ("YDL246C",)}


def as_cell(text: str) -> str:
    return "///".join(dict.fromkeys(text.split(" /// ")))


def test_a_platform_of_geo_is_read_with_all_its_names():
    read = stored("GPL96.soft.gz")
    begin = rows_of("GPL96.soft.gz").index(["!platform_table_begin"])
    rows = [row + [""] * (7 - len(row)) for row in rows_of("GPL96.soft.gz")[begin + 2 : -1]]
    assert read.rows == len(rows) == 22_283
    assert read.origin.platform == "GPL96"
    assert read.origin.organism == "Homo sapiens"
    assert read.origin.release == "Jun 03 2009"
    assert read.columns[PROBE].tolist() == [row[0] for row in rows]
    assert read.columns[SYMBOL].tolist() == [as_cell(row[4]) for row in rows]
    assert read.columns[IdentifierType.ENTREZ].tolist() == [as_cell(row[5]) for row in rows]
    assert read.ignored == ("SPOT_ID", "Representative Public ID")
    entrez = read.targets(PROBE, IdentifierType.ENTREZ)
    assert entrez["1007_s_at"] == ("780",)
    assert "AFFX-BioB-5_at" not in entrez


def test_an_annotation_of_geo_is_read_with_its_date():
    read = stored("GPL97.annot.gz")
    assert (read.origin.platform, read.origin.organism) == ("GPL97", "Homo sapiens")
    assert read.origin.release == "06/20/2008 15:39:40"
    assert read.rows == 1172
    assert read.targets(PROBE, SYMBOL)["200000_s_at"] == ("PRPF8",)
    assert read.targets(PROBE, IdentifierType.ENTREZ)["200000_s_at"] == ("10594",)


def test_brainarrays_mapping_gives_a_probe_set_the_genes_that_half_of_its_probes_hit():
    rows = rows_of("HGFocus_Hs_ENSG_mapping.txt.gz")[1:]
    hits, probes = Counter((row[6], row[0].removesuffix("_at")) for row in rows), Counter(row[6] for row in rows)
    expected = defaultdict(set)
    for (probe_set, gene), count in hits.items():
        if count / probes[probe_set] >= 0.5:
            expected[probe_set].add(gene)
    read = stored("HGFocus_Hs_ENSG_mapping.txt.gz")
    assert read.origin.format == "Brainarray"
    assert read.targets(PROBE) == {probe_set: tuple(sorted(genes)) for probe_set, genes in expected.items()}
    assert "less than half of the probes" in read.notes[0]


def test_a_gtf_gives_transcripts_and_symbols_of_genes_with_versions():
    read = stored("gencode_v24_chr19.gtf.gz")
    expected, versions = defaultdict(set), {}
    for row in rows_of("gencode_v24_chr19.gtf.gz"):
        if len(row) == 9 and row[2] == "transcript" and "pseudogene" not in "\t".join(row):
            gene, version = re.search(r'gene_id "([^".]*)\.(\d+)"', row[8]).groups()
            expected[re.search(r'gene_name "([^"]*)"', row[8])[1]].add(gene)
            versions[gene] = version
    assert read.origin.format == "GTF"
    assert read.targets(SYMBOL) == {symbol: tuple(sorted(genes)) for symbol, genes in expected.items()}
    assert read.version_of == versions
    assert len(versions) > 700
    assert read_identifier_map((DATA / "gencode_v24_chr19.gtf.gz").read_bytes()).version_of == versions


def test_refinebios_probe_maps_and_tables_without_header_are_read():
    rows = rows_of("illuminaHumanv4.tsv.gz")[1:]
    assert stored("illuminaHumanv4.tsv.gz").targets(PROBE) == {probe: (gene,) for probe, gene in rows}
    plain = stored("hgu95av2_ID.gz")
    assert plain.targets(PROBE, IdentifierType.GENBANK) == {
        probe: (accession,) for probe, accession in rows_of("hgu95av2_ID.gz")
    }
    turned = "\n".join(f"{gene}\t{probe}" for probe, gene in rows).encode()
    assert read_identifier_map(turned).targets(PROBE) == stored("illuminaHumanv4.tsv.gz").targets(PROBE)


@pytest.mark.parametrize(
    ("header", "row", "kind"),
    [
        ("Gene stable ID,Gene name", "ENSG00000000003,TSPAN6", SYMBOL),
        ("Gene stable ID version\tNCBI gene ID", "ENSG00000000003.16\t7105", IdentifierType.ENTREZ),
        ("Gene stable ID\tNCBI gene (formerly Entrezgene) ID", "ENSG00000000003\t7105", IdentifierType.ENTREZ),
        ("ensembl_gene_id\trefseq_mrna", "ENSG00000000003\tNM_003270", IdentifierType.REFSEQ),
        ("Gene\tSymbol", "ENSG00000000003\tTSPAN6", SYMBOL),
        ("Gene\tgene_id", "TSPAN6\tENSG00000000003", SYMBOL),
        ("Transcript stable ID\tGene ID", "ENST00000373020\tENSG00000000003", IdentifierType.ENSEMBL_TRANSCRIPT),
    ],
)  # fmt: skip
def test_columns_are_known_by_name_and_content(header, row, kind):
    read = read_identifier_map(f"{header}\n{row}\n".encode())
    assert set(read.columns) == {GENE, kind}
    assert set(read.targets(kind).values()) == {("ENSG00000000003",)}
    assert read.version_of == ({"ENSG00000000003": "16"} if "version" in header else {})


def test_names_that_are_no_identifiers_are_not_taken_for_symbols():
    text = "ID\tGENE_NAME\tUNIGENE_ID\n1\tAdenomatosis polyposis coli\tHs.75081\n2\tsome other gene\tHs.49762\n"
    read = read_identifier_map(text.encode())
    assert set(read.columns) == {PROBE, IdentifierType.UNIGENE}
    assert read.ignored == ("GENE_NAME",)


def test_a_stored_table_comes_back_as_it_was():
    for name in ("GPL96.soft.gz", "gencode_v24_chr19.gtf.gz"):
        content = stored(name).to_bytes()
        back = read_identifier_map(content)
        assert (back.origin, back.ignored, back.notes) == (
            stored(name).origin, stored(name).ignored, stored(name).notes,
        )  # fmt: skip
        for kind, column in stored(name).columns.items():
            assert back.columns[kind].tolist() == column.tolist()
        assert back.version_of == stored(name).version_of
        assert back.to_bytes() == content


def test_a_table_has_the_version_of_its_content_however_it_is_packed():
    plain = read_identifier_map(REFINEBIO.encode())
    assert plain.origin.version == read_identifier_map(gzip.compress(REFINEBIO.encode())).origin.version
    assert plain.origin.version != read_identifier_map(REFINEBIO.replace("DDR1", "DDR2").encode()).origin.version


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9, 0.99])
def test_a_damaged_stored_table_is_said_to_be_damaged(at):
    content = bytearray(read_identifier_map(REFINEBIO.encode()).to_bytes())
    with pytest.raises(MalformedFileError):
        read_identifier_map(bytes(content[: int(at * len(content))]))


def test_a_platforms_names_lead_on_to_genes_through_the_organisms():
    joined = stored("GPL96.soft.gz").completed_by(stored("gencode_v24_chr19.gtf.gz"))
    genes = stored("gencode_v24_chr19.gtf.gz").targets(SYMBOL)
    expected = {}
    for probe, symbols in stored("GPL96.soft.gz").targets(PROBE, SYMBOL).items():
        if found := {gene for symbol in symbols for gene in genes.get(symbol, ())}:
            expected[probe] = tuple(sorted(found))
    assert joined.targets(PROBE) == expected
    assert len(expected) > 1000
    assert "through SYMBOL" in joined.notes[-1]
    assert joined.origin.version == "+".join(
        stored(name).origin.version for name in ("GPL96.soft.gz", "gencode_v24_chr19.gtf.gz")
    )


def test_tables_without_common_names_are_not_joined():
    with pytest.raises(InputError, match="no names in common"):
        stored("hgu95av2_ID.gz").completed_by(stored("gencode_v24_chr19.gtf.gz"))


def test_a_table_that_leads_nowhere_says_what_it_has():
    with pytest.raises(InputError, match="no column ENSEMBL; it has PROBEID, GENBANK"):
        stored("hgu95av2_ID.gz").targets(PROBE)


def test_overlap_has_both_shares():
    overlap = stored("illuminaHumanv4.tsv.gz").overlap(["ILMN_1651268", "ILMN_1651268", "ILMN_0", "AFFX-x_at"])[PROBE]
    assert (overlap.of_data, overlap.shared) == (0.5, 1)
    assert overlap.of_map == pytest.approx(1 / 1797)
    with_controls = stored("illuminaHumanv4.tsv.gz").overlap(["ILMN_1651268", "AFFX-x_at", "y"], with_controls=True)
    assert with_controls[PROBE].of_data == pytest.approx(1 / 3)
    versioned = read_identifier_map(REFINEBIO.encode()).overlap(["NM_001954.4", "NM_9"])[IdentifierType.REFSEQ]
    assert versioned.of_data == 0.5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"a\tb\tc\n1\t2\t3\n", "no names that are known"),
        (b"TP53\tDDR1\nRFC2\tPAX8\n", "cannot be told apart"),
        (b"PROBEID\tcomment\nA_at\tx\n", "Fewer than two columns"),
        (b"<html></html>", "web page"),
        (b"^PLATFORM = GPL1\n!Platform_title = x\n", "No platform"),
        (b"PAR1nothing", "no stored mapping table"),
        (b"PROBEID\tENSEMBL\nA_at\tENSG00000000003\textra\n", "3 cells"),
        (b'1\tx\texon\t1\t0\t.\t+\t.\tgene_id "g"; transcript_id "t";\n', "reach from"),
    ],
)
def test_what_is_no_mapping_table_is_refused(content, said):
    with pytest.raises(MalformedFileError, match=said):
        read_identifier_map(content)


def test_a_file_of_several_platforms_needs_to_be_told_which():
    one = "^PLATFORM = {}\n!platform_table_begin\nID\tGene Symbol\n{}\tTP53\n!platform_table_end\n"
    both = (one.format("GPL1", "A_at") + one.format("GPL2", "B_at")).encode()
    with pytest.raises(InputError, match="several platforms: GPL1, GPL2"):
        read_identifier_map(both)
    assert read_identifier_map(both, platform="GPL2").targets(PROBE, SYMBOL) == {"B_at": ("TP53",)}
    with pytest.raises(MalformedFileError, match="no table of platform GPL3"):
        read_identifier_map(both, platform="GPL3")


CELLS = st.lists(st.sampled_from(["A", "B", "C", "D///A", "E///F///E", ""]), min_size=1, max_size=25)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_relations_are_those_of_the_rows(data):
    left = data.draw(CELLS)
    right = data.draw(st.lists(st.sampled_from(["X", "Y", "X///Z", ""]), min_size=len(left), max_size=len(left)))
    made = IdentifierMap(
        columns={PROBE: np.array(left, dtype=object), GENE: np.array(right, dtype=object)},
        origin=MapOrigin(format="table", source="made", version="0"),
    )
    expected = defaultdict(set)
    for cell, target in zip(left, right, strict=True):
        for name in filter(None, cell.split("///")):
            expected[name].update(filter(None, target.split("///")))
    assert made.targets(PROBE) == {name: tuple(sorted(genes)) for name, genes in expected.items() if genes}
    assert IdentifierMap.from_bytes(made.to_bytes()).targets(PROBE) == made.targets(PROBE)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_table_or_a_typed_error(content):
    try:
        read = read_identifier_map(content)
    except InputError:
        return
    assert len(read.columns) >= 2
