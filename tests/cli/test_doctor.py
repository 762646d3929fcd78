"""``refinebio doctor``: names what is missing and the command that installs it."""

import json
import sqlite3
from pathlib import Path

import pytest

from refinebio_assets.cli import installation
from refinebio_assets.cli.installation import examine
from refinebio_assets.cli.main import main
from resources.catalog import Catalog
from resources.settings import Settings, get_settings

CHECKS = [
    "python", "python packages", "salmon", "sra-toolkit", "R with tximport", "C compiler", "catalog", "object store",
    "disk space", "dagster instance",
]  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    get_settings.cache_clear()
    yield tmp_path / "home"
    get_settings.cache_clear()


@pytest.fixture
def bare_path(tmp_path, monkeypatch) -> Path:
    """A PATH with no program in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def findings(**settings) -> dict[str, installation.Finding]:
    return {finding.name: finding for finding in examine(Settings(**settings))}


def test_this_machine_has_everything_and_nothing_is_made_by_looking(home, capsys):
    assert main(["doctor", "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] is True
    assert [check["name"] for check in shown["checks"]] == CHECKS
    assert {check["status"] for check in shown["checks"]} <= {"ok", "optional"}
    assert not home.exists()


def test_missing_programs_are_named_with_the_commands_that_install_them(home, bare_path, capsys):
    assert main(["doctor"]) == 1

    shown = capsys.readouterr().out
    assert "MISSING   salmon" in shown
    assert "apt-get install sra-toolkit" in shown
    assert "conda install -c conda-forge -c bioconda salmon" in shown
    assert "brew install" in shown
    assert "optional  R with tximport" in shown
    assert "optional  C compiler" in shown


def test_optional_programs_alone_leave_the_exit_status_at_0(home, bare_path):
    program(bare_path, "salmon", "salmon 1.10.3")
    program(bare_path, "fasterq-dump", "fasterq-dump : 3.0.3")
    (bare_path / "sh").symlink_to("/bin/sh")

    assert main(["doctor"]) == 0


def test_a_salmon_that_is_too_old_is_missing(home, bare_path):
    program(bare_path, "salmon", "salmon 1.9.0")

    found = findings()["salmon"]

    assert found.status == "missing"
    assert found.detail == "1.9.0 is installed, 1.10 or later is needed"
    assert "apt-get install salmon" in found.remedy


def test_a_catalog_in_use_is_up_to_date(home):
    Catalog.connect(get_settings().catalog_url).dispose()

    assert findings()["catalog"].detail.endswith("catalog.sqlite: tables up to date")


def test_a_catalog_of_a_newer_version_is_reported(home):
    Catalog.connect(get_settings().catalog_url).dispose()
    with sqlite3.connect(home / "catalog.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    found = findings()["catalog"]

    assert found.status == "missing"
    assert "newer version" in found.detail


def test_a_database_that_does_not_answer_is_reported_without_its_password():
    found = findings(database_url="postgresql://ada:hunter2@127.0.0.1:1/refinebio")["catalog"]

    assert found.status == "missing"
    assert "cannot be reached" in found.detail
    assert "hunter2" not in str(found)
    assert found.remedy == "Start the database, or correct REFINEBIO_DATABASE_URL."


def test_a_file_in_the_place_of_the_object_store_is_reported(home):
    home.mkdir()
    (home / "objects").touch()

    assert findings()["object store"].status == "missing"


def test_an_object_store_in_use_is_written_and_left_as_it_was(home):
    (home / "objects").mkdir(parents=True)

    assert findings()["object store"].detail.endswith("objects: can be written")
    assert [path for path in (home / "objects").rglob("*") if path.is_file()] == []


def test_a_full_disk_is_reported(home, monkeypatch):
    usage = type(installation.shutil.disk_usage("/"))(total=10**9, used=10**9, free=10**6)
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda _folder: usage)

    found = findings()["disk space"]

    assert found.status == "missing"
    assert "REFINEBIO_HOME" in found.remedy


def test_a_dagster_instance_in_use_is_opened(home):
    (home / "dagster").mkdir(parents=True)
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")

    assert findings()["dagster instance"].detail.endswith(": 0 runs")


def test_a_broken_dagster_configuration_is_reported_and_the_other_checks_still_answer(home):
    (home / "dagster").mkdir(parents=True)
    (home / "dagster" / "dagster.yaml").write_text("no_such_key: 1\n")

    found = findings()

    assert found["dagster instance"].status == "missing"
    assert list(found) == CHECKS


def test_a_package_of_the_wrong_version_is_reported(home, monkeypatch):
    monkeypatch.setattr(installation, "requires", lambda _name: ["click>=99", "no-such-package>=1", "rich>=1"])

    found = findings()["python packages"]

    assert found.status == "missing"
    assert "click>=99 is needed" in found.detail
    assert "no-such-package>=1 is not installed" in found.detail
    assert "rich" not in found.detail
