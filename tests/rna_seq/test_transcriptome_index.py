import gzip
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.rna_seq import fasta
from refinebio_assets.rna_seq.fasta import BASES, fasta_records, reverse_complement
from refinebio_assets.rna_seq.gene_annotation import Exon, read_gtf, split_version
from refinebio_assets.rna_seq.transcriptome_index import (
    IndexSource,
    finish_index,
    index_content_sha256,
    splice,
    transcripts_from_cdna,
    transcripts_from_genome,
)

DATA = Path(__file__).parents[1] / "data" / "rnaseq"
CHROMOSOME = "ACGTTGCAAC" * 10


def gtf_line(feature="exon", start=1, end=10, strand="+", sequence="1", attributes=None, **ids):
    ids = {"gene_id": "G1", "transcript_id": "T1"} | ids if attributes is None else {}
    text = attributes or " ".join(f'{name} "{value}";' for name, value in ids.items() if value is not None)
    return "\t".join([sequence, "test", feature, str(start), str(end), ".", strand, ".", text]) + "\n"


def build(tmp_path, *lines, genome=f">1 first\n{CHROMOSOME}\n"):
    (tmp_path / "genome.fa").write_text(genome)
    (tmp_path / "annotation.gtf").write_text("".join(lines))
    return transcripts_from_genome(tmp_path / "genome.fa", tmp_path / "annotation.gtf", tmp_path / "transcripts.fa")


def sequences(path):
    return {name: bytes(sequence) for name, sequence in fasta_records(path)}


@pytest.mark.parametrize(
    ("name", "genome", "gtf", "transcripts"),
    [
        ("ggal", "genome.fa.gz", "annotation.gtf", 5),
        ("arabidopsis", "tair10.fasta.gz", "tair10.gtf.gz", 172),
        ("awkward", "genome.fa", "annotation.gtf", 3),
    ],
)
def test_transcripts_equal_those_of_rsem(tmp_path, name, genome, gtf, transcripts):
    built = transcripts_from_genome(DATA / name / genome, DATA / name / gtf, tmp_path / "transcripts.fa")
    expected = next((DATA / "rsem").glob(f"{name}.transcripts.fa*"))
    # RSEM keeps the letter case of a soft-masked genome; Salmon does not look at it.
    of_rsem = {header: bytes(sequence.upper()) for header, sequence in fasta_records(expected)}
    assert sequences(built.transcripts_fasta) == of_rsem
    assert len(built.gene_map) == built.counts["transcripts"] == transcripts


def test_genes_and_transcripts_come_from_transcript_lines(tmp_path):
    built = build(
        tmp_path,
        "#!genome-build TEST\n",
        gtf_line("gene", transcript_id=None),
        gtf_line("transcript", gene_version="3", transcript_version="7", gene_name="abc", transcript_biotype="x"),
        gtf_line(),
    )
    assert built.gene_map == [("G1", "T1")]
    (transcript,) = built.transcripts
    assert (transcript.gene_version, transcript.transcript_version) == ("3", "7")
    assert (transcript.gene_name, transcript.biotype) == ("abc", "x")
    assert built.counts == {"bases": 10, "genes": 1, "transcripts": 1}


def test_unquoted_ids_are_read(tmp_path):
    built = build(tmp_path, gtf_line(attributes="gene_id G9; transcript_id T9; exon_number 1;"))
    assert built.gene_map == [("G9", "T9")]


def test_a_gtf_without_transcript_lines_is_read_from_its_exons_and_says_so(tmp_path):
    built = build(tmp_path, gtf_line(), gtf_line(start=21, end=30), gtf_line(transcript_id="T2"))
    assert built.gene_map == [("G1", "T1"), ("G1", "T2")]
    assert built.counts["transcripts_from_exon_lines"] == 2


def test_every_line_with_the_word_pseudogene_is_dropped(tmp_path):
    built = build(
        tmp_path,
        gtf_line("transcript", transcript_id="T2", transcript_biotype="processed_pseudogene"),
        gtf_line(transcript_id="T2", transcript_biotype="processed_pseudogene"),
        gtf_line("transcript", transcript_id="T3", gene_name="pseudogene-like"),
        gtf_line(transcript_id="T3"),
        gtf_line("transcript"),
        gtf_line(),
    )
    assert built.gene_map == [("G1", "T1")]
    assert built.counts["pseudogene_lines"] == 3
    assert built.counts["pseudogene_transcripts_with_plain_exons"] == 1


def test_real_world_dirt_is_left_out_and_counted(tmp_path):
    built = build(
        tmp_path,
        gtf_line(),
        gtf_line(gene_id=None, transcript_id="T2"),
        gtf_line(transcript_id=None),
        gtf_line("transcript", transcript_id="T3"),
        gtf_line("transcript", transcript_id=None),
        gtf_line(transcript_id="T4", sequence="scaffold_7"),
        gtf_line(transcript_id="T5", end=101),
        gtf_line(sequence="Y"),
        gtf_line(transcript_id="T6", strand="."),
    )
    assert [transcript for _, transcript in built.gene_map] == ["T1", "T6"]
    assert built.counts == {
        "bases": 20,
        "exons_on_second_sequence": 1,
        "exons_without_gene_id": 1,
        "exons_without_strand": 1,
        "exons_without_transcript_id": 1,
        "genes": 1,
        "missing_sequences": 1,
        "transcript_lines_without_id": 1,
        "transcripts": 2,
        "transcripts_beyond_sequence_end": 1,
        "transcripts_from_exon_lines": 4,
        "transcripts_on_missing_sequences": 1,
        "transcripts_without_exons": 1,
    }


