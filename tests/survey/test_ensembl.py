from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedPayloadError, NotFoundError, RefinebioError
from refinebio_assets.survey.ensembl import (
    EnsemblDivision,
    EnsemblSpecies,
    OrganismQuery,
    all_species,
    find_species,
    genome_candidates,
    locate_genome,
    parse_division,
    parse_organism_query,
    select_species,
)
from refinebio_assets.survey.registry import PlatformRegistry, StrainChoice
from tests.survey.recorded import METADATA, recorded

STRAINS = PlatformRegistry.load().strains
VERTEBRATES = recorded("ensembl_species_vertebrates_110.json")
PLANTS = recorded("ensembl_species_plants_57.json")
FUNGI = recorded("ensembl_species_fungi_57.json")
FUNGI_TABLE = (METADATA / "species_EnsemblFungi_57.txt").read_text(encoding="utf-8")
ROWS = {EnsemblDivision.VERTEBRATES: VERTEBRATES, EnsemblDivision.PLANTS: PLANTS, EnsemblDivision.FUNGI: FUNGI}


def rows_of(division: EnsemblDivision):
    return ROWS.get(division, [])


def test_zebrafish_lies_where_ensembl_110_has_it():
    species = select_species("Ensembl", VERTEBRATES, "Danio rerio", STRAINS)
    genome = locate_genome(species, "110", exists=lambda _: True)

    folder = "https://ftp.ensembl.org/pub/release-110"
    assert genome.genome_fasta.url == f"{folder}/fasta/danio_rerio/dna/Danio_rerio.GRCz11.dna.primary_assembly.fa.gz"
    assert genome.gtf.url == f"{folder}/gtf/danio_rerio/Danio_rerio.GRCz11.110.gtf.gz"
    assert (genome.organism, genome.taxonomy_id, genome.division) == ("DANIO_RERIO", 7955, "EnsemblVertebrates")
    assert (genome.assembly, genome.release, genome.collection, genome.strain) == ("GRCz11", "110", None, None)


def test_arabidopsis_lies_in_the_plants_of_ensembl_genomes_as_toplevel():
    species = select_species("EnsemblPlants", PLANTS, "ARABIDOPSIS_THALIANA", STRAINS)
    genome = locate_genome(species, "57", exists=lambda url: "primary" not in url and "cdna" not in url)

    folder = "https://ftp.ensemblgenomes.ebi.ac.uk/pub/release-57/plants"
    assert (
        genome.genome_fasta.url
        == f"{folder}/fasta/arabidopsis_thaliana/dna/Arabidopsis_thaliana.TAIR10.dna.toplevel.fa.gz"
    )
    assert genome.gtf.url == f"{folder}/gtf/arabidopsis_thaliana/Arabidopsis_thaliana.TAIR10.57.gtf.gz"
    assert genome.cdna_fasta is None


def test_candida_albicans_is_its_mapped_strain_in_its_collection():
    species = select_species("EnsemblFungi", FUNGI, "Candida albicans", STRAINS)
    genome = locate_genome(species, "57", exists=lambda url: "primary" not in url, species_table=FUNGI_TABLE)

    assert (species.name, species.strain) == ("candida_albicans_sc5314_gca_000784635", "SC5314")
    assert (genome.organism, genome.taxonomy_id) == ("CANDIDA_ALBICANS", 5476)
    assert genome.collection == "fungi_ascomycota2_collection"
    assert genome.genome_fasta.url == (
        "https://ftp.ensemblgenomes.ebi.ac.uk/pub/release-57/fungi/fasta/fungi_ascomycota2_collection/"
        "candida_albicans_sc5314_gca_000784635/dna/Candida_albicans_sc5314_gca_000784635.Cand_albi_SC5314_V4.dna.toplevel.fa.gz"
    )


def test_a_genome_with_a_database_of_its_own_is_in_no_collection():
    species = select_species("EnsemblFungi", FUNGI, "Aspergillus fumigatus", STRAINS)
    genome = locate_genome(species, "57", exists=lambda _: True, species_table=FUNGI_TABLE)
    assert (genome.collection, genome.taxonomy_id, genome.strain) == (None, 746128, "Af293")


def test_assembly_names_with_blanks_are_spelled_with_underscores():
    species = select_species(
        "EnsemblBacteria",
        [
            {
                "name": "escherichia_coli_atcc_25922_gca_000743255",
                "assembly_name": "Escherichia coli ATCC 25922",
                "taxonomy_id": 1322345,
            }
        ],
        "Escherichia coli",
        STRAINS,
    )
    candidates = genome_candidates(species, "57", collection="bacteria_1_collection")
    assert species.taxonomy_id == 562
    assert candidates.gtf[0].endswith("Escherichia_coli_atcc_25922_gca_000743255.Escherichia_coli_ATCC_25922.57.gtf.gz")
    assert "/bacteria/gtf/bacteria_1_collection/" in candidates.gtf[0]


def test_the_candidates_come_in_the_order_in_which_they_are_to_be_tried():
    species = EnsemblSpecies(
        name="mus_musculus",
        organism="MUS_MUSCULUS",
        taxonomy_id=10090,
        division=EnsemblDivision.VERTEBRATES,
        assembly="GRCm39",
    )
    names = [url.rpartition("/")[2] for url in genome_candidates(species, "110").genome_fasta]
    assert names == [
        "Mus_musculus.GRCm39.dna.primary_assembly.fa.gz",
        "Mus_musculus.GRCm39.dna.toplevel.fa.gz",
        "Mus_musculus.GRCm39_.dna.primary_assembly.fa.gz",
        "Mus_musculus.GRCm39_.dna.toplevel.fa.gz",
    ]


