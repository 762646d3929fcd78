"""The recorded files of every kind."""

from __future__ import annotations

import gzip
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"
INSPECTION, GEO, MAGE_TAB = DATA / "inspection", DATA / "geo", DATA / "magetab"

KINDS = {
    "geo/GSE1074_family.soft.gz": ("geo_soft_family", 1, 24),
    "geo/GSE52778_series_matrix.txt.gz": ("geo_series_matrix", 1, 16),
    "geo/GSE180363.miniml.xml.gz": ("geo_miniml", 1, 16),
    "geo/GSM11805.txt.gz": ("geo_soft_sample", 1, 1),
    "geo/soft_ex_series.txt.gz": ("geo_soft_series", 0, 0),
    "geo/soft_ex_platform.txt.gz": ("geo_soft_platform", 0, 0),
    "geo/soft_ex_family.txt.gz": ("geo_soft_family", 1, 3),
    "geo/GDS994.soft.gz": ("geo_soft_dataset", 1, 12),
    "magetab/E-MTAB-1443.idf.txt": ("mage_tab_idf", 1, 9),
    "magetab/E-MTAB-1443.seq.sdrf.txt": ("mage_tab_sdrf", 1, 3),
    "magetab/E-TABM-38.sdrf.txt.gz": ("mage_tab_sdrf", 1, 502),
    "magetab/E-MTAB-9697.biostudies.json": ("biostudies_study", 1, 0),
    "magetab/E-MTAB-3050.samples.json.gz": ("array_express_v3_experiment", 1, 5),
    "archives/ena_read_run_DRR002116.json.gz": ("ena_read_run", 1, 1),
    "archives/ena_study_DRP000595.json.gz": ("ena_study", 1, 0),
    "archives/biosample_SAMD00004104.json.gz": ("biosample", 0, 1),
    "archives/pubmed_25549968.json.gz": ("pubmed_summary", 0, 0),
    "archives/ensembl_species.json.gz": ("ensembl_species", 0, 0),
    "archives/ensembl_plants_genomes.json.gz": ("ensembl_genomes", 0, 0),
    "archives/ensembl_software.json.gz": ("ensembl_release", 0, 0),
    "archives/species_EnsemblFungi.txt.gz": ("ensembl_species_table", 0, 0),
    "metadata/sra_DRP000595.json": ("source_metadata", 1, 1),
    "metadata/ena_filereport_SRP048683.json": ("ena_filereport", 0, 12),
    "inspection/ena_read_run_1000.json.gz": ("ena_read_run", 92, 1000),
    "inspection/filereport_fastq_SRR8426358.tsv": ("ena_filereport", 0, 1),
    "inspection/experiment_packages_SRP251352.xml.gz": ("sra_experiment_package_set", 10, 92),
    "inspection/ena_SRR000001.xml": ("sra_run_set", 1, 1),
    "inspection/ena_SRX5692097.xml": ("sra_experiment_set", 0, 1),
    "inspection/ena_SRS4237519.xml": ("sra_sample_set", 0, 1),
    "inspection/ena_SRP178136.xml": ("sra_study_set", 1, 0),
    "inspection/ena_SRA177342.xml": ("sra_submission_set", 0, 0),
    "inspection/esummary_gds.xml.gz": ("eutils_esummary_gds", 2, 47),
    "inspection/esummary_GSE93374.json": ("eutils_esummary_gds", 1, 11),
    "inspection/esummary_GSM3717978.json": ("eutils_esummary_gds", 0, 1),
    "inspection/esearch_GSE93374.json": ("eutils_esearch", 0, 0),
    "inspection/esearch_taxonomy.xml": ("eutils_esearch", 0, 0),
    "inspection/taxonomy_7955.xml": ("ncbi_taxonomy", 0, 0),
    "inspection/ffq_GSE130073.json": ("ffq", 1, 1),
    "inspection/ffq_SRS6216589.json": ("ffq", 0, 1),
    "inspection/encode_ENCDO072AAA.json": ("encode", 0, 0),
    "inspection/ols_UO_0000035.json": ("ontology_lookup", 0, 0),
    "inspection/raw_metadata.json.gz": ("sample_metadata", 0, 206),
    "inspection/accessions.txt": ("accession_list", 0, 0),
    "inspection/pysradb_SRP251352.csv.gz": ("table", 0, 0),
    "rnaseq/salmon/ggal_gut_k31/quant.sf": ("quant_sf", 0, 0),
    "rnaseq/ggal/ggal_gut_1.fq.gz": ("fastq", 0, 0),
    "rnaseq/ggal/genome.fa.gz": ("fasta", 0, 0),
    "rnaseq/ggal/annotation.gtf": ("gtf", 0, 0),
    "rnaseq/sra/ERR3487613.sra": ("sra_archive", 0, 0),
}
"""A recorded file -> its kind, and how many experiments and samples it holds."""


def content(name: str) -> bytes:
    """A recorded file, unpacked."""
    data = (DATA / name).read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
