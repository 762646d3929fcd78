"""Genomes of pinned releases and of whole divisions."""

from __future__ import annotations

import threading
import time

import pytest

from refinebio_assets.domain.errors import (
    ArchiveNotFoundError,
    InputError,
    MalformedPayloadError,
    NotFoundError,
    TransientArchiveError,
)
from refinebio_assets.survey.ensembl import NoSuchReleaseError, find_collection, select_species, species_rows
from refinebio_assets.survey.genomes import find_genome, find_genomes
from refinebio_assets.survey.in_parallel import in_parallel
from refinebio_assets.survey.registry import PlatformRegistry
from tests.survey.recorded import METADATA, recorded

FILES, GENOMES = "https://ftp.ensembl.org/pub", "https://ftp.ensemblgenomes.ebi.ac.uk/pub"
HEADER = "#name\tspecies\tdivision\ttaxonomy_id\tassembly\tassembly_accession\tcore_db\tspecies_id\n"
FUNGI_TABLE = (METADATA / "species_EnsemblFungi_57.txt").read_text(encoding="utf-8")
PLANTS_44 = (METADATA / "species_EnsemblPlants_44.txt").read_text(encoding="utf-8")


class Server:
    """Ensembl at 110/57, with tables and folders of some older releases."""

    def __init__(self, *files: str, folders: dict[str, list[str]] | None = None, **tables: str) -> None:
        self.files = set(files)
        self.tables = tables
        self.folder_lists = folders or {}
        self.checksums: dict[str, list[str]] = {}
        self.asked: list[str] = []

    def species(self, division: str) -> list[dict]:
        self.asked.append(f"species {division}")
        names = {
            "EnsemblVertebrates": "ensembl_species_vertebrates_110.json",
            "EnsemblPlants": "ensembl_species_plants_57.json",
            "EnsemblFungi": "ensembl_species_fungi_57.json",
        }
        return recorded(names[division]) if division in names else []

    def current_release(self, division: str) -> str:
        return "110" if division == "EnsemblVertebrates" else "57"

    def exists(self, url: str) -> bool:
        self.asked.append(url)
        return url in self.files or "*" in self.files

    def species_table(self, division: str, *, release: str | None = None) -> str:
        self.asked.append(f"table {division} {release}")
        try:
            return self.tables[f"{division}_{release}"]
        except KeyError:
            raise ArchiveNotFoundError("no table") from None

    def folders(self, url: str) -> list[str]:
        if url not in self.folder_lists:
            raise ArchiveNotFoundError("no folder")
        return self.folder_lists[url]

    def filenames(self, url: str) -> list[str]:
        return self.checksums.get(url, [])


def test_a_pinned_release_is_asked_from_its_own_table_and_has_its_own_assembly():
    table = HEADER + "Zebrafish\tdanio_rerio\tEnsemblVertebrates\t7955\tGRCz10\tGCA_0\tdanio_rerio_core_91_10\t1\t\n"
    folder = f"{FILES}/release-91"
    fasta = f"{folder}/fasta/danio_rerio/dna/Danio_rerio.GRCz10.dna.toplevel.fa.gz"
    gtf = f"{folder}/gtf/danio_rerio/Danio_rerio.GRCz10.91.gtf.gz"
    server = Server(fasta, gtf, EnsemblVertebrates_91=table)

    genome = find_genome(server, "Danio rerio", release="91")

    assert (genome.assembly, genome.release, genome.taxonomy_id) == ("GRCz10", "91", 7955)
    assert (genome.genome_fasta.url, genome.gtf.url) == (fasta, gtf)
    assert not [asked for asked in server.asked if asked.startswith("species")], "REST knows another release"


def test_file_names_do_not_tell_the_patch_that_tables_of_vertebrates_tell():
    table = HEADER + "Human\thomo_sapiens\tEnsemblVertebrates\t9606\tGRCh38.p14\tGCA\thomo_sapiens_core_109_38\t1\t\n"
    folder = f"{FILES}/release-109"
    fasta = f"{folder}/fasta/homo_sapiens/dna/Homo_sapiens.GRCh38.dna.primary_assembly.fa.gz"
    server = Server(fasta, f"{folder}/gtf/homo_sapiens/Homo_sapiens.GRCh38.109.gtf.gz", EnsemblVertebrates_109=table)
    genome = find_genome(server, "Homo sapiens", release="109")
    assert (genome.genome_fasta.url, genome.assembly) == (fasta, "GRCh38.p14")


