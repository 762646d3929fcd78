from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from refinebio_assets.domain.errors import ConfigurationError
from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog import Catalog
from resources.catalog.migrations import HEAD_REVISION
from resources.catalog.migrations.configuration import alembic_config
from resources.catalog.models import Base
from tests.resources.catalog.studies import change, sample, study

WRITES = 50


def _write_states(url: str, process: int) -> None:
    catalog = Catalog.connect(url)
    for number in range(WRITES):
        catalog.ledger.set_states([change(f"SRR{process}{number:06d}", SampleState.SURVEYED)])
        catalog.ledger.set_states([change("SRR9999999", SampleState.SURVEYED, message=f"{process} {number}")])


def _connect(url: str, number: int) -> None:
    Catalog.connect(url).ledger.discover([f"SRP{number:06d}"], source="ENA")


def _record_surveys(url: str, process: int) -> None:
    """Overlapping studies, in another order in each process, between changes to their entries."""
    catalog = Catalog.connect(url)
    for turn in range(6):
        number = (turn + process) % 3
        runs = [sample(f"SRR{run:07d}", title=f"{process} {turn}") for run in range(number * 10, number * 10 + 40)]
        catalog.record_survey(study(f"SRP00000{number}", samples=runs), metadata_sha256="a" * 64)
        names = [f"SRR{run:07d}" for run in range(number * 10, number * 10 + 40)]
        catalog.ledger.set_states([change(name, SampleState.DOWNLOADED, message=f"{turn}") for name in names])
        catalog.refresh_experiment_state(f"SRP00000{number}")


def _run_processes(target: object, url: str, number: int) -> list[int | None]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=(url, process)) for process in range(number)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    return [process.exitcode for process in processes]


def test_migrations_make_exactly_the_tables_of_the_models(catalog: Catalog) -> None:
    with catalog.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_known_head_revision_is_the_newest_migration(sqlite_catalog: Catalog) -> None:
    with sqlite_catalog.engine.connect() as connection:
        script = ScriptDirectory.from_config(alembic_config(connection))
    assert script.get_heads() == [HEAD_REVISION]


def test_migrations_can_be_undone(fresh_catalog_url: str) -> None:
    catalog = Catalog.connect(fresh_catalog_url)
    with catalog.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert "samples" not in _tables(catalog)
    again = Catalog.connect(fresh_catalog_url)
    assert "samples" in _tables(again)
    catalog.dispose()
    again.dispose()


def _tables(catalog: Catalog) -> set[str]:
    return set(inspect(catalog.engine).get_table_names())


def test_the_folder_of_a_sqlite_catalog_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "home" / "catalog.sqlite"
    catalog = Catalog.connect(f"sqlite:///{path}")
    with catalog.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_catalog_of_a_newer_version_is_refused(fresh_catalog_url: str) -> None:
    catalog = Catalog.connect(fresh_catalog_url)
    with catalog.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    catalog.dispose()
    with pytest.raises(ConfigurationError, match="9999"):
        Catalog.connect(fresh_catalog_url)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://localhost/refinebio",
        "not a url",
        "oracle+nothing://x",
        "duckdb:///x",
        "postgresql+psycopg2://ada@db:secret/x",
    ],
)
def test_other_databases_are_refused_with_a_remedy(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Catalog.connect(url)
    assert "REFINEBIO_DATABASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_error_rolls_the_transaction_back(catalog: Catalog) -> None:
    insert = text("INSERT INTO catalog_properties (name, value) VALUES ('a', 'b')")
    with pytest.raises(IntegrityError), catalog.session() as session:
        [session.execute(insert) for _ in range(2)]
    assert catalog.property("a") is None


def test_readers_do_not_wait_for_a_writer(sqlite_catalog: Catalog) -> None:
    with sqlite_catalog.session() as writing:
        writing.execute(text("INSERT INTO catalog_properties (name, value) VALUES ('a', 'b')"))
        reader = threading.Thread(target=sqlite_catalog.resolve, args=(["SRP000001"],))
        reader.start()
        reader.join(5)
        assert not reader.is_alive()


def test_four_processes_write_to_the_ledger_at_once(catalog: Catalog, catalog_url: str) -> None:
    assert _run_processes(_write_states, catalog_url, 4) == [0, 0, 0, 0]
    assert catalog.ledger.counts() == {"surveyed": 4 * WRITES + 1}
    assert len(catalog.ledger.history("SRR9999999")) == 4 * WRITES


def test_processes_record_overlapping_surveys_at_once(catalog: Catalog, catalog_url: str) -> None:
    assert _run_processes(_record_surveys, catalog_url, 3) == [0, 0, 0]
    assert catalog.ledger.counts() == {"downloaded": 60}
    assert catalog.ledger_is_complete("SRP000001") == (40, 40)


def test_two_processes_open_a_fresh_catalog_at_once(fresh_catalog_url: str) -> None:
    assert _run_processes(_connect, fresh_catalog_url, 2) == [0, 0]
    catalog = Catalog.connect(fresh_catalog_url)
    assert catalog.ledger.experiment_counts() == {"discovered": 2}
    catalog.dispose()


def test_opening_an_up_to_date_catalog_does_not_load_alembic(sqlite_url: str) -> None:
    code = (
        "import sys; from resources.catalog import Catalog; "
        f"Catalog.connect({sqlite_url!r}); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_foreign_key_is_enforced(catalog: Catalog) -> None:
    with pytest.raises(IntegrityError), catalog.session() as session:
        session.execute(text("INSERT INTO experiment_samples (experiment_id, sample_id) VALUES (1, 2)"))


def test_a_catalog_can_be_opened_without_migrating(tmp_path: Path) -> None:
    catalog = Catalog.connect(f"sqlite:///{tmp_path}/c.sqlite", migrate=False)
    assert _tables(catalog) == set()
