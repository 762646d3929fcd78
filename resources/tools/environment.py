"""The software a result was made with: part of its provenance."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import version

PACKAGES = ("refinebio", "numpy", "pandas", "anndata", "pyarrow")


@lru_cache(maxsize=1)
def _fixed() -> dict[str, str]:
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


def software_environment(**tools: str | None) -> dict[str, str]:
    """Versions of Python, of the packages that numbers depend on, and of the tools given by name."""
    return {**_fixed(), **{name: text for name, text in sorted(tools.items()) if text}}