def test_a_release_without_a_table_is_read_from_its_folders():
    gtf_folder = f"{FILES}/release-75/gtf"
    fasta = f"{FILES}/release-75/fasta/danio_rerio/dna/Danio_rerio.Zv9.75.dna.toplevel.fa.gz"
    server = Server(
        fasta,
        f"{gtf_folder}/danio_rerio/Danio_rerio.Zv9.75.gtf.gz",
        folders={f"{gtf_folder}/": ["danio_rerio", "homo_sapiens"]},
    )
    server.checksums[f"{gtf_folder}/danio_rerio"] = [
        "README",
        "Danio_rerio.Zv9.75.abinitio.gtf.gz",
        "Danio_rerio.Zv9.75.gtf.gz",
    ]
    genome = find_genome(server, "Danio rerio", division="Ensembl", release="75")
    assert (genome.assembly, genome.taxonomy_id, genome.release) == ("Zv9", 7955, "75")
    assert genome.genome_fasta.url == fasta


def test_ensembls_number_pins_the_release_of_ensembl_genomes_that_came_with_it():
    server = Server("*", EnsemblPlants_44=PLANTS_44)
    genome = find_genome(server, "Aegilops tauschii", division="EnsemblPlants", release="97")
    assert (genome.release, genome.assembly) == ("44", "Aet v4.0")
    assert genome.gtf.url == f"{GENOMES}/release-44/plants/gtf/aegilops_tauschii/Aegilops_tauschii.Aet_v4.0.44.gtf.gz"


def test_the_current_release_can_be_pinned_also_where_it_has_no_table():
    genome = find_genome(Server("*"), "Arabidopsis thaliana", release="57")
    assert (genome.division, genome.release, genome.assembly) == ("EnsemblPlants", "57", "TAIR10")


def test_a_pinned_release_that_is_not_there_is_named():
    with pytest.raises(NoSuchReleaseError, match="release-99"):
        find_genome(Server(), "Arabidopsis thaliana", release="99")
    with pytest.raises(NotFoundError, match="Name another release"):
        find_genomes(Server(), "EnsemblPlants", release="99")


def test_an_archive_that_is_unwell_is_not_taken_for_a_release_that_is_not_there():
    def unwell(*_: object, **__: object) -> str:
        raise TransientArchiveError("503")

    server = Server()
    server.species_table = unwell
    with pytest.raises(TransientArchiveError):
        find_genome(server, "Danio rerio", release="91")


def test_a_mapped_strain_of_a_pinned_release_stands_for_its_species_in_its_collection():
    genome = find_genome(Server("*", EnsemblFungi_57=FUNGI_TABLE), "Candida albicans", release="57")
    assert (genome.organism, genome.taxonomy_id, genome.strain) == ("CANDIDA_ALBICANS", 5476, "SC5314")
    assert genome.collection == "fungi_ascomycota2_collection"


def test_e_coli_lies_under_its_folder_although_its_assembly_has_blanks():
    name = "escherichia_coli_atcc_25922_gca_000743255"
    strain = PlatformRegistry.load().strains["ESCHERICHIA_COLI"]
    rows = [
        f"E. coli\t{name}\tEnsemblBacteria\t1322345\t{strain.assembly}\tGCA\tbacteria_27_collection_core_57_110_1\t9\t"
    ]
    genome = find_genome(Server("*", EnsemblBacteria_57=HEADER + "\n".join(rows)), "Escherichia coli", release="57")
    assert genome.collection == "bacteria_27_collection"
    assert " " not in genome.gtf.url
    assert f"/bacteria/gtf/bacteria_27_collection/{name}/Escherichia_coli_atcc_25922_gca_000743255." in genome.gtf.url


def test_the_fungal_assembly_tigr_is_spelled_cadre_in_file_names():
    rows = [{"name": "aspergillus_x", "assembly_name": "TIGR", "taxonomy_id": 1}]
    server = Server(
        "*", EnsemblFungi_57=HEADER + "A\taspergillus_x\tEnsemblFungi\t1\tTIGR\tG\taspergillus_x_core_57\t1\t"
    )
    assert select_species("EnsemblFungi", rows, "Aspergillus x", {}).assembly == "TIGR"
    assert find_genome(server, "Aspergillus x", division="fungi", release="57").gtf.filename == (
        "Aspergillus_x.CADRE.57.gtf.gz"
    )


