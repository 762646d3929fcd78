from __future__ import annotations

from pathlib import Path

import pytest

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.ensembl import parse_division
from refinebio_assets.survey.registry import PlatformRegistry

TABLES = {
    "supported_rnaseq_platforms.txt": "Illumina HiSeq 2000\nNextSeq 500\n",
    "organism_strain_mapping.csv": (
        "organism,species_taxonomy_id,ensembl_division,strain,assembly\nX_Y,1,EnsemblFungi,S,A1\n"
    ),
    "rna_seq_taxon_ids.txt": "9606\n10090\n",
    "supported_microarray_platforms.csv": "internal_accession,external_accession,is_brainarray\nhgu133a,GPL96,y\n",
    "readable_affymetrix_names.csv": "human_readable_name,expected_cel_header\nHuman Genome U133A,hgu133a\n",
}


def load(folder: Path, **replaced: str) -> PlatformRegistry:
    for name, content in TABLES.items():
        (folder / name).write_text(replaced.get(name.split(".")[0], content), encoding="utf-8")
    return PlatformRegistry.load(folder)


def test_the_packaged_tables_hold_what_refine_bio_supports():
    registry = PlatformRegistry.load()
    assert len(registry.discovery_instruments()) == 23
    assert len(registry.taxon_ids) == 247
    assert len(registry.strains) == 8
    assert registry.strains["CANDIDA_ALBICANS"].assembly == "Cand_albi_SC5314_V4"


def test_every_mapped_strain_is_in_a_known_division():
    assert all(parse_division(choice.division) for choice in PlatformRegistry.load().strains.values())


@pytest.mark.parametrize("name", PlatformRegistry.load().rna_seq_platforms)
def test_a_listed_instrument_is_supported_whatever_its_case_and_spaces(name: str):
    registry = PlatformRegistry.load()
    assert registry.rna_seq_platform(name) == name
    assert registry.rna_seq_platform(name.upper().replace(" ", "")) == name
    assert registry.rna_seq_platform(f"{name} (Danio rerio)") == name


@pytest.mark.parametrize(
    ("instrument", "supported"),
    [
        ("Illumina NovaSeq X Plus", True),
        ("Illumina HiSeq X Ten", True),
        ("Illumina Genome Analyzer IIx (Glycine max)", True),
        ("NextSeq 5000", False),
        ("AB SOLiD System", False),
        ("Ion Torrent PGM", False),
        ("Illumina MiniSeq", False),
        ("Illumina", False),
        ("", False),
        ("Ω", False),
    ],
)
def test_other_instruments_are_supported_only_if_they_contain_a_listed_name_as_whole_words(instrument, supported):
    assert PlatformRegistry.load().supports_rna_seq(instrument) is supported


def test_the_longest_listed_name_is_the_one_that_covers():
    assert PlatformRegistry.load().rna_seq_platform("Illumina Genome Analyzer II") == "Illumina Genome Analyzer II"


@pytest.mark.parametrize(
    ("table", "content", "line"),
    [
        ("supported_rnaseq_platforms", "NextSeq 500\n\nIllumina MiSeq\n", 2),
        ("supported_rnaseq_platforms", "NextSeq 500\nnextseq500\n", 2),
        ("supported_rnaseq_platforms", "", None),
        ("rna_seq_taxon_ids", "9606\nhuman\n", 2),
        ("rna_seq_taxon_ids", "9606\n10090\n9606\n", 3),
        ("organism_strain_mapping", "organism,strain\n", 1),
        ("organism_strain_mapping", TABLES["organism_strain_mapping.csv"] + "X_Y,1,EnsemblFungi,S,A2\n", 3),
        ("organism_strain_mapping", TABLES["organism_strain_mapping.csv"] + "A_B,x,EnsemblFungi,S,A2\n", 3),
        ("organism_strain_mapping", TABLES["organism_strain_mapping.csv"] + "A_B,1,EnsemblFungi,S\n", 3),
        ("supported_microarray_platforms", "internal_accession,external_accession\n", 1),
        ("supported_microarray_platforms", TABLES["supported_microarray_platforms.csv"] + "HGU133A,gpl96,y\n", 3),
        ("supported_microarray_platforms", TABLES["supported_microarray_platforms.csv"] + "hgu133a,GPL97,n\n", 3),
        ("supported_microarray_platforms", TABLES["supported_microarray_platforms.csv"] + "hgu133b,GSE97,y\n", 3),
        ("supported_microarray_platforms", TABLES["supported_microarray_platforms.csv"] + "hgu133b,GPL97,yes\n", 3),
        ("supported_microarray_platforms", TABLES["supported_microarray_platforms.csv"] + "hgu133b,GPL97\n", 3),
        ("readable_affymetrix_names", TABLES["readable_affymetrix_names.csv"] + "Unknown array,nonesuch\n", 3),
        ("readable_affymetrix_names", TABLES["readable_affymetrix_names.csv"] + "U133A,HG-U133A\n", 3),
    ],
)
def test_a_broken_table_is_refused_with_file_and_line(tmp_path, table, content, line):
    with pytest.raises(MalformedFileError) as caught:
        load(tmp_path, **{table: content})
    assert caught.value.path is not None
    assert caught.value.path.stem == table
    assert caught.value.line == line


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(MalformedFileError, match="cannot be read"):
        PlatformRegistry.load(tmp_path)
