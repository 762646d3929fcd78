"""A study in which everything goes wrong at once: it finishes, and every sample is accounted for."""

from __future__ import annotations

import gzip
import random
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anndata
import pytest

from examples.faults import Fault
from examples.synthetic import SyntheticStudy, simulated_reads
from refinebio_assets.domain.vocabulary import NO_INDEX, IndexLength
from refinebio_assets.rna_seq.index_run import reopen_samples
from refinebio_assets.runs import Session, ingest_experiment
from tests.end_to_end.conftest import Install
from tests.end_to_end.installation import Installation, sha256_of_files
from tests.sensors.ticks import SENSORS, Ticks, let_time_pass

pytestmark = pytest.mark.end_to_end

STUDY = "SRP900500"
QUICK = {"archive_attempts": "3", "archive_timeout_seconds": "3", "parallel_samples": "2"}


@dataclass
class TroubledStudy:
    """A study, what its archive does wrong, and what must become of each run: state and reason."""

    transcripts: Mapping[str, str]
    study: SyntheticStudy = field(default_factory=lambda: SyntheticStudy(STUDY))
    expected: dict[str, tuple[str, str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)

    def add(self, role: str, state: str, reason: str, *faults: Fault, **options: object) -> str:
        """A run with reads of its own; faults match its files."""
        reads = simulated_reads(self.transcripts, pairs=150, seed=len(self.expected))
        run = self.study.add_run(**{"fastq": reads} | options).accession
        self.expected[run] = (state, reason)
        self.roles[role] = run
        for fault in faults:
            values = {name: getattr(fault, name) for name in Fault.__slots__}
            self.faults.append(Fault(**values | {"match": f"/{run}/{fault.match}"}))
        return run


def broken_record(reads: bytes, record: int) -> bytes:
    """FASTQ in which one record (0-based) has fewer qualities than bases."""
    lines = reads.decode().splitlines()
    lines[record * 4 + 3] = lines[record * 4 + 3][:-5]
    return ("\n".join(lines) + "\n").encode()


def random_reads(pairs: int) -> tuple[bytes, bytes]:
    """Reads of no genome."""
    numbers = random.Random(7)

    def reads(mate: int) -> bytes:
        return "".join(
            f"@noise.{n}/{mate}\n{''.join(numbers.choices('ACGT', k=75))}\n+\n{'I' * 75}\n" for n in range(pairs)
        ).encode()

    return reads(1), reads(2)


@pytest.fixture
def troubled(transcripts: dict[str, str]) -> TroubledStudy:
    made = TroubledStudy(transcripts)
    one, two = simulated_reads(transcripts, pairs=150, seed=99)
    add = made.add
    # What ends well
    add("paired", "processed", "processed")
    add("single", "processed", "processed", fastq=[one])
    add("three files", "processed", "processed", fastq=[b"@u/1\nACGT\n+\nIIII\n", one, two])
    add("500 twice", "processed", "processed", Fault(match="", kind="status", times=2))
    add("429 once", "processed", "processed", Fault(match="", kind="status", status=429, retry_after=0, times=1))
    add("reset twice", "processed", "processed", Fault(match=".*_1", kind="reset", times=2))
    add("closed half-way", "processed", "processed", Fault(match=".*_2", kind="truncate", times=1))
    add("slow", "processed", "processed", Fault(match="", kind="slow", seconds=0.5))
    add("web page once", "processed", "processed", Fault(match="", kind="html", times=1))
    add("bit flipped once", "processed", "processed", Fault(match=".*_1", kind="corrupt", times=1))
    # What may end well later
    add("web page for ever", "surveyed", "archive_unavailable", Fault(match="", kind="html"))
    add("500 for ever", "surveyed", "archive_unavailable", Fault(match="", kind="status", status=503))
    add("long pause", "surveyed", "archive_unavailable", Fault(match="", kind="status", status=429, retry_after=7200))
    add("silent", "surveyed", "archive_unavailable", Fault(match=".*_1", kind="slow", seconds=60.0, times=3))
    add("killed", "surveyed", "tool_failed")
    # What is damaged
    add("wrong md5", "corrupt_file", "checksum_mismatch", Fault(match=".*_2", kind="corrupt"))
    add("gzip cut on the way", "corrupt_file", "checksum_mismatch", Fault(match=".*_1", kind="truncated_gzip"))
    add("gzip cut at the archive", "corrupt_file", "malformed_payload", fastq=[gzip.compress(one)[:-40], two])
    add("broken record", "corrupt_file", "malformed_file", fastq=[one, broken_record(two, 100)])
    add("mates of other length", "corrupt_file", "malformed_file", fastq=[one, b"".join(two.splitlines(True)[:-40])])
    add("no reads", "corrupt_file", "malformed_file", fastq=[b""])
    add("404", "no_raw_file", "archive_not_found", Fault(match="", kind="status", status=404))
    add("403", "controlled_access", "controlled_access", Fault(match="", kind="status", status=403))
    # What is not for us
    add("dbGaP", "controlled_access", "controlled_access", controlled_access=True)
    add("single cell", "wrong_library_strategy", "single_cell", source="TRANSCRIPTOMIC SINGLE CELL")
    add("ChIP", "wrong_library_strategy", "library_strategy", strategy="ChIP-Seq")
    add("long reads", "unsupported_platform", "unsupported_platform", instrument_model="PacBio RS II")
    add("suppressed", "withdrawn_upstream", "suppressed_upstream", status="suppressed")
    add("no files", "no_raw_file", "no_raw_file", fastq_ftp="", fastq_bytes="", fastq_md5="")
    add("nothing maps", "failed_qc", "low_mapping_rate", fastq=random_reads(200))
    noise = random_reads(190)
    mixed = [noise[mate] + reads for mate, reads in enumerate(simulated_reads(transcripts, pairs=10, seed=5))]
    add("little maps", "failed_qc", "low_mapping_rate", fastq=mixed)
    return made


def killing_salmon(folder: Path, run: str) -> tuple[Path, Path]:
    """A program that is Salmon, but dies of signal 9 on the reads of one run as long as a second file is there."""
    program, while_there = folder / "bin/salmon", folder / "out-of-memory"
    program.parent.mkdir()
    while_there.touch()
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *{run}*) [ -e "{while_there}" ] && kill -9 $$ ;; esac\nexec salmon "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program, while_there


