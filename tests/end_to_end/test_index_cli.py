"""``refinebio index build`` against the local archive and from files of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinebio_assets.domain.vocabulary import IndexLength
from tests.end_to_end.conftest import ORGANISM
from tests.end_to_end.installation import Installation

pytestmark = pytest.mark.end_to_end

BUILD = ("index", "build", "--organism", "Arabidopsis thaliana")


def files(installation: Installation) -> dict[Path, tuple[int, int]]:
    """Which files Salmon's stored indices are: their inodes and times."""
    folder = installation.objects / "transcriptome_index"
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*.bin")}


def genome_requests(installation: Installation) -> list[str]:
    requests = installation.archive.requests_for(r"\.(fa|gtf)\.gz", method="GET")
    return [request.target.rsplit("/", 1)[1] for request in requests]


def test_both_indices_are_built_once_and_kept(install, command):
    installation = install()

    status, first = command(installation, *BUILD, "--division", "EnsemblPlants")
    assert status == 0
    assert [(item["length"], item["outcome"]) for item in first["items"]] == [("short", "built"), ("long", "built")]
    for item in first["items"]:
        assert (item["division"], item["release"], item["assembly"]) == ("EnsemblPlants", "57", "TAIR10")
        assert (item["transcripts"], item["genes"]) == (172, 145)
        assert Path(item["location"], "pos.bin").is_file()
    fetched = ["Arabidopsis_thaliana.TAIR10.57.gtf.gz", "Arabidopsis_thaliana.TAIR10.dna.toplevel.fa.gz"]
    assert sorted(genome_requests(installation)) == fetched, "both lengths need the genome once"
    assert not list(installation.scratch.rglob("*.gz"))

    before, stored = files(installation), installation.stored()
    installation.archive.forget_requests()
    status, again = command(installation, *BUILD)
    assert status == 0
    assert [item["outcome"] for item in again["items"]] == ["kept", "kept"]
    assert [item["sha256"] for item in again["items"]] == [item["sha256"] for item in first["items"]]
    assert files(installation) == before
    assert installation.stored() == stored
    assert genome_requests(installation) == []


def test_ones_own_genome_and_annotation_give_the_same_index(install, command, genome_files):
    fasta, gtf = map(str, genome_files)
    installation = install()
    _, from_ensembl = command(installation, *BUILD, "--length", "short")
    own = install()

    status, from_files = command(own, *BUILD, "--length", "short", "--fasta", fasta, "--gtf", gtf)

    assert status == 0
    assert own.archive.requests == []
    assert from_files["items"][0]["sha256"] == from_ensembl["items"][0]["sha256"]
    with own.catalog() as catalog:
        info = catalog.current_transcriptome_index(ORGANISM, IndexLength.SHORT)
        assert (info.division, info.release) == ("local files", "unknown")
        assert catalog.current_transcriptome_index(ORGANISM, IndexLength.LONG) is None


WRONG = {
    "an organism that Ensembl does not have": (
        ("--organism", "Nessiteras rhombopteryx"), 3, ["No Ensembl division has a genome", "--fasta and --gtf"]
    ),
    "a division that does not have the organism": (
        ("--organism", "Arabidopsis thaliana", "--division", "EnsemblFungi"), 3, ["EnsemblFungi has no genome"]
    ),
    "a division that is none": (
        ("--organism", "Arabidopsis thaliana", "--division", "EnsemblFungus"), 2, ["EnsemblPlants, EnsemblMetazoa"]
    ),
    "a release that is not there": (
        ("--organism", "Arabidopsis thaliana", "--release", "99"), 3, ["release-99", "Name another release"]
    ),
    "a file that is not there": (
        ("--organism", "Arabidopsis thaliana", "--fasta", "no.fa", "--gtf", "no.gtf"), 2, ["no.fa", "no such file"]
    ),
    "a genome without an annotation": (
        ("--organism", "Arabidopsis thaliana", "--fasta", "no.fa"), 2, ["belong together"]
    ),
    "no organism": (("--organism", " "), 2, ["is no organism name"]),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(install, command, what):
    arguments, expected, words = WRONG[what]
    installation = install()

    status, answer = command(installation, "index", "build", "--length", "short", *arguments)

    assert status == expected
    message = answer["error"]["message"] if "error" in answer else answer["items"][0]["message"]
    assert all(word in message for word in words), message
    assert files(installation) == {}


def test_genome_and_annotation_that_do_not_fit_are_refused(install, command, genome_files, tmp_path):
    gtf = tmp_path / "other.gtf"
    gtf.write_text('chrZ\tx\texon\t1\t50\t.\t+\t.\tgene_id "G1"; transcript_id "T1";\n')
    installation = install()

    arguments = ("--length", "short", "--fasta", str(genome_files[0]), "--gtf", str(gtf))
    status, answer = command(installation, *BUILD, *arguments)

    assert status == 2
    assert "chrZ" in answer["items"][0]["message"]
    assert files(installation) == {}
