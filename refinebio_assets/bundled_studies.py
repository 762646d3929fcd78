"""A catalog holds either the bundled excerpts of studies, which the demo plays, or whole studies of the archives.

Both go by the same accessions: a whole study would be quantified against the excerpt of its organism's genome.
"""

from __future__ import annotations

from refinebio_assets.domain.errors import ConfigurationError
from resources.archives.addresses import Mirror
from resources.catalog import Catalog
from resources.settings import Settings

ARCHIVE_PROPERTY = "archive"
BUNDLED = "bundled examples"


def claim_catalog(catalog: Catalog, settings: Settings) -> None:
    """Make a catalog one of bundled excerpts.

    Raises:
        ConfigurationError: It already holds studies of the public archives.
    """
    if catalog.property(ARCHIVE_PROPERTY) == BUNDLED:
        return
    if catalog.has_experiments():
        message = f"The catalog in {settings.home} holds whole studies; the demo's excerpts would mix with them."
        raise ConfigurationError(message, remedy="Run it elsewhere: REFINEBIO_HOME=.refinebio-demo refinebio demo")
    catalog.set_property(ARCHIVE_PROPERTY, BUNDLED)


def refuse_whole_studies(catalog: Catalog, settings: Settings) -> None:
    """Make sure that what the archives are about to give does not end up among bundled excerpts.

    Raises:
        ConfigurationError: The catalog is the demo's, and the archives are not those on this machine.
    """
    if catalog.property(ARCHIVE_PROPERTY) != BUNDLED:
        return
    mirror = Mirror.from_setting(settings.archive_mirror_url)
    if mirror is None or not mirror.is_loopback:
        message = f"The catalog in {settings.home} is the demo's: whole studies do not fit its excerpt of a genome."
        raise ConfigurationError(message, remedy="Use another home, for example: export REFINEBIO_HOME=~/refinebio")
