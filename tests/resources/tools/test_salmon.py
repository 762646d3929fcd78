import gzip
import hashlib
from pathlib import Path

import pytest

from refinebio_assets.domain.errors import ToolFailedError, ToolMissingError
from refinebio_assets.rna_seq.salmon import failure_decision, quant_flags, read_quantification
from refinebio_assets.rna_seq.transcriptome_index import transcripts_from_genome
from resources.tools.pinned_random_device import SOURCE, PinnedRandomDevice
from resources.tools.salmon import INDEX_FILES, Salmon

DATA = Path(__file__).parents[2] / "data" / "rnaseq"
PAIR = (DATA / "ggal" / "ggal_gut_1.fq.gz", DATA / "ggal" / "ggal_gut_2.fq.gz")
KMERS = {"short": 23, "long": 31}


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory):
    out = tmp_path_factory.mktemp("transcripts") / "transcripts.fa"
    return transcripts_from_genome(DATA / "ggal" / "genome.fa.gz", DATA / "ggal" / "annotation.gtf", out)


@pytest.fixture(scope="module")
def indices(tmp_path_factory, transcripts):
    folder = tmp_path_factory.mktemp("indices")
    for kmer in KMERS.values():
        Salmon().index(transcripts.transcripts_fasta, folder / f"k{kmer}", kmer=kmer)
    return {kmer: folder / f"k{kmer}" for kmer in KMERS.values()}


@pytest.fixture(scope="module")
def salmon(tmp_path_factory):
    return Salmon(cache_dir=tmp_path_factory.mktemp("cache with a space"))


def quantify(salmon, index, output, reads=PAIR):
    return salmon.quant(index=index, reads=reads, output=output, flags=quant_flags(paired=len(reads) == 2))


def reads_of_genes(quant_sf, gene_map):
    genes = {transcript: gene for gene, transcript in gene_map}
    totals = dict.fromkeys(genes.values(), 0.0)
    for line in quant_sf.read_text().splitlines()[1:]:
        name, _, _, _, reads = line.split("\t")
        totals[genes[name]] += float(reads)
    return totals


def test_version_is_read():
    assert Salmon().version().count(".") == 2


def test_the_files_of_an_index_are_the_same_bytes_wherever_it_is_built(tmp_path, salmon):
    many = tmp_path / "transcripts.fa"
    many.write_bytes(gzip.decompress((DATA / "rsem" / "arabidopsis.transcripts.fa.gz").read_bytes()))
    places = [tmp_path / name / "index" for name in ("first", "elsewhere", "a third place")]
    for place in places:
        salmon.index(many, place, kmer=31)
    first, *others = ({path.name: path.read_bytes() for path in place.iterdir()} for place in places)
    assert set(INDEX_FILES) < set(first)
    assert not [name for name in first if name.endswith(".log")]
    assert others == [first, first]
    assert [path.name for path in places[0].parent.iterdir()] == ["index"]


@pytest.mark.parametrize("kmer", [23, 31])
def test_quantification_equals_a_direct_salmon_run(tmp_path, salmon, indices, transcripts, kmer):
    run = quantify(salmon, indices[kmer], tmp_path / "out")
    reference = DATA / "salmon" / f"ggal_gut_k{kmer}"
    found = read_quantification(run.directory)
    expected = (reference / "meta_info.json").read_text()
    assert f'"num_processed": {found.num_processed},' in expected
    assert f'"num_mapped": {found.num_mapped},' in expected
    assert found.library_type == "IU"
    mine = reads_of_genes(run.directory / "quant.sf", transcripts.gene_map)
    theirs = reads_of_genes(reference / "quant.sf", transcripts.gene_map)
    assert mine == pytest.approx(theirs, abs=0.05)


def test_one_threaded_runs_repeat_bit_for_bit(tmp_path, salmon, indices):
    runs = [quantify(salmon, indices[31], tmp_path / str(number)) for number in range(3)]
    assert all(run.reproducible for run in runs)
    assert len({hashlib.sha256((run.directory / "quant.sf").read_bytes()).digest() for run in runs}) == 1


def test_single_end_reads_are_quantified(tmp_path, salmon, indices):
    run = quantify(salmon, indices[31], tmp_path / "out", reads=PAIR[:1])
    found = read_quantification(run.directory)
    assert found.num_processed == 2937
    assert found.library_type == "U"
    assert not found.gc_bias_correct


@pytest.mark.parametrize(
    "salmon_of", [lambda cache: Salmon(threads=2, cache_dir=cache), lambda _: Salmon()], ids=["two threads", "no cache"]
)
def test_runs_that_cannot_be_reproducible_say_so(tmp_path, indices, salmon_of):
    run = quantify(salmon_of(tmp_path / "cache"), indices[31], tmp_path / "out")
    assert not run.reproducible


def test_without_a_compiler_salmon_runs_and_is_not_called_reproducible(tmp_path, indices, monkeypatch):
    monkeypatch.setattr("resources.tools.pinned_random_device._find_compiler", lambda: None)
    assert not quantify(Salmon(cache_dir=tmp_path / "cache"), indices[31], tmp_path / "out").reproducible