def test_nothing_left_names_the_sequences_of_both_files_and_leaves_no_output(tmp_path):
    with pytest.raises(InputError, match=r"GTF file names chr1, the genome 1\.") as caught:
        build(tmp_path, gtf_line(sequence="chr1"))
    assert caught.value.exit_status == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotation.gtf", "genome.fa"]


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        ([gtf_line(), "1\ttest\texon\t1\n"], 2, "nine tab-separated columns, this one 4"),
        ([gtf_line(), gtf_line(start="x")], 2, "must be numbers"),
        ([gtf_line(start=11, end=10)], 1, "cannot reach from 11 to 10"),
        ([gtf_line(attributes="ID=exon1;Parent=mRNA1")], 1, "GFF3, not GTF.*gffread"),
        (["<html><body>404</body></html>\n"], 1, "web page"),
    ],
)
def test_a_file_that_is_no_gtf_is_refused_with_its_line(tmp_path, lines, line, words):
    with pytest.raises(MalformedFileError, match=words) as caught:
        build(tmp_path, *lines)
    assert (caught.value.path.name, caught.value.line) == ("annotation.gtf", line)


def test_a_gtf_with_nothing_but_pseudogenes_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"No transcript is left.*pseudogene_lines 1"):
        build(tmp_path, gtf_line(biotype="pseudogene"))


@pytest.mark.parametrize(
    ("genome", "words"),
    [
        ("ACGT\n", "no FASTA"),
        ("<html>", "web page"),
        ("", "empty"),
        (">1\nACGT\n>1\nACGT\n", "'1' appears twice"),
        (">1\nACGT1234\n", "holds '1'"),
        (">\nACGT\n", "no name"),
    ],
)
def test_a_file_that_is_no_genome_is_refused(tmp_path, genome, words):
    with pytest.raises(MalformedFileError, match=words):
        build(tmp_path, gtf_line(end=2), genome=genome)


def test_truncated_gzip_of_genome_or_annotation_is_refused(tmp_path):
    genome, gtf = DATA / "arabidopsis" / "tair10.fasta.gz", DATA / "arabidopsis" / "tair10.gtf.gz"
    cut = tmp_path / "cut.gz"
    cut.write_bytes(genome.read_bytes()[:-1000])
    with pytest.raises(MalformedFileError, match="truncated"):
        transcripts_from_genome(cut, gtf, tmp_path / "t.fa")
    cut.write_bytes(gtf.read_bytes()[:-1000])
    with pytest.raises(MalformedFileError, match="truncated"):
        transcripts_from_genome(genome, cut, tmp_path / "t.fa")
    assert [path.name for path in tmp_path.iterdir()] == ["cut.gz"]


def test_trans_spliced_exons_are_joined_by_rank_each_on_its_own_strand():
    sequence = bytearray(b"AACCGGTTAC")
    exons = [Exon(1, 4, 1, 2), Exon(8, 10, -1, 1)]
    assert splice(sequence, exons) == b"GTA" + b"AACC"


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 20)), min_size=1, max_size=6),
    st.sampled_from([1, -1]),
    st.randoms(use_true_random=False),
)
def test_a_transcript_is_the_covered_bases_in_order_whatever_the_order_of_exons(spans, strand, random):
    sequence = bytearray(random.choices(b"ACGT", k=80))
    exons = [Exon(start, start + extra, strand, 0) for start, extra in spans]
    covered = sorted({base for exon in exons for base in range(exon.start, exon.end + 1)})
    expected = bytes(sequence[base - 1] for base in covered)
    assert splice(sequence, exons) == (expected if strand == 1 else reverse_complement(expected))


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30)), min_size=1, max_size=5),
    st.integers(1, 40),
    st.sampled_from(["\n", "\r\n"]),
)
def test_fasta_reads_the_same_for_any_block_and_line_length(tmp_path_factory, shapes, block, line_end):
    records = [(f"s{at} a->b", ("ACGTN" * length)[:length], width) for at, (length, width) in enumerate(shapes)]
    lines = []
    for header, sequence, width in records:
        lines += [f">{header}", *(sequence[at : at + width] for at in range(0, len(sequence), width))]
    path = tmp_path_factory.mktemp("fasta") / "a.fa"
    path.write_bytes((line_end.join(lines) + line_end).encode())
    before = fasta._BLOCK_BYTES
    try:
        fasta._BLOCK_BYTES = block
        found = [(header, sequence.decode()) for header, sequence in fasta_records(path)]
    finally:
        fasta._BLOCK_BYTES = before
    assert found == [(header, sequence) for header, sequence, _ in records]


