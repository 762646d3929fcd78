from __future__ import annotations

import csv
import gzip
from importlib.resources import files
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
        ("organism_strain_mapping", TABLES["organism_strain_mapping.csv"] + "A b,1,EnsemblFungi,S,A2\n", 3),
        ("organism_strain_mapping", TABLES["organism_strain_mapping.csv"] + "A_B,1,EnsemblFungus,S,A2\n", 3),
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


def test_the_packaged_list_of_runs_is_refine_bios():
    runs = PlatformRegistry.load().blacklisted_runs
    assert len(runs) == 235_388
    assert {"SRR013560", "SRR013561", "SRR1603663"} <= runs
    assert not runs & {"SRR446027", "SRR446029", "SRR446031", "SRR446039", "SRR446043"}, "the bundled study"


def test_a_registry_that_is_not_asked_for_the_runs_does_not_read_them(tmp_path):
    registry = load(tmp_path)
    with pytest.raises(MalformedFileError, match="cannot be read"):
        _ = registry.blacklisted_runs


def test_the_list_of_runs_is_read_once():
    assert PlatformRegistry.load().blacklisted_runs is PlatformRegistry.load().blacklisted_runs


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"SRR000001\nSRR000002\nSRX000003\n", 3),
        (b"SRR000001\nSRR000002", 2),
        (b"SRR000002\nSRR000001\n", 2),
        (b"SRR000001\nSRR000003\nSRR000003\n", 3),
        (b"run\nSRR000001\n", 1),
        (b"SRR000001\n\nSRR000002\n", 2),
    ],
)
def test_a_broken_list_of_runs_is_refused_with_its_line(tmp_path, content, line):
    (tmp_path / "blacklisted_runs.txt.gz").write_bytes(gzip.compress(content))
    with pytest.raises(MalformedFileError) as caught:
        _ = load(tmp_path).blacklisted_runs
    assert caught.value.line == line


def test_a_damaged_list_of_runs_is_refused(tmp_path):
    content = gzip.compress(b"SRR000001\n" * 50)
    for damaged in (content[:-9], b"SRR000001\n", content[:20] + b"xxxx" + content[24:]):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / "blacklisted_runs.txt.gz").write_bytes(damaged)
        with pytest.raises(MalformedFileError, match="cannot be read"):
            _ = load(folder).blacklisted_runs


DISCOVERED_BY_REFINE_BIO = """HiSeq X Five, HiSeq X Ten, Illumina Genome Analyzer, Illumina Genome Analyzer II,
    Illumina Genome Analyzer IIx, Illumina HiScanSQ, Illumina HiSeq 1000, Illumina HiSeq 1500, Illumina HiSeq 2000,
    Illumina HiSeq 2500, Illumina HiSeq 3000, Illumina HiSeq 4000, Illumina MiSeq, Illumina NovaSeq 6000,
    Ion Torrent Proton, Ion Torrent S5, Ion Torrent S5 XL, NextSeq 500, NextSeq 550"""


def test_both_of_refine_bios_lists_of_instruments_are_covered():
    """Its gatherer asks for 19 instruments, its survey takes 23: nothing of either may be lost here."""
    registry = PlatformRegistry.load()
    gathered = [" ".join(name.split()) for name in DISCOVERED_BY_REFINE_BIO.split(",")]
    assert len(gathered) == 19
    assert {name for name in gathered if registry.rna_seq_platform(name) == name} == set(gathered)
    only_surveyed = {"Illumina HiSeq X", "Illumina NovaSeq X", "NextSeq 1000", "NextSeq 2000"}
    assert set(registry.discovery_instruments()) == set(gathered) | only_surveyed


def test_every_gpl_has_its_twin_in_array_express():
    table = (files("refinebio_assets.survey") / "data" / "supported_microarray_platforms.csv").read_text()
    registry = PlatformRegistry.load()
    designs = [row["external_accession"] for row in csv.DictReader(table.splitlines())]
    for design in designs:
        if design.startswith("GPL"):
            twin = registry.microarray_platform(f"A-GEOD-{design[3:]}")
            assert twin is not None
            assert twin == registry.microarray_platform(design)


def test_a_code_as_cel_headers_have_it_finds_an_array_that_is_filed_with_punctuation():
    registry = PlatformRegistry.load()
    exon = registry.microarray_platform("huex10st")
    assert exon is not None
    assert exon == registry.microarray_platform("HuEx-1_0-st") == registry.microarray_platform("huex10stv2")
    assert exon.name == "[HuEx-1_0-st] Affymetrix Human Human Exon 1.0 ST Array"
    without_name = {
        platform.accession
        for platform in registry.microarray_platforms.values()
        if platform.manufacturer == "AFFYMETRIX" and platform.name == platform.accession
    }
    assert without_name == {"clariomsmouseht"}