@contextmanager
def served(
    install: Install, troubled: TroubledStudy, folder: Path, **settings: str
) -> Iterator[tuple[Installation, Session]]:
    troubled.study.write(folder / "studies")
    installation = install(folder / "studies", **QUICK | settings)
    for fault in troubled.faults:
        installation.archive.faults.add(fault)
    with installation.session() as session:
        yield installation, session


def states(session: Session) -> dict[str, tuple[str, str]]:
    return {row.accession: (row.state.value, row.reason) for row in session.catalog.ledger.of_experiment(STUDY)}


def messages(session: Session) -> dict[str, str]:
    return {row.accession: row.message for row in session.catalog.ledger.of_experiment(STUDY)}


def test_every_sample_of_a_study_full_of_faults_is_accounted_for_and_nothing_wrong_is_stored(
    install: Install, troubled: TroubledStudy, tmp_path: Path
) -> None:
    program, out_of_memory = killing_salmon(tmp_path, troubled.roles["killed"])
    good = {run for run, (state, _) in troubled.expected.items() if state == "processed"}
    passing = {run for run, (state, _) in troubled.expected.items() if state == "surveyed"}
    with served(install, troubled, tmp_path, salmon=str(program)) as (installation, session):
        assert ingest_experiment(session, STUDY, early=False, report=lambda _: None) == []

        # One state and reason each; the good ones wait for those that may end well later.
        waiting = dict.fromkeys(good, ("quantified", "quantified"))
        assert states(session) == troubled.expected | waiting
        assert not installation.expression(STUDY).exists()
        assert sum(session.catalog.ledger.counts(STUDY).values()) == len(troubled.study.runs) == 31
        assert {row.accession for row in session.catalog.ledger.retryable(max_attempts=5)} == passing
        told = messages(session)
        assert_messages_read_well(troubled, told, installation)
        assert_only_measurements_are_stored(installation, good | {troubled.roles["little maps"]})
        resumed = installation.archive.requests_for(f"/{troubled.roles['reset twice']}/.*_1", method="GET")
        # What a reset took along before it was read is asked for again: on a busy machine that can be all of it.
        assert len(resumed) == 3
        assert any(request.range is not None for request in resumed)
        assert sum(request.bytes_sent for request in resumed) >= len(first_file(troubled, "reset twice"))
        assert set(left_in_scratch(installation)) <= passing

        # The fault is lifted; nobody does anything but the sensors.
        installation.archive.faults.clear()
        out_of_memory.unlink()
        ticks = Ticks(session)
        assert ticks.new_requests("retry_transient_failures") == []
        let_time_pass(session, hours=1)
        before = len(installation.archive.requests)
        assert ticks.tick("retry_transient_failures") == [STUDY]
        ended_well = troubled.expected | dict.fromkeys(good | passing, ("processed", "processed"))
        assert states(session) == ended_well
        assert {r.path.split("/")[-2] for r in installation.archive.requests[before:]} == passing - {
            troubled.roles["killed"]
        }
        expression = anndata.read_h5ad(installation.expression(STUDY))
        assert set(expression.obs_names) == good | passing
        assert_only_measurements_are_stored(installation, good | passing | {troubled.roles["little maps"]})
        assert left_in_scratch(installation) == []
        assert session.catalog.ledger.entries([STUDY])[STUDY].state.value == "processed"
        assert ticks.executed == [("retry_transient_failures", STUDY, True)]
        assert [ticks.tick(sensor) for sensor in ("experiment_automation", "retry_transient_failures")] == [[], []]