def test_a_genome_that_is_nowhere_is_an_error_that_names_the_addresses():
    species = select_species("Ensembl", VERTEBRATES, "Danio rerio", STRAINS)
    with pytest.raises(NotFoundError, match=r"Danio_rerio\.GRCz11\.dna\.toplevel"):
        locate_genome(species, "110", exists=lambda _: False)


def test_an_unknown_organism_gets_suggestions():
    with pytest.raises(NotFoundError, match="danio_rerio"):
        select_species("Ensembl", VERTEBRATES, "Danio reiro", STRAINS)


def test_an_organism_of_which_only_strains_are_there_is_ambiguous_and_they_are_named():
    with pytest.raises(InputError, match="cricetulus_griseus_chok1gshd, cricetulus_griseus_crigri"):
        select_species("Ensembl", VERTEBRATES, "Cricetulus griseus", STRAINS)
    named = select_species("Ensembl", VERTEBRATES, "Cricetulus griseus chok1gshd", STRAINS)
    assert named.name == "cricetulus_griseus_chok1gshd"


def test_a_mapped_assembly_that_ensembl_no_longer_has_is_an_error_that_names_what_there_is():
    strain = StrainChoice(
        organism="CANDIDA_ALBICANS", species_taxonomy_id=5476, division="EnsemblFungi", strain="S", assembly="gone"
    )
    with pytest.raises(NotFoundError, match="Cand_albi_SC5314_V4"):
        select_species("EnsemblFungi", FUNGI, "Candida albicans", {"CANDIDA_ALBICANS": strain})


def test_a_mapped_assembly_that_several_genomes_have_is_ambiguous():
    with pytest.raises(InputError, match="several genomes"):
        select_species(
            "EnsemblFungi",
            FUNGI + [row | {"name": f"{row['name']}_copy"} for row in FUNGI],
            "Candida albicans",
            STRAINS,
        )


@pytest.mark.parametrize("rows", ["<html>", [None], {"species": []}])
def test_rows_of_the_wrong_type_are_malformed(rows):
    with pytest.raises(MalformedPayloadError):
        all_species("Ensembl", rows)


def test_rows_without_name_assembly_or_taxon_are_passed_over():
    assert (
        all_species(
            "Ensembl", [{}, {"name": "../x", "assembly": "A", "taxon_id": "1"}, {"name": "a_b", "assembly": "A"}]
        )
        == ()
    )


@pytest.mark.parametrize(
    ("organism", "division", "name"),
    [
        ("Danio rerio", EnsemblDivision.VERTEBRATES, "danio_rerio"),
        ("Arabidopsis thaliana", EnsemblDivision.PLANTS, "arabidopsis_thaliana"),
        ("Candida albicans", EnsemblDivision.FUNGI, "candida_albicans_sc5314_gca_000784635"),
    ],
)
def test_without_a_division_all_are_asked(organism, division, name):
    found = find_species(OrganismQuery(organism=organism, division=None), rows_of, STRAINS)
    assert (found.division, found.name) == (division, name)


def test_the_division_of_a_mapped_strain_is_asked_first_and_the_vertebrates_otherwise():
    asked: list[EnsemblDivision] = []

    def watched(division: EnsemblDivision):
        asked.append(division)
        return rows_of(division)

    find_species(OrganismQuery(organism="Candida albicans", division=None), watched, STRAINS)
    find_species(OrganismQuery(organism="Danio rerio", division=None), watched, STRAINS)
    assert asked == [EnsemblDivision.FUNGI, EnsemblDivision.VERTEBRATES]


def test_an_organism_that_no_division_has_is_not_found():
    with pytest.raises(NotFoundError, match="EnsemblBacteria"):
        find_species(OrganismQuery(organism="Nessiteras rhombopteryx", division=None), rows_of, STRAINS)


@pytest.mark.parametrize(
    ("query", "organism", "division"),
    [
        ("Danio rerio", "Danio rerio", None),
        ("  danio   rerio ", "danio rerio", None),
        ("DANIO_RERIO", "DANIO RERIO", None),
        ("Caenorhabditis elegans, EnsemblMetazoa", "Caenorhabditis elegans", EnsemblDivision.METAZOA),
        ("Caenorhabditis elegans,ensemblmetazoa", "Caenorhabditis elegans", EnsemblDivision.METAZOA),
        ("Danio rerio, Ensembl", "Danio rerio", EnsemblDivision.VERTEBRATES),
        ("Danio rerio,", "Danio rerio", None),
        (", EnsemblPlants", None, EnsemblDivision.PLANTS),
    ],
)
def test_queries(query, organism, division):
    assert parse_organism_query(query) == OrganismQuery(organism=organism, division=division)


@pytest.mark.parametrize(
    "query", ["", " ", ",", "SRP000001", "GSE1234", "Danio", "Danio rerio, EnsemblFish", "1 2", "E-MTAB-3050"]
)
def test_what_is_no_organism_is_refused(query: str):
    with pytest.raises(InputError):
        parse_organism_query(query)


@given(st.text(max_size=30))
def test_any_query_is_read_or_refused_with_our_error(query: str):
    try:
        parsed = parse_organism_query(query)
    except RefinebioError:
        return
    assert parsed.organism or parsed.division


@pytest.mark.parametrize("name", ["EnsemblBacteria", "bacteria", "BACTERIA "])
def test_divisions_are_read_in_any_spelling(name: str):
    assert parse_division(name) is EnsemblDivision.BACTERIA
