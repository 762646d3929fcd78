"""SCAN.UPC through rpy2: called as it wants to be where it is installed, told to be missing where it is not."""

from __future__ import annotations

import gzip
import subprocess

import pytest

from refinebio_assets.domain.errors import ToolFailedError, ToolMissingError
from resources.tools.scan_upc_r import scan_upc

# Answers with its arguments in place of values: which ones it was given, and how.
STAND_IN = """
SCANfast <- function(celFilePattern, outFilePath = NA, annotationPackageName = NA, probeSummaryPackage = NA) {
  if (identical(annotationPackageName, "pd.broken")) stop("the platform package is broken")
  if (!"foreach" %in% .packages()) stop("could not find function \\"%dopar%\\"")
  found <- list.files(dirname(celFilePattern), pattern = glob2rx(basename(celFilePattern)))
  values <- c(files = length(found), size = file.size(celFilePattern), gz = endsWith(celFilePattern, ".gz"))
  values <- c(values, summary = if (is.na(probeSummaryPackage)) 0 else nchar(probeSummaryPackage))
  if (identical(probeSummaryPackage, "words")) values <- c(a = "no number")
  m <- matrix(values, dimnames = list(names(values), basename(celFilePattern)))
  write.table(m, outFilePath, sep = "\\t", quote = FALSE)
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """An R library with a package that has SCAN.UPC's interface, and an empty foreach."""
    folder = tmp_path_factory.mktemp("r")
    (folder / "library").mkdir()
    for name, code, exports in (("foreach", "", ""), ("SCAN.UPC", STAND_IN, "export(SCANfast)")):
        package = folder / name
        (package / "R").mkdir(parents=True)
        description = f"Package: {name}\nVersion: 2.44.0\nTitle: T\nAuthor: A\nMaintainer: A <a@b.org>\nLicense: MIT\n"
        (package / "DESCRIPTION").write_text(f"{description}Description: D.\n")
        (package / "NAMESPACE").write_text(exports)
        (package / "R/code.R").write_text(code)
        command = ["R", "CMD", "INSTALL", "--no-docs", "--no-test-load", f"--library={folder / 'library'}", package]
        subprocess.run(command, check=True, capture_output=True)
    return folder / "library"


@pytest.fixture
def cel(tmp_path):
    path = tmp_path / "97_(Mouse*430_2)"
    path.write_bytes(b"[CEL]\n")
    return path


def test_a_missing_package_is_said_with_what_needs_no_r(cel, tmp_path, monkeypatch):
    monkeypatch.setenv("R_LIBS", str(tmp_path))
    with pytest.raises(ToolMissingError, match=r"SCAN\.UPC is not installed.*scan\.upc-fast need no R"):
        scan_upc(cel)


def test_a_missing_r_is_said(cel, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match="R was not found"):
        scan_upc(cel)


def test_values_come_back_by_name_whatever_the_file_is_called(cel, library, monkeypatch):
    monkeypatch.setenv("R_LIBS", str(library))
    assert scan_upc(cel) == {"files": 1, "size": 6, "gz": 0, "summary": 0}
    cel.write_bytes(gzip.compress(b"[CEL]\n"))
    values = scan_upc(cel, summary_package="hgu95av2hsensgprobe")
    assert (values["gz"], values["summary"]) == (1, 19)


def test_errors_of_r_are_kept_in_its_own_words(cel, library, monkeypatch):
    monkeypatch.setenv("R_LIBS", str(library))
    with pytest.raises(ToolFailedError) as raised:
        scan_upc(cel, platform_package="pd.broken")
    assert "the platform package is broken" in raised.value.output
    with pytest.raises(ToolFailedError, match="table that cannot be read"):
        scan_upc(cel, summary_package="words")