def first_file(troubled: TroubledStudy, role: str) -> bytes:
    run = next(run for run in troubled.study.runs if run.accession == troubled.roles[role])
    return next(iter(run.files.values()))


def left_in_scratch(installation: Installation) -> list[str]:
    """Runs with downloads that are kept for going on."""
    return sorted(path.name for path in (installation.scratch / "samples").iterdir() if path.is_dir())


def assert_messages_read_well(troubled: TroubledStudy, told: Mapping[str, str], installation: Installation) -> None:
    for role, run in troubled.roles.items():
        assert len(told[run].split()) >= 5, (role, told[run])
        assert told[run].endswith((".", ")", ".gz")), (role, told[run])
        assert str(installation.home) not in told[run], (role, told[run])
        assert "127.0.0.1" not in told[run], (role, told[run])
    run = troubled.roles["broken record"]
    assert told[run].startswith(f"{run}_2.fastq.gz:404: "), told[run]
    assert "killed by SIGKILL" in told[troubled.roles["killed"]]
    assert "md5" in told[troubled.roles["wrong md5"]]
    assert "truncated" in told[troubled.roles["gzip cut at the archive"]]
    assert "single-cell" in told[troubled.roles["single cell"]]
    assert "ChIP-Seq" in told[troubled.roles["ChIP"]]
    assert "access committee" in told[troubled.roles["dbGaP"]]


def assert_only_measurements_are_stored(installation: Installation, measured: set[str]) -> None:
    """Nothing in the store but metadata, indices, expression, and quant files of samples that were measured."""
    keys = list(installation.stored())
    assert {key.split("/")[0] for key in keys} <= {
        "source_metadata", "transcriptome_index", "quant_files", "rna_seq_expression", "expression_parts",
    }  # fmt: skip
    quant_files = {key.split("/")[2] for key in keys if key.startswith("quant_files/") and key.count("/") == 3}
    assert quant_files == measured
    downloads = set(sha256_of_files(installation.home.parent / "studies").values())
    assert not downloads & set(installation.stored().values())


SURVEY_FAULTS = {
    "ENA answers 500": Fault(match="ena/portal/api/filereport", kind="status"),
    "ENA sends a web page": Fault(match="ena/portal/api", kind="html"),
    "ENA's JSON is cut": Fault(match="ena/portal/api/filereport", kind="truncated_gzip"),
    "ENA closes the connection": Fault(match="ena/portal/api/filereport", kind="truncate"),
    "BioSamples answers 500": Fault(match="biosamples/samples", kind="status"),
    "BioSamples' JSON is cut": Fault(match="biosamples/samples", kind="truncated_gzip"),
}


@pytest.mark.parametrize("fault", SURVEY_FAULTS.values(), ids=SURVEY_FAULTS)
def test_a_survey_that_an_archive_spoils_records_nothing_and_is_tried_again(
    install: Install, tmp_path: Path, fault: Fault
) -> None:
    study = SyntheticStudy(STUDY)
    study.add_run(attributes={"tissue": "leaf"})
    study.add_run(strategy="ChIP-Seq")
    study.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    with installation.session() as session:
        ticks = Ticks(session)
        session.catalog.ledger.discover([STUDY], source="ena")
        installation.archive.faults.add(fault)
        assert ticks.tick("experiment_automation") == [STUDY]
        entry = session.catalog.ledger.entries([STUDY])[STUDY]
        assert (entry.state.value, entry.retryable, entry.attempts) == ("discovered", True, 1), entry.message
        assert entry.reason in {"archive_unavailable", "malformed_payload"}
        assert "https://www.ebi.ac.uk/" in entry.message
        assert states(session) == {}
        assert not session.catalog.has_experiments()
        assert [key for key in installation.stored() if STUDY in key] == []
        # Not at once, and not by the automation.
        assert ticks.new_requests("experiment_automation") == ticks.new_requests("retry_transient_failures") == []

        installation.archive.faults.clear()
        let_time_pass(session, hours=1)
        assert ticks.tick("retry_transient_failures") == [STUDY]
        assert states(session) == {
            "SRR905000000": ("surveyed", "eligible"),
            "SRR905000001": ("wrong_library_strategy", "library_strategy"),
        }
        entry = session.catalog.ledger.entries([STUDY])[STUDY]
        assert (entry.state.value, entry.retryable, entry.attempts) == ("surveyed", False, 0)


