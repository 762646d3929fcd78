"""Asking the SRA toolkit about ``.sra`` files, where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from refinebio_assets.inspection.describers import SraArchiveFacts
from resources.tools.sra_toolkit import SraToolkit

LONGEST_SECONDS = 120.0
"""Time-out of one question; ``sra-stat`` reads the whole archive."""


def ask_sra_toolkit(path: Path) -> SraArchiveFacts | None:
    """Spots and bases of an ``.sra`` file; None when the toolkit is not installed.

    Raises:
        ToolFailedError: ``sra-stat`` cannot read the file.
    """
    toolkit = SraToolkit(timeout_seconds=LONGEST_SECONDS)
    if shutil.which(toolkit.sra_stat_program) is None:
        return None
    statistics = toolkit.statistics(path)
    return SraArchiveFacts(spots=statistics.spots, reads_per_spot=statistics.reads_per_spot, bases=statistics.bases)
