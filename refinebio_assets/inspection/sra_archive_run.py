"""Asking the SRA toolkit about ``.sra`` files, where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from refinebio_assets.domain.errors import MalformedFileError, ToolFailedError
from refinebio_assets.inspection.describers import SraArchiveFacts
from resources.tools.sra_toolkit import SraToolkit

LONGEST_SECONDS = 120.0
"""Time-out of one question; ``sra-stat`` reads the whole archive."""


def ask_sra_toolkit(path: Path) -> SraArchiveFacts | None:
    """Spots and bases of an ``.sra`` file; None when the toolkit is not installed.

    Raises:
        MalformedFileError: ``sra-stat`` cannot read the file; in its own words.
    """
    toolkit = SraToolkit(timeout_seconds=LONGEST_SECONDS)
    if shutil.which(toolkit.sra_stat_program) is None:
        return None
    try:
        statistics = toolkit.statistics(path)
    except ToolFailedError as error:
        words = error.output.strip().splitlines()[-1:] or [error.message]
        message = f"The SRA toolkit cannot read the archive: {words[0]}"
        raise MalformedFileError(message, path=path, remedy="Download the run again.") from error
    return SraArchiveFacts(spots=statistics.spots, reads_per_spot=statistics.reads_per_spot, bases=statistics.bases)
