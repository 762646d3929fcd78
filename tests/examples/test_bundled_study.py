"""The bundled study says about its files what is true of them."""

import gzip
import hashlib

import orjson
import pytest

from examples.local_archive import BUNDLED_STUDIES

STUDY = BUNDLED_STUDIES / "SRP010938"
RUNS = orjson.loads((STUDY / "read_run.json").read_bytes())
GENOMES = STUDY / "files/ftp.ensemblgenomes.ebi.ac.uk/pub/release-57/plants"


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["run_accession"])
def test_sizes_checksums_and_counts_of_a_run_are_those_of_its_files(run):
    sizes, checksums = run["fastq_bytes"].split(";"), run["fastq_md5"].split(";")
    bases = 0
    for path, size, md5 in zip(run["fastq_ftp"].split(";"), sizes, checksums, strict=True):
        content = (STUDY / "files" / path).read_bytes()
        assert (str(len(content)), hashlib.md5(content).hexdigest()) == (size, md5)
        reads = gzip.decompress(content).split(b"\n")[1::4]
        assert len(reads) == int(run["read_count"]) == 20_000
        bases += sum(map(len, reads))
    assert bases == int(run["base_count"])


def test_runs_carry_the_names_of_the_study():
    assert {run["run_accession"]: (run["library_name"], run["sample_title"]) for run in RUNS} == {
        "SRR446027": ("M1A", "Mock.1h.A"),
        "SRR446029": ("A1A", "Avr.1h.A"),
        "SRR446031": ("V1A", "Vir.1h.A"),
        "SRR446039": ("M12A", "Mock.12h.A"),
        "SRR446043": ("V12A", "Vir.12h.A"),
    }


def test_accessions_that_are_not_known_are_empty():
    for column in ("experiment_accession", "sample_accession", "secondary_sample_accession", "study_accession"):
        assert {run[column] for run in RUNS} == {""}
    assert not (STUDY / "biosamples").exists()


def test_the_annotation_lies_on_the_genome():
    fasta = GENOMES / "fasta/arabidopsis_thaliana/dna/Arabidopsis_thaliana.TAIR10.dna.toplevel.fa.gz"
    gtf = GENOMES / "gtf/arabidopsis_thaliana/Arabidopsis_thaliana.TAIR10.57.gtf.gz"
    lengths: dict[str, int] = {}
    for line in gzip.decompress(fasta.read_bytes()).decode().splitlines():
        if line.startswith(">"):
            name = line[1:].split()[0]
            lengths[name] = 0
        else:
            lengths[name] += len(line)
    rows = [line.split("\t") for line in gzip.decompress(gtf.read_bytes()).decode().splitlines()]
    assert len(rows) == 1449
    assert all(1 <= int(row[3]) <= int(row[4]) <= lengths[row[0]] for row in rows)


@pytest.mark.parametrize("path", sorted(STUDY.rglob("*Arabidopsis_thaliana*.gz")), ids=lambda path: path.name)
def test_gzip_files_made_here_carry_no_time_stamp(path):
    assert path.read_bytes()[4:8] == b"\0\0\0\0"