@given(st.lists(st.text(alphabet='\t ;"=ABgene_idtranscript1\n', max_size=60), max_size=8))
def test_arbitrary_annotation_is_read_or_refused_with_a_clear_error(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("gtf") / "a.gtf"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read_gtf(path)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("identifier", "parts"),
    [
        ("ENSG00000000003.14", ("ENSG00000000003", "14")),
        ("ENSMUST00000193812.2", ("ENSMUST00000193812", "2")),
        ("WBGene00000001.1", ("WBGene00000001", "1")),
        ("FBgn0031208.3", ("FBgn0031208", "3")),
        ("ENSG00000000003", ("ENSG00000000003", "")),
        ("AT1G01010.1", ("AT1G01010.1", "")),
        ("Y74C9A.3.1", ("Y74C9A.3.1", "")),
    ],
)
def test_only_ids_of_known_grammars_have_a_version_split_off(identifier, parts):
    assert split_version(identifier) == parts


CDNA = """\
>ENST00000000001.2 cdna chromosome:GRCh38:1:1:20:1 gene:ENSG00000000001.5 transcript_biotype:x gene_symbol:ABC
ACGTRa
cgt
>ENST00000000002.1 cdna chromosome:GRCh38:1:1:20:1 gene:ENSG00000000001.5 transcript_biotype:unprocessed_pseudogene
ACGT
>AT1G01010.1 cdna gene:AT1G01010
GGGG
"""


def test_cdna_headers_give_genes_versions_and_names(tmp_path):
    path = tmp_path / "cdna.fa"
    path.write_text(CDNA)
    built = transcripts_from_cdna([path], tmp_path / "transcripts.fa")
    assert built.gene_map == [("ENSG00000000001", "ENST00000000001"), ("AT1G01010", "AT1G01010.1")]
    first = built.transcripts[0]
    assert (first.gene_version, first.transcript_version, first.gene_name) == ("5", "2", "ABC")
    assert sequences(built.transcripts_fasta) == {"ENST00000000001": b"ACGTNACGT", "AT1G01010.1": b"GGGG"}
    assert built.counts["pseudogene_records"] == 1


def test_cdna_with_a_gtf_takes_its_genes_from_there(tmp_path):
    cdna, gtf = tmp_path / "cdna.fa.gz", tmp_path / "a.gtf"
    cdna.write_bytes(gzip.compress(CDNA.encode()))
    gtf.write_text(gtf_line(gene_id="ENSG00000000009", transcript_id="ENST00000000001"))
    built = transcripts_from_cdna([cdna], tmp_path / "transcripts.fa", gtf=gtf)
    assert built.gene_map == [("ENSG00000000009", "ENST00000000001")]
    assert built.counts["records_without_annotation"] == 1


def test_cdna_without_gene_or_with_a_transcript_twice_is_refused(tmp_path):
    path = tmp_path / "cdna.fa"
    path.write_text(">T1\nACGT\n")
    with pytest.raises(MalformedFileError, match=r"'T1' names no gene.*--gtf"):
        transcripts_from_cdna([path], tmp_path / "transcripts.fa")
    path.write_text(">T1 gene:G1\nACGT\n")
    with pytest.raises(MalformedFileError, match="'T1' appears twice"):
        transcripts_from_cdna([path, path], tmp_path / "transcripts.fa")
    assert [file.name for file in tmp_path.iterdir()] == ["cdna.fa"]


def test_the_index_hash_ignores_times_and_places_but_no_content(tmp_path):
    built = build(tmp_path, gtf_line("transcript", gene_name="abc"), gtf_line())
    source = IndexSource(
        organism="DANIO_RERIO",
        taxonomy_id=7955,
        division="EnsemblVertebrates",
        release="115",
        assembly="GRCz11",
        inputs={},
    )
    first = tmp_path / "first"
    first.mkdir()
    (first / "pos.bin").write_bytes(b"positions")
    second = Path(shutil.copytree(first, tmp_path / "second"))
    (second / "info.json").write_text("made elsewhere")
    (second / "ref_indexing.log").write_text("at another time")
    one = finish_index(first, built, source=source, length=IndexLength.LONG, salmon_version="1.10.1")
    two = finish_index(second, built, source=source, length=IndexLength.LONG, salmon_version="1.10.1")
    assert one == two == json.loads((first / "index.json").read_text())
    assert (one["kmer"], one["num_genes"], one["num_transcripts"]) == (31, 1, 1)
    assert (first / "genes_to_transcripts.tsv").read_text() == "G1\tT1\n"
    assert (first / "transcripts.tsv").read_text().splitlines()[1] == "G1\t\tT1\t\tabc\t"
    (second / "pos.bin").write_bytes(b"other positions")
    assert index_content_sha256(second) != one["sha256"]


def test_bases_are_upper_case_acgtn():
    assert b"acgtuACGTURYKn-*".translate(BASES) == b"ACGTTACGTTNNNNNN"
