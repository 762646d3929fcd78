"""The real zebrafish study, unpacked once per test run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rna_seq.quant_files import unpack_zebrafish


@pytest.fixture(scope="session")
def zebrafish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with one folder per sample."""
    return unpack_zebrafish(tmp_path_factory.mktemp("zebrafish"))
