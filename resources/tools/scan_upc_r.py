"""Bioconductor's SCAN.UPC as a second engine, where it is installed: the oracle of our own SCAN.

R is embedded through rpy2 in a child process, as in :mod:`resources.tools.r`:
``python -m resources.tools.scan_upc_r FUNCTION ARRAY.CEL OUT.txt [PLATFORM_PACKAGE] [SUMMARY_PACKAGE]``
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from refinebio_assets.domain.errors import ToolFailedError, ToolMissingError
from resources.tools.process import PACKAGES, require_output, run_tool
from resources.tools.r import r_available

ScanFunction = Literal["SCAN", "SCANfast", "UPC", "UPCfast"]
R_PACKAGE = "SCAN.UPC"

_SECONDS = 3600.0
_PROJECT = Path(__file__).resolve().parents[2]
_INSTALL = "Install it in R: BiocManager::install('SCAN.UPC')."


def scan_upc(
    cel: Path,
    function: ScanFunction = "SCANfast",
    *,
    platform_package: str | None = None,
    summary_package: str | None = None,
    timeout_seconds: float = _SECONDS,
) -> dict[str, float]:
    """What SCAN.UPC makes of one CEL file.

    Args:
        cel: Plain or gzip.
        function: Which of its functions to call.
        platform_package: R package of the chip (``pd.hg.u133.plus.2``); SCAN.UPC finds out if not given.
        summary_package: Brainarray's R package (``hgu133plus2hsensgprobe``); the chip's own probe sets if not given.
        timeout_seconds: Time-out of R.

    Returns:
        Value per probe set or gene, with 8 decimals, named as SCAN.UPC does.

    Raises:
        ToolMissingError: R, rpy2 or SCAN.UPC is not installed.
        ToolFailedError: R failed or wrote no values; its own words are kept.
    """
    _require_scan_upc()
    with tempfile.TemporaryDirectory(prefix="scan-upc-") as folder:
        # A plain name: SCAN.UPC takes names for patterns, and names without a dot for accessions to download.
        with cel.open("rb") as file:
            suffix = ".CEL.gz" if file.read(2) == b"\x1f\x8b" else ".CEL"
        array, out = Path(folder) / f"array{suffix}", Path(folder) / "values.txt"
        shutil.copyfile(cel, array)
        packages = (platform_package or "", summary_package or "")
        others = os.environ.get("PYTHONPATH")
        result = run_tool(
            [sys.executable, "-m", "resources.tools.scan_upc_r", function, array, out, *packages],
            timeout_seconds=timeout_seconds,
            env={"LC_ALL": "C.UTF-8", "PYTHONPATH": f"{_PROJECT}{os.pathsep}{others}" if others else str(_PROJECT)},
        )
        return _values(require_output(out, tool=R_PACKAGE, result=result))


def _require_scan_upc() -> None:
    status = r_available(packages=(R_PACKAGE,))
    if not status.installed:
        message = "R was not found."
        raise ToolMissingError(message, remedy=PACKAGES["Rscript"].remedy)
    if status.rpy2 is None:
        message = "The Python package rpy2 is not installed."
        raise ToolMissingError(message, remedy="Install it: pip install 'refinebio[r]'.")
    if R_PACKAGE not in status.packages:
        message = f"The R package {R_PACKAGE} is not installed."
        raise ToolMissingError(message, remedy=f"{_INSTALL} The methods scan.upc and scan.upc-fast need no R.")


def _values(table: Path) -> dict[str, float]:
    """R's table: a header of one name, then name and value."""
    lines = table.read_text(encoding="utf-8").splitlines()[1:]
    try:
        return {name: float(value) for name, value in (line.split("\t") for line in lines)}
    except ValueError as error:
        message = f"{R_PACKAGE} wrote a table that cannot be read ({error})."
        raise ToolFailedError(message) from error


def _call(function: str, array: str, out: str, platform_package: str, summary_package: str) -> None:
    """The child: load the packages and call the function with what is given."""
    import rpy2.rinterface as r

    r.initr_simple()
    base = r.baseenv
    base["attachNamespace"](r.StrSexpVector(["foreach"]))  # SCAN.UPC expects it to be attached
    named = {"annotationPackageName": platform_package, "probeSummaryPackage": summary_package}
    given = {name: r.StrSexpVector([value]) for name, value in named.items() if value}
    call = base["getExportedValue"](r.StrSexpVector([R_PACKAGE]), r.StrSexpVector([function]))
    call(r.StrSexpVector([array]), r.StrSexpVector([out]), **given)


if __name__ == "__main__":
    _call(*sys.argv[1:])
