"""What is installed, what is missing, and the command that installs it. Every check answers; none raises."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from refinebio_assets.cli.config import mask_secrets
from refinebio_assets.domain.errors import RefinebioError

if TYPE_CHECKING:
    from resources.settings import Settings

PYTHON_NEEDED = (3, 11)
SALMON_NEEDED = (1, 10)  # the first with reproducible index files; indices of 1.10 cannot be read by earlier ones
DISK_NEEDED_BYTES = 2 * 1024**3  # a vertebrate's index and one sample's reads at a time
SET_UP = "Run ./scripts/setup in the project's folder."
FIRST_USE = "made at first use"

Status = Literal["ok", "missing", "optional"]


class Finding(NamedTuple):
    """The answer of one check. ``optional``: not there, and only the feature named in ``detail`` needs it."""

    name: str
    status: Status
    detail: str
    remedy: str | None = None


def examine(settings: Settings) -> Iterator[Finding]:
    """All checks, one after another.

    Args:
        settings: The settings of this process.
    """
    checks: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
        ("python", _python),
        ("python packages", _packages),
        ("salmon", _salmon),
        ("sra-toolkit", _sra_toolkit),
        ("R with tximport", _r),
        ("C compiler", _compiler),
        ("catalog", _catalog),
        ("object store", _object_store),
        ("disk space", _disk_space),
        ("dagster instance", _dagster_instance),
    )
    for name, check in checks:
        try:
            yield check(settings)
        except RefinebioError as error:
            yield Finding(name, "missing", mask_secrets(error.message), error.remedy)
        except Exception as error:  # noqa: BLE001  a doctor that falls over the patient's illness is of no use
            yield Finding(name, "missing", mask_secrets(f"{type(error).__name__}: {error}"), "See docs/errors.md.")


def _python(_settings: Settings) -> Finding:
    detail = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] == PYTHON_NEEDED:
        return Finding("python", "ok", detail)
    return Finding("python", "missing", f"{detail}; Python 3.11 is needed", SET_UP)


def _packages(_settings: Settings) -> Finding:
    from packaging.requirements import Requirement

    wrong = []
    needed = [Requirement(line) for line in requires("refinebio") or []]
    needed = [requirement for requirement in needed if not requirement.marker or requirement.marker.evaluate()]
    for requirement in needed:
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement} is not installed")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement} is needed, {found} is installed")
    if wrong:
        return Finding("python packages", "missing", "; ".join(wrong), SET_UP)
    return Finding("python packages", "ok", f"refinebio {version('refinebio')} and the {len(needed)} it needs")


def _salmon(settings: Settings) -> Finding:
    from resources.tools.process import PACKAGES
    from resources.tools.salmon import Salmon

    found = Salmon(program=settings.salmon).version()
    if _numbers(found) >= SALMON_NEEDED:
        return Finding("salmon", "ok", f"{found} ({shutil.which(settings.salmon)})")
    detail = f"{found} is installed, 1.10 or later is needed"
    return Finding("salmon", "missing", detail, PACKAGES["salmon"].remedy)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def _sra_toolkit(_settings: Settings) -> Finding:
    from resources.tools.sra_toolkit import SraToolkit

    return Finding("sra-toolkit", "ok", f"{SraToolkit().version()} ({shutil.which('fasterq-dump')})")


def _r(_settings: Settings) -> Finding:
    from resources.tools.process import PACKAGES
    from resources.tools.r import r_available

    status = r_available()
    found = [f"R {status.version}" if status.installed else None, f"rpy2 {status.rpy2}" if status.rpy2 else None]
    found += [f"{name} {number}" for name, number in status.packages.items()]
    detail = ", ".join(part for part in found if part)
    if status.can_write_rds and "tximport" in status.packages:
        return Finding("R with tximport", "ok", detail)
    remedy = f"{PACKAGES['Rscript'].remedy} Then: pip install 'refinebio[r]'."
    return Finding(
        "R with tximport", "optional", f"only for RDS files for DESeq2; found: {detail or 'nothing'}", remedy
    )


def _compiler(_settings: Settings) -> Finding:
    from resources.tools.process import PACKAGES

    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found:
        return Finding("C compiler", "ok", found)
    detail = "only for bit-reproducible Salmon runs"
    return Finding("C compiler", "optional", detail, PACKAGES["cc"].remedy)


def _catalog(settings: Settings) -> Finding:
    from sqlalchemy import inspect, make_url, text
    from sqlalchemy.exc import SQLAlchemyError

    from resources.catalog.engine import create_catalog_engine
    from resources.catalog.migrations import HEAD_REVISION

    shown = mask_secrets(settings.catalog_url)
    url = make_url(settings.catalog_url)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        return _made_at_first_use("catalog", Path(url.database).parent, shown)
    engine = create_catalog_engine(settings.catalog_url)
    try:
        with engine.connect() as connection:
            revision = None
            if inspect(connection).has_table("alembic_version"):
                revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        remedy = "Start the database, or correct REFINEBIO_DATABASE_URL."
        return Finding("catalog", "missing", mask_secrets(f"{shown} cannot be reached: {reason}"), remedy)
    finally:
        engine.dispose()
    return _revision_finding(shown, revision, HEAD_REVISION)


def _revision_finding(shown: str, revision: str | None, newest: str) -> Finding:
    """Revisions are numbered, so that texts compare like numbers; older tables are brought up to date on opening."""
    if revision is None:
        return Finding("catalog", "ok", f"{shown}: tables {FIRST_USE}")
    if revision > newest:
        detail = f"{shown} was written by a newer version (revision {revision}, this one knows {newest})"
        return Finding("catalog", "missing", detail, "Install the refinebio version that wrote it.")
    state = "up to date" if revision == newest else f"brought from {revision} to {newest} at the next use"
    return Finding("catalog", "ok", f"{shown}: tables {state}")


def _object_store(settings: Settings) -> Finding:
    from resources.object_store import ObjectStore

    shown = mask_secrets(settings.store_url)
    if "://" not in settings.store_url and not Path(settings.store_url).exists():
        return _made_at_first_use("object store", Path(settings.store_url), shown)
    store = ObjectStore.from_url(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    key = f"doctor/{platform.node() or 'host'}-{os.getpid()}"
    store.put_bytes(b"refinebio doctor", key)
    store.delete(key)
    return Finding("object store", "ok", f"{shown}: can be written")


def _disk_space(settings: Settings) -> Finding:
    folder = _nearest_existing(settings.home.absolute())
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1024**3:.1f} GiB free for {settings.home.absolute()}"
    if free >= DISK_NEEDED_BYTES:
        return Finding("disk space", "ok", detail)
    remedy = (
        f"Free some space ({DISK_NEEDED_BYTES / 1024**3:.0f} GiB at least), or set REFINEBIO_HOME to a larger disk."
    )
    return Finding("disk space", "missing", detail, remedy)


def _dagster_instance(settings: Settings) -> Finding:
    home = Path(os.environ.get("DAGSTER_HOME") or settings.dagster_home)
    if not (home / "dagster.yaml").exists() and "DAGSTER_HOME" not in os.environ:
        return _made_at_first_use("dagster instance", home, str(home))
    from refinebio_assets.dagster_instance import open_instance

    with open_instance(settings) as instance:
        return Finding("dagster instance", "ok", f"{home}: {instance.get_runs_count()} runs")


def _made_at_first_use(name: str, folder: Path, shown: str) -> Finding:
    parent = _nearest_existing(folder)
    if os.access(parent, os.W_OK | os.X_OK):
        return Finding(name, "ok", f"{shown}: {FIRST_USE}")
    remedy = "Give yourself the right to write there, or set REFINEBIO_HOME to another folder."
    return Finding(name, "missing", f"{shown}: {parent} cannot be written", remedy)


def _nearest_existing(folder: Path) -> Path:
    return next(candidate for candidate in (folder, *folder.parents) if candidate.is_dir())
