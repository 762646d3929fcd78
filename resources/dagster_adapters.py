"""Thin Dagster resources around the settings, the catalog, the archives, the object store and the external tools.

They carry no secrets in their configuration (Dagster shows it in its UI): everything secret is read from the
environment by :mod:`resources.settings`.
"""

from __future__ import annotations

from functools import lru_cache

import dagster as dg

from resources.archives import Archives
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import Settings, get_settings
from resources.tools.salmon import Salmon
from resources.tools.sra_toolkit import SraToolkit


class SettingsResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # no value of its own
    """The settings of this process."""

    def get(self) -> Settings:
        """Settings read from the environment."""
        return get_settings()


class CatalogResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The catalog of this process, connected on first use and shared by all steps that run here."""

    def connect(self) -> Catalog:
        """The catalog, migrated to the newest schema."""
        return shared_catalog(get_settings().catalog_url)


class ArchivesResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Clients of the public archives."""

    def open(self) -> Archives:
        """New clients; use them as a context manager."""
        return Archives.from_settings(get_settings())


class ObjectStoreResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The object store: a folder or ``s3://bucket/prefix``."""

    url: str
    endpoint_url: str | None = None

    def store(self) -> ObjectStore:
        """The store behind the URL."""
        return ObjectStore.from_url(self.url, endpoint_url=self.endpoint_url)


class ToolsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """External programs."""

    def salmon(self) -> Salmon:
        """Salmon as configured."""
        settings = get_settings()
        return Salmon(program=settings.salmon, threads=settings.salmon_threads, cache_dir=settings.scratch / "tools")

    def sra_toolkit(self) -> SraToolkit:
        """The SRA toolkit."""
        return SraToolkit()


@lru_cache(maxsize=4)
def shared_catalog(url: str) -> Catalog:
    """One catalog (and connection pool) per URL and process."""
    return Catalog.connect(url)