def test_file_names_spell_an_assembly_as_ensembl_says():
    rows = [
        {
            "name": "colletotrichum_gloeosporioides",
            "assembly_name": "Colletotrichum gloeosporioides Nara gc-5",
            "assembly_default": "GCA_000319635.1",
            "species_taxonomy_id": 474922,
        }
    ]
    species = select_species("EnsemblFungi", rows, "Colletotrichum gloeosporioides", {})
    assert species.assembly_in_files == "GCA_000319635.1"


def test_a_whole_division_gives_every_species_its_genome_or_its_error():
    server = Server("*")
    found = dict(find_genomes(server, "EnsemblPlants"))
    assert sorted(found) == sorted(row["name"].upper() for row in recorded("ensembl_species_plants_57.json"))
    assert found["ARABIDOPSIS_THALIANA"].assembly == "TAIR10"

    nothing = dict(find_genomes(Server(), "EnsemblPlants"))
    assert sorted(nothing) == sorted(found)
    assert all(isinstance(error, NotFoundError) for error in nothing.values())


def test_of_a_whole_division_of_fungi_only_organisms_of_the_strain_table_are_taken():
    found = dict(find_genomes(Server("*", EnsemblFungi_57=FUNGI_TABLE), "EnsemblFungi"))
    assert sorted(found) == ["ASPERGILLUS_FUMIGATUS", "CANDIDA_ALBICANS"]
    assert {genome.strain for genome in found.values()} == {"Af293", "SC5314"}


def test_two_genomes_of_one_name_in_a_division_are_an_error_of_that_species_only():
    table = HEADER + "".join(
        f"x\t{name}\tEnsemblPlants\t1\t{assembly}\tG\tc\t1\t\n"
        for name, assembly in [("a_b", "A1"), ("a_b", "A2"), ("c_d", "C")]
    )
    found = dict(find_genomes(Server("*", EnsemblPlants_57=table), "EnsemblPlants", release="57"))
    assert isinstance(found["A_B"], InputError)
    assert "A1, A2" in str(found["A_B"])
    assert found["C_D"].assembly == "C"


def test_the_table_of_a_division_is_asked_for_once():
    server = Server(
        "*", EnsemblProtists_57=HEADER + "x\ta_b\tEnsemblProtists\t1\tA\tG\tprotists_x1_collection_core_57_110_1\t1\t"
    )
    assert next(find_genomes(server, "EnsemblProtists", release="57"))[1].collection == "protists_x1_collection"
    assert [asked for asked in server.asked if asked.startswith("table")] == ["table EnsemblProtists 57"]


def test_a_recorded_table_of_plants_is_read():
    rows = species_rows(PLANTS_44)
    assert rows[0]["name"] == "actinidia_chinensis"
    assert find_collection(select_species("EnsemblPlants", rows, "Aegilops tauschii", {}), PLANTS_44) is None


@pytest.mark.parametrize("text", ["", "<html>\n", "#name\tspecies\n"])
def test_what_is_no_table_of_species_is_malformed(text):
    with pytest.raises(MalformedPayloadError, match="no column"):
        species_rows(text)


def test_calls_run_at_the_same_time_and_their_results_keep_the_order():
    barrier = threading.Barrier(4, timeout=10)

    def call(number: int) -> int:
        if number < 4:
            barrier.wait()
            time.sleep(0.01 * (4 - number))
        if number == 2:
            raise NotFoundError("two")
        return number

    found = list(in_parallel(((str(n), lambda n=n: call(n)) for n in range(10)), workers=4))
    assert [name for name, _ in found] == [str(n) for n in range(10)]
    assert isinstance(found[2][1], NotFoundError)
    assert [result for _, result in found if isinstance(result, int)] == [0, 1, 3, 4, 5, 6, 7, 8, 9]


def test_nobody_runs_far_ahead_of_who_takes_the_results():
    started = []
    results = in_parallel(((str(n), lambda n=n: started.append(n)) for n in range(1000)), workers=2)
    next(results)
    assert len(started) <= 4
    results.close()
    assert len(started) <= 4


def test_an_error_that_is_not_ours_is_not_swallowed():
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(in_parallel([("a", broken)], workers=1))
