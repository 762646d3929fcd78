"""Whole divisions and pinned releases of Ensembl, from the command line to the partitions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.rna_seq.index_run import remembered_division
from resources.archives.bsd_sum import bsd_sum
from tests.end_to_end.conftest import ORGANISM

pytestmark = pytest.mark.end_to_end

OLD = "ftp.ensemblgenomes.ebi.ac.uk/pub/release-40/plants"
NAME = "Arabidopsis_thaliana"
BUILD = ("index", "build", "--organism", "Arabidopsis thaliana", "--length", "short")
HEADER = "#name\tspecies\tdivision\ttaxonomy_id\tassembly\tassembly_accession\tcore_db\tspecies_id\n"


@pytest.fixture
def old_release(tmp_path, genome_files) -> Path:
    """A folder of the archive with release 40, in which the assembly was called TAIR9, and CHECKSUMS."""
    study = tmp_path / "ensembl-40"
    release = study / "files" / OLD
    row = "Arabidopsis thaliana\tarabidopsis_thaliana\tEnsemblPlants\t3702\tTAIR9\tGCA\tarabidopsis_core_40\t1\t\n"
    for source, place in zip(
        genome_files,
        (
            f"fasta/arabidopsis_thaliana/dna/{NAME}.TAIR9.dna.toplevel.fa.gz",
            f"gtf/arabidopsis_thaliana/{NAME}.TAIR9.40.gtf.gz",
        ),
        strict=True,
    ):
        path = release / place
        path.parent.mkdir(parents=True)
        shutil.copy(source, path)
        found = bsd_sum(path)
        path.with_name("CHECKSUMS").write_text(f"{found.checksum} {found.kilobytes} {path.name}\n")
    (release / "species_EnsemblPlants.txt").write_text(HEADER + row)
    (study / "read_run.json").write_text("[]")  # what makes a folder one that the local archive serves
    return study


def test_a_whole_division_is_surveyed_species_by_species(install, command):
    installation = install()

    status, answer = command(installation, "survey", ", EnsemblPlants")

    items = {item["organism"]: item for item in answer["items"]}
    assert len(items) == len(answer["items"]) > 1
    assert items[ORGANISM]["outcome"] == "done"
    assert items[ORGANISM]["assembly"] == "TAIR10"
    missing = [item for item in answer["items"] if item["organism"] != ORGANISM]
    assert {item["outcome"] for item in missing} == {"not_found"}, "only one genome is on the local archive"
    assert status == 3
    with installation.session() as session:
        assert session.instance.get_dynamic_partitions("organisms") == [ORGANISM]
        assert remembered_division(session.catalog, ORGANISM) == "EnsemblPlants"


def test_a_division_that_is_none_is_one_bad_item(install, command):
    status, answer = command(install(), "survey", ", EnsemblFungus")
    assert (status, [item["outcome"] for item in answer["items"]]) == (2, ["bad_input"])


def test_a_pinned_release_is_built_with_its_own_assembly_and_verified(install, command, old_release):
    installation = install(old_release)
    arguments = (*BUILD, "--division", "EnsemblPlants")

    status, answer = command(installation, *arguments, "--release", "40")

    assert status == 0
    assert (answer["items"][0]["release"], answer["items"][0]["assembly"]) == ("40", "TAIR9")
    assert len(installation.archive.requests_for("release-40/.*/CHECKSUMS")) == 2
    assert installation.archive.requests_for("rest.ensembl.org") == []

    status, answer = command(installation, *arguments)
    assert (answer["items"][0]["release"], answer["items"][0]["assembly"]) == ("57", "TAIR10")
    with installation.catalog() as catalog:
        assert catalog.current_transcriptome_index(ORGANISM, IndexLength.SHORT).release == "57"


def test_one_setting_pins_every_survey_also_by_ensembls_number(install, command, old_release):
    installation = install(old_release, ensembl_release="93")
    status, answer = command(installation, "survey", "Arabidopsis thaliana, EnsemblPlants")
    assert status == 0
    assert (answer["items"][0]["release"], answer["items"][0]["assembly"]) == ("40", "TAIR9")


def test_a_genome_that_differs_from_its_checksum_is_never_indexed(install, command, old_release):
    checksums = old_release / "files" / OLD / "gtf/arabidopsis_thaliana/CHECKSUMS"
    checksums.write_text(f"1 1 {NAME}.TAIR9.40.gtf.gz\n")
    status, answer = command(install(old_release), *BUILD, "--release", "40")
    assert status == 1
    assert "CHECKSUMS" in answer["items"][0]["message"]
