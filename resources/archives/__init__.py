"""The public archives (ENA, BioSamples, BioStudies, Ensembl, GEO, NCBI): one rate-limited, verifying client."""

from resources.archives.archives import Archives
from resources.archives.download import Downloaded
from resources.archives.http import ArchiveClient
from resources.archives.sra_study import canonical_study, fetch_sra_study

__all__ = ["ArchiveClient", "Archives", "Downloaded", "canonical_study", "fetch_sra_study"]