def test_a_program_without_a_random_device_is_not_called_reproducible(tmp_path, indices):
    fake = fake_salmon(tmp_path, quant_files=True)
    assert not quantify(Salmon(program=fake, cache_dir=tmp_path / "cache"), indices[31], tmp_path / "out").reproducible


def test_a_compiler_that_fails_is_survived(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.tools.pinned_random_device._find_compiler", lambda: "/bin/false")
    assert PinnedRandomDevice.compile(tmp_path / "cache") is None
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_library_is_named_after_its_source_and_compiled_once(tmp_path):
    first = PinnedRandomDevice.compile(tmp_path)
    made = first.library.stat().st_mtime_ns
    again = PinnedRandomDevice.compile(tmp_path)
    assert first == again
    assert again.library.stat().st_mtime_ns == made
    assert hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16] in first.library.name


def test_reads_that_do_not_map_fail_with_salmons_words_and_are_a_matter_of_quality(tmp_path, salmon, indices):
    foreign = tmp_path / "foreign.fastq"
    foreign.write_text("".join(f"@r{n}\n{'ACGGTCATTG' * 10}\n+\n{'I' * 100}\n" for n in range(100)))
    with pytest.raises(ToolFailedError, match="exit status 1") as caught:
        quantify(salmon, indices[31], tmp_path / "out", reads=(foreign,))
    decision = failure_decision(caught.value, organism="GALLUS_GALLUS")
    assert (decision.state, decision.reason) == ("failed_qc", "low_mapping_rate")
    assert "Gallus gallus" in decision.message


def test_a_broken_index_fails_with_salmons_words(tmp_path, salmon):
    (tmp_path / "index").mkdir()
    with pytest.raises(ToolFailedError) as caught:
        quantify(salmon, tmp_path / "index", tmp_path / "out")
    assert caught.value.output
    assert failure_decision(caught.value, organism="GALLUS_GALLUS").state == "failed_processing"


def test_an_index_that_fails_leaves_nothing(tmp_path):
    (tmp_path / "t.fa").write_text("this is no FASTA")
    with pytest.raises(ToolFailedError):
        Salmon().index(tmp_path / "t.fa", tmp_path / "index", kmer=31)
    assert [path.name for path in tmp_path.iterdir()] == ["t.fa"]


def fake_salmon(folder, *, ending="exit 0", quant_files=False, without=None):
    """A program that writes what a quantification leaves (all but ``without``), speaks and ends as told."""
    lines = ["#!/bin/sh", 'while [ "$1" != "-o" ]; do shift; done', 'mkdir -p "$2/aux_info"']
    names = ("quant.sf", "aux_info/meta_info.json", "lib_format_counts.json") if quant_files else ()
    lines += [f'echo "{{}}" > "$2/{name}"' for name in names if name != without]
    if without:
        lines.append(f': > "$2/{without}"')
    path = folder / "salmon"
    path.write_text("\n".join([*lines, "echo these are my words >&2", ending, ""]))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("exit 7", "failed with exit status 7"),
        ("exit 1", "failed with exit status 1"),
        ("kill -KILL $$", "killed by SIGKILL"),
        ("kill -ABRT $$", "killed by SIGABRT"),
    ],
)
def test_any_bad_end_is_a_failure_although_the_output_is_there(tmp_path, ending, words):
    fake = fake_salmon(tmp_path, ending=ending, quant_files=True)
    with pytest.raises(ToolFailedError, match=words) as caught:
        quantify(Salmon(program=fake), tmp_path, tmp_path / "out")
    assert caught.value.output == "these are my words"


def test_success_without_output_is_a_failure(tmp_path):
    with pytest.raises(ToolFailedError, match=r"ended without an error but did not write quant\.sf") as caught:
        quantify(Salmon(program=fake_salmon(tmp_path)), tmp_path, tmp_path / "out")
    assert caught.value.output == "these are my words"


@pytest.mark.parametrize("name", ["quant.sf", "aux_info/meta_info.json", "lib_format_counts.json"])
def test_success_with_an_empty_output_is_a_failure(tmp_path, name):
    fake = fake_salmon(tmp_path, quant_files=True, without=name)
    with pytest.raises(ToolFailedError, match=f"left an empty {Path(name).name}"):
        quantify(Salmon(program=fake), tmp_path, tmp_path / "out")


def test_a_run_that_takes_too_long_is_ended(tmp_path):
    fake = fake_salmon(tmp_path, ending="sleep 60")
    with pytest.raises(ToolFailedError, match=r"was not done after 0\.5 seconds"):
        quantify(Salmon(program=fake, timeout_seconds=0.5), tmp_path, tmp_path / "out")


def test_a_missing_salmon_names_its_packages(tmp_path):
    with pytest.raises(ToolMissingError, match="apt-get install salmon"):
        Salmon(program="/nowhere/salmon").version()
