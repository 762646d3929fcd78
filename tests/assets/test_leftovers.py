"""What killed processes leave: removed when nobody will come back to it, kept when it will be resumed or is in use."""

from pathlib import Path

import pytest

from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import LedgerKind, SampleState
from refinebio_assets.leftovers import remove_if_free, remove_leftovers
from refinebio_assets.rna_seq.quantification import only_one
from resources.catalog import Catalog, StateChange
from resources.object_store import ObjectStore
from resources.object_store.temporary import temporary_folder, temporary_name
from resources.settings import Settings

DEAD = 2**22 + 1
"""No process has this id: Linux gives at most 2**22."""


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path / "home")


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def sweep(settings: Settings, catalog: Catalog) -> int:
    return remove_leftovers(settings, catalog, ObjectStore.from_url(settings.store_url))


def of_a_dead_process(name: str) -> str:
    parts = temporary_name(name).split(".")
    return ".".join([*parts[:-3], str(DEAD), *parts[-2:]])


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("left")
    return path


def note(catalog: Catalog, accession: str, state: SampleState, *, retryable: bool = False) -> None:
    decision = LedgerDecision(state=state, reason=state.value, message=state.value)
    change = StateChange(
        accession=accession,
        kind=LedgerKind.SAMPLE,
        experiment_accession="SRP900001",
        decision=decision,
        retryable=retryable,
    )
    catalog.ledger.set_states([change])


def test_temporary_names_of_dead_processes_go_and_those_of_living_ones_stay(settings, sqlite_catalog):
    objects = Path(settings.store_url)
    put(objects / "quant_files" / of_a_dead_process("quant.sf.gz"))
    put(objects / "quant_files" / "quant.sf.gz")
    put(settings.scratch / of_a_dead_process("tximport") / "quant.sf.gz")
    with temporary_folder(settings.scratch, "tximport") as mine:
        put(mine / "quant.sf.gz")

        assert sweep(settings, sqlite_catalog) == 2

        assert left(objects) == ["quant_files/quant.sf.gz"]
        assert left(settings.scratch) == [f"{mine.name}/quant.sf.gz"]


def test_downloads_stay_for_the_samples_that_still_need_them(settings, sqlite_catalog):
    states = {
        "SRR900000001": (SampleState.SURVEYED, False),
        "SRR900000002": (SampleState.DOWNLOADED, False),
        "SRR900000003": (SampleState.PROCESSED, False),
        "SRR900000004": (SampleState.FAILED_PROCESSING, False),
        "SRR900000005": (SampleState.FAILED_PROCESSING, True),
    }
    for accession, (state, retryable) in states.items():
        note(sqlite_catalog, accession, state, retryable=retryable)
    samples = settings.scratch / "samples"
    for accession in [*states, "SRR900000006"]:
        put(samples / accession / "reads.fastq.gz.part")
        put(samples / f"{accession}.lock")

    assert sweep(settings, sqlite_catalog) == 3

    kept = ["SRR900000001", "SRR900000002", "SRR900000005"]
    assert left(samples) == sorted(name for a in kept for name in (f"{a}.lock", f"{a}/reads.fastq.gz.part"))


def test_half_built_indices_go_and_the_genome_they_need_stays(settings, sqlite_catalog):
    put(settings.scratch / "indices" / "DANIO_RERIO" / "short" / "transcripts.fa")
    put(settings.scratch / "genomes" / "DANIO_RERIO" / "genome.fa.gz")

    assert sweep(settings, sqlite_catalog) == 1

    assert left(settings.scratch) == ["genomes/DANIO_RERIO/genome.fa.gz"]


def test_a_folder_that_someone_works_in_is_left_alone(tmp_path):
    folder = tmp_path / "SRR900000001"
    with only_one(folder):
        put(folder / "reads.fastq.gz")
        assert not remove_if_free(folder)
        assert left(folder) == ["reads.fastq.gz"]

    assert remove_if_free(folder)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_was_left_nothing_is_made(settings, sqlite_catalog):
    assert sweep(settings, sqlite_catalog) == 0
    assert not settings.scratch.exists()
