"""Asking the SRA toolkit about an archive."""

from __future__ import annotations

import pytest

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.inspection.sra_archive_run import ask_sra_toolkit
from tests.inspection.fixtures import DATA

ARCHIVE = DATA / "rnaseq/sra/ERR3487613.sra"


def test_the_toolkit_counts_spots_and_bases():
    facts = ask_sra_toolkit(ARCHIVE)
    assert facts is not None
    assert (facts.spots, facts.reads_per_spot, facts.bases) == (10, 2, 5000)


def test_half_an_archive_is_malformed_in_the_toolkits_words(tmp_path):
    half = tmp_path / "ERR3487613.sra"
    half.write_bytes(ARCHIVE.read_bytes()[:20_000])
    with pytest.raises(MalformedFileError, match="SRA toolkit cannot read"):
        ask_sra_toolkit(half)


def test_without_the_toolkit_nothing_is_known(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert ask_sra_toolkit(ARCHIVE) is None
