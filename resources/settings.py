"""The one settings model.

Every field is an environment variable ``REFINEBIO_<NAME>``; ``refinebio config`` prints them, secrets masked.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from refinebio_assets.domain.errors import ConfigurationError


class Settings(BaseSettings):
    """Everything that can be set.

    Only ``home`` matters on a laptop: catalog, objects, Dagster's own storage and scratch space live below it unless
    set elsewhere. Production sets URLs (``database_url``, ``object_store_url``) instead.
    """

    model_config = SettingsConfigDict(env_prefix="REFINEBIO_", env_file=None, extra="ignore", frozen=True)

    home: Path = Field(Path(".refinebio"), description="Folder of catalog, objects, Dagster storage and scratch space.")
    database_url: str | None = Field(
        None,
        description="Catalog database. Default: SQLite file in home. PostgreSQL: postgresql+psycopg2://user:password@host/db",
    )
    object_store_url: str | None = Field(
        None, description="Folder or s3://bucket/prefix for artefacts. Default: home/objects."
    )
    s3_endpoint_url: str | None = Field(None, description="Endpoint of an S3-compatible store; AWS if unset.")
    scratch_dir: Path | None = Field(None, description="Folder for downloads and tool output. Default: home/scratch.")

    archive_mirror_url: str | None = Field(
        None,
        description="Fetch archive URLs from {mirror}/{host}/{path} instead: an institution mirror, the bundled one.",
    )
    archive_timeout_seconds: float = Field(60.0, gt=0, description="Time-out of one archive request without progress.")
    archive_attempts: int = Field(5, ge=1, description="How often an archive request is tried at most.")
    archive_backoff_seconds: float = Field(
        1.0, ge=0, description="First waiting time between tries; doubles up to 60 s."
    )
    archive_requests_per_second: float = Field(5.0, gt=0, description="Rate limit per archive host.")
    archive_parallel_downloads: int = Field(4, ge=1, description="Concurrent downloads per process.")
    ncbi_api_key: SecretStr | None = Field(None, description="NCBI E-utilities key; raises the rate limit.")
    contact_email: str | None = Field(None, description="Sent to NCBI as its usage policy asks.")
    raw_data_source: Literal["ena", "sra"] = Field(
        "ena", description="Where reads come from: ENA FASTQ (md5 known) or NCBI's SRA on S3 (.sra)."
    )

    salmon: str = Field("salmon", description="Salmon program.")
    salmon_threads: int = Field(
        1,
        ge=1,
        description="Threads per Salmon run. With 1, quantification is bit-reproducible where the platform allows it.",
    )
    parallel_samples: int = Field(
        2, ge=1, description="Samples quantified (or arrays normalised) at the same time in one process."
    )
    min_mapping_rate: float = Field(
        10.0, ge=0, le=100, description="Samples that map less than this percentage of reads get state failed_qc."
    )
    early_tximport_min_samples: int = Field(25, ge=1, description="Early tximport: eligible samples at least.")
    early_tximport_min_share: float = Field(0.8, gt=0, le=1, description="Early tximport: quantified share at least.")
    scan_method: Literal["scan", "scan-fast", "scan.upc", "scan.upc-fast"] = Field(
        "scan-fast", description="How Affymetrix arrays are normalised; scan.upc* give the numbers of SCAN.UPC."
    )
    ensembl_release: str | None = Field(None, description="Pin an Ensembl (Genomes) release; the current one if unset.")

    qn_target_min_samples: int = Field(
        100, ge=1, description="Samples of one platform (or of RNA-seq) from which on an organism gets a QN target."
    )
    qn_target_growth: float = Field(
        0.1, ge=0, description="Share of new samples after which the sensors make a QN target anew."
    )
    compendium_min_samples: int = Field(
        100, ge=1, description="Samples from which on the sensors make a compendium or quantpendium of an organism."
    )
    compendium_growth: float = Field(
        0.1, ge=0, description="Share of new samples after which the sensors make a compendium anew."
    )
    compendium_memory: str = Field("4GiB", description="Memory that making a compendium may take.")
    compendium_svd_algorithm: Literal["arpack", "randomized", "none"] = Field(
        "arpack", description="How exact the decompositions of the imputation are; none leaves missing values missing."
    )
    compendium_method: Literal["refinebio-1", "refinebio-2"] = Field(
        "refinebio-2", description="Order of a compendium's steps; refinebio-1 repeats what refine.bio's program does."
    )
    compendium_include_submitted: bool = Field(
        default=False,
        description="Take samples without raw data (submitter-processed, imported) into QN targets and compendia.",
    )
    compendium_gene_presence: float = Field(
        0.5, ge=0, lt=1, description="Share of samples that must have a gene, before anything else."
    )
    compendium_gene_completeness: float = Field(
        0.7, ge=0, le=1, description="Share of samples with a value other than zero that a gene needs to stay."
    )
    compendium_sample_completeness: float = Field(
        0.5, ge=0, le=1, description="Share of genes with a value other than zero that a sample needs to stay."
    )
    compendium_formats: tuple[Literal["h5ad", "zarr", "parquet", "tsv", "zip"], ...] = Field(
        ("h5ad", "zarr", "parquet", "tsv", "zip"), description="Files that are written of a compendium."
    )

    discovery_organisms: tuple[str, ...] = Field(
        (),
        description="Scientific names or NCBI taxonomy ids that discovery looks for, most wanted first; all if empty.",
    )
    discovery_sources: tuple[Literal["ena", "geo", "array_express"], ...] = Field(
        ("ena", "geo", "array_express"),
        description="Archives whose discovery sensors run by themselves once organisms are named.",
    )
    discovery_lists: tuple[str, ...] = Field(
        (), description="Lists of accessions (paths or s3:// URLs) that are read again whenever they change."
    )
    discovery_daily_quota: int = Field(
        100, ge=0, description="New experiments surveyed a day for each archive; the others wait for the next day."
    )
    discovery_refresh_per_day: int = Field(
        20, ge=0, description="Known experiments surveyed again a day because their last survey is long ago."
    )
    discovery_refresh_after_days: int = Field(
        90, ge=1, description="Age of a survey from which on it is made again, the oldest first."
    )
    discovery_since: str | None = Field(
        None, description="First day (YYYY-MM-DD) that discovery looks at when it begins."
    )
    discovery_max_per_tick: int = Field(
        100, ge=1, description="Studies that discovery reads in one tick of each search."
    )
    discovery_interval_seconds: int = Field(
        3600, ge=1, description="How often the discovery sensors ask their archives."
    )
    automation_interval_seconds: int = Field(
        60, ge=1, description="How often the sensors look in the ledger for what to run next."
    )

    api_host: str = Field("127.0.0.1", description="Address the GraphQL API listens on.")
    api_port: int = Field(8000, ge=0, le=65535, description="Port of the GraphQL API.")
    dagster_port: int = Field(3000, ge=0, le=65535, description="Port of the Dagster UI.")
    api_public_url: str | None = Field(None, description="Public address of the API, for download links.")
    download_secret: SecretStr | None = Field(
        None, description="Key that signs download links of a local store. Default: made once and kept in home."
    )
    download_url_seconds: int = Field(3600, ge=1, description="How long a download link is valid.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe log level shown.")
    log_format: Literal["console", "json"] = Field("console", description="Log lines for people or for machines.")

    @field_validator("database_url")
    @classmethod
    def _name_the_driver(cls, value: str | None) -> str | None:
        """SQLAlchemy 2.1 takes plain ``postgresql://`` for psycopg 3, which is not installed: name psycopg2."""
        if value is None:
            return None
        for plain in ("postgresql://", "postgres://"):
            if value.startswith(plain):
                return "postgresql+psycopg2://" + value.removeprefix(plain)
        return value

    @field_validator("discovery_since")
    @classmethod
    def _is_a_day(cls, value: str | None) -> str | None:
        """Refused here once, not by the sensor at every tick."""
        if value:
            date.fromisoformat(value)
        return value

    @property
    def catalog_url(self) -> str:
        """SQLAlchemy URL of the catalog."""
        return self.database_url or f"sqlite:///{(self.home / 'catalog.sqlite').absolute()}"

    @property
    def store_url(self) -> str:
        """URL or absolute folder of the object store."""
        return self.object_store_url or str((self.home / "objects").absolute())

    @property
    def scratch(self) -> Path:
        """Folder for downloads and tool output; nothing in it needs to survive."""
        return (self.scratch_dir or self.home / "scratch").absolute()

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's own storage."""
        return (self.home / "dagster").absolute()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read from the environment once.

    Raises:
        ConfigurationError: A variable has a value that does not fit; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        # Pydantic's own text repeats the rejected value, which may be a password in a URL.
        wrong = "; ".join(f"REFINEBIO_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors())
        message = f"A setting does not fit. {wrong}."
        raise ConfigurationError(message, remedy="docs/errors.md#bad_configuration lists what fits.") from None
    except SettingsError as error:
        message = f"A setting cannot be read: {error}."
        raise ConfigurationError(
            message, remedy="Lists are written as JSON, for example '[\"Danio rerio\"]'."
        ) from None