def test_a_study_that_the_archive_does_not_have_is_left_to_the_second_look(install: Install) -> None:
    with install(**QUICK).session() as session:
        ticks = Ticks(session)
        session.catalog.ledger.discover([STUDY], source="ena")
        ticks.until_idle()
        entry = session.catalog.ledger.entries([STUDY])[STUDY]
        assert (entry.state.value, entry.reason, entry.retryable) == ("discovered", "archive_not_found", False)
        let_time_pass(session, hours=100)
        assert [ticks.new_requests(sensor) for sensor in SENSORS[1:]] == [[], []]


def test_after_five_tries_expression_is_made_without_the_sample_that_never_came(
    install: Install, transcripts: dict[str, str], tmp_path: Path
) -> None:
    study = SyntheticStudy(STUDY)
    good, gone = (study.add_run(fastq=simulated_reads(transcripts, pairs=150, seed=seed)).accession for seed in (1, 2))
    study.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    installation.archive.faults.add(Fault(match=f"/{gone}/", kind="status", status=502))
    with installation.session() as session:
        ticks = Ticks(session)
        session.catalog.ledger.discover([STUDY], source="ena")
        tried = []
        for _ in range(7):
            ticks.until_idle()
            entry = session.catalog.ledger.entries([gone]).get(gone)
            tried.append((entry.attempts, session.catalog.ledger.entries([STUDY])[STUDY].state.value))
            let_time_pass(session, hours=24)
        assert tried == [(1, "surveyed"), (2, "surveyed"), (3, "surveyed"), (4, "surveyed"), *[(5, "processed")] * 3]
        expression = anndata.read_h5ad(installation.expression(STUDY))
        assert list(expression.obs_names) == [good]
        assert expression.uns["left_out"][gone].startswith("The archive answered 502")


def test_an_index_that_ensembl_spoils_is_built_later_and_a_genome_that_is_damaged_is_never_indexed(
    install: Install, transcripts: dict[str, str], tmp_path: Path
) -> None:
    study = SyntheticStudy(STUDY)
    study.add_run(fastq=simulated_reads(transcripts, pairs=150))
    study.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    faults = [
        Fault(match="rest.ensembl.org", kind="status"),
        Fault(match="rest.ensembl.org", kind="html"),
        Fault(match=r"dna\.toplevel\.fa\.gz", kind="truncated_gzip", method="GET"),
        Fault(match=r"\.57\.gtf\.gz", kind="html"),
    ]
    with installation.session() as session:
        assert session.survey(STUDY) is None
        for fault in faults:
            installation.archive.faults.add(fault)
            failed = session.build_index("ARABIDOPSIS_THALIANA", IndexLength.SHORT)
            assert failed is not None
            assert "https://" in failed.message
            assert not [key for key in installation.stored() if key.startswith("transcriptome_index")]
            assert session.catalog.current_transcriptome_index("ARABIDOPSIS_THALIANA", IndexLength.SHORT) is None
            installation.archive.faults.clear()
        assert session.build_index("ARABIDOPSIS_THALIANA", IndexLength.SHORT) is None
        assert session.catalog.current_transcriptome_index("ARABIDOPSIS_THALIANA", IndexLength.SHORT) is not None


def test_a_sample_of_an_organism_without_genome_does_not_keep_the_others_waiting(
    install: Install, transcripts: dict[str, str], tmp_path: Path
) -> None:
    study = SyntheticStudy(STUDY)
    plant = study.add_run(fastq=simulated_reads(transcripts, pairs=150)).accession
    other = study.add_run(scientific_name="Pseudomonas syringae", tax_id="317").accession
    study.write(tmp_path / "studies")
    installation = install(tmp_path / "studies", **QUICK)
    with installation.session() as session:
        ticks = Ticks(session)
        session.catalog.ledger.discover([STUDY], source="ena")
        ticks.until_idle()
        assert states(session) == {plant: ("processed", "processed"), other: ("failed_processing", NO_INDEX)}
        assert "no transcriptome index of Pseudomonas syringae" in messages(session)[other]
        assert installation.archive.requests_for(f"fastq.*{other}") == []
        let_time_pass(session, hours=2)
        assert ticks.new_requests("experiment_automation") == []

        # A genome turns up: the sample is taken up again.
        reopen_samples(session.catalog, "PSEUDOMONAS_SYRINGAE", run_id="test")
        assert states(session)[other] == ("surveyed", "eligible")
