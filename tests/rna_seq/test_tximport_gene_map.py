"""Which gene a transcript belongs to, from tables as people have them."""

from __future__ import annotations

import contextlib
import gzip
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.rna_seq.gene_map import GeneMap

PAIRS = [("g1", "t1"), ("g1", "t2"), ("g2", "t3")]


def read(tmp_path, text):
    path = tmp_path / "map.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return GeneMap.read(path)


def genes_of(gene_map, transcripts, **settings):
    assignment = gene_map.assign(transcripts, **settings)
    return [[*assignment.genes, None][place] for place in assignment.gene_of_row]


@pytest.mark.parametrize(
    "text",
    [
        "g1\tt1\ng1\tt2\ng2\tt3\n",
        "t1\tg1\nt2\tg1\nt3\tg2\n",
        "transcript_id\tgene_id\nt1\tg1\nt2\tg1\nt3\tg2\n",
        "TXNAME\tGENEID\nt1\tg1\nt2\tg1\nt3\tg2\n",
        "Gene stable ID\tTranscript stable ID\ng1\tt1\ng1\tt2\ng2\tt3",
        "gene_id\ttx_name\ng1\tt1\ng1\tt2\ng2\tt3\n",
        "transcript_id\tgene_id\tgene_name\nt1\tg1\tabc\nt2\tg1\t\nt3\tg2\tdef\n",
        "\ufeffg1\tt1\r\ng1\tt2\r\ng2\tt3\r\n",
        "g1\tt1\ng1\tt2\ng2\tt3\ng1\tt1\n\n",
        gzip.compress(b"g1\tt1\ng1\tt2\ng2\tt3\n", mtime=0),
        lzma.compress(b"t1\tg1\nt2\tg1\nt3\tg2\n"),
    ],
)
def test_columns_in_any_order_with_or_without_header(tmp_path, text):
    assert genes_of(read(tmp_path, text), ["t3", "t1", "other", "t2"]) == ["g2", "g1", None, "g1"]


def test_unknown_transcripts_are_counted(tmp_path):
    assignment = GeneMap.from_dict({"t1": "g1"}).assign(["t1", "t2", "t3"])
    assert (assignment.genes, assignment.dropped, assignment.gene_of_row.tolist()) == (["g1"], 2, [0, 1, 1])


def test_versions_of_quantified_transcripts_can_be_ignored():
    gene_map = GeneMap.from_dict({"ENST1": "ENSG1", "ENST2": "ENSG2"})
    assert genes_of(gene_map, ["ENST1.4", "ENST2.12", "ENST3.1"], ignore_version=True) == ["ENSG1", "ENSG2", None]
    with pytest.raises(InputError, match=r"None of the 2 transcripts is .*ENST1\.4, ENST2\.12 against ENST1, ENST2"):
        gene_map.assign(["ENST1.4", "ENST2.12"])


def test_genes_named_like_their_transcripts_are_no_obstacle(tmp_path):
    gene_map = read(tmp_path, "YAL1\tYAL1\nYAL2\tYAL2\n")
    assert genes_of(gene_map, ["YAL2", "YAL1"]) == ["YAL2", "YAL1"]
    partly = read(tmp_path, "YAL1\tYAL1\nYAL2\tYAL2_mRNA\nYAL2\tYAL2_b\n")
    assert genes_of(partly, ["YAL1", "YAL2_mRNA", "YAL2_b"]) == ["YAL1", "YAL2", "YAL2"]


def test_a_table_that_fits_both_ways_asks_for_a_header(tmp_path):
    with pytest.raises(InputError, match="Both columns have 2") as caught:
        read(tmp_path, "a\tb\nb\ta\n").assign(["a", "b"])
    assert caught.value.remedy is not None
    assert "transcript_id" in caught.value.remedy
    assert genes_of(read(tmp_path, "gene\ttranscript\na\tb\nb\ta\n"), ["a", "b"]) == ["b", "a"]


def test_a_map_of_another_annotation_is_named_with_examples_of_both(tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path, "g1\tt1\n").assign(["x1", "x2", "x3", "x4"], quant_file=Path("A/quant.sf"))
    assert (caught.value.path, caught.value.line) == (tmp_path / "map.tsv", 1)
    for word in ("A/quant.sf (line 2: x1)", "x1, x2, x3, …", "g1 or t1", "--ignore-tx-version"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("\n\n", 1, "empty"),
        ("g1\tt1\ng1\n", 2, "separated by a tab; found 'g1'"),
        ("g1\tt1\n\t\ng2\tt2\n", 2, "Expected a gene and a transcript"),
        ("g1\tt1\n\ng2\tt2\n", 2, "Expected a gene and a transcript"),
        ("g1,t1\ng1,t2\n", 1, "separated by a tab"),
        ("transcript_id\tgene_id\n", 2, "Expected"),
        ("transcript_id\tx\tgene_id\nt1\tx\tg1\nt2\tx\n", 3, "Expected"),
        ("<html>\n<body>\n", 1, "found '<html>'"),
        (b"g1\tt1\ng1\t\xff\n", 2, "not text"),
        (gzip.compress(b"g1\tt1\n" * 50, mtime=0)[:-4], 51, "truncated"),
    ],
)
def test_malformed_tables_are_named_with_the_line(tmp_path, text, line, words):
    with pytest.raises(MalformedFileError) as caught:
        read(tmp_path, text)
    assert (caught.value.path, caught.value.line) == (tmp_path / "map.tsv", line)
    assert words in str(caught.value)


def test_two_genes_for_one_transcript_are_named_with_both_lines(tmp_path):
    with pytest.raises(MalformedFileError, match="t1 belongs to g2 here and to g1 in line 2") as caught:
        read(tmp_path, "gene_id\ttranscript_id\ng1\tt1\ng1\tt2\ng2\tt1\n").assign(["t1"])
    assert caught.value.line == 4


def test_a_missing_map_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        GeneMap.read(tmp_path / "none")


@given(st.text(alphabet="gt12\t\n\r<\0é", max_size=60))
def test_any_text_is_a_map_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "drawn.tsv"
    path.write_bytes(text.encode())
    with contextlib.suppress(MalformedFileError):
        columns = GeneMap.read(path).columns
        assert len(columns[0]) == len(columns[1]) > 0
        assert all(map(all, columns))
