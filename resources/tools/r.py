"""R as a second engine: what is installed of it, and the ``txi`` object of tximport as an RDS file.

R is embedded through rpy2, in a child process of its own: rpy2 is not thread-safe, and R changes signal handlers and
locale of the process it lives in. This module never imports rpy2.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import ToolError, ToolMissingError
from resources.tools.process import PACKAGES, require_output, run_tool

R_PACKAGES = ("tximport", "DESeq2", "limma", "preprocessCore")
"""R packages that this platform can make use of; it needs none of them."""

_PROJECT = Path(__file__).resolve().parents[2]
_QUERY_SECONDS = 60.0
_WRITE_SECONDS = 3600.0
_VERSION = re.compile(r"version (\d+(?:\.\d+)+)")
_QUERY = (
    "p <- commandArgs(TRUE); p <- p[nzchar(vapply(p, function(x) system.file(package = x), ''))]; "
    "for (x in p) cat(x, format(packageVersion(x)), fill = TRUE)"
)
_LOCALE = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""RDS files carry the native encoding in their header: a fixed locale keeps the bytes the same everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RStatus:
    """What is installed of R. ``packages`` maps the R packages found to their versions; ``rpy2`` is None if missing."""

    installed: bool
    version: str | None = None
    rpy2: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def can_write_rds(self) -> bool:
        """Whether :func:`write_txi_rds` can work."""
        return self.installed and self.rpy2 is not None


def r_available(*, packages: Sequence[str] = R_PACKAGES) -> RStatus:
    """Look for R, these of its packages and rpy2, without starting R in this process."""
    rpy2 = _rpy2_version()
    if shutil.which("Rscript") is None:
        return RStatus(installed=False, rpy2=rpy2)
    try:
        # R 4 writes its version to standard output, older ones to standard error.
        said = run_tool(["Rscript", "--version"], timeout_seconds=_QUERY_SECONDS)
        listed = run_tool(
            ["Rscript", "--vanilla", "-e", _QUERY, *packages], timeout_seconds=_QUERY_SECONDS, env=_LOCALE
        )
    except ToolError:
        return RStatus(installed=False, rpy2=rpy2)
    found = _VERSION.search(said.stdout + said.stderr)
    versions = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines() if " " in line.strip())
    return RStatus(installed=True, version=found[1] if found else None, rpy2=rpy2, packages=versions)


def write_txi_rds(
    path: Path,
    *,
    genes: Sequence[str],
    samples: Sequence[str],
    abundance: NDArray[np.float64],
    counts: NDArray[np.float64],
    length: NDArray[np.float64],
    counts_from_abundance: str = "no",
    timeout_seconds: float = _WRITE_SECONDS,
) -> Path:
    """Write the list that R's ``tximport`` returns, ready for ``DESeqDataSetFromTximport(readRDS(path), …)``.

    The file appears complete or not at all; the same values give the same bytes (with the same version of R).

    Args:
        path: The ``.rds`` file.
        genes: Row names.
        samples: Column names.
        abundance: TPM, genes x samples.
        counts: Estimated counts, genes x samples.
        length: Mean effective transcript lengths in bases, genes x samples.
        counts_from_abundance: How counts were made, in tximport's words (``no``, ``scaledTPM``, ``lengthScaledTPM``).
        timeout_seconds: Time-out of R.

    Raises:
        ValueError: A matrix does not have the shape genes x samples.
        ToolMissingError: R or rpy2 is not installed.
        ToolFailedError: R failed; its own words are kept.
    """
    for name, matrix in (("abundance", abundance), ("counts", counts), ("length", length)):
        if matrix.shape != (len(genes), len(samples)):
            message = f"{name} has shape {matrix.shape}, not genes x samples {(len(genes), len(samples))}"
            raise ValueError(message)
    _require_r()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        handed_over, written = Path(folder) / "txi.npz", Path(folder) / path.name
        np.savez(
            handed_over,
            genes=np.array(genes, dtype=np.str_),
            samples=np.array(samples, dtype=np.str_),
            abundance=abundance,
            counts=counts,
            length=length,
            counts_from_abundance=np.array(counts_from_abundance),
        )
        command: list[str | Path] = [sys.executable, "-m", "resources.tools.write_txi_rds", handed_over, written]
        result = run_tool(command, timeout_seconds=timeout_seconds, env=_LOCALE | _python_path())
        require_output(written, tool="R", result=result).replace(path)
    return path


def _require_r() -> None:
    if shutil.which("R") is None:
        message = "R was not found."
        raise ToolMissingError(message, remedy=PACKAGES["Rscript"].remedy)
    if _rpy2_version() is None:
        message = "The Python package rpy2 is not installed."
        raise ToolMissingError(message, remedy="Install it: pip install 'refinebio[r]'.")


def _rpy2_version() -> str | None:
    try:
        return importlib.metadata.version("rpy2")
    except importlib.metadata.PackageNotFoundError:
        return None


def _python_path() -> dict[str, str]:
    """The child must find this package also when we run from a checkout and from another folder."""
    others = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{_PROJECT}{os.pathsep}{others}" if others else str(_PROJECT)}
